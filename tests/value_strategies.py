"""Strategies that make our values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


def builds(kind: Callable[..., _T], *places: st.SearchStrategy[Any], **names: st.SearchStrategy[Any]) -> Any:
    """Return what `st.builds` does, which of a class wants types that only a type checker has imported."""

    def made(*given: Any, **named: Any) -> _T:
        return kind(*given, **named)

    return st.builds(made, *places, **names)

"""Binds an owner inside async tests and fixtures, in whatever context the plugin that runs them gives them."""

from __future__ import annotations

import functools
import inspect
from types import MethodType
from typing import TYPE_CHECKING, Any

from tapemeter import owner as owners

if TYPE_CHECKING:
    import pytest

    from tapemeter.owner import Owner


class bound_function:  # noqa: N801 - used as a context manager function
    """Have a coroutine test bind its owner inside whatever context a plugin runs it in."""

    def __init__(self, item: pytest.Item, owner: Owner) -> None:
        self._item, self._owner = item, owner
        self._original: Any = None

    def __enter__(self) -> None:
        function = getattr(self._item, "obj", None)
        if not _is_plain(function) and inspect.iscoroutinefunction(function):
            self._original = function
            self._item.obj = _bind_inside(function, self._owner)  # type: ignore[attr-defined]

    def __exit__(self, *_: object) -> None:
        if self._original is not None:
            self._item.obj = self._original  # type: ignore[attr-defined]


class bound_fixture:  # noqa: N801 - used as a context manager function
    """The same for a fixture that is a coroutine or an async generator."""

    def __init__(self, fixturedef: pytest.FixtureDef[Any], owner: Owner) -> None:
        self._fixturedef, self._owner = fixturedef, owner
        self._original: Any = None

    def __enter__(self) -> None:
        function = self._fixturedef.func
        if _is_plain(function):
            return
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            self._original = function
            self._fixturedef.func = _bind_inside(function, self._owner)  # type: ignore[misc]

    def __exit__(self, *_: object) -> None:
        if self._original is not None:
            self._fixturedef.func = self._original  # type: ignore[misc]


_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def _is_plain(function: Any) -> bool:
    """Whether a function is surely not async; what is not plain has to be looked at closely, which takes longer."""
    code = getattr(function, "__code__", None)
    return code is not None and not code.co_flags & _ASYNC and not hasattr(function, "_is_coroutine_mark")


def _bind_inside(function: Any, owner: Owner) -> Any:
    """Return the async function with a first step that binds the owner, of the same kind and signature."""
    if inspect.ismethod(function):
        return MethodType(_bind_inside(function.__func__, owner), function.__self__)
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def generator(*args: Any, **kwargs: Any) -> Any:
            owners.bind(owner)
            async for value in function(*args, **kwargs):
                yield value
                owners.bind(owner)

        return generator

    @functools.wraps(function)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        owners.bind(owner)
        return await function(*args, **kwargs)

    return coroutine

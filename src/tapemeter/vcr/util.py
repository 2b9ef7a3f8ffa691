"""Small things that VCR.py's users import from its `util`: a dictionary that ignores case, the bytes of a body."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any


class CaseInsensitiveDict(MutableMapping[str, Any]):
    """A dictionary whose keys are found whatever their case; it keeps the case that was written last."""

    def __init__(self, data: Any = None, **more: Any) -> None:
        self._store: dict[str, tuple[str, Any]] = {}
        self.update({} if data is None else data, **more)

    def __setitem__(self, key: str, value: Any) -> None:
        self._store[key.lower()] = (key, value)

    def __getitem__(self, key: str) -> Any:
        return self._store[key.lower()][1]

    def __delitem__(self, key: str) -> None:
        del self._store[key.lower()]

    def __iter__(self) -> Iterator[str]:
        return (written for written, _ in self._store.values())

    def __len__(self) -> int:
        return len(self._store)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(self.lower_items()) == {key.lower(): value for key, value in other.items()}

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(dict(self.items()))

    def lower_items(self) -> Iterator[tuple[str, Any]]:
        """Yield the items with their keys in lower case."""
        return ((key, value) for key, (_, value) in self._store.items())

    def copy(self) -> CaseInsensitiveDict:
        """Return a new dictionary with the same items."""
        return CaseInsensitiveDict(dict(self._store.values()))


def read_body(request: Any) -> Any:
    """Return the body of a request; that of a file or an iterator as bytes, without using it up."""
    body = request.body
    if hasattr(body, "read"):
        return body.read()
    return joined(body) if is_iterator(body) else body


def is_iterator(value: object) -> bool:
    """Say whether a body is one that yields its pieces."""
    return hasattr(value, "__iter__") and not isinstance(value, bytes | bytearray | dict | list | str)


def joined(pieces: Iterable[Any]) -> bytes:
    """Return the pieces of a body as one: bytes, texts, or numbers of bytes."""
    found = list(pieces)
    if found and isinstance(found[0], int):
        return bytes(found)
    return b"".join(piece.encode() if isinstance(piece, str) else bytes(piece) for piece in found)


def compose(*functions: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """Return the function that applies those that there are, the last one first."""

    def composed(value: Any) -> Any:
        for function in reversed(functions):
            if function:
                value = function(value)
        return value

    return composed


def partition_dict(
    predicate: Callable[[Any, Any], bool], dictionary: Mapping[Any, Any]
) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Return the items for which the predicate holds, and the others."""
    held = {key: value for key, value in dictionary.items() if predicate(key, value)}
    return held, {key: value for key, value in dictionary.items() if key not in held}


def _is_function(name: str, value: object) -> bool:
    del name
    return isinstance(value, types.FunctionType)


def auto_decorate(decorator: Callable[[Any], Any], predicate: Callable[[str, Any], bool] = _is_function) -> type[type]:
    """Return a metaclass that decorates the attributes of its classes for which the predicate holds."""

    def decorated(name: str, value: Any) -> Any:
        return decorator(value) if predicate(name, value) else value

    class DecorateAll(type):
        def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> DecorateAll:
            return super().__new__(mcs, name, bases, {key: decorated(key, value) for key, value in namespace.items()})

        def __setattr__(cls, name: str, value: Any) -> None:
            super().__setattr__(name, decorated(name, value))

    return DecorateAll

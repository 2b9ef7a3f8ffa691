"""Whether a document is what its schema says, fast enough to ask it of every event and report of every run.

This reads the shipped schema itself, of which it knows the few keywords that are used there, so there is no second
truth; a keyword that it does not know is an error. What is wrong with a document, `schemas.problems` says.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[Any], bool]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}
_WORDS = frozenset({"$schema", "$id", "$defs", "title", "description", "x-expected", "then", "else"})
"""Keywords that check nothing, or only together with `if`."""


class Checks:
    """The checks of a schema and of its parts; NotImplementedError for a keyword that is not known here.

    What it refers to, and the entries of lists, are compiled once there is a value: a run has few of what there is.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._referred: dict[str, Check] = {}
        self.whole = self.of(root)
        """Checks a document."""

    def of(self, schema: Mapping[str, Any]) -> Check:
        """Return a check for a part of the schema."""
        keywords = schema.keys() - _WORDS
        if keywords == {"type", "minimum"} and schema["type"] == "integer":
            return _counting(schema["minimum"])
        checks = [self._made(keyword, schema[keyword], schema) for keyword in schema if keyword in keywords]
        return checks[0] if len(checks) == 1 else _all(checks)

    def _made(self, keyword: str, value: Any, schema: Mapping[str, Any]) -> Check:
        match keyword:
            case "$ref":
                check = self._reference(value)
            case "allOf":
                check = _all([self.of(inner) for inner in value])
            case "if":
                check = _either(*(self.of(schema.get(name, {})) for name in ("if", "then", "else")))
            case "properties":
                check = _fields([(name, self.of(inner)) for name, inner in value.items()])
            case "additionalProperties":
                check = _other_fields(self.of(value), frozenset(schema.get("properties", ())))
            case "items":
                check = _entries(_later(lambda: self.of(value)))
            case _ if keyword in _LEAVES:
                check = _LEAVES[keyword](value)
            case _:
                raise NotImplementedError(f"keyword {keyword}")
        return check

    def _reference(self, name: str) -> Check:
        if name not in self._referred:
            *_, key = name.split("/")
            self._referred[name] = _later(lambda: self.of(self._root["$defs"][key]))
        return self._referred[name]


def _later(make: Callable[[], Check]) -> Check:
    made: Check | None = None

    def check(found: Any) -> bool:
        nonlocal made
        made = made or make()
        return made(found)

    return check


# Loops: a generator in between would take twice as long.


def _fields(known: list[tuple[str, Check]]) -> Check:
    def check(found: Any) -> bool:
        if type(found) is dict:
            for name, inner in known:
                if name in found and not inner(found[name]):
                    return False
        return True

    return check


def _other_fields(inner: Check, named: frozenset[str]) -> Check:
    return lambda found: type(found) is not dict or all(inner(found[name]) for name in found if name not in named)


def _entries(inner: Check) -> Check:
    return lambda found: type(found) is not list or all(map(inner, found))


def _all(checks: list[Check]) -> Check:
    def check(found: Any) -> bool:
        for each in checks:  # noqa: SIM110
            if not each(found):
                return False
        return True

    return check


def _counting(least: float) -> Check:
    return lambda found: type(found) is int and found >= least


def _either(asked: Check, then: Check, otherwise: Check) -> Check:
    return lambda found: then(found) if asked(found) else otherwise(found)


def _typed(names: str | list[str]) -> Check:
    wanted = frozenset(kind for name in ([names] if isinstance(names, str) else names) for kind in _TYPES[name])
    if float in wanted:
        return lambda found: type(found) in wanted and (type(found) is not float or math.isfinite(found))
    return lambda found: type(found) in wanted


def _one_of(values: list[Any]) -> Check:
    exact = frozenset((type(value), value) for value in values)
    return lambda found: isinstance(found, str | int | None) and (type(found), found) in exact


def _at_least(least: float) -> Check:
    return lambda found: type(found) not in {int, float} or found >= least


def _matching(pattern: str) -> Check:
    search = re.compile(pattern).search
    return lambda found: type(found) is not str or search(found) is not None


def _having(names: list[str]) -> Check:
    wanted = frozenset(names)
    return lambda found: type(found) is not dict or wanted <= found.keys()


_LEAVES: Mapping[str, Callable[[Any], Check]] = {
    "type": _typed,
    "const": lambda value: _one_of([value]),
    "enum": _one_of,
    "minimum": _at_least,
    "pattern": _matching,
    "required": _having,
}

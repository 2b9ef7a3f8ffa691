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


def compiled(schema: Mapping[str, Any]) -> Check:
    """Return a check for a schema; NotImplementedError for a keyword that is not known here."""
    return _compiled(schema, schema, {})


def _compiled(schema: Mapping[str, Any], root: Mapping[str, Any], made: dict[str, Check]) -> Check:
    checks: list[Check] = []
    for keyword, value in schema.items():
        if keyword in _WORDS:
            continue
        if keyword == "$ref":
            checks.append(_referred(value, root, made))
        elif keyword == "allOf":
            checks += [_compiled(inner, root, made) for inner in value]
        elif keyword == "if":
            checks.append(_either(*(_compiled(schema.get(name, {}), root, made) for name in ("if", "then", "else"))))
        elif keyword in {"properties", "additionalProperties", "items"}:
            checks.append(_below(keyword, value, schema, root, made))
        elif keyword in _LEAVES:
            checks.append(_LEAVES[keyword](value))
        else:
            raise NotImplementedError(f"keyword {keyword}")
    return checks[0] if len(checks) == 1 else _all(checks)


def _referred(name: str, root: Mapping[str, Any], made: dict[str, Check]) -> Check:
    if name not in made:
        *_, key = name.split("/")
        made[name] = _compiled(root["$defs"][key], root, made)
    return made[name]


def _below(
    keyword: str, value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], made: dict[str, Check]
) -> Check:
    if keyword == "properties":
        known = {name: _compiled(inner, root, made) for name, inner in value.items()}
        return lambda found: (
            type(found) is not dict or all(check(found[name]) for name, check in known.items() if name in found)
        )
    inner = _compiled(value, root, made)
    if keyword == "items":
        return lambda found: type(found) is not list or all(map(inner, found))
    named = frozenset(schema.get("properties", ()))
    return lambda found: type(found) is not dict or all(inner(found[name]) for name in found if name not in named)


def _all(checks: list[Check]) -> Check:
    def check(found: Any) -> bool:
        for each in checks:  # noqa: SIM110 - a generator in between would take twice as long
            if not each(found):
                return False
        return True

    return check


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

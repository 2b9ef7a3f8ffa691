"""Turns what a JSON Schema validator finds into places, and into words for what was expected there and found."""

from __future__ import annotations

import difflib
import json
from itertools import chain
from typing import TYPE_CHECKING, Any

from tapemeter.schemas import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_WIDEST = 80
"""Characters of what was found."""
_LONGEST_NUMBER = 64
"""Bits of a whole number that is still shown."""
_NOTHING = "nothing"

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}

Path = tuple[str | int, ...]


def explain(errors: Iterable[Any], document: Any, schema: dict[str, Any]) -> list[Problem]:
    """Return the problems that a validator's errors come to, in the order of the document, each once."""
    words = _Words(schema)
    found = dict.fromkeys(chain.from_iterable(_problems(error, words) for error in errors))
    order = _Order(document) if len(found) > 1 else None
    return sorted(found, key=lambda problem: order[problem.path]) if order is not None else list(found)


def shown(value: Any) -> str:
    """Return a value as a message shows it: short, and of a container only what it is."""
    match value:
        case None | bool():
            text = json.dumps(value)
        case str():
            text = json.dumps(value[:_WIDEST], ensure_ascii=False)
            if len(value) > _WIDEST or len(text) > _WIDEST:
                text = text[: _WIDEST - 2] + '…"'
        case int() if value.bit_length() > _LONGEST_NUMBER:
            text = f"a whole number of {value.bit_length()} bits"
        case int() | float():
            text = repr(value)
        case dict() | list():
            text = _contents(value)
        case _:
            text = f"a Python {type(value).__name__}"
    return text


def _contents(value: dict[str, Any] | list[Any]) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "[]"
    return f"a mapping of {len(value)} key{'s' if len(value) > 1 else ''}" if value else "{}"


def nearest(name: object, known: Iterable[str]) -> str:
    """Return a question for a name that may be a slip of the pen, ` (did you mean "calls"?)`, else nothing."""
    close = difflib.get_close_matches(str(name)[:_WIDEST], list(known), n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


class _Words:
    """Says what a schema wants."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def expected(self, schema: Any) -> str:
        """Return what a subschema asks for, as one phrase."""
        schema = self._resolved(schema)
        if not isinstance(schema, dict):
            return _NOTHING if schema is False else "anything"
        if "x-expected" in schema:
            return str(schema["x-expected"])
        if "const" in schema:
            return shown(schema["const"])
        if "enum" in schema:
            return _either(map(shown, schema["enum"]), "one of ")
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return _either(self.expected(branch) for branch in schema[keyword])
        types = schema.get("type", [])
        named = [types] if isinstance(types, str) else types
        phrases = [_TYPES[name] + _bounds(name, schema) for name in named]
        return _either(phrases) if phrases else "another value"

    def _resolved(self, schema: Any) -> Any:
        for _ in range(10):  # a reference to a reference, but none in a circle
            if not isinstance(schema, dict) or "x-expected" in schema or "$ref" not in schema:
                break
            found: Any = self._root
            for part in str(schema["$ref"]).removeprefix("#/").split("/"):
                found = found.get(part, {}) if isinstance(found, dict) else {}
            schema = found
        return schema


def _bounds(kind: str, schema: Mapping[str, Any]) -> str:
    """Return what a schema says beyond the type: `, 0 or more`."""
    said = []
    match kind:
        case "integer" | "number":
            said += [f"above {schema['exclusiveMinimum']}"] if "exclusiveMinimum" in schema else []
            said += [f"{schema['minimum']} or more"] if "minimum" in schema else []
            said += [f"below {schema['exclusiveMaximum']}"] if "exclusiveMaximum" in schema else []
            said += [f"at most {schema['maximum']}"] if "maximum" in schema else []
        case "string":
            least, most, pattern = (schema.get(name) for name in ("minLength", "maxLength", "pattern"))
            said += ["not empty"] if least == 1 else [f"{least} characters or more"] if least else []
            said += [f"at most {most} characters"] if most is not None else []
            said += [f"of the form {pattern}"] if pattern is not None else []
        case "array" | "object":
            size = "Items" if kind == "array" else "Properties"
            least, most = schema.get(f"min{size}"), schema.get(f"max{size}")
            said += [f"of {least} or more"] if least else []
            said += [f"of at most {most}"] if most is not None else []
            said += ["without repetitions"] if kind == "array" and schema.get("uniqueItems") else []
    return "".join(f", {each}" for each in said)


def _either(phrases: Iterable[str], before: str = "") -> str:
    unique = list(dict.fromkeys(phrases))
    if len(unique) == 1:
        return unique[0]
    return f"{before}{', '.join(unique)}" if before else ", or ".join(unique)


def _problems(error: Any, words: _Words) -> Iterator[Problem]:
    path: Path = tuple(error.absolute_path)
    match error.validator:
        case "required":
            for name in error.validator_value:
                if name not in error.instance:
                    wanted = error.schema.get("properties", {}).get(name, {})
                    yield Problem((*path, name), words.expected(wanted), _NOTHING)
        case "additionalProperties" | "unevaluatedProperties" if error.validator_value is False:
            yield from _unknown(error, path)
        case _ if "propertyNames" in error.relative_schema_path and not isinstance(error.instance, dict):
            yield Problem((*path, error.instance), f"as a key {words.expected(error.schema)}", shown(error.instance))
        case "anyOf" | "oneOf" if error.context:
            yield from _branches(error, path, words)
        case _:
            yield Problem(path, words.expected(error.schema), shown(error.instance))


def _unknown(error: Any, path: Path) -> Iterator[Problem]:
    known = list(error.schema.get("properties", {}))
    for name in error.instance:
        if name not in known:
            wanted = f"no other field than {', '.join(known)}" if known else "no field here"
            yield Problem((*path, name), wanted, f"the field {shown(name)}{nearest(name, known)}")


def _branches(error: Any, path: Path, words: _Words) -> Iterator[Problem]:
    """Explain a value that fits none of several forms by the one that it seems to be meant for."""
    branches: dict[Any, list[Any]] = {}
    for inner in error.context:
        branches.setdefault(next(iter(inner.schema_path), None), []).append(inner)
    near = [inner for inner in branches.values() if not any(map(_is_of_another_kind, inner))]
    if len(near) == 1:
        for inner in near[0]:
            yield from _problems(inner, words)
        return
    marks = [mark for inner in branches.values() for mark in inner if mark.validator == "const" and mark.relative_path]
    if not near and marks and len({tuple(mark.relative_path) for mark in marks}) == 1:
        wanted = _either((shown(mark.validator_value) for mark in marks), "one of ")
        yield Problem(tuple(marks[0].absolute_path), wanted, shown(marks[0].instance))
        return
    yield Problem(path, words.expected(error.schema), shown(error.instance))


def _is_of_another_kind(error: Any) -> bool:
    """Whether an error shows that a form is not the one meant: another type of value, or another mark in it."""
    if error.validator in {"const", None}:  # None: the form is `false`, which nothing has
        return True
    return error.validator == "type" and not error.relative_path


class _Order:
    """Where each place of a document stands in it; what is missing comes at the end of what it is missing in."""

    def __init__(self, document: Any) -> None:
        self._places: dict[Path, dict[str, int]] = {}
        self._document = document

    def __getitem__(self, path: Path) -> tuple[int, ...]:
        value, places = self._document, []
        for depth, part in enumerate(path):
            if isinstance(value, list) and isinstance(part, int):
                places.append(part)
                value = value[part]
            elif isinstance(value, dict) and part in value:
                places.append(self._keys(path[:depth], value)[str(part)])
                value = value[part]
            else:
                places.append(len(value) if isinstance(value, dict) else 0)
                break
        return tuple(places)

    def _keys(self, path: Path, value: dict[str, Any]) -> dict[str, int]:
        if path not in self._places:
            self._places[path] = {key: place for place, key in enumerate(value)}
        return self._places[path]

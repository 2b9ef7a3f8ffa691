"""The types by which msgspec reads and checks one kind of document at once, made from the shipped schema itself.

It is many times as fast as parsing a document and checking it after that, and worth its import where there are very
many. What it takes, the schema takes; what it does not take may be fine all the same: a field that the schema does not
know, half of a surrogate pair. Of the schema it knows the few keywords that are used there; another one is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import msgspec

from tapemeter.schemas import attribute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WORDS = frozenset({"$schema", "$id", "$defs", "title", "description", "x-expected"})
_OF_KINDS = frozenset({"if", "then", "else", "type", "properties", "required"})
_ALLOWED: Mapping[str, frozenset[str]] = {
    "string": frozenset({"pattern"}),
    "integer": frozenset({"minimum"}),
    "number": frozenset({"minimum"}),
    "boolean": frozenset(),
    "null": frozenset(),
    "array": frozenset({"items"}),
    "object": frozenset({"additionalProperties"}),
}
"""The keywords that are known beside each type."""


def reader(
    schema: Mapping[str, Any], mark: str, kind: str, *, proven: frozenset[str] = frozenset()
) -> Callable[[bytes], Any]:
    """Return a function that reads a document of the kind for which the field `mark` says `kind`.

    It returns an object that has each field of the schema as an attribute, None for one that is absent; and None for
    what is not exactly of that kind. Of fields whose patterns are `proven` by who asks, only the type is checked.
    NotImplementedError for a keyword that is not known here.
    """
    special = _of_kind(schema, mark, kind)
    _only(schema, _OF_KINDS)
    _only(special, _OF_KINDS)
    known = {**schema["properties"], **special["properties"], mark: {"const": kind}}
    known |= {name: {key: known[name][key] for key in known[name] if key != "pattern"} for name in proven}
    needed = {*schema["required"], *special["required"]}
    fields = [
        (attribute(name), _type(inner, schema), *(() if name in needed else (None,))) for name, inner in known.items()
    ]
    made = msgspec.defstruct(
        kind,
        fields,
        rename={attribute(name): name for name in known},
        kw_only=True,
        forbid_unknown_fields=True,
        gc=False,  # it holds no more than a line says, and no circle
    )
    decode = msgspec.json.Decoder(made).decode

    def read(document: bytes) -> Any:
        try:
            return decode(document)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None

    return read


def _of_kind(schema: Mapping[str, Any], mark: str, kind: str) -> Mapping[str, Any]:
    """Return what a schema says besides of the documents of one kind, by its `if`, `then` and `else`."""
    branch = schema
    while "if" in branch:
        if branch["if"] == {"properties": {mark: {"const": kind}}}:
            return _referred(branch["then"], schema)
        branch = branch.get("else", {})
    raise NotImplementedError(f"kind {kind}")


def _referred(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        _only(schema, frozenset({"$ref"}))
        *_, key = schema["$ref"].split("/")
        schema = root["$defs"][key]
    return schema


def _type(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    schema = _referred(schema, root)
    if "const" in schema or "enum" in schema:
        _only(schema, frozenset({"const", "enum"}))
        return Literal[tuple(schema.get("enum", [schema.get("const")]))]
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    _only(schema, frozenset({"type"}).union(*(_ALLOWED[name] for name in types)))
    return Union[tuple(made for name in types for made in _types(name, schema, root))]  # noqa: UP007 - of a list


def _types(name: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[Any]:
    match name:
        case "string":
            return [Annotated[str, msgspec.Meta(pattern=schema["pattern"])] if "pattern" in schema else str]
        case "integer":
            return [_bounded(int, schema)]
        case "number":
            # A whole number stays one, so that it is written as one again.
            return [_bounded(float, schema), _bounded(int, schema)]
        case "array":
            return [list[_type(schema["items"], root)]]  # type: ignore[misc]
        case "object":
            return [dict[str, _type(schema["additionalProperties"], root)]]  # type: ignore[misc]
        case _:
            return [{"boolean": bool, "null": None}[name]]


def _bounded(number: type, schema: Mapping[str, Any]) -> Any:
    return Annotated[number, msgspec.Meta(ge=schema["minimum"])] if "minimum" in schema else number


def _only(schema: Mapping[str, Any], allowed: frozenset[str]) -> None:
    for keyword in schema.keys() - _WORDS - allowed:
        raise NotImplementedError(f"keyword {keyword}")

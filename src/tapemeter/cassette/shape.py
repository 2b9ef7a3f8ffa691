"""The shape of an answer: which places it has, and of which kind the value at each is. Never what is said.

Elements of a list share their places, and so do the events of a stream, each under the name of its type. Below what a
model or a program fills in as it likes, such as the arguments of a tool, there are no places: their names would be
what was said.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tapemeter.cassette import paths
from tapemeter.providers.framing import framer
from tapemeter.providers.wires import named
from tapemeter.values import Mutable, field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.model import Response

LARGEST = 16 * 1024 * 1024
"""Bytes of a body up to which its shape is read."""
_MOST_PLACES, _DEEPEST = 2000, 40
_FREE = frozenset({"args", "arguments", "input", "metadata", "parameters", "top_logprobs"})
"""Fields whose own fields are anybody's choice."""
_ECHOED = frozenset({"tools", "tool_choice"})
"""Fields that repeat the request."""
_CALLS = frozenset({"tool_use", "server_tool_use", "function_call", "custom_tool_call", "mcp_call"})
_HOLDERS = frozenset({"function", "functionCall", "toolUse"})
"""Objects that are a call of the tool that they name."""
_WORD = re.compile(r"[A-Za-z_][\w.\-]{0,63}", re.ASCII)
_EMBEDDINGS = "embeddings"

Steps = tuple[paths.Step, ...]


class Shape(Mutable):
    """The kinds of value at each place, the tools that are called, and the lists of which no element was seen."""

    kinds: dict[str, set[str]] = field(default_factory=dict)
    tools: set[str] = field(default_factory=set)
    empty: set[str] = field(default_factory=set)

    def has_seen(self, path: str) -> bool:
        """Return whether a place could have been seen: of an empty list it is not known what its elements have."""
        return not any(path.startswith(f"{each}[") for each in self.empty if f"{each}[*]" not in self.kinds)


def shape(response: Response, *, protocol: str, operation: str) -> Shape | None:
    """Return the shape of an answer of some wire protocol; None for one that is no JSON, or too large to be read."""
    body = response.body
    if not body or len(body) > LARGEST:
        return None
    found = Shape()
    sizes = operation == _EMBEDDINGS
    try:
        values = list(_values(response, body, protocol))
    except (ValueError, RecursionError):
        return None
    for steps, value in values:
        _walk(value, steps, found, sizes=sizes)
    return found if found.kinds else None


def _values(response: Response, body: bytes, protocol: str) -> Iterator[tuple[Steps, Any]]:
    """Yield the JSON values that an answer is made of, with the place of each."""
    takes = framer(response.content_type, body.lstrip()[:1], named(protocol))
    if takes is None:
        yield (), json.loads(body)
        return
    for item in takes.feed(body):
        value = item
        if isinstance(item, bytes):
            value = json.loads(item) if item[:1] == b"{" else None
        if isinstance(value, dict):
            name = value.get("type")
            yield ((name,) if isinstance(name, str) and _WORD.fullmatch(name) else ()), value


def _walk(value: Any, steps: Steps, found: Shape, *, sizes: bool) -> None:
    """Take in a value and all below it."""
    path = paths.generalised(steps)
    if path not in found.kinds and len(found.kinds) >= _MOST_PLACES:
        return
    found.kinds.setdefault(path, set()).add(_kind(value, steps, sizes=sizes))
    if len(steps) > _DEEPEST:
        return
    if isinstance(value, dict):
        _note_call(value, steps, found)
        _walk_fields(value, steps, found, sizes=sizes)
    elif isinstance(value, list):
        if not value:
            found.empty.add(path)
        elif isinstance(value[0], int | float):
            found.kinds.setdefault(f"{path}[*]", set()).add("number")
        else:
            for each in value:
                _walk(each, (*steps, 0), found, sizes=sizes)


def _walk_fields(value: dict[str, Any], steps: Steps, found: Shape, *, sizes: bool) -> None:
    for name, inner in value.items():
        below = (*steps, name)
        if name in _FREE:
            found.kinds.setdefault(paths.generalised(below), set()).add(_kind(inner, below, sizes=False))
        elif name not in _ECHOED and _WORD.fullmatch(name):
            _walk(inner, below, found, sizes=sizes)


def _kind(value: Any, steps: Steps, *, sizes: bool) -> str:
    """Return the kind of a value; of an embedding with its size, since another size does not fit what was stored."""
    sized = sizes and any("embedding" in str(step) for step in steps)
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return f"string of {len(value)}" if sized else "string"
        case list():
            return f"array of {len(value)}" if sized and value and isinstance(value[0], int | float) else "array"
    return "object"


def _note_call(value: dict[str, Any], steps: Steps, found: Shape) -> None:
    name = value.get("name")
    is_call = value.get("type") in _CALLS or (bool(steps) and steps[-1] in _HOLDERS)
    if is_call and isinstance(name, str) and name:
        found.tools.add(name[:64])

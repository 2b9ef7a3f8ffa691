"""Reads a request as a conversation: who said what, which tools were offered, which model was asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tapemeter import providers
from tapemeter.cassette.conversation.parts import Object, Turn, listed, mapping, mappings, parsed, string, text
from tapemeter.cassette.conversation.parts import turn as turn_of
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.model import Request

_MODEL_IN_PATH = re.compile(r"/models?/([^/:?#]+)[/:]")
INSTRUCTIONS = ("system", "instructions", "systemInstruction", "system_instruction", "preamble")
"""Where protocols keep what holds for the whole conversation."""
SAID = (
    "messages",
    "contents",
    "input",
    "prompt",
    "inputs",
    "inputText",
    "texts",
    "content",
    "requests",
    "instances",
    "message",
)
"""Where protocols keep what is said, in the order in which they are looked for."""
_BESIDES = ("texts", "inputs", "suffix", "query", "documents", "document")
"""What stands beside that."""
_DECLARED = ("functionDeclarations", "function_declarations")


class Asked(Value):
    """A request: no turns where it is of no known shape, no model where it names none."""

    model: str | None
    tools: tuple[str, ...]
    turns: tuple[Turn, ...]


def asked(request: Request) -> Asked:
    """Return what a request says."""
    body = question(request)
    try:
        turns = tuple(_turns(mapping(body)))
    except RecursionError:  # lists in lists in lists; nobody said that
        turns = ()
    return Asked(_model(request, mapping(body)), tuple(_tools(mapping(body))), turns)


def question(request: Request) -> Any:
    """Return the JSON value of a request, or the fields of a form with files; None where it is neither."""
    if request.content_type == "multipart/form-data":
        from tapemeter.providers.forms import read_form  # noqa: PLC0415 - for recordings of images and sound

        return read_form(request.headers, request.body)
    return parsed(request.body)


def _turns(body: Object) -> Iterator[Turn]:
    for role in INSTRUCTIONS:
        if body.get(role):
            said = body[role]
            yield Turn(role, text(said["parts"]) if isinstance(said, dict) and "parts" in said else text(said))
    where = next((name for name in SAID if body.get(name)), None)
    found = [] if where is None else body[where]
    for item in found if isinstance(found, list) else [found]:
        yield from _items(item)
    for name in _BESIDES:
        for given in () if name == where else listed(body.get(name)) or [body.get(name)]:
            if given:
                yield Turn(name, string(given) or text(mapping(given).get("content")) or text(given))
    for name in ("file", "image", "mask"):
        for given in listed(body.get(name)) or [body.get(name)]:
            if isinstance(given, dict) and "bytes" in given:
                yield Turn(name, f"[{given['bytes']} bytes]")


def _items(item: Any) -> Iterator[Turn]:
    """Yield what is said in one item: a message, a text, what is to be embedded, or a request in a request."""
    inner = mapping(item)
    for name in ("params", "converse", "generateContentRequest"):
        if isinstance(inner.get(name), dict):
            yield from _turns(inner[name])
            return
    if isinstance(item, list) and any(isinstance(each, dict) for each in item):
        for each in item:
            yield from _items(each)
    elif isinstance(item, list) and item and all(isinstance(number, int) for number in item):
        yield Turn("user", f"[{len(item)} tokens]")
    elif "parts" in mapping(inner.get("content")) and "role" not in inner:
        yield turn_of({"role": "user", "parts": inner["content"]["parts"]}, "user")
    else:
        yield turn_of(item, "user")


def _tools(body: Object) -> Iterator[str]:
    for given in (*mappings(body.get("tools")), *mappings(mapping(body.get("toolConfig")).get("tools"))):
        declared = [each for name in _DECLARED for each in mappings(given.get(name))]
        if declared:
            yield from (string(each.get("name")) or "?" for each in declared)
        elif "cachePoint" not in given:
            yield _tool(given)
    yield from (string(given.get("name")) or "?" for given in mappings(body.get("functions")))


def _tool(tool: Object) -> str:
    """Return the name of a tool; of one that the provider defines, its kind."""
    for name in ("function", "toolSpec", "systemTool", "custom"):
        if called := string(mapping(tool.get(name)).get("name")):
            return called
    called = string(tool.get("name")) or string(tool.get("server_label")) or string(tool.get("type"))
    return called or next(iter(tool), "?")


def _model(request: Request, body: Object) -> str | None:
    """Return the model that a request names, as its protocol does, else where most do."""
    try:
        found = providers.ask(request)
    except ValueError:  # a URL that cannot be read
        found = None
    if found is not None and found.model is not None:
        return found.model
    in_path = _MODEL_IN_PATH.search(request.url.partition("?")[0])
    return string(body.get("model")) or (unquote(in_path[1]) if in_path else None)

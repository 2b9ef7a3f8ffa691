"""The JSON value of a response: as it stands, or folded into one where it came as a stream of any kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tapemeter.cassette.conversation import fold_openai, fold_others
from tapemeter.cassette.conversation.parts import Object, parsed, string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tapemeter.model import Response

_EVENTS = "text/event-stream"
_FRAMES = "application/vnd.amazon.eventstream"
_LINE_END = re.compile("\r\n|\r|\n")

_CONVERSE = frozenset({"messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata"})
_COHERE = frozenset({"message-start", "content-delta", "tool-plan-delta", "tool-call-start", "message-end"})


def answer(response: Response) -> Any:
    """Return the JSON value of a response, a stream folded into one; None where it is neither.

    A list stays one, unless it is a stream of a protocol that streams in lists.
    """
    body, media = response.body, response.content_type
    start = body.lstrip()[:1]
    framed = media in {_EVENTS, _FRAMES} or start == b"\x00"
    if not framed:
        whole = parsed(body)
        if whole is not None:
            return (fold(whole) or whole) if isinstance(whole, list) else whole
    return fold(_pieces(body, media, start))


def _pieces(body: bytes, media: str, start: bytes) -> Iterator[Any]:
    """Yield the values that a stream is made of."""
    if media == _FRAMES or start == b"\x00":
        from tapemeter.providers.eventstream import Frames  # noqa: PLC0415 - for recordings of Bedrock

        yield from Frames().feed(body)
    elif media != _EVENTS and start in {b"{", b"["}:
        from tapemeter.providers.documents import Documents  # noqa: PLC0415 - for recordings of Gemini and Ollama

        yield from map(parsed, Documents().feed(body))
    else:
        yield from map(parsed, events(body))


def events(body: bytes) -> list[str]:
    """Return the data of each server-sent event; the last one of a stream that was cut counts, too."""
    found: list[str] = []
    data: list[str] = []
    for line in [*_LINE_END.split(body.decode(errors="replace").removeprefix("\ufeff")), ""]:
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            found.append("\n".join(data))
            data = []
    return found


def fold(values: Iterable[Any]) -> Object | None:
    """Return the body that the parsed pieces of a stream make together; None for pieces of no known protocol."""
    known = [value for value in values if isinstance(value, dict)]
    failed = next((event for event in known if isinstance(event.get("error"), dict)), None)
    if failed is not None:
        return failed
    for has, folds in _FOLDS.items():
        if any(map(has, known)):
            return folds(known)
    return None


def _starts(*starts: str) -> Callable[[Object], bool]:
    return lambda event: string(event.get("type")).startswith(starts)


def _holds(name: str, kind: type) -> Callable[[Object], bool]:
    return lambda event: isinstance(event.get(name), kind)


_FOLDS: Mapping[Callable[[Object], bool], Callable[[list[Object]], Object]] = {
    _holds("choices", list): fold_openai.chat,
    _starts("response."): fold_openai.responses,
    _starts("message_", "content_block_"): fold_openai.messages,
    _starts("transcript.", "transcription."): fold_openai.transcription,
    _holds("candidates", list): fold_others.gemini,
    lambda event: not _CONVERSE.isdisjoint(event): fold_others.converse,
    lambda event: string(event.get("type")) in _COHERE: fold_others.cohere,
    lambda event: "done" in event and isinstance(event.get("message"), dict): fold_others.ollama_chat,
    lambda event: "done" in event and isinstance(event.get("response"), str): (
        lambda known: fold_others.pieces_of(known, "response")
    ),
    _holds("token", dict): fold_others.huggingface,
    _holds("outputs", list): fold_others.outputs,
    _holds("outputText", str): lambda known: fold_others.pieces_of(known, "outputText"),
    _holds("generation", str): lambda known: fold_others.pieces_of(known, "generation"),
}
"""What tells the pieces of a protocol from those of others, and what folds them; the first that fits is taken."""

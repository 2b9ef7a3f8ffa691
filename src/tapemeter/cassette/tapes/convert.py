"""Makes a cassette of a tape: the text of the file, and what of the tape is in it and what is not.

`prove` then plays every recorded request to the new file as a client would send it, and compares the answers.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette import volatile
from tapemeter.cassette.cassette import Cassette
from tapemeter.cassette.match import Matcher
from tapemeter.cassette.mode import Mode
from tapemeter.cassette.tapes import ours
from tapemeter.cassette.tapes.conversion import UNKNOWN_TIME, decoded, flat, interaction_of
from tapemeter.errors import CassetteError, CassetteFormatError
from tapemeter.model import Chunk, Request, Response
from tapemeter.values import Value, replace

if TYPE_CHECKING:
    from pathlib import Path

    from tapemeter.cassette.model import Interaction
    from tapemeter.cassette.tapes.model import Tape, TapeInteraction
    from tapemeter.redact import Redactor

_SCHEMES = frozenset({"http", "https"})


class Converted(Value):
    """What becomes of a tape: `text` is the cassette, `kept` and `lost` say what is in it and what is not."""

    text: str
    kept: tuple[str, ...]
    lost: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Converted(kept={self.kept!r}, lost={self.lost!r})"


def convert(tape: Tape, redactor: Redactor, name: str) -> Converted:
    """Return the cassette of a tape, without secrets.

    CassetteFormatError for an interaction that no cassette can hold; `name` is the tape's, for its message.
    """
    kept: list[Interaction] = []
    counts: Counter[str] = Counter()
    for number, each in enumerate(tape.interactions, 1):
        made = interaction_of(each)
        safe = _redacted(made, each, redactor)
        try:
            kept.append(replace(safe, key=Matcher().stored_key(safe.request)))
        except (ValueError, RecursionError):
            problem = f"interaction {number}: its URL cannot be read; mend it, or record it again"
            raise CassetteFormatError(problem, path=name) from None
        _count(counts, each, made, safe)
    try:
        text = cassette_format.dump(kept)
    except ValueError as error:
        raise CassetteFormatError(f"a cassette cannot hold it: {error}; record it again", path=name) from None
    return Converted(text, *_told(tape, counts))


def prove(tape: Tape, path: Path, redactor: Redactor) -> tuple[str, ...]:
    """Return what is wrong with the cassette at `path`, made of the tape; nothing where it answers alike.

    Each request is sent as it was recorded, in order, and has to be answered by the recorded status and decoded body,
    both without the secrets that a cassette never holds.
    """
    cassette = Cassette(path, Matcher(), mode=Mode.REPLAY)
    faults: list[str] = []
    try:
        for number, each in enumerate(tape.interactions, 1):
            fault = _fault(each, cassette, redactor)
            if fault:
                faults.append(f"interaction {number}: {fault}")
        if cassette.unplayed:
            faults.append(f"{len(cassette.unplayed)} interactions that are not on the tape")
    except CassetteError as error:
        faults.append(str(error))
    return tuple(faults)


def _fault(each: TapeInteraction, cassette: Cassette, redactor: Redactor) -> str | None:
    """Return what differs when a recorded request is sent once more, None where nothing does."""
    sent = Request(each.request.method, each.request.uri, flat(each.request.headers), each.request.body or b"")
    asked = redactor.request(sent.with_headers(volatile.of_request(sent.headers)))
    recording = cassette.play(cassette.matcher.key(asked))
    if recording is None:
        return "its request finds no answer"
    answer = recording.interaction.response
    if answer.status != each.response.status:
        return f"answered with the status {answer.status} in place of {each.response.status}"
    whole = Response(each.response.status, chunks=(Chunk(0.0, decoded(each.response)[0]),))
    if answer.body != redactor.response(whole, redactor.secrets_of(sent)).body:
        return "answered with another body"
    return None


def _redacted(made: Interaction, each: TapeInteraction, redactor: Redactor) -> Interaction:
    """Return an interaction without secrets, those of request headers that are not kept included."""
    sent = made.request.with_headers(flat(each.request.headers))
    return replace(
        made,
        request=redactor.request(made.request),
        response=redactor.response(made.response, redactor.secrets_of(sent)),
    )


def _count(counts: Counter[str], each: TapeInteraction, made: Interaction, safe: Interaction) -> None:
    response = each.response
    streamed = made.response.is_stream
    url = urlsplit(made.request.url)
    counts["stream"] += streamed
    counts["decoded"] += made.response.decoded_from is not None
    counts["timed"] += response.timing is not None
    counts["undated"] += made.recorded == UNKNOWN_TIME
    counts["secret"] += safe.request != made.request or safe.response != made.response
    counts["phrase"] += bool(response.message) and response.message != ours.phrase(response.status)
    counts["nowhere"] += url.scheme not in _SCHEMES or not url.netloc
    counts["headers"] += len(flat(each.request.headers)) + len(flat(response.headers))
    counts["kept headers"] += len(made.request.headers) + len(made.response.headers)


def _told(tape: Tape, counts: Counter[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what was kept and what could not be, in sentences."""
    number = len(tape.interactions)
    dropped = counts["headers"] - counts["kept headers"]
    kept = {
        "methods, URLs, statuses and bodies": number,
        f"{counts['kept headers']} of {counts['headers']} headers": counts["kept headers"],
        f"when it was recorded ({number - counts['undated']} of {number})": number - counts["undated"],
        "how long answers took": counts["timed"],
    }
    lost = {
        **dict.fromkeys(tape.notes, 1),
        f"bodies as they were compressed ({counts['decoded']} of {number}): they are kept decoded": counts["decoded"],
        f"headers that say nothing about the call ({dropped})": dropped,
        f"where the chunks of streams ended ({counts['stream']} of {number})": counts["stream"],
        "how long answers took: they come at once": number - counts["timed"],
        f"when it was recorded ({counts['undated']} of {number}): nothing tells": counts["undated"],
        f"reason phrases other than the usual ({counts['phrase']} of {number})": counts["phrase"],
        f"secrets, which are hidden ({counts['secret']} of {number})": counts["secret"],
        "what VCR.py's get_metadata kept": len(tape.metadata),
        f"URLs that name no host, for which no call will ask ({counts['nowhere']} of {number})": counts["nowhere"],
    }
    return _said(kept), _said(lost)


def _said(sentences: dict[str, int]) -> tuple[str, ...]:
    return tuple(sentence for sentence, times in sentences.items() if times > 0)

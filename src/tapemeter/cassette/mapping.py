"""Turns an interaction into the plain mapping that stands in a file, and back, checking every field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from tapemeter.cassette.body import BODY_FIELDS, decode_body, encode_body, encode_text
from tapemeter.cassette.model import Interaction, Reply
from tapemeter.errors import CassetteFormatError
from tapemeter.model import Chunk, Ending, Headers, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tapemeter.yaml_reader import Place

_DECIMALS = 6
"""Times are kept to the microsecond."""
_RECORDED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_LONGEST = 1e9
_STATUS = range(100, 1000)
_MOST_RETRIES = 100
_SHOWN = 80
"""Characters of a wrong value that a message shows."""

_T = TypeVar("_T")


def to_mapping(interaction: Interaction) -> dict[str, Any]:
    """Return the fields of an interaction in the order of the file; what has its default is left out."""
    request, response = interaction.request, interaction.response
    return {
        "key": interaction.key,
        "recorded": interaction.recorded,
        **({"issued": _seconds(interaction.issued)} if interaction.issued is not None else {}),
        **({"retried": list(interaction.retried)} if interaction.retried else {}),
        "request": {
            "method": request.method,
            "url": request.url,
            **_headers_to_fields(request.headers),
            **encode_body(request.body),
        },
        "response": {
            "status": response.status,
            **_headers_to_fields(response.headers),
            **({"decoded_from": response.decoded_from} if response.decoded_from is not None else {}),
            "first_byte": _seconds(response.first_byte),
            "total": _seconds(response.total),
            **({"ending": response.ending.value} if response.ending is not Ending.COMPLETE else {}),
            **_chunks_to_fields(response),
        },
    }


def from_mapping(value: Any, *, edited: bool, place: Place, lines: dict[Place, int]) -> Interaction:
    """Return the interaction of which `value` is the mapping.

    In an edited file the key is not to be trusted, so it becomes empty, and the sizes of chunks may disagree
    with the body: the last one takes what is left. A missing, unknown or mistyped field is a
    CassetteFormatError with the line that `lines` gives for it; `place` is where `value` stands in them.
    """
    with _Fields(value, place, lines) as fields:
        return Interaction(
            **_origin(fields, edited=edited),
            request=_request(fields.below("request")),
            response=_response(fields.below("response"), edited=edited),
        )


def reply_from_mapping(value: Any) -> Reply:
    """Return the reply of which `value` is the mapping, without a request, as a file has it that nobody has touched."""
    with _Fields(value, (), {}) as fields:
        return Reply(**_origin(fields, edited=False), response=_response(fields.below("response"), edited=False))


def _origin(fields: _Fields, *, edited: bool) -> dict[str, Any]:
    """Return when and under which key something was recorded."""
    key = fields.get("key", _string, "") if edited else fields.take("key", _string)
    recorded = fields.take("recorded", _recorded)
    issued: float | None = fields.get("issued", _time, None)
    retried: tuple[int, ...] = fields.get("retried", _statuses, ())
    return {"key": "" if edited else key, "recorded": recorded, "issued": issued, "retried": retried}


def _request(fields: _Fields) -> Request:
    with fields:
        return Request(
            method=fields.take("method", _string),
            url=fields.take("url", _string),
            headers=fields.get("headers", _headers, ()),
            body=fields.body(),
        )


def _response(fields: _Fields, *, edited: bool) -> Response:
    with fields:
        total = fields.take("total", _time)
        return Response(
            status=fields.take("status", _status),
            headers=fields.get("headers", _headers, ()),
            decoded_from=fields.get("decoded_from", _string, None),
            first_byte=fields.take("first_byte", _time),
            total=total,
            ending=fields.get("ending", _ending, Ending.COMPLETE),
            chunks=_stream(fields) if "stream" in fields else _pieces(fields, total, edited=edited),
        )


def _stream(fields: _Fields) -> tuple[Chunk, ...]:
    chunks = []
    for piece in fields.each("stream"):
        with piece:
            chunks.append(Chunk(at=piece.take("at", _time), data=piece.body()))
    return tuple(chunks)


def _pieces(fields: _Fields, total: float, *, edited: bool) -> tuple[Chunk, ...]:
    """Cut a body into the chunks in which it came; with no word about them it came whole, at the end."""
    body = fields.body()
    if "chunks" not in fields:
        return (Chunk(total, body),) if body else ()
    cuts: list[tuple[float, int]] = []
    for piece in fields.each("chunks"):
        with piece:
            cuts.append((piece.take("at", _time), piece.take("size", _size)))
    size = sum(size for _, size in cuts)
    if size != len(body):
        if not edited:
            fields.fail(f"the sizes make {size} bytes, the body has {len(body)}", "chunks")
        return _recut(body, cuts, total)
    return _cut(body, cuts)


def _recut(body: bytes, cuts: list[tuple[float, int]], total: float) -> tuple[Chunk, ...]:
    """Cut an edited body at the old places as far as it reaches; the last chunk takes what is left."""
    *first, (last, _) = cuts or [(total, 0)]
    before = sum(size for _, size in first)
    return tuple(chunk for chunk in _cut(body, [*first, (last, max(0, len(body) - before))]) if chunk.data)


def _cut(body: bytes, cuts: Sequence[tuple[float, int]]) -> tuple[Chunk, ...]:
    chunks, start = [], 0
    for at, size in cuts:
        chunks.append(Chunk(at, body[start : start + size]))
        start += size
    return tuple(chunks)


def _chunks_to_fields(response: Response) -> dict[str, Any]:
    if response.is_stream:
        return {
            "stream": [
                {"at": _seconds(chunk.at), **(encode_text(chunk.data) if chunk.data else {})}
                for chunk in response.chunks
            ]
        }
    form = encode_body(response.body)
    sizes = [(_seconds(chunk.at), len(chunk.data)) for chunk in response.chunks]
    if not sizes or (form and sizes == [(_seconds(response.total), len(response.body))]):
        return form
    return {"chunks": [{"at": at, "size": size} for at, size in sizes], **form}


def _headers_to_fields(headers: Headers) -> dict[str, Any]:
    """Return `{"headers": …}`: name to value, or to a list of values where a header repeats.

    Where others stand between its repetitions, or a name is too long for a key, pairs of name and value.
    """
    from tapemeter.cassette.yaml_writer import MAX_KEY  # noqa: PLC0415 - what is only played is not written

    if not headers:
        return {}
    grouped: dict[str, list[str]] = {}
    for name, value in headers:
        grouped.setdefault(name, []).append(value)
    if tuple((name, value) for name, values in grouped.items() for value in values) != headers or any(
        len(name) > MAX_KEY for name in grouped
    ):
        return {"headers": [[name, value] for name, value in headers]}
    return {"headers": {name: values if len(values) > 1 else values[0] for name, values in grouped.items()}}


def _seconds(value: float) -> float:
    return round(float(value), _DECIMALS)


class _Fields:
    """The fields of one mapping, each taken once; one that is left when its `with` ends is a fault."""

    def __init__(self, value: Any, place: Place, lines: dict[Place, int]) -> None:
        self._place, self._lines = place, lines
        if not isinstance(value, dict):
            self.fail(f"expected a mapping, got {_shown(value)}")
        self._left: dict[str, Any] = dict(value)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self._left:
            name = next(iter(self._left))
            self.fail(f"the field {name!r} is not known here", name)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, check: Callable[[Any], _T]) -> _T:
        """Return a field that has to be there; `check` converts it, or raises ValueError(what it wants)."""
        if name not in self._left:
            self.fail(f"the field {name!r} is missing")
        value = self._left.pop(name)
        try:
            return check(value)
        except ValueError as error:
            self.fail(f"expected {name} to be {error}, got {_shown(value)}", name)

    def get(self, name: str, check: Callable[[Any], _T], default: _T) -> _T:
        """Return a field, or `default` where it is not there."""
        return self.take(name, check) if name in self._left else default

    def below(self, name: str) -> _Fields:
        """Return the fields of a mapping in this one."""
        return _Fields(self.take(name, _anything), (*self._place, name), self._lines)

    def each(self, name: str) -> list[_Fields]:
        """Return the fields of every mapping in a list in this one."""
        items = self.take(name, _list)
        return [_Fields(item, (*self._place, name, index), self._lines) for index, item in enumerate(items)]

    def body(self) -> bytes:
        """Return the body of which this mapping has the form, empty where it has none."""
        form = {name: self._left.pop(name) for name in BODY_FIELDS if name in self._left}
        try:
            return decode_body(form)
        except CassetteFormatError as error:
            self.fail(error.problem, *reversed(form))

    def fail(self, problem: str, *names: str) -> NoReturn:
        """Raise the fault at the line of the first of `names`, else of the mapping itself."""
        where = _dotted(self._place)
        place = (*self._place, *names[:1])
        raise CassetteFormatError(f"{where}: {problem}" if where else problem, line=self._lines.get(place))


def _dotted(place: Place) -> str:
    """Return a place within its interaction, such as `response.stream[2]`."""
    start = next((at + 1 for at, step in enumerate(place) if isinstance(step, int)), 0)
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place[start:]).lstrip(".")


def _shown(value: Any) -> str:
    """Return a wrong value for a message; of what holds others only the kind, since one of them may be a secret."""
    if isinstance(value, dict | list):
        return f"a {'mapping' if isinstance(value, dict) else 'list'}"
    text = repr(value)
    return f"{text if len(text) <= _SHOWN else text[:_SHOWN] + '…'} ({type(value).__name__})"


def _anything(value: Any) -> Any:
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else _expected("a list")


def _string(value: Any) -> str:
    return value if isinstance(value, str) else _expected("a string (put it in quotes)")


def _recorded(value: Any) -> str:
    if isinstance(value, str) and _RECORDED.fullmatch(value):
        return value
    return _expected('a time such as "2026-11-21T04:00:00Z"')


def _time(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _LONGEST:
        return float(value)
    return _expected("seconds, not negative")


def _size(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return _expected("a number of bytes")


def _status(value: Any) -> int:
    if isinstance(value, int) and (value in _STATUS or (value == 0 and not isinstance(value, bool))):
        return value
    return _expected("an HTTP status from 100 to 999, or 0 where a budget cut the call before one came")


def _statuses(value: Any) -> tuple[int, ...]:
    if (
        isinstance(value, list)
        and len(value) <= _MOST_RETRIES
        and all(isinstance(one, int) and one in _STATUS for one in value)
    ):
        return tuple(value)
    return _expected(f"a list of at most {_MOST_RETRIES} HTTP statuses")


def _ending(value: Any) -> Ending:
    known = [ending.value for ending in Ending]
    return Ending(value) if value in known else _expected(f"one of {', '.join(known)}")


def _headers(value: Any) -> Headers:
    pairs: list[Any] = []
    if isinstance(value, dict):
        for name, values in value.items():
            pairs += [[name, each] for each in values] if isinstance(values, list) else [[name, values]]
    elif isinstance(value, list):
        pairs = value
    else:
        _expected("a mapping, or a list of pairs")
    headers = []
    for pair in pairs:
        match pair:
            case [str(name), str(content)]:
                headers.append((name.lower(), content))
            case _:
                _expected("names and strings (put numbers and the like in quotes)")
    return tuple(headers)


def _expected(what: str) -> NoReturn:
    raise ValueError(what)

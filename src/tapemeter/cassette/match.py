"""The key of a request: what must be equal for a recording to answer it.

    part      compared as
    method    as it is
    scheme    http or https
    host      lower case
    port      with the scheme's default filled in
    path      as sent
    query     decoded pairs ordered by name, without secrets
    body      JSON by value; forms by fields; multipart by parts without the boundary; other bytes as they are
    header:X  only on demand

Two requests with equal keys are the same question. The request must have been redacted before, so that the key
sees exactly what is written to the file.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tapemeter.cassette import paths
from tapemeter.errors import UsageError
from tapemeter.model import Request, header
from tapemeter.redact import SECRET_QUERY_PARAMETERS
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PARTS = ("method", "scheme", "host", "port", "path", "query", "body")
"""What is compared where `match_on` says nothing."""

_HEADER = "header:"


class Matcher(Value, dict=True):
    """Which parts make the key, and what in them does not count.

    `ignore` are paths into a JSON body (or field names of a form), `secrets` the query parameters that are left
    out, `normalize` a function applied to the request first.
    """

    parts: tuple[str, ...] = PARTS
    ignore: tuple[str, ...] = ()
    secrets: frozenset[str] = SECRET_QUERY_PARAMETERS
    normalize: Callable[[Request], Request] | None = None

    def __post_init__(self) -> None:
        _ = self._ignored  # so that a path that is none is told here

    @cached_property
    def _ignored(self) -> tuple[tuple[paths.Step, ...], ...]:
        return tuple(paths.parse(path) for path in self.ignore)

    @cached_property
    def is_default(self) -> bool:
        """Whether this matcher computes the key that is stored in a file."""
        return (
            self.parts == PARTS
            and not self.ignore
            and self.normalize is None
            and self.secrets == SECRET_QUERY_PARAMETERS
        )

    def stored_key(self, request: Request) -> str:
        """Return the key under which a file keeps the request, whatever this matcher leaves out."""
        return self.key(request) if self.is_default else Matcher().key(request)

    def comparable(self, request: Request) -> Request:
        """Return the request as it is compared: normalised, and without what is ignored in its body."""
        if self.normalize is not None:
            request = self.normalize(request)
        kind, value = readable_body(request)
        if kind != "json" or not self._ignored:
            return request
        for ignored in self._ignored:
            paths.remove(value, ignored)
        return request.with_body(json.dumps(value).encode())

    def key(self, request: Request) -> str:
        """Return the key of a redacted request: 32 hexadecimal digits."""
        if self.normalize is not None:
            request = self.normalize(request)
        scheme, host, port, path, query = _place(request.url)
        lines: list[str] = []
        for part in self.parts:
            match part:
                case "method":
                    lines.append(request.method)
                case "scheme":
                    lines.append(scheme)
                case "host":
                    lines.append(host)
                case "port":
                    lines.append(port)
                case "path":
                    lines.append(path)
                case "query":
                    lines.append(json.dumps(self._query(query)) if query else "[]")
                case "body":
                    lines.append(self._body(request))
                case _:
                    lines.append(header(request.headers, part.removeprefix(_HEADER)) or "")
        return hashlib.sha256("\n".join(lines).encode(errors="surrogatepass")).hexdigest()[:32]

    def _query(self, query: str) -> list[tuple[str, str]]:
        pairs = parse_qsl(query, keep_blank_values=True)
        return sorted((pair for pair in pairs if pair[0].lower() not in self.secrets), key=lambda pair: pair[0])

    def _body(self, request: Request) -> str:
        kind, value = readable_body(request)
        if kind in {"json", "form"}:
            for ignored in self._ignored:
                paths.remove(value, ignored)
        if kind == "bytes":
            return f"bytes {hashlib.sha256(value).hexdigest()}"
        return f"{kind} {_in_order(value)}"


@lru_cache(maxsize=256)
def _place(url: str) -> tuple[str, str, str, str, str]:
    """Return scheme, host, port, path and query of a URL as they are compared; what is secret in a query is in it."""
    parts = urlsplit(url)
    port = Request("", url).port if parts.port is None else parts.port
    return parts.scheme, parts.hostname or "", str(port), parts.path or "/", parts.query


def match_parts(match_on: Sequence[str] | None) -> tuple[str, ...]:
    """Return the parts that make the key under a `match_on` argument.

    Plain names are the whole list; names with a sign change the default (`-host`, `+header:x-tenant`).
    UsageError for an unknown part or a mixture of both.
    """
    if match_on is None:
        return PARTS
    if isinstance(match_on, str):
        raise UsageError(f"match_on takes a list of parts, got the text {match_on!r}; write match_on=[{match_on!r}]")
    if not isinstance(match_on, list | tuple | set | frozenset):
        raise UsageError(f"match_on takes a list of parts, got {match_on!r} ({type(match_on).__name__})")
    names = [str(name) for name in match_on]
    signed = [name for name in names if name[:1] in {"+", "-"}]
    if signed and len(signed) != len(names):
        raise UsageError(
            f"match_on={names!r} mixes a whole list with changes to the default; "
            "write either all parts to compare or only changes such as '-host'"
        )
    plain = [name.lstrip("+-").lower() for name in names]
    for name in plain:
        if name not in PARTS and not (name.startswith(_HEADER) and len(name) > len(_HEADER)):
            raise UsageError(
                f"match_on names the unknown part {name!r}; the parts are {', '.join(PARTS)} and header:NAME"
            )
    if not signed:
        return tuple(dict.fromkeys(plain))
    dropped = {name for sign, name in zip(names, plain, strict=True) if sign[0] == "-"}
    added = [name for sign, name in zip(names, plain, strict=True) if sign[0] == "+"]
    return tuple(dict.fromkeys([*(part for part in PARTS if part not in dropped), *added]))


def readable_body(request: Request) -> tuple[str, Any]:
    """Return what a body means as `(kind, value)`: json, form, multipart, bytes, or `("bytes", b"")` for none."""
    body = request.body
    if not body:
        return "bytes", b""
    kind = request.content_type
    if kind == "application/x-www-form-urlencoded":
        return "form", _form(body)
    if kind.startswith("multipart/"):
        parts = _multipart(header(request.headers, "content-type") or "", body)
        if parts is not None:
            return "multipart", parts
    if body[:1] in b"{[" or kind.endswith("json"):
        try:
            return "json", _decode(body.decode(json.detect_encoding(body), "surrogatepass"))
        except (ValueError, RecursionError):
            return "bytes", body
    return "bytes", body


def _number(text: str) -> float | int | str:
    """Read a JSON number so that its spelling does not matter: 1.0 and 1e0 are 1."""
    value = float(text)
    if not math.isfinite(value):
        return text  # beyond what a float holds; compared as written
    return int(value) if value.is_integer() else value


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_decode = json.JSONDecoder(parse_float=_number, parse_constant=_refuse).decode
_in_order = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _form(body: bytes) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in parse_qsl(body.decode("latin-1"), keep_blank_values=True):
        fields.setdefault(name, []).append(value)
    return fields


_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)


def _multipart(content_type: str, body: bytes) -> list[list[str]] | None:
    """Return each part as its header lines and the digest of its content; None where the body is no multipart."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        return None
    mark = b"--" + found[1].encode()
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):  # noqa: PLR2004 - a preamble and an end at least
        return None
    parts = []
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        lines = sorted(line.strip().decode("latin-1") for line in head.split(b"\r\n") if line.strip())
        parts.append([*lines, hashlib.sha256(content).hexdigest()])
    return parts

"""The recordings of other tools: `read` them, turn them into interactions of ours, write what others read.

Every form is recognised by its content. Nothing in a file is ever executed, and sizes are bounded.
"""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapemeter.cassette.store import MAX_FILE_BYTES
from tapemeter.cassette.tapes import cassetter, har, ours, vcr, yaml_events
from tapemeter.cassette.tapes.conversion import interactions_of
from tapemeter.cassette.tapes.model import RawHeaders, Tape, TapeInteraction, TapeRequest, TapeResponse
from tapemeter.cassette.tapes.vcr_writer import dump_vcr
from tapemeter.errors import CassetteFormatError, CassetteTooLargeError

if TYPE_CHECKING:
    from tapemeter.yaml_reader import Place

__all__ = [
    "RawHeaders",
    "Tape",
    "TapeInteraction",
    "TapeRequest",
    "TapeResponse",
    "dump_vcr",
    "interactions_of",
    "parse",
    "read",
]

_GZIP = b"\x1f\x8b"
_BYTE_ORDER = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_TOML = re.compile(r"(?:\s|#[^\n]*\n)*(?:\[\[?[A-Za-z_.]+\]\]?|[A-Za-z_]+[ \t]*=)")
"""How a TOML document begins: with a table, or with a field."""
_TELLTALE = re.compile(r"interactions|request|entries")
"""What stands in every tape, whatever its form."""
_LONGEST_REASON = 200


def read(path: Path | str) -> Tape:
    """Return the tape in a file; FileNotFoundError where there is none, CassetteError where it is no tape."""
    with Path(path).open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    return parse(data, str(path))


def parse(data: bytes, name: str) -> Tape:
    """Return the tape of which `data` is the content; `name` stands in messages.

    CassetteFormatError, with the line where there is one, says what is wrong and what to do; CassetteTooLargeError
    for what is, or would be when decompressed, larger than a cassette may be.
    """
    zipped = data.startswith(_GZIP)
    if zipped:
        data = _unzipped(data, name)
    if len(data) > MAX_FILE_BYTES:
        raise _too_large(name)
    return _parse_text(_text(data, name), name, ", gzip'd" if zipped else "")


def _parse_text(text: str, name: str, zipped: str) -> Tape:
    """Return the tape that a text is, by the first form that claims it."""
    if ours.claims(text):
        return ours.read(text, name)
    if text.strip() and not _TELLTALE.search(text):
        raise vcr.no_tape(name)
    lines: dict[Place, int] = {}
    tool, document = "YAML", None
    if _TOML.match(text):
        tool, document = "TOML", _toml(text, name)
    elif text.lstrip()[:1] in {"{", "["}:
        tool, document = "JSON", _json(text, name)
    else:
        document = yaml_events.load(text, name, lines)
    if har.claims(document):
        return har.read(document, name, zipped)
    if cassetter.claims(document):
        return cassetter.read(document, name, f"cassetter {tool}{zipped}", lines)
    return vcr.read(document, name, f"VCR.py {tool}{zipped}", lines)


def _toml(text: str, name: str) -> Any:
    import tomllib  # noqa: PLC0415 - only such a tape pays for it

    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        problem = f"this is not TOML: {str(error)[:_LONGEST_REASON]}; restore the file, or record it again"
        raise CassetteFormatError(problem, path=name) from None


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"this is not JSON: {error.msg}; restore the file, or record it again"
        raise CassetteFormatError(problem, path=name, line=error.lineno) from None
    except (RecursionError, ValueError):
        problem = "this JSON is nested too deeply, or has a number that is too long; record it again"
        raise CassetteFormatError(problem, path=name) from None


def _text(data: bytes, name: str) -> str:
    encoding = next((encoding for mark, encoding in _BYTE_ORDER.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = "the file is no UTF-8 text, so no tape of a known form; convert it, or record it again"
        raise CassetteFormatError(problem, path=name, line=line) from None


def _unzipped(data: bytes, name: str) -> bytes:
    """Decompress a file, member after member, never beyond the bound."""
    whole = bytearray()
    while data:
        decoder = zlib.decompressobj(wbits=31)
        try:
            whole += decoder.decompress(data, MAX_FILE_BYTES + 1 - len(whole))
        except zlib.error:
            raise CassetteFormatError(
                "the gzip data is damaged; restore the file, or record it again", path=name
            ) from None
        if len(whole) > MAX_FILE_BYTES:
            raise _too_large(name)
        if not decoder.eof:
            raise CassetteFormatError("the gzip data is cut; restore the file, or record it again", path=name)
        data = decoder.unused_data.lstrip(b"\0")
    return bytes(whole)


def _too_large(name: str) -> CassetteTooLargeError:
    return CassetteTooLargeError(
        f"{name}: larger than {MAX_FILE_BYTES // 1024**2} MiB, the bound of a cassette; split the tape"
    )

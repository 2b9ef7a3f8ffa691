"""Turns a body into its most readable form, and that form back into the same bytes.

    json      the value, where the bytes are an object or array in a usual way of writing JSON
              (`json_style` says which, where it is not the compact one of most SDKs)
    text      where the bytes are UTF-8 that can be read
    base64    everything else

An empty body has no form at all.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any

from tapemeter.errors import CassetteFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

BODY_FIELDS = ("json", "json_style", "text", "base64")
"""The fields that together are the form of a body."""


_DEFAULT = "compact"
_STYLES = {
    _DEFAULT: json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode,
    "compact-ascii": json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode,
    "spaced": json.JSONEncoder(separators=(", ", ": "), ensure_ascii=False).encode,
    "spaced-ascii": json.JSONEncoder(separators=(", ", ": "), ensure_ascii=True).encode,
    "indent-2": json.JSONEncoder(separators=(",", ": "), ensure_ascii=False, indent=2).encode,
    "indent-2-ascii": json.JSONEncoder(separators=(",", ": "), ensure_ascii=True, indent=2).encode,
}
"""Usual ways of writing JSON."""
_NEWLINE = "+newline"
"""Added to a style's name where a line feed follows."""

_AROUND = 4
"""Containers around a body in a file: the file, its interactions, one of them, its request or response."""
_READABLE = 10
"""Text has at least this many characters for each that needs an escape."""
_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


def encode_body(data: bytes) -> dict[str, Any]:
    """Return the most readable form of a body that gives it back to the byte; `{}` where it is empty."""
    if not data:
        return {}
    return _encode_json(data) or encode_text(data)


def encode_text(data: bytes) -> dict[str, Any]:
    """Return `{"text": …}` where the bytes are UTF-8 that can be read, else `{"base64": …}`."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    if text is not None and len(_ODD.findall(text)) * _READABLE <= len(text):
        return {"text": text}
    return {"base64": base64.encodebytes(data).decode().removesuffix("\n")}


def decode_body(form: Mapping[str, Any]) -> bytes:
    """Return the body of which `form` is the form; CassetteFormatError where it is none."""
    if unknown := sorted(form.keys() - set(BODY_FIELDS)):
        raise CassetteFormatError(f"a body has no field {unknown[0]!r}")
    given = [name for name in ("json", "text", "base64") if name in form]
    if len(given) > 1:
        raise CassetteFormatError(f"a body is one of json, text and base64, not {' and '.join(given)}")
    if "json_style" in form and "json" not in form:
        raise CassetteFormatError("json_style stands beside json only")
    if "json" in form:
        return _decode_json(form["json"], form.get("json_style", _DEFAULT))
    if "text" in form:
        return _encoded(_string(form, "text"))
    return _decode_base64(_string(form, "base64")) if "base64" in form else b""


def _encode_json(data: bytes) -> dict[str, Any]:
    """Return the JSON form, or `{}` where a known style would not give the bytes back."""
    from tapemeter.cassette import yaml_writer  # noqa: PLC0415 - what is only played is not written

    if data[:1] not in {b"{", b"["}:
        return {}
    try:
        text = data.decode()
        value = json.loads(text)
        # Also what JSON allows and a cassette does not (NaN, lone surrogates, overlong keys, …) stays text.
        yaml_writer.dump(value, depth=_AROUND)
    except (ValueError, RecursionError):
        return {}
    bare = text.removesuffix("\n")
    for name, write in _STYLES.items():
        if write(value) == bare:
            full = name if bare is text or bare == text else name + _NEWLINE
            return {"json": value} if full == _DEFAULT else {"json": value, "json_style": full}
    return {}


def _decode_json(value: Any, name: Any) -> bytes:
    if not isinstance(name, str) or (write := _STYLES.get(name.removesuffix(_NEWLINE))) is None:
        known = ", ".join(_STYLES)
        raise CassetteFormatError(f"expected json_style to be one of {known} (and {_NEWLINE}), got {name!r}")
    return _encoded(write(value) + ("\n" if name.endswith(_NEWLINE) else ""))


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CassetteFormatError(f"base64 is damaged: {error}") from None


def _string(form: Mapping[str, Any], name: str) -> str:
    value = form[name]
    if not isinstance(value, str):
        raise CassetteFormatError(
            f"expected {name} to be a string, got {value!r} ({type(value).__name__}); put it in quotes"
        )
    return value


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise CassetteFormatError("a lone surrogate, which UTF-8 cannot carry") from None

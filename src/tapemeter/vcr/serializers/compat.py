"""Bodies between bytes, as clients want them, and text, as files can be read by people."""

from __future__ import annotations

from typing import Any


def convert_to_bytes(resp: Any) -> Any:
    """Return a response, its body as bytes; one of another shape is left alone."""
    if isinstance(resp, dict) and isinstance(resp.get("body"), dict) and isinstance(resp["body"].get("string"), str):
        resp["body"]["string"] = resp["body"]["string"].encode("utf-8", "surrogatepass")
    return resp


def convert_to_unicode(resp: Any) -> Any:
    """Return a request or a response, its body as text where it is one."""
    if not isinstance(resp, dict):
        return _text(resp)
    body = resp.get("body")
    if isinstance(body, dict) and "string" in body:
        body["string"] = _text(body["string"])
    elif body is not None:
        resp["body"] = _text(body)
    return resp


convert_body_to_bytes = convert_to_bytes
convert_body_to_unicode = convert_to_unicode


def _text(value: Any) -> Any:
    if not isinstance(value, bytes | bytearray):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value

"""VCR.py's filters: take out of a request what is not to be kept, or out of a response its compression.

A replacement is a pair of a name and what stands in place of its value: a text, None to take it out, or a function
that is called with `key`, `value` and `request` and returns one of these. Each filter changes the request it is given
and returns it.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_plus, urlencode, urlparse, urlunparse

from tapemeter.cassette.encoding import decode_chunks
from tapemeter.model import Chunk
from tapemeter.vcr.util import CaseInsensitiveDict

Replacements = Iterable[tuple[str, Any]]

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(rb';\s*name="([^"]*)"')


def replace_headers(request: Any, replacements: Replacements) -> Any:
    """Replace the values of headers."""
    headers = request.headers.copy()
    for name, given in replacements:
        if name in headers:
            value = _replaced(given, name, headers.pop(name), request)
            if value is not None:
                headers[name] = value
    request.headers = headers
    return request


def replace_query_parameters(request: Any, replacements: Replacements) -> Any:
    """Replace the values of query parameters; all of them are written anew, sorted."""
    given = dict(replacements)
    pairs = [
        (name, _replaced(given[name], name, value, request) if name in given else value)
        for name, value in request.query
    ]
    query = urlencode([(name, value) for name, value in pairs if value is not None])
    request.uri = urlunparse(urlparse(request.uri)._replace(query=query))
    return request


def replace_body_parameters(request: Any, replacements: Replacements, recursive: bool = False) -> Any:  # noqa: FBT001, FBT002 - VCR.py's signature
    """Replace the values of fields of a JSON body, a form, or a multipart form.

    With `recursive`, those within fields of a JSON body as well. Any other body is left as it is.
    """
    body = request.body
    if not body or not isinstance(body, bytes | bytearray | str | dict):
        return request
    given = dict(replacements)
    content_type = str(request.headers.get("Content-Type") or "")
    change = _fields_within if recursive else _fields
    if isinstance(body, dict):
        request.body = change(body, given, request)
    elif content_type == "application/json":
        request.body = json.dumps(change(json.loads(body), given, request)).encode()
    else:
        whole = body.encode() if isinstance(body, str) else bytes(body)
        boundary = _BOUNDARY.search(content_type) if content_type.lower().startswith("multipart/form-data") else None
        if boundary is not None:
            request.body = _parts(whole, boundary[1].encode(), given, request)
        else:
            request.body = _pairs(whole, given, request)
    return request


def replace_post_data_parameters(request: Any, replacements: Replacements, recursive: bool = False) -> Any:  # noqa: FBT001, FBT002 - as above
    """Do as `replace_body_parameters`, for requests of the method POST alone."""
    return replace_body_parameters(request, replacements, recursive) if request.method == "POST" else request


def remove_headers(request: Any, headers_to_remove: Iterable[str]) -> Any:
    """Take headers out."""
    return replace_headers(request, [(name, None) for name in headers_to_remove])


def remove_query_parameters(request: Any, query_parameters_to_remove: Iterable[str]) -> Any:
    """Take query parameters out."""
    return replace_query_parameters(request, [(name, None) for name in query_parameters_to_remove])


def remove_post_data_parameters(request: Any, post_data_parameters_to_remove: Iterable[str]) -> Any:
    """Take fields out of the body of a POST request."""
    return replace_post_data_parameters(request, [(name, None) for name in post_data_parameters_to_remove])


def decode_response(response: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a response without its compression, its headers corrected.

    Where the body is not in the coding that its headers name, only they are corrected; an unknown coding stays.
    """
    response = copy.deepcopy(response)
    headers = CaseInsensitiveDict(response["headers"])
    named = headers.get("content-encoding")
    codings = [named] if isinstance(named, str) else list(named or ())
    body = response["body"].get("string") if isinstance(response["body"], dict) else None
    if not codings or not isinstance(body, bytes):
        return response
    chunks = decode_chunks((Chunk(0.0, body),), codings[0]) if body else ()
    if chunks is None and not _is_known(codings[0]):
        return response
    response["body"]["string"] = body = body if chunks is None else b"".join(chunk.data for chunk in chunks)
    del headers["content-encoding"]
    if codings[1:]:
        headers["content-encoding"] = codings[1:]
    headers["content-length"] = [str(len(body))]
    response["headers"] = dict(headers)
    return response


def sensitive_data_hooks(
    sensitive_data: Mapping[str, Any] | Iterable[tuple[str, Any]],
) -> tuple[Callable[[Any, Any], tuple[Any, Any]], Callable[[Any, Any], tuple[Any, Any]]]:
    """Return two hooks for interactions: one that hides values behind their placeholders, one that restores them.

    A value may be a function of the request and the response.
    """
    pairs = list(sensitive_data.items() if isinstance(sensitive_data, Mapping) else sensitive_data)

    def exchanged(request: Any, response: Any, *, back: bool) -> tuple[Any, Any]:
        for placeholder, given in pairs:
            value = given(request, response) if callable(given) else given
            if value is None or not str(value) or not str(placeholder):
                continue
            old, new = (str(placeholder), str(value)) if back else (str(value), str(placeholder))
            request = type(request)._from_dict(_replaced_text(request._to_dict(), old, new))  # noqa: SLF001 - the form of VCR.py's requests
            response = _replaced_text(response, old, new)
        return request, response

    return (
        lambda request, response: exchanged(request, response, back=False),
        lambda request, response: exchanged(request, response, back=True),
    )


def _replaced(given: Any, key: str, value: Any, request: Any) -> Any:
    return given(key=key, value=value, request=request) if callable(given) else given


def _fields(value: Any, given: Mapping[str, Any], request: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = dict(value)
    for name in given:
        if name in kept:
            new = _replaced(given[name], name, kept.pop(name), request)
            if new is not None:
                kept[name] = new
    return kept


def _fields_within(value: Any, given: Mapping[str, Any], request: Any) -> Any:
    if isinstance(value, list):
        return [_fields_within(each, given, request) for each in value]
    if not isinstance(value, dict):
        return value
    changed = (
        (name, _replaced(given[name], name, each, request) if name in given else _fields_within(each, given, request))
        for name, each in value.items()
    )
    return {name: each for name, each in changed if each is not None or name not in given}


def _pairs(body: bytes, given: Mapping[str, Any], request: Any) -> bytes:
    """Replace the values of a form; what is no UTF-8 is no form."""
    pairs = []
    try:
        for part in body.split(b"&"):
            name, equals, value = part.partition(b"=")
            key = name.decode()
            key = key if key in given else unquote_plus(key)
            if not equals or key not in given:
                pairs.append(part)
                continue
            new = _replaced(given[key], key, value.decode(), request)
            if new is not None:
                pairs.append(name + equals + new.encode())
    except UnicodeError:
        return body
    return b"&".join(pairs)


def _parts(body: bytes, boundary: bytes, given: Mapping[str, Any], request: Any) -> bytes:
    first, *parts = body.split(b"--" + boundary)
    kept = [first]
    for part in parts:
        head, gap, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        key = name[1].decode("utf-8", "replace") if name is not None and gap else None
        if key is None or key not in given:
            kept.append(part)
            continue
        value = content.removesuffix(b"\r\n")
        new = _replaced(given[key], key, _as_text(value), request)
        if new is not None:
            kept.append(head + gap + (new.encode() if isinstance(new, str) else new) + content[len(value) :])
    return (b"--" + boundary).join(kept)


def _as_text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _replaced_text(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, bytes | bytearray):
        return bytes(value).replace(old.encode(), new.encode())
    if isinstance(value, dict):
        return {_replaced_text(key, old, new): _replaced_text(each, old, new) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_replaced_text(each, old, new) for each in value)
    return value


def _is_known(coding: str) -> bool:
    return coding.strip().lower() in {"gzip", "x-gzip", "deflate", "br", "zstd"}

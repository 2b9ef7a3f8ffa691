r"""Secrets never reach disk: what is secret becomes REDACTED before any match and before any write.

Secret are, in this order:

    values    of environment variables that are named and look like secrets, and what a request carries in
              its sensitive headers and query parameters; wherever they occur, also escaped
    named     headers, query parameters, fields of forms, and JSON string fields: their values
    shapes    that only keys have: `sk-...`, `AKIA...`, what follows `Bearer`, private key blocks, and so on
    rules     of the user: `header:NAME`, `query:NAME`, `json:FIELD`, `env:VARIABLE`, `text:REGEX`

Redaction is deterministic and idempotent, keeps JSON valid and every byte that is not secret, and returns the
very same object where there is nothing to do. A response is searched over its joined chunks; the placeholder
goes to the chunk in which the secret begins. What a model streams piecemeal, in several events, is not seen
as one secret: no byte string holds it.
"""

from __future__ import annotations

import base64
import os
import re
from contextlib import suppress
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tapemeter.errors import UsageError
from tapemeter.model import Request
from tapemeter.redact import values as secret_values
from tapemeter.redact.draft import PLACEHOLDER, Draft
from tapemeter.redact.names import HEADER_WORDS, HEADERS, SECRET_QUERY_PARAMETERS
from tapemeter.redact.shapes import EIGHT_FOLLOW, RULES, Rule, field, finder_of_matches, parameter
from tapemeter.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from tapemeter.model import Chunk, Headers, Response

__all__ = ["PLACEHOLDER", "SECRET_QUERY_PARAMETERS", "Redactor"]

_FORMS = "header:NAME, query:NAME, json:FIELD, env:VARIABLE or text:REGEX"
_FORM = "application/x-www-form-urlencoded"
_USERINFO = re.compile(r"^[^/?#]*//[^/?#:@]*:([^/?#]+)@")
_PAIR = re.compile(r"(?:^|(?<=[?&#]))([^?&#=]+)=([^&#]+)")
_SIGNED = re.compile(r"(?:Credential|Signature)=([^\s,]+)")
_SCHEME = re.compile(r"(?i:basic|bearer|token|key|apikey) +")


class Redactor:
    """Takes secrets out of requests, responses and texts, by what is built in and by the user's rules."""

    def __init__(self, rules: Iterable[str] = (), environ: Mapping[str, str] | None = None) -> None:
        given: dict[str, list[str]] = {"header": [], "query": [], "json": [], "env": [], "text": []}
        for rule in rules:
            form, _, what = rule.strip().partition(":")
            if form not in given or not what.strip():
                raise UsageError(f"redaction rule {rule!r} is not understood; expected {_FORMS}")
            given[form].append(what.strip())
        self.query_parameters = SECRET_QUERY_PARAMETERS.union(map(str.lower, given["query"]))
        """Names, in lower case, of the query parameters whose value is secret by these rules."""
        self._headers = HEADERS.union(map(str.lower, given["header"]))
        self._is_secret_header = lru_cache(maxsize=4096)(self._names_a_secret)
        self._variables = frozenset(given["env"])
        self._environ = os.environ if environ is None else environ
        self._seen: tuple[frozenset[Any], tuple[Any, ...], dict[Any, Any], frozenset[bytes]]
        self._seen = (frozenset(), (), {}, frozenset())
        """The names in the environment, those of them that tell of a secret, their values, and the secrets in these."""
        self._rules = (
            *RULES,
            Rule((EIGHT_FOLLOW,), parameter(self.query_parameters)),
            *(Rule((re.escape(name),), *field([name])) for name in given["json"]),
            *(_text_rule(pattern) for pattern in given["text"]),
        )
        telltales = dict.fromkeys(telltale for rule in self._rules for telltale in rule.telltales)
        self._telltales = tuple((first, pattern.search) for first, pattern in telltales)

    def request(self, request: Request, secrets: frozenset[bytes] | None = None) -> Request:
        """Return the request without secrets; the same object if it has none.

        `secrets` are those of the request, where they are known already.
        """
        values = self._environment() | (self.secrets_of(request) if secrets is None else secrets)
        headers, url = self._without_named(request.headers), self._without_parts(request.url)
        body = request.body
        if request.content_type == _FORM:
            body = self._without_pairs(body.decode("latin-1")).encode("latin-1")
        if not self._is_clean(_joined([url, *(value for _, value in headers)], body), values):
            headers, url = self._without_values(headers, values), self._scrubbed(url, values)
            body = self._draft(body, values).text
        if headers == request.headers and url == request.url and body == request.body:
            return request
        return Request(request.method, url, headers, body)

    def response(self, response: Response, secrets: frozenset[bytes] = frozenset()) -> Response:
        """Return the response without secrets, its request's too; the same object if it has none."""
        values = self._environment() | secrets
        headers, body = self._without_named(response.headers), response.body
        if not self._is_clean(_joined((value for _, value in headers), body), values):
            headers = self._without_values(headers, values)
            cuts = accumulate(len(chunk.data) for chunk in response.chunks)
            draft = self._draft(body, values, cuts)
            if draft.text != body:
                response = response.with_chunks(_cut(response.chunks, draft))
        return response if headers == response.headers else replace(response, headers=headers)

    def text(self, text: str) -> str:
        """Return a message, path or log line without secrets; the same object if it has none."""
        return self._scrubbed(text, self._environment())

    def secrets_of(self, request: Request) -> frozenset[bytes]:
        """Return the bare secrets in a request's sensitive headers, query parameters and user information."""
        found: list[str] = []
        for name, value in request.headers:
            if not self._is_secret_header(name):
                continue
            if "cookie" in name:
                found += (pair.partition("=")[2].strip() for pair in value.split(";"))
            elif value.startswith("AWS4-"):
                found += _SIGNED.findall(value)
            else:
                bare = _SCHEME.sub("", value, count=1)
                found.append(bare)
                with suppress(ValueError):
                    found.append(base64.b64decode(bare, validate=True).decode().partition(":")[2])
        if "?" in request.url or "@" in request.url:
            found += _USERINFO.findall(request.url)
            found += (value for name, value in _PAIR.findall(request.url) if self._is_secret_parameter(name))
        spelled = {spelling for value in found for spelling in (value, unquote(value))}
        return frozenset(map(_encode, filter(secret_values.looks_secret, spelled)))

    def _names_a_secret(self, header: str) -> bool:
        return header in self._headers or HEADER_WORDS.search(header) is not None

    def _is_secret_parameter(self, name: str) -> bool:
        return unquote(name).lower() in self.query_parameters

    def _environment(self) -> frozenset[bytes]:
        # os.environ decodes each name when it is compared; the dictionary in it is compared in a microsecond. One of
        # its values changes with every test, as pytest notes the one that runs.
        current = getattr(self._environ, "_data", self._environ)
        names, telling, given, values = self._seen
        if current.keys() != names:
            names = frozenset(dict(current))
            telling = secret_values.telling(names, self._variables)
        found = {name: current[name] for name in telling if name in current}
        if found != given:
            values = secret_values.of_environment(found, self._variables)
        self._seen = (names, telling, found, values)
        return values

    def _without_named(self, headers: Headers) -> Headers:
        if not any(self._is_secret_header(name) for name, _ in headers):
            return headers
        return tuple((name, PLACEHOLDER if self._is_secret_header(name) else value) for name, value in headers)

    def _without_values(self, headers: Headers, values: frozenset[bytes]) -> Headers:
        return tuple((name, self._scrubbed(value, values)) for name, value in headers)

    def _without_parts(self, url: str) -> str:
        if "@" in url and (user := _USERINFO.match(url)):
            url = url[: user.start(1)] + PLACEHOLDER + url[user.end(1) :]
        return self._without_pairs(url) if "=" in url else url

    def _without_pairs(self, text: str) -> str:
        return _PAIR.sub(
            lambda pair: f"{pair[1]}={PLACEHOLDER}" if self._is_secret_parameter(pair[1]) else pair[0], text
        )

    def _scrubbed(self, text: str, values: frozenset[bytes]) -> str:
        whole = _encode(text)
        if self._is_clean(whole, values):
            return text
        redacted = self._draft(whole, values).text
        return text if redacted == whole else _decode(redacted)

    def _is_clean(self, text: bytes, values: frozenset[bytes]) -> bool:
        for first, search in self._telltales:
            if first in text and search(text):
                return False
        return not values or not secret_values.present(text, values)[0]

    def _draft(self, text: bytes, values: frozenset[bytes], cuts: Iterable[int] = ()) -> Draft:
        draft = Draft(text, cuts)
        present, thorough = secret_values.present(text, values)
        if present:
            draft.redact(secret_values.finder_of_values(present, thorough=thorough))
        for rule in self._rules:
            if any(telltale.search(draft.text) for _, telltale in rule.telltales):
                for pattern in rule.patterns:
                    draft.redact(finder_of_matches(pattern))
        return draft


def _text_rule(pattern: str) -> Rule:
    try:
        return Rule((), pattern)
    except re.error as error:
        raise UsageError(f"redaction rule {'text:' + pattern!r}: not a regular expression, {error}") from None


def _cut(chunks: Iterable[Chunk], draft: Draft) -> Iterator[Chunk]:
    """Cut a redacted body where its cuts have moved to; a chunk of which nothing is left is dropped."""
    start = 0
    for chunk, stop in zip(chunks, draft.cuts, strict=True):
        if start < stop or not chunk.data:
            yield replace(chunk, data=draft.text[start:stop])
        start = stop


def _joined(texts: Iterable[str], body: bytes) -> bytes:
    return _encode("\n".join(texts)) + b"\n" + body


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decode(text: bytes) -> str:
    try:
        return text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # a rule of the user cut a letter into its bytes
        return text.decode("utf-8", "replace")

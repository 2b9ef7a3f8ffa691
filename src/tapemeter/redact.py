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
import json
import os
import re
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tapemeter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from tapemeter.model import Chunk, Headers, Request, Response

    Edit = tuple[int, int, bytes]  # from, to, and what comes there instead
    Find = Callable[[bytes, int, int, bool], list[Edit]]  # in a text, from, to; is it JSON

PLACEHOLDER = "REDACTED"
_MARK = PLACEHOLDER.encode()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SECRET_QUERY_PARAMETERS = _words("""
    access_key access_token api-key api_key apikey assertion auth auth_token authorization awsaccesskeyid
    client_assertion client_secret code code_verifier googleaccessid id_token jwt key passwd password pwd
    ocp-apim-subscription-key refresh_token secret session_token sig signature subscription-key token
    x-amz-credential x-amz-security-token x-amz-signature x-api-key x-goog-credential x-goog-signature
""")
"""Query parameters, in lower case, whose value is secret; the same holds for the fields of a form."""

_HEADERS = _words("""
    anthropic-organization-id cf-access-client-id openai-organization openai-project x-goog-user-project
    x-langfuse-public-key x-portkey-config
""")
_HEADER_WORDS = re.compile(
    r"^(?!access-control-)(?:.*[-_])?(?:apikey|auth(?=$)|authorization|cookie2?|credentials?|jwt|passwd|password|pwd"
    r"|secret|sig|(?:access|admin|api|auth|functions|master|private|subscription|virtual)[-_]?key"
    r"|litellm(?:[-_]\w+)*[-_]key|token(?![-_](?:budget|count|limit|type|usage)))(?:$|[-_])"
)
# Exact names: "token" is what logprobs call a token, and "max_tokens" is a number.
_FIELDS = _words("""
    accessToken access_token apiKey api_key apikey authToken auth_token authorization Authorization
    authorization_token aws_secret_access_key aws_session_token clientSecret client_secret idToken id_token
    password privateKey private_key refreshToken refresh_token SecretAccessKey secretAccessKey
    secret_access_key SessionToken sessionToken session_token
""")

_VARIABLE = re.compile(
    r"(?:^|_)(?:API)?(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PWD|CREDENTIALS?|PAT|AUTH)(?:_|$)", re.IGNORECASE
)
_NO_SECRET = re.compile(
    r"[a-z]{1,11}|[-+]?[\d._,]+(?:e[-+]?\d+)?|(?i:anonymous|disabled|enabled|optional|redacted|required)"
)
_PATH = re.compile(r"(?:/|\.\.?/|~|[A-Za-z]:[/\\])(?!.*(?=[^/]*[A-Z])(?=[^/]*[a-z])(?=[^/]*\d)[^/]{20})")
_SHORTEST, _SHORTEST_NAMED = 8, 4
"""What the user names may be shorter, but a single letter would be everywhere."""


# Patterns of secrets in a text


def _key(prefix: str, rest: str) -> str:
    r"""Return the pattern of a key that stands alone: not within a word, but maybe after an escape (\n, %3D).

    What stands before is looked at after the prefix, so that a search can leap to the prefix's first letter.
    """
    before = (
        r"(?<![\w\\-]{})",
        r"(?<=\\[nrtbf]{})",
        r"(?<=\\u[\da-fA-F]{{4}}{})",
        r"(?<=%[\da-fA-F]{{2}}{})",
    )
    return f"{prefix}(?:{'|'.join(each.format(prefix) for each in before)}){rest}"


_LONG = r"[A-Za-z0-9]{20,}"
# Somewhere twelve letters and digits in a row, which words with hyphens have not.
_MIXED = r"(?=[\w-]{0,200}?(?=[A-Za-z]*\d)[A-Za-z0-9]{12})[\w-]{18,}"
_KEYS = (
    ("sk-", rf"(?:ant-(?=[\w-]*\d)[\w-]{{16,}}|{_MIXED})"),
    *((prefix, _MIXED) for prefix in ("csk-", "nvapi-", "tvly-", "xai-")),
    *((prefix, _LONG) for prefix in ("api_org_", "e2b_", "ek_", "fw_", "gh[opsru]_", "gsk_", "hf_")),
    *((prefix, _LONG) for prefix in ("jina_", "npm_", "pplx-", "r8_", "[rs]k_live_")),
    *((prefix, r"[\w-]{20,}") for prefix in ("github_pat_", "glpat-", "lsv2_[ps]t_", "pcsk_", "tgp_v1_")),
    *((prefix, r"(?=[\w-]*\d)[\w-]{10,}") for prefix in ("xapp-", "xox[abeprs]-")),
    ("A[BKS]IA", r"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("ABSK", r"[A-Za-z0-9+/]{40,}=*"),
    ("AIza", r"[\w-]{35}(?![\w-])"),
    (r"AQ\.Ab", r"[\w-]{30,}"),
    ("bedrock-api-key-", r"[A-Za-z0-9+/=]{20,}"),
    ("eyJ", r"[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?"),
    ("GOCSPX-", r"[\w-]{20,}"),
    ("pypi-", r"AgEI[\w-]{20,}"),
    (r"ya29\.", r"[\w.-]{20,}"),
)
_BREAK = r"(?:\s|\\+[nrt])"
_EDGE = "[A-Z ]*PRIVATE KEY-----"
_BLOCK = rf"-----BEGIN {_EDGE}(?:(?:[\w+/=:,.]|{_BREAK}|-(?!----))*-----END {_EDGE}|(?:{_BREAK}*[\w+/=]{{16,}})+)"


def _field(names: Iterable[str]) -> tuple[str, str]:
    """Return the patterns of string fields of those names: in JSON, and in JSON within a JSON string."""
    either = "|".join(map(re.escape, sorted(names)))
    return (
        rf'"(?:{either})"\s*:\s*"((?:[^"\\]|\\.)*)',
        rf'\\"(?:{either})\\"{_BREAK}*:{_BREAK}*\\"((?:[^"\\]|\\[^"\\]|\\\\(?:\\.|[^"\\]))*)',
    )


def _parameter(names: Iterable[str]) -> str:
    """Return the pattern of query parameters of those names, in a URL within a text."""
    return rf"(?:[?&]|\\u0026|&amp;)(?i:{'|'.join(map(re.escape, sorted(names)))})=([^\s&\"'#\\<>]{{8,}})"


class _Rule:
    """Patterns whose match is secret (where there is a group: what the group matched), and cheap telltales.

    Where no telltale is found, no pattern is looked for. Each begins with a rare character, to which a search
    leaps, so that one costs at most a microsecond in some kilobytes. No telltales: always look.
    """

    def __init__(self, telltales: Iterable[str], *patterns: str) -> None:
        self.patterns = tuple(re.compile(pattern.encode(), re.DOTALL) for pattern in patterns)
        found = tuple((each.lstrip("\\")[:1].encode(), re.compile(each.encode())) for each in telltales)
        self.telltales = found or tuple((b"", pattern) for pattern in self.patterns)


def _after_prefix(last: str) -> str:
    prefixes = "|".join(f"(?<={prefix})" for prefix, _ in _KEYS if prefix.endswith(last))
    return rf"{last}(?=[\w-]{{10}})(?:{prefixes})"


_STRING_FOLLOWS = rf'\\*"{_BREAK}*:{_BREAK}*\\*"'
_EIGHT_FOLLOW = r"=(?=[^\s&\"'#\\<>]{8})"
_RULES = (
    _Rule(
        (
            _after_prefix("-"),
            _after_prefix("_"),
            r"A(?:[BKS]IA|BSK|Iza|Q\.Ab)",
            r"J(?<=eyJ)",
            r"9(?<=ya29)\.",
        ),
        "|".join(_key(prefix, rest) for prefix, rest in _KEYS),
    ),
    _Rule((r"-(?=----BEGIN )",), _BLOCK),
    _Rule((r"B(?=earer )",), r"Bearer +(?=[^\s\"\\]*\d)([\w.~+/-]{16,}=*)"),
    _Rule((_EIGHT_FOLLOW,), r"Credential=([^\s,&\"'\\/]{8,}/[^\s,&\"'\\]*)", r"Signature=([0-9a-f]{32,})"),
    _Rule((r"@",), r"://[^\s/:@\"'\\]*:([^\s/@\"'\\]+)@"),
    _Rule(
        (
            r"k(?<=[_i]k)ey" + _STRING_FOLLOWS,
            r"K(?<=[eis]K)ey" + _STRING_FOLLOWS,
            r"_(?:token|secret)" + _STRING_FOLLOWS,
            r"T(?<=[a-z]T)oken" + _STRING_FOLLOWS,
            r"S(?<=[a-z]S)ecret" + _STRING_FOLLOWS,
            r"w(?<=passw)ord" + _STRING_FOLLOWS,
            r"z(?<=thoriz)ation" + _STRING_FOLLOWS,
        ),
        *_field(_FIELDS),
    ),
)


# Values that are secret wherever they occur


def _looks_secret(value: str) -> bool:
    """Say whether a value is a secret rather than a number, a word, a switch, a path or an address."""
    if len(value) < _SHORTEST or _NO_SECRET.fullmatch(value) or _PATH.match(value):
        return False
    return "://" not in value or "@" in value


def _environment_secrets(environ: Mapping[Any, Any], named: frozenset[str]) -> frozenset[bytes]:
    found = set()
    for name, value in ((os.fsdecode(name), os.fsdecode(value)) for name, value in environ.items()):
        if name in named:
            found.update([value] if len(value) >= _SHORTEST_NAMED else [])
        elif _VARIABLE.search(name) and _looks_secret(value):
            found.add(value)
            with suppress(ValueError):
                found.update(filter(_looks_secret, [urlsplit(value).password or ""]))
    return frozenset(value.encode("utf-8", "surrogateescape") for value in found)


_UNUSUAL = (
    (b"%", re.compile(rb"%[2-7][\da-fA-F]").search),
    (b"\\", re.compile(rb"\\u00[2-7][\da-fA-F]").search),
)
_ESCAPED = re.compile(rb"(?:\\+u00|%)([2-7][\da-fA-F])")
_UNRESERVED = re.compile(rb"[\w.~-]{4,}")


@lru_cache(maxsize=512)
def _spelling(value: bytes, in_json: bool, thorough: bool) -> str:  # noqa: FBT001 - keys of the cache
    """Return the pattern of a value in every way in which JSON, a URL or a form may write it.

    In JSON a bare quote or backslash is no part of a value. Thorough: letters and digits may be escaped, too.
    """
    spelled = []
    for char in value.decode("utf-8", "surrogateescape"):
        raw = char.encode("utf-8", "surrogateescape")
        ways = [] if in_json and (char in '"\\' or char < " ") else [re.escape(raw.decode("latin-1"))]
        if char == "\\":
            ways.insert(0, r"\\\\(?:\\\\)*")
        if thorough or not (char.isascii() and char.isalnum()):
            ways.append("".join(f"%(?i:{byte:02x})" for byte in raw))
            units = char.encode("utf-16-be", "surrogatepass")
            ways.append("".join(rf"\\\\*(?i:u{units[at : at + 2].hex()})" for at in range(0, len(units), 2)))
            if char == " ":
                ways.append(r"\+")
            elif char in _SHORT_ESCAPES:
                ways.append(r"\\\\*" + _SHORT_ESCAPES[char])
        spelled.append(ways)
    rest = "".join(f"(?:{'|'.join(ways)})" for ways in spelled[1:])
    # Each alternative begins with a literal, so that the search can skip to it.
    return "|".join(way + rest for way in spelled[0])


_SHORT_ESCAPES = {'"': '"', "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}


@lru_cache(maxsize=256)
def _needles(values: frozenset[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Return the values, longest first, each behind its longest part that no encoding needs to escape."""
    runs = [(max(_UNRESERVED.findall(value), key=len, default=b""), value) for value in values]
    return tuple(sorted((pair for pair in runs if pair[1] not in _MARK), key=lambda pair: (-len(pair[1]), pair[1])))


def _present(text: bytes, values: frozenset[bytes]) -> tuple[list[bytes], bool]:
    """Return the values that may occur in a text, and whether letters and digits may be escaped there."""
    needles = _needles(values)
    found = [value for needle, value in needles if needle in text]
    if not needles or not any(first in text and search(text) for first, search in _UNUSUAL):
        return found, False
    bare = _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), text)
    hidden = [value for needle, value in needles if bare.count(needle) != text.count(needle)]
    return [value for _, value in needles if value in found or value in hidden], bool(hidden)


def _finder_of_values(values: list[bytes], *, thorough: bool) -> Find:
    @lru_cache
    def pattern(in_json: bool) -> re.Pattern[bytes]:  # noqa: FBT001 - see Find
        ways = [_spelling(value, in_json, thorough) for value in values]
        # A placeholder, and an escape in JSON, are passed over whole: no match may begin within them.
        passed = rf"({PLACEHOLDER}|\\u[\da-fA-F]{{4}}|\\.)" if in_json else f"({PLACEHOLDER})"
        return re.compile("|".join([*ways, passed]).encode("latin-1"), re.DOTALL)

    def find(text: bytes, start: int, stop: int, in_json: bool) -> list[Edit]:  # noqa: FBT001 - see Find
        matches = pattern(in_json).finditer(text, start, stop)
        return [(*match.span(), _MARK) for match in matches if not match.lastindex]

    return find


def _finder_of_matches(pattern: re.Pattern[bytes]) -> Find:
    group = 1 if pattern.groups else 0

    def find(text: bytes, start: int, stop: int, _: bool) -> list[Edit]:  # noqa: FBT001 - see Find
        edits: list[Edit] = []
        for match in pattern.finditer(text, start, stop):
            left, right = match.span(group)
            known = text.rfind(_MARK, max(start, left - len(_MARK)), left + len(_MARK))
            within = known != -1 and right <= known + len(_MARK)
            if start <= left < right and not within and (not edits or edits[-1][1] <= left):
                edits.append((left, right, _MARK))
        return edits

    return find


# Replacing


class _Draft:
    """A text under redaction, and the places at which it is cut into chunks."""

    def __init__(self, text: bytes, cuts: Iterable[int] = ()) -> None:
        self.text, self.cuts = text, list(cuts)

    def redact(self, find: Find) -> None:
        """Replace what is found, and keep JSON valid: a whole document, or lines and events that hold one."""
        for start, stop, in_json in reversed(list(_parts(self.text))):
            edits = find(self.text, start, stop, in_json)
            if edits and in_json and not _is_json(_applied(self.text, edits, start, stop)):
                edits = list(_edits_by_token(self.text, find, start, stop))
            if edits:
                self._move_cuts(edits)
                self.text = self.text[:start] + _applied(self.text, edits, start, stop) + self.text[stop:]

    def _move_cuts(self, edits: list[Edit]) -> None:
        """Keep cuts where they are in the text; one within a secret moves behind its placeholder."""
        for index, cut in enumerate(self.cuts):
            shift = 0
            for left, right, new in edits:
                if cut <= left:
                    break
                shift += len(new) - (right - left) + max(0, right - cut)
            self.cuts[index] = cut + shift


def _applied(text: bytes, edits: Iterable[Edit], start: int, stop: int) -> bytes:
    pieces = []
    for left, right, new in edits:
        pieces += [text[start:left], new]
        start = right
    return b"".join([*pieces, text[start:stop]])


_PAYLOAD = re.compile(rb"\s*(?:data:)?\s*(?=[\[{\"])")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*', re.DOTALL)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _parts(text: bytes) -> Iterator[tuple[int, int, bool]]:
    """Part a text into JSON documents and what is between them."""
    if _is_json(text):
        yield 0, len(text), True
        return
    done = at = 0
    for line in text.splitlines(keepends=True):
        payload = _PAYLOAD.match(line)
        if payload and _is_json(line[payload.end() :]):
            yield done, at + payload.end(), False
            yield at + payload.end(), at + len(line), True
            done = at + len(line)
        at += len(line)
    yield done, at, False


def _edits_by_token(text: bytes, find: Find, start: int, stop: int) -> Iterator[Edit]:
    """Redact the strings of a JSON document one by one, and make strings of numbers that hold a secret."""
    for token in _TOKEN.finditer(text, start, stop):
        left, right = token.span()
        if not token[0].startswith(b'"'):
            if find(text, left, right, False):
                yield left, right, b'"%s"' % _MARK
            continue
        edits = find(text, left + 1, right - 1, True)
        if edits and not _is_json(b'"%s"' % _applied(text, edits, left + 1, right - 1)):
            edits = [(left + 1, right - 1, _MARK)]
        yield from edits


# Messages


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
        self._headers = _HEADERS.union(map(str.lower, given["header"]))
        self._is_secret_header = lru_cache(maxsize=4096)(self._names_a_secret)
        self._variables = frozenset(given["env"])
        self._environ = os.environ if environ is None else environ
        self._seen: tuple[dict[Any, Any] | None, frozenset[bytes]] = (None, frozenset())
        self._rules = (
            *_RULES,
            _Rule((_EIGHT_FOLLOW,), _parameter(self.query_parameters)),
            *(_Rule((re.escape(name),), *_field([name])) for name in given["json"]),
            *(_text_rule(pattern) for pattern in given["text"]),
        )
        telltales = dict.fromkeys(telltale for rule in self._rules for telltale in rule.telltales)
        self._telltales = tuple((first, pattern.search) for first, pattern in telltales)

    def request(self, request: Request) -> Request:
        """Return the request without secrets; the same object if it has none."""
        values = self._environment() | self.secrets_of(request)
        headers, url = self._without_named(request.headers), self._without_parts(request.url)
        body = request.body
        if request.content_type == _FORM:
            body = self._without_pairs(body.decode("latin-1")).encode("latin-1")
        if not self._is_clean(_joined([url, *(value for _, value in headers)], body), values):
            headers, url = self._without_values(headers, values), self._scrubbed(url, values)
            body = self._draft(body, values).text
        if headers == request.headers and url == request.url and body == request.body:
            return request
        return replace(request, headers=headers, url=url, body=body)

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
        known = {spelled for value in found for spelled in (value, unquote(value)) if _looks_secret(spelled)}
        return frozenset(map(_encode, known))

    def _names_a_secret(self, header: str) -> bool:
        return header in self._headers or _HEADER_WORDS.search(header) is not None

    def _is_secret_parameter(self, name: str) -> bool:
        return unquote(name).lower() in self.query_parameters

    def _environment(self) -> frozenset[bytes]:
        # os.environ decodes each name when it is compared; the dictionary in it is compared in a microsecond.
        current = getattr(self._environ, "_data", self._environ)
        snapshot, values = self._seen
        if snapshot != current:
            snapshot = dict(current)
            values = _environment_secrets(snapshot, self._variables)
            self._seen = (snapshot, values)
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
        return not values or not _present(text, values)[0]

    def _draft(self, text: bytes, values: frozenset[bytes], cuts: Iterable[int] = ()) -> _Draft:
        draft = _Draft(text, cuts)
        present, thorough = _present(text, values)
        if present:
            draft.redact(_finder_of_values(present, thorough=thorough))
        for rule in self._rules:
            if any(telltale.search(draft.text) for _, telltale in rule.telltales):
                for pattern in rule.patterns:
                    draft.redact(_finder_of_matches(pattern))
        return draft


def _text_rule(pattern: str) -> _Rule:
    try:
        return _Rule((), pattern)
    except re.error as error:
        raise UsageError(f"redaction rule {'text:' + pattern!r}: not a regular expression, {error}") from None


def _cut(chunks: Iterable[Chunk], draft: _Draft) -> Iterator[Chunk]:
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

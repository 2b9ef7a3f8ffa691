"""Checks a cassette: that it is whole, that its keys are true, that no secret slipped through, and how good it is.

A finding says where a secret is and why it is one, and never shows any of it.
"""

from __future__ import annotations

import json
import os
import re
from enum import StrEnum
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from tapemeter import yaml_reader
from tapemeter.cassette import format as cassette_format
from tapemeter.cassette import paths
from tapemeter.cassette.body import BODY_FIELDS
from tapemeter.cassette.match import Matcher
from tapemeter.cassette.quality import Quality
from tapemeter.errors import CassetteFormatError
from tapemeter.redact import Redactor
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tapemeter.cassette.format import Entry
    from tapemeter.cassette.model import Interaction
    from tapemeter.model import Headers, Response
    from tapemeter.yaml_reader import Place

_MEND = "replace it by REDACTED or record again, and revoke it if the file was ever shared"
_VALUE = re.compile(r", got .*(?=; restore the file)", re.DOTALL)
"""What a format error shows of a wrong value, which may be a secret."""


class Kind(StrEnum):
    """What a finding is about. What has no place among NOTES is a problem."""

    FORMAT = "format"
    KEY = "key"
    SECRET = "secret"  # noqa: S105 - no secret, the word
    AGE = "age"
    EDITED = "edited"
    PARTIAL = "partial"
    DUPLICATE = "duplicate"
    FOREIGN = "foreign"


NOTES = frozenset({Kind.EDITED, Kind.PARTIAL, Kind.DUPLICATE, Kind.FOREIGN})
"""What is told of a file that passes all the same."""


class Finding(Value):
    """One thing to say about a file; `line` and `interaction` count from 1 and are None where there is none.

    `where` is the part of an interaction, such as `request header authorization`; empty where there is none.
    """

    kind: Kind
    path: str
    message: str
    line: int | None = None
    interaction: int | None = None
    where: str = ""

    @property
    def is_problem(self) -> bool:
        """Whether the file does not pass."""
        return self.kind not in NOTES


class Checked(Value):
    """What came of a check: how many interactions could be read, and what was found, in the order of the file."""

    interactions: int
    findings: tuple[Finding, ...]


class Verifier:
    """Checks files under the built-in rules of redaction, an environment, and rules of the user.

    UsageError for a rule that is none. What was recorded `before` that moment is too old; nothing is where it is empty.
    """

    def __init__(
        self, rules: Sequence[str] = (), environ: Mapping[str, str] | None = None, *, before: str = ""
    ) -> None:
        self._before = before
        self._rules = tuple(rules)
        self._environ = dict(os.environ if environ is None else environ)
        self._redactor = Redactor(self._rules, self._environ)
        self._matcher = Matcher()

    def check(self, text: str, path: str) -> Checked:
        """Check the file at `path`, of which `text` is the content."""
        findings = list(self._in_name(path))
        try:
            entries = cassette_format.load(text, path)
        except CassetteFormatError as error:
            return Checked(0, (*findings, self._broken(error, path), *self._in_lines(text, path)))
        readable = 0
        quality = Quality(self._before)
        for number, entry in enumerate(entries, 1):
            try:
                interaction = entry.interaction
            except CassetteFormatError as error:
                findings += [self._broken(error, path, number), *self._in_lines(entry.text, path, entry.line)]
                continue
            readable += 1
            findings += self._of_key(entry, interaction, number)
            findings += self._secrets(entry, interaction, number)
            findings += _weak(quality, interaction, path, entry.line, number)
            if not entry.edited:
                vars(entry).pop("interaction", None)  # where an entry keeps what it has parsed
        by_hand = edited(text, entries)
        if by_hand and not any(finding.kind is Kind.SECRET for finding in findings):
            findings += self._in_lines(text, path)  # a comment, or what else is no part of an interaction
        if by_hand:
            findings.append(Finding(Kind.EDITED, path, "edited by hand since it was recorded, which is fine"))
        return Checked(readable, tuple(findings))

    def check_tape(self, interactions: Iterable[Interaction], path: str, form: str) -> Checked:
        """Check the tape of another tool at `path`, in what is read of it: nothing of it has been redacted."""
        message = f"a tape of {form}, which is played as it is; tapemeter cassette import makes a cassette of it"
        findings = [*self._in_name(path), Finding(Kind.FOREIGN, path, message)]
        quality = Quality(self._before)
        number = 0
        for number, interaction in enumerate(interactions, 1):
            places = dict.fromkeys(_exposed(self._redactor, interaction))
            findings += [self._secret(interaction, place, path, None, number) for place in places]
            findings += _weak(quality, interaction, path, None, number)
        return Checked(number, tuple(findings))

    def safe(self, text: str) -> str:
        """Return a text, such as a message about a file, without secrets."""
        return self._redactor.text(text)

    def _broken(self, error: CassetteFormatError, path: str, number: int | None = None) -> Finding:
        problem = self.safe(_VALUE.sub("", error.problem))
        return Finding(Kind.FORMAT, path, problem, error.line, number)

    def _of_key(self, entry: Entry, interaction: Interaction, number: int) -> Iterator[Finding]:
        try:
            key = self._matcher.stored_key(interaction.request)
        except (ValueError, RecursionError):
            message = "its request cannot be matched: the URL cannot be read; mend it, or record it again"
            yield Finding(Kind.KEY, entry.path, message, entry.line, number, "request url")
            return
        if entry.key is not None and entry.key != key:
            message = "the stored key is not that of its request, so replay would not find it; record it again"
            yield Finding(Kind.KEY, entry.path, message, entry.line, number, "key")

    def _secrets(self, entry: Entry, interaction: Interaction, number: int) -> Iterator[Finding]:
        found = list(dict.fromkeys(_exposed(self._redactor, interaction)))
        if not found:
            return
        lines: dict[Place, int] = {}
        try:
            yaml_reader.load(entry.text, first_line=entry.line, lines=lines)
        except yaml_reader.YamlError:
            lines.clear()  # an edited file may be laid out so that a block does not stand alone
        for place in found:
            yield self._secret(interaction, place, entry.path, _line(place, lines) or entry.line, number)

    def _secret(self, interaction: Interaction, place: Place, path: str, line: int | None, number: int) -> Finding:
        reason = self._reason(partial(_exposes, interaction, place))
        where = self.safe(_label(place))
        return Finding(Kind.SECRET, path, f"{where} holds a secret: {reason}; {_MEND}", line, number, where)

    def _in_lines(self, text: str, path: str, first: int = 1) -> Iterator[Finding]:
        """Search lines that are no part of a readable interaction."""
        if self.safe(text) == text:
            return
        for number, each in enumerate(text.split("\n"), first):
            if self.safe(each) != each:
                reason = self._reason(partial(_hides, each))
                yield Finding(Kind.SECRET, path, f"the line holds a secret: {reason}; {_MEND}", number)

    def _in_name(self, path: str) -> Iterator[Finding]:
        if self.safe(path) != path:
            reason = self._reason(partial(_hides, path))
            message = f"the name of the file holds a secret: {reason}; rename the test, and revoke the secret"
            yield Finding(Kind.SECRET, path, message, where="name")

    def _reason(self, exposes: Callable[[Redactor], bool]) -> str:
        """Say why what a redactor would hide is a secret."""
        if exposes(Redactor((), {})):
            return "by its name or its shape"
        for name, value in sorted(self._environ.items()):
            if exposes(Redactor((), {name: value})):
                return f"the value of the environment variable {name}"
        for number, rule in enumerate(self._rules, 1):
            if exposes(Redactor((rule,), self._environ)):
                return f"by rule {number} of those given ({rule.strip().partition(':')[0]})"
        return "by all rules together"


def _weak(quality: Quality, interaction: Interaction, path: str, line: int | None, number: int) -> Iterator[Finding]:
    for weak in quality.flaws(interaction, number):
        yield Finding(Kind(weak.flaw.value), path, weak.message, line, number)


def edited(text: str, entries: Sequence[Entry]) -> bool:
    """Return whether a file was edited by hand since it was written."""
    return any(entry.edited for entry in entries) if entries else text != cassette_format.dump(())


def _exposes(interaction: Interaction, place: Place, redactor: Redactor) -> bool:
    return place in _exposed(redactor, interaction)


def _hides(text: str, redactor: Redactor) -> bool:
    return redactor.text(text) != text


def _exposed(redactor: Redactor, interaction: Interaction) -> Iterator[Place]:
    """Yield the places of an interaction, as in a file but with `body` for its form, that hold a secret."""
    request, response = interaction.request, interaction.response
    safe = redactor.request(request)
    if safe is not request:
        if safe.url != request.url:
            yield "request", "url"
        yield from _headers("request", request.headers, safe.headers)
        yield from _body("request", request.body, safe.body)
    safe_response = redactor.response(response, redactor.secrets_of(request))
    if safe_response is not response:
        yield from _headers("response", response.headers, safe_response.headers)
        if response.is_stream:
            yield from _stream(response, safe_response)
        else:
            yield from _body("response", response.body, safe_response.body)


def _headers(side: str, given: Headers, safe: Headers) -> Iterator[Place]:
    for (name, value), (_, hidden) in zip(given, safe, strict=True):
        if value != hidden:
            yield side, "headers", name


def _body(side: str, given: bytes, safe: bytes) -> Iterator[Place]:
    if given == safe:
        return
    try:
        places = list(_differing(json.loads(given), json.loads(safe), ()))
    except (ValueError, RecursionError):
        places = []
    for place in places or [()]:
        yield side, "body", *place


def _differing(given: Any, safe: Any, place: Place) -> Iterator[Place]:
    """Yield where two JSON values differ; the container where it is the names in it that do."""
    if isinstance(given, dict) and isinstance(safe, dict) and list(given) == list(safe):
        for name, value in given.items():
            yield from _differing(value, safe[name], (*place, name))
    elif isinstance(given, list) and isinstance(safe, list):
        for index, (value, hidden) in enumerate(zip(given, safe, strict=True)):
            yield from _differing(value, hidden, (*place, index))
    elif given != safe:
        yield place


def _stream(given: Response, safe: Response) -> Iterator[Place]:
    """Yield the chunks that differ; only the first where chunks have gone, since the others have moved."""
    pairs = zip_longest(given.chunks, safe.chunks)
    places = [index for index, (chunk, hidden) in enumerate(pairs) if chunk != hidden]
    for index in places if len(given.chunks) == len(safe.chunks) else places[:1]:
        yield "response", "stream", index


def _label(place: Place) -> str:
    side, part, *inner = place
    match part:
        case "headers":
            return f"{side} header {inner[0]}"
        case "body":
            return f"{side} body" + (f" at {paths.show(inner)}" if inner else "")
        case "stream":
            return f"{side} stream[{inner[0]}]"
    return f"{side} {part}"


def _line(place: Place, lines: dict[Place, int]) -> int | None:
    """Return the line of a place, else of what it is in."""
    side, part, *inner = place
    for form in BODY_FIELDS if part == "body" else (part,):
        if (0, side, form) in lines:
            full = (0, side, form, *inner)
            return next(lines[full[:end]] for end in range(len(full), 0, -1) if full[:end] in lines)
    return lines.get((0, side))

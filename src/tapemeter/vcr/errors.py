"""What VCR.py raises: exceptions, not refusals, since suites expect and catch them.

    CannotOverwriteExistingCassetteException (Exception)    no recorded answer, and the mode records none
      MissingMetadataError                                    the same for a value of `get_metadata`
    UnhandledHTTPRequestError (KeyError)                    a cassette was asked for the answer of a request it lacks

A message says what was asked, what the cassette has, what is nearest and how it differs, and what to do.
"""

from __future__ import annotations

import os
from typing import Any

from tapemeter.vcr.matchers import name_of
from tapemeter.vcr.util import read_body

_SHOWN = 3
_LONGEST_BODY = 300

Similar = list[tuple[Any, list[str], list[tuple[str, str | None]]]]


class CannotOverwriteExistingCassetteException(Exception):  # noqa: N818 - the name that suites catch
    """A request has no recorded answer that is still to be played, and the mode does not allow recording one.

    `cassette` and `failed_request` say where and what; `similar_requests` are the nearest recorded ones, each with the
    matchers that hold and those that fail; `reason` is `cassette_not_found`, `already_played`, `no_match` or
    `nothing_similar`.
    """

    def __init__(self, *args: Any, **fields: Any) -> None:
        del args
        self.cassette: Any = fields["cassette"]
        self.failed_request: Any = fields["failed_request"]
        self.similar_requests: Similar = self.cassette.find_requests_with_most_matches(self.failed_request)
        self.reason = _reason(self.cassette, self.similar_requests)
        super().__init__(_message(self.cassette, self.failed_request, self.similar_requests, self.reason))

    @staticmethod
    def _get_message(cassette: Any, failed_request: Any) -> str:
        similar = cassette.find_requests_with_most_matches(failed_request)
        return _message(cassette, failed_request, similar, _reason(cassette, similar))


class MissingMetadataError(CannotOverwriteExistingCassetteException):
    """A cassette has no value under a key, and its mode does not allow adding one."""

    def __init__(self, *args: Any, **fields: Any) -> None:
        self.cassette, self.key = fields["cassette"], fields["key"]
        self.failed_request, self.similar_requests, self.reason = None, [], "missing_metadata"
        Exception.__init__(
            self,
            f"the cassette {self.cassette._path} has no metadata {self.key!r}, and record_mode "  # noqa: SLF001 - VCR.py's own name for it
            f"{_mode(self.cassette)!r} adds none; record it again, or use record_mode 'new_episodes'",
        )
        del args


class UnhandledHTTPRequestError(KeyError):
    """A cassette has no answer to the request that it was asked for."""


def _reason(cassette: Any, similar: Similar) -> str:
    if not cassette.rewound and not len(cassette):
        return "cassette_not_found"
    if not similar:
        return "nothing_similar"
    return "no_match" if similar[0][2] else "already_played"


def _message(cassette: Any, request: Any, similar: Similar, reason: str) -> str:
    matchers = [name_of(matcher) for matcher in cassette._match_on]  # noqa: SLF001 - VCR.py's own name for it
    lines = [_headline(cassette, similar, reason), f"  asked     {_shown(request)}"]
    body = read_body(request) if {"body", "raw_body"} & set(matchers) else None
    if body:
        lines.append(f"  body      {_preview(body)}")
    state = f"{len(cassette)} recorded, {len(cassette.play_counts)} played; record_mode {_mode(cassette)!r}"
    lines.append(f"  cassette  {cassette._path} ({state})")  # noqa: SLF001 - as above
    lines.append(f"  compared  {', '.join(matchers)}")
    if reason == "no_match":
        lines.append("  nearest recorded requests:")
        for number, (found, _, failed) in enumerate(similar[:_SHOWN], start=1):
            lines.append(f"    {number}. {_shown(found)}")
            lines += [_failure(name, said) for name, said in failed]
        if similar[_SHOWN:]:
            lines.append(f"    and {len(similar) - _SHOWN} more")
    return "\n".join([*lines, *_remedies(reason, cassette)])


def _headline(cassette: Any, similar: Similar, reason: str) -> str:
    match reason:
        case "cassette_not_found":
            is_there = os.path.exists(cassette._path)  # noqa: PTH110, SLF001 - a path of any kind
            problem = "the cassette could not be read" if is_there else "the cassette does not exist"
        case "already_played":
            times = sum(not failed for _, _, failed in similar)
            problem = f"what was recorded of it ({times} time{'s' if times > 1 else ''}) has been played already"
        case "no_match":
            problem = f"no recorded request is like it; the nearest differ in {_names(similar[0][2])}"
        case _:
            problem = "the cassette has nothing similar"
    return f"Can't play this request: {problem}, and record_mode {_mode(cassette)!r} does not record it"


def _remedies(reason: str, cassette: Any) -> list[str]:
    record = "run once with record_mode 'new_episodes', or 'all' to record everything anew"
    if cassette.held_to_replay:
        record = "run once without the mode replay, which forbids recording, and with record_mode 'new_episodes'"
    match reason:
        case "cassette_not_found":
            return [f"  to record it: {record}", "  if it should be there: check its path, and cassette_library_dir"]
        case "already_played":
            return ["  to answer it more often: allow_playback_repeats=True", f"  to record one more: {record}"]
        case "no_match":
            return [
                f"  if it changed on purpose: {record}",
                "  if it differs each time: loosen match_on, or change the request in before_record_request",
            ]
    return [f"  to record it: {record}", "  if it is not to be recorded: ignore_hosts, or ignore_localhost"]


def _failure(name: str, said: str | None) -> str:
    lines = (said or "").strip().splitlines()
    if len(lines) > 1:
        return "\n".join([f"       {name} differs:", *(f"         {line}" for line in lines)])
    return f"       {name} differs{': ' if lines else ''}{''.join(lines)}"


def _shown(request: Any) -> str:
    method, uri = getattr(request, "method", None), getattr(request, "uri", None)
    return repr(request) if method is None or uri is None else f"{method} {uri}"


def _preview(body: Any) -> str:
    if isinstance(body, bytes | bytearray):
        try:
            body = body.decode()
        except UnicodeDecodeError:
            return f"<{len(body)} bytes>"
    text = str(body)
    return text if len(text) <= _LONGEST_BODY else f"{text[:_LONGEST_BODY]}… ({len(text)} characters)"


def _names(failed: list[tuple[str, str | None]]) -> str:
    names = [name for name, _ in failed]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _mode(cassette: Any) -> str:
    return str(getattr(cassette.record_mode, "value", cassette.record_mode))

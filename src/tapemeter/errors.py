"""Every error the product raises, as one tree.

    TapemeterError (Exception)            something is wrong with what was given
      UsageError                          an option, marker, setting or argument
      CassetteError                       a cassette file
        CassetteFormatError                 is not what it should be, at a line
        CassetteTooLargeError               is beyond the documented bounds
      PolicyError                         a file of limits or prices is not what it should be, at a line
      InterceptionError                   a client library changed, so calls would be missed
      NetworkBlockedError                 something other than a model call wanted to leave the machine
      EvidenceError                       events or a report: edited, cut, or not of their schema
      ConfigError                         where model calls go: a variable or a line of the config file is wrong
      ProviderError                       a model was asked, and there is no answer
        ProxyUnreachableError               the gateway does not answer at all
      CostCalculationError                a cost was asked for that is not known
    Refusal (BaseException)               a model call was refused, or cut short
      CassetteMiss                        no unplayed recording answers it
      UnreadableCassette                  its cassette is broken; the CassetteError is the cause
      PartialRecording                    the recording ends where the caller stopped reading back then
      UnownedCall                         it belongs to no test that is running
      BudgetStopped                       a limit does not hold

A `Refusal` is no `Exception`, so that neither an SDK's retry loop nor an agent's `except Exception` turns
it into a slow, misleading "connection error". Each class has a `slug` that names its section in
`docs/reference/errors.md`, and every instance survives pickling.
"""

from __future__ import annotations

from typing import Any, ClassVar


class _Pickled:
    """Rebuilds an error from its fields, so that keyword arguments survive pickling."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.args, self.__dict__))  # type: ignore[attr-defined]


def _rebuild(kind: type[BaseException], args: tuple[Any, ...], fields: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class TapemeterError(_Pickled, Exception):
    """Something is wrong with what the product was given. The root of all ordinary errors."""

    slug: ClassVar[str] = "error"


class UsageError(TapemeterError):
    """An option, marker, setting or argument cannot be honoured; the message says what to write instead."""

    slug = "usage"


class CassetteError(TapemeterError):
    """A cassette file cannot be used."""

    slug = "cassette"


class CassetteFormatError(CassetteError):
    """A cassette is cut, broken or not a cassette at all.

    `path` is the file; `line` is 1-based, or None where the fault has no place.
    """

    slug = "cassette-format"

    def __init__(self, problem: str, *, path: str = "", line: int | None = None) -> None:
        place = f"{path or 'cassette'}:{line}" if line is not None else path or "cassette"
        super().__init__(f"{place}: {problem}")
        self.problem, self.path, self.line = problem, path, line

    def located(self, path: str) -> CassetteFormatError:
        """Return the same error with the file named."""
        return CassetteFormatError(self.problem, path=path, line=self.line)


class CassetteTooLargeError(CassetteError):
    """A cassette is larger or deeper than the documented bounds, so it is not read."""

    slug = "cassette-too-large"


class PolicyError(TapemeterError):
    """A file of limits or prices is cut, broken or not what its schema says; the message says what is expected.

    `path` is the file; `line` is 1-based, or None where the fault has no place.
    """

    slug = "policy"

    def __init__(self, problem: str, *, path: str = "", line: int | None = None) -> None:
        place = f"{path or 'policy'}:{line}" if line is not None else path or "policy"
        super().__init__(f"{place}: {problem}")
        self.problem, self.path, self.line = problem, path, line


class InterceptionError(TapemeterError):
    """A client library no longer has the shape that interception relies on, so its calls would be missed."""

    slug = "interception"


class NetworkBlockedError(TapemeterError, OSError):
    """Something wanted to leave the machine, and the rules in force do not allow it.

    `host` and `port` say where to (`port` is None for a name look-up), `test` who asked.
    """

    slug = "network-blocked"

    def __init__(self, message: str, *, host: str, port: int | None, test: str | None) -> None:
        super().__init__(message)
        self.host, self.port, self.test = host, port, test


class Refusal(_Pickled, BaseException):
    """A model call was refused before a byte left, or cut short. The root of all refusals; not an `Exception`."""

    slug: ClassVar[str] = "refusal"


class CassetteMiss(Refusal):
    """Replay has no unplayed recording for the request.

    `test` is the node id (or fixture) that asked, `cassette` the file, `changed` the paths at which the nearest
    recording differs, such as `("messages[0].content",)`; empty where there is nothing to compare with.
    """

    slug = "cassette-miss"

    def __init__(self, message: str, *, test: str, cassette: str, changed: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.test, self.cassette, self.changed = test, cassette, changed


class UnreadableCassette(Refusal):
    """The cassette that should answer cannot be read; the message and the cause say where it is broken."""

    slug = "unreadable-cassette"


class PartialRecording(Refusal):
    """The caller read on past the point where it had stopped when the stream was recorded."""

    slug = "partial-recording"


class UnownedCall(Refusal):
    """A call came from code that no running test started, such as a thread left over from an earlier test."""

    slug = "unowned-call"


class BudgetStopped(Refusal):
    """A limit does not hold; the job is STOPPED_BUDGET, and none of its calls goes out any more.

    `test` is the node id (or fixture) that asked, `scope` and `limit` name the limit (`job`, `calls`), `used` is
    what had been used of it and `value` what it allows: Decimal for money, float for seconds, int for all else.
    """

    slug = "budget-stopped"

    def __init__(self, message: str, *, test: str, scope: str, limit: str, used: Any, value: Any) -> None:
        super().__init__(message)
        self.test, self.scope, self.limit, self.used, self.value = test, scope, limit, used, value


class EvidenceError(TapemeterError):
    """Events or a report are not what they should be: edited, cut, or not of their schema.

    `path` is the file; `line` is 1-based, or None where the fault has no place.
    """

    slug = "evidence"

    def __init__(self, problem: str, *, path: str = "", line: int | None = None) -> None:
        place = f"{path or 'events'}:{line}" if line is not None else path or "events"
        super().__init__(f"{place}: {problem}")
        self.problem, self.path, self.line = problem, path, line


class ConfigError(TapemeterError):
    """What says where model calls go is wrong; the message names the variable, or the line of the config file.

    `path` is the file, or the environment variable; `line` is 1-based, or None where the fault has no place.
    """

    slug = "config"

    def __init__(self, problem: str, *, path: str = "", line: int | None = None) -> None:
        place = f"{path or 'configuration'}:{line}" if line is not None else path or "configuration"
        super().__init__(f"{place}: {problem}")
        self.problem, self.path, self.line = problem, path, line


class ProviderError(TapemeterError):
    """A model was asked, and there is no answer, or only a part of one.

    `kind` is one of `auth`, `budget`, `connection`, `content_filter`, `context_length`, `cut`, `invalid_request`,
    `not_found`, `overloaded`, `protocol`, `rate_limit`, `server_error`, `timeout`. `provider` and `model` say who was
    asked; `status` is the HTTP status, None where none came. `retry_after` is seconds, as the server wants it.
    `attempts` counts HTTP exchanges. `partial` is the text that had come.
    """

    slug = "provider"

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        provider: str,
        model: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        attempts: int = 1,
        partial: str = "",
    ) -> None:
        super().__init__(message)
        self.kind, self.provider, self.model, self.status = kind, provider, model, status
        self.retry_after, self.attempts, self.partial = retry_after, attempts, partial

    @property
    def is_transient(self) -> bool:
        """Whether the same request may well succeed later, or elsewhere."""
        return self.kind in _TRANSIENT


_TRANSIENT = frozenset({"connection", "cut", "overloaded", "protocol", "rate_limit", "server_error", "timeout"})


class ProxyUnreachableError(ProviderError):
    """The gateway does not answer; the message names its address and what to do."""

    slug = "proxy-unreachable"


class CostCalculationError(TapemeterError):
    """What a call cost was asked for, and it cannot be told; the message says which price is missing."""

    slug = "cost-calculation"

"""Wire protocols of somebody's own, for as long as they are registered.

They come before those of the package, the last registered first, so that one can also take the place of a parser.
Whatever their functions raise becomes a warning: a call must not fail because it could not be counted.
"""

from __future__ import annotations

import re
import warnings
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from tapemeter.errors import UsageError
from tapemeter.providers.wire import Tokens, UnreadError, Wire
from tapemeter.values import Value, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

_lock = Lock()
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class _Own(Value):
    wire: Wire
    host: re.Pattern[str] | None
    path: re.Pattern[str] | None
    by: object
    """Which registration it came by."""


ANY: tuple[_Own, ...] = ()
"""Those that are registered; always replaced as a whole, so that it is read without the lock."""


class Registration:
    """Protocols that are registered until `undo`, or the end of a `with` block."""

    def undo(self) -> None:
        """Take these protocols away, and no others; again does nothing."""
        global ANY  # noqa: PLW0603 - one registry for the process, as there is one patch of its clients
        with _lock:
            ANY = tuple(row for row in ANY if row.by is not self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


def register(wires: Iterable[Wire]) -> Registration:
    """Have protocols of one's own read until what is returned is undone.

    Each needs a name that none of the package has, and a host or a path to be known by. UsageError says which one is
    not as it should be; none is registered then.
    """
    global ANY  # noqa: PLW0603 - see above
    registration = Registration()
    rows = [_checked(wire, registration) for wire in wires]
    with _lock:
        ANY = (*rows, *ANY)
    return registration


def named(name: str) -> Wire | None:
    """Return the registered protocol of a name."""
    return next((row.wire for row in ANY if row.wire.name == name), None) if ANY else None


def find(host: str, path: str) -> tuple[Wire, str | None] | None:
    """Return the registered protocol of a host and a path, and the model that the path names."""
    for row in ANY:
        if row.host is not None and not row.host.search(host):
            continue
        match = None if row.path is None else row.path.search(path)
        if row.path is None or match is not None:
            return row.wire, None if match is None else match.groupdict().get("model")
    return None


def _checked(wire: Any, by: object) -> _Own:
    from tapemeter.providers.wires import BY_NAME  # noqa: PLC0415 - it looks here for every request

    if not isinstance(wire, Wire):
        raise UsageError(f"llm_providers: expected a tapemeter.providers.Wire but got {type(wire).__name__}")
    what = f"llm_providers: the protocol {wire.name!r}"
    if not _NAME.fullmatch(str(wire.name)):
        raise UsageError(f"{what} needs a name of small letters, digits and underscores, of at most 64")
    if wire.name in BY_NAME:
        raise UsageError(f"{what} has the name of a built-in one; choose another")
    if not wire.host and not wire.path:
        raise UsageError(f"{what} names neither a host nor a path, so no request could be known by it")
    if not isinstance(wire.tokens, Tokens):
        raise UsageError(f"{what} has tokens={wire.tokens!r}; expected a tapemeter.providers.Tokens")
    for name in ("ask", "read", "follow"):
        if not callable(getattr(wire, name)):
            raise UsageError(f"{what} has {name}={getattr(wire, name)!r}; expected a function")
    return _Own(_guarded(wire), _compiled(wire.host, what, "host"), _compiled(wire.path, what, "path"), by)


def _compiled(pattern: str | None, what: str, name: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except (re.error, TypeError) as error:
        raise UsageError(f"{what} has {name}={pattern!r}, which is no regular expression: {error}") from error


def _guarded(wire: Wire) -> Wire:
    given = {name: getattr(wire, name) for name in ("ask", "read", "follow", "head", "refuse")}
    guarded: dict[str, Any] = {name: _guard(call, wire.name, name) for name, call in given.items() if call is not None}
    return replace(wire, **guarded)


def _guard(function: Callable[..., Any], wire: str, name: str) -> Callable[..., Any]:
    def guarded(*values: Any) -> Any:
        try:
            return function(*values)
        except RecursionError:
            raise
        except Exception as error:
            # Its message may show what was asked or answered.
            warnings.warn(
                f"{name} of the protocol {wire!r} raised {type(error).__name__}; the call is counted by what was read",
                RuntimeWarning,
                stacklevel=2,
            )
            raise UnreadError from error

    return guarded

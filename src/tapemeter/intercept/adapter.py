"""What an adapter for a client library is, and how the parts of one call are put around a send.

An adapter replaces the one method of its library through which every request passes. `claim` asks whose call it is;
`sending` is what holds while a claimed call is on its way, `reading` while its body is read, and `raise_ending` is how
a recorded body ends.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from tapemeter import claiming, exchange
from tapemeter.errors import BudgetStopped, InterceptionError, PartialRecording
from tapemeter.intercept import guard
from tapemeter.model import Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from tapemeter.exchange import Call
    from tapemeter.model import Headers, Request, Response
    from tapemeter.owner import Owner

GRACE = 5.0
"""Seconds beyond the recorded time for which a cancelled stream waits to be cancelled again."""


class Adapter(Protocol):
    """A client library that can be intercepted."""

    module: str
    """The import name of the library that is hooked; nothing happens before it is imported."""

    def install(self, module: ModuleType) -> Callable[[], None]:
        """Intercept the library and return what undoes it; InterceptionError where it would miss calls."""


def claim(head: Request) -> Owner | None:
    """Return the owner of a call from its request line and headers, or None for a request that is let through.

    Besides what `claiming.claim` lets through, that is a request that a library makes on its way to send a call that
    was claimed above it, so that a call is recorded once however many layers it passes; and one of our own, such as an
    alarm.
    """
    return None if guard.is_passing() else claiming.claim(head)


@contextmanager
def sending(call: Call) -> Iterator[None]:
    """Hold the network guard open for a call that is being sent, and drop the call if no response comes.

    BudgetStopped takes the place of the client's own error where a deadline was why.
    """
    try:
        with guard.passing():
            yield
    except BaseException as error:
        exchange.drop(call, error)
        raise


@contextmanager
def reading(
    call: Call, *, timeouts: tuple[type[Exception], ...], breaks: tuple[type[Exception], ...]
) -> Iterator[None]:
    """Finish the call with what goes wrong while its body is read.

    `timeouts` and `breaks` are how the library says so; BudgetStopped takes their place where a deadline was why.
    """
    try:
        try:
            yield
        except (*timeouts, *breaks):
            exchange.expire(call)
            raise
    except BudgetStopped:
        exchange.finish(call, Ending.CUT)
        raise
    except timeouts:
        exchange.finish(call, Ending.TIMEOUT)
        raise
    except breaks:
        exchange.finish(call, Ending.BROKEN)
        raise
    except (GeneratorExit, Exception):
        exchange.finish(call, Ending.ABANDONED)
        raise
    except BaseException:
        exchange.finish(call, Ending.CANCELLED)
        raise


def raise_ending(replay: Response, *, timeout: Callable[[str], Exception], broken: Callable[[str], Exception]) -> None:
    """Raise what the recorded body ended with, if it did not end well; the library's own errors are given."""
    match replay.ending:
        case Ending.TIMEOUT:
            raise timeout("the recorded stream timed out here")
        case Ending.BROKEN:
            raise broken("the recorded connection broke here")
        case Ending.CUT:
            raise PartialRecording(
                f"the recording ends here, after {len(replay.chunks)} chunks: a budget cut the stream when it was "
                "made, and lets it go on now; record the test again with --record-cassettes=all"
            )
        case Ending.ABANDONED | Ending.CANCELLED:
            raise PartialRecording(
                f"the recording ends here, after {len(replay.chunks)} chunks: the caller stopped reading when it was "
                "made, and reads on now; record the test again with --record-cassettes=all"
            )
        case _:
            return


def missed(module: ModuleType, what: str, version: str | None = None) -> InterceptionError:
    """Return the error for a library that does not have the shape that its adapter relies on."""
    version = version or getattr(module, "__version__", "of unknown version")
    return InterceptionError(
        f"{module.__name__} {version} cannot be intercepted, its calls would be missed: {what}; "
        "install a version that this tapemeter knows, or a newer tapemeter"
    )


def address(scheme: str, host: str, port: int | None, target: str) -> str:
    """Return the absolute URL of a request; `target` is one already where it goes to a proxy."""
    if target.startswith(("http://", "https://")):
        return target
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}{target}"


def lower(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Return header lines as they are kept everywhere else."""
    return tuple((name.lower(), value) for name, value in pairs)


def takes(owner: object, name: str, *arguments: Any, **options: Any) -> bool:
    """Say whether an object has a method that can be called so, as it is or wrapped by somebody else."""
    method = getattr(owner, name, None)
    if not callable(method):
        return False
    try:
        inspect.signature(method).bind(*arguments, **options)
    except TypeError:
        return False
    return True

"""Asks one target after another until one answers, and says which did and why it was not the first.

    connection, timeout, rate_limit, overloaded,      the target is at fault: the next one is asked, and the circuit of
    server_error, protocol, cut, auth, not_found      this one counts a failure
    context_length                                    the target works, but another may take more: the next one is asked
    invalid_request                                   the request is at fault, and would be everywhere: raised at once
    content_filter                                    what one provider refuses is not taken to another unasked: raised
    budget                                            money that is spent is spent for all: raised at once

A stream goes to the next target only before its first piece: what was shown cannot be taken back. Refusals of
tapemeter's own, cancellation and errors in the program pass through; they say nothing of the target, so that a probe
is given back.
"""

from __future__ import annotations

from contextlib import aclosing, closing
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, cast

from tapemeter.client.result import Answer, Delta
from tapemeter.errors import ProviderError, ProxyUnreachableError, UsageError
from tapemeter.values import Value, replace

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from tapemeter.client.circuit import CircuitBreaker, Permit
    from tapemeter.client.provider import ModelProvider
    from tapemeter.client.request import ModelRequest

FAULTS_OF_TARGET = frozenset(
    {
        "auth",
        "connection",
        "cut",
        "not_found",
        "overloaded",
        "protocol",
        "rate_limit",
        "server_error",
        "timeout",
    }
)
"""Kinds of ProviderError that count against a target's circuit."""
WORTH_ANOTHER = FAULTS_OF_TARGET | {"context_length"}
"""Kinds of ProviderError after which the next target is asked."""
_LONGEST_TOLD = 300
"""Characters of the message of one target's error."""


class Target(Value, eq=False):
    """One model that can be asked: what messages call it, who serves it under which name, and its circuit, if any."""

    name: str
    provider: ModelProvider
    model: str
    breaker: CircuitBreaker | None = None


class Route(Value):
    """The target of an attempt; `reason` says what became of each before it: `rate_limit (HTTP 429) at main`."""

    target: Target
    is_fallback: bool = False
    reason: str | None = None


class Routed(NamedTuple):
    """An answer, and the way it came."""

    answer: Answer
    route: Route


class FallbackChain:
    """Targets in the order in which they are asked. Safe for threads and tasks: it keeps nothing of a call.

    `on_attempt` is told of every attempt before it is made, in the context of whoever asks.
    """

    def __init__(self, targets: Sequence[Target], *, on_attempt: Callable[[Route], None] | None = None) -> None:
        if not targets:
            raise UsageError("there is no model to ask; give at least one target")
        self.targets = tuple(targets)
        self._on_attempt = on_attempt

    def complete(self, request: ModelRequest) -> Routed:
        """Return the first answer there is; ProviderError that lists each target and why it has none."""
        walk = _Walk(self.targets, request, self._on_attempt)
        while True:
            with walk.next() as attempt:
                return attempt.answered(attempt.provider.complete(attempt.request))

    async def acomplete(self, request: ModelRequest) -> Routed:
        """Return the first answer there is, as `complete` does."""
        walk = _Walk(self.targets, request, self._on_attempt)
        while True:
            with walk.next() as attempt:
                return attempt.answered(await attempt.provider.acomplete(attempt.request))

    def stream(self, request: ModelRequest) -> Iterator[Delta | Routed]:
        """Yield the pieces of the first answer there is, then the whole of it with its way; errors as `complete`.

        ProviderError with the text so far where it breaks after its first piece.
        """
        walk = _Walk(self.targets, request, self._on_attempt)
        while not walk.done:
            with (
                walk.next() as attempt,
                closing(cast("Generator[Delta | Answer]", attempt.provider.stream(attempt.request))) as pieces,
            ):
                for piece in pieces:
                    yield attempt.took(piece)
                attempt.check_whole()

    async def astream(self, request: ModelRequest) -> AsyncIterator[Delta | Routed]:
        """Yield the pieces of the first answer there is, as `stream` does."""
        walk = _Walk(self.targets, request, self._on_attempt)
        while not walk.done:
            with walk.next() as attempt:
                whole = cast("AsyncGenerator[Delta | Answer]", attempt.provider.astream(attempt.request))
                async with aclosing(whole) as pieces:
                    async for piece in pieces:
                        yield attempt.took(piece)
                attempt.check_whole()


class _Miss(NamedTuple):
    """A target that gave no answer; `error` is None for one that was not asked."""

    target: Target
    reason: str
    error: ProviderError | None
    retry_after: float | None


class _Walk:
    """One way along the targets, the same for those who wait and those who await."""

    def __init__(
        self, targets: Sequence[Target], request: ModelRequest, on_attempt: Callable[[Route], None] | None
    ) -> None:
        self._left = iter(targets)
        self._request = request
        self._on_attempt = on_attempt
        self.misses: list[_Miss] = []
        self.done = False

    def next(self) -> _Attempt:
        """Return an attempt at the next target whose circuit lets it through; ProviderError where none is left."""
        for target in self._left:
            breaker = target.breaker
            permit = None if breaker is None else breaker.acquire()
            if breaker is not None and permit is None:
                wait = breaker.seconds_to_probe
                self.misses.append(_Miss(target, _left_alone(target, wait), None, wait))
                continue
            reason = "; ".join(miss.reason for miss in self.misses) or None
            route = Route(target, is_fallback=bool(self.misses), reason=reason)
            return _Attempt(self, route, permit, replace(self._request, model=target.model), self._on_attempt)
        errors = [miss.error for miss in self.misses if miss.error is not None]
        if errors and len(self.misses) == 1:
            raise errors[0]
        raise _no_answer(self.misses, errors) from (errors[-1] if errors else None)


class _Attempt:
    """One attempt; a context that swallows the errors after which the next target is asked."""

    def __init__(
        self,
        walk: _Walk,
        route: Route,
        permit: Permit | None,
        request: ModelRequest,
        on_attempt: Callable[[Route], None] | None,
    ) -> None:
        self._walk, self._route, self._permit, self._on_attempt = walk, route, permit, on_attempt
        self.request = request
        self.provider = route.target.provider
        self._text: list[str] = []
        self._started = False

    def __enter__(self) -> Self:
        try:
            if self._on_attempt is not None:
                self._on_attempt(self._route)
        except BaseException:
            self._settle(answered=None)
            raise
        return self

    def answered(self, answer: Answer) -> Routed:
        """Return an answer with its way."""
        self._started = self._walk.done = True
        self._settle(answered=True)
        return Routed(answer, self._route)

    def took(self, piece: Delta | Answer) -> Delta | Routed:
        """Return a piece of a stream as it goes on."""
        if isinstance(piece, Answer):
            return self.answered(piece)
        self._started = True
        self._text.append(piece.text)
        return piece

    def check_whole(self) -> None:
        """Raise where a stream ended without its answer."""
        if not self._walk.done:
            target = self._route.target
            raise ProviderError(
                f"{target.name} ended its stream without an answer; ask again",
                kind="protocol",
                provider=target.provider.name,
                model=target.model,
                partial="".join(self._text),
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool:
        if isinstance(error, ProviderError):
            self._settle(answered=error.kind not in FAULTS_OF_TARGET)
            if self._started or error.kind not in WORTH_ANOTHER:
                return False
            target = self._route.target
            self._walk.misses.append(_Miss(target, _told(error, target), error, error.retry_after))
            return True
        # Whoever closes a stream that had begun has seen that the target answers.
        self._settle(answered=True if self._started and isinstance(error, GeneratorExit) else None)
        return False

    def _settle(self, *, answered: bool | None) -> None:
        """Say to the circuit whether the target answered; None where that is not known."""
        match self._permit, answered:
            case None, _:
                pass
            case permit, None:
                permit.lost()
            case permit, True:
                permit.succeeded()
            case permit, _:
                permit.failed()


def _told(error: ProviderError, target: Target) -> str:
    status = f" (HTTP {error.status})" if error.status is not None else ""
    return f"{error.kind}{status} at {target.name}"


def _left_alone(target: Target, wait: float | None) -> str:
    when = "a probe is under way" if wait is None else f"next probe in {ceil(wait)} s"
    return f"circuit open at {target.name}, {when}"


def _no_answer(misses: Sequence[_Miss], errors: Sequence[ProviderError]) -> ProviderError:
    """Return the error for targets of which none answered, which lists them all."""
    listed = "\n".join(f"  {_line(miss)}" for miss in misses)
    waits = [miss.retry_after for miss in misses if miss.retry_after is not None]
    # A caller that asks `is_transient` wants to know whether to try later: one target that may answer then is enough.
    weightiest = next((error for error in errors if error.is_transient), errors[0] if errors else None)
    first = misses[0].target
    unreachable = errors and all(isinstance(error, ProxyUnreachableError) for error in errors)
    make = ProxyUnreachableError if unreachable else ProviderError
    return make(
        f"no model answered; tried in this order:\n{listed}",
        kind="overloaded" if weightiest is None else weightiest.kind,
        provider=first.provider.name,
        model=first.model,
        status=None if weightiest is None else weightiest.status,
        retry_after=min(waits, default=None),
        attempts=sum(error.attempts for error in errors),
    )


def _line(miss: _Miss) -> str:
    if miss.error is None:
        return miss.reason
    said = " ".join(str(miss.error).split())
    return f"{miss.reason}: {said if len(said) <= _LONGEST_TOLD else said[: _LONGEST_TOLD - 1] + '…'}"

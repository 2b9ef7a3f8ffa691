"""A circuit breaker: leaves a target alone that failed several times in a row, and tries later whether it is back.

    CLOSED ────tripped───> OPEN        so many failures in a row
    OPEN ──────probe─────> HALF_OPEN   the first call after the cool-down; nothing runs in the background
    HALF_OPEN ─success───> CLOSED
    HALF_OPEN ─failure───> OPEN        and the cool-down begins anew
    HALF_OPEN ─lost──────> OPEN        the probe was cancelled and says nothing, so the next call is another

While a probe is under way no other call is let through. A call that was let through before the state last changed
says nothing of the target as it is now, so its outcome counts no more.
"""

from __future__ import annotations

import threading
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapemeter.client.config import Circuit


class CircuitState(StrEnum):
    """Whether calls are let through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Signal(StrEnum):
    """What can happen to a circuit."""

    SUCCESS = "success"
    FAILURE = "failure"
    TRIPPED = "tripped"
    """A failure that is one too many in a row."""
    PROBE = "probe"
    """A call came after the cool-down."""
    LOST = "lost"
    """A call ended without a word on its target: it was cancelled, or never made."""


TRANSITIONS = MappingProxyType(
    {
        (CircuitState.CLOSED, Signal.TRIPPED): CircuitState.OPEN,
        (CircuitState.OPEN, Signal.PROBE): CircuitState.HALF_OPEN,
        (CircuitState.HALF_OPEN, Signal.SUCCESS): CircuitState.CLOSED,
        (CircuitState.HALF_OPEN, Signal.FAILURE): CircuitState.OPEN,
        (CircuitState.HALF_OPEN, Signal.LOST): CircuitState.OPEN,
    }
)
"""The state that follows; a pair that is missing changes nothing."""


class Permit:
    """Leave to make one call. Whoever has it says once how the call ended; what is said after that is not heard."""

    __slots__ = ("_breaker", "_era")

    def __init__(self, breaker: CircuitBreaker, era: int) -> None:
        self._breaker: CircuitBreaker | None = breaker
        self._era = era

    def succeeded(self) -> None:
        """Say that the target answered."""
        self._settle(Signal.SUCCESS)

    def failed(self) -> None:
        """Say that the target did not answer, or not as it should."""
        self._settle(Signal.FAILURE)

    def lost(self) -> None:
        """Give the permit back: the call says nothing of the target."""
        self._settle(Signal.LOST)

    def _settle(self, signal: Signal) -> None:
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker._settle(self._era, signal)  # noqa: SLF001 - a permit is a part of its breaker


class CircuitBreaker:
    """The circuit of one target. Safe for threads and tasks, and never waits for anything but its own short lock.

    `clock` gives seconds that do not run backwards; which moment is zero does not matter.
    """

    def __init__(self, name: str, circuit: Circuit, clock: Callable[[], float]) -> None:
        self.name = name
        self._circuit = circuit
        self._clock = clock
        self._state = CircuitState.CLOSED
        self._failures = 0
        """In a row, while it is closed."""
        self._closed_until = 0.0
        """The moment from which on a call is a probe, while it is open."""
        self._era = 0
        """How often the state has changed."""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<circuit {self.name} {self._state}>"

    @property
    def state(self) -> CircuitState:
        """Where it is; after the cool-down it is open until a call comes."""
        return self._state

    @property
    def seconds_to_probe(self) -> float | None:
        """How long it is until a call is let through: 0 where one is now, None while a probe is under way."""
        with self._lock:
            if self._state is CircuitState.HALF_OPEN:
                return None
            return self._wait()

    def acquire(self) -> Permit | None:
        """Return leave to make a call now, or None where the target is left alone."""
        with self._lock:
            if self._state is CircuitState.HALF_OPEN or self._wait() > 0:
                return None
            self._take(Signal.PROBE)
            return Permit(self, self._era)

    def _wait(self) -> float:
        return max(0.0, self._closed_until - self._clock()) if self._state is CircuitState.OPEN else 0.0

    def _settle(self, era: int, signal: Signal) -> None:
        with self._lock:
            if era != self._era:
                return
            if self._state is CircuitState.CLOSED:
                if signal is Signal.SUCCESS:
                    self._failures = 0
                elif signal is Signal.FAILURE:
                    self._failures += 1
                    signal = Signal.TRIPPED if self._failures >= self._circuit.failures else signal
            if signal in {Signal.FAILURE, Signal.TRIPPED}:
                self._closed_until = self._clock() + self._circuit.cool_down
            self._take(signal)

    def _take(self, signal: Signal) -> None:
        """Go where the table leads. The lock is held."""
        after = TRANSITIONS.get((self._state, signal))
        if after is not None:
            self._state, self._failures = after, 0
            self._era += 1

"""What the `llm_cassette` fixture gives."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tapemeter.cassette.mode import Mode
from tapemeter.errors import CassetteMiss

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tapemeter.cassette.model import Interaction
    from tapemeter.errors import Refusal
    from tapemeter.owner import Owner


class ActiveCassette:
    """The cassette of the running test, as the `llm_cassette` fixture gives it."""

    def __init__(self, owner: Owner | None) -> None:
        self._owner = owner

    def __repr__(self) -> str:
        return f"<llm_cassette {self.path} {self.mode}>"

    @property
    def mode(self) -> str:
        """How the test's calls are answered: replay, record, record-all, live, verify or off."""
        return "off" if self._owner is None else self._owner.mode.value

    @property
    def path(self) -> Path | None:
        """The file, whether it exists or not; None in mode off."""
        return None if self._owner is None else self._owner.cassette.path

    @property
    def interactions(self) -> list[Interaction]:
        """All interactions: those on file, and those recorded by this test so far."""
        if self._owner is None:
            return []
        cassette = self._owner.cassette
        return [*(recording.interaction for recording in cassette.recordings), *cassette.new]

    @property
    def played(self) -> list[Interaction]:
        """The interactions on file that answered a call of this test."""
        if self._owner is None:
            return []
        return [recording.interaction for recording in self._owner.cassette.played]

    @property
    def unplayed(self) -> list[Interaction]:
        """The interactions on file that answered none yet."""
        if self._owner is None:
            return []
        return [recording.interaction for recording in self._owner.cassette.unplayed]

    @property
    def refusals(self) -> list[Refusal]:
        """The calls that were refused so far; while the list is not empty, the test fails at its end."""
        return [] if self._owner is None else self._owner.refusals

    @contextmanager
    def expect_miss(self) -> Iterator[list[CassetteMiss]]:
        """Expect that the block asks for something that has no recording; the test goes on without failing for it.

        Inside the block calls are answered as in replay, in every mode, so that nothing is sent. Gives a list that
        holds the misses afterwards. Fails where there were none.
        """
        owner = self._owner
        if owner is None:
            pytest.skip("--llm-mode=off refuses no call, so there is no miss to expect")
        mode, owner.mode = owner.mode, Mode.REPLAY

        misses: list[CassetteMiss] = []
        before = list(self.refusals)
        try:
            with suppress(CassetteMiss):
                yield misses
        finally:
            owner.mode = mode
        fresh = [refusal for refusal in self.refusals if refusal not in before]
        misses += [refusal for refusal in fresh if isinstance(refusal, CassetteMiss)]
        if not misses:
            pytest.fail("expected a call that has no recording, but every call was answered", pytrace=False)
        self.refusals[:] = [refusal for refusal in self.refusals if refusal not in misses]

"""The fixtures."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.pytest_plugin import markers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tapemeter.active_job import ActiveJob
    from tapemeter.budget.tally import Tally
    from tapemeter.cassette.model import Interaction
    from tapemeter.errors import CassetteMiss, Refusal
    from tapemeter.owner import Owner

LIFECYCLE = "tapemeter-lifecycle"
"""The name under which the plugin object is registered while it is active."""


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
        from tapemeter.cassette.mode import Mode  # noqa: PLC0415 - only tests that expect a miss
        from tapemeter.errors import CassetteMiss  # noqa: PLC0415

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


def owner_of(request: pytest.FixtureRequest) -> Owner | None:
    """Return the owner of the test that asks for a fixture; None where nothing is done with it."""
    lifecycle = request.config.pluginmanager.get_plugin(LIFECYCLE)
    owner: Owner | None = None if lifecycle is None else lifecycle.owner_of(request.node)
    return owner


@pytest.fixture
def llm_cassette(request: pytest.FixtureRequest) -> ActiveCassette:
    """Give the cassette of this test: path, mode, interactions, played, unplayed, refusals, expect_miss()."""
    return ActiveCassette(owner_of(request))


@pytest.fixture
def block_network(request: pytest.FixtureRequest) -> None:
    """Refuse everything that would leave the machine, in every mode; recording still sends its model calls."""
    owner = owner_of(request)
    if owner is not None:
        owner.guarded = True


@pytest.fixture(scope="session")
def llm_cassette_config() -> dict[str, Any]:
    """Override in a module or conftest: returns arguments of the llm_cassette marker for every test below it."""
    return {}


@pytest.fixture(scope="session")
def llm_budget_policy() -> Any:
    """Override in a module or conftest: returns the path of a policy file, or a mapping, for every test below it."""
    return None


@pytest.fixture
def llm_job(request: pytest.FixtureRequest) -> ActiveJob:
    """Give the job of this test: state, stop, usage, budget.remaining, step(name)."""
    from tapemeter.active_job import ActiveJob  # noqa: PLC0415 - only tests that look at their job

    lifecycle, owner = request.config.pluginmanager.get_plugin(LIFECYCLE), owner_of(request)
    if lifecycle is None or owner is None:
        return ActiveJob.of_nothing(request.node.nodeid)
    return ActiveJob(owner.job, lifecycle.session.run)


@pytest.fixture
def llm_usage(llm_job: ActiveJob) -> Tally:
    """Give what the job of this test used so far: calls, input_tokens, cost_usd, by_model, by_step and others."""
    return llm_job.usage


@pytest.fixture
def _llm_seed(request: pytest.FixtureRequest) -> None:
    """Apply what a module or conftest overrides before the other fixtures of the test run."""
    lifecycle = request.config.pluginmanager.get_plugin(LIFECYCLE)
    if lifecycle is not None and lifecycle.owner_of(request.node) is not None:
        values = {name: request.getfixturevalue(name) for name in markers.overrides(request.node)}
        lifecycle.configure(request.node, values)

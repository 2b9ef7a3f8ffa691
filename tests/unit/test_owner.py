"""An owner is a name until its code calls: what is made of it then, how often, and what holds before."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter import owner as owners
from tapemeter.budget.policy import from_arguments
from tapemeter.cassette.mode import Mode
from tapemeter.errors import UsageError
from tapemeter.owner import State
from tapemeter.session import Session, new_run
from tapemeter.settings import CassetteArguments, Settings

if TYPE_CHECKING:
    from tapemeter.owner import Owner


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return _session(tmp_path)


def _session(folder: Path, mode: Mode = Mode.REPLAY, **more: Any) -> Session:
    settings = Settings(root=folder, cassette_dir=folder, mode=mode, **more)
    return Session(settings, new_run(settings))


def _owner(session: Session, name: str = "test_one", **more: Any) -> Owner:
    path = session.settings.cassette_dir / f"{name}.yaml"
    return session.owner(name, nodeid=name, **{"path": path, "arguments": CassetteArguments(), **more})


def test_a_turn_without_a_call_makes_nothing(session: Session) -> None:
    owner = _owner(session)
    owners.enter(owner)

    session.close(owner, keep=True)

    assert not owner.has_job
    assert not owner.has_cassette
    assert owner.stop is None
    assert "orchestrator" not in vars(session.run)
    assert "redactor" not in vars(session)
    assert owner.closed


def test_what_a_call_needs_is_made_once_for_all_threads(session: Session) -> None:
    owner, barrier = _owner(session), threading.Barrier(8)

    def ask(_: int) -> tuple[object, ...]:
        barrier.wait()
        return owner.job, owner.cassette, owner.usage, session.run.ledger

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(ask, range(8)))

    assert len(found) == 1


def test_a_job_has_begun_when_it_is_made_and_its_time_before(session: Session) -> None:
    owner = _owner(session, "test_live", arguments=CassetteArguments(mode=Mode.LIVE))
    clock = owner.clock

    assert owner.job.clock is clock
    assert (owner.job.outcome.state, owner.job.tests) == ("RUNNING", ["test_live"])


def test_the_cassette_is_one_for_the_mode_in_which_its_owner_began(session: Session) -> None:
    owner = _owner(session)
    owner.mode = Mode.LIVE

    assert owner.cassette.mode is Mode.REPLAY


def test_the_path_is_looked_for_once_and_only_on_demand(session: Session) -> None:
    asked: list[str] = []

    def path() -> Path:
        asked.append("path")
        return session.root / "there.yaml"

    owner = _owner(session, path=path)
    assert asked == []

    assert owner.cassette_name == "there.yaml"
    assert owner.cassette.path == owner.path
    assert asked == ["path"]


def test_a_job_that_is_made_late_has_the_name_of_its_turn(session: Session) -> None:
    first, second = _owner(session), _owner(session)

    assert second.job.name == "test_one (run 2)"
    assert first.job.name == "test_one"


def test_the_job_of_a_group_is_there_before_any_call(session: Session) -> None:
    first = _owner(session, "test_one", job="group", group=True)
    second = _owner(session, "test_two", job="group", group=True, policy=from_arguments("here", calls=1))

    assert first.has_job
    assert second.job is first.job
    assert second.clock is first.clock
    assert [limit.value for limit in first.job.plan.policy.limits] == [1]


def test_a_wrong_rule_of_redaction_is_told_before_there_is_a_call(tmp_path: Path) -> None:
    session = _session(tmp_path, redact=("headr:x-tenant",))

    with pytest.raises(UsageError, match="headr:x-tenant"):
        _owner(session)


@pytest.mark.parametrize(("mode", "left"), [(Mode.RECORD, True), (Mode.RECORD_ALL, False)])
def test_a_turn_without_a_call_drops_its_recordings_only_where_all_is_recorded(
    tmp_path: Path, mode: Mode, left: bool
) -> None:
    sample = Path(__file__).parents[2] / "cassettes"
    recorded = next(iter(sorted(sample.rglob("*.yaml")))).read_bytes()
    (tmp_path / "test_one.yaml").write_bytes(recorded)
    session = _session(tmp_path, mode)
    owner = _owner(session)

    session.close(owner, keep=True)

    assert (tmp_path / "test_one.yaml").exists() is left
    assert session.findings.written == ([] if left else ["test_one.yaml"])


def test_a_closed_owner_is_known_by_its_name_without_a_job(session: Session) -> None:
    owner = _owner(session)
    owners.enter(owner)
    session.close(owner, keep=False)
    before = owners.bind(owner)
    try:
        found = owners.current()
    finally:
        owners.bind(before)

    assert found is owner
    assert (owner.label, owner.mode, owner.state, owner.has_job) == ("test_one", Mode.REPLAY, State.CLOSED, False)

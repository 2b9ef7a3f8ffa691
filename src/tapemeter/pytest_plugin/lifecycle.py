"""Gives each test, and each fixture of wider scope, its owner, and decides at the end what becomes of it.

Most tests call no model. For these an owner is a name and little else; nothing here asks for its job or its cassette
unless a marker or an option speaks of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tapemeter import owner as owners
from tapemeter.errors import BudgetStopped
from tapemeter.owner import State
from tapemeter.pytest_plugin import fixtures, markers, names, orphans, strictness
from tapemeter.pytest_plugin.binding import bound_fixture, bound_function
from tapemeter.pytest_plugin.refusals import Refusals, is_stop, shorten
from tapemeter.settings import CassetteArguments

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from tapemeter.budget.policy import Policy
    from tapemeter.job import Job
    from tapemeter.network import AllowList
    from tapemeter.owner import Owner
    from tapemeter.pytest_plugin.hooks import Hooks
    from tapemeter.session import Session

_NOTHING_SAID = CassetteArguments()
_JUDGED = frozenset({markers.BUDGET, markers.EXPECT_STOPPED})
"""Markers of which something is to be checked at a test's end though it has called nothing."""


class Lifecycle:
    """The plugin object that is registered while a session concerns itself with model calls."""

    def __init__(self, session: Session, hooks: Callable[[], Hooks]) -> None:
        self.session = session
        self.hooks = hooks
        self._owners: dict[pytest.Item, Owner] = {}
        self._failed: set[pytest.Item] = set()
        self._skipped: set[pytest.Item] = set()
        self._refusals = Refusals()
        self._spent: str | None = None
        """Why nothing is left of the run's budget for the test that begins."""

    def __dir__(self) -> list[str]:
        return [name for name in vars(Lifecycle) if name.startswith("pytest_")]

    def owner_of(self, item: pytest.Item) -> Owner | None:
        """Return the owner of a running test; None where the test is none of ours."""
        return self._owners.get(item)

    def has_failed(self, item: pytest.Item) -> bool:
        """Say whether a test has failed, or was skipped, by now."""
        return item in self._failed

    # One test

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Open the test's owner before any of its fixtures run; a rerun gets a new one."""
        self._failed.discard(item)
        self._skipped.discard(item)
        is_ours = markers.concerns(item, self.session.mode)
        self._spent = self.session.run.stopped if is_ours else None
        if not is_ours or self._spent is not None:
            return (yield)
        self._owners[item] = owner = self._open(item)
        self._enter(owner)
        try:
            return (yield)
        except BaseException:
            self._refusals.hush(self._owners[item])
            raise

    @pytest.hookimpl(specname="pytest_runtest_setup", tryfirst=True)
    def pytest_runtest_setup_not(self, item: pytest.Item) -> None:
        """Skip a test of ours for which nothing is left of the run's budget: it was not run, and is no failure.

        This stands behind the wrappers of other plugins, which count on each other.
        """
        if self._spent is not None:
            reason = f"not run: run budget: {self._spent}"
            self.session.run.evidence.write("not_run", {"test": item.nodeid, "reason": reason})
            raise pytest.skip.Exception(reason, _use_item_location=True)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Run the test as its owner's, and fail it for a refusal that its code swallowed."""
        owner = self._owners.get(item)
        if owner is None:
            return (yield)
        owners.bind(owner)
        with bound_function(item, owner):
            try:
                result = yield
            except BaseException as error:
                if not self._meets_expectation(item, owner, error):
                    self._refusals.note(owner, error)
                    if isinstance(error, BudgetStopped):
                        shorten(error, self.session.root)
                    raise
                result = None
            else:
                self._meets_expectation(item, owner, None)
        self._refusals.raise_swallowed(owner)
        strictness.judge(owner)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Close the owner after the test's own fixtures, and write its cassette if the test passed."""
        owner = self._owners.get(item)
        if owner is None:
            return (yield)
        owners.bind(owner)
        passed = False
        try:
            result = yield
            self._refusals.raise_swallowed(owner)
            passed = item not in self._failed
        finally:
            del self._owners[item]
            self._leave_out(item, owner, passed=passed)
            self._refusals.forget()
            self.session.close(owner, keep=passed or self.session.settings.record_failed)
            if owner.has_job:
                from tapemeter.pytest_plugin import budgets  # noqa: PLC0415 - only tests that have made a call

                item.user_properties += budgets.properties(owner, self.session.settings.guard)
                skipped = item in self._skipped
                self._end(owner, "passed" if passed else "cancelled" if skipped else "failed")
        orphans.note(self.session, owner, passed=passed and owner.stop is None)
        if passed:
            strictness.judge(owner)
        if passed and owner.stop is None:
            self._judge_unplayed(owner, shared=owner.shared)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Remember which tests did not pass: failed, skipped and expected failures alike."""
        del call
        report = yield
        if report.outcome != "passed" or hasattr(report, "wasxfail"):
            self._failed.add(item)
            if report.outcome == "skipped" and not hasattr(report, "wasxfail"):
                self._skipped.add(item)
        return report

    def _leave_out(self, item: pytest.Item, owner: Owner, *, passed: bool) -> None:
        """Note that a test tells nothing of which recordings are needed, as where it was skipped."""
        if passed and owner.mode.reads:
            return
        findings = self.session.findings
        if owner.path.exists():
            findings.left_out.append(owner.cassette_name)
        if item in self._skipped:
            findings.skipped += 1
            findings.unnamed += fixtures.CONFIG_FIXTURE in fixtures.overrides(item)

    def finish(self) -> None:
        """End what is still under way, as after an interruption, and the jobs of several tests."""
        for owner in self._owners.values():
            self.session.close(owner, keep=False)
            self._end(owner, "cancelled")
        self._owners.clear()
        failed = frozenset(item.nodeid for item in self._failed - self._skipped)
        self.session.run.close_groups(failed)

    # Budgets

    def _meets_expectation(self, item: pytest.Item, owner: Owner, error: BaseException | None) -> bool:
        """Whether a test that expects a stop got it; fails one that got another or none.

        A test that did not end within its time is stopped here.
        """
        if not owner.has_job and not self._is_held_to_limits(item, owner):
            return False
        from tapemeter.pytest_plugin import budgets  # noqa: PLC0415 - as in pytest_runtest_teardown

        job = owner.job
        before = job.stop
        stop = self.session.run.orchestrator.check_time(job)
        if stop is not None and before is None:
            owner.refusals.append(budgets.stopped(owner, stop))
        expectation = budgets.expectation_of(item)
        if expectation is None:
            return False
        if error is not None and not is_stop(error):
            return False
        unmet = expectation.unmet(job)
        if unmet is not None:
            self._refusals.hush(owner)
            raise pytest.fail.Exception(unmet, pytrace=False) from None
        job.expected_stop = True
        self._refusals.accept_stops(owner)
        return True

    def _is_held_to_limits(self, item: pytest.Item, owner: Owner) -> bool:
        """Whether a test that has called nothing may be stopped all the same, by time that passed, or should be."""
        if self.session.run.has_limits and not owner.clock.replays:
            return True
        return markers.has(item, _JUDGED)

    def _end(self, owner: Owner, turn: str) -> None:
        if not owner.has_job:
            return
        from tapemeter.outcome import Turn  # noqa: PLC0415 - only tests that have made a call

        if self.session.run.orchestrator.is_group(owner.job):
            owner.clock.pause()  # until its next test
        else:
            self.session.run.orchestrator.close(owner.job, Turn(turn))

    def _enter(self, owner: Owner) -> None:
        owners.enter(owner)
        owner.clock.enter()
        if owner.has_job:
            self.session.run.orchestrator.begin(owner.job, owner.nodeid)

    # One fixture

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Let what a fixture of wider scope calls belong to the fixture, and what others call to their test."""
        trigger = owners.current()
        if trigger is None or trigger.closed:
            return (yield)
        if fixturedef.scope == "function" or fixturedef.argname in fixtures.OVERRIDABLE:
            with bound_fixture(fixturedef, trigger):
                result = yield
            if not trigger.closed:  # as it is where this was what configured the test
                owners.bind(trigger)
            return result
        owner = self._open_fixture(fixturedef, request, trigger)
        # Finalizers run last in, first out: these two embrace the fixture's own.
        fixturedef.addfinalizer(lambda: self._close_fixture(owner))
        trigger.clock.pause()
        self._enter(owner)
        try:
            with bound_fixture(fixturedef, owner):
                result = yield
        except BaseException as error:
            self._refusals.note(owner, error)
            owner.mode = owner.mode if self.session.settings.record_failed else _not_recording(owner)
            if owner.has_job:
                from tapemeter.outcome import Turn  # noqa: PLC0415 - as in _end

                owner.job.outcome.take(Turn.FAILED)
            raise
        finally:
            owner.clock.pause()
            owners.leave(owner, State.IN_USE)
            trigger.clock.resume()
        fixturedef.addfinalizer(lambda: self._resume(owner))
        self._refusals.raise_swallowed(owner)
        return result

    def _resume(self, owner: Owner) -> None:
        owners.enter(owner)
        owner.clock.resume()

    def _close_fixture(self, owner: Owner) -> None:
        self.session.close(owner, keep=True)
        self._end(owner, "passed")
        orphans.note(self.session, owner)
        self._judge_unplayed(owner, shared=True)
        self._refusals.raise_swallowed(owner)
        strictness.judge(owner)

    # Owners

    def configure(self, item: pytest.Item, values: Mapping[str, Any]) -> None:
        """Replace the owner of a test by one that heeds the fixtures overridden for it; before any call was made."""
        from tapemeter.pytest_plugin import budgets  # noqa: PLC0415 - only tests with such fixtures

        before = self._owners[item]
        arguments = markers.config_arguments(values.get(fixtures.CONFIG_FIXTURE, {}), item.nodeid)
        where = f"{fixtures.POLICY_FIXTURE} of {item.nodeid}"
        policy = budgets.policy_given(values.get(fixtures.POLICY_FIXTURE), self.session.root, where)
        self._owners[item] = owner = self._open_marked(item, arguments, policy, job=before.job)
        owners.leave(before, State.CLOSED)
        self._enter(owner)

    def _open(self, item: pytest.Item) -> Owner:
        if not markers.has_say(item):
            return self._of_test(item, _NOTHING_SAID)
        return self._open_marked(item, _NOTHING_SAID)

    def _open_marked(
        self,
        item: pytest.Item,
        config: CassetteArguments,
        policy: Policy | None = None,
        *,
        job: Job | None = None,
    ) -> Owner:
        from tapemeter.pytest_plugin import budgets  # noqa: PLC0415 - only tests whose markers might speak of them
        from tapemeter.pytest_plugin.vcr_suites import joining  # noqa: PLC0415 - as above

        arguments = markers.cassette_arguments(item).over(config)
        theirs = joining.first_mode(item, self.session.mode)
        if theirs is not None:
            arguments = CassetteArguments(mode=theirs).over(arguments)
        group = budgets.job_of(item)
        owner = self._of_test(
            item,
            arguments,
            job=job or group,
            group=group is not None,
            policy=policy if job is not None else budgets.policy_of(item),
            allowed=markers.allowed_hosts(item),
        )
        owner.shared = arguments.name is not None
        joining.begin(item, owner, self.session.mode)
        return owner

    def _of_test(
        self,
        item: pytest.Item,
        arguments: CassetteArguments,
        *,
        job: Job | str | None = None,
        group: bool = False,
        policy: Policy | None = None,
        allowed: AllowList | None = None,
    ) -> Owner:
        folder, name = self.session.settings.cassette_dir, arguments.name
        return self.session.owner(
            item.nodeid,
            nodeid=item.nodeid,
            path=lambda: names.of_test(folder, item.nodeid) if name is None else names.of_name(folder, name),
            arguments=arguments,
            job=job,
            group=group,
            policy=policy,
            allowed=allowed,
            normalizer=lambda: self.hooks().normalizer(item.path),
        )

    def _open_fixture(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, trigger: Owner
    ) -> Owner:
        folder = self.session.settings.cassette_dir
        where = fixturedef.baseid or "a plugin"
        owner = self.session.owner(
            f"{fixturedef.scope} fixture {fixturedef.argname!r} of {where}",
            nodeid=trigger.nodeid,
            path=lambda: names.of_fixture(folder, fixturedef, request),
            arguments=_NOTHING_SAID,
            job=f"fixture:{fixturedef.scope}.{fixturedef.argname}",
            default_mode=trigger.mode,
            normalizer=lambda: self.hooks().normalizer(self.session.root / fixturedef.baseid.partition("::")[0]),
        )
        owner.markable = False
        return owner

    # Findings

    def _judge_unplayed(self, owner: Owner, *, shared: bool) -> None:
        if "unplayed" not in self.session.settings.fail_on or not owner.mode.plays:
            return
        places = [recording.index + 1 for recording in owner.cassette.unplayed]
        if shared:
            self.session.findings.note_shared(owner.cassette_name, places)
        elif places:
            pytest.fail(unplayed_message(owner.cassette_name, places), pytrace=False)


def unplayed_message(cassette: str, places: list[int]) -> str:
    """Say that recordings were not asked for, and what to do."""
    listed = ", ".join(map(str, places[:10])) + (" …" if len(places) > 10 else "")  # noqa: PLR2004 - enough to look at
    return (
        f"{cassette}: recordings that no call asked for: number {listed}; "
        "drop them with --record-cassettes=all, or find out why the calls are no longer made"
    )


def _not_recording(owner: Owner) -> Any:
    """Return the mode of a fixture whose set-up failed: what it recorded is not kept."""
    from tapemeter.cassette.mode import Mode  # noqa: PLC0415

    return Mode.LIVE if owner.mode.records else owner.mode

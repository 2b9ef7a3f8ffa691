"""Gives each test, and each fixture of wider scope, its owner, and decides at the end what becomes of it."""

from __future__ import annotations

import functools
import inspect
from types import MethodType
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter import owner as owners
from tapemeter.owner import State
from tapemeter.pytest_plugin import markers, names
from tapemeter.settings import CassetteArguments

if TYPE_CHECKING:
    from collections.abc import Generator

    from tapemeter.errors import Refusal
    from tapemeter.owner import Owner
    from tapemeter.pytest_plugin.hooks import Hooks
    from tapemeter.session import Session


class Lifecycle:
    """The plugin object that is registered while a session concerns itself with model calls."""

    def __init__(self, session: Session, hooks: Hooks) -> None:
        self.session = session
        self.hooks = hooks
        self._owners: dict[pytest.Item, Owner] = {}
        self._failed: set[pytest.Item] = set()
        self._shown: set[Refusal] = set()

    def owner_of(self, item: pytest.Item) -> Owner | None:
        """Return the owner of a running test; None where the test is none of ours."""
        return self._owners.get(item)

    # One test

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Open the test's owner before any of its fixtures run; a rerun gets a new one."""
        self._failed.discard(item)
        if self.session.mode is None and not markers.is_ours(item):
            return (yield)
        self._owners[item] = owner = self._open(item, CassetteArguments())
        owners.enter(owner)
        try:
            return (yield)
        except BaseException as error:
            self._swallowed(self._owners[item], error)  # told with the error, not again at the end
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Run the test as its owner's, and fail it for a refusal that its code swallowed."""
        owner = self._owners.get(item)
        if owner is None:
            return (yield)
        owners.bind(owner)
        with _bound_function(item, owner):
            try:
                result = yield
            except BaseException as error:
                self._note_swallowed(owner, error)
                raise
        self._raise_swallowed(owner)
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
            self._raise_swallowed(owner)
            passed = item not in self._failed
        finally:
            del self._owners[item]
            self._shown.clear()
            self.session.close(owner, keep=passed or self.session.settings.record_failed)
        if passed:
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
        return report

    # One fixture

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Let what a fixture of wider scope calls belong to the fixture, and what others call to their test."""
        trigger = owners.current()
        if trigger is None or trigger.closed:
            return (yield)
        if fixturedef.scope == "function" or fixturedef.argname == markers.CONFIG_FIXTURE:
            with _bound_fixture(fixturedef, trigger):
                result = yield
            if not trigger.closed:  # as it is where this was what configured the test
                owners.bind(trigger)
            return result
        owner = self._open_fixture(fixturedef, request, trigger)
        # Finalizers run last in, first out: these two embrace the fixture's own.
        fixturedef.addfinalizer(lambda: self._close_fixture(owner))
        owners.enter(owner)
        try:
            with _bound_fixture(fixturedef, owner):
                result = yield
        except BaseException as error:
            self._note_swallowed(owner, error)
            owner.mode = owner.mode if self.session.settings.record_failed else _not_recording(owner)
            raise
        finally:
            owners.leave(owner, State.IN_USE)
        fixturedef.addfinalizer(lambda: owners.enter(owner))
        self._raise_swallowed(owner)
        return result

    def _close_fixture(self, owner: Owner) -> None:
        self.session.close(owner, keep=True)
        self._judge_unplayed(owner, shared=True)
        self._raise_swallowed(owner)

    # Owners

    def configure(self, item: pytest.Item, config: dict[str, Any]) -> None:
        """Replace the owner of a test by one that heeds its `llm_cassette_config`; before any call was made."""
        before = self._owners[item]
        arguments = markers.config_arguments(config, item.nodeid)
        self._owners[item] = owner = self._open(item, arguments)
        owners.leave(before, State.CLOSED)
        owners.enter(owner)

    def _open(self, item: pytest.Item, config: CassetteArguments) -> Owner:
        arguments = markers.cassette_arguments(item).over(config)
        folder = self.session.settings.cassette_dir
        path = (
            names.of_name(folder, arguments.name) if arguments.name is not None else names.of_test(folder, item.nodeid)
        )
        owner = self.session.owner(
            item.nodeid,
            nodeid=item.nodeid,
            path=path,
            arguments=arguments,
            allowed=markers.allowed_hosts(item),
            normalize=self.hooks.normalizer(item.path),
        )
        owner.shared = arguments.name is not None
        return owner

    def _open_fixture(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, trigger: Owner
    ) -> Owner:
        path = names.of_fixture(self.session.settings.cassette_dir, fixturedef, request)
        where = fixturedef.baseid or "a plugin"
        owner = self.session.owner(
            f"{fixturedef.scope} fixture {fixturedef.argname!r} of {where}",
            nodeid=trigger.nodeid,
            path=path,
            arguments=CassetteArguments(),
            default_mode=trigger.mode,
            normalize=self.hooks.normalizer(self.session.root / fixturedef.baseid.partition("::")[0]),
        )
        owner.markable = False
        return owner

    # Findings

    def _swallowed(self, owner: Owner, surfaced: BaseException | None = None) -> list[Refusal]:
        """Return the refusals nobody has been told of; telling is the caller's."""
        surfacing = _all_within(surfaced)
        found = [
            refusal
            for refusal in owner.refusals
            if refusal not in self._shown and not any(refusal is error for error in surfacing)
        ]
        self._shown.update(owner.refusals)
        return found

    def _note_swallowed(self, owner: Owner, error: BaseException) -> None:
        for refusal in self._swallowed(owner, error):
            error.add_note(f"A model call had been refused before:\n{refusal}")

    def _raise_swallowed(self, owner: Owner) -> None:
        swallowed = self._swallowed(owner)
        if swallowed:
            swallowed[0].add_note(
                "The refusal did not end the test, so it ends it now. Where a test expects a miss: "
                "with llm_cassette.expect_miss(): ..."
            )
            raise swallowed[0]

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


def _all_within(error: BaseException | None) -> list[BaseException]:
    """Return an error with all that it contains, was caused by, or happened during."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or any(one is known for known in found):
            continue
        found.append(one)
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return found


class _bound_function:  # noqa: N801 - used as a context manager function
    """Have a coroutine test bind its owner inside whatever context a plugin runs it in."""

    def __init__(self, item: pytest.Item, owner: Owner) -> None:
        self._item, self._owner = item, owner
        self._original: Any = None

    def __enter__(self) -> None:
        function = getattr(self._item, "obj", None)
        if inspect.iscoroutinefunction(function):
            self._original = function
            self._item.obj = _bind_inside(function, self._owner)  # type: ignore[attr-defined]

    def __exit__(self, *_: object) -> None:
        if self._original is not None:
            self._item.obj = self._original  # type: ignore[attr-defined]


class _bound_fixture:  # noqa: N801 - used as a context manager function
    """The same for a fixture that is a coroutine or an async generator."""

    def __init__(self, fixturedef: pytest.FixtureDef[Any], owner: Owner) -> None:
        self._fixturedef, self._owner = fixturedef, owner
        self._original: Any = None

    def __enter__(self) -> None:
        function = self._fixturedef.func
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            self._original = function
            self._fixturedef.func = _bind_inside(function, self._owner)  # type: ignore[misc]

    def __exit__(self, *_: object) -> None:
        if self._original is not None:
            self._fixturedef.func = self._original  # type: ignore[misc]


def _bind_inside(function: Any, owner: Owner) -> Any:
    """Return the async function with a first step that binds the owner, of the same kind and signature."""
    if inspect.ismethod(function):
        return MethodType(_bind_inside(function.__func__, owner), function.__self__)
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def generator(*args: Any, **kwargs: Any) -> Any:
            owners.bind(owner)
            async for value in function(*args, **kwargs):
                yield value
                owners.bind(owner)

        return generator

    @functools.wraps(function)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        owners.bind(owner)
        return await function(*args, **kwargs)

    return coroutine

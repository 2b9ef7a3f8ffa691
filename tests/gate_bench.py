"""What tests of the gate share: a run without pytest, whose tests make calls that go nowhere, and a clock to set."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tapemeter import events
from tapemeter.budget.dimensions import Dimension
from tapemeter.budget.policy import from_arguments
from tapemeter.model import Request
from tapemeter.session import Session, new_run
from tapemeter.settings import CassetteArguments, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tapemeter.cassette.mode import Mode
    from tapemeter.errors import BudgetStopped
    from tapemeter.job import Job, StepRun
    from tapemeter.metering.attempt import Attempt
    from tapemeter.owner import Owner

JSON = (("content-type", "application/json"),)


class Bench:
    """A run of which tests are running, with the gate and the ledger that their calls meet."""

    def __init__(self, folder: Path, mode: Mode) -> None:
        given = Settings(root=folder, cassette_dir=folder, mode=mode)
        self.session = Session(given, new_run(given))
        self.run = self.session.run
        self.gate, self.ledger = self.run.gate, self.run.ledger

    def test(self, name: str = "test_one", **limits: Any) -> Owner:
        """Begin a test whose job has these limits."""
        owner = self.session.owner(
            name,
            nodeid=f"test_it.py::{name}",
            path=self.run.place.report_dir / f"{name}.yaml",
            arguments=CassetteArguments(),
            policy=from_arguments("here", **limits),
        )
        self.run.orchestrator.enter(owner.job, owner.nodeid)
        return owner

    def ask(self, owner: Owner, text: str = "hello") -> Attempt:
        """Have a test want to make a call."""
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        request = Request("POST", "https://api.openai.com/v1/chat/completions", JSON, json.dumps(body).encode())
        attempt = self.run.meter.open(owner, request, request, again=False)
        assert attempt is not None
        return attempt

    def reserve(self, attempt: Attempt, **amounts: int) -> BudgetStopped | None:
        """Set one call and these amounts aside for a call that is about to be sent."""
        return self.gate.reserve(attempt, in_units({"calls": 1, **amounts}))

    def replay(self, attempt: Attempt, issued: float, total: float, pause: float = 0.0) -> BudgetStopped | None:
        """Book what was recorded, and have the time of it pass, as the meter does."""
        job = attempt.job
        attempt.issued, end = job.clock.span(issued, total)
        attempt.record.began = attempt.issued
        stopped = self.gate.spend(attempt, {Dimension.CALLS: 1}, end, pause=pause)
        if stopped is None:
            job.clock.play(end)
        return stopped

    def settle(self, attempt: Attempt, **amounts: int) -> BudgetStopped | None:
        """Book what a call used."""
        assert attempt.reservation is not None
        used = in_units({"calls": 1, **amounts})
        return self.gate.trip(attempt, used, self.ledger.settle(attempt.reservation, used))

    def held(self, account: str) -> dict[str, tuple[int, int]]:
        """Return what is used on an account, and what is set aside, of what is not zero."""
        balance = self.ledger.balance(account)
        both = {d: (balance.used.get(d, 0), balance.reserved.get(d, 0)) for d in {*balance.used, *balance.reserved}}
        return {dimension.value: amounts for dimension, amounts in both.items() if any(amounts)}

    def stops(self) -> list[dict[str, Any]]:
        """Return the evidence of stops."""
        path = self.run.place.folder / "llm_usage_events.main.jsonl"
        return [event for event in events.read(path) if event["event"] == "stop"] if path.exists() else []


class Time:
    """The system's clock, at a moment of the test's choice."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def in_units(amounts: dict[str, int]) -> dict[Dimension, int]:
    return {Dimension(name): amount for name, amount in amounts.items()}


def quiet(run: StepRun, error: BaseException | None) -> None:
    """Listen to no end of a step."""


def told(job: Job) -> tuple[str, str, str, Any, Any]:
    """Return what stopped a job: scope, limit, what became of the call, what was used, and what it asked for."""
    assert job.stop is not None
    return job.stop.scope, job.stop.limit, job.stop.what, job.stop.used, job.stop.asked

"""Whatever becomes of calls, and in whatever order: nothing is booked twice, nothing is lost, no limit is passed."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from tapemeter import events, exchange
from tapemeter import owner as owners
from tapemeter.budget.dimensions import COUNTED, Dimension
from tapemeter.budget.policy import from_arguments
from tapemeter.cassette.mode import Mode
from tapemeter.errors import BudgetStopped
from tapemeter.model import Ending, Request
from tapemeter.owner import State
from tapemeter.session import Session, new_run
from tapemeter.settings import CassetteArguments, Settings

if TYPE_CHECKING:
    from tapemeter.exchange import Call

URL = "http://127.0.0.1:1/v1/chat/completions"
JSON = (("content-type", "application/json"),)
LIMITS = {"calls": 6, "attempts": 9, "prompt_chars": 120, "response_chars": 90, "output_tokens": 60}


def question(text: str, most: int) -> Request:
    body = {"model": "m", "max_tokens": most, "messages": [{"role": "user", "content": text}]}
    return Request("POST", URL, JSON, json.dumps(body).encode())


def reply(text: str, tokens: int) -> bytes:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 3, "completion_tokens": tokens, "total_tokens": tokens + 3}
    return json.dumps({"model": "m", "choices": [{"index": 0, "message": message}], "usage": usage}).encode()


class Calls(RuleBasedStateMachine):
    """Calls of one live test, whose answers come, break off or never come, many of them at once."""

    under_way = Bundle("under_way")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        given = Settings(root=self.folder, cassette_dir=self.folder, mode=Mode.LIVE)
        self.session = Session(given, new_run(given))
        self.kept: set[int] = set()
        self.open: dict[int, Call] = {}

    @initialize(limited=st.booleans())
    def enter(self, limited: bool) -> None:
        self.owner = self.session.owner(
            "test",
            nodeid="test_it.py::test_it",
            path=self.folder / "it.yaml",
            arguments=CassetteArguments(),
            policy=from_arguments("here", **LIMITS) if limited else None,
        )
        self.limited = limited
        owners.enter(self.owner)
        self.session.run.orchestrator.enter(self.owner.job, self.owner.nodeid)

    @rule(target=under_way, text=st.text("ab ", max_size=40), most=st.integers(0, 20))
    def ask(self, text: str, most: int) -> int:
        stopped_before = self.owner.job.outcome.stopped
        try:
            call = exchange.begin(self.owner, question(text, most))
        except BudgetStopped:
            assert self.owner.job.outcome.stopped
            return -1
        assert not stopped_before
        assert call is not None
        self.open[call.order] = call
        return call.order

    @rule(order=consumes(under_way), text=st.text("xy", max_size=50), tokens=st.integers(0, 30), status=st.just(200))
    def finish(self, order: int, text: str, tokens: int, status: int) -> None:
        self._end(order, status, [reply(text, tokens)], Ending.COMPLETE)

    @rule(order=consumes(under_way), status=st.sampled_from([400, 429, 500]))
    def be_refused_by_the_server(self, order: int, status: int) -> None:
        self._end(order, status, [b'{"error": {"message": "no"}}'], Ending.COMPLETE)

    @rule(order=consumes(under_way), text=st.text("xy", max_size=50), cut=st.integers(0, 40))
    def break_off(self, order: int, text: str, cut: int) -> None:
        self._end(order, 200, [reply(text, 5)[:cut]], Ending.ABANDONED)

    @rule(order=consumes(under_way))
    def fail(self, order: int) -> None:
        call = self.open.pop(order, None)
        if call is not None:
            exchange.drop(call, ConnectionError())
            exchange.drop(call, ConnectionError())

    def _end(self, order: int, status: int, chunks: list[bytes], ending: Ending) -> None:
        call = self.open.pop(order, None)
        if call is None:
            return
        try:
            exchange.answer(call, status, JSON)
            for chunk in chunks:
                exchange.feed(call, chunk)
            exchange.finish(call, ending)
        except BudgetStopped:
            assert self.owner.job.outcome.stopped
        exchange.finish(call, Ending.ABANDONED)  # as a client that closes what it has read does

    @invariant()
    def what_is_set_aside_belongs_to_calls_under_way(self) -> None:
        if not hasattr(self, "owner"):
            return
        balance = self.session.run.ledger.balance(self.owner.job.account)
        assert balance.reserved.get(Dimension.ATTEMPTS, 0) == len(self.open)
        assert all(amount >= 0 for amount in balance.reserved.values())

    @invariant()
    def counted_limits_that_are_known_before_hold(self) -> None:
        if not hasattr(self, "owner") or not self.limited:
            return
        balance = self.session.run.ledger.balance(self.owner.job.account)
        for dimension in (Dimension.CALLS, Dimension.ATTEMPTS, Dimension.PROMPT_CHARS):
            used, held = balance.used.get(dimension, 0), balance.reserved.get(dimension, 0)
            assert used + held <= LIMITS[dimension.value]

    def teardown(self) -> None:
        if hasattr(self, "owner"):
            self._check_the_end()
        shutil.rmtree(self.folder)

    def _check_the_end(self) -> None:
        job, run = self.owner.job, self.session.run
        self.session.close(self.owner, keep=False)  # ends what was never read
        balance = run.ledger.balance(job.account)
        assert not any(balance.reserved.values())
        assert {d: amount for d in COUNTED if (amount := balance.used.get(d, 0))} == {
            d: amount for d in COUNTED if (amount := job.usage.units(d))
        }
        owners.leave(self.owner, State.CLOSED)
        report = run.finish(guard="none", reason=None)
        found = list(events.read(run.place.folder / "llm_usage_events.jsonl")) if report is not None else []
        sent = [event for event in found if event["event"] == "call" and event["outcome"] != "refused"]
        self._check_sums(sent, balance.used)
        overrun = {event["dimension"] for event in found if event["event"] == "overrun"}
        if self.limited and balance.used.get(Dimension.OUTPUT_TOKENS, 0) > LIMITS["output_tokens"]:
            assert "output_tokens" in overrun

    def _check_sums(self, sent: list[dict[str, Any]], used: Any) -> None:
        assert sum(event["attempt"] == 0 for event in sent) == used.get(Dimension.CALLS, 0)
        assert len(sent) == used.get(Dimension.ATTEMPTS, 0)
        assert len({(event["call_id"], event["attempt"]) for event in sent}) == len(sent)
        for field, dimension in (
            ("prompt_chars", Dimension.PROMPT_CHARS),
            ("response_chars", Dimension.RESPONSE_CHARS),
            ("gen_ai.usage.input_tokens", Dimension.INPUT_TOKENS),
            ("gen_ai.usage.output_tokens", Dimension.OUTPUT_TOKENS),
        ):
            assert sum(event[field] for event in sent) == used.get(dimension, 0)


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)

"""The one sentence that tells of a stop: which limit, whose, from where, what was used and asked, the way past it."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tapemeter.budget.dimensions import COUNTED, Dimension, Scope, plain, shown, to_units
from tapemeter.budget.ledger import Account, Reservation
from tapemeter.budget.memory_ledger import MemoryLedger
from tapemeter.budget.policy import Limit
from tapemeter.budget.stop import CUT, LATE, REFUSED, TRIPPED, Stop
from tapemeter.values import replace

CALL = "call 3, chat with gpt-4o at api.openai.com"
UNITS = st.integers(0, 10**15)
STOPS = st.builds(
    Stop,
    over=st.builds(Limit, st.sampled_from(Scope), st.sampled_from(Dimension), UNITS, st.just("policies/small.yaml:4")),
    what=st.sampled_from([REFUSED, CUT, TRIPPED]),
    used_units=UNITS,
    reserved_units=UNITS,
    asked_units=UNITS,
    call=st.just(CALL),
    call_id=st.just("test_it.py::test_one#3"),
    after_calls=st.just(2),
)


def stop(over: Limit | None = None, **changes: Any) -> Stop:
    """Return the stop of a third call, where two are allowed, with some of it changed."""
    usual = Stop(
        over=over or Limit(Scope.JOB, Dimension.CALLS, 2, "policies/small.yaml:4"),
        what=REFUSED,
        used_units=2,
        reserved_units=0,
        asked_units=1,
        call=CALL,
        call_id="test_it.py::test_one#3",
        after_calls=2,
    )
    return replace(usual, **changes)


def over(dimension: Dimension, amount: Any, scope: Scope = Scope.JOB, **selected: str) -> Limit:
    return Limit(scope, dimension, to_units(dimension, Decimal(str(amount))), "policies/small.yaml:4", **selected)


def units(dimension: Dimension, amount: Any) -> int:
    return to_units(dimension, Decimal(str(amount)))


COST, WALL, IDLE, CHARS = (
    Dimension.COST_USD,
    Dimension.WALL_SECONDS,
    Dimension.IDLE_STREAM_SECONDS,
    Dimension.RESPONSE_CHARS,
)
SENTENCES = {
    "refused": (
        stop(),
        (
            "stopped by budget: the job's calls limit of 2 (from policies/small.yaml:4) does not hold: 2 used, 1 more "
            f"asked by {CALL}, which was refused before it was sent; to let it through, raise job.calls there to 3 or "
            "more"
        ),
    ),
    "refused amid calls under way": (
        stop(
            over(COST, "0.25", Scope.RUN),
            used_units=units(COST, "0.1"),
            reserved_units=units(COST, "0.12"),
            asked_units=units(COST, "0.0305"),
        ),
        (
            "stopped by budget: the run's cost_usd limit of $0.25 (from policies/small.yaml:4) does not hold: $0.10 "
            f"used, $0.12 set aside for calls under way, $0.0305 more asked by {CALL}, which was refused before it "
            "was sent; to let it through, raise run.cost_usd there to $0.2505 or more"
        ),
    ),
    "refused by zero": (
        stop(over(COST, 0), used_units=0, asked_units=0),
        (
            "stopped by budget: the job's cost_usd limit of $0.00 (from policies/small.yaml:4) does not hold: $0.00 "
            f"used, {CALL} was refused before it was sent; to let it through, raise job.cost_usd there to "
            "$0.000000000001 or more"
        ),
    ),
    "refused for one model's calls": (
        stop(over(Dimension.CALLS, 2, Scope.STEP, model="gpt-4*")),
        (
            "stopped by budget: the step's calls limit of 2 for model gpt-4* (from policies/small.yaml:4) does not "
            f"hold: 2 used, 1 more asked by {CALL}, which was refused before it was sent; to let it through, raise "
            "step.calls there to 3 or more"
        ),
    ),
    "cut by its text": (
        stop(over(CHARS, 1000, Scope.CALL), what=CUT, used_units=0, asked_units=1204),
        (
            "stopped by budget: the call's response_chars limit of 1,000 (from policies/small.yaml:4) does not hold: "
            f"0 used, 1,204 more asked by {CALL}, which was cut while it was answered; to let it through, raise "
            "call.response_chars there to 1,204 or more"
        ),
    ),
    "cut by a pause": (
        stop(over(IDLE, 2), what=CUT, used_units=units(IDLE, "2.5"), asked_units=0),
        (
            "stopped by budget: the job's idle_stream_seconds limit of 2 s (from policies/small.yaml:4) does not "
            f"hold: 2.5 s used, {CALL} was cut while it was answered; to let it through, raise "
            "job.idle_stream_seconds there to 2.5 s or more"
        ),
    ),
    "over the limit once answered": (
        stop(over(Dimension.OUTPUT_TOKENS, 20), what=TRIPPED, used_units=7, asked_units=30),
        (
            "stopped by budget: the job's output_tokens limit of 20 (from policies/small.yaml:4) does not hold: 7 "
            f"used, 30 more asked by {CALL}, which was over the limit once it was answered; to let it through, raise "
            "job.output_tokens there to 37 or more"
        ),
    ),
    "late between calls": (
        stop(over(WALL, 60), what=LATE, used_units=units(WALL, "61.5"), asked_units=0, call="", call_id=None),
        (
            "stopped by budget: the job's wall_seconds limit of 60 s (from policies/small.yaml:4) does not hold: "
            "61.5 s used, still running at the deadline; to let it through, raise job.wall_seconds there to 61.5 s "
            "or more"
        ),
    ),
    "of unknown price": (
        stop(over(COST, 1), used_units=0, asked_units=0, remedy="its price is unknown; give it a price"),
        (
            "stopped by budget: the job's cost_usd limit of $1.00 (from policies/small.yaml:4) cannot be kept by "
            f"{CALL}, which was refused before it was sent, since its price is unknown; give it a price"
        ),
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_the_sentence_is_told_whole(case: str) -> None:
    found, sentence = SENTENCES[case]

    assert found.sentence == sentence


@given(STOPS)
def test_every_sentence_names_limit_scope_file_used_set_aside_asked_call_and_what_to_raise(found: Stop) -> None:
    sentence, dimension = found.sentence, found.over.dimension
    limit = shown(dimension, found.over.value)
    used, reserved, asked = (
        shown(dimension, amount) for amount in (found.used_units, found.reserved_units, found.asked_units)
    )

    assert f"the {found.scope}'s {found.limit} limit of {limit} (from policies/small.yaml:4)" in sentence
    assert f": {used} used, " in sentence
    assert (f" {reserved} set aside for calls under way" in sentence) is (found.reserved_units > 0)
    assert (f" {asked} more asked by " in sentence) is (found.asked_units > 0)
    assert CALL in sentence
    assert f" was {found.what}; " in sentence
    assert f"; to let it through, raise {found.scope}.{found.limit} there to " in sentence
    assert "\n" not in sentence


AMOUNT = re.compile(r"there to \$?([\d.,]+)(?: s)? or more$")


@given(st.sampled_from(COUNTED), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_a_limit_that_is_raised_as_told_lets_the_call_through_and_one_less_does_not(
    dimension: Dimension, value: int, used: int, reserved: int, asked: int
) -> None:
    assume(asked or dimension is not Dimension.CALLS)  # only another attempt asks for none, and that is let through
    ledger = MemoryLedger()
    for amount, settles in ((used, True), (reserved, False)):
        held = ledger.reserve({dimension: amount}, [Account("job")])
        assert isinstance(held, Reservation)
        if settles:
            ledger.settle(held, {dimension: amount})
    excess = ledger.reserve({dimension: asked}, [Account("job", {dimension: value})])
    if isinstance(excess, Reservation):
        return

    limit = Limit(Scope.JOB, dimension, value, "here")
    refused = stop(limit, used_units=excess.used, reserved_units=excess.reserved, asked_units=excess.asked)
    found = AMOUNT.search(refused.sentence)
    assert found
    told = units(dimension, found[1].replace(",", ""))
    assert not isinstance(ledger.reserve({dimension: asked}, [Account("job", {dimension: told - 1})]), Reservation)
    assert isinstance(ledger.reserve({dimension: asked}, [Account("job", {dimension: told})]), Reservation)


@pytest.mark.parametrize(
    ("dimension", "kind"),
    [(COST, Decimal), (WALL, float), (IDLE, float), (Dimension.CALLS, int), (Dimension.TOTAL_TOKENS, int)],
)
def test_code_compares_a_stop_in_the_units_of_a_policy(dimension: Dimension, kind: type) -> None:
    found = stop(over(dimension, 8, Scope.STEP), used_units=units(dimension, 6), asked_units=units(dimension, 3))

    assert (found.limit, found.scope, found.source) == (dimension.value, "step", "policies/small.yaml:4")
    assert (found.value, found.used, found.asked) == (8, 6, 3)
    assert {type(found.value), type(found.used), type(found.asked)} == {kind}


def test_others_are_told_of_a_stop_in_a_few_words() -> None:
    found = stop(over(COST, "0.25", Scope.RUN))

    assert found.brief == "cost_usd limit of $0.25 (from policies/small.yaml:4)"


@given(STOPS)
def test_the_event_of_a_stop_is_json_with_its_amounts_and_its_sentence(found: Stop) -> None:
    event, dimension = found.as_event(), found.over.dimension

    assert json.loads(json.dumps(event)) == event
    assert event == {
        "call_id": "test_it.py::test_one#3",
        "scope": found.scope,
        "dimension": found.limit,
        "limit": plain(dimension, found.over.value),
        "used": plain(dimension, found.used_units),
        "reserved": plain(dimension, found.reserved_units),
        "asked": plain(dimension, found.asked_units),
        "source": "policies/small.yaml:4",
        "what": found.what,
        "sentence": found.sentence,
    }

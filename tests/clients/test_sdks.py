"""Every SDK in every form: recorded and replayed through the front door, metered, stopped, and refused what is not."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from sdks import SDKS
from seen import rows, write

if TYPE_CHECKING:
    from tries import Phase, Tried

pytestmark = pytest.mark.clients

HERE = [name for name, sdk in SDKS.items() if sdk.environment == os.environ.get("TAPEMETER_CLIENTS")]
"""The SDKs of this environment. One that is missing from it fails its tests."""

if not HERE:
    pytest.skip("no SDKs here (tox run -e clients,clients-openai2 has them)", allow_module_level=True)

each_sdk = pytest.mark.parametrize(
    "tried", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in HERE], indirect=True
)


def supported(tried: Tried, notes: dict[str, Any]) -> dict[str, Any]:
    """Return what tests noted, of the forms that are to work."""
    return {test: note for test, note in notes.items() if form_of(test) not in tried.sdk.unsupported}


def form_of(test: str) -> str:
    return test.partition("[")[2].removesuffix("]")


def usage(phase: Phase, test: str = "") -> list[tuple[int, int, int, int, int, str]]:
    """Return what the answered calls used, by the evidence; some SDKs do not read the very end of a stream."""
    names = ("input", "output", "cache_read.input", "cache_write.input", "reasoning.output")
    return sorted(
        (*(event[f"gen_ai.usage.{name}_tokens"] for name in names), event["quality"])
        for event in phase.calls(test)
        if event["outcome"] in {"ok", "abandoned"} and event["http.response.status_code"] == 200
    )


@each_sdk
def test_every_form_is_recorded_and_replayed(tried: Tried) -> None:
    assert tried.recorded.notes, tried.recorded.output
    for phase in (tried.recorded, tried.replayed):
        failed = {test: note["failed"] for test, note in supported(tried, phase.notes).items() if note["failed"]}
        assert failed == {}, phase.output
    assert {*tried.recorded.notes} == {*tried.replayed.notes}


@each_sdk
def test_what_comes_back_is_the_same(tried: Tried) -> None:
    recorded, replayed = (
        {test: [note.get(kind) for kind in ("said", "error", "stop", "miss")] for test, note in phase.notes.items()}
        for phase in (tried.recorded, tried.replayed)
    )
    assert recorded == replayed
    assert all(any(told) for test, told in supported(tried, recorded).items())


@each_sdk
def test_stops_and_misses_come_out_of_it(tried: Tried) -> None:
    for kind in ("stop", "miss"):
        came = {form_of(test): note[kind] for test, note in tried.recorded.notes.items() if kind in note}
        assert came
        assert came == {form: tried.sdk.comes_out(kind, form) for form in came}


@each_sdk
def test_nothing_is_sent_in_replay(tried: Tried) -> None:
    assert tried.knocks == 0
    assert {event["source"] for event in tried.replayed.calls()} == {"replay"}


@each_sdk
def test_each_request_is_one_call_in_evidence(tried: Tried) -> None:
    outcomes = Counter(event["outcome"] for event in tried.recorded.calls())
    assert outcomes["ok"] + outcomes["abandoned"] + outcomes["error"] == tried.requests
    forms = sum(test.startswith("test_stop") for test in supported(tried, tried.recorded.notes))
    assert outcomes["refused"] == outcomes["missed"] == forms  # once each, so nothing was tried again


@each_sdk
def test_usage_is_what_the_provider_said(tried: Tried) -> None:
    assert usage(tried.recorded) == sorted(
        (
            *(said.input_tokens, said.output_tokens, said.cache_read_tokens, said.cache_write_tokens),
            *(said.reasoning_tokens, said.quality.value),
        )
        for said in tried.said
    )
    assert usage(tried.replayed) == usage(tried.recorded)


@each_sdk
def test_what_does_not_work_still_does_not(tried: Tried) -> None:
    if os.environ.get("TAPEMETER_CLIENTS_SEEN"):
        write(tried)
    failing = {row.form for row in rows(tried) if row.reason}
    assert failing == {*tried.sdk.unsupported}

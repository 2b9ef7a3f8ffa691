"""A price that nobody knows is never zero, and a project's own price file makes a call free or dear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spending import report

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback


def test_a_call_of_unknown_price_is_refused_assumed_or_ignored_in_replay_too(
    project: Project, server: Loopback
) -> None:
    project.write("test_it.py", """
import pytest, talk, tapemeter

pytestmark = pytest.mark.llm_cassette("one")

def test_all(llm_usage):
    talk.ask("hello", max_tokens=9)
    assert (llm_usage.cost_usd, llm_usage.unpriced) == (0, 1)

@pytest.mark.llm_budget(cost_usd="1")
@pytest.mark.expect_stopped_budget("cost_usd", after_calls=0)
def test_refused():
    with pytest.raises(tapemeter.BudgetStopped, match="price of loopback-1 is unknown .* give the model a price"):
        talk.ask("hello", max_tokens=9)

@pytest.mark.llm_budget(cost_usd="100", unknown_cost="assume_max")
def test_assumed(llm_usage, llm_job):
    talk.ask("hello", max_tokens=9)
    assert 99 < llm_job.budget.remaining["cost_usd"] < 100
    assert llm_usage.cost_usd > 0
    assert llm_usage.unpriced == 1

@pytest.mark.llm_budget(cost_usd="0.0000001", unknown_cost="assume_max")
@pytest.mark.expect_stopped_budget("cost_usd", after_calls=0)
def test_assumed_too_dear():
    talk.ask("hello", max_tokens=9)

@pytest.mark.llm_budget(cost_usd="0.0000001", unknown_cost="ignore")
def test_ignored(llm_usage):
    talk.ask("hello", max_tokens=9)
    assert (llm_usage.cost_usd, llm_usage.unpriced) == (0, 1)

@pytest.mark.llm_budget(run={"cost_usd": "9"})
@pytest.mark.expect_stopped_budget("cost_usd", scope="run")
def test_refused_by_the_run():
    talk.ask("hello", max_tokens=9)

@pytest.mark.llm_budget(cost_usd="0.0000001", unknown_cost="ignore")
def test_the_run_goes_on():
    talk.ask("hello", max_tokens=9)
""")  # fmt: skip

    project.run("--llm-mode=live", passed=7)
    assert len(server.requests) == 4
    project.run("--record-cassettes", passed=7)
    sent = len(server.requests)
    project.run("--llm-mode=replay", passed=7)
    assert len(server.requests) == sent


def test_a_price_file_makes_a_call_free_or_dear(project: Project, server: Loopback) -> None:
    project.write("llm_prices.yaml", """
        schema: llm_prices_v1
        models:
          "loopback-*": {input_mtok: "1000000", output_mtok: "2000000"}
          "llama-*": {free: true}
        aliases: {house: loopback-1}
    """)  # fmt: skip
    project.write("test_it.py", """
import pytest, talk

def ask(model, number=0):
    messages = [{"role": "user", "content": "usage 3 4"}]
    talk.post("/v1/chat/completions", {"model": model, "max_tokens": 4, "seed": number, "messages": messages})

@pytest.mark.llm_budget(cost_usd="0")
@pytest.mark.expect_stopped_budget("cost_usd", after_calls=0)
def test_zero_refuses_what_is_free():
    ask("llama-local")

@pytest.mark.llm_budget(cost_usd="0.01")
def test_free(llm_usage):
    for number in range(3):
        ask("llama-local", number)
    assert (llm_usage.cost_usd, llm_usage.unpriced) == (0, 0)

@pytest.mark.llm_budget(cost_usd="60")
@pytest.mark.expect_stopped_budget("cost_usd", after_calls=3)
def test_dear(llm_usage):
    for number in range(9):
        ask("house", number)
        assert llm_usage.by_model["house"].cost_usd == 11 * (number + 1)
""")  # fmt: skip

    project.record_and_replay(server, calls=6, passed=3)

    assert report(project)["totals"]["cost"]["avoided_usd"] == "33"

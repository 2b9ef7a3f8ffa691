"""Each limit stops a job at the same call while it is recorded and in replay, and nothing gets past a stop."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

PRICES = """
schema: llm_prices_v1
models:
  loopback-1: {input_mtok: "0", output_mtok: "1000000"}
"""
"""A dollar for every token of the answer."""

LIMITS = [
    # The limit, the calls that are answered before the stop, and the calls that reach the server: one that is over
    # the limit only once it is answered was sent. A call has 3 characters, its answer 12; 5 and 7 tokens.
    ("calls=2", 2, 2),
    ("attempts=2", 2, 2),
    ("prompt_chars=7", 2, 2),
    ("response_chars=20", 1, 2),
    ("total_chars=25", 1, 2),
    ("input_tokens=24", 2, 2),
    ("output_tokens=20", 2, 2),
    ("total_tokens=60", 3, 3),
    ("cost_usd='20'", 2, 2),
    ("step={'calls': 1}", 1, 1),
    ("run={'calls': 3}", 3, 3),
    ("calls=0", 0, 0),
]


def events(project: Project) -> list[dict[str, Any]]:
    path = project.path / ".tapemeter" / "latest" / "llm_usage_events.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("limit", "answered", "sent"), LIMITS)
def test_a_job_stops_at_the_same_call_live_and_offline(
    project: Project, server: Loopback, limit: str, answered: int, sent: int
) -> None:
    project.write("llm_prices.yaml", PRICES)
    project.write(
        "test_it.py",
        f"""
        import pytest, talk

        @pytest.mark.llm_budget({limit})
        @pytest.mark.expect_stopped_budget(after_calls={answered})
        def test_one(llm_job):
            with llm_job.step("asking"):
                for number in range(6):
                    talk.ask(f"n {{number}}", max_tokens=8)
        """,
    )

    project.record_and_replay(server, calls=sent, passed=1)

    (stop,) = (event for event in events(project) if event["event"] == "stop")
    assert stop["dimension"] in limit
    assert [event["state"] for event in events(project) if event["event"] == "job"] == ["STOPPED_BUDGET"]


def test_no_limit_and_null_let_everything_through(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.mark.llm_budget(calls=None)
        def test_one(llm_job):
            for number in range(5):
                talk.ask(f"n {number}")
            assert (llm_job.state, llm_job.stop) == ("RUNNING", None)
            assert dict(llm_job.budget.remaining) == {}
        """,
    )

    project.record_and_replay(server, calls=5, passed=1)


def test_an_unexpected_stop_fails_the_test_in_one_sentence(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.mark.llm_budget(calls=1)
        def test_one():
            talk.ask_openai("first")
            talk.ask_openai("second")
        """,
    )

    result = project.run("--llm-mode=live", failed=1)

    result.stdout.fnmatch_lines(
        [
            (
                "*BudgetStopped: stopped by budget: the job's calls limit of 1 (from @pytest.mark.llm_budget on "
                "test_it.py::test_one) does not hold: 1 used, 1 more asked by call 2, chat with loopback-1 at "
                "127.0.0.1, which was refused before it was sent; to let it through, raise job.calls there to 2 or "
                "more"
            ),
        ]
    )
    result.stdout.no_fnmatch_line("*site-packages*")
    assert len(server.requests) == 1


@pytest.mark.parametrize("swallowed", ["Exception", "BaseException"])
def test_code_that_swallows_whatever_happens_is_stopped_all_the_same(
    project: Project, server: Loopback, swallowed: str
) -> None:
    project.write(
        "test_it.py",
        f"""
        import pytest, talk

        @pytest.mark.llm_budget(calls=2)
        def test_one():
            for number in range(10):
                try:
                    talk.ask(f"n {{number}}")
                except {swallowed}:
                    continue
        """,
    )

    result = project.run("--llm-mode=live", failed=1)

    result.stdout.fnmatch_lines(["*stopped by budget: the job's calls limit of 2*"])
    assert len(server.requests) == 2


def test_a_stop_reaches_threads_tasks_and_executors(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import asyncio, threading
        from concurrent.futures import ThreadPoolExecutor
        import pytest, talk, tapemeter

        POOL = ThreadPoolExecutor(2)

        @pytest.mark.llm_budget(calls=3)
        @pytest.mark.expect_stopped_budget("calls", after_calls=3)
        def test_one():
            def refused():
                with pytest.raises(tapemeter.BudgetStopped):
                    talk.ask("late")
                return True

            thread = threading.Thread(target=talk.ask, args=("in a thread",))
            thread.start()
            thread.join()
            POOL.submit(talk.ask, "in an executor").result()
            asyncio.run(talk.aask("in a task"))
            with pytest.raises(tapemeter.BudgetStopped):
                asyncio.run(talk.aask("one too many"))
            assert POOL.submit(refused).result()
            assert asyncio.run(asyncio.to_thread(refused))
        """,
    )

    project.record_and_replay(server, calls=3, passed=1)


def test_parallel_calls_never_pass_a_limit_together(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        from concurrent.futures import ThreadPoolExecutor
        import pytest, talk, tapemeter

        def attempt(number):
            try:
                return talk.ask(f"n {number}")
            except tapemeter.BudgetStopped:
                return None

        @pytest.mark.llm_budget(calls=5)
        @pytest.mark.expect_stopped_budget("calls")
        def test_one(llm_usage):
            with ThreadPoolExecutor(12) as pool:
                answers = list(pool.map(attempt, range(24)))
            assert len([answer for answer in answers if answer]) == llm_usage.calls == 5
        """,
    )

    project.run("--llm-mode=live", passed=1)

    assert len(server.requests) == 5


@pytest.mark.usefixtures("sdks")
def test_clients_are_answered_402_where_the_policy_says_so(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import anthropic, openai, pytest, talk

        @pytest.mark.llm_budget(calls=0, on_stop="http_402")
        @pytest.mark.expect_stopped_budget("calls", after_calls=0)
        def test_one():
            with pytest.raises(openai.APIStatusError, match="stopped by budget") as openai_error:
                talk.ask_openai("first")
            with pytest.raises(anthropic.APIStatusError, match="stopped by budget") as anthropic_error:
                talk.ask_anthropic("second")
            assert openai_error.value.status_code == anthropic_error.value.status_code == 402
            assert openai_error.value.code == "budget_stopped"

        @pytest.mark.llm_budget(calls=0, on_stop="http_402")
        def test_two():
            with pytest.raises(openai.APIStatusError):
                talk.ask_openai("first")
        """,
    )

    result = project.run("--llm-mode=live", passed=1, failed=1)

    result.stdout.fnmatch_lines(["*test_two*", "*stopped by budget*", "*expect_stopped_budget*"])
    assert server.requests == []
    refused = [event for event in events(project) if event["event"] == "call"]
    assert [event["outcome"] for event in refused] == ["refused"] * 3, "a 402 is not retried"


@pytest.mark.usefixtures("sdks")
def test_what_an_sdk_retries_is_one_call_of_several_attempts(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk

        def test_one(llm_usage):
            talk.ask_openai("status 429 then answer")
            assert (llm_usage.calls, llm_usage.attempts, llm_usage.output_tokens) == (1, 2, 7)

        @pytest.mark.llm_budget(call={"attempts": 1})
        @pytest.mark.expect_stopped_budget("attempts", scope="call", after_calls=0)
        def test_two():
            talk.ask_openai("status 500 then answer")
        """,
    )

    project.record_and_replay(server, calls=3, passed=2)


def test_the_outermost_limit_is_the_one_that_is_told(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.mark.llm_budget(calls=1, run={"calls": 1}, step={"calls": 1})
        @pytest.mark.expect_stopped_budget("calls", scope="run")
        def test_one():
            talk.ask("first")
            talk.ask("second")
        """,
    )

    project.run("--llm-mode=live", passed=1)


def test_a_limit_of_a_model_holds_for_its_calls_alone(project: Project) -> None:
    project.write("llm_prices.yaml", PRICES + "aliases: {cheap: loopback-1}\n")
    project.write(
        "test_it.py",
        """
        import pytest, talk

        def ask(model, prompt):
            talk.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": prompt}]})

        @pytest.mark.llm_budget(models={"loopback-*": {"job": {"calls": 2}}})
        @pytest.mark.expect_stopped_budget("calls", after_calls=4)
        def test_model(llm_usage):
            for number in range(2):
                ask("other", f"o {number}")
            ask("cheap", "an alias of the model")
            ask("loopback-1", "the model")
            assert llm_usage.by_model["other"].calls == 2
            ask("loopback-1", "once more")

        @pytest.mark.llm_budget(aliases={"cheap": {"job": {"calls": 1}}})
        @pytest.mark.expect_stopped_budget("calls", after_calls=2)
        def test_alias():
            ask("loopback-1", "by its name")
            ask("cheap", "by the alias")
            ask("cheap", "by the alias again")
        """,
    )

    project.run("--llm-mode=live", passed=2)


def test_a_price_that_is_unknown_is_never_zero(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.mark.llm_budget(cost_usd="5")
        def test_refused():
            talk.ask("hello")

        @pytest.mark.llm_budget(cost_usd="0.0001", unknown_cost="assume_max")
        @pytest.mark.expect_stopped_budget("cost_usd", after_calls=0)
        def test_assumed():
            talk.ask("hello")

        @pytest.mark.llm_budget(cost_usd="0.0001", unknown_cost="ignore")
        def test_ignored(llm_usage):
            talk.ask("hello")
            assert (llm_usage.cost_usd, llm_usage.unpriced) == (0, 1)
        """,
    )

    result = project.run("--llm-mode=live", passed=2, failed=1)

    result.stdout.fnmatch_lines(["*the price of loopback-1 is unknown*give the model a price*"])
    assert len(server.requests) == 1

"""Every limit of every scope stops the same call: live, recording, in replay, twenty times over, and in parallel."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest
from spending import PRICES, events, outcomes, pace, report

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

THREE_CALLS = '''
import asyncio, sys, threading
from concurrent.futures import ThreadPoolExecutor
import httpx, pytest, talk, tapemeter

def body(number):
    """Two small questions, and a large one: of 7 and 8 characters, answered with 14 and 149; 5 and 7 tokens."""
    words = 3 if number % 3 < 2 else 30
    return {
        "model": "loopback-1",
        "messages": [{"role": "user", "content": f"words {words}"}],
        "max_tokens": 8 if words == 3 else 80,
        "seed": number,
    }

def ask(number):
    talk.post("/v1/chat/completions", body(number)).raise_for_status()
    return number

async def aask(number):
    async with httpx.AsyncClient(verify=False) as client:
        (await client.post(talk.URL + "/v1/chat/completions", json=body(number))).raise_for_status()
    return number

def ask_all(numbers=range(3)):
    for number in numbers:
        ask(number)
'''

SHARED = {
    "calls": 2,
    "attempts": 2,
    "prompt_chars": 21,
    "response_chars": 29,
    "total_chars": 60,
    "input_tokens": 28,
    "output_tokens": 20,
    "total_tokens": 50,
    "cost_usd": "20",
}
"""Limits that two small calls keep and the third does not, where they are added up."""

ALONE = {
    "prompt_chars": 7,
    "response_chars": 20,
    "total_chars": 30,
    "input_tokens": 23,
    "output_tokens": 20,
    "total_tokens": 50,
    "cost_usd": "20",
}
"""Limits that each small call keeps by itself, and the large one does not."""

BY_SCOPE = {"run": SHARED, "job": SHARED, "step": SHARED, "call": ALONE}
SENT_FIRST = ("response_chars", "total_chars")
"""What nobody knows before the answer is there."""


def limited(scope: str, dimension: str) -> str:
    return f"pytest.mark.llm_budget({scope}={{{dimension!r}: {BY_SCOPE[scope][dimension]!r}}})"


def expected(scope: str, dimension: str) -> str:
    return f"pytest.mark.expect_stopped_budget({dimension!r}, scope={scope!r}, after_calls=2)"


@pytest.fixture
def priced(project: Project) -> Project:
    """A project that makes three calls, of a model that has a price."""
    project.write("llm_prices.yaml", PRICES)
    project.write("three.py", THREE_CALLS)
    return project


@pytest.mark.parametrize("scope", ["job", "step", "call"])
def test_every_dimension_stops_the_third_call_live_recording_and_in_replay(
    priced: Project, server: Loopback, scope: str
) -> None:
    params = "\n".join(
        f"    pytest.param(id={dimension!r}, marks=[{limited(scope, dimension)}, {expected(scope, dimension)}]),"
        for dimension in BY_SCOPE[scope]
    )
    priced.write(
        "test_it.py",
        f"""
import pytest, three

@pytest.mark.parametrize((), [
{params}
])
def test_one(llm_job):
    with llm_job.step("all"):
        three.ask_all()
""",
    )
    tests = len(BY_SCOPE[scope])
    sent = sum(3 if dimension in SENT_FIRST else 2 for dimension in BY_SCOPE[scope])

    for runs, mode in enumerate(("--llm-mode=live", "--record-cassettes"), 1):
        priced.run(mode, passed=tests)
        assert len(server.requests) == runs * sent
    priced.run("--llm-mode=replay", passed=tests)
    assert len(server.requests) == 2 * sent

    told = report(priced)
    assert [(stop["scope"], stop["dimension"]) for stop in told["stops"]] == [(scope, d) for d in BY_SCOPE[scope]]
    assert {job["state"] for job in told["jobs"]} == {"STOPPED_BUDGET"}
    assert told["errors"] == []


@pytest.mark.parametrize("dimension", SHARED)
def test_every_dimension_stops_the_run_at_the_third_call(priced: Project, server: Loopback, dimension: str) -> None:
    priced.write(
        "test_it.py",
        f"""
import pytest, three

@{limited("run", dimension)}
@{expected("run", dimension)}
def test_one():
    three.ask_all()
""",
    )

    priced.record_and_replay(server, calls=3 if dimension in SENT_FIRST else 2, passed=1)


EXACT = {**SHARED, "input_tokens": 14, "total_tokens": 35, "cost_usd": "20.99"}
"""In replay the recorded figures are what is asked for, so a limit that is just kept lets a call through."""


def test_replay_goes_by_what_was_recorded_twenty_times_over(priced: Project, server: Loopback) -> None:
    params = "\n".join(
        f"    pytest.param(id={dimension!r}, marks=[pytest.mark.llm_budget({dimension}={limit!r}), "
        f"{expected('job', dimension)}]),"
        for dimension, limit in EXACT.items()
    )
    priced.write(
        "test_it.py",
        f"""
import pytest, three

pytestmark = pytest.mark.llm_cassette("three")

def test_all():
    three.ask_all()

@pytest.mark.parametrize("again", range(20))
@pytest.mark.parametrize((), [
{params}
])
def test_one(again, llm_usage):
    try:
        three.ask_all()
    finally:
        assert (llm_usage.calls, llm_usage.total_tokens, llm_usage.total_chars) == (2, 24, 42)
""",
    )
    priced.run("--record-cassettes", "-k", "test_all", passed=1)

    priced.run("--llm-mode=replay", passed=1 + 20 * len(EXACT))

    assert len(server.requests) == 3
    assert len(report(priced)["stops"]) == 20 * len(EXACT)


PARALLEL = """
import asyncio, sys
from concurrent.futures import ThreadPoolExecutor
import pytest, tapemeter, three
from three import aask, ask

pytestmark = pytest.mark.llm_cassette("nine")

@pytest.fixture(autouse=True)
def hectic():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)

def attempt(number):
    try:
        return ask(number)
    except tapemeter.BudgetStopped:
        return None

async def aattempt(number):
    try:
        return await aask(number)
    except tapemeter.BudgetStopped:
        return None

def threads():
    with ThreadPoolExecutor(9) as pool:
        return list(pool.map(attempt, range(9)))

def tasks():
    async def main():
        return await asyncio.gather(*map(aattempt, range(9)))
    return asyncio.run(main())

def test_all():
    for number in range(9):
        ask(number)
"""


@pytest.mark.parametrize("how", ["threads", "tasks"])
def test_parallel_calls_are_let_through_up_to_the_limit_twenty_times_over(
    priced: Project, server: Loopback, how: str
) -> None:
    priced.write(
        "test_it.py",
        PARALLEL
        + f"""
@pytest.mark.parametrize("again", range(20))
@pytest.mark.parametrize((), [
    pytest.param(id="calls", marks=pytest.mark.llm_budget(calls=4)),
    pytest.param(id="money", marks=pytest.mark.llm_budget(cost_usd="28")),
])
@pytest.mark.expect_stopped_budget
def test_one(again, llm_usage):
    answered = [number for number in {how}() if number is not None]
    assert len(answered) == llm_usage.calls == 4
""",
    )
    priced.run("--record-cassettes", "-k", "test_all", passed=1)

    priced.run("--llm-mode=replay", passed=41)

    assert len(server.requests) == 9
    assert report(priced)["errors"] == []


@pytest.mark.parametrize("how", ["threads", "tasks"])
def test_a_stop_amid_parallel_calls_comes_after_as_many_calls_each_time(priced: Project, how: str) -> None:
    priced.write(
        "test_it.py",
        PARALLEL
        + f"""
@pytest.mark.parametrize("again", range(20))
@pytest.mark.llm_budget(calls=4)
@pytest.mark.expect_stopped_budget("calls", scope="job", after_calls=4)
def test_one(again):
    {how}()
""",
    )
    priced.run("--record-cassettes", "-k", "test_all", passed=1)

    priced.run("--llm-mode=replay", passed=21)


def test_time_stops_parallel_calls_at_their_recorded_end_twenty_times_over(priced: Project) -> None:
    priced.write(
        "test_it.py",
        PARALLEL
        + """
@pytest.mark.parametrize("again", range(20))
@pytest.mark.llm_budget(wall_seconds=60)
@pytest.mark.expect_stopped_budget("wall_seconds", scope="job")
def test_stopped(again, llm_job):
    threads()
    assert (llm_job.stop.used, llm_job.stop.asked) == (10, 51)
    assert llm_job.stop.call.startswith("call ")

@pytest.mark.parametrize("again", range(20))
@pytest.mark.llm_budget(wall_seconds=61)
def test_kept(again, llm_job, llm_usage):
    threads()
    assert llm_usage.calls == 9
    assert llm_job.budget.remaining["wall_seconds"] == 0
""",
    )
    priced.run("--record-cassettes", "-k", "test_all", passed=1)
    pace(priced.path / "cassettes" / "nine.yaml", [(10, 20), (10, 51), *[(number, 30) for number in range(7)]])

    priced.run("--llm-mode=replay", passed=41)


# What is refused, and what is not


def test_zero_refuses_every_call_and_null_none(priced: Project, server: Loopback) -> None:
    dimensions = [*SHARED, "wall_seconds"]
    params = "\n".join(
        f"    pytest.param(0, id={dimension!r}, marks=[pytest.mark.llm_budget({dimension}=0), "
        f"pytest.mark.expect_stopped_budget({dimension!r}, after_calls=0)]),\n"
        f"    pytest.param(1, id='no {dimension}', marks=pytest.mark.llm_budget({dimension}=None)),"
        for dimension in dimensions
    )
    priced.write(
        "test_it.py",
        f"""
import pytest, three

@pytest.mark.parametrize("calls", [
{params}
])
def test_one(calls, llm_usage):
    try:
        three.ask(0)
    finally:
        assert llm_usage.calls == llm_usage.attempts == calls
""",
    )
    tests = 2 * len(dimensions)

    priced.run("--llm-mode=live", passed=tests)
    priced.run("--record-cassettes", passed=tests)
    assert len(server.requests) == tests
    priced.run("--llm-mode=replay", passed=tests)
    assert len(server.requests) == tests
    assert outcomes(priced) == ["refused", "ok"] * len(dimensions)


def test_a_limit_that_is_just_reached_is_kept(priced: Project, server: Loopback) -> None:
    priced.write("test_it.py", """
import pytest, three

@pytest.mark.llm_budget(
    calls=2, attempts=2, prompt_chars=14, response_chars=28, total_chars=42, input_tokens=28, output_tokens=15,
    total_tokens=43, cost_usd="15",
)
def test_one(llm_job):
    three.ask_all(range(2))
    assert llm_job.state == "RUNNING"
    assert {name: str(left) for name, left in llm_job.budget.remaining.items()} == {
        "calls": "0", "attempts": "0", "prompt_chars": "0", "response_chars": "0", "total_chars": "0",
        "input_tokens": "18", "output_tokens": "1", "total_tokens": "19", "cost_usd": "1",
    }
""")  # fmt: skip

    priced.record_and_replay(server, calls=2, passed=1)


SCOPES = ["run", "job", "step", "call"]


@pytest.mark.parametrize("outermost", range(4))
def test_of_several_limits_that_do_not_hold_the_outermost_is_told(priced: Project, outermost: int) -> None:
    limits = ", ".join(f"{scope}={{'prompt_chars': 7}}" for scope in SCOPES[outermost:])
    priced.write(
        "test_it.py",
        f"""
import pytest, three

@pytest.mark.llm_budget({limits})
@pytest.mark.expect_stopped_budget("prompt_chars", scope={SCOPES[outermost]!r}, after_calls=0)
def test_one(llm_job):
    with llm_job.step("large"):
        three.ask(2)
""",
    )

    priced.run("--llm-mode=live", passed=1)


def test_of_time_and_what_is_counted_the_outermost_is_told(priced: Project) -> None:
    priced.write("test_it.py", """
import pytest, three

@pytest.mark.llm_cassette("three")
def test_all():
    three.ask_all()

@pytest.mark.llm_cassette("three")
@pytest.mark.llm_budget(wall_seconds=25, step={"calls": 2})
@pytest.mark.expect_stopped_budget("wall_seconds", scope="job", after_calls=2)
def test_time_is_outer(llm_job):
    with llm_job.step("all"):
        three.ask_all()

@pytest.mark.llm_cassette("three")
@pytest.mark.llm_budget(step={"wall_seconds": 25}, calls=2)
@pytest.mark.expect_stopped_budget("calls", scope="job", after_calls=2)
def test_time_is_inner(llm_job):
    with llm_job.step("all"):
        three.ask_all()
""")  # fmt: skip
    priced.run("--record-cassettes", "-k", "test_all", passed=1)
    pace(priced.path / "cassettes" / "three.yaml", [(0, 10), (10, 10), (20, 10)])

    priced.run("--llm-mode=replay", passed=3)


# Nothing gets past a stop


RELENTLESS = {
    "a loop that catches whatever comes": """
        for number in range(9):
            try:
                three.ask(number)
            except BaseException:
                continue
    """,
    "another client": """
        with pytest.raises(tapemeter.BudgetStopped):
            three.ask_all()
        async def main():
            await three.aask(1)
        with pytest.raises(tapemeter.BudgetStopped):
            asyncio.run(main())
        with httpx2.Client(verify=False) as client, pytest.raises(tapemeter.BudgetStopped):
            client.post(talk.URL + "/v1/chat/completions", json=three.body(0))
    """,
    "threads that are started after it": """
        with pytest.raises(tapemeter.BudgetStopped):
            three.ask_all()
        with ThreadPoolExecutor(3) as pool:
            found = [pool.submit(three.ask, number).exception() for number in range(9)]
        assert {type(error) for error in found} == {tapemeter.BudgetStopped}
    """,
    "tasks that were started before it": """
        async def main():
            stopped = asyncio.Event()
            async def late(number):
                await stopped.wait()
                await three.aask(number)
            tasks = [asyncio.create_task(late(number)) for number in range(9)]
            with pytest.raises(tapemeter.BudgetStopped):
                for number in range(3):
                    await three.aask(number)
            stopped.set()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(error) for error in found} == {tapemeter.BudgetStopped}
        asyncio.run(main())
    """,
    "another step": """
        with pytest.raises(tapemeter.BudgetStopped), llm_job.step("one"):
            three.ask_all()
        with pytest.raises(tapemeter.BudgetStopped), llm_job.step("two"):
            three.ask(0)
    """,
}


@pytest.mark.parametrize("how", RELENTLESS)
def test_nothing_gets_past_a_stop(priced: Project, server: Loopback, how: str) -> None:
    priced.write(
        "test_it.py",
        f"""
import asyncio
from concurrent.futures import ThreadPoolExecutor
import httpx2, pytest, talk, tapemeter, three

@pytest.mark.llm_budget(calls=2)
@pytest.mark.expect_stopped_budget("calls", after_calls=2)
def test_one(llm_job):
{textwrap.indent(textwrap.dedent(RELENTLESS[how]), "    ")}
    assert llm_job.state == "STOPPED_BUDGET"
    assert llm_job.usage.calls == 2
""",
    )

    priced.record_and_replay(server, calls=2, passed=1)

    assert len(events(priced, "stop")) == 1
    assert set(outcomes(priced)[2:]) == {"refused"}


RETRIES = """
import asyncio
import anthropic, openai, pytest, talk

BODY = {"model": "loopback-1", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}

def openai_sync(prompt="hello"):
    with openai.OpenAI(base_url=talk.URL + "/v1", api_key="k") as client:
        return client.chat.completions.create(**BODY)

def openai_async():
    async def main():
        async with openai.AsyncOpenAI(base_url=talk.URL + "/v1", api_key="k") as client:
            return await client.chat.completions.create(**BODY)
    return asyncio.run(main())

def anthropic_sync():
    with anthropic.Anthropic(base_url=talk.URL, api_key="k") as client:
        return client.messages.create(**BODY)

def anthropic_async():
    async def main():
        async with anthropic.AsyncAnthropic(base_url=talk.URL, api_key="k") as client:
            return await client.messages.create(**BODY)
    return asyncio.run(main())

CLIENTS = [openai_sync, openai_async, anthropic_sync, anthropic_async]
"""


@pytest.mark.usefixtures("sdks")
def test_an_agent_that_retries_every_exception_is_ended_by_a_stop(project: Project, server: Loopback) -> None:
    project.write("sdk.py", RETRIES)
    project.write("test_it.py", """
import pytest, sdk

@pytest.mark.parametrize("ask", sdk.CLIENTS)
@pytest.mark.llm_budget(calls=1)
@pytest.mark.expect_stopped_budget("calls", after_calls=1)
def test_one(ask):
    for _ in range(9):
        try:
            ask()
        except Exception:
            continue
    raise AssertionError("not reached")
""")  # fmt: skip

    project.record_and_replay(server, calls=4, passed=4)

    assert outcomes(project) == ["ok", "refused"] * 4, "an SDK does not try again what was refused"


@pytest.mark.usefixtures("sdks")
def test_http_402_is_an_error_of_the_clients_own_that_is_not_tried_again(project: Project, server: Loopback) -> None:
    project.write("sdk.py", RETRIES)
    project.write("test_it.py", """
import anthropic, openai, pytest, sdk, talk

@pytest.mark.parametrize("ask", sdk.CLIENTS)
@pytest.mark.llm_budget(calls=1, on_stop="http_402")
@pytest.mark.expect_stopped_budget("calls", after_calls=1)
def test_one(ask):
    ask()
    wanted = openai.APIStatusError if "openai" in ask.__name__ else anthropic.APIStatusError
    for _ in range(2):
        with pytest.raises(wanted, match="stopped by budget: the job's calls limit of 1") as caught:
            ask()
        assert caught.value.status_code == 402
        assert caught.value.response.headers["x-should-retry"] == "false"

@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.llm_budget(calls=0, on_stop="http_402")
@pytest.mark.expect_stopped_budget("calls")
def test_plain(path):
    answer = talk.post(path, sdk.BODY)
    assert answer.status_code == 402
    assert "stopped by budget" in answer.json()["error"]["message"]

@pytest.mark.llm_budget(calls=0, on_stop="http_402")
@pytest.mark.expect_stopped_budget("calls")
def test_stream():
    with openai.OpenAI(base_url=talk.URL + "/v1", api_key="k") as client:
        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(**sdk.BODY, stream=True)
    assert caught.value.status_code == 402
""")  # fmt: skip

    project.record_and_replay(server, calls=4, passed=7)

    assert outcomes(project) == [*["ok", "refused", "refused"] * 4, *["refused"] * 3]
    assert "402" not in "".join(project.cassettes().values()), "an answer of ours is no recording"


# Attempts


@pytest.mark.usefixtures("sdks")
def test_the_attempts_of_an_sdk_are_one_call_in_the_evidence(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
import pytest, talk

@pytest.mark.parametrize("ask", [talk.ask_openai, talk.ask_anthropic])
def test_one(ask, llm_usage):
    ask(f"status 503 then answer {ask.__name__}")
    ask("hello")
    assert (llm_usage.calls, llm_usage.attempts) == (2, 3)
""")  # fmt: skip

    project.record_and_replay(server, calls=6, passed=2)

    found = [(event["call_id"].rpartition("#")[2], event["attempt"], event["outcome"])
             for event in events(project, "call")]  # fmt: skip
    assert found == [("1", 0, "error"), ("1", 1, "ok"), ("2", 0, "ok")] * 2
    assert (report(project)["totals"]["calls"], report(project)["totals"]["attempts"]) == (4, 6)


def test_the_same_request_again_is_another_attempt_only_after_a_failure(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
import talk

BODY = {"model": "loopback-1", "messages": [{"role": "user", "content": "status 429 then answer"}]}

def test_one(llm_usage):
    assert talk.post("/v1/chat/completions", BODY).status_code == 429
    talk.ask("something in between")
    assert talk.post("/v1/chat/completions", BODY).status_code == 200
    assert (llm_usage.calls, llm_usage.attempts) == (2, 3)
    talk.post("/v1/chat/completions", BODY)
    assert (llm_usage.calls, llm_usage.attempts) == (3, 4)
    talk.post("/v1/chat/completions", {**BODY, "messages": [{"role": "user", "content": "status 400"}]})
    talk.post("/v1/chat/completions", {**BODY, "messages": [{"role": "user", "content": "status 400"}]})
    assert (llm_usage.calls, llm_usage.attempts) == (5, 6)
""")  # fmt: skip

    project.run("--llm-mode=live", passed=1)
    server.seen.clear()
    server.requests.clear()
    project.record_and_replay(server, calls=6, passed=1)


def test_a_call_without_a_response_is_tried_again_as_the_same_call(project: Project) -> None:
    project.write("test_it.py", """
import httpx, pytest, socket, talk

def test_one(llm_usage, monkeypatch):
    url = talk.URL
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(talk, "URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                talk.ask("hello")
    assert (llm_usage.calls, llm_usage.attempts, llm_usage.total_tokens) == (1, 3, 0)
    monkeypatch.setattr(talk, "URL", url)
    talk.ask("hello")
    assert llm_usage.calls == 2

@pytest.mark.llm_budget(call={"attempts": 2})
@pytest.mark.expect_stopped_budget("attempts", scope="call", after_calls=0)
def test_two(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(talk, "URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        while True:
            with pytest.raises(httpx.ConnectError):
                talk.ask("hello")
""")  # fmt: skip

    project.run("--llm-mode=live", passed=2)

    assert report(project)["totals"]["failed"] == 5


# Money that nobody knows


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
    with pytest.raises(tapemeter.BudgetStopped, match="price of loopback-1 is unknown"):
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


# Warnings


def test_a_limit_that_is_nearly_used_up_warns_once(priced: Project, server: Loopback) -> None:
    priced.write("test_it.py", """
import pytest, three

@pytest.mark.llm_budget(calls=5, output_tokens=100, warn_at=0.5)
def test_one():
    three.ask_all(range(5))
""")  # fmt: skip

    priced.record_and_replay(server, calls=5, passed=1)

    warned = [(event["dimension"], event["used"], event["limit"]) for event in events(priced, "warning")]
    assert warned == [("calls", 3, 5)]
    order = [event["event"] for event in events(priced) if event["event"] in {"call", "warning"}]
    assert order == ["call", "call", "call", "warning", "call", "call"]


def test_an_answer_that_beats_its_bound_is_an_overrun_and_trips(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
import pytest, talk, tapemeter

@pytest.mark.llm_budget(output_tokens=10)
@pytest.mark.expect_stopped_budget("output_tokens", after_calls=0)
def test_over():
    with pytest.raises(tapemeter.BudgetStopped, match="12 more asked by call 1, .* over the limit once it was"):
        talk.ask("usage 5 12", max_tokens=9)

@pytest.mark.llm_budget(output_tokens=20)
def test_within():
    talk.ask("usage 5 12", max_tokens=9)
""")  # fmt: skip

    project.run("--llm-mode=live", passed=2)

    found = [(event["dimension"], event["bound"], event["actual"]) for event in events(project, "overrun")]
    assert found == [("output_tokens", 9, 12)] * 2
    assert len(server.requests) == 2

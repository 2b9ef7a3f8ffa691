"""Nothing gets past a stop: no thread, task, client or SDK, and no code that swallows or retries whatever happens."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest
from spending import events, outcomes, with_three_calls

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback


@pytest.fixture
def priced(project: Project) -> Project:
    return with_three_calls(project)


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
    "threads that were there before it": """
        with ThreadPoolExecutor(1) as pool:
            pool.submit(three.ask, 0).result()
            asyncio.run(asyncio.to_thread(three.ask, 1))
            with pytest.raises(tapemeter.BudgetStopped):
                asyncio.run(asyncio.to_thread(three.ask, 2))
            assert isinstance(pool.submit(three.ask, 0).exception(), tapemeter.BudgetStopped)
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
    assert (caught.value.status_code, caught.value.code) == (402, "budget_stopped")
""")  # fmt: skip

    project.record_and_replay(server, calls=4, passed=7)

    assert outcomes(project) == [*["ok", "refused", "refused"] * 4, *["refused"] * 3]
    recorded = "".join(project.cassettes().values())
    assert recorded.count("- key: ") == 4
    assert "stopped by budget" not in recorded, "an answer of ours is no recording"


def test_http_402_that_is_not_expected_fails_the_test_with_the_sentence(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
import pytest, talk

@pytest.mark.llm_budget(calls=0, on_stop="http_402")
def test_one():
    assert talk.post("/v1/chat/completions", {"model": "loopback-1", "messages": []}).status_code == 402
""")  # fmt: skip

    result = project.run("--llm-mode=live", failed=1)

    result.stdout.fnmatch_lines(["stopped by budget: the job's calls limit of 0 *", "*expect_stopped_budget*"])
    assert server.requests == []

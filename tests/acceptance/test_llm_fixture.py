"""Tests that call models through the fixture `llm`: recorded, replayed, metered, stopped, told, like any other call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from test_evidence_files import events_of, report_of

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

CONFIG = """
schema: llm_config_v1
endpoint: {{base_url: "{url}/v1", api_key_env: LOOPBACK_KEY}}
retries: {{attempts: 1, first_wait: 0.01, longest_wait: 0.01}}
groups:
  cheap: {{model: gpt-5-nano}}
  main: {{model: gpt-5-mini}}
  fallback: {{model: claude-haiku-4-5, endpoint: {{base_url: "{url}", wire: anthropic, api_key_env: LOOPBACK_KEY}}}}
"""


@pytest.fixture(autouse=True)
def _config(project: Project, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPBACK_KEY", "sk-loopback-4fq94fq94fq9")
    project.write("llm.yaml", CONFIG.format(url=server.url))


def calls(project: Project) -> list[dict[str, Any]]:
    return [event for event in events_of(project) if event["event"] == "call"]


def test_it_answers_by_alias_and_replays_alike(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        def test_one(llm):
            result = llm.complete("usage 100 50", "summarizer", task="rivers")
            print("GOT", result.content, result.model_name, result.alias, result.group, result.task, result.provider)
            cost = f"{result.cost_usd.normalize():f}"
            print("GOT", result.usage.prompt, result.usage.completion, result.usage.total, cost)
            assert not result.cost_unavailable and result.cost_source == "genai-prices"
            assert llm.costs.by_task["rivers"].usd == result.cost_usd
    """)  # fmt: skip
    [said, used] = project.record_and_replay(server, calls=1, passed=1)
    assert said == "echo: usage 100 50 #1 loopback-1 summarizer cheap rivers real"
    [call] = calls(project)
    assert used == f"100 50 150 {call['cost_usd']}"
    assert (call["alias"], call["task"], call["provider"]) == ("summarizer", "rivers", "real")
    assert (call["gen_ai.request.model"], call["model_name"]) == ("gpt-5-nano", "loopback-1")
    assert (call["is_fallback"], call["fallback_reason"], call["cost_unavailable"]) == (False, None, False)


def test_streams_and_async_calls_replay_alike(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import asyncio

        def test_stream(llm):
            with llm.stream("words 5") as stream:
                pieces = list(stream)
            assert len(pieces) > 1
            print("GOT", "|".join(pieces), stream.text == stream.result.content, stream.result.is_fallback)

        def test_async(llm):
            async def both():
                stream = llm.astream("words 4", "router")
                return await llm.acomplete("hello"), [piece async for piece in stream], stream.result
            answer, pieces, result = asyncio.run(both())
            assert "".join(pieces) == result.content
            print("GOT", answer.content, result.content, result.group)
    """)  # fmt: skip
    lines = project.record_and_replay(server, calls=3, passed=2)
    assert lines[0].endswith("True False")
    assert lines[1].endswith("word word word word cheap")


def test_replay_needs_neither_key_nor_server(
    project: Project, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("test_it.py", "def test_one(llm):\n    assert llm.complete('hello').content == 'echo: hello #1'\n")
    project.run("--record-cassettes", passed=1)
    monkeypatch.delenv("LOOPBACK_KEY")
    project.run(passed=1)  # the fixture alone makes the test replay
    assert len(server.requests) == 1


def test_a_fallback_is_another_attempt_at_the_same_call(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest

        @pytest.mark.llm_budget(calls=1, attempts=2)
        def test_one(llm, llm_usage):
            result = llm.complete("status 503 then answer", "planner")
            print("GOT", result.content, result.is_fallback, result.fallback_reason, result.group)
            assert (llm_usage.calls, llm_usage.attempts) == (1, 2)
    """)  # fmt: skip
    [line] = project.record_and_replay(server, calls=2, passed=1)
    assert line == "echo: status 503 then answer #2 True overloaded (HTTP 503) at main fallback"
    first, second = calls(project)
    assert first["call_id"] == second["call_id"]
    assert (first["attempt"], first["is_fallback"], first["gen_ai.provider.name"]) == (0, False, "openai")
    assert (second["attempt"], second["is_fallback"], second["gen_ai.provider.name"]) == (1, True, "anthropic")
    assert second["fallback_reason"] == "overloaded (HTTP 503) at main"
    assert report_of(project)["totals"]["calls"] == 1


def test_all_models_down_is_one_error_that_tells_of_each(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest
        from tapemeter import ProviderError

        def test_one(llm):
            with pytest.raises(ProviderError) as caught:
                llm.complete("status 503", "planner")
            assert caught.value.attempts == 2
            assert "overloaded (HTTP 503) at main" in str(caught.value)
            assert "overloaded (HTTP 503) at fallback" in str(caught.value)
    """)  # fmt: skip
    project.record_and_replay(server, calls=2, passed=1)


def test_a_budget_stops_it_and_no_fallback_goes_round_that(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest

        @pytest.mark.llm_budget(calls=1)
        @pytest.mark.expect_stopped_budget("calls", after_calls=1)
        def test_one(llm):
            llm.complete("hello")
            try:
                llm.complete("hello again")
            except Exception:
                pytest.fail("a refusal is no Exception")
    """)  # fmt: skip
    project.record_and_replay(server, calls=1, passed=1)


def test_a_budget_that_answers_402_is_an_error_of_its_kind(project: Project, server: Loopback) -> None:
    limits = "schema: llm_budget_policy_v1\nname: small\nlimits: {job: {calls: 1}}\non_stop: http_402\n"
    project.write("limits.yaml", limits)
    project.write("test_it.py", """
        import pytest
        from tapemeter import ProviderError

        @pytest.mark.expect_stopped_budget("calls")
        def test_one(llm):
            llm.complete("hello")
            with pytest.raises(ProviderError) as caught:
                llm.complete("hello again")
            assert caught.value.kind == "budget"
    """)  # fmt: skip
    project.record_and_replay(server, "--llm-budget-policy=limits.yaml", calls=1, passed=1)


def test_a_budget_nearly_used_up_sends_calls_to_a_cheaper_group(project: Project, server: Loopback) -> None:
    project.write("limits.yaml", """
        schema: llm_budget_policy_v1
        name: small
        limits: {job: {calls: 4}}
        degrade:
          - {alias: planner, to: cheap, at: 0.5, limit: calls}
    """)  # fmt: skip
    project.write("test_it.py", """
        def test_one(llm):
            for number in range(4):
                result = llm.complete(f"step {number}", "planner")
                print("GOT", result.group, bool(result.route_reason), result.is_fallback)
            assert "planner goes to cheap" in result.route_reason
    """)  # fmt: skip
    lines = project.record_and_replay(server, "--llm-budget-policy=limits.yaml", calls=4, passed=1)
    assert lines == ["main False False", "main False False", "cheap True False", "cheap True False"]
    routes = [event for event in events_of(project) if event["event"] == "route"]
    assert [(event["alias"], event["from_group"], event["to_group"], event["used"]) for event in routes] == [
        ("planner", "main", "cheap", 2),
        ("planner", "main", "cheap", 3),
    ]
    assert [call["gen_ai.request.model"] for call in calls(project)] == ["gpt-5-mini"] * 2 + ["gpt-5-nano"] * 2


def test_an_alias_changed_in_a_test_holds_for_that_test(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        def test_one(llm, llm_aliases):
            llm_aliases.set("planner", "cheap")
            print("GOT", llm.complete("one", "planner").group)

        def test_two(llm):
            print("GOT", llm.complete("two", "planner").group)
    """)  # fmt: skip
    assert project.record_and_replay(server, calls=2, passed=2) == ["cheap", "main"]


def test_limits_of_an_alias_hold(project: Project) -> None:
    project.write("limits.yaml", """
        schema: llm_budget_policy_v1
        name: small
        aliases: {planner: {job: {calls: 1}}}
    """)  # fmt: skip
    project.write("test_it.py", """
        import pytest

        @pytest.mark.expect_stopped_budget("calls", scope="job")
        def test_one(llm):
            llm.complete("one", "planner")
            llm.complete("another", "router")
            llm.complete("two", "planner")
    """)  # fmt: skip
    project.run("--llm-mode=live", "--llm-budget-policy=limits.yaml", passed=1)


def test_echo_asks_nobody(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        def test_one(llm_echo):
            result = llm_echo.complete([{"role": "system", "content": "be"}, {"role": "user", "content": "hello"}])
            assert (result.content, result.provider, result.cost_usd) == ("hello", "echo", 0)
            assert "".join(llm_echo.stream("one two")) == "one two"
    """)  # fmt: skip
    project.run("--llm-mode=replay", passed=1)
    assert server.requests == []


def test_a_wrong_config_file_names_its_line(project: Project) -> None:
    project.write("llm.yaml", "schema: llm_config_v1\nprovider: reel\n")
    project.write("test_it.py", "def test_one(llm):\n    pass\n")
    result = project.run("--llm-mode=live", errors=1)
    result.stdout.fnmatch_lines(["*ConfigError: llm.yaml:2: *"])


def test_the_config_file_may_lie_elsewhere(project: Project, server: Loopback) -> None:
    project.write("models/here.yaml", (project.path / "llm.yaml").read_text())
    (project.path / "llm.yaml").unlink()
    project.write("test_it.py", "def test_one(llm):\n    llm.complete('hello')\n")
    project.run("--llm-mode=live", "-o", "llm_config=models/here.yaml", passed=1)
    assert len(server.requests) == 1


def test_a_fixture_of_the_same_name_that_is_the_projects_own_is_left_alone(project: Project, server: Loopback) -> None:
    project.write("conftest.py", "import pytest\n\n@pytest.fixture\ndef llm():\n    return 'mine'\n")
    project.write("test_it.py", """
        from talk import ask_openai

        def test_one(llm):
            assert llm == "mine"
            ask_openai("hello")
    """)  # fmt: skip
    project.run(passed=1)
    assert len(server.requests) == 1  # no mode, and nothing of ours: the call just goes out


def test_replay_of_an_error_that_was_tried_again_waits_for_nothing(project: Project, server: Loopback) -> None:
    config = (project.path / "llm.yaml").read_text()
    project.write("llm.yaml", config.replace("attempts: 1, first_wait: 0.01", "attempts: 3, first_wait: 0.01"))
    project.write("test_it.py", """
        import pytest
        from tapemeter import ProviderError

        def test_one(llm):
            with pytest.raises(ProviderError) as caught:
                llm.complete("status 429", fallback=False)
            print("GOT", caught.value.attempts, caught.value.kind)

        def test_two(llm):
            print("GOT", llm.complete("status 500 then answer").content)
    """)  # fmt: skip
    assert project.record_and_replay(server, calls=5, passed=2) == [
        "3 rate_limit",
        "echo: status 500 then answer #5",
    ]
    project.write("llm.yaml", config.replace("attempts: 1, first_wait: 0.01, longest_wait: 0.01",
                                             "attempts: 3, first_wait: 3600, longest_wait: 3600"))  # fmt: skip
    project.run("--llm-mode=replay", passed=2)

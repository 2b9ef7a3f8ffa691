"""`--llm-mode=verify`: calls are sent, and what is no longer as recorded is told; no tape is touched."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from changing_model import ChangingModel, completion, streamed, usage
from spending import events, report

from conftest import TALK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Project

ASKS = "import talk\ndef test_it(): print('GOT', talk.ask('hello'))"
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look_up", "arguments": '{"word": "x"}'}}],
}


@pytest.fixture
def model() -> Iterator[ChangingModel]:
    """A model that answers as it is told."""
    with ChangingModel() as running:
        yield running


@pytest.fixture
def asking(project: Project, model: ChangingModel) -> Project:
    """A project whose model that is, with a test that asks it, and is recorded."""
    project.write("talk.py", TALK.format(url=model.url))
    project.write("test_it.py", ASKS)
    project.run("--record-cassettes", passed=1)
    return project


def drift(project: Project) -> list[dict[str, Any]]:
    """What the evidence of the newest run tells of drift."""
    return [event for event in events(project) if event["event"] == "drift"]


def changed(project: Project) -> dict[str, tuple[str | None, str | None]]:
    """The changes of the only drift, by path."""
    [found] = drift(project)
    assert found["found"] == "answered_otherwise"
    return {change["path"]: (change["recorded"], change["now"]) for change in found["changes"]}


def test_a_program_gets_the_answer_of_today_and_the_tape_stays(asking: Project, model: ChangingModel) -> None:
    before = asking.cassettes()
    model.answers(completion("Something else that it says today."))

    result = asking.run("--llm-mode=verify", "-rP", "--llm-fail-on=drift", passed=1)

    assert model.calls == 2
    result.stdout.fnmatch_lines(["GOT Something else that it says today."])
    assert result.ret is pytest.ExitCode.OK
    assert drift(asking) == []
    assert asking.cassettes() == before


@pytest.mark.parametrize(
    ("answer", "changes"),
    [
        (completion(model="model-2026-10"), {"model": ("model-2026-01", "model-2026-10")}),
        (completion(finish_reason="length"), {"finish_reasons": ("stop", "length")}),
        (completion(usage=usage(60, 20)), {"input_tokens": ("40", "60")}),
        (completion(usage=usage(44, 20)), None),
        (completion(usage=usage(40, 50)), {"output_tokens": ("20", "50")}),
        (completion(usage=usage(40, 30)), None),
        (completion(service_tier="default"), {"answer service_tier": (None, "string")}),
        (completion(created="today"), {"answer created": ("number", "string")}),
        (
            completion(message={"role": "assistant"}),
            {"answer choices[*].message.content": ("string", None)},
        ),
        (
            completion(message=CALLED, finish_reason="tool_calls"),
            {
                "finish_reasons": ("stop", "tool_calls"),
                "tools": ("none", "look_up"),
                "answer choices[*].message.content": ("string", "null"),
                "answer choices[*].message.tool_calls": (None, "array"),
            },
        ),
    ],
)
def test_what_changed_is_told_by_its_place(
    asking: Project, model: ChangingModel, answer: Any, changes: dict[str, Any] | None
) -> None:
    model.answers(answer)
    asking.write("test_it.py", "import talk\ndef test_it(): talk.ask_raw('hello')")
    asking.write(
        "talk.py",
        TALK.format(url=model.url)
        + "\ndef ask_raw(prompt):\n"
        + "    body = {'model': 'loopback-1', 'messages': [{'role': 'user', 'content': prompt}]}\n"
        + "    post('/v1/chat/completions', body)\n",
    )

    asking.run("--llm-mode=verify", passed=1)

    assert (drift(asking) == []) if changes is None else (changed(asking) == changes)


def test_an_error_in_place_of_an_answer_is_told_as_that_alone(asking: Project, model: ChangingModel) -> None:
    model.answers(404)

    asking.run("--llm-mode=verify", failed=1)

    assert changed(asking) == {"status": ("200", "404")}


def test_a_server_that_is_gone_is_told(asking: Project, model: ChangingModel) -> None:
    asking.write("talk.py", TALK.format(url=model.url).replace("def ask(", "def ask_(") + GONE)

    asking.run("--llm-mode=verify", failed=1)

    assert changed(asking) == {"status": ("200", "none")}


GONE = """
class Gone(httpx.HTTPTransport):
    def __init__(self):
        super().__init__()
        import httpcore

        class Backend(httpcore.NetworkBackend):
            def connect_tcp(self, *_, **__):
                raise httpcore.ConnectError("gone")

        self._pool = httpcore.ConnectionPool(network_backend=Backend())

def ask(prompt):
    body = {"model": "loopback-1", "messages": [{"role": "user", "content": prompt}]}
    with httpx.Client(transport=Gone()) as client:
        client.post(URL + "/v1/chat/completions", json=body)
"""


def test_summary_and_report_name_the_test_and_what_changed(asking: Project, model: ChangingModel) -> None:
    model.answers(completion("The secret word is mellon.", model="model-2026-10", finish_reason="length"))

    result = asking.run("--llm-mode=verify", passed=1)

    result.stdout.fnmatch_lines(
        [
            "drift   1 call answered otherwise  test_it.py::test_it",
            "        model model-2026-01 → model-2026-10, finish_reasons stop → length",
        ]
    )
    [told] = report(asking)["drift"]
    assert told["test"] == "test_it.py::test_it"
    assert told["cassette"] == "cassettes/test_it/test_it.yaml"
    assert told["call_ids"] == ["test_it.py::test_it#1"]
    assert "mellon" not in str(told)
    assert report(asking)["mode"] == "verify"
    [call] = [event for event in events(asking) if event["event"] == "call"]
    assert call["source"] == "live"


def test_drift_fails_the_run_where_it_is_asked_to(asking: Project, model: ChangingModel) -> None:
    model.answers(completion(model="model-2026-10"))

    result = asking.run("--llm-mode=verify", "--llm-fail-on=drift", passed=1)

    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["--llm-fail-on=drift: 1 time: *"])


def test_a_call_without_a_recording_is_told(asking: Project, model: ChangingModel) -> None:
    asking.write("test_it.py", "import talk\ndef test_it(): talk.ask('hello'), talk.ask('a new question')")

    result = asking.run("--llm-mode=verify", "--llm-fail-on=drift", passed=1)

    [told] = drift(asking)
    assert (told["found"], told["calls"], told["changes"]) == ("not_recorded", 1, [])
    result.stdout.fnmatch_lines(["drift   1 call not recorded  test_it.py::test_it"])
    assert result.ret is pytest.ExitCode.TESTS_FAILED


def test_an_error_that_a_client_overcame_is_no_drift(project: Project, model: ChangingModel, sdks: None) -> None:
    project.write("talk.py", TALK.format(url=model.url))
    project.write("test_it.py", "import talk\ndef test_it(): talk.ask_openai('hello', max_retries=2)")
    project.run("--record-cassettes", passed=1)
    model.answers(429, 500, completion())

    project.run("--llm-mode=verify", "--llm-fail-on=drift", passed=1)

    assert model.calls == 4
    assert drift(project) == []


def test_what_is_found_at_a_retry_is_told_once(project: Project, model: ChangingModel, sdks: None) -> None:
    project.write("talk.py", TALK.format(url=model.url))
    project.write("test_it.py", "import talk\ndef test_it(): talk.ask_openai('hello', max_retries=2)")
    project.run("--record-cassettes", passed=1)
    model.answers(429, completion(model="model-2026-10"))

    project.run("--llm-mode=verify", passed=1)

    assert changed(project) == {"model": ("model-2026-01", "model-2026-10")}


STREAMS = """
    import openai, talk

    def test_it():
        with openai.OpenAI(base_url=talk.URL + "/v1", max_retries=0) as client:
            stream = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hello"}], stream=True
            )
            print("GOT", "".join(c.choices[0].delta.content or "" for c in stream if c.choices))
"""


@pytest.fixture
def streaming(project: Project, model: ChangingModel, sdks: None) -> Project:
    """A project with a recorded stream."""
    model.answers(streamed("one ", "two ", "three"))
    project.write("talk.py", TALK.format(url=model.url))
    project.write("test_it.py", STREAMS)
    project.run("--record-cassettes", passed=1)
    return project


def test_a_stream_that_is_cut_otherwise_and_says_something_else_is_no_drift(
    streaming: Project, model: ChangingModel
) -> None:
    model.answers(streamed("four", " and", " five", " and", " six"))

    result = streaming.run("--llm-mode=verify", "-rP", "--llm-fail-on=drift", passed=1)

    result.stdout.fnmatch_lines(["GOT four and five and six"])
    assert drift(streaming) == []


def test_a_stream_is_folded_before_it_is_compared(streaming: Project, model: ChangingModel) -> None:
    model.answers(streamed("four", model="model-2026-10", refusal=None))

    streaming.run("--llm-mode=verify", passed=1)

    assert changed(streaming) == {
        "model": ("model-2026-01", "model-2026-10"),
        "answer choices[*].delta.refusal": (None, "null"),
    }


def test_a_stream_that_became_a_whole_answer_is_told(streaming: Project, model: ChangingModel) -> None:
    model.answers(completion())
    streaming.write("test_it.py", STREAMS.replace('print("GOT"', 'print(list(stream) and "GOT"'))

    streaming.run("--llm-mode=verify", "--llm-fail-on=drift")

    assert changed(streaming)["content-type"] == ("text/event-stream", "application/json")


def test_budgets_hold_as_in_mode_live(asking: Project, model: ChangingModel) -> None:
    asking.write(
        "test_it.py", "import pytest, talk\n@pytest.mark.llm_budget(calls=0)\ndef test_it(): talk.ask('hello')"
    )

    asking.run("--llm-mode=verify", failed=1)

    assert model.calls == 1


def test_a_test_verifies_by_its_marker(asking: Project, model: ChangingModel) -> None:
    model.answers(completion(model="model-2026-10"))
    asking.write(
        "test_it.py", "import pytest, talk\n@pytest.mark.llm_cassette(mode='verify')\ndef test_it(): talk.ask('hello')"
    )

    asking.run(passed=1)
    assert changed(asking) == {"model": ("model-2026-01", "model-2026-10")}

    asking.run("--llm-mode=replay", passed=1)
    assert model.calls == 2


def test_what_a_fixture_asks_is_told_as_its_own(asking: Project, model: ChangingModel) -> None:
    asking.write(
        "test_it.py",
        """
        import pytest, talk

        @pytest.fixture(scope="module")
        def answer(): return talk.ask("fixture")

        def test_it(answer): pass
        """,
    )
    asking.run("--record-cassettes", passed=1)
    model.answers(completion(model="model-2026-10"))

    asking.run("--llm-mode=verify", passed=1)

    [told] = drift(asking)
    assert (told["test"], told["cassette"]) == (None, "cassettes/test_it/@module.answer.yaml")


def test_workers_tell_as_one_process_does(asking: Project, model: ChangingModel) -> None:
    asking.write("test_more.py", "import talk\ndef test_more(): talk.ask('more')")
    asking.run("--record-cassettes", passed=2)
    model.answers(completion(model="model-2026-10"))

    result = asking.run_apart("--llm-mode=verify", "--llm-fail-on=drift", "-n", "2", passed=2)

    assert sorted(told["test"] for told in report(asking)["drift"]) == [
        "test_it.py::test_it",
        "test_more.py::test_more",
    ]
    result.stdout.fnmatch_lines(["--llm-fail-on=drift: 2 times: *"])


def test_a_broken_cassette_is_an_error_before_anything_is_sent(asking: Project, model: ChangingModel) -> None:
    asking.write("cassettes/test_it/test_it.yaml", "format: tapemeter-cassette/1\ninteractions:\n")

    result = asking.run("--llm-mode=verify", failed=1)

    assert model.calls == 1
    result.stdout.fnmatch_lines(["*UnreadableCassette*"])


def test_recording_and_verifying_contradict_each_other(project: Project) -> None:
    result = project.run("--llm-mode=verify", "--record-cassettes")

    assert result.ret is pytest.ExitCode.USAGE_ERROR


def test_their_cassettes_are_verified_as_ours_are(project: Project, model: ChangingModel) -> None:
    project.write("talk.py", TALK.format(url=model.url))
    project.write("test_it.py", "import pytest, talk\n@pytest.mark.vcr\ndef test_it(): talk.ask('hello')")
    project.run("--record-mode=once", passed=1)
    before = project.cassettes()
    model.answers(completion(model="model-2026-10"))

    project.run("--llm-mode=verify", passed=1)

    assert model.calls == 2
    assert changed(project) == {"model": ("model-2026-01", "model-2026-10")}
    assert project.cassettes() == before


CALLING = """
import json, os, urllib.request
body = json.dumps({"model": "model-2026-01", "messages": [{"role": "user", "content": "hello"}]}).encode()
url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
with urllib.request.urlopen(urllib.request.Request(url, body, {"content-type": "application/json"})) as answer:
    print(json.load(answer)["model"])
"""


def test_the_calls_of_a_child_are_verified_at_the_proxy(
    project: Project, model: ChangingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{model.url}/v1")
    project.write("child.py", CALLING)
    project.write("test_it.py", """
        import subprocess, sys

        def test_it(llm_proxy):
            subprocess.run([sys.executable, "child.py"], env=llm_proxy.environ(), check=True)
    """)  # fmt: skip
    project.run("--record-cassettes", passed=1)
    model.answers(completion(model="model-2026-10"))

    project.run("--llm-mode=verify", passed=1)

    assert model.calls == 2
    assert changed(project) == {"model": ("model-2026-01", "model-2026-10")}


def test_the_calls_of_a_program_are_verified_at_the_proxy(tmp_path: Path, model: ChangingModel) -> None:
    (tmp_path / "program.py").write_text(CALLING)
    proxy = [sys.executable, "-m", "tapemeter", "proxy", "--upstream", f"openai={model.url}/v1", "--mode"]
    told = []
    for mode in ("record", "verify"):
        ran = subprocess.run(
            [*proxy, mode, "--", sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        told.append((ran.stdout, "model model-2026-01 → model-2026-10" in ran.stderr))
        model.answers(completion(model="model-2026-10"))

    assert told == [("model-2026-01\n", False), ("model-2026-10\n", True)]

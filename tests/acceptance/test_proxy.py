"""Programs outside of the test's process, whose calls come through the proxy: recorded, replayed, metered, refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_evidence_files import events_of, report_of

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

CHILD = """
import json, sys, urllib.request, os

def ask(prompt):
    body = json.dumps({"model": "gpt-5-mini", "messages": [{"role": "user", "content": prompt}]}).encode()
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, {
        "content-type": "application/json", "authorization": "Bearer " + os.environ["OPENAI_API_KEY"],
    })
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)["choices"][0]["message"]["content"]

for prompt in sys.argv[1:]:
    try:
        print("GOT", ask(prompt))
    except urllib.error.HTTPError as error:
        print("GOT", error.code, error.headers["x-should-retry"], json.load(error)["error"]["code"])
"""
HELPER = """
import subprocess, sys

def child(llm_proxy, *prompts):
    command = [sys.executable, "child.py", *prompts]
    done = subprocess.run(command, env=llm_proxy.environ(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sys.stdout.write(done.stdout)
    return done.stdout
"""


@pytest.fixture(autouse=True)
def _children(project: Project, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    project.write("child.py", CHILD)
    project.write("children.py", HELPER)


def test_a_child_process_is_recorded_and_replayed(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        from children import child

        def test_one(llm_proxy, llm_usage):
            child(llm_proxy, "hello", "and bye")
            assert llm_usage.calls == 2
    """)  # fmt: skip
    said = project.record_and_replay(server, calls=2, passed=1)
    assert said == ["echo: hello #1", "echo: and bye #2"]
    assert f"{server.url}/v1/chat/completions" in project.cassette()
    assert report_of(project)["totals"]["calls"] == 2


def test_a_child_and_the_test_itself_share_cassette_and_budget(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest
        from children import child
        from talk import ask_openai

        @pytest.mark.llm_budget(calls=2)
        @pytest.mark.expect_stopped_budget("calls", after_calls=2)
        def test_one(llm_proxy):
            print("GOT", ask_openai("from within"))
            child(llm_proxy, "from outside", "one too many")
    """)  # fmt: skip
    said = project.record_and_replay(server, calls=2, passed=1)
    assert said == ["echo: from within #1", "echo: from outside #2", "402 false budget_stopped"]


def test_what_has_no_recording_is_an_http_error_that_is_not_retried_and_fails_the_test(
    project: Project, server: Loopback
) -> None:
    test = "from children import child\n\ndef test_one(llm_proxy):\n    child(llm_proxy, {!r})\n"
    project.write("test_it.py", test.format("hello"))
    project.run("--record-cassettes", passed=1)
    project.write("test_it.py", test.format("good bye"))
    result = project.run("--llm-mode=replay", "-rP", failed=1)
    result.stdout.fnmatch_lines(["*messages[[]0].content*", "GOT 424 false cassette_miss"])
    assert len(server.requests) == 1


def test_sdks_in_a_child_process(project: Project, server: Loopback) -> None:
    project.write("sdks.py", """
        import anthropic, openai
        with openai.OpenAI() as client:
            stream = client.chat.completions.create(
                model="gpt-5-mini", messages=[{"role": "user", "content": "words 4"}], stream=True)
            print("GOT", "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
        with anthropic.Anthropic() as client:
            said = client.messages.create(
                model="claude-haiku-4-5", max_tokens=20, messages=[{"role": "user", "content": "hello"}])
            print("GOT", said.content[0].text)
            try:
                client.messages.create(
                    model="claude-haiku-4-5", max_tokens=20, messages=[{"role": "user", "content": "one too many"}])
            except anthropic.APIStatusError as error:
                print("GOT", error.status_code, error.body["error"]["type"])
    """)  # fmt: skip
    project.write("test_it.py", """
        import subprocess, sys, pytest

        @pytest.mark.llm_budget(calls=2)
        @pytest.mark.expect_stopped_budget("calls")
        def test_one(llm_proxy):
            done = subprocess.run([sys.executable, "sdks.py"], env=llm_proxy.environ(), capture_output=True, text=True)
            sys.stdout.write(done.stdout + done.stderr)
    """)  # fmt: skip
    said = project.record_and_replay(server, calls=2, passed=1)
    assert said == ["word word word word", "echo: hello #2", "402 billing_error"]
    assert {event["gen_ai.provider.name"] for event in events_of(project) if event["event"] == "call"} == {
        "openai", "anthropic",
    }  # fmt: skip


def test_streams_pass_through_before_they_end(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import httpx

        def test_one(llm_proxy):
            body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "slow"}]}
            with httpx.stream("POST", llm_proxy.url() + "/chat/completions", json=body, timeout=20) as answer:
                chunks = answer.iter_raw()
                first = next(chunks)
                httpx.get(URL + "/release")  # only now the provider sends the rest
                rest = b"".join(chunks)
            print("GOT", b"[DONE]" in first, b"[DONE]" in rest)
    """.replace("URL", repr(server.url)))  # fmt: skip
    assert project.record_and_replay(server, calls=1, passed=1) == ["False True"]


def test_a_program_that_hangs_up_leaves_a_partial_recording(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import httpx

        def test_one(llm_proxy, llm_cassette):
            body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "endless"}]}
            with httpx.stream("POST", llm_proxy.url() + "/chat/completions", json=body, timeout=20) as answer:
                print("GOT", next(answer.iter_raw())[:6])
    """)  # fmt: skip
    project.run("--record-cassettes", passed=1)
    assert "ending: " in project.cassette()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl(project: Project, server: Loopback) -> None:
    project.write("test_it.py", r"""
        import json, subprocess

        def test_one(llm_proxy):
            body = '{"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hello"}]}'
            url = llm_proxy.url() + "/chat/completions"
            done = subprocess.run(["curl", "-sS", url, "-H", "content-type: application/json", "-d", body],
                                  capture_output=True, text=True, env=llm_proxy.environ())
            print("GOT", json.loads(done.stdout)["choices"][0]["message"]["content"])
    """)  # fmt: skip
    assert project.record_and_replay(server, calls=1, passed=1) == ["echo: hello #1"]


NODE = """
import OpenAI from "openai";

const client = new OpenAI();
const ask = (content, more = {}) =>
  client.chat.completions.create({ model: "gpt-5-mini", messages: [{ role: "user", content }], ...more });

const said = await ask("hello");
console.log("GOT", said.choices[0].message.content);
let text = "";
for await (const chunk of await ask("words 4", { stream: true })) text += chunk.choices[0]?.delta?.content ?? "";
console.log("GOT", text);
try {
  await ask("one too many");
} catch (error) {
  console.log("GOT", error.status, error.code);
}
"""


def node_modules() -> str | None:
    """Return where npm's `openai` is installed; None where it is not, or there is no node."""
    folder = os.environ.get("TAPEMETER_NODE_MODULES", "")
    return folder if shutil.which("node") and (Path(folder) / "openai").is_dir() else None


@pytest.mark.skipif(node_modules() is None, reason="there is no node with openai (tox run -e languages installs it)")
def test_a_node_program_with_its_own_sdk(project: Project, server: Loopback) -> None:
    (project.path / "node_modules").symlink_to(str(node_modules()))
    project.write("agent.mjs", NODE)
    project.write("test_it.py", """
        import subprocess, sys, pytest

        @pytest.mark.llm_budget(calls=2)
        @pytest.mark.expect_stopped_budget("calls", after_calls=2)
        def test_one(llm_proxy):
            done = subprocess.run(["node", "agent.mjs"], env=llm_proxy.environ(), capture_output=True, text=True)
            sys.stdout.write(done.stdout + done.stderr)
    """)  # fmt: skip
    said = project.record_and_replay(server, calls=2, passed=1)
    assert said == ["echo: hello #1", "word word word word", "402 budget_stopped"]


def test_each_test_has_its_own_calls_also_in_parallel_workers(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import pytest
        from concurrent.futures import ThreadPoolExecutor
        from children import child

        @pytest.mark.parametrize("number", range(4))
        def test_one(llm_proxy, llm_usage, number):
            with ThreadPoolExecutor() as pool:
                said = list(pool.map(lambda n: child(llm_proxy, f"{number} {n}"), range(3)))
            assert all(f"echo: {number} {n}" in text for n, text in enumerate(said))
            assert llm_usage.calls == 3
    """)  # fmt: skip
    project.run_apart("--record-cassettes", "-n", "2", passed=4)
    assert len(server.requests) == 12
    project.run_apart("--llm-mode=replay", "-n", "2", "--llm-fail-on=unplayed", passed=4)
    assert len(server.requests) == 12


def test_calls_after_the_test_are_refused(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import httpx

        KEPT = []
        BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}

        def test_one(llm_proxy):
            KEPT.append(llm_proxy.url())

        def test_two(llm_proxy):
            answer = httpx.post(KEPT[0] + "/chat/completions", json=BODY)
            print("GOT", answer.status_code, answer.json()["error"]["message"])
    """)  # fmt: skip
    result = project.run("--llm-mode=live", "-rP", passed=2)
    result.stdout.fnmatch_lines(["GOT 404 this URL belongs to no test that is running"])
    assert server.requests == []


def test_other_upstreams_are_named(project: Project, server: Loopback) -> None:
    project.write("test_it.py", f"""
        import httpx

        BODY = {{"model": "m", "messages": [{{"role": "user", "content": "hello"}}]}}

        def test_one(llm_proxy):
            url = llm_proxy.add("mine", "{server.url}/sub")
            print("GOT", httpx.post(url + "/v1/chat/completions?a=b%20c", json=BODY).status_code)
            print("GOT", httpx.post(llm_proxy.base_url + "/yours/x", json=BODY).status_code)
    """)  # fmt: skip
    assert project.record_and_replay(server, calls=1, passed=1) == ["200", "404"]
    assert server.requests == ["/sub/v1/chat/completions?a=b%20c"]


def test_a_provider_that_does_not_answer_is_a_bad_gateway(project: Project) -> None:
    project.write("test_it.py", """
        import httpx

        def test_one(llm_proxy):
            url = llm_proxy.add("nobody", "http://127.0.0.1:1")
            answer = httpx.post(url + "/v1/chat/completions", json={"model": "m", "messages": []})
            print("GOT", answer.status_code, answer.json()["error"]["code"])
    """)  # fmt: skip
    result = project.run("--llm-mode=live", "-rP", passed=1)
    result.stdout.fnmatch_lines(["GOT 502 connection"])


def test_a_request_that_is_too_long_is_refused(project: Project, server: Loopback) -> None:
    project.write("test_it.py", """
        import httpx, sys

        def test_one(llm_proxy, monkeypatch):
            monkeypatch.setattr(sys.modules["tapemeter.proxy.app"], "LARGEST_REQUEST", 1000)
            answer = httpx.post(llm_proxy.url() + "/chat/completions", content=b"x" * 1001)
            print("GOT", answer.status_code, answer.json()["error"]["code"])
    """)  # fmt: skip
    result = project.run("--llm-mode=live", "-rP", passed=1)
    result.stdout.fnmatch_lines(["GOT 413 request_too_large"])
    assert server.requests == []


def test_mode_off_skips_what_needs_it(project: Project) -> None:
    project.write("test_it.py", "def test_one(llm_proxy):\n    raise AssertionError\n")
    project.run("--llm-mode=off", skipped=1)

"""Streams are recorded as they pass, and replayed chunk for chunk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

HEAD = """
import httpx, httpx2, pytest
from talk import URL
CHAT = URL + "/v1/chat/completions"

def body(prompt):
    return {"model": "loopback-1", "stream": True, "messages": [{"role": "user", "content": prompt}]}
"""


def test_a_chunk_reaches_the_caller_before_the_next_is_sent(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        HEAD
        + """
import urllib.request

def test_one():
    with httpx.stream("POST", CHAT, json=body("slow")) as response:
        chunks = response.iter_raw()
        print("GOT", next(chunks))
        urllib.request.urlopen(URL + "/release").close()  # only now does the server go on
        print("GOT", *chunks)
""",
    )

    assert len(project.record_and_replay(server, calls=1, passed=1)) == 2


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("how", ["iter_raw", "iter_bytes", "iter_lines"])
def test_replay_gives_the_same_pieces(project: Project, server: Loopback, library: str, how: str) -> None:
    project.write(
        "test_it.py",
        HEAD
        + f"""
import asyncio

def test_sync():
    with {library}.stream("POST", CHAT, json=body("one two three four")) as response:
        for piece in response.{how}():
            print("GOT", repr(piece))

def test_async():
    async def main():
        async with {library}.AsyncClient() as client:
            async with client.stream("POST", CHAT, json=body("one two three four")) as response:
                async for piece in response.a{how}():
                    print("GOT", repr(piece))
    asyncio.run(main())
""",
    )

    pieces = project.record_and_replay(server, calls=2, passed=2)

    assert len(pieces) > 8


@pytest.mark.usefixtures("sdks")
def test_the_sdks_stream_helpers_replay(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        HEAD
        + """
def test_openai():
    import openai
    with openai.OpenAI(base_url=URL + "/v1", api_key="loopback-key") as client:
        for chunk in client.chat.completions.create(**body("one two three")):
            print("GOT", chunk.choices[0].delta.content)

def test_anthropic():
    import anthropic
    with anthropic.Anthropic(base_url=URL, api_key="loopback-key") as client:
        asked = [{"role": "user", "content": "one two three"}]
        with client.messages.stream(model="loopback-1", max_tokens=9, messages=asked) as stream:
            for text in stream.text_stream:
                print("GOT", text)
""",
    )

    assert "GOT" not in project.record_and_replay(server, calls=2, passed=2)
    assert "ending:" not in "".join(project.cassettes().values())


EARLY = """
def read(count):
    got = []
    with httpx.stream("POST", CHAT, json=body("one two three four")) as response:
        for chunk in response.iter_raw():
            got.append(chunk)
            if len(got) == count:
                break
    return got
"""


def test_a_stream_that_was_cut_short_replays_as_such(project: Project, server: Loopback) -> None:
    project.write("test_it.py", HEAD + EARLY + "def test_one(): print('GOT', read(2))\n")
    project.record_and_replay(server, calls=1, passed=1)
    assert "ending: abandoned" in project.cassette()

    project.write("test_it.py", HEAD + EARLY + "def test_one(): read(99)\n")
    result = project.run("--llm-mode=replay", failed=1)
    result.stdout.fnmatch_lines(["*PartialRecording: the recording ends here, after 2 chunks*"])


def test_a_cancelled_stream_leaves_what_was_received(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        HEAD
        + """
import asyncio

def test_one():
    async def main():
        got = asyncio.Event()

        async def read():
            async with httpx.AsyncClient() as client:
                async with client.stream("POST", CHAT, json=body("endless")) as response:
                    async for _ in response.aiter_raw():
                        got.set()

        task = asyncio.create_task(read())
        await got.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    asyncio.run(main())
""",
    )

    project.run("--record-cassettes", passed=1)

    assert "ending: abandoned" in project.cassette()
    assert "echo:" in project.cassette()


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize(
    "failure",
    [("endless", "timeout", "ReadTimeout"), ("broken", "broken", "RemoteProtocolError")],
    ids=["timeout", "broken"],
)
def test_a_stream_that_failed_fails_alike(
    project: Project, server: Loopback, library: str, failure: tuple[str, str, str]
) -> None:
    prompt, ending, error = failure
    project.write(
        "test_it.py",
        HEAD
        + f"""
def test_one():
    with pytest.raises({library}.{error}):
        with {library}.stream("POST", CHAT, json=body({prompt!r}), timeout=0.3) as response:
            for chunk in response.iter_raw():
                print("GOT", chunk)
""",
    )

    project.record_and_replay(server, calls=1, passed=1)

    assert f"ending: {ending}" in project.cassette()


def test_a_response_that_is_never_read_is_kept_as_far_as_it_came(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        HEAD
        + """
client, responses = httpx.Client(), []

def test_one():
    responses.append(client.send(client.build_request("POST", CHAT, json=body("x")), stream=True))
    print("GOT", responses[0].status_code)
""",
    )

    project.record_and_replay(server, "-W", "ignore", calls=1, passed=1)

    assert "ending: abandoned" in project.cassette()


def test_a_compressed_answer_is_stored_and_served_decoded(project: Project, server: Loopback) -> None:
    source = "def test_one():\n    response = httpx.post(CHAT, json=body('x') | {'stream': False},"
    source += " headers={'gzip-please': '1'})\n    print('GOT', response.json())\n"
    project.write("test_it.py", HEAD + source)

    project.record_and_replay(server, calls=1, passed=1)

    assert "decoded_from: gzip" in project.cassette()
    assert 'content: "echo: x' in project.cassette()


def test_replay_keeps_the_recorded_pace_on_demand(project: Project) -> None:
    source = """
import time

def test_one():
    started = time.monotonic()
    with httpx.stream("POST", CHAT, json=body("x")) as response:
        list(response.iter_raw())
    print("GOT", time.monotonic() - started)
"""
    project.write("test_it.py", HEAD + source)
    project.run("--record-cassettes", passed=1)
    (path,) = (project.path / "cassettes").rglob("*.yaml")
    slow = re.sub(r"- at: [\d.e-]+\n", "- at: 0.4\n", path.read_text(encoding="utf-8"))
    path.write_text(slow, encoding="utf-8")

    def seconds(*options: str) -> float:
        result = project.run("--llm-mode=replay", "-rP", *options, passed=1)
        return float(next(line for line in result.outlines if line.startswith("GOT "))[4:])

    assert seconds("--llm-replay-speed=recorded") >= 0.4
    assert seconds("--llm-replay-speed=2") >= 0.2

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


CHUNK_BY_CHUNK = {
    "sync": """
import urllib.request

def test_one():
    with LIBRARY.stream("POST", CHAT, json=body("slow")) as response:
        chunks = response.iter_raw()
        print("GOT", next(chunks))
        urllib.request.urlopen(URL + "/release").close()  # only now does the server go on
        print("GOT", *chunks)
""",
    "async": """
import asyncio, urllib.request

async def main():
    async with LIBRARY.AsyncClient() as client:
        async with client.stream("POST", CHAT, json=body("slow")) as response:
            chunks = response.aiter_raw()
            print("GOT", await anext(chunks))
            urllib.request.urlopen(URL + "/release").close()
            print("GOT", *[chunk async for chunk in chunks])

def test_one():
    asyncio.run(main())
""",
}


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("way", CHUNK_BY_CHUNK)
def test_a_chunk_reaches_the_caller_before_the_next_is_sent(
    project: Project, server: Loopback, way: str, library: str
) -> None:
    project.write("test_it.py", HEAD + CHUNK_BY_CHUNK[way].replace("LIBRARY", library))

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


CANCELLED = """
import asyncio
import anyio

async def read(http, got):
    async with http.AsyncClient() as client:
        async with client.stream("POST", CHAT, json=body("endless")) as response:
            async for chunk in response.aiter_raw():
                print("GOT", chunk)
                got.set()

@pytest.mark.parametrize("http", [httpx, httpx2])
def test_task(http):
    async def main():
        got = asyncio.Event()
        task = asyncio.create_task(read(http, got))
        await got.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    asyncio.run(main())

@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_time_limit(backend):
    async def main():
        with anyio.move_on_after(0.3) as scope:
            await read(httpx, anyio.Event())
        assert scope.cancelled_caught
    anyio.run(main, backend=backend)
"""


def test_a_stream_that_was_cancelled_waits_to_be_cancelled_again(project: Project, server: Loopback) -> None:
    project.write("test_it.py", HEAD + CANCELLED)

    received = project.record_and_replay(server, calls=4, passed=4)

    assert len(received) > 8
    assert ["ending: cancelled" in text for text in project.cassettes().values()] == [True] * 4


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

def test_two():
    responses[0].close()  # too late to change the recording
    client.close()
""",
    )

    project.record_and_replay(server, calls=1, passed=2)

    assert list(project.cassettes()) == ["test_it/test_one.yaml"]
    assert "ending: abandoned" in project.cassette()


def test_a_body_is_read_once_as_ever(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        HEAD
        + """
def test_raw_twice():
    with httpx.stream("POST", CHAT, json=body("x")) as response:
        print("GOT", *response.iter_raw())
        with pytest.raises(httpx.StreamConsumed):
            next(response.iter_raw())

def test_read_then_iterate():
    with httpx.stream("POST", CHAT, json=body("x")) as response:
        whole = response.read()
        print("GOT", whole == b"".join(response.iter_bytes()) == response.content)

def test_closed():
    with httpx.stream("POST", CHAT, json=body("x")) as response:
        pass
    with pytest.raises(httpx.StreamClosed):
        response.read()

def test_pieces_of_another_size():
    with httpx.stream("POST", CHAT, json=body("x")) as response:
        print("GOT", list(response.iter_bytes(chunk_size=7)))
""",
    )

    project.record_and_replay(server, calls=4, passed=4)


@pytest.mark.usefixtures("sdks")
def test_the_sdks_async_stream_helpers_replay(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        HEAD
        + """
import asyncio

async def by_openai():
    import openai
    async with openai.AsyncOpenAI(base_url=URL + "/v1") as client:
        async for chunk in await client.chat.completions.create(**body("one two three")):
            print("GOT", chunk.choices[0].delta.content)
        fields = body("four five")
        del fields["stream"]
        async with client.chat.completions.stream(**fields) as stream:
            async for event in stream:
                print("GOT", event.type)

async def by_anthropic():
    import anthropic
    async with anthropic.AsyncAnthropic(base_url=URL) as client:
        asked = [{"role": "user", "content": "one two three"}]
        async with client.messages.stream(model="loopback-1", max_tokens=9, messages=asked) as stream:
            async for text in stream.text_stream:
                print("GOT", text)
            print("GOT", (await stream.get_final_message()).content[0].text)

def test_openai():
    asyncio.run(by_openai())

def test_anthropic():
    asyncio.run(by_anthropic())
""",
    )

    assert "echo: one two three #3" in project.record_and_replay(server, calls=3, passed=2)
    assert "ending:" not in "".join(project.cassettes().values())


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

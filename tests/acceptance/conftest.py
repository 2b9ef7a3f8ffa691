"""Shared by the acceptance tests: a project as a user would have it, run by pytest against the server on loopback."""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - its package keeps the class, so both are to be imported once
import importlib
import pkgutil
import textwrap
from typing import TYPE_CHECKING

# What a run in this process imports is forgotten at its end; what is here already is imported once for all of them.
import deepdiff  # noqa: F401
import httpcore  # noqa: F401 - httpx keeps a map of its errors, so both are to be imported once
import httpcore2  # noqa: F401
import httpx  # noqa: F401
import httpx2  # noqa: F401
import pytest
import trio  # noqa: F401 - httpcore and anyio look for it
import yaml  # noqa: F401 - its C part raises the errors of the yaml that was imported first

import tapemeter

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Loopback

for _, module, _ in pkgutil.walk_packages(tapemeter.__path__, "tapemeter."):
    if not module.endswith("__main__"):
        importlib.import_module(module)

INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""

TALK = '''
"""The program under test: asks the model with plain httpx, or with the SDKs."""

import httpx

URL = "{url}"


def post(path, body, **options):
    with httpx.Client(verify=False) as client:
        return client.post(URL + path, json=body, **options)


def ask(prompt, **fields):
    body = {{"model": "loopback-1", "messages": [{{"role": "user", "content": prompt}}], **fields}}
    return post("/v1/chat/completions", body).raise_for_status().json()["choices"][0]["message"]["content"]


async def aask(prompt):
    body = {{"model": "loopback-1", "messages": [{{"role": "user", "content": prompt}}]}}
    async with httpx.AsyncClient(verify=False) as client:
        answer = await client.post(URL + "/v1/chat/completions", json=body)
    return answer.json()["choices"][0]["message"]["content"]


def ask_openai(prompt, key="loopback-key", **options):
    import openai

    with openai.OpenAI(base_url=URL + "/v1", api_key=key, **options) as client:
        answer = client.chat.completions.create(model="loopback-1", messages=[{{"role": "user", "content": prompt}}])
    return answer.choices[0].message.content


def ask_anthropic(prompt, key="loopback-key", **options):
    import anthropic

    with anthropic.Anthropic(base_url=URL, api_key=key, **options) as client:
        answer = client.messages.create(
            model="loopback-1", max_tokens=9, messages=[{{"role": "user", "content": prompt}}]
        )
    return answer.content[0].text
'''


class Project:
    """A folder with tests in it. They import what they ask the model with from `talk`."""

    def __init__(self, pytester: pytest.Pytester, url: str) -> None:
        self._pytester = pytester
        self.path = pytester.path
        self.ini("")
        self.write("conftest.py", "")
        self.write("talk.py", TALK.format(url=url))

    def write(self, name: str, text: str) -> Path:
        """Write a file, `test_it.py` or any other, and the folders above it."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def ini(self, lines: str) -> None:
        """Add settings to pytest's own."""
        self.write("pytest.ini", INI + textwrap.dedent(lines) + "\n")

    def run(self, *options: str, **outcomes: int) -> pytest.RunResult:
        """Run pytest in this process; where outcomes are named, they are to be just these."""
        # Without hypothesis, whose plugin takes long to import, and is forgotten again.
        return _checked(self._pytester.runpytest_inprocess("-p", "no:hypothesispytest", *options), outcomes)

    def run_apart(self, *options: str, **outcomes: int) -> pytest.RunResult:
        """The same in a process of its own, for what one process cannot show."""
        return _checked(self._pytester.runpytest_subprocess("-p", "no:hypothesispytest", *options), outcomes)

    def record_and_replay(self, server: Loopback, *options: str, calls: int, **outcomes: int) -> list[str]:
        """Record, then replay: the same outcomes and `GOT` lines, and only the recording reaches the server.

        Return the lines, without the word, in order.
        """
        recorded = self.run("--record-cassettes", "-rP", *options, **outcomes)
        assert len(server.requests) == calls
        replayed = self.run("--llm-mode=replay", "-rP", "--llm-fail-on=unplayed", *options, **outcomes)
        assert len(server.requests) == calls
        assert got(replayed) == got(recorded)
        return got(replayed)

    def cassettes(self, folder: str = "cassettes") -> dict[str, str]:
        """Return the text of every cassette by its path below the folder."""
        root = self.path / folder
        return {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.yaml"))}

    def cassette(self) -> str:
        """Return the text of the only cassette."""
        (text,) = self.cassettes().values()
        return text


def got(result: pytest.RunResult) -> list[str]:
    """Return what the tests of a run printed after the word `GOT`, in order."""
    return [line.removeprefix("GOT ") for line in result.outlines if line.startswith("GOT ")]


def _checked(result: pytest.RunResult, outcomes: dict[str, int]) -> pytest.RunResult:
    if outcomes:
        found = result.parseoutcomes()
        found.pop("deselected", None)
        assert found == outcomes
    return result


@pytest.fixture(scope="session")
def sdks() -> None:
    """Import the SDKs once, rather than in every run that uses them."""
    import anthropic  # noqa: PLC0415
    import openai  # noqa: F401, PLC0415

    assert anthropic.Anthropic


@pytest.fixture
def project(pytester: pytest.Pytester, server: Loopback) -> Project:
    """An empty project whose model is the server."""
    return Project(pytester, server.url)

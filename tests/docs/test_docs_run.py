"""The code in the documentation works: every block is valid, and every test in it records and replays.

A Python, YAML or TOML block whose first line names a file is that file. The files under one heading of the second
level belong together: they are recorded against a provider on loopback and replayed with the provider gone. A block of
text below them that a comment calls an output is what the replay prints.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

# What a run in this process imports is forgotten at its end; what is here already is imported once for all of them.
import openai  # noqa: F401
import pytest
from pages import DOCS, PAGES
from yaml import safe_load

import tapemeter.intercept.httpcore
import tapemeter.pytest_plugin.lifecycle
import tapemeter.pytest_plugin.summary
import tapemeter.session  # noqa: F401

if TYPE_CHECKING:
    from pages import Block

    from loopback import Loopback

PROVIDER = "https://api.openai.com/v1"
"""What the documentation shows as the address of the provider."""
MISS = "output of a miss"
"""The comment before a block that shows what a changed prompt prints."""
OUTPUT = re.compile(r"output of (?:a stop|the summary)(?:, where `(.+)` is `(.+)`)?")
"""The comment before a block that shows what budgets print, and what is edited in the files above it for that."""
_VARYING = (
    (r"\b\d+T\d+\.\d+Z-[0-9a-f]+", "(run)"),
    (r"\b[0-9][0-9.e-]* s\b", "(time)"),
    (r"\bin [0-9.]+s\b", "(time)"),
    (r"\bat 127\.0\.0\.1\b", "at api.openai.com"),
)
"""What no two runs have in common."""
_EDIT = {"one sentence": "two sentences", "Greet Ada": "Greet Bob"}
"""What a page may say to change in a prompt, so that the block below it is what is printed."""


def blocks(*languages: str) -> list[object]:
    found = [(page, block) for page in PAGES for block in page.blocks if block.language in languages]
    return [pytest.param(block, id=f"{page.name}:{block.line}") for page, block in found]


@pytest.mark.parametrize("block", blocks("python"))
def test_python_compiles(block: Block) -> None:
    compile(block.code, f"line {block.line}", "exec")


@pytest.mark.parametrize("block", blocks("yaml"))
def test_yaml_is_valid(block: Block) -> None:
    assert safe_load(block.code)


@pytest.mark.parametrize("block", blocks("toml"))
def test_toml_is_valid(block: Block) -> None:
    assert tomllib.loads(block.code)


def test_no_block_has_an_unknown_language() -> None:
    known = {"python", "console", "text", "yaml", "toml", "sql"}
    strange = {(page.name, block.language) for page in PAGES for block in page.blocks} - {
        (page.name, language) for page in PAGES for language in known
    }
    assert strange == {("README.md", "")}


# Whole tests


@dataclass
class Scenario:
    """The files of one section, what it says is written, and the miss and the other outputs that it shows."""

    name: str
    files: dict[str, str] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    miss: str = ""
    outputs: list[Block] = field(default_factory=list)


def scenarios() -> list[Scenario]:
    """Return the sections that have tests; a miss that a page shows is one of the page's first test."""
    found: list[Scenario] = []
    for page in PAGES:
        of_page: dict[str, Scenario] = {}
        for block in page.blocks:
            scenario = of_page.setdefault(block.section, Scenario(f"{page.name}: {block.section or 'top'}"))
            if block.file and "docs/reference" not in page.name:
                assert block.file not in scenario.files, f"{scenario.name} has {block.file} twice"
                scenario.files[block.file] = block.code
            elif block.language == "text" and re.fullmatch(r"(cassettes/\S+\n)+", block.code):
                scenario.written = block.code.split()
            if OUTPUT.fullmatch(block.mark):
                scenario.outputs.append(block)
        runnable = [each for each in of_page.values() if any(file.startswith("test_") for file in each.files)]
        for block in page.blocks:
            if block.mark == MISS:
                runnable[0].miss = block.code
        found += runnable
    return found


SCENARIOS = scenarios()


def test_the_main_pages_have_tests_that_run() -> None:
    pages = {scenario.name.partition(":")[0] for scenario in SCENARIOS}
    assert {"README.md", "docs/tutorial.md"} <= pages
    assert sum(page.startswith(DOCS.name + "/how-to/") for page in pages) > 5


def test_every_output_that_is_shown_is_checked() -> None:
    shown = [block for page in PAGES for block in page.blocks if block.mark.startswith("output of")]
    assert len(shown) == sum(len(scenario.outputs) + bool(scenario.miss) for scenario in SCENARIOS)


# What these plugins do at start and end takes longer than the tests.
_WITHOUT = ("-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:hypothesispytest")


class Project:
    """A folder with the files of a section, run with the provider on loopback as its OpenAI."""

    def __init__(self, pytester: pytest.Pytester, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester, self._server = pytester, server
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("COLUMNS", "300")

    def write(self, files: dict[str, str]) -> None:
        for name, code in files.items():
            path = self._pytester.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code, encoding="utf-8")

    def run(self, *options: str) -> pytest.RunResult:
        return self._pytester.runpytest_inprocess(*_WITHOUT, *options)

    def stop_provider(self) -> int:
        """Shut the provider down; return how many requests it had."""
        self._server.__exit__()
        return len(self._server.requests)

    def cassettes(self) -> list[str]:
        root = self._pytester.path
        return sorted(path.relative_to(root).as_posix() for path in root.glob("cassettes/**/*.yaml"))


@pytest.fixture
def project(pytester: pytest.Pytester, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(pytester, server, monkeypatch)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_records_and_replays(scenario: Scenario, project: Project) -> None:
    project.write(scenario.files)
    recorded = project.run("--record-cassettes")
    assert recorded.ret == 0
    if scenario.written:
        assert project.cassettes() == scenario.written

    project.stop_provider()
    replayed = project.run("--llm-mode=replay", "--llm-fail-on=unplayed")
    assert replayed.ret == 0
    outcomes = replayed.parseoutcomes()
    assert outcomes["passed"] == sum(recorded.parseoutcomes().values())


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each.miss], ids=lambda scenario: scenario.name)
def test_a_miss_prints_what_is_shown(scenario: Scenario, project: Project, server: Loopback) -> None:
    project.write(scenario.files)
    assert project.run("--record-cassettes").ret == 0
    asked = re.search(r"asked +\"(.+)\"", scenario.miss)
    recorded = re.search(r"recorded +\"(.+)\"", scenario.miss)
    assert asked
    assert recorded
    [edit] = [(old, new) for old, new in _EDIT.items() if recorded[1].replace(old, new) == asked[1]]
    [name] = [name for name in scenario.files if name.startswith("test_")]
    lines = scenario.files[name].splitlines(keepends=True)
    edited = [line.replace(*edit) if '"content"' in line else line for line in lines]
    assert edited != lines
    project.write({name: "".join(edited)})

    replayed = project.run("--llm-mode=replay", "--tb=line", "--show-capture=no")
    assert replayed.ret == 1
    printed = replayed.stdout.str().replace(f"{server.url}/v1", PROVIDER)
    shown = [line.strip() for line in scenario.miss.splitlines()]
    assert [line for line in shown if line not in printed] == []


@pytest.mark.parametrize(
    ("scenario", "shown"),
    [pytest.param(each, block, id=f"{each.name}:{block.line}") for each in SCENARIOS for block in each.outputs],
)
def test_a_budget_prints_what_is_shown(scenario: Scenario, shown: Block, project: Project) -> None:
    project.write(scenario.files)
    assert project.run("--record-cassettes").ret == 0
    found = OUTPUT.fullmatch(shown.mark)
    assert found
    if found[1]:
        edited = {name: code.replace(found[1], found[2]) for name, code in scenario.files.items()}
        assert edited != scenario.files
        project.write(edited)
    project.stop_provider()

    printed = project.run("--llm-mode=replay", "--tb=short", "--show-capture=no").stdout.str()
    assert _settled(shown.code) in _settled(printed)


def _settled(text: str) -> str:
    """Return text without what differs in each run, and without its line breaks."""
    for pattern, name in _VARYING:
        text = re.sub(pattern, name, text)
    return " ".join(text.split())

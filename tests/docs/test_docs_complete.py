"""Whatever a user can type or meet is documented, and the documentation names nothing else. Derived from the code."""

from __future__ import annotations

import ast
import configparser
import dataclasses
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import regenerate
from pages import DOCS, PAGES, REFERENCE, ROOT, page, reference

import tapemeter
from tapemeter import errors, settings
from tapemeter.active_job import ActiveJob, JobBudget
from tapemeter.budget import policy
from tapemeter.budget.dimensions import Dimension, Scope
from tapemeter.budget.stop import Stop
from tapemeter.budget.tally import Tally
from tapemeter.cassette import body, decision, mapping, match, store
from tapemeter.cassette import format as cassette_format
from tapemeter.cassette.model import Interaction
from tapemeter.cassette.verify import Kind
from tapemeter.cli import ALONE, COMMANDS
from tapemeter.model import Ending, Quality, Request, Response
from tapemeter.outcome import JobState
from tapemeter.providers import prompt
from tapemeter.pytest_plugin import budgets, ending, fixtures, hookspecs, options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pages import Page

SOURCE = Path(tapemeter.__file__).parent


def missing(names: Iterable[str], documented: Iterable[str]) -> list[str]:
    return sorted(set(names).difference(documented))


def public(kind: type) -> set[str]:
    """The names of a class that are meant for users: its fields, properties and methods."""
    fields = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
    return fields | {name for name in vars(kind) if not name.startswith("_")}


# Options, settings, environment


class Registered:
    """Takes the place of pytest's parser, and notes what is registered."""

    def __init__(self) -> None:
        self.options: list[str] = []
        self.ini: list[str] = []

    def getgroup(self, *_: str) -> Registered:
        return self

    def addoption(self, name: str, **_: Any) -> None:
        self.options.append(name)

    def addini(self, name: str, *_: Any, **__: Any) -> None:
        self.ini.append(name)


@pytest.fixture
def registered() -> Registered:
    parser = Registered()
    options.add(parser)  # type: ignore[arg-type]
    return parser


def test_every_option_has_its_section(registered: Registered) -> None:
    assert registered.options
    headings = [heading.strip("`") for heading in reference("options").headings]
    assert missing(registered.options, headings) == []
    assert missing((heading for heading in headings if heading.startswith("--")), registered.options) == []


def test_every_ini_setting_has_its_row(registered: Registered) -> None:
    assert registered.ini
    assert reference("options").defined_in("ini settings") == set(registered.ini)


def test_every_environment_variable_has_its_row() -> None:
    read = {name for path in SOURCE.rglob("*.py") for name in re.findall(r"\bLLM_[A-Z_]+\b", path.read_text("utf-8"))}
    assert read
    assert reference("options").defined_in("Environment") == read


def test_every_kind_of_finding_has_its_row() -> None:
    assert reference("options").defined_in("--llm-fail-on") == set(settings.FAIL_ON)


# Markers, fixtures, hooks


LIMITS = [*Dimension, *Scope, "models", "aliases", *policy._CHECKS]
"""What a marker takes as `**limits`."""


def marker_arguments(line: str) -> tuple[str, list[str]]:
    [function] = ast.parse(f"def {line[: line.index('):') + 1]}: ...").body
    assert isinstance(function, ast.FunctionDef)
    arguments = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
    return function.name, arguments + (LIMITS if function.args.kwarg else [])


def test_every_limit_that_is_documented_is_taken() -> None:
    given: dict[str, Any] = dict.fromkeys(LIMITS)
    assert policy.from_arguments("here", **given).limits == ()
    with pytest.raises(errors.UsageError, match="argument 'others'"):
        policy.from_arguments("here", others=None)


@pytest.mark.parametrize(("marker", "arguments"), [marker_arguments(line) for line in options.MARKERS])
def test_every_marker_and_argument_is_documented(marker: str, arguments: list[str]) -> None:
    assert {str(name) for name in reference("markers").defined_in(marker)} == set(map(str, arguments))


def test_every_fixture_has_its_section() -> None:
    ours = {name for name in fixtures.OURS if not name.startswith("_")}
    assert {heading.strip("`") for heading in reference("fixtures").headings[1:]} == ours


def test_every_attribute_of_the_active_cassette_has_its_row() -> None:
    assert reference("fixtures").defined_in("llm_cassette") == public(fixtures.ActiveCassette) | {"expect_miss()"}


def test_every_attribute_of_the_active_job_has_its_row() -> None:
    documented = {name.partition("(")[0] for name in reference("fixtures").defined_in("llm_job")}
    assert documented == public(ActiveJob) - {"of_nothing"}


def test_every_hook_has_its_section() -> None:
    hooks = [name for name, value in vars(hookspecs).items() if inspect.isfunction(value)]
    assert hooks
    assert missing(hooks, reference("hooks").defined) == []
    for name in hooks:
        arguments = inspect.signature(getattr(hookspecs, name)).parameters
        assert missing(arguments, reference("hooks").defined_in(name)) == []


# Commands


def test_every_command_has_its_section_and_its_help() -> None:
    commands = [f"tapemeter {group} {name}" for group, (_, below) in COMMANDS.items() for name in below]
    commands += [f"tapemeter {name}" for name in ALONE]
    documentation = reference("commands")
    assert [heading.strip("`") for heading in documentation.headings[1:]] == commands
    assert [command for command in commands if f"<!-- generated: {command} --help -->" not in documentation.text] == []


def test_every_kind_of_problem_has_its_row() -> None:
    rows = reference("commands").defined_in("tapemeter cassette verify")
    assert missing((kind.value for kind in Kind), rows) == []


# Modes and matching


def test_the_table_of_modes_is_the_one_in_force() -> None:
    rows = re.findall(
        r"^\| `([\w-]+)`[^|]*\| (\w+)[^|]*\| (\w+)", reference("modes").section("What becomes of a call"), re.MULTILINE
    )
    assert {(name, place == 0): word for name, *words in rows for place, word in enumerate(words)} == {
        (kind.value, hit): decision.value for (kind, hit), decision in decision.TABLE.items()
    }


def test_every_part_of_the_key_has_its_row() -> None:
    assert reference("matching").defined_in("The key") == {*match.PARTS, "header:NAME"}


# Budgets


def explained(name: str) -> Page:
    return page(f"docs/explanation/{name}.md")


def test_every_dimension_is_explained() -> None:
    rows = explained("budgets").defined_in("What is counted")
    assert missing(Dimension, rows) == []
    for title in ("What a call may use at most", "By how much a limit can be passed"):
        rows = explained("budgets").defined_in(title)
        timed = {Dimension.WALL_SECONDS, Dimension.IDLE_STREAM_SECONDS}
        assert missing(set(Dimension) - timed, rows) == []
    assert missing(Dimension, rows) == []


def test_every_state_of_a_job_is_explained() -> None:
    assert explained("budgets").defined_in("After a stop") == set(JobState)


def test_every_term_of_the_input_bound_is_explained() -> None:
    terms = [name for name in vars(prompt) if name.startswith("TOKENS_")]
    assert terms
    assert [name for name in terms if f"<!-- value: {name} -->" not in explained("budgets").text] == []
    assert f"{policy.DEFAULT_OUTPUT_TOKENS}" in explained("budgets").section("What a call may use at most")


def test_every_quality_of_a_figure_is_explained() -> None:
    assert explained("evidence").defined_in("How sure a figure is") == set(Quality)


def test_every_way_to_treat_an_unknown_price_has_its_row() -> None:
    rows = page("docs/how-to/budgets.md").defined_in("Models without a price")
    assert rows - {"unknown_cost"} == set(policy.UnknownCost)


def test_every_property_of_a_junit_report_has_its_row() -> None:
    properties = set(re.findall(r'\("(llm_\w+)"', inspect.getsource(budgets.properties)))
    assert properties
    assert page("docs/how-to/gate-ci.md").defined_in("JUnit") == properties


def test_every_kind_of_finding_gates_ci() -> None:
    rows = page("docs/how-to/gate-ci.md").defined_in("What fails a run")
    assert missing((f"--llm-fail-on={kind}" for kind in settings.FAIL_ON), rows) == []


def test_the_exit_code_of_a_run_that_is_out_of_budget_has_its_row() -> None:
    assert str(ending.OUT_OF_BUDGET) in reference("options").defined_in("Exit codes")


# Errors


def all_errors() -> list[type[BaseException]]:
    return [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, BaseException) and not kind.__name__.startswith("_")
    ]


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_every_error_has_the_section_that_its_slug_names(kind: Any) -> None:
    documentation = reference("errors")
    assert kind.slug in documentation.anchors
    assert documentation.section(kind.slug).lstrip().startswith(f"`{kind.__name__}`. ")
    assert any(kind.__name__ in block.code for block in documentation.blocks)


def test_no_section_is_for_an_error_that_is_gone() -> None:
    slugs = {kind.slug for kind in all_errors()}  # type: ignore[attr-defined]
    assert {heading.strip("`") for heading in reference("errors").headings[1:]} == slugs


# The cassette


def fields_in_source() -> set[str]:
    """The fields that the reader asks for, by the calls that take one."""
    tree = ast.parse(inspect.getsource(mapping))
    taken = {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in {"take", "get", "below", "each"}
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }
    top = re.findall(r"^(\w+):", cassette_format.dump([]), re.MULTILINE)
    end = re.findall(r"(\w+): ", cassette_format.dump([]).partition("end: ")[2])
    return taken | {*body.BODY_FIELDS, *top, *(f"end.{name}" for name in end)}


def test_every_field_of_a_cassette_has_its_row() -> None:
    fields = fields_in_source()
    assert {"key", "stream", "json_style", "end.sha256"} <= fields
    assert missing(fields, reference("cassette-format").defined) == []


def test_every_way_a_body_ends_has_its_row() -> None:
    assert missing((ending.value for ending in Ending), reference("cassette-format").defined_in("Response")) == []


def test_the_format_and_the_temporary_files_are_named() -> None:
    text = reference("cassette-format").prose
    assert f"`{cassette_format.FORMAT}`" in text
    assert f"`{store.TEMPORARY_PREFIX}*{store.TEMPORARY_SUFFIX}`" in text


def test_the_example_cassette_is_one() -> None:
    [example] = [block.code for block in reference("cassette-format").blocks if block.language == "yaml"]
    [entry] = cassette_format.load(example, "the example")
    assert entry.interaction.request.method == "POST"
    assert example.startswith(cassette_format.dump([]).partition("\ninteractions:")[0])


# Names that may be imported


def test_every_public_name_is_documented() -> None:
    names = set(re.findall(r"`(\w+)`", reference("python-api").prose))
    assert missing(tapemeter.__all__, names) == []


@pytest.mark.parametrize(
    "kind", [Request, Response, Interaction, Tally, JobBudget, Stop], ids=lambda kind: kind.__name__
)
def test_every_attribute_of_a_value_has_its_row(kind: type) -> None:
    rows = reference("python-api").defined_in(kind.__name__)
    assert {name.partition("(")[0] for name in rows} == public(kind) | OF_INSTANCES.get(kind, set())


OF_INSTANCES = {Tally: set(vars(Tally())) - {name for name in vars(Tally()) if name.startswith("_")}}
"""Attributes that only instances have."""


# The project


def test_the_readme_has_the_two_commands() -> None:
    commands = [block.code for block in page("README.md").blocks if not block.language]
    assert [line for code in commands for line in code.splitlines()] == [
        "python -m pip install tox && tox run -e demo     # replays the shipped cassettes offline",
        "python -m pip install tox && tox run             # the tests",
    ]


def test_every_tox_environment_is_explained() -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    names = [section.partition(":")[2] for section in tox.sections() if section.startswith("testenv:")]
    assert names
    rows = " ".join(page("CONTRIBUTING.md").defined)
    assert [name for name in names if not re.search(rf"-e {name}\b", rows)] == []


# Pages


@pytest.mark.parametrize("documentation", PAGES, ids=lambda documentation: documentation.name)
def test_generated_passages_are_up_to_date(documentation: Page) -> None:
    made, written = regenerate.regenerated(documentation.text).split(), documentation.text.split()
    assert made == written, "run: python tests/docs/regenerate.py"


def test_every_passage_that_can_be_generated_is_used() -> None:
    text = "".join(documentation.text for documentation in PAGES)
    assert [name for name in regenerate.PASSAGES if f"<!-- generated: {name} -->" not in text] == []


@pytest.mark.parametrize("documentation", PAGES, ids=lambda documentation: documentation.name)
def test_relative_links_lead_somewhere(documentation: Page) -> None:
    dead = []
    for link in documentation.links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (documentation.path.parent / path).resolve() if path else documentation.path
        if not target.exists() or (anchor and anchor not in type(documentation)(target).anchors):
            dead.append(link)
    assert dead == []


def test_every_page_can_be_reached_from_the_map() -> None:
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        path = waiting.pop()
        if path in reached or path.suffix != ".md":
            continue
        reached.add(path)
        links = (link.partition("#")[0] for link in page(path.relative_to(ROOT).as_posix()).links if ":" not in link)
        waiting += [(path.parent / link).resolve() for link in links if link]
    assert [documentation.name for documentation in PAGES if documentation.path not in reached | _ROOT_PAGES] == []


_ROOT_PAGES = {ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")}


def test_every_reference_page_is_on_the_map() -> None:
    mapped = {Path(link).name for link in page("docs/index.md").links}
    assert missing((path.name for path in REFERENCE.glob("*.md")), mapped) == []

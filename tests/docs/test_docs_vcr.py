"""The tables of docs/reference/vcr.md are true: what works is there, what is refused is, nothing is left out."""

from __future__ import annotations

import ast
import importlib
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from pages import reference

from tapemeter.pytest_plugin.vcr_suites.imports import STAND_INS
from tapemeter.vcr import VCR
from tapemeter.vcr.cassette import Cassette
from tapemeter.vcr.config import MATCHERS, USE_OPTIONS
from tapemeter.vcr.record_mode import RecordMode
from tapemeter.vcr.refused import OPTIONS as REFUSED

_ROW = re.compile(r"^\| `([^`]+)` \| *(\w*)", re.MULTILINE)


def rows(section: str) -> dict[str, str]:
    """The names in the first cells of a section's table, each with the first word of what is said of it."""
    return dict(_ROW.findall(reference("vcr").section(section)))


def test_every_option_has_a_row_that_says_what_becomes_of_it() -> None:
    table = rows("Options of VCR and use_cassette")
    assert set(table) == set(USE_OPTIONS)
    assert {name for name, word in table.items() if word == "refused"} == set(REFUSED)
    assert set(table.values()) == {"works", "refused"}


def test_every_option_of_an_installed_vcr_has_a_row() -> None:
    spec = find_spec("vcr")
    if spec is None or spec.origin is None or "tapemeter" in spec.origin:
        pytest.skip("VCR.py is not installed")
    source = (Path(spec.origin).parent / "config.py").read_text(encoding="utf-8")
    [kind] = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "VCR"]
    functions = {node.name: node for node in kind.body if isinstance(node, ast.FunctionDef)}
    arguments = {argument.arg for argument in functions["__init__"].args.args} - {"self"}
    asked_for = set(re.findall(r"kwargs\.get\(\s*\"(\w+)\"", source))
    assert (arguments | asked_for) - set(rows("Options of VCR and use_cassette")) == set()
    assert {name for name in functions if not name.startswith("_")} - set(dir(VCR)) == set()


def test_every_matcher_and_every_record_mode_has_a_row() -> None:
    assert set(rows("Matchers")) == set(MATCHERS)
    assert set(rows("Record modes")) == {mode.value for mode in RecordMode}


def test_everything_that_a_cassette_is_said_to_have_is_there() -> None:
    cassette = Cassette("tape.yaml")
    table = rows("The cassette")
    assert table
    assert [name for name in table if not hasattr(cassette, name)] == []
    own = {name for name in dir(cassette) if not name.startswith("_")}
    inner = {"admit", "inject", "is_over", "held_to_replay", "load", "lock", "plays", "take", "tape", "use"}
    inner |= {"sends_nothing", "use_arg_getter", "drop_unused_requests"}
    assert own - inner == set(table)


def test_every_module_has_a_row_and_those_that_work_are_there() -> None:
    table = rows("Modules")
    working = {name for name, word in table.items() if word == "works"}
    assert working == set(STAND_INS)
    assert all(importlib.import_module("tapemeter." + name) for name in working)

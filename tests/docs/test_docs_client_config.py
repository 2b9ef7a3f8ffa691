"""The reference of where model calls go has every variable, field, default and check, and its example is a config."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from pages import Page, reference

from tapemeter import client, errors, schemas
from tapemeter.client import addresses, defaults, variables
from tapemeter.client.config import Circuit, ProviderKind, Retries, Timeouts, Wire
from tapemeter.client.load import load
from tapemeter.client.readiness import TIMEOUT, Profile, check

NESTED = ("endpoint", "gateway", "timeouts", "retries", "circuit")


@pytest.fixture
def page() -> Page:
    return reference("client-config")


def properties(*names: str) -> set[str]:
    schema: Any = schemas.schema(schemas.CONFIG)
    for name in names:
        schema = schema[name] if name in schema else schema["properties"][name]
        schema = schemas.schema(schemas.CONFIG)["$defs"]["endpoint"] if "$ref" in schema else schema
    return set(schema["properties"])


def test_every_variable_has_its_row(page: Page) -> None:
    source = Path(client.__file__).parent
    modules = ("load", "servers", "variables", "config_file", "defaults")
    read = {name for each in modules for name in re.findall(r"\bLLM_[A-Z_]+\b", (source / f"{each}.py").read_text())}
    assert page.defined_in("Variables") == read
    others = {*defaults.KEY_VARIABLES.values(), *defaults.ADDRESS_VARIABLES.values()}
    assert [name for name in others if f"`{name}`" not in page.section("Variables")] == []


def test_every_field_has_its_row(page: Page) -> None:
    whole = {name for name in page.defined_in("The file") if re.fullmatch(r"\w+", name)}
    below = set().union(*(page.defined_in(name) for name in (*NESTED, "groups", "aliases")))
    assert properties() <= whole <= properties() | below | set(NESTED)
    for name in NESTED:
        assert page.defined_in(name) == properties(name)
    assert page.defined_in("groups") == properties("groups", "additionalProperties")
    alias = schemas.schema(schemas.CONFIG)["properties"]["aliases"]["additionalProperties"]["oneOf"][1]
    assert page.defined_in("aliases") == set(alias["properties"])


@pytest.mark.parametrize(
    ("section", "made"), [("timeouts", Timeouts()), ("retries", Retries()), ("circuit", Circuit())]
)
def test_every_default_is_the_one_in_force(page: Page, section: str, made: Any) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([\d.]+) \|$", page.section(section), re.MULTILINE))
    assert {name: float(value) for name, value in rows.items()} == {
        field.name: getattr(made, field.name) for field in fields(made)
    }


def test_the_built_in_groups_are_those_in_force(page: Page) -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", page.section("Built-in groups"), re.MULTILINE)
    table = {name: re.findall(r"`([^`]+)`", cells) for name, cells in rows}
    ways = [
        defaults.groups_of(ProviderKind.REAL, Wire.OPENAI, None),
        defaults.groups_of(ProviderKind.REAL, Wire.ANTHROPIC, None),
        defaults.groups_of(ProviderKind.GATEWAY, Wire.OPENAI, None),
        defaults.groups_of(ProviderKind.ECHO, Wire.OPENAI, None),
    ]
    assert table == {name: [way[name].model for way in ways] for name in defaults.GROUPS}


def test_the_makers_addresses_are_those_in_force(page: Page) -> None:
    section = page.section("Addresses")
    assert [wire for wire, url in defaults.ADDRESSES.items() if f"| `{wire}` | `{url}` |" not in section] == []
    assert f"at most {addresses.LONGEST} characters" in section
    assert f"0 to {variables.MOST_RETRIES}" in page.section("Variables")


def test_the_example_is_a_config(page: Page, tmp_path: Path) -> None:
    [example] = [block.code for block in page.blocks if block.language == "yaml"]
    (tmp_path / "llm.yaml").write_text(example, encoding="utf-8")
    config = load({"GROQ_API_KEY": "groq", "ANTHROPIC_API_KEY": "anthropic"}, root=tmp_path)
    assert config.endpoint is not None
    assert config.endpoint.key_name == "GROQ_API_KEY"
    endpoint = config.groups["fallback"].endpoint
    assert endpoint is not None
    assert (endpoint.base_url, endpoint.key_name) == ("https://api.anthropic.com", "ANTHROPIC_API_KEY")
    with pytest.raises(errors.ConfigError, match="GROQ_API_KEY"):
        load({}, root=tmp_path)


def test_every_check_and_profile_has_its_row(tmp_path: Path) -> None:
    checks = [each.name for each in check("core", environ={}, root=tmp_path).checks]
    readiness = reference("readiness")
    assert readiness.defined_in("Profiles") == set(Profile)
    rows = re.findall(r"^\| `(\w+)` \| ", readiness.section("Checks"), re.MULTILINE)
    assert rows == checks
    assert f"{TIMEOUT:g} seconds by default" in readiness.section("Checks")


def test_every_kind_of_provider_error_has_its_row() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (yes|no) \|$", reference("errors").section("provider"), re.MULTILINE))
    said = re.findall(
        r"`(\w+)`", (errors.ProviderError.__doc__ or "").partition("`kind` is one of")[2].partition(".")[0]
    )
    assert list(rows) == said
    for kind, transient in rows.items():
        assert errors.ProviderError("", kind=kind, provider="real").is_transient is (transient == "yes")

"""The reference of budget policies has every field, scope and dimension, and its example is a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages import ROOT, Page, reference

from tapemeter import budget, documents, schemas
from tapemeter.budget import amounts
from tapemeter.budget.dimensions import Dimension, Scope
from tapemeter.budget.policy import DEFAULT_OUTPUT_TOKENS, OnStop, UnknownCost

if TYPE_CHECKING:
    from pathlib import Path

ISSUE_FORM = ["schema", "name", "limits", "unknown_cost", "on_stop", "warn_at"]


@pytest.fixture
def page() -> Page:
    return reference("policy")


def test_every_field_has_its_row(page: Page) -> None:
    fields = set(schemas.schema(schemas.BUDGET_POLICY)["properties"])
    words = {each.value for each in (*UnknownCost, *OnStop)}
    assert page.defined_in("Fields") - {"*", "?", "[…]"} == fields | words
    assert f"| {DEFAULT_OUTPUT_TOKENS} |" in page.section("Fields")


def test_every_scope_has_its_row_outermost_first(page: Page) -> None:
    rows = [line.split("`")[1] for line in page.section("Scopes").splitlines() if line.startswith("| `")]
    assert rows == [scope.value for scope in Scope]


def test_every_dimension_has_its_row(page: Page) -> None:
    rows = [line.split("`")[1] for line in page.section("Dimensions").splitlines() if line.startswith("| `")]
    assert rows == [dimension.value for dimension in Dimension]


def test_the_largest_values_are_those_in_force(page: Page) -> None:
    section = page.section("Values")
    assert amounts.MAX_COUNT == 10**15
    assert "to 10<sup>15</sup>" in section
    assert f"below {amounts.MAX_USD:,}." in section
    assert amounts.MAX_SECONDS == 10**9
    assert "up to 10<sup>9</sup>" in section
    assert documents.MAX_BYTES == 1024 * 1024
    assert "1 MiB" in page.section("Fields")


def test_the_example_is_a_policy(page: Page, tmp_path: Path) -> None:
    example, _ = [block.code for block in page.blocks if block.language == "yaml"]
    path = tmp_path / "example_v1.yaml"
    path.write_text(example, encoding="utf-8")
    policy = budget.load_policy(path, tmp_path)
    assert policy == policy.effective()
    assert {limit.selector for limit in policy.limits} == {"", "model gpt-4.1*", "alias fast"}


def test_the_policy_of_this_project_has_the_form_that_is_documented() -> None:
    path = ROOT / "policies/llm_budget_policy_v1.yaml"
    document = documents.load(path, schemas.BUDGET_POLICY)
    assert list(document.value) == ISSUE_FORM
    assert budget.load_policy(path, ROOT).name == "default"
    assert budget.load_policy(path, ROOT).limits[0].source == "policies/llm_budget_policy_v1.yaml:7"


def test_the_example_of_rules_is_a_part_of_a_policy(page: Page, tmp_path: Path) -> None:
    _, rules = [block.code for block in page.blocks if block.language == "yaml"]
    path = tmp_path / "rules_v1.yaml"
    path.write_text(f"schema: {schemas.BUDGET_POLICY}\nname: rules\n{rules}", encoding="utf-8")
    found = [(rule.alias, rule.to, rule.limit) for rule in budget.load_policy(path, tmp_path).degrade]
    assert found == [
        ("planner", "fallback", "job.cost_usd"),
        ("planner", "cheap", "job.cost_usd"),
        ("*", "cheap", "run.total_tokens"),
    ]


def test_every_field_of_a_rule_has_its_row(page: Page) -> None:
    rule = schemas.schema(schemas.BUDGET_POLICY)["$defs"]["degrade"]
    assert page.defined_in("Degrade") - {"*", "?", "[…]"} == set(rule["properties"])

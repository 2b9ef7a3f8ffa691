"""The page of clients holds what the tests of the SDKs saw, of every SDK that there is a program for."""

from __future__ import annotations

import ast
import json
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from pages import ROOT, reference

FOLDER = ROOT / "tests" / "clients"
sys.path.append(str(FOLDER))

from sdks import SDKS  # noqa: E402 - its folder is on the path only now
from seen import NO_SUCH_FORM  # noqa: E402

if TYPE_CHECKING:
    from sdks import Sdk

every_sdk = pytest.mark.parametrize("sdk", SDKS.values(), ids=SDKS)

NAMED = {
    *("openai", "anthropic", "google-genai", "mistralai", "cohere", "groq", "ollama", "boto3", "huggingface-hub"),
    *("voyageai", "langchain-openai", "pydantic-ai-slim", "openai-agents", "instructor", "litellm", "dspy"),
}
"""The distributions that are promised."""


def seen(sdk: Sdk) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(sdk.seen.read_text("utf-8"))
    return kept


def test_every_sdk_that_is_promised_is_tried() -> None:
    assert {sdk.distribution for sdk in SDKS.values()} == NAMED


def test_every_program_and_everything_seen_is_of_an_sdk() -> None:
    assert {path.stem for path in (FOLDER / "programs").glob("*.py")} == {f"ask_{name}" for name in SDKS}
    assert {path.stem for path in (FOLDER / "seen").iterdir()} == {*SDKS}


@every_sdk
def test_its_rows_say_the_version_and_what_each_form_came_to(sdk: Sdk) -> None:
    table = reference("clients").text.partition("<!-- generated: clients -->")[2].partition("<!-- end -->")[0]
    rows = [line for line in table.splitlines() if line.startswith(f"| {sdk.title} |")]
    operations = seen(sdk)["operations"]
    assert len(rows) == len(operations)
    for row, (operation, forms) in zip(rows, operations.items(), strict=True):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1:3] == [seen(sdk)["version"], operation]
        works = [cell.partition(" ")[0] for cell in cells[4:] if cell != NO_SUCH_FORM]
        assert sorted(works) == sorted("no" if form["reason"] else "yes" for form in forms.values())


@every_sdk
def test_what_does_not_work_has_the_reason_that_is_given_for_it(sdk: Sdk) -> None:
    reasons = {
        f"{operation} - {form}": result["reason"]
        for operation, forms in seen(sdk)["operations"].items()
        for form, result in forms.items()
        if result["reason"]
    }
    assert reasons == sdk.unsupported


@every_sdk
def test_its_environment_installs_it(sdk: Sdk) -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    group = groups[sdk.environment.replace("clients", "sdks")]
    names = [line.partition(">")[0].partition("[")[0] for line in group if isinstance(line, str)]
    assert sdk.distribution in names


@every_sdk
def test_its_program_asks_in_forms_that_have_a_column(sdk: Sdk) -> None:
    words = {
        node.value
        for node in ast.walk(ast.parse(sdk.path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for forms in seen(sdk)["operations"].values():
        assert {*forms} <= words & {"sync", "async", "stream", "async stream"}

"""The reference of events and report names every field of their schemas, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter import schemas
from tapemeter.events import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
EVENT = schemas.schema(schemas.USAGE_EVENT)
REPORT = schemas.schema(schemas.USAGE_REPORT)
LISTS = ("by_job", "by_step", "by_test", "by_model", "by_provider")
HAPPENED = ("jobs", "steps", "stops", "warnings", "routes", "overruns", "not_run", "lapsed", "drift", "stale")


def sections(page: str) -> dict[str, str]:
    """The text under each heading, up to the next heading of any level."""
    parts = re.split(r"^#+ +(.+)$", (REFERENCE / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {title.replace("`", ""): text for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def fields(text: str) -> set[str]:
    """The first cells of the table of fields, which is the first one."""
    table = text.partition("| field | means |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))


def documented() -> Iterator[Any]:
    """Yield page, heading, and the part of a schema that it tells of."""
    yield pytest.param("events.md", "Every event", EVENT, id="event")
    for name, part in EVENT["$defs"].items():
        own = {"limit": "A limit", "joined": "A joined run", "change": "A change", "suite": "A suite"}
        heading = own.get(name, name)
        if "properties" in part:
            yield pytest.param("events.md", heading, part, id=f"event-{name}")
    figures = REPORT["$defs"]["figures"]
    yield pytest.param("report.md", "The file", REPORT, id="report")
    yield pytest.param("report.md", "evidence", REPORT["properties"]["evidence"], id="report-evidence")
    yield pytest.param("report.md", "Figures", figures, id="report-figures")
    for name in ("sources", "quality", "cost", "latency"):
        yield pytest.param("report.md", name, figures["properties"][name], id=f"report-{name}")
    for name in (*LISTS, *HAPPENED):
        yield pytest.param("report.md", name, REPORT["properties"][name]["items"], id=f"report-{name}")
    yield pytest.param("report.md", "A limit", REPORT["$defs"]["limit"], id="report-limit")
    yield pytest.param("report.md", "Joined runs", REPORT["$defs"]["joined"], id="report-joined")


@pytest.mark.parametrize(("page", "heading", "part"), list(documented()))
def test_every_field_has_its_row_and_no_other(page: str, heading: str, part: dict[str, Any]) -> None:
    assert fields(sections(page)[heading]) == set(part["properties"])


def test_every_kind_of_event_has_its_section_and_its_schema() -> None:
    kinds = set(EVENT["$defs"]) - {"limit", "joined", "change", "suite", "amount", "maybe_amount"}
    assert kinds == set(KINDS)
    assert kinds <= set(sections("events.md"))


@pytest.mark.parametrize("name", ["outcome", "quality"])
def test_every_value_of_a_call_has_its_row(name: str) -> None:
    table = sections("events.md")["call"].partition(f"| `{name}` | means |")[2].partition("\n\n")[0]
    values = EVENT["$defs"]["call"]["properties"][name]["enum"]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(values)

"""Every query in the documentation of the trace store runs, and finds something in a store that has some of all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from pages import PAGES, page, reference

from evidence_samples import SAMPLES, call, run_folder
from tapemeter import events, trace
from tapemeter.trace.schema import EVENTS, Kind
from tapemeter.trace.views import KEYS, columns

if TYPE_CHECKING:
    from pathlib import Path

    from pages import Block, Page

QUERIES = [
    pytest.param(block, id=f"{each.name}:{block.line}")
    for each in PAGES
    for block in each.blocks
    if block.language == "sql"
]
CALLS = [
    call(source="live", is_fallback=True, attempt=1, gateway_cost_usd="0.0003"),
    call(source="live", cost_usd=None, cost_today_usd=None, cost_quality="unknown"),
    call(source="replay", task=None, outcome="error", error__type="rate_limit"),
    call(outcome="refused"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of one run of today, with every kind of event that has a table."""
    root = tmp_path_factory.mktemp("reports")
    folder = run_folder(root)
    log = events.EventLog(folder, run_id=folder.name, process="main", clock=lambda: datetime.now(UTC))
    others = [(kind, SAMPLES[kind]) for kind in EVENTS if kind != "call"]
    for kind, fields in [("run", SAMPLES["run"]), *CALLS, *others, ("end", SAMPLES["end"])]:
        log.write(kind, fields)
    log.close()
    events.finish(folder)
    state = trace.ingest(root)
    assert state.findings == ()
    return state.path


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_that_is_shown_finds_something(query: Block, path: Path) -> None:
    # Whatever month it is in which this runs.
    now = datetime.now(UTC)
    code = query.code.replace("2026-11-", f"{now:%Y-%m}-").replace("2026-12-01", f"{now.year + 1}-01-01")
    assert trace.ask(path, code).rows


def test_there_are_queries_in_both_pages() -> None:
    for name, least in (("docs/how-to/cost-by-sql.md", 1), ("docs/reference/trace-store.md", 10)):
        assert sum(block.language == "sql" for block in page(name).blocks) >= least


@pytest.mark.parametrize("by", KEYS)
def test_each_view_has_the_columns_that_are_told_of_it(by: str, path: Path) -> None:
    found = trace.ask(path, f"SELECT * FROM cost_by_{by}").columns
    assert found == (*KEYS[by], *(name for name, _ in columns()))


@pytest.fixture
def store_page() -> Page:
    return reference("trace-store")


def test_the_version_that_is_told_is_the_one_in_force(store_page: Page) -> None:
    assert f"is the version of this schema: {trace.VERSION}." in store_page.text
    assert trace.FILE in store_page.text


def test_every_unit_of_a_column_is_explained(store_page: Page) -> None:
    section = store_page.section("Units")
    assert [kind.value for kind in Kind if f"| {kind.value} |" not in section] == []


def test_every_key_has_its_row_at_the_command() -> None:
    assert reference("commands").defined_in("tapemeter cost") == {"--by", *KEYS}

"""Events that earlier versions wrote are read by this one: files as they were written then, a file for each form.

before_responses.jsonl      call events without text of answers, task, fallback and the gateway's part in the cost
"""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tapemeter import events, report
from tapemeter.events import layout

OLDER = sorted((Path(__file__).parent / "older").glob("*.jsonl"))


@pytest.fixture(params=OLDER, ids=lambda path: path.stem)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A run's folder with events of an earlier version."""
    made = tmp_path / "runs" / "20261121T104203.449Z-41f933"
    made.mkdir(parents=True)
    shutil.copy(request.param, made / layout.EVENTS)
    return made


def test_they_still_lack_what_came_later() -> None:
    [call, *_] = [event for event in events.read(OLDER[0]) if event["event"] == "call"]
    assert "response_text" not in call
    assert "is_fallback" not in call
    assert "cost_unavailable" not in call


def test_they_are_sound_and_keep_the_schema_of_today(folder: Path) -> None:
    assert events.verify(folder / layout.EVENTS) == []


def test_they_come_to_a_report(folder: Path) -> None:
    made = report.write(folder)
    assert made["totals"]["calls"] == 3
    assert Decimal(made["totals"]["cost"]["spent_usd"]) > 0
    assert [stop["dimension"] for stop in made["stops"]] == ["calls"]
    assert report.verify(folder).findings == ()


def test_they_are_joined_with_others(folder: Path, tmp_path: Path) -> None:
    joined = events.join([events.Source.of(folder / layout.EVENTS)], tmp_path / "joined")
    assert report.write(joined)["totals"]["calls"] == 3

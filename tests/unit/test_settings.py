from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tapemeter import UsageError
from tapemeter.cassette.decision import TABLE
from tapemeter.cassette.mode import Mode
from tapemeter.settings import CassetteArguments, Settings, Source, parse_fail_on, parse_speed, read_mode

GIVEN: dict[str, str | None] = {"option": None, "record": None, "environment": None, "ini": None}


@pytest.mark.parametrize(
    ("given", "mode", "source"),
    [
        ({}, None, None),
        ({"ini": "live"}, Mode.LIVE, Source.INI),
        ({"ini": "live", "environment": "record"}, Mode.RECORD, Source.ENVIRONMENT),
        ({"ini": "live", "environment": ""}, Mode.LIVE, Source.INI),
        ({"environment": "record", "option": "off"}, Mode.OFF, Source.COMMAND_LINE),
        ({"environment": "replay", "record": "missing"}, Mode.RECORD, Source.COMMAND_LINE),
        ({"record": "all"}, Mode.RECORD_ALL, Source.COMMAND_LINE),
        ({"option": "record", "record": "all"}, Mode.RECORD_ALL, Source.COMMAND_LINE),
        ({"option": "record", "record": "missing"}, Mode.RECORD, Source.COMMAND_LINE),
        ({"option": " Replay "}, Mode.REPLAY, Source.COMMAND_LINE),
    ],
)
def test_the_mode_is_what_the_strongest_source_says(
    given: dict[str, str], mode: Mode | None, source: Source | None
) -> None:
    assert read_mode(**{**GIVEN, **given}) == (mode, source)


@pytest.mark.parametrize(
    "given",
    [
        {"option": "record-all"},
        {"option": ""},
        {"record": ""},
        {"record": "tests/"},
        {"option": "replay", "record": "missing"},
        {"option": "off", "record": "all"},
        {"environment": "1"},
        {"ini": "yes"},
    ],
)
def test_an_unknown_or_contradictory_mode_is_a_usage_error(given: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="write"):
        read_mode(**{**GIVEN, **given})


@pytest.mark.parametrize(
    ("mode", "source", "marker", "expected"),
    [
        (None, None, None, Mode.REPLAY),
        (None, None, Mode.LIVE, Mode.LIVE),
        (Mode.LIVE, Source.COMMAND_LINE, Mode.REPLAY, Mode.LIVE),
        (Mode.LIVE, Source.ENVIRONMENT, Mode.REPLAY, Mode.REPLAY),
        (Mode.OFF, Source.ENVIRONMENT, Mode.REPLAY, Mode.REPLAY),
        (Mode.RECORD, Source.ENVIRONMENT, Mode.LIVE, Mode.LIVE),
        (Mode.REPLAY, Source.ENVIRONMENT, Mode.LIVE, Mode.REPLAY),
        (Mode.REPLAY, Source.INI, Mode.RECORD, Mode.REPLAY),
        (Mode.LIVE, Source.INI, Mode.REPLAY, Mode.REPLAY),
        (Mode.LIVE, Source.INI, None, Mode.LIVE),
    ],
)
def test_a_marker_stands_between_command_line_and_environment_but_loosens_no_replay(
    mode: Mode | None, source: Source | None, marker: Mode | None, expected: Mode
) -> None:
    settings = Settings(Path(), Path("cassettes"), mode=mode, mode_source=source)

    assert settings.mode_for(marker) is expected


def test_the_table_answers_every_mode_that_does_anything() -> None:
    assert TABLE.keys() == {(mode, hit) for mode in Mode if mode is not Mode.OFF for hit in (True, False)}


@pytest.mark.parametrize(
    ("text", "speed"), [("instant", None), ("recorded", 1.0), ("10", 10.0), ("0.5", 0.5), (" RECORDED ", 1.0)]
)
def test_a_replay_speed_is_a_word_or_a_number(text: str, speed: float | None) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "fast", "0", "-1", "nan", "inf", "1x"])
def test_another_replay_speed_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="write instant, recorded"):
        parse_speed(text)


def test_findings_that_fail_are_a_list_with_commas() -> None:
    assert parse_fail_on("") == frozenset()
    assert parse_fail_on("unplayed, unplayed,") == {"unplayed"}
    with pytest.raises(UsageError, match="names missed, unplay; the kinds are unplayed"):
        parse_fail_on("unplay,missed")


def arguments(*args: Any, **kwargs: Any) -> CassetteArguments:
    return CassetteArguments.parse(args, kwargs, "@mark on test_it")


def test_marker_arguments_become_typed_values() -> None:
    assert arguments("a/b.yaml", mode="record", ignore=["x.y"], match_on=["body"], repeat=True) == CassetteArguments(
        name="a/b", mode=Mode.RECORD, ignore=("x.y",), match_on=("body",), repeat=True
    )
    assert arguments() == CassetteArguments()
    assert arguments(name=None, mode=None, ignore=None, match_on=None, repeat=None) == CassetteArguments()


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/../../b", "/a", 7, ["a"], Path("a")])
def test_a_name_stays_below_the_cassette_folder(name: Any) -> None:
    with pytest.raises(UsageError, match=r"@mark on test_it: .*name"):
        arguments(name)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"mode": "record-all"},
        {"mode": True},
        {"ignore": "a"},
        {"ignore": 7},
        {"ignore": ["a", 7]},
        {"ignore": ["a["]},
        {"match_on": "body"},
        {"repeat": 1},
        {"nme": "a"},
    ],
)
def test_a_wrong_argument_is_a_usage_error_that_says_where(kwargs: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="@mark on test_it"):
        arguments(**kwargs)


def test_arguments_that_say_something_stand_over_others() -> None:
    closer = CassetteArguments(name="a", ignore=(), repeat=False)
    farther = CassetteArguments(name="b", mode=Mode.LIVE, ignore=("x",), repeat=True)

    assert closer.over(farther) == CassetteArguments(name="a", mode=Mode.LIVE, ignore=(), repeat=False)

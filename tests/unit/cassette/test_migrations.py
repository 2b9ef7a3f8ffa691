from __future__ import annotations

import pytest

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette.migrations import STEPS, TODAY, Standing, Version, migrated, version
from tapemeter.errors import CassetteFormatError

EMPTY = cassette_format.dump([])


def of(number: object) -> str:
    return EMPTY.replace(f"tapemeter-cassette/{TODAY}", f"tapemeter-cassette/{number}")


def test_todays_version_is_the_only_one() -> None:
    assert TODAY == 1
    assert STEPS == {}
    assert version(EMPTY) == Version(Standing.CURRENT, 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (of(2), Version(Standing.NEWER, 2)),
        (of(10), Version(Standing.NEWER, 10)),
        (of(0), Version(Standing.TOO_OLD, 0)),
        (of("x"), Version(Standing.OTHER)),
        (of("01"), Version(Standing.OTHER)),
        (of("9" * 7), Version(Standing.OTHER)),
        ("format: other/1\n", Version(Standing.OTHER)),
        ("interactions: []\n", Version(Standing.OTHER)),
        ("", Version(Standing.OTHER)),
    ],
)
def test_how_a_version_stands_to_todays(text: str, found: Version) -> None:
    assert version(text) == found


def test_a_version_that_steps_lead_from_is_older() -> None:
    steps = {0: lambda text: text.replace("tapemeter-cassette/0", "tapemeter-cassette/1")}
    assert version(of(0), steps) == Version(Standing.OLDER, 0)
    assert migrated(of(0), 0, "a.yaml", steps) == EMPTY


def test_what_a_step_makes_has_to_be_a_cassette() -> None:
    with pytest.raises(CassetteFormatError):
        migrated(of(0), 0, "a.yaml", {0: lambda text: text})

"""Real tapes of public projects, where they are there: each is read, and its cassette answers alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapemeter.cassette import store
from tapemeter.cassette.tapes import tape
from tapemeter.cassette.tapes.convert import convert, prove
from tapemeter.redact import Redactor

SAMPLES = Path(__file__).parents[5] / "shared/tapes"
TAPES = sorted(SAMPLES.glob("*/*"))


@pytest.mark.skipif(not TAPES, reason="the sample tapes are not here")
def test_every_sample_is_read_and_answers_alike_as_a_cassette(tmp_path: Path) -> None:
    redactor = Redactor((), {})
    path = tmp_path / "cassette.yaml"
    faults = {}
    for sample in TAPES:
        found = tape.read(sample)
        store.write(path, convert(found, redactor, sample.name).text)
        faults[sample.name] = prove(found, path, redactor)
        assert found.interactions, sample
        assert found.notes == (), sample

    assert len(faults) == len(TAPES)
    assert {name: fault for name, fault in faults.items() if fault} == {}


@pytest.mark.skipif(not TAPES, reason="the sample tapes are not here")
def test_every_sample_survives_being_written_in_the_form_of_vcr_py() -> None:
    for sample in TAPES:
        found = tape.read(sample)

        assert tape.parse(tape.dump_vcr(found.interactions).encode(), sample.name).interactions == found.interactions

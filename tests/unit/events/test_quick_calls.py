"""Lines of calls that are read quickly are what they are when read in full, and nothing is taken that is not a call."""

from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from evidence_samples import CALL, RUN_ID, SAMPLES, SHA, WHOLE, call, edit, write_part
from tapemeter import events, report, schemas
from tapemeter.errors import EvidenceError
from tapemeter.events import calls
from tapemeter.events.line import parse, seal
from tapemeter.schemas.typed import reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA = schemas.schema(schemas.USAGE_EVENT)
FRAME = {"v": 1, "run_id": RUN_ID, "process": "main", "seq": 3, "at": "2026-11-21T07:44:30.123456Z", "event": "call"}
EVENT = {**FRAME, **CALL, "prev": SHA, "hash": SHA}
LONG = ("run", {**SAMPLES["run"], "versions": {"tapemeter": "0" * 600_000}})
"""A first line by which a file is long enough that its calls are read quickly."""

read = reader(SCHEMA, "event", "call")

VALUES = st.sampled_from(
    [
        None,
        True,
        False,
        -1,
        0,
        1,
        1.0,
        1.5,
        -0.5,
        10**30,
        -(10**30),
        10**400,
        "",
        "0.25",
        "ok",
        SHA,
        f"{SHA}\n",
        [],
        [1],
        {},
    ]
)
JUNK = st.sampled_from(
    [
        b"NaN",
        b"Infinity",
        b"1e400",
        b"01",
        b"9" * 5000,
        b'"\\ud800"',
        b'"\\q"',
        b'"\x01"',
        b'"\xff"',
        b"nul",
    ]
)


def agrees(line: bytes) -> bool:
    """Whether a line is taken; if it is, it is the same event, type by type, and the validator takes it as well."""
    found = read(line)
    if found is None:
        return False
    event = parse(line)
    assert event is not None
    assert schemas.valid(event, schemas.USAGE_EVENT)
    known = {**SCHEMA["properties"], **SCHEMA["$defs"]["call"]["properties"]}
    assert event.keys() <= known.keys()
    for name in known:
        assert repr(getattr(found, schemas.attribute(name))) == repr(event.get(name))
    return True


def test_a_call_as_the_product_writes_it_is_taken() -> None:
    assert agrees(json.dumps(EVENT).encode())
    assert agrees(json.dumps(EVENT, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")


@given(st.data())
def test_what_it_takes_is_what_the_schema_takes(data: st.DataObject) -> None:
    changed = copy.deepcopy(EVENT)
    for _ in range(data.draw(st.integers(0, 3))):
        where = data.draw(st.sampled_from([changed, *(each for each in changed.values() if isinstance(each, dict))]))
        name = data.draw(st.sampled_from([*sorted(where), "mood"]))
        if data.draw(st.booleans()):
            where.pop(name, None)
        elif where is changed and name in {"units", "bound"}:
            where[name] = copy.deepcopy(data.draw(st.sampled_from([{}, {"a": 1}, {"a": "x"}, {"a": None}])))
        else:
            where[name] = copy.deepcopy(data.draw(VALUES))
    taken = agrees(json.dumps(changed).encode())
    known = {**SCHEMA["properties"], **SCHEMA["$defs"]["call"]["properties"]}
    if changed.keys() <= known.keys() and schemas.fits(changed, schemas.USAGE_EVENT):
        assert taken is (changed.get("event") == "call")


@given(name=st.sampled_from(sorted(EVENT)), junk=JUNK, again=st.booleans(), known=st.booleans())
@example(name="response_text", junk=b'"\xff"', again=False, known=False)
def test_what_is_no_json_or_goes_beyond_it_is_left_to_the_other_way(
    name: str, junk: bytes, again: bool, known: bool
) -> None:
    whole = json.dumps(EVENT).encode()
    field = json.dumps(name if known else "mood").encode() + b": " + junk
    other = b", ".join(
        json.dumps(each).encode() + b": " + json.dumps(value).encode()
        for each, value in EVENT.items()
        if again or each != name
    )
    assert not agrees(b"{" + field + b", " + other + b"}")
    assert not agrees(whole + junk)


@given(value=VALUES, name=st.sampled_from(sorted(EVENT)))
def test_of_a_doubled_field_the_last_one_holds(value: Any, name: str) -> None:
    whole = json.dumps(EVENT)
    agrees(f"{whole[:-1]}, {json.dumps(name)}: {json.dumps(value)}}}".encode())
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in name)
    agrees(f'{whole[:-1]}, "{escaped}": {json.dumps(value)}}}'.encode())


def test_what_is_nested_too_deeply_is_not_taken() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert not agrees(json.dumps(EVENT).encode().replace(b'"units": {', b'"units": {"x": ' + deep + b", "))


def test_fields_that_are_proven_only_have_to_be_of_their_type() -> None:
    proving = reader(SCHEMA, "event", "call", proven=frozenset({"prev"}))
    assert proving(json.dumps({**EVENT, "prev": "x"}).encode()).prev == "x"
    assert proving(json.dumps({**EVENT, "prev": 1}).encode()) is None
    assert proving(json.dumps({**EVENT, "hash": "x"}).encode()) is None


@pytest.mark.parametrize("place", ["schema", "kind", "field", "inner"])
def test_a_keyword_that_it_does_not_know_is_an_error(place: str) -> None:
    schema = copy.deepcopy(SCHEMA)
    found = {
        "schema": schema,
        "kind": schema["$defs"]["call"],
        "field": schema["$defs"]["call"]["properties"]["job"],
        "inner": schema["$defs"]["amount"],
    }[place]
    found["maxLength"] = 5
    with pytest.raises(NotImplementedError, match="maxLength"):
        reader(schema, "event", "call")


def test_a_kind_that_there_is_none_of_is_an_error() -> None:
    with pytest.raises(NotImplementedError, match="weather"):
        reader(SCHEMA, "event", "weather")


# Files


def outcome(act: Callable[[], object]) -> Any:
    try:
        return act()
    except EvidenceError as error:
        return str(error), error.line


def both(path: Path) -> tuple[Any, Any]:
    """What comes of the calls of a file read quickly, and read in full."""
    quick, full = events.Chain(path), events.Chain(path)
    assert calls.reader(path) is not None
    kinds = outcome(lambda: [event["event"] if isinstance(event, dict) else event.event for event in quick.quick()])
    told = outcome(lambda: [event["event"] for event in full])
    return (kinds, quick.count, quick.last_hash), (told, full.count, full.last_hash)


def long_run(folder: Path) -> Path:
    return write_part(folder, [LONG, *(call(call_id=f"c#{number}") for number in range(6)), *WHOLE[2:]])


def test_the_calls_of_a_long_file_are_read_quickly_and_those_of_a_short_one_are_not(tmp_path: Path) -> None:
    path = long_run(tmp_path / "long")
    assert [type(event).__name__ for event in events.Chain(path).quick()] == ["dict", *["call"] * 6, *["dict"] * 3]
    short = write_part(tmp_path / "short")
    assert {type(event) for event in events.Chain(short).quick()} == {dict}
    assert calls.reader(tmp_path / "nowhere") is None


def test_a_long_file_has_the_report_of_its_events(tmp_path: Path) -> None:
    path = long_run(tmp_path)
    found, faults = report.folded(path)
    assert faults == []
    assert report.dump(found) == report.dump(report.fold(list(events.read(path))))
    assert found["totals"]["calls"] == 6
    assert events.verify(path) == []


def _unknown(event: dict[str, Any]) -> None:
    event["mood"] = {"good": [True]}


def _unfit(event: dict[str, Any]) -> None:
    event["outcome"] = "lost"


def _no_text(event: dict[str, Any]) -> None:
    event["response_text"] = "half of a pair \ud800"


@pytest.mark.parametrize("change", [_unknown, _unfit, _no_text])
def test_a_call_that_is_not_taken_is_read_in_full(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = long_run(tmp_path / "as it is")
    lines = path.read_bytes().splitlines(keepends=True)
    prev = json.loads(lines[2])["hash"]
    for number, line in enumerate(lines[3:], 3):
        event = {**json.loads(line), "prev": prev}
        del event["hash"]
        if number == 3:
            change(event)
        lines[number], prev = seal(event)
    path.write_bytes(b"".join(lines))
    quick, full = both(path)
    assert quick == full
    assert isinstance(list(events.Chain(path).quick())[3], dict)
    assert [finding.kind for finding in events.verify(path)] == (["schema"] if change is _unfit else [])
    assert report.dump(report.folded(path)[0]) == report.dump(report.fold(list(events.read(path))))


def test_the_artifact_of_a_call_is_looked_for(tmp_path: Path) -> None:
    path = long_run(tmp_path)
    found = events.verify(path, folder=tmp_path)
    assert [(finding.kind, finding.line) for finding in found] == [("artifact", line) for line in range(2, 8)]


def test_a_line_after_a_bad_one_is_checked_in_full(tmp_path: Path) -> None:
    """What the chain proves of a line, it proves by the one before."""
    path = long_run(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    event = json.loads(lines[4])
    del event["hash"]
    edit(path, 4, b"{}\n")
    edit(path, 5, seal({**event, "prev": "nothing"})[0])
    kinds = [(finding.kind, finding.line) for finding in events.verify(path)]
    assert kinds[:2] == [("broken", 4), ("schema", 5)]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_what_is_wrong_with_a_file_is_found_as_in_full(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "llm_usage_events.main.jsonl"
    whole = (path if path.exists() else long_run(tmp_path)).read_bytes().splitlines(keepends=True)
    chosen = data.draw(st.lists(st.sampled_from(range(1, len(whole))), max_size=9))
    lines = [whole[0], *(whole[number] for number in chosen)]
    place = data.draw(st.integers(0, len(lines) - 1))
    if data.draw(st.booleans()):
        spot = random.Random(data.draw(st.integers(0, 99))).randrange(len(lines[place]))
        lines[place] = (
            lines[place][:spot] + data.draw(st.sampled_from([b"", b"x", b"\xff", b"}"])) + lines[place][spot:]
        )
    other = tmp_path / "other.jsonl"
    other.write_bytes(b"".join(lines))
    quick, full = both(other)
    assert quick == full


def test_a_short_run_does_not_import_what_reads_long_ones(tmp_path: Path) -> None:
    write_part(tmp_path)
    code = "import sys; from pathlib import Path; from tapemeter import report; report.write(Path(sys.argv[1]))\n"
    code += "print({'tapemeter.schemas.typed', 'jsonschema'}.intersection(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"

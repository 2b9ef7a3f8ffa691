from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter import documents, schemas
from tapemeter.errors import PolicyError, TapemeterError
from tapemeter.schemas import BUDGET_POLICY

if TYPE_CHECKING:
    from pathlib import Path

GOOD = f"schema: {BUDGET_POLICY}\nname: small\nlimits:\n  job:\n    calls: 3\n    attempts: 5\n"


def write(folder: Path, content: str | bytes, name: str = "limits_v1.yaml") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def fault(path: Path, **options: Any) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        documents.load(path, BUDGET_POLICY, **options)
    return caught.value


@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_yaml_is_read_with_the_lines_of_its_values(tmp_path: Path, bom: str) -> None:
    path = write(tmp_path, bom + GOOD)
    document = documents.load(path, BUDGET_POLICY)
    assert document.value["limits"] == {"job": {"calls": 3, "attempts": 5}}
    assert document.source == str(path)
    assert document.where(("limits", "job", "attempts")) == f"{path}:6"
    assert document.line(("limits", "job", "nothing", "deeper")) == 4
    assert document.line(()) == 1


def test_json_is_read_with_the_lines_of_its_values(tmp_path: Path) -> None:
    text = json.dumps({"schema": BUDGET_POLICY, "name": "é", "limits": {"job": {"calls": 3}}}, indent="\t")
    document = documents.load(write(tmp_path, text, "limits_v1.json"), BUDGET_POLICY)
    assert document.value["name"] == "é"
    assert document.line(("limits", "job", "calls")) == 6


def test_json_that_is_no_yaml_has_its_values_but_no_lines(tmp_path: Path) -> None:
    text = json.dumps({"schema": BUDGET_POLICY, "name": "😀"})
    assert "\\ud83d" in text
    document = documents.load(write(tmp_path, text, "limits_v1.json"), BUDGET_POLICY, source="here")
    assert document.value["name"] == "😀"
    assert document.where(("name",)) == "here"


def test_a_fault_names_file_line_path_expected_and_found(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("attempts: 5", "attempts: many").replace("small", "''"))
    error = fault(path, source="policies/a.yaml")
    assert (error.path, error.line) == ("policies/a.yaml", 2)
    assert str(error) == (
        'policies/a.yaml:2: name: expected text, not empty, at most 100 characters, found "" (and 1 more)'
    )
    path = write(tmp_path, GOOD.replace("attempts: 5", "attempts: many"))
    error = fault(path, source="policies/a.yaml")
    assert error.line == 6
    assert error.problem == (
        'limits.job.attempts: expected a whole number from 0 to 1,000,000,000,000,000, or null, found "many"'
    )


@pytest.mark.parametrize(
    ("name", "content", "line", "word"),
    [
        ("a.yaml", "", None, "expected a mapping with schema, name and limits, found null"),
        ("a.yaml", "- a\n- b\n", 1, "found a list of 2"),
        ("a.yaml", "schema: x\nname: [\n", None, "not YAML"),
        ("a.yaml", "schema: x\nschema: x\n", 2, "twice"),
        ("a.yaml", "schema: x\nname: !!python/name:os.system\n", 2, "tag"),
        ("a.yaml", "schema: &x x\nname: *x\n", 1, "anchors"),
        ("a.yaml", b"schema: x\nname: \xff\n", 2, "not UTF-8"),
        ("a.yaml", b"name: a\x00b\n", 1, "U+0000"),
        ("a.json", "{", 1, "not JSON"),
        ("a.json", '{"name": "a",\n "name": "b"}', None, 'the key "name" is there twice'),
        ("a.json", '{"warn_at": NaN}', None, "NaN is no number"),
        ("a.json", '{"warn_at": -Infinity}', None, "-Infinity is no number"),
        ("a.json", '{"warn_at": 1e999}', None, "too large"),
        ("a.json", '{"warn_at": ' + "9" * 5000 + "}", None, "too many digits"),
        ("a.json", "[" * 100_000, None, "too deep"),
        ("a.json", '{"name": "\\ud800"}', None, "surrogate"),
        ("a.json", GOOD, 1, "not JSON"),
    ],
)
def test_what_is_no_document_is_a_fault_at_its_line(
    tmp_path: Path, name: str, content: str | bytes, line: int | None, word: str
) -> None:
    path = write(tmp_path, content, name)
    error = fault(path)
    assert error.path == str(path)
    assert line is None or error.line == line
    assert word in error.problem
    assert len(str(error)) < len(str(path)) + 300


def test_a_file_of_more_than_a_mebibyte_is_not_read(tmp_path: Path) -> None:
    exact = GOOD + "#" * (documents.MAX_BYTES - len(GOOD))
    assert documents.load(write(tmp_path, exact), BUDGET_POLICY).value["name"] == "small"
    assert "larger than 1,048,576 bytes" in fault(write(tmp_path, exact + "#")).problem


def test_what_is_no_ordinary_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert fault(tmp_path / "pipe.yaml").problem == "this is no ordinary file"
    assert fault(tmp_path).problem == "this is no ordinary file"
    assert fault(tmp_path / "nothing.yaml").problem == "there is no such file"


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert fault(tmp_path / ("a" * 300)).problem == "cannot be read: File name too long; make it readable"


def test_another_class_of_error_can_be_asked_for(tmp_path: Path) -> None:
    class PriceError(TapemeterError):
        def __init__(self, problem: str, *, path: str, line: int | None) -> None:
            super().__init__(f"{path} at {line}: {problem}")

    with pytest.raises(PriceError, match=r"^prices at 1: name"):
        documents.load(write(tmp_path, f"schema: {BUDGET_POLICY}\n"), BUDGET_POLICY, source="prices", fault=PriceError)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.sampled_from(["a.yaml", "a.json"]))
def test_any_content_is_a_fault_or_keeps_its_schema(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = write(tmp_path_factory.getbasetemp(), content, name)
    try:
        document = documents.load(path, BUDGET_POLICY)
    except PolicyError:
        return
    assert schemas.valid(document.value, BUDGET_POLICY)

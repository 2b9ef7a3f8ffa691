"""A tape is data that anybody may have written: it makes no object, runs nothing, and stays within bounds."""

from __future__ import annotations

import contextlib
import gzip
import io
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.cassette import store
from tapemeter.cassette.tapes import tape, yaml_events
from tapemeter.errors import CassetteError, CassetteFormatError, CassetteTooLargeError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def load(text: str) -> Any:
    return yaml_events.load(text, "a.yaml", {})


def refused(text: str) -> CassetteFormatError:
    with pytest.raises(CassetteFormatError) as caught:
        load(text)
    return caught.value


# Tags


def test_nothing_in_a_file_is_ever_called(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    error = refused(f"a: 1\nb: !!python/object/apply:os.system ['touch {proof}']\n")

    assert not proof.exists()
    assert error.line == 2
    assert "the tag !!python/object/apply:os.system is not allowed" in error.problem


@pytest.mark.parametrize(
    "value",
    [
        "!!python/name:os.system ''",
        "!!python/module:os ''",
        "!!python/object:os.Popen {}",
        "!!python/object/new:subprocess.Popen [ls]",
        "!!python/object/apply:builtins.eval ['1']",
        "!!python/object/apply:multidict.CIMultiDict [[]]",
        "!!python/complex '1'",
        "!!set {a}",
        "!!omap [a: 1]",
        "!mine x",
        "!<tag:example.test,2026:x> y",
    ],
)
def test_a_tag_that_is_not_on_the_list_is_refused_by_name_and_line(value: str) -> None:
    error = refused(f"interactions:\n- {value}\n")

    assert error.line == 2
    assert "is not allowed" in error.problem
    assert "Record the tape again" in error.problem


def test_a_tag_in_a_message_is_short() -> None:
    assert len(refused(f"a: !{'x' * 5000} y").problem) < 400


@pytest.mark.parametrize(
    "value",
    [
        "!!binary '*'",
        "!!int x",
        "!!float x",
        "!!bool x",
        "!!null x",
        "!!python/object/new:_io.BytesIO []",
        "!!python/object/new:_io.BytesIO {state: {a: 1}}",
        "!!python/object/new:_io.BytesIO {state: [{}]}",
        "!!python/object/apply:builtins.iter {args: [[1]]}",
        "!!python/object/apply:builtins.iter {args: 3}",
        "!!python/object/apply:multidict.istr []",
        "!!python/object/apply:multidict.istr [[a]]",
        "!!python/object:vcr.request.Request []",
        "!!python/object/apply:builtins.frozenset [a]",
    ],
)
def test_an_allowed_tag_before_something_else_is_refused(value: str) -> None:
    error = refused(f"a: 1\nb: {value}")

    assert error.line == 2
    assert "the tag !!" in error.problem


# Size and depth


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_a_file_that_is_nested_beyond_measure_is_refused(opening: str) -> None:
    error = refused(opening * 200_000)

    assert f"more than {yaml_events.MAX_DEPTH} containers" in error.problem


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_that_is_nested_beyond_measure_is_refused(opening: str) -> None:
    with pytest.raises(CassetteFormatError, match="nested too deeply"):
        tape.parse(b'{"interactions": ' + opening.encode() * 200_000, "a.json")


def test_what_is_as_deep_as_allowed_is_read() -> None:
    value = load("[" * yaml_events.MAX_DEPTH + "]" * yaml_events.MAX_DEPTH)

    assert str(value).count("[") == yaml_events.MAX_DEPTH


def test_aliases_that_multiply_are_refused_before_anything_grows() -> None:
    lines = ["a0: &a0 [" + ", ".join(["x" * 50] * 9) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, 12)]

    error = refused("\n".join(lines))

    assert "many times larger than it is" in error.problem


def test_a_long_text_that_is_referred_to_over_and_over_is_refused() -> None:
    text = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 1000)}]"

    assert "many times larger than it is" in refused(text).problem


def test_an_alias_of_what_it_stands_in_is_refused() -> None:
    assert "of what it stands in" in refused("a: &a [1, *a]").problem
    assert "not there before" in refused("a: *b").problem or "undefined" in refused("a: *b").problem


def test_a_number_of_endless_digits_is_refused() -> None:
    for number in ("9" * 100_000, "1." + "0" * 100_000, "0x" + "f" * 100_000):
        assert "digits" in refused(f"a: {number}").problem


def test_merging_what_is_no_mapping_is_refused() -> None:
    assert "merges mappings only" in refused("a:\n  <<: [1]\n").problem


def test_a_key_that_is_no_text_is_refused() -> None:
    assert "a key must be a string" in refused("? [a]\n: 1\n").problem


@pytest.mark.parametrize("limit", [1000, 100_000])
def test_a_gzip_file_that_grows_beyond_the_bound_is_refused(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "MAX_FILE_BYTES", limit)
    bomb = gzip.compress(b"0" * (limit + 1))

    with pytest.raises(CassetteTooLargeError):
        tape.parse(bomb, "a.yaml.gz")
    with pytest.raises(CassetteTooLargeError):
        tape.parse(gzip.compress(b"0" * (limit - 1)) * 2, "a.yaml.gz")


def test_a_file_beyond_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "MAX_FILE_BYTES", 10)
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a" * 11)

    with pytest.raises(CassetteTooLargeError, match=r"a\.yaml"):
        tape.read(path)


def test_the_bound_is_that_of_cassettes() -> None:
    assert tape.MAX_FILE_BYTES == store.MAX_FILE_BYTES


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:20] + b"\0\0\0" + data[23:]])
def test_a_gzip_file_that_is_cut_or_damaged_is_refused(damage: Any) -> None:
    whole = gzip.compress(b"interactions: []\nversion: 1\n" * 3)

    with pytest.raises(CassetteFormatError, match="gzip data is"):
        tape.parse(damage(whole), "a.yaml.gz")


# Anything at all


@given(st.binary(max_size=200))
def test_any_bytes_are_a_tape_or_refused(data: bytes) -> None:
    for each in (data, gzip.compress(data), b"interactions:\n" + data):
        with contextlib.suppress(CassetteError):
            assert tape.parse(each, "a.yaml").form


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(_JSON)
def test_plain_data_that_is_written_is_read_back(value: Any) -> None:
    try:
        text = yaml_events.dump(value)
    except UsageError:
        return
    assert load(text) == value == yaml.safe_load(text)


@given(st.text("0123456789abcdefx_.+-:~eEnulNULtrueTRUEfalsyoYO", min_size=1, max_size=8))
def test_a_plain_word_or_number_means_what_the_library_says(text: str) -> None:
    try:
        expected = yaml.safe_load(io.StringIO(f"a: {text}\n"))["a"]
    except (yaml.YAMLError, ValueError, TypeError):
        return
    found = load(f"a: {text}\n")["a"]

    is_date = not isinstance(expected, (str, int, float, bool, type(None)))
    is_of_base_60 = isinstance(expected, (int, float)) and ":" in text  # which nobody means
    assert (found, type(found)) == ((text, str) if is_date or is_of_base_60 else (expected, type(expected)))


def test_what_is_no_plain_data_is_not_written() -> None:
    with pytest.raises(UsageError, match="would hold a object"):
        yaml_events.dump({"a": object()})


def test_strings_and_numbers_of_other_classes_are_written_as_plain_ones() -> None:
    class Name(str):
        __slots__ = ()

    shared = [1]
    text = yaml_events.dump({Name("a"): Name("b"), "c": bytearray(b"\xff"), "d": (shared, shared)})

    assert yaml.safe_load(text) == {"a": "b", "c": b"\xff", "d": [[1], [1]]}
    assert "&" not in text

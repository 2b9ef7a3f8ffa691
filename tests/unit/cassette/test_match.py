from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tapemeter import Request, UsageError
from tapemeter.cassette.match import PARTS, Matcher, match_parts, readable_body

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "https://api.example/v1/chat/completions"

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.text(), values, max_size=5)


def asked(value: object) -> Request:
    return Request("POST", URL, (("content-type", "application/json"),), json.dumps(value).encode())


def raw(text: str) -> Request:
    return Request("POST", URL, (("content-type", "application/json"),), text.encode())


def key(request: Request, **options: Any) -> str:
    return Matcher(**options).key(request)


# JSON by value


@given(objects, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any], random: Any) -> None:
    def shuffled(item: Any) -> Any:
        if isinstance(item, dict):
            pairs = [(name, shuffled(inner)) for name, inner in item.items()]
            random.shuffle(pairs)
            return dict(pairs)
        return [shuffled(inner) for inner in item] if isinstance(item, list) else item

    assert key(asked(shuffled(value))) == key(asked(value))


@given(objects, st.sampled_from([None, 1, 4]), st.booleans())
def test_spacing_and_escapes_do_not_matter(value: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assume(b"\xed" not in text)
    assert key(Request("POST", URL, (("content-type", "application/json"),), text)) == key(asked(value))


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1.0"), ("100", "1e2"), ("100", "1E+2"), ("0.5", "5e-1"), ("0.10", "0.1"), ("0", "-0.0"), ("-0", "0")],
)
def test_the_spelling_of_numbers_does_not_matter(one: str, other: str) -> None:
    assert key(raw(f'{{"t": {one}}}')) == key(raw(f'{{"t": {other}}}'))


@given(objects, objects)
def test_any_other_difference_matters(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (key(asked(one)) == key(asked(other))) == same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "true"),
        ("0", "false"),
        ("1", '"1"'),
        ("null", "false"),
        ("null", '""'),
        ("[]", "{}"),
        ("[1, 2]", "[2, 1]"),
        ("9007199254740993", "9007199254740992"),
        ("123456789012345678901234567890", "123456789012345678901234567891"),
        ("1e400", "1e401"),
        ("1e400", "-1e400"),
        ('"a"', '"a "'),
        ('"\\u00e9"', '"e\\u0301"'),
    ],
)
def test_values_that_only_look_alike_differ(one: str, other: str) -> None:
    assert key(raw(f'{{"v": {one}}}')) != key(raw(f'{{"v": {other}}}'))


def test_an_absent_field_is_not_a_null_one() -> None:
    assert key(asked({"a": None})) != key(asked({}))


def same(one: Any, other: Any) -> bool:
    """Say whether two JSON values are equal, where a number is never a bool."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return (type(one) in {int, float} and type(other) in {int, float} and one == other) or (
        type(one) is type(other) and one == other
    )


@pytest.mark.parametrize("body", [b"{", b'{"a": NaN}', b"[" * 100_000, b'{"a": 1} x', b"\xff\xfe"])
def test_what_is_no_json_is_compared_byte_by_byte(body: bytes) -> None:
    request = Request("POST", URL, (("content-type", "application/json"),), body)

    assert readable_body(request)[0] == "bytes"
    assert key(request) != key(Request("POST", URL, (("content-type", "application/json"),), body + b" "))


def test_json_is_recognised_without_its_content_type() -> None:
    assert key(Request("POST", URL, (), b'{"a": 1, "b": 2}')) == key(Request("POST", URL, (), b'{"b":2,"a":1}'))


@given(st.binary(), st.binary())
def test_other_bytes_are_compared_as_they_are(one: bytes, other: bytes) -> None:
    assume(not one.startswith((b"{", b"[")))
    assume(not other.startswith((b"{", b"[")))
    assert (key(Request("POST", URL, (), one)) == key(Request("POST", URL, (), other))) == (one == other)


# Forms and multipart


def form(fields: list[tuple[str, str]]) -> Request:
    headers = (("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
    return Request("POST", URL, headers, urlencode(fields).encode())


def test_forms_are_compared_by_fields() -> None:
    assert key(form([("a", "1"), ("b", "2")])) == key(form([("b", "2"), ("a", "1")]))
    assert key(form([("a", "1"), ("a", "2")])) != key(form([("a", "2"), ("a", "1")]))
    assert key(form([("a", "1")])) != key(form([("a", "")]))
    assert key(form([("a", "")])) != key(form([]))


def multipart(
    boundary: str, *, content: bytes = b"RIFF\x00\r\n--x", name: str = "file", quoted: bool = False
) -> Request:
    shown = f'"{boundary}"' if quoted else boundary
    mark = b"--" + boundary.encode()
    body = b"\r\n".join(
        [
            mark,
            f'Content-Disposition: form-data; name="{name}"; filename="a.wav"'.encode(),
            b"Content-Type: audio/wav",
            b"",
            content,
            mark,
            b'Content-Disposition: form-data; name="model"',
            b"",
            b"whisper-1",
            mark + b"--",
            b"",
        ]
    )
    return Request("POST", URL, (("content-type", f"multipart/form-data; boundary={shown}"),), body)


def test_multipart_is_compared_without_its_boundary() -> None:
    assert key(multipart("one")) == key(multipart("another-7"))
    assert key(multipart("one")) == key(multipart("one", quoted=True))
    assert key(multipart("one")) != key(multipart("one", content=b"RIFF"))
    assert key(multipart("one")) != key(multipart("one", name="fil"))


# Line and query


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/v1/chat/completions",
        "https://api.example:8443/v1/chat/completions",
        "https://api2.example/v1/chat/completions",
        "https://api.example/v1/chat/completions/",
        "https://api.example/v1/chat/Completions",
        "https://api.example/v1/chat/completions?a=1",
    ],
)
def test_another_url_is_another_question(url: str) -> None:
    assert key(Request("POST", url)) != key(Request("POST", URL))


def test_another_method_is_another_question() -> None:
    assert key(Request("GET", URL)) != key(Request("POST", URL))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://api.example/a", "https://API.example:443/a"),
        ("http://api.example:80", "http://api.example/"),
        ("https://api.example/a?x=1&y=2", "https://api.example/a?y=2&x=1"),
        ("https://api.example/a?x=%41", "https://api.example/a?x=A"),
        ("https://api.example/a?key=one&x=1", "https://api.example/a?x=1&key=other"),
        ("https://api.example/a?api_key=one", "https://api.example/a?API_KEY=other"),
    ],
)
def test_another_spelling_of_the_same_url_is_the_same_question(one: str, other: str) -> None:
    assert key(Request("GET", one)) == key(Request("GET", other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("x=1&x=2", "x=2&x=1"), ("x=", ""), ("x=1", "x=2"), ("x=1", "X=1"), ("x=1", "x=1&x=1"), ("x=a%26b", "x=a&b")],
)
def test_another_query_is_another_question(one: str, other: str) -> None:
    assert key(Request("GET", f"{URL}?{one}")) != key(Request("GET", f"{URL}?{other}"))


def test_headers_do_not_matter_unless_asked_for() -> None:
    one, other = (Request("POST", URL, (("x-tenant", tenant),)) for tenant in "ab")

    assert key(one) == key(other)
    parts = (*PARTS, "header:x-tenant")
    assert key(one, parts=parts) != key(other, parts=parts)


# What is left out


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_left_out_does_not_matter(part: str) -> None:
    before = Request("POST", "https://api.example:9000/v1/a?x=1", (), b'{"a": 1}')
    after = {
        "method": Request("PUT", before.url, (), before.body),
        "scheme": Request("POST", "http://api.example:9000/v1/a?x=1", (), before.body),
        "host": Request("POST", "https://api2.example:9000/v1/a?x=1", (), before.body),
        "port": Request("POST", "https://api.example:9001/v1/a?x=1", (), before.body),
        "path": Request("POST", "https://api.example:9000/v1/b?x=1", (), before.body),
        "query": Request("POST", "https://api.example:9000/v1/a?x=2", (), before.body),
        "body": Request("POST", before.url, (), b'{"a": 2}'),
    }[part]

    assert key(before) != key(after)
    parts = match_parts([f"-{part}"])
    assert key(before, parts=parts) == key(after, parts=parts)


@pytest.mark.parametrize(
    "normalize",
    [lambda request: request.with_json({}), lambda request: Request("GET", "https://same.example/")],
)
def test_what_normalising_makes_equal_is_equal(normalize: Callable[[Request], Request]) -> None:
    one, other = asked({"a": 1}), asked({"a": 2})

    assert key(one, normalize=normalize) == key(other, normalize=normalize)
    assert Matcher(normalize=normalize).stored_key(one) == key(one)


def test_ignored_fields_of_a_form_do_not_matter() -> None:
    one, other = form([("id", "1"), ("a", "1")]), form([("id", "2"), ("a", "1")])

    assert key(one, ignore=("id",)) == key(other, ignore=("id",))


@given(objects, st.text(), values)
def test_an_ignored_field_may_have_any_value_or_be_absent(value: dict[str, Any], name: str, other: Any) -> None:
    assume(name and '"' not in name)
    ignore = (f'["{name}"]',)
    without = {field: inner for field, inner in value.items() if field != name}

    assert key(asked({**value, name: other}), ignore=ignore) == key(asked(without), ignore=ignore)


# match_on


@pytest.mark.parametrize(
    ("given_parts", "expected"),
    [
        (None, PARTS),
        (["body"], ("body",)),
        (["body", "body"], ("body",)),
        (["-host"], tuple(part for part in PARTS if part != "host")),
        (["-host", "-host"], tuple(part for part in PARTS if part != "host")),
        (["+header:X-Tenant"], (*PARTS, "header:x-tenant")),
        (["+body"], PARTS),
        ([], ()),
    ],
)
def test_match_on_names_parts_or_changes(given_parts: list[str] | None, expected: tuple[str, ...]) -> None:
    assert match_parts(given_parts) == expected


@pytest.mark.parametrize("wrong", ["host", ["hots"], ["header:"], ["host", "-port"], ["+"], [""], 7, {"host": 1}])
def test_a_wrong_match_on_is_a_usage_error(wrong: Any) -> None:
    with pytest.raises(UsageError, match="match_on"):
        match_parts(wrong)

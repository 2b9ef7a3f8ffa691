"""The filters: what they take out of requests and responses, and what they leave."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from typing import Any

import pytest

from tapemeter.vcr import filtering, filters
from tapemeter.vcr.request import Request

BOUNDARY = "multipart/form-data; boundary=xyz"


def request(
    uri: str = "https://a.example/p?key=1&b=2&key=3", body: Any = b"", method: str = "POST", **headers: str
) -> Request:
    return Request(method, uri, body, {name.replace("_", "-"): value for name, value in headers.items()})


def upper(key: str, value: Any, request: Any) -> str:
    assert request.method == "POST"
    return f"{key}={str(value).upper()}"


def test_headers_are_replaced_taken_out_or_left() -> None:
    found = filters.replace_headers(
        request(Authorization="secret", x_key="ab", other="c", gone="d"),
        [("authorization", "DUMMY"), ("X-Key", upper), ("gone", None), ("absent", "x")],
    )
    assert found.headers == {"authorization": "DUMMY", "x-key": "X-Key=AB", "other": "c"}
    assert filters.remove_headers(request(a="1", b="2"), ["A"]).headers == {"b": "2"}


def test_query_parameters_are_replaced_taken_out_or_left() -> None:
    assert filters.replace_query_parameters(request(), [("key", "X")]).uri == "https://a.example/p?b=2&key=X&key=X"
    assert filters.remove_query_parameters(request(), ["key"]).uri == "https://a.example/p?b=2"
    assert filters.replace_query_parameters(request(), [("b", upper)]).query == [
        ("b", "b=2"),
        ("key", "1"),
        ("key", "3"),
    ]


@pytest.mark.parametrize(
    ("body", "headers", "left"),
    [
        (b"a=1&key=2&c", {}, b"a=1&key=X&c"),
        (b"api%3Akey=2", {}, b"api%3Akey=Y"),
        ("a=1&key=2", {}, b"a=1&key=X"),
        (b'{"key": 1, "in": {"key": 1}}', {"Content-Type": "application/json"}, b'{"in": {"key": 1}, "key": "X"}'),
        ({"key": 1, "b": 2}, {}, {"b": 2, "key": "X"}),
        (b"\xff\xfe=\xff", {}, b"\xff\xfe=\xff"),
        (b"", {}, b""),
        (None, {}, None),
        (b"[1]", {"Content-Type": "application/json"}, b"[1]"),
    ],
    ids=["form", "escaped", "text", "JSON", "value", "no text", "empty", "none", "list"],
)
def test_fields_of_a_body_are_replaced(body: Any, headers: dict[str, str], left: Any) -> None:
    given = Request("PUT", "https://a.example/", body, headers)
    assert filters.replace_body_parameters(given, [("key", "X"), ("api:key", "Y")]).body == left


def test_fields_within_fields_are_replaced_where_that_is_asked_for() -> None:
    body = json.dumps({"key": 1, "in": [{"key": 2, "left": None}], "gone": 3}).encode()
    given = Request("POST", "https://a.example/", body, {"Content-Type": "application/json"})
    found = filters.replace_body_parameters(given, [("key", "X"), ("gone", None)], recursive=True)
    assert json.loads(found.body) == {"key": "X", "in": [{"key": "X", "left": None}]}


def test_fields_of_a_multipart_form_are_replaced_and_taken_out() -> None:
    part = '--xyz\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    body = (part.format("key", "secret") + part.format("gone", "x") + part.format("b", "2") + "--xyz--\r\n").encode()
    given = Request("POST", "https://a.example/", body, {"Content-Type": BOUNDARY})
    found = filters.replace_body_parameters(given, [("key", "DUMMY"), ("gone", None)])
    assert found.body == (part.format("key", "DUMMY") + part.format("b", "2") + "--xyz--\r\n").encode()


def test_the_older_names_concern_requests_of_the_method_post_alone() -> None:
    assert filters.remove_post_data_parameters(request(body=b"a=1&b=2"), ["a"]).body == b"b=2"
    assert filters.remove_post_data_parameters(request(body=b"a=1", method="PUT"), ["a"]).body == b"a=1"
    assert filters.replace_post_data_parameters(request(body=b"a=1"), [("a", "2")]).body == b"a=2"


def response(body: Any, coding: Any = ("gzip",)) -> dict[str, Any]:
    headers = {"Content-Encoding": list(coding), "Content-Length": ["9"], "X": ["1"]} if coding else {"X": ["1"]}
    return {"status": {"code": 200, "message": "OK"}, "headers": headers, "body": {"string": body}}


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_response_is_decoded_with_its_headers(coding: str, pack: Any) -> None:
    given = response(pack(b"plain text"), (coding,))
    found = filters.decode_response(given)
    assert found["body"] == {"string": b"plain text"}
    assert found["headers"] == {"content-length": ["10"], "X": ["1"]}
    assert given["headers"]["Content-Encoding"] == [coding], "the response that came is not changed"


def test_a_body_that_is_decoded_already_only_loses_the_header() -> None:
    found = filters.decode_response(response(b"plain"))
    assert found["body"] == {"string": b"plain"}
    assert "Content-Encoding" not in found["headers"]


@pytest.mark.parametrize(
    "given", [response(b"x", ()), response(b"x", ("unknown",)), response(None), {**response(b"x"), "body": {}}]
)
def test_what_cannot_be_decoded_stays(given: dict[str, Any]) -> None:
    assert filters.decode_response(given) == given


def test_an_outer_coding_is_taken_off_alone() -> None:
    found = filters.decode_response(response(gzip.compress(b"inner"), ("gzip", "br")))
    assert found["headers"]["content-encoding"] == ["br"]


# All together


def test_a_request_is_filtered_in_the_order_of_the_options_and_the_one_given_is_not_changed() -> None:
    seen: list[Any] = []

    def note(found: Any) -> Any:
        seen.append((dict(found.headers), found.uri, found.body))
        return found

    through = filtering.of_requests(
        {
            "filter_headers": ["authorization"],
            "filter_query_parameters": [("key", "X")],
            "filter_post_data_parameters": ["password"],
            "before_record_request": [note, note],
        }
    )
    given = request(body=b"password=1&b=2", authorization="secret")
    through(given)
    assert seen == [({}, "https://a.example/p?b=2&key=X&key=X", b"b=2")] * 2
    assert given.headers["authorization"] == "secret"


@pytest.mark.parametrize("drop", [lambda _: None, [lambda found: found, lambda _: None]])
def test_hooks_drop_a_request_or_a_response_and_the_next_ones_are_not_asked(drop: Any) -> None:
    hooks = [*(drop if isinstance(drop, list) else [drop]), pytest.fail]
    assert filtering.of_requests({"before_record_request": hooks})(request()) is None
    assert filtering.of_responses({"before_record_response": hooks})(response(b"")) is None


@pytest.mark.parametrize(
    ("options", "host", "dropped"),
    [
        ({"ignore_hosts": ["a.example"]}, "a.example", True),
        ({"ignore_hosts": ["a.example"]}, "b.a.example", False),
        ({"ignore_hosts": [re.compile(r".*\.example")]}, "b.a.example", True),
        ({"ignore_hosts": [re.compile(r"a")]}, "a.example", False),
        ({"ignore_localhost": True}, "127.0.0.1", True),
        ({"ignore_localhost": True}, "[::1]", True),
        ({"ignore_localhost": True}, "a.example", False),
    ],
)
def test_requests_to_ignored_hosts_are_dropped(options: dict[str, Any], host: str, dropped: bool) -> None:
    found = filtering.of_requests(options)(request(f"http://{host}/"))
    assert (found is None) is dropped


def test_a_response_is_decoded_before_hooks_see_it() -> None:
    through = filtering.of_responses(
        {"decode_compressed_response": True, "before_record_response": lambda found: found["body"]["string"]}
    )
    assert through(response(gzip.compress(b"plain"))) == b"plain"


def test_sensitive_data_is_hidden_and_restored_wherever_it_stands() -> None:
    hide, restore = filters.sensitive_data_hooks(
        {"<KEY>": "s3cret", "<PORT>": lambda asked, _: asked.port, "<NONE>": None, "": "x"}
    )
    asked = Request("GET", "http://a.example:8080/?k=s3cret", b"k=s3cret", {"k": "s3cret"})
    hidden, answer = hide(asked, {"body": {"string": b"s3cret"}, "headers": {"s3cret": ["8080"]}})
    assert (hidden.uri, hidden.body, hidden.headers["k"]) == ("http://a.example:<PORT>/?k=<KEY>", b"k=<KEY>", "<KEY>")
    assert answer == {"body": {"string": b"<KEY>"}, "headers": {"<KEY>": ["<PORT>"]}}
    again, _ = restore(Request("GET", "http://a.example/?k=<KEY>", b"<KEY>", {}), {})
    assert (again.uri, again.body) == ("http://a.example/?k=s3cret", b"s3cret")

"""A request of VCR.py's: its parts, its headers, bodies of every kind."""

from __future__ import annotations

from io import BytesIO

import pytest

from tapemeter.vcr.request import HeadersDict, Request
from tapemeter.vcr.util import CaseInsensitiveDict, compose, joined, partition_dict, read_body


def request(uri: str = "https://example.com/a?z=1&b=2", body: object = b"x", **headers: object) -> Request:
    return Request("POST", uri, body, headers)


def test_the_parts_of_a_url_can_be_read() -> None:
    found = request("https://User@Example.com:8443/a%20b?z=1&b=2")
    assert (found.scheme, found.protocol, found.host, found.port) == ("https", "https", "example.com", 8443)
    assert (found.path, found.query) == ("/a%20b", [("b", "2"), ("z", "1")])
    assert found.url == found.uri


@pytest.mark.parametrize(("uri", "port"), [("http://a/", 80), ("https://a/", 443), ("ftp://a/", None)])
def test_the_port_is_that_of_the_scheme_where_there_is_none(uri: str, port: int | None) -> None:
    assert request(uri).port == port


def test_the_parts_follow_a_url_that_is_changed() -> None:
    found = request()
    found.uri = "http://other.example/b"
    assert (found.host, found.path, found.query) == ("other.example", "/b", [])


def test_a_text_becomes_bytes() -> None:
    found = request(body="ä")
    assert found.body == "ä".encode()
    found.body = "b"
    assert found.body == b"b"


def test_a_file_is_read_where_it_stands_and_gives_its_content_anew_each_time() -> None:
    file = BytesIO(b"abcdef")
    file.seek(2)
    found = request(body=file)
    assert file.tell() == 2
    assert [found.body.read(), found.body.read()] == [b"cdef", b"cdef"]
    assert found.body_bytes == b"cdef"


def test_an_iterator_gives_its_content_anew_each_time() -> None:
    found = request(body=iter([b"a", b"b"]))
    assert [list(found.body), list(found.body)] == [[b"a", b"b"], [b"a", b"b"]]
    assert found.body_bytes == read_body(found) == b"ab"


def test_headers_are_found_whatever_their_case_and_have_one_value() -> None:
    found = request(**{"X-Key": ["1", "2"]})
    assert found.headers["x-key"] == "1"
    found.headers["X-KEY"] = "3"
    assert dict(found.headers) == {"X-Key": "3"}
    found.headers = {"A": "b"}
    assert isinstance(found.headers, HeadersDict)
    assert "a" in found.headers


def test_a_request_survives_the_form_in_which_it_is_written() -> None:
    found = request(**{"X-Key": "1"})
    again = Request._from_dict(found._to_dict())
    assert (again.method, again.uri, again.body, dict(again.headers)) == (
        found.method,
        found.uri,
        found.body,
        dict(found.headers),
    )


def test_adding_a_header_is_deprecated_and_works() -> None:
    found = request()
    with pytest.deprecated_call():
        found.add_header("A", "b")
    assert found.headers["a"] == "b"


def test_a_dictionary_that_ignores_case_equals_others_that_differ_in_case_alone() -> None:
    found = CaseInsensitiveDict({"A": 1}, b=2)
    assert found == {"a": 1, "B": 2}
    assert found != {"a": 1}
    assert list(found.copy()) == ["A", "b"]
    del found["B"]
    assert repr(found) == "{'A': 1}"
    assert (found == 3) is False


@pytest.mark.parametrize(
    ("pieces", "whole"), [([], b""), (["ä", "b"], "äb".encode()), ([b"a", bytearray(b"b")], b"ab"), ([97, 98], b"ab")]
)
def test_pieces_of_a_body_are_joined(pieces: list[object], whole: bytes) -> None:
    assert joined(pieces) == whole


def test_functions_are_composed_from_the_last_to_the_first() -> None:
    assert compose(lambda text: text + "1", None, lambda text: text + "2")("x") == "x21"
    assert partition_dict(lambda key, _: key == "a", {"a": 1, "b": 2}) == ({"a": 1}, {"b": 2})

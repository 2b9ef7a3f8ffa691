"""Secrets in what is written: gone wherever they stood, while what filters put in their place stays."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.redact import Redactor
from tapemeter.vcr.filters import replace_body_parameters, replace_query_parameters
from tapemeter.vcr.forms import sent_of
from tapemeter.vcr.request import Request
from tapemeter.vcr.secrets import Secrets

KEY = "sk-proj-" + "Zq7" * 12
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REDACTOR = Redactor(environ={})


def response(body: Any = b"", **headers: Any) -> dict[str, Any]:
    return {"status": {"code": 200, "message": "OK"}, "headers": headers, "body": body}


def out_of(request: Request, answer: dict[str, Any], original: Request | None = None) -> tuple[Any, Any]:
    return Secrets(REDACTOR, sent_of(original or request)).out_of(request, answer)


def test_what_has_no_secret_stays_the_same_object() -> None:
    request, answer = Request("GET", "https://a.example/?a=1", b"x", {"A": "1"}), response({"string": b"x"}, A=["1"])
    assert out_of(request, answer) == (request, answer)
    assert Secrets(REDACTOR, sent_of(request)).out_of_request(request) is request


def test_a_body_that_is_a_value_is_redacted_as_one() -> None:
    request = Request("POST", "https://a.example/", {"note": KEY, "n": 1}, {})
    clean, _ = out_of(request, response({}))
    assert clean.body == {"note": "REDACTED", "n": 1}
    assert request.body == {"note": KEY, "n": 1}


def test_fields_of_a_form_that_a_filter_replaced_stay_and_the_others_go() -> None:
    original = Request("POST", "https://a.example/", b"api_key=secret-one&token=secret-two&a=1", FORM)
    changed = Request("POST", "https://a.example/", original.body, FORM)
    clean, _ = out_of(replace_body_parameters(changed, [("api_key", "DUMMY")]), response({}), original)
    assert clean.body == b"api_key=DUMMY&token=REDACTED&a=1"


def test_a_key_that_a_hook_puts_there_goes_as_well() -> None:
    original = Request("GET", "https://a.example/?key=1", b"", {"Authorization": "x"})
    changed = Request("GET", f"https://a.example/?key={KEY}", b"", {"Authorization": f"Bearer {KEY}"})
    clean, _ = out_of(changed, response({}), original)
    assert KEY not in clean.uri
    assert KEY not in str(dict(clean.headers))
    assert list(clean.headers) == ["Authorization"], "the name is spelled as it was"


def test_a_value_that_a_filter_only_spells_in_another_way_is_no_replacement() -> None:
    original = Request("GET", "https://a.example/?key=my%20secret&b=%41", b"", {})
    changed = replace_query_parameters(Request("GET", original.uri, b"", {}), [("b", None)])
    assert changed.uri == "https://a.example/?key=my+secret"
    assert out_of(changed, response({}), original)[0].uri == "https://a.example/?key=REDACTED"


def test_a_key_that_a_hook_took_out_of_one_place_goes_from_the_others_too() -> None:
    secret = "Hq5-0123456789-plain"
    original = Request("POST", "https://a.example/", f"note {secret}".encode(), {"X-Api-Key": f"Bearer {secret}"})
    changed = Request("POST", f"https://a.example/?key={secret}", original.body, {"X-Api-Key": secret})
    clean, _ = out_of(changed, response({}), original)
    assert secret not in str(clean._to_dict())


def test_a_placeholder_without_a_value_stays() -> None:
    original = Request("GET", f"https://a.example/?key={KEY}", b"", {"Authorization": KEY})
    changed = Request("GET", "https://a.example/?key=", b"", {"Authorization": ""})
    clean, _ = out_of(changed, response({}), original)
    assert (clean.uri, dict(clean.headers)) == ("https://a.example/?key=", {"Authorization": ""})


@pytest.mark.parametrize("string", [KEY, KEY.encode(), f"{{'k': '{KEY}'}}".encode()])
def test_an_answer_that_tells_the_key_is_written_without_it(string: Any) -> None:
    request = Request("GET", "https://a.example/", b"", {"Authorization": f"Bearer {KEY}"})
    _, answer = out_of(request, response({"string": string, "encoding": "utf-8"}, **{"X-Echo": KEY, "Y": ["1", "2"]}))
    assert KEY not in str(answer)
    assert type(answer["body"]["string"]) is type(string)
    assert answer["body"]["encoding"] == "utf-8"
    assert (list(answer["headers"]), answer["headers"]["Y"]) == (["X-Echo", "Y"], ["1", "2"])


def test_headers_of_an_answer_go_without_touching_its_body() -> None:
    packed = gzip.compress(b"plain")
    headers = {"Content-Encoding": ["gzip"], "Set-Cookie": ["session=abcdefgh; Path=/"]}
    _, answer = out_of(Request("GET", "https://a.example/", b"", {}), response({"string": packed}, **headers))
    assert answer["headers"] == {"Content-Encoding": ["gzip"], "Set-Cookie": ["REDACTED"]}
    assert answer["body"] == {"string": packed}


@pytest.mark.parametrize("odd", [{"body": None}, {"body": {}, "headers": None}, {"headers": {}}])
def test_an_answer_of_another_shape_is_no_obstacle(odd: dict[str, Any]) -> None:
    assert out_of(Request("GET", "https://a.example/", b"", {}), odd)[1] == odd


PLACES = st.sampled_from(["header", "query", "form", "json", "value", "answer", "packed", "answer header"])


@given(st.lists(PLACES, min_size=1, unique=True), st.text(st.characters(codec="ascii", categories=["L"]), max_size=5))
def test_a_planted_key_is_in_nothing_that_is_written(places: list[str], around: str) -> None:
    hidden = f"{around} {KEY} {around}"
    headers = {"X-Api-Key": KEY} if "header" in places else {}
    uri = f"https://a.example/?key={KEY}&a={around}" if "query" in places else "https://a.example/"
    body: Any = b"a=1"
    if "form" in places:
        body, headers = f"note={KEY}".encode(), {**headers, **FORM}
    elif "json" in places:
        body = json.dumps({"note": hidden}).encode()
    elif "value" in places:
        body = {"note": hidden}
    answer = response({"string": hidden.encode() if "answer" in places else b""})
    if "packed" in places:
        answer = response({"string": gzip.compress(hidden.encode())}, **{"content-encoding": ["gzip"]})
    if "answer header" in places:
        answer["headers"]["echo"] = [hidden]
    request, written = out_of(Request("POST", uri, body, headers), answer)
    string = written["body"]["string"]
    plain = gzip.decompress(string) if "content-encoding" in written["headers"] else string
    assert KEY not in str((request._to_dict(), written["headers"], plain))

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.errors import NetworkBlockedError
from tapemeter.isolation import programs
from tapemeter.isolation.judge import Standing
from tapemeter.network import AllowList

if TYPE_CHECKING:
    from collections.abc import Sequence

URL = "https://far.example/path"


@pytest.mark.parametrize(
    "words",
    [
        ["curl", URL],
        ["/usr/bin/curl", URL],
        [b"curl", URL.encode()],
        ["sh", "-c", f"curl {URL}"],
        ["/bin/bash", "-euxc", f"cd /tmp && curl -sS {URL} | jq ."],
        ["sh", "-c", f"A=1 B=2 exec /usr/bin/curl '{URL}'"],
        ["sh", "-c", f"echo $(curl {URL})"],
        ["sh", "-c", f"echo `curl {URL}`"],
        ["sh", "-c", f"if curl {URL}; then true; fi"],
        ["sh", "-c", f"true\ncurl {URL}"],
        ["sh", "-c", f"curl {URL} 'open"],
        ["env", "A=1", "curl", URL],
        ["timeout", "5", "curl", URL],
        ["xargs", "-n1", "curl", URL],
        f"curl {URL}",
        f"true; curl {URL}".encode(),
    ],
)
def test_a_program_is_found_wherever_a_command_stands(words: Sequence[Any]) -> None:
    found = programs.find(words)

    assert found is not None
    assert found.name == "curl"
    assert found.places == (("far.example", 443),)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["python", "-c", "curl"],
        ["git", "log", "--grep", "curl"],
        ["echo", "curl"],
        ["sh", "-c", "echo curl"],
        ["sh", "-c", "which curl && grep wget file"],
        ["sh", "script.sh", "curl"],
        ["sh", "-c"],
        ["curly", URL],
        ["node", "-e", "fetch('https://far.example')"],
        [None],
        "true",
        b"",
    ],
)
def test_what_is_not_started_or_not_known_is_let_through(words: Sequence[Any]) -> None:
    assert programs.find(words) is None


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("http://a.example", ("a.example", 80)),
        ("--url=http://a.example:8080/x", ("a.example", 8080)),
        ("https://user:key@a.example/", ("a.example", 443)),
        ("http://[2001:db8::7]/", ("2001:db8::7", 80)),
        ("ftp://a.example", ("a.example", 21)),
        ("gopher://a.example", ("a.example", None)),
        ("http://", None),
        ("http:///path", ("", 80)),
        ("http://a.example:port/", ("", None)),
        ("http://[broken/", ("", None)),
    ],
)
def test_places_are_read_from_urls(word: str, place: tuple[str, int | None] | None) -> None:
    found = programs.find(["curl", word])

    assert found is not None
    assert found.places == (() if place is None else (place,))


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["http://127.0.0.1:80/"], True),
        (["http://localhost/", "http://[::1]:9/"], True),
        (["http://db.internal:5432/"], True),
        (["http://db.internal:80/"], False),
        (["http://localhost/", URL], False),
        (["http:///path"], False),
        (["localhost"], False),
        ([], False),
    ],
)
def test_all_places_must_be_allowed_and_one_be_named(words: list[str], allowed: bool) -> None:
    found = programs.find(["curl", *words])
    assert found is not None
    standing = Standing(AllowList.default().plus(["db.internal:5432"]), "test_x.py::test_x")

    if allowed:
        programs.judge(found, standing)
    else:
        with pytest.raises(NetworkBlockedError, match=r"^test_x.py::test_x wanted to start curl.*was not started"):
            programs.judge(found, standing)
    programs.judge(found, Standing(None, None))


@given(st.lists(st.text(max_size=40), max_size=6) | st.text(max_size=200) | st.binary(max_size=200))
def test_no_command_line_is_too_odd_to_read(words: Any) -> None:
    found = programs.find(words)

    assert found is None or isinstance(found.name, str)


@given(st.lists(st.text(max_size=20), max_size=4))
def test_a_known_program_is_found_whatever_its_arguments(arguments: list[str]) -> None:
    found = programs.find(["wget", *arguments])

    assert found is not None
    assert found.name == "wget"

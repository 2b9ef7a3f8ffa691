"""One value of a good tape is replaced by any other: it is still a tape that converts, or is refused by its name."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette.tapes import tape
from tapemeter.cassette.tapes.convert import convert
from tapemeter.errors import CassetteError
from tapemeter.redact import Redactor

REDACTOR = Redactor((), {})
REQUEST = {"method": "POST", "uri": "https://example.test/", "body": "{}", "headers": {"A": ["1"]}}
RESPONSE = {"status": {"code": 200, "message": "OK"}, "headers": {"B": ["1"]}, "body": {"string": "x"}}
OLD = {"status_code": 200, "http_version": "HTTP/1.1", "headers": {"B": "1"}, "content": "x"}
FORMS: list[Any] = [
    {"interactions": [{"request": REQUEST, "response": RESPONSE}], "version": 1, "metadata": {"a": 1}},
    {"requests": [REQUEST], "responses": [OLD]},
    [{"request": REQUEST, "response": RESPONSE}],
    {
        "interactions": [
            {
                "request": {**REQUEST, "body": {"type": "json", "content": {}}},
                "response": {"status": 200, "headers": {}, "body": {"type": "binary", "content": "00"}},
                "recorded_at": "2026-11-21T13:36:07+00:00",
            }
        ]
    },
    {
        "log": {
            "version": "1.2",
            "entries": [
                {
                    "startedDateTime": "2026-11-21T13:36:07Z",
                    "time": 3,
                    "timings": {"receive": 1},
                    "request": {
                        "method": "POST",
                        "url": "https://example.test/",
                        "headers": [{"name": "A", "value": "1"}],
                        "postData": {"mimeType": "x", "text": "a", "params": [{"name": "a", "value": "b"}]},
                    },
                    "response": {
                        "status": 200,
                        "statusText": "OK",
                        "headers": [],
                        "content": {"size": 1, "text": "a", "encoding": "none"},
                    },
                }
            ],
        }
    },
]


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for step, each in inner for found in places(each, (*place, step)))]


def replaced(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    value = copy.deepcopy(value)
    inner = value
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = new
    return value


PLACES = [(form, place) for form in FORMS for place in places(form)]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["\ud800", "[::"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "string", "name", "value", "code"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(st.sampled_from(PLACES), VALUES)
@settings(max_examples=300)
def test_a_damaged_tape_is_converted_or_refused(place: tuple[Any, tuple[Any, ...]], value: Any) -> None:
    data = json.dumps(replaced(*place, value)).encode()

    try:
        found = tape.parse(data, "a.json")
        text = convert(found, REDACTOR, "a.json").text
    except CassetteError as error:
        assert str(error).startswith("a.json")  # noqa: PT017 - either outcome is right
        return
    assert len(cassette_format.load(text, "a.yaml")) == len(found.interactions)

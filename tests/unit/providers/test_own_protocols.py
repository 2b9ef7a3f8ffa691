from __future__ import annotations

import json
from typing import Any

import pytest

from tapemeter import providers
from tapemeter.errors import UsageError
from tapemeter.model import Chunk, Quality, Request, Response, Usage
from tapemeter.providers import Fold, Prompt, Spelling, Tokens, Wire, own
from tapemeter.providers.meter import Asked
from tapemeter.values import replace

JSON = (("content-type", "application/json"),)
SPELLING = Spelling(input="read", output="written")


def ask(body: dict[str, Any], prompt: Prompt) -> int | None:
    prompt.item()
    prompt.say(body.get("question"))
    return 7


def read(value: dict[str, Any], fold: Fold) -> None:
    fold.say(value.get("reply"))
    if isinstance(value.get("spent"), dict):
        fold.report(value["spent"], SPELLING)


WIRE = Wire(
    name="acme_talk",
    family="acme",
    operation="chat",
    ask=ask,
    read=read,
    follow=read,
    host=r"(^|\.)acme\.example$",
    path=r"/talk/(?P<model>[^/]+)$",
)

REQUEST = Request("POST", "https://api.acme.example/v3/talk/small%2Bone", JSON, b'{"question": "Gr\xc3\xbcezi"}')
ANSWER = Response(200, JSON, (Chunk(0.1, json.dumps({"reply": "Salü", "spent": {"read": 9, "written": 4}}).encode()),))


@pytest.fixture
def wire() -> Any:
    with providers.register([WIRE]):
        yield WIRE
    assert own.ANY == ()


def test_a_protocol_of_ones_own_is_read_while_it_is_registered() -> None:
    with providers.register([WIRE]):
        asked = providers.ask(REQUEST)
        assert asked == Asked("acme_talk", "chat", "acme", "small+one", 6, 16 + 7, 7)
        assert providers.claims(REQUEST) == "acme"
        answered = providers.answered(asked, ANSWER, keeps_text=True)
        assert (answered.usage, answered.text) == (Usage(9, 4), "Salü")
        assert providers.watch(asked, 200, JSON).feed(ANSWER.body) == 4

    assert providers.ask(REQUEST) is None
    assert providers.claims(REQUEST) is None
    assert providers.answered(asked, ANSWER).usage.quality is Quality.ESTIMATED


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://acme.example/talk/m", True),
        ("https://acme.example.org/talk/m", False),
        ("https://acme.example/talk/m/n", False),
    ],
)
def test_host_and_path_must_both_fit(wire: Wire, url: str, fits: bool) -> None:
    assert (providers.claims(Request("POST", url)) == "acme") is fits


@pytest.mark.parametrize("given", [{"host": r"^acme\.example$", "path": None}, {"host": None, "path": "^/talk$"}])
def test_a_host_or_a_path_alone_is_enough(given: dict[str, Any]) -> None:
    with providers.register([replace(WIRE, **given)]):
        asked = providers.ask(Request("POST", "https://acme.example/talk", body=b'{"model": "m"}'))

    assert asked is not None
    assert (asked.protocol, asked.model) == ("acme_talk", "m")


def test_the_last_that_was_registered_comes_first_and_goes_alone() -> None:
    request = Request("POST", "https://api.openai.com/v1/chat/completions", body=b"{}")
    mine = replace(WIRE, host=None, path="/chat/completions$")
    first = providers.register([mine])
    second = providers.register([replace(mine, name="other_talk")])

    found = [providers.ask(request)]
    first.undo()
    first.undo()
    found.append(providers.ask(request))
    second.undo()
    found.append(providers.ask(request))

    assert [asked and asked.protocol for asked in found] == ["other_talk", "other_talk", "openai_chat"]


def test_a_refusal_has_ones_own_form(wire: Wire) -> None:
    mine = replace(WIRE, name="acme_refuses", path="/refuse$", refuse=lambda message: {"no": message})
    plain = Asked("acme_talk", "chat", "acme", None)

    with providers.register([mine]):
        assert json.loads(providers.refused(replace(plain, protocol="acme_refuses"), "over").body) == {"no": "over"}
    assert json.loads(providers.refused(plain, "over").body)["error"]["message"] == "over"


# What is not as it should be


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        ({"name": "Acme Talk"}, "needs a name"),
        ({"name": 7}, "needs a name"),
        ({"name": "openai_chat"}, "built-in"),
        ({"host": None, "path": None}, "neither a host nor a path"),
        ({"path": "("}, "no regular expression"),
        ({"host": 7}, "no regular expression"),
        ({"ask": None}, "expected a function"),
        ({"tokens": "text"}, "expected a tapemeter.providers.Tokens"),
    ],
)
def test_a_row_that_is_not_as_it_should_be_is_refused_with_all_others(spoilt: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        providers.register([WIRE, replace(WIRE, **spoilt)])

    assert own.ANY == ()


def test_what_is_no_row_is_refused() -> None:
    with pytest.raises(UsageError, match="but got dict"):
        providers.register([{"name": "acme"}])  # type: ignore[list-item]


def fails(*_: object) -> Any:
    raise KeyError("secret prompt")


def test_a_request_that_could_not_be_read_is_counted_by_its_length_and_a_warning_says_so() -> None:
    with (
        providers.register([replace(WIRE, ask=fails)]),
        pytest.warns(RuntimeWarning, match="ask of the protocol 'acme_talk' raised KeyError; the call") as told,
    ):
        asked = providers.ask(REQUEST)

    assert asked == Asked("unknown", "unknown", "acme", "small+one", input_bound=len(REQUEST.body))
    assert "secret" not in str(told[0].message)


@pytest.mark.parametrize(
    ("name", "usage"), [("read", Usage(2, 0, quality=Quality.PARTIAL)), ("head", Usage(9, 4))], ids=["read", "head"]
)
def test_an_answer_that_could_not_be_read_counts_as_far_as_it_was(name: str, usage: Usage) -> None:
    failing: dict[str, Any] = {name: fails}

    with providers.register([replace(WIRE, **failing)]):
        asked = providers.ask(REQUEST)
        assert asked is not None
        with pytest.warns(RuntimeWarning, match=f"{name} of the protocol 'acme_talk' raised KeyError"):
            answered = providers.answered(asked, ANSWER)

    assert answered.usage == usage


def test_a_refusal_whose_form_fails_has_the_usual_one() -> None:
    asked = Asked("acme_talk", "chat", "acme", None)

    with (
        providers.register([replace(WIRE, refuse=fails)]),
        pytest.warns(RuntimeWarning, match="refuse of the protocol"),
    ):
        refused = providers.refused(asked, "over")

    assert json.loads(refused.body)["error"]["message"] == "over"


def test_nesting_that_is_too_deep_is_no_fault_of_the_protocol() -> None:
    def too_deep(*_: object) -> None:
        raise RecursionError

    with providers.register([replace(WIRE, read=too_deep)]):
        asked = providers.ask(REQUEST)
        assert asked is not None
        assert providers.answered(asked, ANSWER).usage.quality is Quality.PARTIAL


def test_an_answer_without_tokens_is_as_the_row_says() -> None:
    expected = {
        Tokens.TEXT: Usage(2, 1, quality=Quality.ESTIMATED),
        Tokens.INPUT: Usage(2, 0, quality=Quality.ESTIMATED),
        Tokens.FREE: Usage(),
        Tokens.UNTOLD: Usage(quality=Quality.UNKNOWN),
    }
    found = {}
    for tokens in Tokens:
        with providers.register([replace(WIRE, tokens=tokens)]):
            asked = providers.ask(REQUEST)
            assert asked is not None
            found[tokens] = providers.answered(asked, Response(200, JSON, (Chunk(0.1, b'{"reply": "hi"}'),))).usage

    assert found == expected

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tapemeter import providers
from tapemeter.providers import answering
from tapemeter.providers.meter import Asked

if TYPE_CHECKING:
    import pytest

JSON = (("content-type", "application/json"),)
CHAT = Asked("openai_chat", "chat", "openai", "m")


def test_the_watch_gives_a_json_body_up_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "LONGEST_WATCHED", 50)
    body = json.dumps({"choices": [{"message": {"content": "x" * 100}}]}).encode()
    watch = providers.watch(CHAT, 200, JSON)

    assert [watch.feed(body[place : place + 10]) for place in range(0, len(body), 10)][-1] == 0


def test_the_watch_waits_for_the_first_character_to_tell_what_it_sees() -> None:
    events, whole = providers.watch(CHAT, 200, ()), providers.watch(CHAT, 200, ())

    assert [events.feed(b"\n"), events.feed(b'data: {"choices": [{"text": "Hi"}]}\n\n')] == [0, 2]
    assert [whole.feed(b"\n"), whole.feed(b'{"choices": [{"text": "Hi"}]}')] == [0, 2]

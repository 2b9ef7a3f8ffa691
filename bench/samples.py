"""The same recorded calls in the form of each tool: chat requests and answers, some 2 KB each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette.match import Matcher
from tapemeter.cassette.model import Interaction
from tapemeter.model import Chunk, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "http://llm.example/v1/chat/completions"
OTHER_URL = "http://data.example/look-up"
"""Of what is no model call, and so is not metered."""
_TEXT = "The quick brown fox jumps over the lazy dog. " * 40
_HEADERS = (("content-type", "application/json"),)


def question(number: int) -> dict[str, Any]:
    """Return the body of request `number`."""
    messages = [{"role": "system", "content": _TEXT}, {"role": "user", "content": f"Question {number}?"}]
    return {"model": "bench", "messages": messages}


def other_question(number: int) -> dict[str, Any]:
    """Return the body of a request that asks no model."""
    return {"texts": [_TEXT, f"Question {number}?"]}


def sent(number: int) -> bytes:
    """Return the bytes that httpx sends for request `number`."""
    return _written(question(number))


def _written(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def answer(number: int) -> bytes:
    """Return the bytes of its answer."""
    message = {"role": "assistant", "content": f"Answer {number}. {_TEXT}"}
    usage = {"prompt_tokens": 400, "completion_tokens": 400, "total_tokens": 800}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    body = {"id": f"c-{number}", "object": "chat.completion", "created": 1, "model": "bench"}
    return json.dumps({**body, "choices": choices, "usage": usage}, separators=(",", ":")).encode()


def ours(path: Path, count: int, url: str = URL, asking: Callable[[int], dict[str, Any]] = question) -> Path:
    """Write a cassette of ours."""
    matcher = Matcher()
    interactions = []
    for number in range(count):
        request = Request("POST", url, _HEADERS, _written(asking(number)))
        response = Response(200, _HEADERS, (Chunk(0.5, answer(number)),), first_byte=0.4, total=0.5)
        interactions.append(Interaction(request, response, "2026-01-01T00:00:00Z", matcher.key(request)))
    path.write_text(cassette_format.dump(interactions), encoding="utf-8")
    return path


def vcr_mapping(count: int) -> dict[str, Any]:
    """Return what VCR.py keeps of the same calls."""
    return {
        "version": 1,
        "interactions": [
            {
                "request": {
                    "method": "POST",
                    "uri": URL,
                    "body": sent(number).decode(),
                    "headers": {"content-type": ["application/json"]},
                },
                "response": {
                    "status": {"code": 200, "message": "OK"},
                    "headers": {"content-type": ["application/json"]},
                    "body": {"string": answer(number).decode()},
                },
            }
            for number in range(count)
        ],
    }


def vcr_tape(path: Path, count: int) -> Path:
    """Write a tape of VCR.py."""
    path.write_text(yaml.dump(vcr_mapping(count), Dumper=yaml.CSafeDumper), encoding="utf-8")
    return path


def cassetter_tape(path: Path, count: int) -> Path:
    """Write a cassette of cassetter in YAML."""
    interactions = [
        {
            "request": {
                "method": "POST",
                "uri": URL,
                "headers": {"content-type": ["application/json"]},
                "body": {"type": "json", "content": json.loads(sent(number))},
            },
            "response": {
                "status": 200,
                "headers": {"content-type": ["application/json"]},
                "body": {"type": "json", "content": json.loads(answer(number))},
            },
            "recorded_at": "2026-01-01T00:00:00.000000+00:00",
        }
        for number in range(count)
    ]
    mapping = {"version": 1, "interactions": interactions}
    path.write_text(yaml.dump(mapping, Dumper=yaml.CSafeDumper), encoding="utf-8")
    return path

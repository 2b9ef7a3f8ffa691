"""Bedrock through boto3: its calls, its streams, and the attempts that it makes by itself."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import botocore.config
import pytest
from adapter_server import amazon_events

from tapemeter.errors import BudgetStopped, CassetteMiss

if TYPE_CHECKING:
    from adapter_server import Server
    from adapter_tape import Tape

MESSAGES = [{"role": "user", "content": [{"text": "hello"}]}]
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 11, "outputTokens": 3, "totalTokens": 14},
    "metrics": {"latencyMs": 5},
}


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep boto3 from looking for keys and settings of the developer's."""
    for name in [*os.environ]:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    return boto3.Session("planted-id", "planted-secret", region_name="us-east-1")


def bedrock(session: boto3.Session, world: Server, path: str = "", attempts: int = 1) -> Any:
    retries: Any = {"total_max_attempts": attempts, "mode": "standard"}
    config = botocore.config.Config(retries=retries, read_timeout=20, connect_timeout=20)
    return session.client("bedrock-runtime", endpoint_url=world.plain(path), config=config)


def test_a_conversation_is_replayed_and_metered(session: boto3.Session, world: Server, tape: Tape) -> None:
    world.answer = ANSWER

    def converse() -> Any:
        answer = bedrock(session, world).converse(modelId="a.model", messages=MESSAGES)
        return answer["output"]["message"]["content"], answer["usage"]

    with tape.recording() as owner:
        first = converse()
        assert (owner.usage.input_tokens, owner.usage.output_tokens) == (11, 3)
    with tape.replaying() as owner:
        again = converse()
        assert (owner.usage.input_tokens, owner.usage.output_tokens) == (11, 3)

    assert again == first == ([{"text": "hi"}], ANSWER["usage"])
    assert len(world.arrived) == len(tape.interactions) == 1
    assert "planted" not in tape.path.read_text(encoding="utf-8")


def test_a_model_that_is_invoked_gives_the_same_body(session: boto3.Session, world: Server, tape: Tape) -> None:
    def invoke() -> bytes:
        asked = json.dumps({"prompt": "hello", "max_tokens": 9})
        answer = bedrock(session, world).invoke_model(modelId="a.model", body=asked)
        read: bytes = answer["body"].read()
        return read

    with tape.recording():
        first = invoke()
    with tape.replaying():
        again = invoke()

    assert again == first
    assert b'"content": "hi"' in first
    assert len(world.arrived) == 1


@pytest.mark.parametrize("take", [2, 6], ids=["left early", "read to its end"])
def test_a_stream_of_events_is_replayed_and_metered(
    session: boto3.Session, world: Server, tape: Tape, take: int
) -> None:
    world.answer = amazon_events()

    def converse() -> list[Any]:
        answer = bedrock(session, world).converse_stream(modelId="a.model", messages=MESSAGES)
        events = [event for event, _ in zip(answer["stream"], range(take), strict=False)]
        answer["stream"].close()
        return events

    with tape.recording() as owner:
        first = converse()
        recorded = owner.usage.output_tokens
    with tape.replaying() as owner:
        again = converse()
        assert (owner.refusals, owner.usage.output_tokens) == ([], recorded)

    assert again == first
    assert [*first[0]] == ["messageStart"]
    assert len(first) == take
    assert (take < 6) or recorded == 3
    assert len(world.arrived) == 1


def test_its_own_attempts_are_attempts_of_one_call(
    session: boto3.Session, world: Server, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    world.answer = ANSWER
    world.failing = [503, 429]

    def converse() -> Any:
        answer = bedrock(session, world, attempts=4).converse(modelId="a.model", messages=MESSAGES)
        return answer["output"]

    with tape.recording() as owner:
        first = converse()
        assert (owner.usage.calls, owner.usage.attempts) == (1, 3)
    with tape.replaying() as owner:
        assert converse() == first
        assert (owner.usage.calls, owner.usage.attempts) == (1, 3)

    (kept,) = tape.interactions
    assert kept["retried"] == [503, 429]
    assert len(world.arrived) == 3


def test_refusals_come_out_as_they_are_and_are_not_tried_again(
    session: boto3.Session, world: Server, tape: Tape
) -> None:
    client = bedrock(session, world, attempts=4)
    with tape.replaying() as owner:
        with pytest.raises(CassetteMiss):
            client.converse(modelId="a.model", messages=MESSAGES)
        assert len(owner.refusals) == 1
    with tape.recording(calls=0) as owner:
        with pytest.raises(BudgetStopped):
            client.converse_stream(modelId="a.model", messages=MESSAGES)
        assert len(owner.refusals) == 1

    assert world.connections == 0

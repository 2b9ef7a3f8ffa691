"""What every adapter holds of streams: each piece passes at once, is kept as it came, and comes back so.

See `test_adapter_contract`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from adapter_drivers import Ask, Heard, able
from adapter_server import amazon_events, stream_events

from tapemeter.errors import PartialRecording

if TYPE_CHECKING:
    from typing import Any

    from adapter_drivers import Driver
    from adapter_server import Server
    from adapter_tape import Tape


def kept_pieces(tape: Tape) -> list[bytes]:
    """Return the pieces of the only interaction on file."""
    (kept,) = tape.interactions
    pieces: list[dict[str, Any]] = kept["response"]["stream"]
    return [piece["text"].encode() for piece in pieces]


def stream(world: Server, stop_after: int | None = None, timeout: float = 20.0, **options: object) -> Ask:
    return Ask(world.url("/stream", **options), stream=True, stop_after=stop_after, timeout=timeout)


@pytest.mark.parametrize("client", able("pieces"), indirect=True)
def test_the_pieces_of_a_stream_are_those_that_were_sent(client: Driver, world: Server, tape: Tape) -> None:
    with tape.recording():
        first = client.ask(stream(world, events=5))
    with tape.replaying():
        again = client.ask(stream(world, events=5))

    assert first.pieces == again.pieces == kept_pieces(tape) == stream_events(5)
    assert first.header("content-type") == again.header("content-type")
    assert len(world.arrived) == 1


@pytest.mark.parametrize("frame", ["length", "close"])
def test_a_stream_that_comes_in_no_chunks_is_replayed_to_the_byte(
    client: Driver, world: Server, tape: Tape, frame: str
) -> None:
    with tape.recording():
        first = client.ask(stream(world, events=5, frame=frame))
    with tape.replaying():
        again = client.ask(stream(world, events=5, frame=frame))

    assert first.body == again.body == b"".join(kept_pieces(tape)) == b"".join(stream_events(5))


def test_a_stream_that_is_read_as_a_whole_is_the_same(client: Driver, world: Server, tape: Tape) -> None:
    with tape.recording():
        first = client.ask(Ask(world.url("/stream")))
    with tape.replaying():
        again = client.ask(Ask(world.url("/stream")))

    assert first.body == again.body == b"".join(stream_events(3))
    assert kept_pieces(tape) == stream_events(3)


def test_a_compressed_stream_is_replayed_unpacked(client: Driver, world: Server, tape: Tape) -> None:
    ask = Ask(world.url("/gzip", stream=1), stream=True)
    with tape.recording():
        client.ask(ask)
    with tape.replaying():
        again = client.ask(ask)

    assert again.header("content-encoding") is None
    assert again.pieces == kept_pieces(tape) == stream_events(3)


@pytest.mark.parametrize("client", able("pieces"), indirect=True)
def test_a_piece_passes_before_the_next_is_sent(client: Driver, world: Server, tape: Tape) -> None:
    def go_on(count: int) -> None:
        world.go.set()  # the server waits for it after the first piece

    ask = Ask(world.url("/stream", gate=1), stream=True, on_piece=go_on)
    with tape.recording():
        heard = client.ask(ask)

    assert heard.pieces == stream_events(3)


@pytest.mark.parametrize("client", able("pieces"), indirect=True)
def test_a_stream_that_the_caller_leaves_is_kept_as_far_as_it_was_read(
    client: Driver, world: Server, tape: Tape
) -> None:
    with tape.recording() as owner:
        first = client.ask(stream(world, stop_after=1, gate=1))
        assert owner.pending == {}
    with tape.replaying() as owner:
        again = client.ask(stream(world, stop_after=1, gate=1))
        assert owner.refusals == []

    assert first.pieces == again.pieces == kept_pieces(tape) == stream_events(1)
    assert tape.interactions[0]["response"]["ending"] == "abandoned"


@pytest.mark.parametrize("client", able("pieces"), indirect=True)
def test_who_reads_on_where_the_recording_ends_is_told_so(client: Driver, world: Server, tape: Tape) -> None:
    with tape.recording():
        client.ask(stream(world, stop_after=1, gate=1))
    heard = Heard()
    with tape.replaying(), pytest.raises(PartialRecording, match="after 1 chunks"):
        client.ask(stream(world, gate=1), heard)

    assert heard.pieces == stream_events(1)


@pytest.mark.parametrize("client", able("pieces"), indirect=True)
def test_a_stream_that_is_left_after_its_last_event_is_whole(client: Driver, world: Server, tape: Tape) -> None:
    with tape.recording():
        client.ask(stream(world, stop_after=3, events=2, mark=1, end="wait"))
    with tape.replaying():
        again = client.ask(stream(world, events=2, mark=1, end="wait"))

    assert again.pieces == [*stream_events(2), b"data: [DONE]\n\n"]
    assert "ending" not in tape.interactions[0]["response"]


def test_a_connection_that_breaks_in_a_stream_breaks_in_replay(client: Driver, world: Server, tape: Tape) -> None:
    first, again = Heard(), Heard()
    with tape.recording() as owner:
        with pytest.raises(client.breaks) as broke:
            client.ask(stream(world, end="break"), first)
        assert owner.pending == {}
    with tape.replaying(), pytest.raises(client.breaks) as breaks:
        client.ask(stream(world, end="break"), again)

    assert breaks.type is broke.type
    assert first.body == again.body == b"".join(stream_events(3))
    assert tape.interactions[0]["response"]["ending"] == "broken"
    assert len(world.arrived) == 1


@pytest.mark.parametrize("client", able("pieces"), indirect=True)
def test_a_timeout_in_a_stream_strikes_in_replay_without_a_wait(client: Driver, world: Server, tape: Tape) -> None:
    first, again = Heard(), Heard()
    with tape.recording() as owner:
        with pytest.raises(client.timeouts) as struck:
            client.ask(stream(world, timeout=0.25, gate=1), first)
        assert owner.pending == {}
    with tape.replaying(), pytest.raises(client.timeouts) as strikes:
        client.ask(stream(world, timeout=0.25, gate=1), again)

    assert strikes.type is struck.type
    assert first.pieces == again.pieces == kept_pieces(tape) == stream_events(1)
    assert tape.interactions[0]["response"]["ending"] == "timeout"


@pytest.mark.parametrize("client", able("cancel"), indirect=True)
def test_a_stream_that_is_cancelled_is_cancelled_in_replay_at_the_same_place(
    client: Any, world: Server, tape: Tape
) -> None:
    def at_first(heard: Heard) -> bool:
        return len(heard.pieces) == 1

    with tape.recording() as owner:
        first = client.cancelled(stream(world, gate=1), at_first)
        assert owner.pending == {}
    with tape.replaying() as owner:
        again = client.cancelled(stream(world, gate=1), at_first)
        assert owner.refusals == []

    assert first.pieces == again.pieces == kept_pieces(tape) == stream_events(1)
    assert tape.interactions[0]["response"]["ending"] == "cancelled"
    assert len(world.arrived) == 1


@pytest.mark.parametrize("client", able("cancel"), indirect=True)
def test_a_call_that_is_cancelled_before_its_answer_is_settled_and_not_kept(
    client: Any, world: Server, tape: Tape
) -> None:
    with tape.recording() as owner:
        client.cancelled(Ask(world.url("/silent")), lambda _: bool(world.arrived))
        assert (owner.pending, owner.usage.calls) == ({}, 1)
        assert client.ask(Ask(world.url())).status == 200

    assert len(tape.interactions) == 1


def test_event_messages_of_amazon_come_back_to_the_byte_and_are_metered(
    client: Driver, world: Server, tape: Tape
) -> None:
    ask = Ask(world.plain("/model/a.model/converse-stream?do=/events"), stream=True)
    with tape.recording() as owner:
        first = client.ask(ask)
        recorded = owner.usage.input_tokens, owner.usage.output_tokens
    with tape.replaying() as owner:
        again = client.ask(ask)
        replayed = owner.usage.input_tokens, owner.usage.output_tokens

    assert first.body == again.body == b"".join(amazon_events())
    assert "pieces" not in client.can or first.pieces == again.pieces == list(amazon_events())
    assert recorded == replayed == (11, 3)


def test_a_stream_comes_at_the_recorded_pace_if_that_is_wanted(client: Driver, world: Server, tape: Tape) -> None:
    with tape.recording():
        client.ask(stream(world))
    text = tape.path.read_text(encoding="utf-8")
    late = text.replace(text.split("- at: ")[-1].split("\n")[0], "0.05")
    tape.path.write_text(late, encoding="utf-8")
    with tape.replaying(speed=1.0):
        began = time.perf_counter()
        heard = client.ask(stream(world))
        took = time.perf_counter() - began

    assert heard.body == b"".join(stream_events(3))
    assert took >= 0.05

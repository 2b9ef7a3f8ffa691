from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapemeter.cassette import encoding
from tapemeter.cassette.encoding import decode_chunks
from tapemeter.model import Chunk

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = b"".join(b"data: %d\n\n" % number for number in range(2000))


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def brotli(data: bytes) -> bytes:
    compressed: bytes = pytest.importorskip("brotli").compress(data)
    return compressed


def zstd(data: bytes) -> bytes:
    compressed: bytes = pytest.importorskip("zstandard").ZstdCompressor().compress(data)
    return compressed


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": (" X-GZip ", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "brotli": ("br", brotli),
    "zstd": ("zstd", zstd),
    "identity": ("identity", bytes),
}

every_coding = pytest.mark.parametrize(("name", "compress"), CODINGS.values(), ids=CODINGS)


def cut(data: bytes, size: int) -> tuple[Chunk, ...]:
    return tuple(Chunk(at, data[start : start + size]) for at, start in enumerate(range(0, len(data), size)))


def joined(chunks: tuple[Chunk, ...] | None) -> bytes:
    assert chunks is not None
    return b"".join(chunk.data for chunk in chunks)


@every_coding
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_body_is_decoded_in_whatever_pieces_it_came(name: str, compress: Callable[[bytes], bytes], size: int) -> None:
    assert joined(decode_chunks(cut(compress(TEXT), size), name)) == TEXT


@every_coding
def test_a_cut_body_is_decoded_as_far_as_it_goes(name: str, compress: Callable[[bytes], bytes]) -> None:
    sent = compress(TEXT)
    decoded = joined(decode_chunks([Chunk(0.5, sent[: len(sent) // 2])], name))
    assert TEXT.startswith(decoded)
    assert len(decoded) < len(TEXT)


@every_coding
def test_an_empty_body_stays_empty(name: str, compress: Callable[[bytes], bytes]) -> None:
    assert joined(decode_chunks([Chunk(1, compress(b""))], name)) == b""
    assert decode_chunks([Chunk(1, b"")], name) == ()
    assert decode_chunks([], name) == ()


def test_flushed_pieces_keep_their_times() -> None:
    compressor = zlib.compressobj(wbits=31)
    pieces = [compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH) for piece in (b"one", b"two")]
    chunks = [Chunk(0.1, pieces[0]), Chunk(0.2, pieces[1]), Chunk(0.3, compressor.flush())]
    assert decode_chunks(chunks, "gzip") == (Chunk(0.1, b"one"), Chunk(0.2, b"two"))


@pytest.mark.parametrize("compress", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_several_members_are_one_body(compress: Callable[[bytes], bytes]) -> None:
    name = "gzip" if compress is gzip.compress else "zstd"
    members = compress(b"one ") + compress(b"") + compress(b"two")
    for size in (1, len(members)):
        assert joined(decode_chunks(cut(members, size), name)) == b"one two"


def test_codings_are_removed_from_the_last_to_the_first() -> None:
    sent = gzip.compress(zlib.compress(TEXT))
    assert joined(decode_chunks(cut(sent, 50), "deflate, identity, gzip")) == TEXT
    assert decode_chunks(cut(sent, 50), "gzip, deflate") is None


@pytest.mark.parametrize("name", ["", "unknown", "gzip, unknown", "gzip;q=1", "compress"])
def test_an_unknown_coding_leaves_the_body_alone(name: str) -> None:
    assert decode_chunks([Chunk(0, gzip.compress(TEXT))], name) is None


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_not_in_its_coding_is_left_alone(name: str) -> None:
    assert decode_chunks([Chunk(0, b'{"error": "plain after all"}')], name) is None


def test_damage_and_trailing_rubbish_leave_the_body_alone() -> None:
    sent = gzip.compress(TEXT)
    assert decode_chunks([Chunk(0, sent[:-5] + b"\x00" + sent[-4:])], "gzip") is None
    assert decode_chunks([Chunk(0, sent), Chunk(1, b"rubbish")], "gzip") is None


@pytest.mark.parametrize(
    ("name", "compress"),
    [CODINGS["gzip"], CODINGS["zlib"], CODINGS["brotli"], CODINGS["zstd"]],
    ids=["gzip", "zlib", "brotli", "zstd"],
)
def test_a_decompression_bomb_is_left_alone(
    name: str, compress: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = compress(bytes(encoding.MAX_DECODED_BYTES // 16))
    monkeypatch.setattr(encoding, "MAX_DECODED_BYTES", encoding.MAX_DECODED_BYTES // 16)
    assert decode_chunks([Chunk(0, sent)], name) is not None
    assert decode_chunks([Chunk(0, sent), Chunk(1, sent)], name) is None


@settings(deadline=None)
@given(st.lists(st.binary(), max_size=4), st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, deflate"]))
def test_any_bytes_are_decoded_or_left_alone(pieces: list[bytes], name: str) -> None:
    decoded = decode_chunks([Chunk(0, piece) for piece in pieces], name)
    assert decoded is None or all(chunk.data for chunk in decoded)

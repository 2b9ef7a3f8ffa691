"""Removes content codings, so that a cassette can be read and compared.

gzip and deflate always; br and zstd where a library for them is installed. A body that stays as it was sent
is never wrong, only hard to read, so every doubt ends in None.
"""

from __future__ import annotations

import importlib
import zlib
from typing import TYPE_CHECKING, Any, Protocol

from tapemeter.model import Chunk
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_DECODED_BYTES = 256 * 1024 * 1024
"""The largest body that is decoded; more is taken for a decompression bomb."""


class _Decoder(Protocol):
    """Decodes one member of a compressed stream, as `zlib.decompressobj` does."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Coding(Value):
    """One way to decode; `feed` bytes at a time, so that none of them can grow far beyond the bound."""

    decoder: Callable[[], _Decoder]
    feed: int


def decode_chunks(chunks: Sequence[Chunk], coding: str) -> tuple[Chunk, ...] | None:
    """Return the chunks without the codings that `coding`, a Content-Encoding header, names.

    Each chunk becomes what can be decoded once it is there, at its time; one that yields nothing vanishes. A
    body that is cut is decoded as far as it goes. None where a coding is unknown, the body is not in it, or
    would grow beyond MAX_DECODED_BYTES: it is then to be kept as it was sent.
    """
    decoded = tuple(chunk for chunk in chunks if chunk.data)
    for name in reversed([name.strip().lower() for name in coding.split(",")]):
        if name == "identity":
            continue
        results = (_decode(decoded, way) for way in _codings(name))
        found = next((result for result in results if result is not None), None)
        if found is None:
            return None
        decoded = found
    return decoded


def _decode(chunks: Sequence[Chunk], coding: _Coding) -> tuple[Chunk, ...] | None:
    decoder = coding.decoder()
    left = MAX_DECODED_BYTES
    decoded: list[Chunk] = []
    for chunk in chunks:
        pieces: list[bytes] = []
        for start in range(0, len(chunk.data), coding.feed):
            data = chunk.data[start : start + coding.feed]
            while data:
                if decoder.eof:  # a further member follows
                    decoder = coding.decoder()
                try:
                    piece = decoder.decompress(data)
                except Exception:  # noqa: BLE001 - each library has its own error for what it cannot decode
                    return None
                data = decoder.unused_data if decoder.eof else b""
                left -= len(piece)
                if left < 0:
                    return None
                pieces.append(piece)
        if whole := b"".join(pieces):
            decoded.append(Chunk(chunk.at, whole))
    return tuple(decoded)


def _codings(name: str) -> list[_Coding]:
    """Return the ways to try for a coding, none where it is unknown here."""
    match name:
        case "gzip" | "x-gzip":
            return [_Coding(lambda: zlib.decompressobj(wbits=31), feed=16384)]
        case "deflate":  # zlib's form by the standard, bare by some servers
            return [
                _Coding(zlib.decompressobj, feed=16384),
                _Coding(lambda: zlib.decompressobj(wbits=-15), feed=16384),
            ]
        case "br":
            library = _first_importable("brotli", "brotlicffi")
            return [_Coding(lambda: _Brotli(library.Decompressor()), feed=64)] if library else []
        case "zstd":
            return _zstd()
    return []


def _zstd() -> list[_Coding]:
    if library := _first_importable("compression.zstd", "backports.zstd"):
        return [_Coding(library.ZstdDecompressor, feed=1024)]
    if library := _first_importable("zstandard"):
        return [_Coding(lambda: library.ZstdDecompressor().decompressobj(), feed=1024)]
    return []


class _Brotli:
    """A brotli decoder with the face of zlib's; a brotli stream has one member."""

    unused_data = b""

    def __init__(self, decompressor: Any) -> None:
        self._decompressor = decompressor

    @property
    def eof(self) -> bool:
        return False

    def decompress(self, data: bytes) -> bytes:
        decoded: bytes = self._decompressor.process(data)
        return decoded


def _first_importable(*names: str) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None

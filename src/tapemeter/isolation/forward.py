"""Runs outside of the namespace as a program: connects a port inside with the same port of 127.0.0.1 outside.

A socket belongs to the namespace in which it was made. So this process, which never moves, accepts connections at a
listening socket that was made inside and handed to it, and connects to the port outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys

_MOST_CONNECTIONS = 64
"""At a time; those beyond it wait until they are accepted."""

_PIECE = 65536


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_PIECE):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()


async def _connect(inside: socket.socket, port: int, room: asyncio.Semaphore) -> None:
    """Carry one connection both ways until both ends have ended it."""
    writers: list[asyncio.StreamWriter] = []
    try:
        reader, writer = await asyncio.open_connection(sock=inside)
        writers.append(writer)
        with contextlib.suppress(OSError):  # nobody there: the connection inside ends
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(far_writer)
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
    finally:
        for writer in writers:
            writer.close()
        room.release()


async def _serve(listener: socket.socket, port: int) -> None:
    room, tasks = asyncio.Semaphore(_MOST_CONNECTIONS), set()
    while True:
        await room.acquire()
        inside, _ = await asyncio.get_running_loop().sock_accept(listener)
        task = asyncio.create_task(_connect(inside, port, room))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _outlive(parent: int, serving: asyncio.Task[None]) -> None:
    """End when the session does, however it ends."""
    while os.getppid() == parent and not serving.done():  # noqa: ASYNC110 - no event tells of a parent's end
        await asyncio.sleep(0.5)
    serving.cancel()


async def _main(control: int, port: int, parent: int) -> None:
    with socket.socket(fileno=control) as session:
        _, [listening], _, _ = socket.recv_fds(session, 1, 1)
        listener = socket.socket(fileno=listening)
        listener.setblocking(False)
        session.send(b".")
    serving = asyncio.create_task(_serve(listener, port))
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(serving, _outlive(parent, serving))


if __name__ == "__main__":
    asyncio.run(_main(*map(int, sys.argv[1:4])))

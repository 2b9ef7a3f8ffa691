"""What the recording proxy takes for a replayed call, beside a bare ASGI application on the same server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench import samples
from bench.sessions import environment
from bench.timing import row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.timing import Row

_CALLS = 300
_ASK = """
import os, statistics, sys, time
import httpx
from bench import samples
found = []
with httpx.Client(timeout=60) as client:
    for number in range({calls}):
        started = time.perf_counter()
        client.post(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=samples.question(number)).json()
        found.append(time.perf_counter() - started)
open(sys.argv[1], "w").write(str(statistics.median(found)))
"""
_ECHO = """
import os, subprocess, sys, threading, time
import uvicorn
from bench import samples

async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    body = samples.answer(0)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})

server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off", access_log=False))
thread = threading.Thread(target=server.run, daemon=True)
thread.start()
while not server.started:
    time.sleep(0.01)
port = server.servers[0].sockets[0].getsockname()[1]
environment = {**os.environ, "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1"}
subprocess.run([sys.executable, *sys.argv[1:]], env=environment, check=True)
server.should_exit = True
thread.join()
"""


def proxied_calls(folder: Path) -> Iterator[Row]:
    """Measure a POST of some 2 KB from a program of its own, until its answer is there."""
    cassettes = folder / "cassettes" / "jobs"
    cassettes.mkdir(parents=True, exist_ok=True)
    samples.ours(cassettes / "proxy.yaml", _CALLS, "https://api.openai.com/v1/chat/completions")
    (folder / "ask.py").write_text(_ASK.format(calls=_CALLS), encoding="utf-8")
    group = "replayed call through the proxy"
    ask = ("ask.py", "answered.txt")
    echo = _run(folder, "-c", _ECHO, *ask)
    proxy = _run(folder, "-m", "tapemeter", "proxy", "--mode=replay", "--", sys.executable, *ask)
    yield row(group, "floor: bare ASGI application", echo, 3, "ms")
    yield row(group, "tapemeter proxy", proxy, 3, "ms")


def _run(folder: Path, *command: str) -> Callable[[], float]:
    paths = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))

    def work() -> float:
        variables = {**environment(), "PYTHONPATH": paths}
        subprocess.run([sys.executable, *command], cwd=folder, env=variables, check=True, capture_output=True)
        return float((folder / "answered.txt").read_text())

    return work

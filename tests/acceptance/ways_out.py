"""Every way out of a test that can be had here, and a machine of its own for each, which sees whether it got there.

The machine is this one, at its address in the network: what is sent there is routed over loopback by the kernel, so
nothing leaves, but to the programs it is as far away as any other place.
"""

from __future__ import annotations

import json
import selectors
import shutil
import socket
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conftest import Project

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2).close()"

# Each is a function of `host` and `port`; `url` is http://host:port/, and `child` the words of a Python child.
IN_PROCESS = {
    "asyncio": "asyncio.run(asyncio.open_connection(host, port))",
    "_socket": "_socket.socket().connect((host, port))",
    "datagram": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', (host, port))",
    "query": "socket.socket(type=socket.SOCK_DGRAM).sendto(QUERY, (host, port))",
}
CHILDREN = {
    "a child": "subprocess.run(child)",
    "a child with an environment": "subprocess.run(child, env={'LANG': 'C'})",
    "a child that keeps the path": "subprocess.run(child, env={'PYTHONPATH': os.environ.get('PYTHONPATH', '')})",
    "a child of asyncio": "asyncio.run(by_asyncio(child))",
    "a child of a shell": "os.system(shlex.join(child))",
    "a child of posix_spawn": "os.waitpid(os.posix_spawn(child[0], child, os.environ), 0)",
    "a child of fork and exec": "os.waitpid(os.spawnv(os.P_NOWAIT, child[0], child), 0)",
    "a grandchild": "subprocess.run([sys.executable, '-c', f'import subprocess; subprocess.run({child!r}, env={{}})'])",
    "another environment": "subprocess.run([venv_python(), *child[1:]])",
    "multiprocessing fork": "by_multiprocessing('fork', host, port)",
    "multiprocessing spawn": "by_multiprocessing('spawn', host, port)",
    "multiprocessing forkserver": "by_multiprocessing('forkserver', host, port)",
}
PROGRAMS = {
    "curl": "subprocess.run(['curl', '-sS', '--max-time', '2', url])",
    "curl by its path": "subprocess.run([shutil.which('curl'), '-sS', '--max-time', '2', url])",
    "curl in a shell": "subprocess.run(f'true && curl -sS --max-time 2 {url} | cat', shell=True)",
    "curl of os.system": "os.system(f'curl -sS --max-time 2 {url}')",
    "curl of a child": "subprocess.run([sys.executable, '-c', f'import os; os.system(\"curl --max-time 2 {url}\")'])",
    "wget": "subprocess.run(['wget', '-q', '-t', '1', '-T', '2', '-O', '-', url])",
}
OTHERS = {
    "node": "subprocess.run(['node', '-e', f'require(\"net\").connect({port}, \"{host}\").on(\"error\", () => 0)'])",
}
LIBRARIES = {
    "grpc": "grpc.channel_ready_future(grpc.insecure_channel(f'{host}:{port}')).result(timeout=0.5)",
    "grpc.aio": "asyncio.run(by_grpc(f'{host}:{port}'))",
    "curl_cffi": "curl_cffi.get(url, timeout=2)",
    "pycurl": "by_pycurl(url)",
    "pyreqwest": "pyreqwest.simple.sync_request.pyreqwest_get(url).send()",
    "pyreqwest.client": "by_pyreqwest(url)",
    "primp": "primp.get(url, timeout=2)",
    "rnet": "rnet.BlockingClient().get(url)",
    "uvloop": "uvloop.run(asyncio.open_connection(host, port))",
    "uvloop.datagram": "uvloop.run(by_datagram(host, port))",
    "uvloop.child": "uvloop.run(by_asyncio([*child]))",
}
LIBRARY_CHILDREN = {
    "pyreqwest.child": "subprocess.run([sys.executable, '-c', PYREQWEST, url])",
}

MODULE = f"""
import _socket, asyncio, contextlib, importlib, json, multiprocessing, os, shlex, shutil, socket, subprocess, sys, venv
import pytest

CONNECT = {CONNECT!r}
PYREQWEST = "import sys; from pyreqwest.simple.sync_request import pyreqwest_get as get; get(sys.argv[1]).send()"
QUERY = b"\\x12\\x34\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x07example\\x03com\\x00\\x00\\x01\\x00\\x01"

with open("ways.json") as file:
    HOST, WAYS = json.load(file)

async def by_asyncio(words):
    await (await asyncio.create_subprocess_exec(*words)).wait()

def connect(host, port):
    socket.create_connection((host, port), timeout=2).close()

def by_multiprocessing(method, host, port):
    process = multiprocessing.get_context(method).Process(target=connect, args=(host, port))
    process.start()
    process.join()

def venv_python():
    venv.create("env", symlinks=True)
    return os.path.abspath("env/bin/python")

async def by_grpc(target):
    import grpc.aio
    async with grpc.aio.insecure_channel(target) as channel:
        await asyncio.wait_for(channel.channel_ready(), 0.5)

def by_pycurl(url):
    import pycurl
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.TIMEOUT, 2)
    curl.perform()

def by_pyreqwest(url):
    from pyreqwest.client import SyncClientBuilder
    with SyncClientBuilder().build() as client:
        client.get(url).build().send()

async def by_datagram(host, port):
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(host, port))
    transport.sendto(b"x")
    await asyncio.sleep(0.05)

@pytest.mark.parametrize("way", WAYS)
def test_way(way):
    code, port, library = WAYS[way]
    names = dict(globals(), host=HOST, port=port, url=f"http://{{HOST}}:{{port}}/")
    names["child"] = [sys.executable, "-c", CONNECT, HOST, str(port)]
    if library:
        names[library] = importlib.import_module(library)
        with contextlib.suppress(ImportError):
            importlib.import_module(library + ".simple.sync_request")
    try:
        eval(code, names)
    except Exception as error:
        print("ENDED", way, type(error).__name__)
"""


def available(*groups: dict[str, str]) -> dict[str, str]:
    """Return the ways for which the program or library is there."""
    ways = {way: code for group in groups for way, code in group.items()}
    return {way: code for way, code in ways.items() if _needs(way) is None or _is_there(_needs(way) or "")}


def _needs(way: str) -> str | None:
    word = way.partition(" ")[0]
    if word in {"curl", "wget", "node"}:
        return word
    return word.partition(".")[0] if way in LIBRARIES or way in LIBRARY_CHILDREN else None


def _is_there(name: str) -> bool:
    return shutil.which(name) is not None or find_spec(name) is not None


class Outside:
    """A listener for each way, for streams and for datagrams, at an address that is not loopback."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._selector = selectors.DefaultSelector()
        self._reached: set[str] = set()
        self._ways: dict[str, tuple[str, int, str | None]] = {}
        self._stop, self._wake = socket.socketpair()
        self._selector.register(self._stop, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def write(self, project: Project, ways: dict[str, str]) -> None:
        """Put the tests into a project that try each of the ways."""
        for way, code in ways.items():
            stream = socket.create_server((self.host, 0))
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            datagrams.bind((self.host, stream.getsockname()[1]))
            library = _needs(way) if way in LIBRARIES else None
            self._ways[way] = (code, stream.getsockname()[1], library)
            for sock in (stream, datagrams):
                self._selector.register(sock, selectors.EVENT_READ, way)
        self._thread.start()
        project.write("ways.json", json.dumps([self.host, self._ways]))
        project.write("test_ways.py", MODULE)

    def reached(self) -> set[str]:
        """Return the ways that led here."""
        self._wake.send(b".")
        self._thread.join()
        return self._reached

    def _listen(self) -> None:
        stopped = False
        while not stopped:
            for key, _ in self._selector.select():
                if key.data is None:  # what came before it is ready in the same round, or was
                    stopped = True
                    continue
                self._reached.add(key.data)
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj.type == socket.SOCK_STREAM:
                    key.fileobj.accept()[0].close()
                else:
                    key.fileobj.recv(4096)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._wake.send(b".")
            self._thread.join()
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._wake.close()
        self._selector.close()


def own_address() -> str:
    """Return an address of this machine that is not loopback; skip the test where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("198.51.100.1", 9))  # which sends nothing
        except OSError:
            pytest.skip("this machine has no network, so there is no address but loopback to escape to")
        host: str = sock.getsockname()[0]
    return host


def ended(lines: Iterable[str]) -> dict[str, str]:
    """Return with which error each way ended, as the tests print it."""
    found = [line.removeprefix("ENDED ").rpartition(" ") for line in lines if line.startswith("ENDED ")]
    return {way: error for way, _, error in found}

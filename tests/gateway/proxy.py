"""The LiteLLM proxy in a child process on loopback, for as long as a `with` block lasts.

It runs in the interpreter of the tests, which `tox run -e gateway` gives what it needs. What it writes goes to a file;
the tests show its end where one of them fails.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

MASTER_KEY = "sk-a-key-for-the-proxy-on-loopback"
DEPLOY = Path(__file__).resolve().parents[2] / "docs" / "deploy"
CONFIG = DEPLOY / "litellm-config.yaml"

START_SECONDS = 120.0
STOP_SECONDS = 10.0
_BETWEEN_LOOKS = 0.1
_PACKAGES = {"litellm": "litellm[proxy]", "fastapi": "litellm[proxy]", "check_jsonschema": "check-jsonschema"}


def why_unavailable() -> str | None:
    """Return what this interpreter lacks, as a reason to skip a test; None if it lacks nothing."""
    missing = sorted({package for name, package in _PACKAGES.items() if importlib.util.find_spec(name) is None})
    return f"there is no {' and no '.join(missing)} here; tox run -e gateway has both" if missing else None


class ProxyError(RuntimeError):
    """The proxy did not start; the message has the end of what it wrote."""


class Proxy:
    """One proxy. It keeps its port when it is started again.

    `environment` is all that it sees of the tests' own environment, but for what a program needs to run at all.
    """

    running: ClassVar[list[Proxy]] = []

    def __init__(self, config: Path, environment: Mapping[str, str], log: Path) -> None:
        self.port = _free_port()
        self.seconds_to_start = 0.0
        self._config, self._log = config, log
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(log.parent), **environment}
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it says that it is alive."""
        program = Path(sys.executable).with_name("litellm")
        command = [program, "--config", self._config, "--host", "127.0.0.1", "--port", str(self.port)]
        began = time.monotonic()
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                command, env=self._environment, cwd=self._log.parent, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        Proxy.running.append(self)
        while not self.is_alive():
            if time.monotonic() - began > START_SECONDS:
                self.kill()
                raise ProxyError(f"the proxy was not there after {START_SECONDS:.0f} s:\n{self.log_tail()}")
            # Waiting for its end is the pause, so that a proxy that does not start is noticed at once.
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._child.wait(_BETWEEN_LOOKS)
                Proxy.running.remove(self)
                raise ProxyError(f"the proxy ended with {status} instead of starting:\n{self.log_tail()}")
        self.seconds_to_start = time.monotonic() - began

    @property
    def is_running(self) -> bool:
        return self._child is not None

    def is_alive(self) -> bool:
        """Ask it once."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=STOP_SECONDS)
        try:
            connection.request("GET", "/health/liveliness")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """End it at once, as a crash would; its port is closed afterwards."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order. Does nothing if it is not running."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        Proxy.running.remove(self)
        child.send_signal(how)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def log_tail(self) -> str:
        """Return the end of what it wrote, without its coloured greetings."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([line for line in lines if line.strip() and not line.startswith("\x1b")][-60:])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def environment(*, openai: str = "", anthropic: str = "", key: str = "loopback-key") -> dict[str, str]:
    """Return what the shipped files ask of the environment, with providers at these addresses."""
    return {
        "LITELLM_MASTER_KEY": MASTER_KEY,
        "OPENAI_API_KEY": key,
        "OPENAI_API_BASE": openai,
        "ANTHROPIC_API_KEY": key,
        "ANTHROPIC_API_BASE": anthropic,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }


def with_groups(path: Path, groups: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write the shipped configuration, with more groups than it has, and return where."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["model_list"] += [{"model_name": name, "litellm_params": dict(given)} for name, given in groups.items()]
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port

"""Says whether model calls would work, without making one, or with the smallest there is.

    core    this Python, the package, its schemas, the configuration, the folder of the evidence
    llm     core, and the provider or gateway that is configured is there and takes the key
    full    llm, and the default group answers a request for one token, which costs what that costs

Every profile has the same checks; those that do not belong to it, or to the provider in use, are skipped. A check
never raises and shows no key. All of them together take no longer than a timeout, whatever a server does.
"""

from __future__ import annotations

import os
import sys
import threading
from contextvars import copy_context
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from tapemeter.client.config import ProviderConfig, ProviderKind, Retries, Timeouts
from tapemeter.client.hiding import Hiding
from tapemeter.client.load import load
from tapemeter.errors import Refusal
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tapemeter.client.config import Endpoint

TIMEOUT = 5.0
"""Seconds for all checks together."""
REPORT_DIR = Path(".tapemeter")
_OLDEST_PYTHON = (3, 11)
_LONGEST = 500
"""Characters of a detail."""


class Profile(StrEnum):
    """How much is checked."""

    CORE = "core"
    LLM = "llm"
    FULL = "full"


class Status(StrEnum):
    """What a check found."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Check(Value):
    """One thing that was looked at: what was found, or why it was not looked at, in a sentence; and for how long."""

    name: str
    status: Status
    detail: str
    seconds: float = 0.0


class Readiness(Value):
    """What all checks of a profile found; `ok` where none failed."""

    profile: Profile
    ok: bool
    checks: tuple[Check, ...]

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        checks = [
            {"name": each.name, "status": each.status.value, "detail": each.detail, "seconds": round(each.seconds, 3)}
            for each in self.checks
        ]
        return {"profile": self.profile.value, "ok": self.ok, "checks": checks}


def check(
    profile: Profile | str,
    config: ProviderConfig | Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
    report_dir: Path = REPORT_DIR,
    timeout: float = TIMEOUT,
) -> Readiness:
    """Return whether model calls would work; ValueError for an unknown profile, and no other error.

    `config` is a configuration, or the config file; without one, what `load` finds from `environ` (that of the process
    by default) and `root` (the current folder). `report_dir` may be relative to `root`.
    """
    wanted, deadline = Profile(profile), monotonic() + timeout
    checks = _Checks(wanted, config, os.environ if environ is None else environ, root or Path(), deadline)
    table = checks.table(report_dir)
    found: list[Check] = []

    def collect() -> None:
        found.extend(checks.made(name, look) for name, look in table.items())

    # A name that does not resolve, or a completion, may take longer than any timeout of a socket.
    thread = threading.Thread(target=copy_context().run, args=(collect,), name="tapemeter-readiness", daemon=True)
    thread.start()
    thread.join(timeout)
    done = list(found)
    if thread.is_alive():
        late = f"no result within {timeout:g} s"
        done += [Check(name, Status.FAILED, late, timeout) for name in list(table)[len(done) :]]
    return Readiness(wanted, all(each.status is not Status.FAILED for each in done), tuple(done))


async def acheck(
    profile: Profile | str,
    config: ProviderConfig | Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
    report_dir: Path = REPORT_DIR,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - it bounds the checks, and leaves what was found by then
) -> Readiness:
    """Return what `check` does, without holding up the event loop."""
    from anyio import to_thread  # noqa: PLC0415 - comes with httpx

    look = partial(check, Profile(profile), config, environ=environ, root=root, report_dir=report_dir, timeout=timeout)
    return await to_thread.run_sync(look)


class _NotAskedError(Exception):
    """A check does not belong to the profile, or to the provider in use; the message says why."""


class _Checks:
    """The checks, each a function that returns what it found, or raises what it found wrong."""

    def __init__(
        self,
        profile: Profile,
        config: ProviderConfig | Path | None,
        environ: Mapping[str, str],
        root: Path,
        deadline: float,
    ) -> None:
        self._profile, self._given, self._environ = profile, config, environ
        self._root, self._deadline = root, deadline
        self._hiding = Hiding(environ)
        self._config: ProviderConfig | None = None
        self._failed: set[str] = set()

    def table(self, report_dir: Path) -> dict[str, Callable[[], str]]:
        """Return all checks, in order."""
        return {
            "python": _python,
            "package": _package,
            "schemas": _schemas,
            "config": self._read,
            "evidence": partial(_writable, self._root / report_dir),
            "provider": self._provider,
            "gateway": self._gateway,
            "completion": self._completion,
        }

    def made(self, name: str, look: Callable[[], str]) -> Check:
        """Make one check."""
        began = monotonic()
        try:
            status, detail = Status.OK, look()
        except _NotAskedError as reason:
            status, detail = Status.SKIPPED, str(reason)
        except (Exception, Refusal) as error:  # noqa: BLE001 - whatever is wrong is what was to be found
            self._failed.add(name)
            status, detail = Status.FAILED, str(error) or type(error).__name__
        return Check(name, status, self._quiet(detail), monotonic() - began)

    def _quiet(self, detail: str) -> str:
        """Return a detail without keys: some servers repeat what they were sent."""
        for server in _all_servers(self._config):
            if server.api_key:
                detail = detail.replace(server.api_key.reveal(), str(server.api_key))
        return self._hiding.text(detail)[:_LONGEST]

    def _read(self) -> str:
        if isinstance(self._given, ProviderConfig):
            self._config = self._given
        else:
            self._config = load(self._environ, config=self._given, root=self._root)
        config = self._config
        source = "no config file" if config.source is None else config.source.name
        mode = "" if config.mode is None else f", LLM_MODE={config.mode}"
        return f"provider {config.provider}, {source}{mode}"

    def _provider(self) -> str:
        config = self._asked(ProviderKind.REAL)
        from tapemeter.client import probes  # noqa: PLC0415 - only where something is asked

        said = [probes.provider(server, models, self._deadline) for server, models in _servers(config).items()]
        return "; ".join(said)

    def _gateway(self) -> str:
        config = self._asked(ProviderKind.GATEWAY)
        from tapemeter.client import probes  # noqa: PLC0415 - see above

        if config.gateway is None:
            raise probes.ProbeError("there is no address of a gateway; set LLM_GATEWAY_URL")
        return probes.gateway(config.gateway, [group.model for group in config.groups.values()], self._deadline)

    def _completion(self) -> str:
        if self._profile is not Profile.FULL:
            raise _NotAskedError("only in the profile full")
        config = self._asked(None)
        if self._failed & {"provider", "gateway"}:
            raise _NotAskedError("the server does not answer")
        from tapemeter.client.aliases import AliasRegistry  # noqa: PLC0415 - see above
        from tapemeter.client.request import ModelRequest, messages_from  # noqa: PLC0415
        from tapemeter.client.ways import Ways  # noqa: PLC0415

        left = max(self._deadline - monotonic(), 0.01)
        once = replace(config, timeouts=Timeouts(left, left, left, left), retries=Retries(attempts=1))
        group = AliasRegistry.from_config(once).resolve(None)
        ways = Ways(once)
        try:
            request = ModelRequest(group.model, messages_from("ping"), max_output_tokens=1)
            answer = ways.provider(group.endpoint).complete(request)
        finally:
            ways.close()
        return f"{answer.model_name or group.model} answers, for {answer.usage.total} tokens"

    def _asked(self, kind: ProviderKind | None) -> ProviderConfig:
        """Return the configuration, where a server of that kind is to be asked."""
        if self._profile is Profile.CORE:
            raise _NotAskedError("not in the profile core")
        if self._config is None:
            raise _NotAskedError("the configuration cannot be read")
        if self._config.provider is ProviderKind.ECHO:
            raise _NotAskedError("the provider echo answers by itself")
        if kind not in {None, self._config.provider}:
            raise _NotAskedError(f"calls go to the provider {self._config.provider}")
        if self._config.mode == "replay":
            raise _NotAskedError("LLM_MODE=replay sends nothing")
        return self._config


def _servers(config: ProviderConfig) -> dict[Endpoint, list[str]]:
    """Return every server that serves a group, with the models that it is asked for."""
    found: dict[Endpoint, list[str]] = {} if config.endpoint is None else {config.endpoint: []}
    for group in config.groups.values():
        server = group.endpoint or config.endpoint
        if server is not None:
            found.setdefault(server, []).append(group.model)
    return found


def _all_servers(config: ProviderConfig | None) -> list[Endpoint]:
    if config is None:
        return []
    return [server for server in (*_servers(config), config.gateway) if server is not None]


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        raise RuntimeError(f"{version}; 3.11 or newer is needed")
    return version


def _package() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - reads files

    return f"pytest-tapemeter {version('pytest-tapemeter')}"


def _schemas() -> str:
    from tapemeter import schemas  # noqa: PLC0415 - as all that is checked

    names = (schemas.BUDGET_POLICY, schemas.CONFIG, schemas.PRICES, schemas.USAGE_EVENT, schemas.USAGE_REPORT)
    for name in names:
        schemas.valid({}, name)
    return f"{len(names)} schemas"


def _writable(folder: Path) -> str:
    """Write a file without a name into the folder, or into that in which it would be made."""
    import tempfile  # noqa: PLC0415 - see above

    there = next((each for each in (folder, *folder.absolute().parents) if each.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"ready")
    except OSError as error:
        raise OSError(f"{there} cannot be written to: {error.strerror or error}") from None
    return f"{folder} can be written to"

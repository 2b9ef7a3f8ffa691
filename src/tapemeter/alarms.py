"""Tells people at once that a budget comes near its limit, or has stopped a job: by webhook, by command, by function.

A thread of its own delivers, so that no call waits for it; what is still to be delivered at the end of the run has a
few seconds more. An alarm that cannot be delivered is told at the end of the run, and ends nothing. Replay spends
nothing, so it raises none.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shlex
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tapemeter.errors import UsageError
from tapemeter.values import Value, asdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

PATIENCE = 5.0
"""Seconds that a webhook or command has, and that the end of a run waits for the last of them."""

_KINDS = {"warning": "comes near", "stop": "stopped by"}
_ENVIRONMENT = "env:"


class Alarm(Value):
    """What happened, as a webhook gets it in JSON: `kind` is `warning` or `stop`.

    `limit` and `used` are in the unit of the dimension: text for US dollars. `sentence` says it all in one.
    """

    kind: str
    run_id: str
    job: str
    scope: str
    dimension: str
    limit: Any
    used: Any
    source: str
    sentence: str

    @classmethod
    def of(cls, kind: str, run_id: str, fields: Mapping[str, Any]) -> Alarm:
        """Return the alarm that an event of a kind is."""
        shown = {name: fields[name] for name in ("job", "scope", "dimension", "limit", "used", "source")}
        sentence = fields.get("sentence") or (
            f"{shown['scope']} budget comes near its limit: {shown['dimension']} {shown['used']} of {shown['limit']}, "
            f"from {shown['source']}, in {shown['job']}"
        )
        return cls(kind=kind, run_id=run_id, sentence=sentence, **shown)

    @property
    def key(self) -> str:
        """What is the same for two alarms about the same."""
        who = "" if self.scope == "run" else self.job
        return hashlib.sha256(json.dumps([self.kind, self.scope, self.dimension, who]).encode()).hexdigest()


class Receiver(Value):
    """Who is told. `name` is how messages call it, without what may be secret in it."""

    name: str
    tell: Callable[[Alarm], None]


def receiver(given: str, environ: Mapping[str, str] = os.environ) -> Receiver:
    """Return the receiver that a line of the setting `llm_on_alarm` names: a URL, `env:NAME`, or a command.

    UsageError where it cannot be one.
    """
    text = given.strip()
    if text.startswith(_ENVIRONMENT):
        name = text.removeprefix(_ENVIRONMENT)
        text = environ.get(name, "").strip()
        if not text:
            raise UsageError(f"llm_on_alarm names the environment variable {name}, which is not set")
    if "://" in text.partition(" ")[0]:
        return _webhook(text)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"llm_on_alarm is no command that can be read: {error}") from None
    if not words:
        raise UsageError("llm_on_alarm is empty; write a URL, env:NAME, or a command")
    return Receiver(f"command {words[0]}", lambda alarm: _run(words, alarm))


class Alarms:
    """The alarms of one run in one process. Safe for threads.

    `passing` is a context in which the network guard lets a receiver's traffic through; `shared` is the folder that
    the processes of a run share, so that what concerns the run is told once; `more` gives further receivers, when the
    first alarm is raised.
    """

    def __init__(
        self,
        receivers: Iterable[Receiver],
        *,
        run_id: str,
        shared: Path | None = None,
        more: Callable[[], Iterable[Receiver]] = tuple,
        passing: Callable[[], AbstractContextManager[None]] | None = None,
    ) -> None:
        self._receivers, self._more = [*receivers], more
        self._run_id, self._shared, self._passing = run_id, shared, passing
        self._waiting: queue.Queue[Alarm | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.problems: list[str] = []
        """What could not be delivered, a sentence each."""

    def note(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Raise the alarm that an event calls for, if it calls for one."""
        if kind not in _KINDS or fields.get("replayed"):
            return
        alarm = Alarm.of(kind, self._run_id, fields)
        with self._lock:
            self._receivers += self._more()
            self._more = tuple
            if not self._receivers or not self._is_first(alarm):
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._deliver, name="tapemeter-alarms", daemon=True)
                _start_unowned(self._thread)
        self._waiting.put(alarm)

    def close(self) -> list[str]:
        """Wait for the last to be delivered, but not for long; return what could not be."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join(PATIENCE)
            if thread.is_alive():
                self.problems.append(f"an alarm was still under way after {PATIENCE:.0f} s")
        return self.problems

    def _is_first(self, alarm: Alarm) -> bool:
        if self._shared is None or alarm.scope != "run":
            return True
        try:
            (self._shared / f"alarm-{alarm.key}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _deliver(self) -> None:
        while (alarm := self._waiting.get()) is not None:
            for each in self._receivers:
                try:
                    if self._passing is None:
                        each.tell(alarm)
                    else:
                        with self._passing():
                            each.tell(alarm)
                except Exception as error:  # noqa: BLE001 - whatever a receiver does, the next one is told
                    self.problems.append(
                        f"alarm for {alarm.scope}.{alarm.dimension} not delivered: {each.name}: {error}"
                    )


def _start_unowned(thread: threading.Thread) -> None:
    """Start a thread that belongs to no test, whoever happens to raise the first alarm."""
    from tapemeter import owner as owners  # noqa: PLC0415 - only a run that raises an alarm

    before = owners.bind(None)
    try:
        thread.start()
    finally:
        owners.bind(before)


def _webhook(url: str) -> Receiver:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError("llm_on_alarm: expected a URL with http or https and a host")
    return Receiver(f"webhook at {parts.hostname}", lambda alarm: _post(url, alarm))


def _post(url: str, alarm: Alarm) -> None:
    from urllib.error import HTTPError, URLError  # noqa: PLC0415 - only a run that raises an alarm
    from urllib.request import Request, urlopen  # noqa: PLC0415

    body = json.dumps(asdict(alarm), ensure_ascii=False).encode()
    request = Request(url, body, {"content-type": "application/json"}, method="POST")  # noqa: S310 - http or https
    try:
        with urlopen(request, timeout=PATIENCE):  # noqa: S310
            pass
    except HTTPError as error:
        with error:
            raise RuntimeError(f"it answered HTTP {error.code}") from None
    except URLError as error:  # its text may hold the URL, and that a secret
        raise RuntimeError(f"it cannot be reached: {type(error.reason).__name__}") from None


def _run(words: list[str], alarm: Alarm) -> None:
    import subprocess  # noqa: PLC0415 - the project's own command, from its own settings

    body = json.dumps(asdict(alarm), ensure_ascii=False)
    done = subprocess.run(  # noqa: S603 - no shell, and nothing of the alarm is an argument
        words, input=body, text=True, capture_output=True, timeout=PATIENCE, check=False
    )
    if done.returncode:
        raise RuntimeError(f"it ended with exit code {done.returncode}: {done.stderr.strip()[-200:]}")

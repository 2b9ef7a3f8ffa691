"""The folder through which Python child processes come under the guard, and the refusals that they report in it.

The folder of a session holds one more for each list of hosts that was in force, with two files: `sitecustomize.py`,
which Python runs at start since the folder leads PYTHONPATH, and `guard.json`, which says what is allowed. A child that
keeps PYTHONPATH, and nothing else of the environment, is guarded all the same.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapemeter.network import AllowList, endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.errors import NetworkBlockedError

FACTS = "guard.json"
REFUSED = "refused.jsonl"
_START = "child_start.py"
_STARTED_AS = "sitecustomize.py"
_MOST_BYTES = 1 << 20
"""How much children may report; a loop that is refused in a child does not fill the disk."""


class Folder:
    """The folder of one session in one process."""

    def __init__(self) -> None:
        from tempfile import mkdtemp  # noqa: PLC0415 - a child, which has no folder of its own, is spared it

        self.path = Path(mkdtemp(prefix="tapemeter-guard-"))
        self._process = os.getpid()
        self._entries: dict[str, str] = {}

    def entry(self, allowed: AllowList) -> str:
        """Return the folder that is to lead PYTHONPATH while `allowed` is in force; made when first asked for."""
        key = allowed.describe()
        entry = self._entries.get(key)
        # Looked at each time: where something has swept it away, children would start without a guard.
        if entry is None or not os.path.exists(f"{entry}/{_STARTED_AS}"):  # noqa: PTH110 - for each child
            folder = self.path / (str(len(self._entries)) if entry is None else Path(entry).name)
            folder.mkdir(parents=True, exist_ok=True)
            package = Path(__file__).parent.parent
            facts = {"package": str(package), "allowed": _written(allowed)}
            (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")
            (folder / _STARTED_AS).write_bytes((package / "isolation" / _START).read_bytes())
            self._entries[key] = entry = str(folder)
        return entry

    def note(self, error: NetworkBlockedError) -> None:
        """Note a refusal of a forked child, as one that was started anew does by itself."""
        note(self.path / REFUSED, error)

    def refusals(self) -> list[tuple[str, str]]:
        """Return who was refused what in child processes: (test, host and port). What cannot be read is left out."""
        return list(_read(self.path / REFUSED))

    def remove(self) -> None:
        """Remove the folder; a fork of the session leaves it to the session."""
        if os.getpid() == self._process:
            from shutil import rmtree  # noqa: PLC0415 - see above

            rmtree(self.path, ignore_errors=True)


def read_facts(folder: Path) -> tuple[Path, AllowList]:
    """Return where the package lies and what is allowed, as a folder of ours says it."""
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    layers = [
        (AllowList.default() if layer["local"] else AllowList.matching(layer["patterns"])).plus(layer["hosts"])
        for layer in facts["allowed"]
    ]
    return Path(facts["package"]), reduce(AllowList.intersect, layers)


def note(path: Path, error: NetworkBlockedError) -> None:
    """Append a refusal to the file of a session; one line, whole, beside those of other processes."""
    line = json.dumps({"test": error.test, "host": error.host[:300], "port": error.port}).encode() + b"\n"
    with suppress(OSError):  # the session may have ended, and its folder be gone
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size < _MOST_BYTES:
                os.write(file, line)
        finally:
            os.close(file)


def led(python_path: str | None, folder: str, entry: str | None) -> str | None:
    """Return a PYTHONPATH led by `entry` and by no other folder below `folder`; None where nothing is left of it."""
    others = [] if not python_path else python_path.split(os.pathsep)
    kept = [path for path in others if not (path == folder or path.startswith(folder + os.sep))]
    return os.pathsep.join(kept if entry is None else [entry, *kept]) or None


def _written(allowed: AllowList) -> list[dict[str, Any]]:
    return [
        {"local": layer.local, "hosts": [str(rule) for rule in layer.rules], "patterns": layer.patterns}
        for layer in allowed.layers
    ]


def _read(path: Path) -> Iterator[tuple[str, str]]:
    if not path.exists():
        return
    for line in filter(None, path.read_bytes()[: 2 * _MOST_BYTES].splitlines()):
        try:
            said = json.loads(line)
            test, host, port = said["test"], said["host"], said["port"]
        except (ValueError, TypeError, KeyError):
            continue
        if isinstance(host, str) and (port is None or isinstance(port, int)):
            yield str(test or "a child process"), endpoint(host, port)

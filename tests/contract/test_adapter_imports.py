"""A client library that nobody imports costs nothing, and one that is imported late is hooked all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from adapter_drivers import DRIVERS, Ask

if TYPE_CHECKING:
    from adapter_server import Server
    from adapter_tape import Tape

HERE = Path(__file__).parent

CHILD = """
import importlib, json, sys
from pathlib import Path

import tapemeter.session
from adapter_tape import Tape

folder, url = sys.argv[1:]
before = {*sys.modules}
with Tape(Path(folder)).replaying():
    print(json.dumps(sorted({*sys.modules} - before)))
    for path in sorted(Path.cwd().glob("adapter_drivers_*.py")):
        importlib.import_module(path.stem)
    from adapter_drivers import DRIVERS, Ask

    for name in sorted(DRIVERS):
        with DRIVERS[name]() as client:
            print(client.ask(Ask(url, body=name.encode())).body.decode())
"""


def test_a_session_imports_no_client_and_hooks_what_is_imported_later(world: Server, tape: Tape) -> None:
    with tape.recording(), ExitStack() as closing:
        clients = [closing.enter_context(DRIVERS[name]()) for name in sorted(DRIVERS)]
        first = [client.ask(Ask(world.url(), body=client.name.encode())).body for client in clients]

    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tape.folder), world.url()],
        cwd=HERE,
        env={"PYTHONPATH": f"{HERE}:{HERE.parents[1] / 'src'}"},
        capture_output=True,
        text=True,
        check=False,
    )

    imported, *answers = done.stdout.splitlines()
    assert (list(map(json.loads, answers)), done.stderr) == (list(map(json.loads, first)), "")
    assert len(world.arrived) == len(DRIVERS)
    clients_modules = {module for kind in DRIVERS.values() for module in kind.modules}
    assert clients_modules.isdisjoint(json.loads(imported))

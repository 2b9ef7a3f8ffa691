"""The guard of a child process: what was allowed when it was started holds in it, whatever else it puts in force.

`child_start` imports this once, in a copy that nothing else in the child sees. The guard of sockets and the watch over
imports are loaded by their paths: their package would import all of interception, and the child pays for each
millisecond at its start.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tapemeter.isolation import children, processes
from tapemeter.isolation.judge import Judge, Standing

if TYPE_CHECKING:
    from tapemeter.errors import NetworkBlockedError

_CURRENT_TEST = "PYTEST_CURRENT_TEST"


def start(folder: str) -> None:
    """Put the guard up that `folder`, the one that leads PYTHONPATH, describes."""
    package, allowed = children.read_facts(Path(folder))
    intercept = package / "intercept"
    guard, imports = _load("guard", intercept), _load("imports", intercept)
    test = _test(os.environ.get(_CURRENT_TEST))

    def policy(kind: Any, host: str, port: int | None, /) -> None:
        if not (allowed.allows_socket(host) if kind == "unix" else allowed.allows(host, port)):
            raise guard.blocked(kind, host, port, test, allowed)

    told = partial(_tell, Path(folder).parent / children.REFUSED)
    guard.network()  # while it is to be found
    guard.push(policy, names=allowed.names, on_refusal=told)
    judge = Judge(standing=lambda: Standing(allowed, test), ask=guard.ask, refused=told)
    processes.install(judge, imports.ImportWatch, folder=folder, entry=lambda: folder)


def _load(name: str, folder: Path) -> Any:
    spec = spec_from_file_location(f"_tapemeter_child_{name}", folder / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder / name}.py is not there")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _test(current: str | None) -> str:
    """Return who asks: the child of a test, as pytest names the test in the environment."""
    test = "" if current is None else current.rpartition(" (")[0] or current
    return f"{test}, in a child process" if test else "a child process"


def _tell(path: Path, error: NetworkBlockedError) -> NoReturn:
    """Note a refusal for the session, and raise it as the error that the child's own tapemeter knows, if it has one."""
    children.note(path, error)
    raise _known_here(error) from None


def _known_here(error: NetworkBlockedError) -> OSError:
    kept = sys.modules.get("tapemeter.errors")
    if kept is None:
        try:
            from tapemeter import errors as kept  # noqa: PLC0415 - the child's own, which it may be about to import
        except ImportError:
            return error
    kind = getattr(kept, "NetworkBlockedError", type(error))
    known: OSError = kind(str(error), host=error.host, port=error.port, test=error.test)
    return known

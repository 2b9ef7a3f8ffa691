# ruff: noqa: PTH100, PTH118, PTH120, PTH123, UP031 - any Python must be able to read this
"""Runs at the start of a Python child process, under the name `sitecustomize`: puts the guard up, or ends the child.

It is copied, with `guard.json` beside it, into a folder that leads PYTHONPATH. It gives way to the `sitecustomize` that
would have run without it, and leaves no module of tapemeter behind: the child may have one of its own.
"""

import os
import sys


def _guard(here):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - see the first line
    import importlib.util  # noqa: PLC0415 - in older versions, that fails
    import json  # noqa: PLC0415

    with open(os.path.join(here, "guard.json")) as file:
        package = json.load(file)["package"]
    there = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "tapemeter"}
    where = os.path.join(package, "__init__.py")
    spec = importlib.util.spec_from_file_location("tapemeter", where, submodule_search_locations=[package])
    sys.modules["tapemeter"] = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(sys.modules["tapemeter"])  # type: ignore[union-attr]
    from tapemeter.isolation import inherited  # noqa: PLC0415 - found where the session found it

    inherited.start(here)
    for name in [name for name in sys.modules if name.split(".")[0] == "tapemeter"]:
        del sys.modules[name]
    sys.modules.update(there)


def _give_way():  # type: ignore[no-untyped-def] # noqa: ANN202 - see the first line
    """Run the next `sitecustomize` on the path, if there is one, under its own name."""
    from importlib.machinery import PathFinder  # noqa: PLC0415
    from importlib.util import module_from_spec  # noqa: PLC0415

    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        sys.modules["sitecustomize"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


if __name__ == "sitecustomize":
    _here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _here]
    try:
        _guard(_here)  # type: ignore[no-untyped-call]
    except BaseException as error:  # noqa: BLE001 - whatever it is, the child would run without a guard
        sys.stderr.write(
            "tapemeter: %s, Python %s, does not start: the network guard of the tests that started it cannot be put up "
            "(%s: %s). It needs Python 3.11 or later; with --llm-network-guard=namespace every program is held.\n"
            % (sys.executable, sys.version.split()[0], type(error).__name__, error)
        )
        sys.stderr.flush()
        os._exit(1)
    _give_way()  # type: ignore[no-untyped-call]

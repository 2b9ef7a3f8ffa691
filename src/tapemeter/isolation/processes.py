"""The process guard: whatever this process starts is guarded as well, or refused, if its name is known.

Python children come under the guard through PYTHONPATH. It is set in `os.environ`, for all who inherit that, and put
into every environment that is given to `subprocess.Popen`. Programs that are known to use the network, and native
client libraries, are asked where to before they go.
"""

from __future__ import annotations

import os
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from tapemeter.errors import NetworkBlockedError
from tapemeter.isolation import native, programs
from tapemeter.isolation.children import led

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from tapemeter.isolation.judge import Judge

_PATH = "PYTHONPATH"
_ENV_PLACE = 10
"""Where `env` stands among the arguments of Popen after `self`; nobody gives it there, but everybody may."""


class ProcessGuard:
    """The guard that is up in this process: what was put in place, and what takes it away."""

    def __init__(self, judge: Judge, folder: str, entry: Callable[[], str | None]) -> None:
        self._judge, self._folder, self._entry = judge, folder, entry
        self._doors = native.Doors(judge)
        self._undo: list[Callable[[], None]] = [self._doors.undo]
        self.active = True

    # What a child gets

    def follow(self) -> None:
        """Have `os.environ` lead children to what is in force now."""
        before = os.environ.get(_PATH)
        wanted = led(before, self._folder, self._entry() if self.active else None)
        if wanted is None:
            os.environ.pop(_PATH, None)
        elif wanted != before:
            os.environ[_PATH] = wanted

    def environment(self, given: Mapping[Any, Any]) -> Mapping[Any, Any]:
        """Return an environment for a child, as it was given but for PYTHONPATH."""
        key: Any = os.fsencode(_PATH) if os.fsencode(_PATH) in given else _PATH
        before = given.get(key)
        wanted = led(None if before is None else os.fsdecode(before), self._folder, self._entry())
        if wanted == before:
            return given
        others = {name: value for name, value in given.items() if name != key}
        return others if wanted is None else {**others, _PATH: wanted}

    def start(self, words: Any) -> None:
        """Raise NetworkBlockedError where a command line starts a program that may not be started."""
        found = programs.find(words)
        if found is None:
            return
        try:
            programs.judge(found, self._judge.standing())
        except NetworkBlockedError as error:
            self._judge.refused(error)
            raise

    # Where it stands

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """See what starts a program, of any thread, however it was imported."""
        if not self.active or event not in _STARTS:
            return
        self.start(_STARTS[event](args))
        if event != "subprocess.Popen":  # whose environment was seen to already
            self.follow()

    def on_subprocess(self, module: ModuleType) -> None:
        """See to the environment of whatever `subprocess` starts, for asyncio and others, too."""
        self._replace(module.Popen, "__init__", self._popen)

    def on_multiprocessing(self, module: ModuleType) -> None:
        """See to the environment of processes that multiprocessing starts anew; no audit event tells of them."""
        self._replace(module, "spawnv_passfds", self._following)

    def on_uvloop(self, module: ModuleType) -> None:
        """See what uvloop starts, and where it goes, by itself."""
        self._doors.open("uvloop", module)
        self._replace(module.Loop, "subprocess_exec", self._uvloop_exec)
        self._replace(module.Loop, "subprocess_shell", self._uvloop_shell)

    def _popen(self, init: Callable[..., None]) -> Callable[..., None]:
        @wraps(init)
        def wrapped(popen: Any, *args: Any, **options: Any) -> None:
            if self.active:
                if len(args) > _ENV_PLACE and args[_ENV_PLACE] is not None:
                    args = (*args[:_ENV_PLACE], self.environment(args[_ENV_PLACE]), *args[_ENV_PLACE + 1 :])
                elif options.get("env") is not None:
                    options["env"] = self.environment(options["env"])
                else:
                    self.follow()
            init(popen, *args, **options)

        return wrapped

    def _following(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapped(*args: Any, **options: Any) -> Any:
            if self.active:
                self.follow()
            return function(*args, **options)

        return wrapped

    def _uvloop_exec(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapped(loop: Any, factory: Any, *words: Any, **options: Any) -> Any:
            return function(loop, factory, *words, **self._uvloop(words, options))

        return wrapped

    def _uvloop_shell(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapped(loop: Any, factory: Any, command: Any, **options: Any) -> Any:
            return function(loop, factory, command, **self._uvloop(command, options))

        return wrapped

    def _uvloop(self, words: Any, options: dict[str, Any]) -> dict[str, Any]:
        if not self.active:
            return options
        self.start(words)
        if options.get("env") is not None:
            return {**options, "env": self.environment(options["env"])}
        self.follow()
        return options

    def _replace(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        self._undo.append(native.replace(owner, name, wrap))

    def install(self, watch: Callable[..., Any]) -> None:
        """Put it up, in what is imported already and in what will be."""
        wanted = {
            **self._doors.hooks(),
            "subprocess": self.on_subprocess,
            "multiprocessing.util": self.on_multiprocessing,
            "uvloop": self.on_uvloop,
        }
        watching = watch(wanted)
        self._undo.append(watching.undo)
        watching.install()
        sys.addaudithook(self.hook)
        self.follow()

    def undo(self) -> None:
        """Take away what can be, and have the rest let everything through."""
        self.active = False
        self.follow()
        while self._undo:
            self._undo.pop()()


def install(judge: Judge, watch: Callable[..., Any], *, folder: str, entry: Callable[[], str | None]) -> ProcessGuard:
    """Guard what this process starts; return what follows the list in force, and takes the guard down.

    `watch` is the class that tells of imports. `entry` gives the folder that leads PYTHONPATH where something is
    refused, None where nothing is; all of them lie below `folder`, or are it.
    """
    guard = ProcessGuard(judge, folder, entry)
    guard.install(watch)
    return guard


_STARTS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    # What is started may be named apart from its words, of which the first is only what it sees as its name.
    "subprocess.Popen": lambda args: _words(args[0], args[1]),
    "os.exec": lambda args: _words(args[0], args[1]),
    "os.posix_spawn": lambda args: _words(args[0], args[1]),
    "os.system": lambda args: args[0],
}


def _words(executable: Any, words: Any) -> list[Any]:
    if isinstance(words, str | bytes | os.PathLike):
        words = [words]
    return [executable, *list(words)[1:]]

"""The composition root: wires settings, redaction, interception, the network guard and the owners of calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tapemeter import intercept
from tapemeter import owner as owners
from tapemeter.cassette.cassette import Cassette
from tapemeter.cassette.match import PARTS, Matcher
from tapemeter.cassette.mode import Mode
from tapemeter.cassette.recorded import Recorded
from tapemeter.intercept import guard
from tapemeter.network import AllowList
from tapemeter.owner import Owner, State
from tapemeter.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tapemeter.errors import NetworkBlockedError
    from tapemeter.model import Request
    from tapemeter.settings import CassetteArguments, Settings


@dataclass
class Findings:
    """What a session has to tell at its end, as plain data that a worker process can hand over."""

    written: list[str] = field(default_factory=list)
    """Cassettes that were written or removed, relative to the root."""
    blocked: list[tuple[str, str]] = field(default_factory=list)
    """(test, host and port) of connections that the guard refused."""
    shared: dict[str, list[int]] = field(default_factory=dict)
    """Cassettes that several tests may use: the places (from 1) that no test has played."""

    def merge(self, other: Findings) -> None:
        """Take in the findings of another process over other tests of the same run."""
        self.written += [path for path in other.written if path not in self.written]
        self.blocked += other.blocked
        for path, unplayed in other.shared.items():
            self.note_shared(path, unplayed)

    def note_shared(self, path: str, unplayed: Iterable[int]) -> None:
        """Keep as unplayed only what every user of the cassette has left unplayed."""
        places = set(unplayed)
        self.shared[path] = sorted(places & set(self.shared[path]) if path in self.shared else places)


class Session:
    """One run: what its owners share, from `start` to `stop`.

    `shared` is a folder in which the processes of a run tell each other what they recorded; None where there is one
    process. `redact` gives more rules, when they are first needed.
    """

    def __init__(
        self, settings: Settings, redact: Callable[[], Iterable[str]] = tuple, *, shared: Path | None = None
    ) -> None:
        self.settings = settings
        self.findings = Findings()
        self._more_rules = redact
        self._undo: list[Callable[[], None]] = []
        self._recorded = Recorded(shared)
        self._allowed = AllowList.default().plus(settings.allow_hosts)

    @property
    def mode(self) -> Mode | None:
        """The mode that holds for every test; None where only marked tests are concerned."""
        return self.settings.mode

    @property
    def replay_speed(self) -> float | None:
        """How much faster than recorded answers are replayed; None for at once."""
        return self.settings.replay_speed

    @property
    def root(self) -> Path:
        """The folder that paths in messages are relative to."""
        return self.settings.root

    @cached_property
    def redactor(self) -> Redactor:
        """What hides secrets; made at the first call, when every conftest has had its say."""
        return Redactor((*self.settings.redact, *self._more_rules()))

    def start(self) -> None:
        """Intercept client libraries and put the network guard up; InterceptionError where calls would be missed."""
        self._undo.append(intercept.install())
        guard.install()
        self._undo.append(guard.push(self._judge, names=self._names, on_refusal=self._note_blocked))
        owners.open_house(self)
        self._undo.append(lambda: owners.close_house(self))

    def stop(self) -> None:
        """Undo all that `start` did."""
        while self._undo:
            self._undo.pop()()

    def owner(
        self,
        label: str,
        *,
        nodeid: str,
        path: Path,
        arguments: CassetteArguments,
        allowed: AllowList | None = None,
        default_mode: Mode | None = None,
        normalize: Callable[[Request], Request] | None = None,
    ) -> Owner:
        """Return a new owner with its cassette at `path`; nothing is read or made yet.

        `allowed` is what a marker lets it reach; it holds together with what the settings allow.
        """
        mode = self.settings.mode_for(arguments.mode or default_mode)
        cassette = Cassette(path, self._matcher(arguments, normalize), mode=mode, repeat=bool(arguments.repeat))
        return Owner(
            label,
            house=self,
            mode=mode,
            cassette=cassette,
            allowed=self._together(allowed),
            guarded=mode is Mode.REPLAY or (allowed is not None and mode is not Mode.OFF),
            nodeid=nodeid,
        )

    def commit(self, owner: Owner) -> bool:
        """Write what an owner recorded to its cassette; return whether the file changed."""
        if not owner.mode.records:
            return False
        changed = owner.cassette.commit(self._recorded)
        if changed:
            self.findings.written.append(owner.cassette_name)
        return changed

    def close(self, owner: Owner, *, keep: bool) -> None:
        """End an owner; what it recorded is written if `keep`. Later calls of its code are left-overs."""
        for end in list(owner.pending.values()):
            end()
        try:
            if keep:
                self.commit(owner)
        finally:
            owners.leave(owner, State.CLOSED)

    def _matcher(self, arguments: CassetteArguments, normalize: Callable[[Request], Request] | None) -> Matcher:
        return Matcher(
            parts=arguments.match_on or PARTS,
            ignore=arguments.ignore or (),
            secrets=self.redactor.query_parameters,
            normalize=normalize,
        )

    def _together(self, marker: AllowList | None) -> AllowList:
        if marker is None:
            return self._allowed
        return marker.intersect(self._allowed) if self.settings.allow_hosts else marker

    def _judge(self, kind: guard.Kind, host: str, port: int | None, /) -> None:
        owner = owners.current()
        allowed = self._in_force(owner)
        if allowed is None or (allowed.allows_unix if kind == "unix" else allowed.allows(host, port)):
            return
        raise guard.blocked(kind, host, port, owner.label if owner is not None else None, allowed)

    def _in_force(self, owner: Owner | None) -> AllowList | None:
        if owner is None:
            return self._allowed if self.mode is Mode.REPLAY else None
        return owner.allowed if owner.guarded else None

    def _names(self) -> Iterable[str]:
        allowed = self._in_force(owners.current())
        return allowed.names() if allowed is not None else ()

    def _note_blocked(self, error: NetworkBlockedError) -> None:
        where = error.host if error.port is None else f"{error.host}:{error.port}"
        self.findings.blocked.append((error.test or "no test", where))

"""One cassette while a test uses it: what it holds, what was played, what is to be written.

Nothing is read before the first call asks for it, and nothing is written before `commit`.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import TYPE_CHECKING

from tapemeter.cassette import format as cassette_format
from tapemeter.cassette import store
from tapemeter.cassette.kept import worth_keeping
from tapemeter.cassette.match import Matcher
from tapemeter.errors import CassetteError
from tapemeter.values import Mutable, field, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tapemeter.cassette.format import Entry
    from tapemeter.cassette.mode import Mode
    from tapemeter.cassette.model import Fresh, Interaction, Reply
    from tapemeter.cassette.recorded import Recorded
    from tapemeter.model import Request


class Recording(Mutable):
    """A recorded interaction on file, with the key it has under the matcher in force."""

    index: int
    entry: Entry
    key: str
    plays: int = 0

    @property
    def reply(self) -> Reply:
        """What it answers; its key is that under which a file keeps it, whatever the matcher in force leaves out."""
        reply = self.entry.reply
        return reply if reply.key else replace(reply, key=Matcher().stored_key(self.request))

    @property
    def interaction(self) -> Interaction:
        """The request and the response."""
        return self.entry.interaction

    @property
    def request(self) -> Request:
        """The recorded request, redacted as it was written."""
        return self.entry.interaction.request


class _Index(Mutable):
    recordings: list[Recording]
    unplayed: dict[str, deque[Recording]]
    last: dict[str, Recording] = field(default_factory=dict)


class Cassette:
    """The recordings of one file, each played once, in the order in which they were issued.

    Safe for threads. `repeat` lets the last recording of a key answer again and again. In RECORD_ALL mode the
    file is not played, and `commit` drops what no test of the run asked for again.
    """

    def __init__(self, path: Path, matcher: Matcher, *, mode: Mode, repeat: bool = False) -> None:
        self.path = path
        self.mode = mode
        self.matcher = matcher
        self._repeat = repeat
        self._lock = threading.RLock()  # a finaliser may add what another call of the thread was about to
        self._index: _Index | None = None
        self._new: list[Fresh] = []

    @property
    def recordings(self) -> Sequence[Recording]:
        """All recordings on file, in order; reads the file when first asked. CassetteError where it is broken."""
        return self._loaded().recordings

    @property
    def played(self) -> list[Recording]:
        """The recordings that answered a call."""
        return [recording for recording in self.recordings if recording.plays]

    @property
    def unplayed(self) -> list[Recording]:
        """The recordings that answered none yet."""
        return [recording for recording in self.recordings if not recording.plays]

    @property
    def new(self) -> list[Interaction]:
        """What `commit` would add: recorded since the cassette was opened, in the order of issue."""
        with self._lock:
            return worth_keeping(self._new)

    @property
    def touched(self) -> bool:
        """Whether any call asked the cassette for anything."""
        return self._index is not None or bool(self._new)

    def play(self, key: str) -> Recording | None:
        """Return the next unplayed recording with the key and mark it played; None where there is none."""
        with self._lock:
            index = self._loaded(locked=True)
            waiting = index.unplayed.get(key)
            if waiting:
                recording = waiting.popleft()
                index.last[key] = recording
            elif self._repeat and key in index.last:
                recording = index.last[key]
            else:
                return None
            recording.plays += 1
            return recording

    def played_last(self, key: str) -> Recording | None:
        """Return the recording that `play` returned last for the key; None where there was none."""
        with self._lock:
            return self._loaded(locked=True).last.get(key)

    def with_key(self, key: str) -> list[Recording]:
        """Return all recordings with the key, played or not."""
        return [recording for recording in self.recordings if recording.key == key]

    def add(self, fresh: Fresh) -> None:
        """Keep an interaction for `commit`."""
        with self._lock:
            self._new.append(fresh)

    def commit(self, recorded: Recorded) -> bool:
        """Write the file whole; return whether anything was written.

        RECORD adds what is new to what is on disk by then, so that two processes do not lose each other's
        recordings. RECORD_ALL leaves what is new, and what the run has `recorded` before; it is told what is new.
        What another user of the file recorded in the meantime would have been played had it come earlier, so it is
        not added once more.
        """
        found = self.new
        if not found and (self.mode.plays or not self.path.exists()):
            return False
        with store.locked(self.path):
            entries = self._on_disk()
            if self.mode.plays:
                old = entries
                others = Counter(map(self._key, entries)) - Counter(recording.key for recording in self.recordings)
            else:
                fresh = recorded.keys(self.path)
                recorded.add(self.path, (interaction.key for interaction in found))
                old = tuple(entry for entry in entries if _keyed(entry, self.matcher).key in fresh)
                others = Counter(map(self._key, old))
            return self._replace(entries, old, _without(found, others, self.matcher))

    def _replace(self, entries: Sequence[Entry], old: Sequence[Entry], found: Sequence[Interaction]) -> bool:
        """Have the file hold what is kept of its entries and what is new, if that changes anything."""
        if not found and len(old) == len(entries):
            return False
        if found or old:
            store.write(self.path, cassette_format.dump([*(_keyed(entry, self.matcher) for entry in old), *found]))
        else:
            store.remove(self.path)
        return True

    def _on_disk(self) -> tuple[Entry, ...]:
        """Return what the file holds now; one that cannot be read is no obstacle to replacing it."""
        if not self.path.exists():
            return ()
        try:
            return cassette_format.load(store.read(self.path), str(self.path))
        except CassetteError:
            if self.mode.plays:
                raise
            return ()

    def _loaded(self, *, locked: bool = False) -> _Index:
        if self._index is None:
            if not locked:
                with self._lock:
                    return self._loaded(locked=True)
            self._index = self._load()
        return self._index

    def _load(self) -> _Index:
        entries: tuple[Entry, ...] = ()
        if self.mode.reads and (text := self._text()) is not None:
            entries = cassette_format.load(text, str(self.path))
        recordings = [Recording(index, entry, self._key(entry)) for index, entry in enumerate(entries)]
        unplayed: dict[str, deque[Recording]] = {}
        for recording in recordings:
            unplayed.setdefault(recording.key, deque()).append(recording)
        return _Index(recordings, unplayed)

    def _text(self) -> str | None:
        """Return the text of the file; None where there is none."""
        try:
            return store.read(self.path)
        except OSError:
            if self.path.exists():
                raise
            return None

    def _key(self, entry: Entry) -> str:
        """Return the key of an entry under the matcher in force."""
        if entry.key is not None and self.matcher.is_default:
            return entry.key
        return self.matcher.key(entry.interaction.request)


def _without(found: Iterable[Interaction], others: Counter[str], matcher: Matcher) -> list[Interaction]:
    """Return what was found save, for each key, as many as others have recorded."""
    left = []
    for interaction in found:
        key = matcher.key(interaction.request)
        if others[key] > 0:
            others[key] -= 1
        else:
            left.append(interaction)
    return left


def _keyed(entry: Entry, matcher: Matcher) -> Interaction | Entry:
    """Return an entry fit to be written: one of an edited file gets its key anew."""
    if entry.key is not None:
        return entry
    return replace(entry.interaction, key=matcher.stored_key(entry.interaction.request))

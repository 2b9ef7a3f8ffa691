"""What a session has to tell at its end, as plain data that a worker process can hand over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Findings:
    """What was found in one process, and after `merge` in several; `vars` is what to hand over, and `found` that."""

    def __init__(self, **found: Any) -> None:
        self.written: list[str] = []
        """Cassettes that were written or removed, relative to the root."""
        self.blocked: list[tuple[str, str]] = []
        """(test, host and port) of connections that the guard refused."""
        self.unowned: list[str] = []
        """Model calls that went out unrecorded while tests recorded, since they belong to no running test."""
        self.undelivered: list[str] = []
        """Alarms that could not be delivered, a sentence each."""
        self.shared: dict[str, list[int]] = {}
        """Cassettes that several tests may use: the places (from 1) that no test has played."""
        self.needed: dict[str, list[int]] = {}
        """Cassettes that tests and fixtures had, where orphans are to be found: the places (from 1) none asked for."""
        self.left_out: list[str] = []
        """Cassettes of tests that did not pass or read no cassette, so that nothing is known of them."""
        self.skipped = 0
        """Tests that were skipped."""
        self.unnamed = 0
        """Those of them of which not even the cassette is known, since a fixture names it."""
        self.dropped = 0
        """Tests that were collected and then left out, alike in every process."""
        vars(self).update(found)

    def merge(self, other: Findings) -> None:
        """Take in the findings of another process over other tests of the same run."""
        self.written += [path for path in other.written if path not in self.written]
        self.blocked += other.blocked
        self.unowned += other.unowned
        self.undelivered += other.undelivered
        self.left_out += other.left_out
        self.skipped += other.skipped
        self.unnamed += other.unnamed
        self.dropped = max(self.dropped, other.dropped)
        for path, unplayed in other.shared.items():
            self.note_shared(path, unplayed)
        for path, unplayed in other.needed.items():
            self.note_needed(path, unplayed)

    def note_shared(self, path: str, unplayed: Iterable[int]) -> None:
        """Keep as unplayed only what every user of the cassette has left unplayed."""
        _note(self.shared, path, unplayed)

    def note_needed(self, path: str, unplayed: Iterable[int]) -> None:
        """Note that a cassette is needed, and keep as not asked for only what all of its users have left."""
        _note(self.needed, path, unplayed)


def _note(found: dict[str, list[int]], path: str, unplayed: Iterable[int]) -> None:
    places = set(unplayed)
    found[path] = sorted(places & set(found[path]) if path in found else places)

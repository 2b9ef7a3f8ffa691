"""`--llm-fail-on=orphans`: recordings that nobody asked for, and cassettes that belong to no test.

Only a session that replays and that ran all of its suite can tell; what keeps others from it is said, and fails
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.pytest_plugin import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tapemeter.findings import Findings
    from tapemeter.owner import Owner
    from tapemeter.pytest_plugin.whole import Suite
    from tapemeter.session import Session

KIND = "orphans"
_HEAD = 4096
_FORMAT = b"\nformat: tapemeter-cassette/"
_LISTED = 10


def note(session: Session, owner: Owner, *, passed: bool = True) -> None:
    """Note what a test, or a fixture, that has ended has asked for; one that did not pass may not have come to it."""
    if KIND in session.settings.fail_on and owner.mode.reads:
        unasked = [recording.index + 1 for recording in owner.cassette.unplayed] if passed else []
        session.findings.note_needed(owner.cassette_name, unasked)


def judge(session: Session, findings: Findings | None, suite: Suite) -> tuple[list[str], list[str]]:
    """Return what is an orphan, a sentence each, and why it could not be told, which is one sentence or none."""
    if KIND not in session.settings.fail_on:
        return [], []
    reasons = list(suite.reasons)
    if session.mode is None or not session.mode.reads:
        reasons.append("its mode is not to replay all tests")
    if reasons:
        return [], [f"--llm-fail-on=orphans: not judged, since the session did not ask for everything: {reasons[0]}"]
    needed = {} if findings is None else findings.needed
    found = [
        f"{path}: recordings that no test asked for: number {_some(places)}; drop them with --record-cassettes=all"
        for path, places in sorted(needed.items())
        if places
    ]
    known = {*needed, *suite.left_out}
    for path in _cassettes(session.settings.cassette_dir):
        shown = str(path.relative_to(session.root)) if path.is_relative_to(session.root) else str(path)
        if shown not in known:
            found.append(f"{shown}: a cassette that belongs to no test; delete it")
    return found, []


def _cassettes(folder: Path) -> Iterator[Path]:
    """Yield the files in our format below a folder; those of other tools are theirs."""
    for path in sorted(folder.rglob(f"*{names.SUFFIX}")):
        with path.open("rb") as file:
            if _FORMAT in b"\n" + file.read(_HEAD):
                yield path


def _some(places: Sequence[int]) -> str:
    return ", ".join(map(str, places[:_LISTED])) + (" …" if len(places) > _LISTED else "")

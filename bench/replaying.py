"""A session in replay, in this process, for what is measured without pytest."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tapemeter import owner as owners
from tapemeter.cassette.mode import Mode
from tapemeter.session import Session, new_run
from tapemeter.settings import CassetteArguments, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tapemeter.owner import Owner


@contextmanager
def session(folder: Path, mode: Mode = Mode.REPLAY) -> Iterator[Session]:
    """Have a session under way."""
    settings = Settings(root=folder, cassette_dir=folder, mode=mode)
    made = Session(settings, new_run(settings))
    made.start()
    try:
        yield made
    finally:
        made.stop()


def entered(made: Session, path: Path, *, load: bool = True) -> Owner:
    """Enter a test with a cassette; its index is loaded, as by a first call."""
    owner = made.owner("bench", nodeid="bench", path=path, arguments=CassetteArguments())
    owners.enter(owner)
    if load:
        list(owner.cassette.recordings)
    return owner

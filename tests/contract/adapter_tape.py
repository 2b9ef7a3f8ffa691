"""A test without pytest around it: calls in its block are recorded to one cassette, or replayed from it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from tapemeter import owner as owners
from tapemeter.budget.policy import from_arguments
from tapemeter.cassette.mode import Mode
from tapemeter.network import AllowList
from tapemeter.outcome import Turn
from tapemeter.session import Session, new_run
from tapemeter.settings import CassetteArguments, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tapemeter.owner import Owner


class Tape:
    """The cassette in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "it.yaml"

    def recording(self, **options: Any) -> AbstractContextManager[Owner]:
        """Record what the block asks, whether it is a model call or not."""
        return self.running(Mode.RECORD, **options)

    def replaying(self, **options: Any) -> AbstractContextManager[Owner]:
        """Replay it; nothing may be reached, not even this machine."""
        return self.running(Mode.REPLAY, **options)

    @contextmanager
    def running(
        self, mode: Mode, *, models_only: bool = False, keep: bool = True, speed: float | None = None, **limits: Any
    ) -> Iterator[Owner]:
        """Run the block as a test; with `models_only`, what is no model call is left alone on loopback."""
        settings = Settings(root=self.folder, cassette_dir=self.folder, mode=mode, replay_speed=speed)
        session = Session(settings, new_run(settings))
        session.start()
        policy = from_arguments("here", **limits) if limits else None
        owner = session.owner("test", nodeid="test", path=self.path, arguments=CassetteArguments(), policy=policy)
        if not models_only:
            owner.allowed = AllowList.nothing()
        owners.enter(owner)
        session.run.orchestrator.enter(owner.job, "test")
        try:
            yield owner
        finally:
            session.close(owner, keep=keep)
            session.run.orchestrator.close(owner.job, Turn.PASSED)
            session.stop()
            session.run.finish(guard="none", reason=None)

    @property
    def interactions(self) -> list[dict[str, Any]]:
        """What is on file."""
        if not self.path.exists():
            return []
        return yaml.load(self.path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["interactions"]

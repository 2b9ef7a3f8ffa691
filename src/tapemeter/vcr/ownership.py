"""Whose calls a cassette answers that is used where no test and no job is running: those of a job made for it.

In a session that is under way, of pytest or of a program, the job is one of that session's run; else it is the only one
of a run that lasts as long as the cassette is in use. It has no limits but those of the run, or the environment.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tapemeter import owner as owners

if TYPE_CHECKING:
    from collections.abc import Iterator

JOB = "vcr"
"""The name of the job of a program that uses a cassette of VCR.py's kind and has no job."""


@contextmanager
def ensured() -> Iterator[None]:
    """Have the code of the block belong to somebody."""
    owner = owners.current()
    if owner is not None and not owner.closed:
        yield
        return
    from tapemeter import program  # noqa: PLC0415 - hardly anybody needs one
    from tapemeter.session import Session  # noqa: PLC0415 - as above

    house = owners.house()
    if isinstance(house, Session):
        with program.ProgramRun(house).job(JOB):
            yield
    else:
        # Not `live`, the default, which leaves cassettes alone: here the cassette says what is sent and recorded.
        mode = os.environ.get("LLM_MODE") or "record"
        with program.open_run(mode=mode) as run, run.job(JOB):
            yield

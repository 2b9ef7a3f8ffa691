"""The audit hook of this process, which calls whoever handles an event.

It cannot be removed, and Python keeps it to the very end, with all that its module refers to. So that is next to
nothing: else most of what the process has imported is kept with it, and taken apart in the slow way.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HANDLERS: dict[str, Callable[..., None]] = {}
"""What to call for an event, by its name; empty while nothing is watched."""
_installed: list[bool] = []


def install() -> None:
    """Add the hook; once, however often it is called."""
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    # Called for every audited event of the process, each opened file and import: nothing before this line.
    if event in HANDLERS:
        HANDLERS[event](*args)

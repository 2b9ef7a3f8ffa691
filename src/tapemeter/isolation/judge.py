"""What the process guard asks, in the session and in a child alike: who runs now, what may be reached, who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapemeter.errors import NetworkBlockedError
    from tapemeter.network import AllowList


class Standing(NamedTuple):
    """What the running code may reach, None for everything, and whose it is, None for nobody's."""

    allowed: AllowList | None
    test: str | None


class Judge(NamedTuple):
    """Who decides, and who keeps an account.

    `standing` tells what holds here and now; `ask` raises NetworkBlockedError for a `kind` ("connect", "send",
    "lookup", "unix"), a host and a port that may not be reached; `refused` notes a refusal that `ask` did not see.
    """

    standing: Callable[[], Standing]
    ask: Callable[[Any, str, int | None], None]
    refused: Callable[[NetworkBlockedError], None]

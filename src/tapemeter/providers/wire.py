"""A wire protocol as one row of a table: what it is called, and the functions that read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json


@dataclass(frozen=True, slots=True)
class Wire:
    """How requests and answers of one protocol are read.

    `family` is whose protocol it is, and `operation` OpenTelemetry's name for what it does. `ask` adds the text parts
    of a request and returns its own maximum of output tokens over all choices, None where it names none. `read`
    takes a whole answer, `follow` one event of a stream. They are given JSON objects that nobody has checked.
    """

    name: str
    family: str
    operation: str
    ask: Callable[[Json, Prompt], int | None]
    read: Callable[[Json, Fold], None]
    follow: Callable[[Json, Fold], None]

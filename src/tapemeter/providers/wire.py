"""A wire protocol as one row of a table: what it is called, and the functions that read it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapemeter.model import Headers
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json


class Tokens(Enum):
    """What is known of the tokens of a call whose provider does not tell them."""

    TEXT = "text"
    """They are about a quarter of the characters that went in and came out."""
    INPUT = "input"
    """The same for what went in; an answer has none."""
    FREE = "free"
    """The call uses none."""
    UNTOLD = "untold"
    """Nothing: what counts is sound, images, pages or another time."""


class UnreadError(Exception):
    """A function of somebody's own protocol failed; what it had read before that counts."""


class Wire(Value):
    """How requests and answers of one protocol are read.

    `family` is whose protocol it is, and `operation` OpenTelemetry's name for what it does. `ask` adds the text parts
    of a request and returns its own maximum of output tokens over all choices, None where it names none. `read`
    takes a whole answer, `follow` one event of a stream. They are given JSON objects that nobody has checked; a form
    with files is given as an object of its fields.

    `tokens` says what to make of an answer that does not tell its tokens. `head` reads the headers of an answer,
    before its body. `streams_lines` says that answers are JSON objects one after another, and streams unless they are
    asked not to be. `says_text` says that an answer whose media type is a text is nothing but its text. `refuse`
    returns the body of an error, from a message.

    `host` and `path` are regular expressions that are searched for in what they are called after; they are what
    `register` goes by. A group `model` of `path` names the model.
    """

    name: str
    family: str
    operation: str
    ask: Callable[[Json, Prompt], int | None]
    read: Callable[[Json, Fold], None]
    follow: Callable[[Json, Fold], None]
    tokens: Tokens = Tokens.TEXT
    head: Callable[[Headers, Fold], None] | None = None
    streams_lines: bool = False
    says_text: bool = False
    refuse: Callable[[str], Json] | None = None
    host: str | None = None
    path: str | None = None

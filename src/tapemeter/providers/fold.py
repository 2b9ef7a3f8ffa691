"""The state of one answer while it is read, whole or event by event, and what it comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.providers.faults import fault
from tapemeter.providers.meter import Answered
from tapemeter.providers.quality import settle
from tapemeter.providers.usage import Figures, figures
from tapemeter.providers.values import compact, money, name

if TYPE_CHECKING:
    from collections.abc import Hashable
    from decimal import Decimal

    from tapemeter.providers.meter import Asked
    from tapemeter.providers.usage import Spelling
    from tapemeter.providers.values import Json
    from tapemeter.providers.wire import Tokens

_SUCCESS = 200


class Fold:
    """What has been read of one answer so far; a protocol's reader fills it.

    With `keeps_text` its text parts are kept, else they are only counted. `chars` are the code points of its text,
    `reasons` says by the index of a choice why it ended, `error` is a kind of error. `seen` says that there was a JSON
    object at all, `is_open` that the answer itself says more is to come or would have come, `is_final` that its usage
    is that of the whole answer even if the body ended early.
    """

    __slots__ = (
        "_calls",
        "_counts",
        "_reported",
        "_spelling",
        "chars",
        "error",
        "is_final",
        "is_open",
        "model",
        "pieces",
        "reasons",
        "response_id",
        "seen",
    )

    def __init__(self, *, keeps_text: bool = False) -> None:
        self.chars = 0
        self.pieces: list[str] | None = [] if keeps_text else None
        self.model: str | None = None
        self.response_id: str | None = None
        self.reasons: dict[int, str] = {}
        self.error: str | None = None
        self.seen = False
        self.is_open = False
        self.is_final = False
        self._counts: dict[str, float] = {}
        self._calls: set[Hashable] = set()
        self._reported: Json = {}
        self._spelling: Spelling | None = None

    def say(self, text: Any) -> None:
        """Count a text part; whatever is not a text counts nothing."""
        if isinstance(text, str):
            self.chars += len(text)
            if self.pieces is not None:
                self.pieces.append(text)

    def show(self, value: Any) -> None:
        """Count what is text already or else becomes compact JSON; null and an empty object count nothing."""
        self.say(compact(value) if value is not None and value != {} and not isinstance(value, str) else value)

    def call(self, key: Hashable) -> bool:
        """Note a tool call by what tells it from the others; whether it is a new one."""
        if key in self._calls:
            return False
        self._calls.add(key)
        return True

    def take(self) -> tuple[int, list[str]]:
        """Return the text so far, its length first, and begin anew."""
        said = self.chars, self.pieces or []
        self.chars, self.pieces = 0, None if self.pieces is None else []
        return said

    def keep_longer(self, said: tuple[int, list[str]]) -> None:
        """Put a text that was taken in the place of what has been read since, where it is longer."""
        if said[0] > self.chars:
            self.chars, self.pieces = said[0], None if self.pieces is None else said[1]

    def identify(self, value: Json) -> None:
        """Note which model answers, and the id of the answer; the first word counts."""
        if self.model is None:
            self.model = name(value.get("model"))
        if self.response_id is None:
            self.response_id = name(value.get("id"))

    def end(self, index: int, reason: Any) -> None:
        """Note why a choice ended; null says that it has not."""
        word = name(reason)
        if word is not None:
            self.reasons[index] = word

    def report(self, usage: Json, spelling: Spelling) -> None:
        """Note a usage object; later figures take the place of earlier ones, and null takes the place of none."""
        self._spelling = spelling
        self._reported.update((key, value) for key, value in usage.items() if value is not None)

    def count(self, unit: str, amount: float) -> None:
        """Add to what is not counted in tokens: `images`, `pages`, `search_units`, `seconds`."""
        self._counts[unit] = self._counts.get(unit, 0) + amount

    @property
    def counts_else(self) -> bool:
        """Whether something was counted that is not tokens."""
        return bool(self._counts)

    @property
    def is_told(self) -> bool:
        """Whether there was a usage object."""
        return self._spelling is not None

    def fail(self, value: Any) -> None:
        """Note an error that came in the place of an answer, or in the midst of it."""
        self.error = self.error or fault(_SUCCESS, value)
        self.is_open = True

    def answered(self, asked: Asked, tokens: Tokens, *, is_whole: bool, gateway_usd: Decimal | None) -> Answered:
        """Return what the answer comes to; `is_whole` says that its body ended as it should."""
        known = Figures() if self._spelling is None else figures(self._reported, self._spelling)
        return Answered(
            usage=settle(known, tokens, self, asked.prompt_chars, is_whole=is_whole and not self.is_open),
            model=self.model,
            response_id=self.response_id,
            finish_reasons=tuple(reason for _, reason in sorted(self.reasons.items())),
            response_chars=self.chars,
            text=None if self.pieces is None else "".join(self.pieces),
            tool_calls=len(self._calls),
            error_type=self.error,
            gateway_usd=money(self._reported.get("cost")) if gateway_usd is None else gateway_usd,
            counts=tuple(sorted(self._counts.items())) if self._counts else (),
        )


def read_fault(value: Json, fold: Fold) -> None:
    """Take in an answer of which only an error means anything, as of a count of tokens."""
    if value.get("error"):
        fold.fail(value)

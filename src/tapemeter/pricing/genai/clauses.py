"""Which names are meant: the clauses that the list of genai-prices is written with, as in its own `types`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence


class Listed(Value, gc=False):
    """What the list says of something: a tree of thousands, which the garbage collector is spared."""


class Clause(Protocol):
    """Which names are meant."""

    def is_match(self, text: str) -> bool:
        """Say whether a name is meant."""


class ClauseStartsWith(Listed):
    """See Clause."""

    starts_with: str

    def is_match(self, text: str) -> bool:
        """See Clause."""
        return text.lower().startswith(self.starts_with.lower())


class ClauseEndsWith(Listed):
    """See Clause."""

    ends_with: str

    def is_match(self, text: str) -> bool:
        """See Clause."""
        return text.lower().endswith(self.ends_with.lower())


class ClauseContains(Listed):
    """See Clause."""

    contains: str

    def is_match(self, text: str) -> bool:
        """See Clause."""
        return self.contains.lower() in text.lower()


class ClauseRegex(Listed):
    """See Clause."""

    regex: str

    def is_match(self, text: str) -> bool:
        """See Clause."""
        return bool(re.search(self.regex, text))


class ClauseEquals(Listed):
    """See Clause."""

    equals: str

    def is_match(self, text: str) -> bool:
        """See Clause."""
        return text.lower() == self.equals.lower()


class ClauseOr(Listed):
    """See Clause."""

    or_: Sequence[Clause]

    def is_match(self, text: str) -> bool:
        """See Clause."""
        return any(clause.is_match(text) for clause in self.or_)


class ClauseAnd(Listed):
    """See Clause."""

    and_: Sequence[Clause]

    def is_match(self, text: str) -> bool:
        """See Clause."""
        return all(clause.is_match(text) for clause in self.and_)

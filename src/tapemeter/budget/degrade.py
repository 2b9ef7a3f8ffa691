"""Rules of a policy by which an alias goes to a cheaper group once so much of a limit is used.

A rule limits nothing and stops nothing; it says where the calls go that are still to come. The first rule of a policy
that holds is the one that counts, so of two for one alias that with the higher fraction comes first.
"""

from __future__ import annotations

from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tapemeter.budget.dimensions import Dimension, Scope
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tapemeter.documents import Document

_SCOPE, _DIMENSION = Scope.JOB, Dimension.COST_USD
"""What a rule goes by that names no scope, or no limit."""


class Degrade(Value):
    """From the fraction `at` of a limit on, calls by an `alias` (a glob) go to the group `to`.

    The limit is that on `dimension` in `scope`, wherever it is given; `source` is where the rule is.
    """

    alias: str
    to: str
    at: Decimal
    source: str
    scope: Scope = _SCOPE
    dimension: Dimension = _DIMENSION

    @property
    def limit(self) -> str:
        """Scope and dimension as in a policy: `job.cost_usd`."""
        return f"{self.scope}.{self.dimension}"

    def covers(self, alias: str) -> bool:
        """Return whether it is about calls by an alias; case counts."""
        return fnmatchcase(alias, self.alias)


def from_document(document: Document) -> Iterator[Degrade]:
    """Yield the rules in a document that keeps the schema `llm_budget_policy_v1`, in its order."""
    for number, given in enumerate(document.value.get("degrade") or ()):
        yield Degrade(
            alias=given["alias"],
            to=given["to"],
            at=Decimal(str(given["at"])),
            source=document.where(("degrade", number)),
            scope=Scope(given.get("scope") or _SCOPE),
            dimension=Dimension(given.get("limit") or _DIMENSION),
        )

"""Prices and aliases of one's own, from a price file: local models that are free, fine-tunes, agreed rates."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from fnmatch import translate
from typing import TYPE_CHECKING, Any

from tapemeter.errors import PolicyError
from tapemeter.pricing.rates import Rate, Rates
from tapemeter.schemas import Problem
from tapemeter.values import Value, field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Place = tuple[str | int, ...]
    Line = Callable[[Place], int | None]

_WIDEST, _MOST = 80, 8
"""Characters of a name, and names, that a message shows."""
_WILD = re.compile(r"\*|\?|\[!?\]?[^]]*\]")


class Override(Value):
    """The rates of the models that a pattern fits, by the day from which they hold, the latest first."""

    pattern: re.Pattern[str]
    weight: tuple[bool, int]
    """Whether it is a name without wildcards, and its letters that stand for themselves; the heaviest wins."""
    dated: tuple[tuple[date, Rates], ...]

    def at(self, when: datetime) -> Rates | None:
        """Return the rates at a moment; None before the first."""
        day = when.astimezone(UTC).date()
        return next((rates for since, rates in self.dated if since <= day), None)


class Overrides(Value):
    """A price file."""

    models: tuple[Override, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    assume_max: tuple[Decimal, Decimal] | None = None

    @classmethod
    def parse(cls, document: Mapping[str, Any], source: str, line: Line = lambda _: None) -> Overrides:
        """Return the overrides in a document that keeps its schema; `line` tells the line of a place in it.

        PolicyError where aliases lead in a circle, a day is not in the calendar, or two prices hold from one day.
        """
        reader = _Reader(source, str(document.get("version", "")), line)
        aliases: dict[str, str] = dict(document.get("aliases") or {})
        reader.check_aliases(aliases)
        most = document.get("assume_max")
        return cls(
            models=tuple(
                sorted(
                    (reader.override(glob, given) for glob, given in (document.get("models") or {}).items()),
                    key=lambda override: override.weight,
                    reverse=True,
                )
            ),
            aliases=aliases,
            assume_max=None if most is None else (Decimal(most["input_mtok"]), Decimal(most["output_mtok"])),
        )

    def resolve(self, model: str) -> str:
        """Return the model that an alias stands for; any other name as it is."""
        while model in self.aliases:
            model = self.aliases[model]
        return model

    def rates(self, model: str, at: datetime) -> Rates | None:
        """Return the rates of a model at a moment; None where the file says nothing of it, or not yet."""
        for override in self.models:
            if override.pattern.match(model):
                rates = override.at(at)
                if rates is not None:
                    return rates
        return None


class _Reader(Value):
    source: str
    version: str
    line: Line

    def check_aliases(self, aliases: Mapping[str, str]) -> None:
        sound: set[str] = set()
        for alias in aliases:
            seen: dict[str, None] = {}
            name = alias
            while name in aliases and name not in sound:
                if name in seen:
                    circle = [*list(seen)[list(seen).index(name) :], name]
                    problem = f"the aliases lead in a circle: {_shown(circle)}; have one of them name a model"
                    raise self.fault(problem, ("aliases", name))
                seen[name] = None
                name = aliases[name]
            sound.update(seen)

    def override(self, glob: str, given: Any) -> Override:
        dated: dict[date, Rates] = {}
        for number, entry in enumerate(given if isinstance(given, list) else [given]):
            place = ("models", glob, number) if isinstance(given, list) else ("models", glob)
            since = self.day(entry, place)
            if since in dated:
                when = f"from {since}" if "from" in entry else "from the beginning"
                raise self.fault(
                    f"two prices of {_shown([glob])} hold {when}; have each begin on a day of its own", place
                )
            dated[since] = self.rates(entry)
        literal = _WILD.sub("", glob)
        return Override(
            re.compile(translate(glob)),
            (literal == glob, len(literal)),
            tuple(sorted(dated.items(), key=lambda pair: pair[0], reverse=True)),
        )

    def day(self, entry: Mapping[str, Any], place: Place) -> date:
        text = entry.get("from")
        if text is None:
            return date.min
        try:
            return date.fromisoformat(text)
        except ValueError:
            problem = Problem((*place, "from"), "a day of the calendar", f'"{text}"')
            raise self.fault(str(problem), problem.path) from None

    def rates(self, entry: Mapping[str, Any]) -> Rates:
        free = Decimal(0) if entry.get("free") else None

        def price(name: str) -> Decimal | None:
            return Decimal(entry[name]) if name in entry else free

        def rate(name: str) -> Rate | None:
            found = price(name)
            return None if found is None else Rate(found)

        return Rates(
            input=rate("input_mtok"),
            output=rate("output_mtok"),
            cache_read=rate("cache_read_mtok"),
            cache_write=rate("cache_write_mtok"),
            request=price("request") or Decimal(0),
            source=self.source,
            version=self.version,
        )

    def fault(self, problem: str, place: Place) -> PolicyError:
        return PolicyError(problem, path=self.source, line=self.line(place))


def _shown(names: list[str]) -> str:
    """Return names as a message shows them: not all of many, and nothing of a long one but its beginning."""
    shown = [json.dumps(name[:_WIDEST], ensure_ascii=False) for name in names]
    if len(shown) > _MOST:
        shown[_MOST - 1 : -1] = ["…"]
    return " -> ".join(shown)

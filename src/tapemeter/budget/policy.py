"""A policy: which limits hold, where each was given, and what becomes of a call of unknown price or of a stop.

Policies come from a file, from a fixture's mapping and from markers. Several that hold for one test are tightened
into one: of two limits on the same thing the smaller holds, so that a policy never loosens another.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tapemeter.budget import amounts, degrade
from tapemeter.budget.dimensions import Dimension, Scope
from tapemeter.errors import UsageError
from tapemeter.values import Value, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import NoReturn

    from tapemeter.budget.degrade import Degrade
    from tapemeter.documents import Document

DEFAULT_OUTPUT_TOKENS = 4096
"""The most tokens that an answer is taken to have where nothing says."""
_LONGEST_NAME = 200
"""Characters of the name of a model or alias."""


class UnknownCost(StrEnum):
    """What becomes of a call of unknown price where a limit on money holds for it, strictest first."""

    REFUSE = "refuse"
    ASSUME_MAX = "assume_max"
    IGNORE = "ignore"


class OnStop(StrEnum):
    """How a stop is told to the program."""

    RAISE = "raise"
    HTTP_402 = "http_402"


class Limit(Value):
    """A number of units that one dimension must not exceed in one scope, and where that was given.

    `model` (a glob) and `alias` have it hold for the calls of these models, or asked for by that alias, together.
    """

    scope: Scope
    dimension: Dimension
    value: int
    source: str
    model: str | None = None
    alias: str | None = None

    @property
    def selector(self) -> str:
        """For which calls it holds, `model gpt-4*` or `alias fast`; empty for all."""
        chosen = {"model": self.model, "alias": self.alias}
        return ", ".join(f"{kind} {name}" for kind, name in chosen.items() if name is not None)

    @property
    def name(self) -> str:
        """Scope and dimension as in a policy: `job.calls`."""
        return f"{self.scope}.{self.dimension}"

    def covers(self, model: str | None, *aliases: str | None) -> bool:
        """Return whether it holds for a call of a model that was asked for by these aliases; None stands for none."""
        return (self.model is None or fnmatchcase(model or "", self.model)) and self.alias in {None, *aliases}

    @property
    def what(self) -> tuple[int, str, str, int]:
        """What it limits, in the order of reports: two limits with the same are one, the smaller."""
        scope, dimension = _SCOPES.index(self.scope), _DIMENSIONS.index(self.dimension)
        return scope, _sortable(self.model), _sortable(self.alias), dimension


class Policy(Value):
    """Limits and what goes with them; None for what it leaves open.

    `warn_at` is the fraction of a limit from which on its use is a warning.
    """

    name: str
    limits: tuple[Limit, ...] = ()
    unknown_cost: UnknownCost | None = None
    on_stop: OnStop | None = None
    warn_at: Decimal | None = None
    default_output_tokens: int | None = None
    degrade: tuple[Degrade, ...] = ()
    """Where aliases go when limits near their end; of these rules the first that holds counts."""

    def tightened(self, nearer: Policy) -> Policy:
        """Return the policy under which both hold.

        The smaller limit and the smaller `warn_at` win, the stricter `unknown_cost`, and what the `nearer` one says
        of all else. A limit keeps its source, of two equal ones that of this policy. The rules of both hold by which
        aliases degrade, those of the `nearer` one first.
        """
        smallest: dict[tuple[int, str, str, int], Limit] = {}
        for limit in (*self.limits, *nearer.limits):
            held = smallest.get(limit.what)
            if held is None or limit.value < held.value:
                smallest[limit.what] = limit
        return Policy(
            name=" + ".join(dict.fromkeys(filter(None, (self.name, nearer.name)))),
            limits=tuple(smallest[what] for what in sorted(smallest)),
            unknown_cost=min(_given(self.unknown_cost, nearer.unknown_cost), key=_STRICTEST.index, default=None),
            on_stop=nearer.on_stop or self.on_stop,
            warn_at=min(_given(self.warn_at, nearer.warn_at), default=None),
            default_output_tokens=next(iter(_given(nearer.default_output_tokens, self.default_output_tokens)), None),
            degrade=tuple(dict.fromkeys((*nearer.degrade, *self.degrade))),
        )

    def effective(self) -> Policy:
        """Return the policy with the defaults for what it leaves open; no `warn_at` means no warnings."""
        return replace(
            self,
            unknown_cost=self.unknown_cost or UnknownCost.REFUSE,
            on_stop=self.on_stop or OnStop.RAISE,
            default_output_tokens=self.default_output_tokens or DEFAULT_OUTPUT_TOKENS,
        )


_SCOPES, _DIMENSIONS, _STRICTEST = tuple(Scope), tuple(Dimension), tuple(UnknownCost)


def from_document(document: Document) -> Policy:
    """Return the policy in a document that keeps the schema `llm_budget_policy_v1`."""
    fields = {name: value for name, value in document.value.items() if value is not None}
    return Policy(
        name=fields["name"],
        limits=tuple(sorted(_in_document(document), key=lambda limit: limit.what)),
        degrade=tuple(degrade.from_document(document)),
        **_settings(fields),
    )


def from_arguments(where: str, /, **limits: Any) -> Policy:
    """Return the policy that a marker's arguments give, without a name; UsageError that names `where` for a wrong one.

    A dimension by its name is a limit of the job: `calls=3`. `run`, `job`, `step` and `call` take mappings of
    dimensions to limits, `models` and `aliases` mappings of names to such scopes. `unknown_cost`, `on_stop`,
    `warn_at` and `default_output_tokens` are as in a file. None stands for no limit.
    """
    reader = _Arguments(where)
    found = list(reader.read(limits))
    if len({limit.what for limit in found}) < len(found):
        reader.refuse("a limit of the job is given by its name and in job=; write it once")
    return Policy("", tuple(sorted(found, key=lambda limit: limit.what)), **_settings(reader.checked(limits)))


def _in_document(document: Document) -> Iterator[Limit]:
    for path, model, alias, scopes in _scoped(document.value):
        for scope, values in (scopes or {}).items():
            for dimension, value in (values or {}).items():
                if value is not None:
                    kind, place = Dimension(dimension), document.where((*path, scope, dimension))
                    yield Limit(Scope(scope), kind, amounts.units_of(kind, value), place, model, alias)


def _scoped(fields: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str | None, str | None, Any]]:
    """Yield each mapping of scopes, with the path to it and the model and alias that it holds for."""
    yield ("limits",), None, None, fields.get("limits")
    for model, scopes in (fields.get("models") or {}).items():
        yield ("models", model), model, None, scopes
    for alias, scopes in (fields.get("aliases") or {}).items():
        yield ("aliases", alias), None, alias, scopes


def _settings(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the typed fields beside the limits, as far as they are given."""
    types: dict[str, Callable[[Any], Any]] = {
        "unknown_cost": UnknownCost,
        "on_stop": OnStop,
        "warn_at": lambda value: Decimal(str(value)),
        "default_output_tokens": int,
    }
    return {name: make(fields[name]) for name, make in types.items() if fields.get(name) is not None}


class _Arguments:
    """Reads the arguments of a marker, each refused with the reason."""

    def __init__(self, where: str) -> None:
        self._where = where

    def read(self, given: Mapping[str, Any]) -> Iterator[Limit]:
        """Yield the limits; UsageError for an argument that is unknown or wrong."""
        plain = [dimension.value for dimension in Dimension]
        for name in given:
            self._known(name, [*plain, *_SCOPES, "models", "aliases", *_CHECKS], "argument")
        yield from self._amounts({name: given[name] for name in plain if name in given}, Scope.JOB, "", {})
        yield from self._scopes({scope: given[scope] for scope in _SCOPES if scope in given}, "", {})
        for group, selects in (("models", "model"), ("aliases", "alias")):
            for name, scopes in self._mapping(given.get(group), group).items():
                if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
                    self.refuse(f"expected {selects} names in {group} as text, got {amounts.told(name)}")
                inner = self._mapping(scopes, f"{group}.{name}")
                yield from self._scopes(inner, f"{group}.{name}.", {selects: name})

    def checked(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the arguments with what is beside the limits checked."""
        for name, (check, words) in _CHECKS.items():
            if given.get(name) is not None and not check(given[name]):
                self.refuse(f"expected {name} as {words}, got {amounts.told(given[name])}")
        return given

    def refuse(self, problem: str) -> NoReturn:
        """Raise the UsageError."""
        raise UsageError(f"{self._where}: {problem}")

    def _scopes(self, given: Mapping[Any, Any], before: str, chosen: dict[str, str]) -> Iterator[Limit]:
        for name, values in given.items():
            self._known(name, _SCOPES, "scope")
            yield from self._amounts(self._mapping(values, f"{before}{name}"), Scope(name), f"{before}{name}.", chosen)

    def _amounts(self, given: Mapping[Any, Any], scope: Scope, before: str, chosen: dict[str, str]) -> Iterator[Limit]:
        for name, value in given.items():
            self._known(name, amounts.dimensions_of(scope, selected=bool(chosen)), f"limit of a {scope}")
            if value is None:
                continue
            dimension = Dimension(name)
            try:
                units = amounts.units_of(dimension, value)
            except ValueError:
                self.refuse(f"expected {before}{name} as {amounts.wanted(dimension)}, got {amounts.told(value)}")
            yield Limit(scope, dimension, units, self._where, **chosen)

    def _mapping(self, value: Any, name: str) -> Mapping[Any, Any]:
        if value is not None and not isinstance(value, dict):
            self.refuse(f"expected {name} as a dict, got {amounts.told(value)}")
        return value or {}

    def _known(self, name: Any, known: Iterable[str], kind: str) -> None:
        known = list(known)
        if name not in known:
            from tapemeter.schemas.explain import nearest  # noqa: PLC0415 - only where something is wrong

            called = repr(str(name)[:_LONGEST_NAME])
            self.refuse(f"there is no {kind} {called}{nearest(name, known)}; write one of {', '.join(known)}")


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "unknown_cost": (lambda value: value in _STRICTEST, f"one of {', '.join(UnknownCost)}"),
    "on_stop": (lambda value: value in tuple(OnStop), f"one of {', '.join(OnStop)}"),
    "warn_at": (amounts.is_fraction, "a fraction above 0, at most 1"),
    "default_output_tokens": (amounts.is_count, "a whole number, 1 or more"),
}
"""Fields beside the limits: what they must be, and in words."""


def _given(*values: Any) -> list[Any]:
    return [value for value in values if value is not None]


def _sortable(name: str | None) -> str:
    """Return a name that sorts after None, of which the first character tells it apart."""
    return "" if name is None else f"={name}"

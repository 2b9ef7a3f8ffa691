"""Names by which a program asks for a model, and what they stand for: alias, then group, then the default group.

    resolve("router")        alias → its group
    resolve("cheap")         a group's own name passes through
    resolve("whatever")      anything else, and None: the default group

An alias says what a call is for, its category; a group says which model serves it, and where. All names together are
one snapshot that nothing changes: a change makes another and puts it in the place of the first in one assignment. So
a call that took a snapshot goes by it to its end, whatever is changed meanwhile, and nobody sees half a change.
"""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from tapemeter.client.config import Alias, Group, Wire
from tapemeter.client.defaults import ALIASES, groups_of
from tapemeter.errors import ConfigError, UsageError
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import NoReturn

    from tapemeter.client.config import Endpoint, ProviderConfig

OTHER = "other"
"""The category of an alias of which nothing says what it is for."""
_LONGEST_NAME = 200
"""Characters of the name of an alias, a group or a category."""
_NONE = "none"
_Named = TypeVar("_Named", Alias, Group)


class Resolution(Value):
    """What a name stands for.

    `alias` is the name as it was asked for, None where there was none. `endpoint` is None where the group is served
    like all others. `known` is whether the name is an alias or a group; one that is neither has the default group.
    """

    alias: str | None
    group: str
    model: str
    endpoint: Endpoint | None
    known: bool


class Names(Value):
    """All aliases and groups of one moment; nothing changes them.

    UsageError where an alias or the default has a group that there is not, or where an alias hides a group.
    """

    aliases: Mapping[str, Alias]
    groups: Mapping[str, Group]
    default: str

    @classmethod
    def of(cls, aliases: Mapping[str, Alias], groups: Mapping[str, Group], default: str) -> Names:
        """Return names that keep what these mappings hold now."""
        return cls(MappingProxyType(dict(aliases)), MappingProxyType(dict(groups)), default)

    def __post_init__(self) -> None:
        if not self.groups:
            raise UsageError("there is no group; give at least the default one")
        self.group(self.default, "the default group")
        for key, alias in self.aliases.items():
            _check_name(key, "an alias")
            _check_name(alias.category, f"the category of the alias {key!r}")
            if key != alias.name:
                raise UsageError(f"the alias {alias.name!r} is given under the name {key!r}; give it under its own")
            if key in self.groups and alias.group != key:
                raise UsageError(
                    f"the alias {key!r} for the group {alias.group!r} would hide the group {key!r}; choose another name"
                )
            self.group(alias.group, f"the group of the alias {key!r}")
        for key, group in self.groups.items():
            _check_name(key, "a group")
            if key != group.name:
                raise UsageError(f"the group {group.name!r} is given under the name {key!r}; give it under its own")

    def resolve(self, name: str | None) -> Resolution:
        """Return what a name stands for; the default group for None and for a name that nothing knows."""
        if name is None:
            return self._resolution(None, self.default, known=True)
        if (alias := self.aliases.get(name)) is not None:
            return self._resolution(name, alias.group, known=True)
        known = name in self.groups
        return self._resolution(name, name if known else self.default, known=known)

    def group(self, name: str, what: str = "a group") -> Group:
        """Return the group of that name; UsageError that names those there are, and says `what` was asked for."""
        found = self.groups.get(name)
        if found is None:
            _refuse(name, self.groups, f"{what}: there is no group", "groups")
        return found

    def by_category(self, category: str) -> tuple[Alias, ...]:
        """Return the aliases for one purpose, by name; none where nothing is for it."""
        return tuple(alias for _, alias in sorted(self.aliases.items()) if alias.category == category)

    def by_group(self, group: str) -> tuple[Alias, ...]:
        """Return the aliases that a group serves, by name; UsageError where there is no such group."""
        self.group(group)
        return tuple(alias for _, alias in sorted(self.aliases.items()) if alias.group == group)

    def _resolution(self, asked: str | None, group: str, *, known: bool) -> Resolution:
        found = self.groups[group]
        return Resolution(asked, group, found.model, found.endpoint, known)


class AliasRegistry:
    """The aliases and groups in force. Safe for threads and tasks; every change is whole or not at all.

    A name that is changed holds for the calls that begin from then on; those under way keep their `snapshot`.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._lock = threading.Lock()

    @classmethod
    def from_config(cls, config: ProviderConfig) -> AliasRegistry:
        """Return the registry that a configuration describes; ConfigError for a group that there is not."""
        return cls(_configured(config))

    def __repr__(self) -> str:
        names = self._names
        return f"<aliases {', '.join(f'{alias.name} → {alias.group}' for alias in names.aliases.values())}>"

    def snapshot(self) -> Names:
        """Return all names as they are now, for a call to go by."""
        return self._names

    def resolve(self, name: str | None) -> Resolution:
        """Return what a name stands for now."""
        return self._names.resolve(name)

    def by_category(self, category: str) -> tuple[Alias, ...]:
        """Return the aliases for one purpose, by name."""
        return self._names.by_category(category)

    def by_group(self, group: str) -> tuple[Alias, ...]:
        """Return the aliases that a group serves, by name; UsageError where there is no such group."""
        return self._names.by_group(group)

    def names(self) -> tuple[str, ...]:
        """Return the names of all aliases, sorted."""
        return tuple(sorted(self._names.aliases))

    def groups(self) -> tuple[str, ...]:
        """Return the names of all groups, sorted."""
        return tuple(sorted(self._names.groups))

    def set(self, alias: str, group: str, category: str | None = None) -> None:
        """Have a group serve an alias, a new one or one that there is, which keeps its category if none is given.

        UsageError where there is no such group.
        """

        def change(names: Names) -> Names:
            before = names.aliases.get(alias)
            purpose = category or (OTHER if before is None else before.category)
            return Names.of({**names.aliases, alias: Alias(alias, group, purpose)}, names.groups, names.default)

        self._swap(change)

    def remove(self, alias: str) -> None:
        """Forget an alias, which from then on has the default group; UsageError where there is no such alias."""

        def change(names: Names) -> Names:
            if alias not in names.aliases:
                _refuse(alias, names.aliases, "there is no alias", "aliases")
            left = {name: kept for name, kept in names.aliases.items() if name != alias}
            return Names.of(left, names.groups, names.default)

        self._swap(change)

    def replace(self, aliases: Iterable[Alias], groups: Iterable[Group], default: str) -> None:
        """Put other names in the place of all there are; UsageError, and no change, where they do not fit together."""
        names = Names.of(_by_name(aliases, "alias"), _by_name(groups, "group"), default)
        self._swap(lambda _: names)

    def reload(self, config: ProviderConfig) -> None:
        """Take the names of a configuration that was read again; what was set by hand since is gone.

        ConfigError, and no change, where they do not fit together.
        """
        names = _configured(config)
        self._swap(lambda _: names)

    def _swap(self, change: Callable[[Names], Names]) -> None:
        with self._lock:  # two changes at once would each begin from the same names, and one of them be lost
            self._names = change(self._names)


def _configured(config: ProviderConfig) -> Names:
    wire = Wire.OPENAI if config.endpoint is None else config.endpoint.wire
    try:
        return Names.of(
            {**ALIASES, **config.aliases},
            {**groups_of(config.provider, wire, None), **config.groups},
            config.default_group,
        )
    except UsageError as error:
        raise ConfigError(str(error), path="" if config.source is None else str(config.source)) from None


def _by_name(given: Iterable[_Named], kind: str) -> dict[str, _Named]:
    found: dict[str, _Named] = {}
    for each in given:
        if each.name in found:
            raise UsageError(f"the {kind} {each.name!r} is given twice; give it once")
        found[each.name] = each
    return found


def _check_name(name: object, what: str) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise UsageError(f"expected the name of {what} as a text of 1 to {_LONGEST_NAME} characters, got {name!r:.80}")


def _refuse(name: object, known: Iterable[str], problem: str, kind: str) -> NoReturn:
    from tapemeter.schemas.explain import nearest  # noqa: PLC0415 - only where something is wrong

    known = sorted(known)
    called = repr(str(name)[:_LONGEST_NAME])
    raise UsageError(f"{problem} {called}{nearest(name, known)}; the {kind} are {', '.join(known) or _NONE}")

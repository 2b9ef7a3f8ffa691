"""Reads where model calls go, from the environment and the config file: environment over file over default.

What is wrong is a ConfigError that names the variable, or the line of the file, says what was found, unless that may
be a key, and what is possible. `docs/reference/client-config.md` has every variable and every field.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter.client.aliases import OTHER
from tapemeter.client.config import Alias, Circuit, Group, ProviderConfig, ProviderKind, Retries, Timeouts
from tapemeter.client.config_file import DEFAULT_NAME, ConfigFile
from tapemeter.client.defaults import ALIASES, groups_of
from tapemeter.client.hiding import Hiding
from tapemeter.client.servers import Servers
from tapemeter.client.variables import MOST_RETRIES, Variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tapemeter.client.config import Endpoint

_PRICES = "llm_prices.yaml"
_REPLAY = "replay"
_TIMEOUTS = {
    "connect": "LLM_TIMEOUT_CONNECT",
    "first_chunk": "LLM_TIMEOUT_FIRST_CHUNK",
    "idle": "LLM_TIMEOUT_IDLE",
    "total": "LLM_TIMEOUT_TOTAL",
}


def load(environ: Mapping[str, str], *, config: Path | None = None, root: Path | None = None) -> ProviderConfig:
    """Return what the environment and the config file say, with the defaults for all else; else ConfigError.

    The file is `config`, else what LLM_CONFIG names, else `llm.yaml` if that is there; paths are relative to `root`,
    which is the current folder where it is None.
    """
    folder = Path.cwd() if root is None else root
    hiding = Hiding(environ)
    variables = Variables(environ, hiding)
    return _Reading(variables, _file(variables, hiding, config, folder), hiding, folder).config()


def _file(variables: Variables, hiding: Hiding, config: Path | None, root: Path) -> ConfigFile:
    named = variables.text("LLM_CONFIG") if config is None else None
    path = root / (config or named or DEFAULT_NAME)
    if named is not None and not _is_file(path):
        raise hiding.fault(f"there is no file {hiding.told(named)}; name a config file", path="LLM_CONFIG")
    if config is None and named is None and not _is_file(path):
        return ConfigFile(hiding)
    source = path.relative_to(root) if path.is_relative_to(root) else path
    return ConfigFile.read(path, source=str(source), hiding=hiding)


class _Reading:
    """Puts variables, file and defaults together."""

    def __init__(self, variables: Variables, file: ConfigFile, hiding: Hiding, root: Path) -> None:
        self._variables, self._file, self._hiding, self._root = variables, file, hiding, root
        self._mode = self._read_mode()

    def config(self) -> ProviderConfig:
        """Return the whole; what the provider in use does not need is checked, and left out."""
        provider = self._variables.word("LLM_PROVIDER", ProviderKind)
        provider = provider or ProviderKind(self._file.get("provider") or ProviderKind.REAL)
        servers = self._servers(provider)
        real, gateway = servers.real(), servers.gateway()
        groups, aliases = self._groups(provider, real), self._aliases()
        self._check_groups(groups, aliases)
        fallbacks = self._file.get("fallbacks")
        return ProviderConfig(
            provider=provider,
            endpoint=real if provider is ProviderKind.REAL else None,
            gateway=gateway if provider is ProviderKind.GATEWAY else None,
            timeouts=self._timeouts(),
            retries=self._retries(),
            circuit=replace(Circuit(), **self._file.section("circuit")),
            groups=groups,
            aliases=aliases,
            default_group=self._file.get("default_group") or "main",
            fallbacks=("fallback",) if fallbacks is None else tuple(fallbacks),
            mode=self._mode,
            prices=self._prices(),
            source=self._file.path,
        )

    def _servers(self, provider: ProviderKind) -> Servers:
        in_use = None if self._mode == _REPLAY else provider
        return Servers(self._variables, self._file, self._hiding, provider, keys_of=in_use)

    def _read_mode(self) -> str | None:
        text = self._variables.text("LLM_MODE")
        if text is None:
            return None
        from tapemeter.settings import MODES  # noqa: PLC0415 - brings cassettes along

        word = text.lower()
        if word not in MODES:
            problem = f"expected one of {', '.join(MODES)}, found {self._hiding.told(text)}"
            raise self._hiding.fault(problem, path="LLM_MODE")
        return word

    def _timeouts(self) -> Timeouts:
        listed = self._file.section("timeouts")
        given = {name: None if seconds is None else float(seconds) for name, seconds in listed.items()}
        for name, variable in _TIMEOUTS.items():
            given.update((name, seconds) for seconds in self._variables.seconds(variable).values())
        return replace(Timeouts(), **given)

    def _retries(self) -> Retries:
        made = replace(Retries(), **self._file.section("retries"))
        if made.first_wait > made.longest_wait:
            problem = f"retries.first_wait: expected at most longest_wait, {made.longest_wait}, found {made.first_wait}"
            raise self._file.fault(problem, ("retries", "first_wait"))
        retries = self._variables.count("LLM_RETRIES", MOST_RETRIES)
        return made if retries is None else replace(made, attempts=retries + 1)

    def _groups(self, provider: ProviderKind, main: Endpoint) -> dict[str, Group]:
        """Return the groups that are there without a file, under those that the file gives."""
        model = self._variables.name("LLM_MODEL")
        groups = groups_of(provider, main.wire, model)
        servers = self._servers(provider)
        for name, given in self._file.section("groups").items():
            self._check_name(name, "groups", name)
            self._check_name(given["model"], "groups", name, "model")
            # Beside a gateway, a group is served elsewhere only where the file says at which address.
            own = provider is ProviderKind.REAL or (
                provider is ProviderKind.GATEWAY and given.get("endpoint", {}).get("base_url") is not None
            )
            groups[name] = Group(name, given["model"], servers.of_group(name, main) if own else None)
        if provider is ProviderKind.REAL:
            return groups
        # A gateway has groups of its own, which nothing here can list, so a name that is not known is taken for one.
        for name, _ in self._groups_named():
            groups.setdefault(name, Group(name, model or (name if provider is ProviderKind.GATEWAY else "echo")))
        return groups

    def _aliases(self) -> dict[str, Alias]:
        aliases = dict(ALIASES)
        for name, given in self._file.section("aliases").items():
            self._check_name(name, "aliases", name)
            before = ALIASES.get(name)
            category = OTHER if before is None else before.category
            if isinstance(given, str):
                aliases[name] = Alias(name, given, category)
            else:
                self._check_name(given.get("category", category), "aliases", name, "category")
                aliases[name] = Alias(name, given["group"], given.get("category", category))
        return aliases

    def _groups_named(self) -> Iterator[tuple[str, tuple[str | int, ...]]]:
        """Yield each group that the file speaks of, with the place where it does."""
        for name, given in self._file.section("aliases").items():
            yield (given, ("aliases", name)) if isinstance(given, str) else (given["group"], ("aliases", name, "group"))
        default = self._file.get("default_group")
        if default is not None:
            yield default, ("default_group",)
        for number, name in enumerate(self._file.get("fallbacks") or ()):
            yield name, ("fallbacks", number)

    def _check_groups(self, groups: Mapping[str, Group], aliases: Mapping[str, Alias]) -> None:
        """Refuse a group that there is not, and an alias that hides one."""
        for name, place in self._groups_named():
            self._check_name(name, *place)
            if name not in groups:
                from tapemeter.schemas.explain import nearest  # noqa: PLC0415 - only where something is wrong

                hint = "" if self._hiding.may_be_a_key(name) else nearest(name, groups)
                problem = f"there is no group {self._hiding.told(name)}{hint}; add it to groups, with its model"
                raise self._file.fault(problem, place)
        for name in groups:
            if name in aliases and aliases[name].group != name:
                kind = "aliases" if name in self._file.section("aliases") else "groups"
                told, other = self._hiding.told(name), self._hiding.told(aliases[name].group)
                problem = f"the alias {told} for the group {other} would hide the group {told}; choose another name"
                raise self._file.fault(problem, (kind, name))

    def _check_name(self, name: str, *place: str | int) -> None:
        if self._hiding.is_a_key(name):
            raise self._file.fault("this is a name, and what stands there looks like a key", place)

    def _prices(self) -> Path | None:
        """Return the price file that the config file names, else the one of the root folder, where it is there."""
        named = self._file.get("prices")
        if named is None:
            usual = self._root / _PRICES
            return usual if _is_file(usual) else None
        path: Path = (self._root if self._file.path is None else self._file.path.parent) / named
        if not _is_file(path):
            problem = f"there is no price file {self._hiding.told(named)} in the folder of this file"
            raise self._file.fault(problem, ("prices",))
        return path


def _is_file(path: Path) -> bool:
    with suppress(OSError, ValueError):
        return path.is_file()
    return False

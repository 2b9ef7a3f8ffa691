"""Reads `llm.yaml`, the file that says where model calls go: checked, with the line of each fault, and without keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter import documents, schemas
from tapemeter.client.addresses import address_of
from tapemeter.documents import Document
from tapemeter.values import Value, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tapemeter.client.config import Wire
    from tapemeter.client.hiding import Hiding
    from tapemeter.errors import ConfigError
    from tapemeter.schemas import Problem

DEFAULT_NAME = "llm.yaml"
"""The file that is read without being named, where it is there."""

_KEYS = frozenset(
    {"api_key", "apikey", "key", "access_key", "secret", "secret_key", "token", "access_token", "api_token"}
    | {"bearer", "auth", "authorization", "password", "credentials", "headers"}
)
"""Fields under which people write a key."""

Place = tuple[str | int, ...]


class ConfigFile(Value):
    """What stands in the file; nothing, where `path` is None."""

    hiding: Hiding
    path: Path | None = None
    document: Document = field(default_factory=lambda: Document({}, ""))

    @classmethod
    def read(cls, path: Path, *, source: str, hiding: Hiding) -> ConfigFile:
        """Return the file; ConfigError with its line for whatever is wrong in it. `source` is its name in messages."""
        file = cls(hiding, path, documents.read(path, source=source, fault=hiding.fault_of_a_file))
        for place in _keys(file.document.value):
            raise file.fault(
                "keys do not stand in this file; put the key into an environment variable, and the name of that "
                "variable here, as api_key_env",
                place,
            )
        if not schemas.valid(file.document.value, schemas.CONFIG):
            first, *others = file.document.problems(schemas.CONFIG)
            more = f" (and {len(others)} more)" if others else ""
            raise file.fault(f"{file._quiet(first)}{more}", first.path)
        return file

    def section(self, *place: str) -> Mapping[str, Any]:
        """Return a mapping of the file, empty where it is not there or null; what is null in it is there."""
        value = self.document.value
        for name in place:
            value = (value or {}).get(name)
        return value or {}

    def get(self, *place: str) -> Any:
        """Return a value of the file, None where it is not there."""
        return self.section(*place[:-1]).get(place[-1])

    def address(self, wire: Wire | None, *place: str) -> str | None:
        """Return the address of a server, as it is kept; `wire` is None for a gateway."""
        text = self.get(*place)
        if text is None:
            return None
        try:
            return address_of(text, wire)
        except ValueError as error:
            raise self.fault(str(error), place) from None

    def fault(self, problem: str, place: Place) -> ConfigError:
        """Return the error for a value of the file."""
        return self.hiding.fault(problem, path=self.document.source, line=self.document.line(place))

    def _quiet(self, problem: Problem) -> Problem:
        """Return a problem as a message may show it: a value or a field that may be a key is not in it."""
        hiding, value = self.hiding, self.document.value
        known = _fields()
        path = tuple(
            "…" if isinstance(part, str) and part not in known and hiding.may_be_a_key(part) else part
            for part in problem.path
        )
        for part in problem.path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                value = None
        found = problem.found
        if isinstance(value, str) and hiding.may_be_a_key(value):
            found = hiding.told(value)
        elif path[-1:] != problem.path[-1:] and '"' in found:
            found = "a name that is not shown, since it may be a key"
        return schemas.Problem(path, problem.expected, found)


def _keys(value: Any) -> Iterator[Place]:
    """Yield the places at which the file holds a key, by the names of its fields."""
    for place, section in _sections(value):
        for name in section:
            if str(name).lower().replace("-", "_") in _KEYS:
                yield (*place, name)


def _sections(value: Any) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Yield the mappings in which all names are the schema's, not the user's."""
    if not isinstance(value, dict):
        return
    groups = value.get("groups")
    places: list[Place] = [(), ("endpoint",), ("gateway",)]
    for name in groups if isinstance(groups, dict) else ():
        places += [("groups", name), ("groups", name, "endpoint")]
    for place in places:
        section: Any = value
        for part in place:
            section = section.get(part) if isinstance(section, dict) else None
        if isinstance(section, dict):
            yield place, section


def _fields() -> frozenset[str]:
    """Return the names of all fields of the schema."""
    found: set[str] = set()
    waiting: list[Any] = [schemas.schema(schemas.CONFIG)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            found.update(part.get("properties", {}))
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return frozenset(found)

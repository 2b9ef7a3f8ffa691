"""Reads the small files that people write, YAML or JSON, and checks them against their schema.

Nothing in a file runs, and nothing is guessed: a key that is there twice, a tag or an anchor is a fault. Every fault
names the file and, where it has a place, the line.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from tapemeter import schemas, yaml_reader
from tapemeter.errors import PolicyError, TapemeterError
from tapemeter.values import Value, field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tapemeter.schemas import Problem
    from tapemeter.yaml_reader import Place

MAX_BYTES = 1024 * 1024
"""Bytes of a file."""


class Fault(Protocol):
    """Makes the error for a fault of a file; `line` is None where it has no place."""

    def __call__(self, problem: str, *, path: str, line: int | None) -> TapemeterError: ...  # noqa: D102 - see above


class Document(Value):
    """What stands in a file. `source` is what messages call the file."""

    value: Any
    source: str
    lines: Mapping[Place, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Document({self.value!r}, {self.source!r})"

    def line(self, path: Place) -> int | None:
        """Return the line of a value, else of what it is in; None where no line is known, as may be in JSON."""
        return next((self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), None)

    def where(self, path: Place) -> str:
        """Return file and line of a value, `policies/default.yaml:5`."""
        line = self.line(path)
        return self.source if line is None else f"{self.source}:{line}"

    def problems(self, name: str) -> list[Problem]:
        """Return every place at which the document breaks the schema of that name, in order."""
        return schemas.problems(self.value, name)


def load(path: Path, name: str, *, source: str | None = None, fault: Fault = PolicyError) -> Document:
    """Return the document in a file, which keeps the schema of that name; else `fault` is raised.

    `source` is what messages call the file: its path, where nothing is given.
    """
    document = read(path, source=source, fault=fault)
    if schemas.valid(document.value, name):
        return document
    first, *others = document.problems(name)
    more = f" (and {len(others)} more)" if others else ""
    raise fault(f"{first}{more}", path=document.source, line=document.line(first.path))


def read(path: Path, *, source: str | None = None, fault: Fault = PolicyError) -> Document:
    """Return the document in a file, checked against nothing: JSON if it is named so, else YAML."""
    source = str(path) if source is None else source
    text = _text(path, source, fault)
    lines: dict[Place, int] = {}
    try:
        value = _json(text, lines) if path.suffix == ".json" else yaml_reader.load(text, lines=lines)
        json.dumps(value, ensure_ascii=False).encode()
    except (yaml_reader.YamlError, _JsonError) as error:
        raise fault(error.problem, path=source, line=error.line) from None
    except UnicodeEncodeError:
        raise fault("half of a character, an escaped surrogate, must not stand alone", path=source, line=None) from None
    return Document(value, source, lines)


def _text(path: Path, source: str, fault: Fault) -> str:
    try:
        if not path.is_file():
            problem = "this is no ordinary file" if path.exists() else "there is no such file"
            raise fault(problem, path=source, line=None)
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}; make it readable"
        raise fault(problem, path=source, line=None) from None
    if len(content) > MAX_BYTES:
        raise fault(f"the file is larger than {MAX_BYTES:,} bytes", path=source, line=None)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise fault("this is not UTF-8 text", path=source, line=line) from None


class _JsonError(ValueError):
    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.problem, self.line = problem, line


def _json(text: str, lines: dict[Place, int]) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=_mapping, parse_float=_number, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise _JsonError(f"this is not JSON: {error.msg}", error.lineno) from None
    except _JsonError:
        raise
    except (ValueError, RecursionError):
        raise _JsonError("this is not JSON that can be read: too many digits, or too deep") from None
    try:
        yaml_reader.load(text, lines=lines)
    except yaml_reader.YamlError:
        lines.clear()  # JSON of a kind that is no YAML is rare, and its values are known all the same
    return value


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise _JsonError(f"the key {json.dumps(key[:40])} is there twice")
        made[key] = value
    return made


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _JsonError("a number is too large")
    return number


def _refuse(word: str) -> NoReturn:
    raise _JsonError(f"{word} is no number")

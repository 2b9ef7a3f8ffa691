"""Writes the passages of the documentation that are made from the code.

    python tests/docs/regenerate.py

A passage stands between `<!-- generated: NAME -->` and `<!-- end -->`, a number after `<!-- value: NAME -->`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from pages import PAGES, ROOT

from tapemeter import model, providers, yaml_reader
from tapemeter.cassette import body, encoding, store, volatile, yaml_writer
from tapemeter.isolation import programs
from tapemeter.providers import prompt
from tapemeter.redact import names, shapes
from tapemeter.trace import schema, views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PASSAGE = re.compile(r"^( *)<!-- generated: (.+?) -->\n(.*?)^ *<!-- end -->$", re.MULTILINE | re.DOTALL)
_VALUE = re.compile(r"(<!-- value: (\w+) -->)[^|\n]*")
_BOUNDS = (store, encoding, yaml_reader, yaml_writer, prompt)
"""The modules whose constants a page may name as a value."""
_MIB = 1024 * 1024
_WIDTH = 116


def regenerated(text: str) -> str:
    """Return the text of a page with every passage made anew."""
    text = _PASSAGE.sub(_passage, text)
    return _VALUE.sub(lambda found: f"{found[1]}{_value(found[2])} ", text)


def _passage(found: re.Match[str]) -> str:
    indent, name = found[1], found[2]
    made = PASSAGES[name]() if name in PASSAGES else _help_of(name)
    lines = [f"<!-- generated: {name} -->", *made.splitlines(), "<!-- end -->"]
    return "\n".join(indent + line if line else "" for line in lines)


def _value(name: str) -> str:
    value = next(vars(module)[name] for module in _BOUNDS if name in vars(module))
    return f"{value // _MIB} MiB" if value >= _MIB else f"{value:,}"


def _output(*command: str) -> str:
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHON_COLORS": "0"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def _help() -> str:
    """Return our group of what `pytest --help` prints."""
    printed = _output(sys.executable, "-W", "ignore", "-m", "pytest", "--help")
    found = re.search(r"^language-model calls.*?(?=\n\n)", printed, re.MULTILINE | re.DOTALL)
    assert found
    return _code(found[0])


def _help_of(command: str) -> str:
    """Return what a `tapemeter` command prints of itself."""
    words = command.removesuffix(" --help").split()[1:]
    return _code(_output(sys.executable, "-m", "tapemeter", *words, "--help"))


def _code(text: str) -> str:
    return f"```text\n{text.strip()}\n```"


def _listed(names: Iterable[str]) -> str:
    """Return names in code style, filled into lines."""
    lines, line = [], ""
    for name in names:
        piece = f"`{name}`"
        if line and len(line) + len(piece) + 2 > _WIDTH:
            lines.append(line + ",")
            line = piece
        else:
            line = f"{line}, {piece}" if line else piece
    return "\n".join([*lines, line])


def _any_case(name: str) -> tuple[str, str]:
    return name.lower(), name


def _claims() -> str:
    rows = ["| protocol | host | path |", "|---|---|---|"]
    for rule in providers.RULES:
        cells = (f"`{pattern.pattern}`".replace("|", r"\|") if pattern else "any" for pattern in (rule.host, rule.path))
        rows.append(f"| {rule.protocol} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _dropped(exact: Iterable[str], prefixes: Iterable[str]) -> str:
    return _listed(sorted([*exact, *(f"{prefix}*" for prefix in prefixes)]))


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _trace_tables() -> str:
    made: list[str] = []
    for table in schema.TABLES:
        key = ", ".join(f"`{name}`" for name in table.key)
        made += [f"### `{table.name}`", "", f"{table.meaning[:1].upper()}{table.meaning[1:]}. Key: {key}.", ""]
        made += ["| column | holds | means |", "|---|---|---|"]
        for column in table.columns:
            meaning = f"{column.meaning}; generated" if column.rule else column.meaning
            made.append(_cells(f"`{column.name}`", column.kind.value, meaning))
        if table.indexes:
            indexes = "; ".join(", ".join(f"`{name}`" for name in index) for index in table.indexes)
            made += ["", f"Indexes: {indexes}."]
        made.append("")
    return "\n".join(made).rstrip()


def _trace_views() -> str:
    rows = [_cells(f"`cost_by_{by}`", ", ".join(f"`{name}`" for name in keys)) for by, keys in views.KEYS.items()]
    return "\n".join(["| view | a row for each |", "|---|---|", *rows])


def _trace_figures() -> str:
    rows = [_cells(f"`{column}`", meaning) for column, meaning in views.columns()]
    return "\n".join(["| column | means |", "|---|---|", *rows])


def _network_programs() -> str:
    rows = [_cells(does, ", ".join(f"`{name}`" for name in known)) for does, known in programs.KNOWN.items()]
    return "\n".join(["| they | programs |", "|---|---|", *rows])


def _clients() -> str:
    sys.path.append(str(ROOT / "tests" / "clients"))
    from seen import table  # noqa: PLC0415 - beside the tests of the SDKs, whose folder is on the path only now

    return str(table())


PASSAGES: dict[str, Callable[[], str]] = {
    "help": _help,
    "claims": _claims,
    "clients": _clients,
    "headers": lambda: _listed(sorted(names.HEADERS)),
    "parameters": lambda: _listed(sorted(names.SECRET_QUERY_PARAMETERS)),
    "fields": lambda: _listed(sorted(names.FIELDS, key=_any_case)),
    "shapes": lambda: _listed(sorted((prefix.replace("\\", "") for prefix, _ in shapes._KEYS), key=_any_case)),
    "stream-types": lambda: _listed(sorted(model.STREAM_TYPES)),
    "styles": lambda: _listed(body._STYLES),
    "trace-tables": _trace_tables,
    "trace-views": _trace_views,
    "trace-figures": _trace_figures,
    "network programs": _network_programs,
    "dropped-request": lambda: _dropped(volatile.REQUEST, volatile.REQUEST_PREFIXES),
    "dropped-response": lambda: _dropped(volatile.RESPONSE, volatile.RESPONSE_PREFIXES),
    "dropped-answer": lambda: _dropped((), volatile.LIMIT_PREFIXES),
}


def main() -> None:
    """Rewrite the pages that have changed, and name them."""
    for page in PAGES:
        made = regenerated(page.text)
        if made != page.text:
            page.path.write_text(made, encoding="utf-8")
            sys.stdout.write(f"{page.name}\n")


if __name__ == "__main__":
    main()

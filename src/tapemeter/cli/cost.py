"""`tapemeter cost`: what calls cost over all runs, by test, job, run, day and more; and plain SQL over the same."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapemeter import trace
from tapemeter.cli import runs, tables
from tapemeter.cli.output import as_json, complain, count, safe_error
from tapemeter.errors import UsageError
from tapemeter.events import layout
from tapemeter.report.terminal import dollars
from tapemeter.values import asdict

if TYPE_CHECKING:
    from tapemeter.trace import Costs, Figures, Ingested

_ROWS = 1000
"""Rows of a query that are printed by default."""
_MOST_ROWS = 1_000_000
_DAY = "day"
_CHOSEN = ("run", "job", "test", "model")
_HEADS = ("calls", "in", "out", "spent", "avoided", "today")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Tells what calls cost over all runs in the report directory: what was spent, what replay avoided, and\n"
        "what that would cost today. Days and runs come in order, all others dearest first. The figures are\n"
        "kept in a SQLite file, which is first brought up to date with the events. With --sql: what one SELECT\n"
        "over that file gives.\n\n"
        "Times are UTC: 90m, 24h, 7d, 2w (ago), 2026-11-01, 2026-11-01T08:00, 2026-11-01T08:00+01:00.\n\n"
        "Exit code: 0; 1 if a run cannot be read, and so is left out; 2 for wrong usage, or a file that cannot\n"
        "be used."
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--by", choices=tuple(trace.KEYS), help=f"what to tell costs by (default: {_DAY})")
    what.add_argument("--sql", metavar="QUERY", help="answer this SELECT instead; it can only read")
    parser.add_argument("--since", metavar="TIME", help="count calls from this time on")
    parser.add_argument("--until", metavar="TIME", help="count calls before this time; a day is counted whole")
    for name in _CHOSEN:
        help_line = f"count calls of this {name}; * is any text"
        parser.add_argument(f"--{name}", dest=f"of_{name}", metavar="NAME", help=help_line)
    parser.add_argument(
        "--limit",
        type=_limit,
        metavar="N",
        help=f"print this many rows (default: all; {_ROWS} with --sql)",
    )
    parser.add_argument("--format", choices=("table", "json", "csv"), help="what to print (default: table)")
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    parser.add_argument(
        "--db",
        type=Path,
        metavar="PATH",
        help=f"the SQLite file (default: {trace.FILE} in the report directory)",
    )
    parser.add_argument("--rebuild", action="store_true", help="make the SQLite file anew from the events")
    runs.add_report_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Bring the store up to date, ask it, and print what it says."""
    root: Path = arguments.report_dir
    if layout.latest(root) is None:
        raise UsageError(
            f"there is no run in {root}; run pytest with tests that call models, or name another --report-dir"
        )
    asked = _question(arguments)
    if arguments.sql is not None and (
        given := [*asked["where"], *(each for each in ("since", "until") if asked[each])]
    ):
        raise UsageError(f"--sql does not go with --{given[0]}; say it in the query, with WHERE")
    state = trace.ingest(root, arguments.db, rebuild=arguments.rebuild)
    if arguments.sql is not None:
        answer = trace.ask(state.path, arguments.sql, limit=_ROWS if arguments.limit is None else arguments.limit)
        _print_answer(answer, arguments.format, state)
    else:
        _print_costs(trace.costs(state.path, **asked), arguments.format, asked, state)
    for finding in state.findings:
        complain(safe_error(finding.as_error()))
    return 1 if state.findings else 0


def _question(arguments: argparse.Namespace) -> dict[str, Any]:
    now = datetime.now(UTC)
    since = None if arguments.since is None else trace.moment(arguments.since, now=now)
    until = None if arguments.until is None else trace.moment(arguments.until, now=now, end=True)
    names = {name: getattr(arguments, f"of_{name}") for name in _CHOSEN}
    where = {name: value for name, value in names.items() if value is not None}
    return {
        "by": arguments.by or _DAY,
        "since": since,
        "until": until,
        "where": where,
        "limit": arguments.limit,
    }


def _limit(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(_MOST_ROWS)) else 0
    if not 1 <= number <= _MOST_ROWS:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {_MOST_ROWS:,}")
    return number


# Costs


def _print_costs(costs: Costs, form: str | None, asked: dict[str, Any], state: Ingested) -> None:
    if form == "json":
        print(as_json(_document(costs, asked, state)))
    elif form == "csv":
        names = tuple(_plain(costs.total))
        rows = [[*key, *_plain(figures).values()] for key, figures in costs.rows]
        print(tables.csv((*costs.columns, *names), rows), end="")
    else:
        _print_table(costs, state)


def _document(costs: Costs, asked: dict[str, Any], state: Ingested) -> dict[str, Any]:
    period = {name: None if asked[name] is None else asked[name].isoformat() for name in ("since", "until")}
    return {
        "by": costs.by,
        **period,
        "where": asked["where"],
        "rows": [{**dict(zip(costs.columns, key, strict=True)), **_plain(figures)} for key, figures in costs.rows],
        "groups": costs.groups,
        "totals": _plain(costs.total),
        "runs": state.runs,
        "db": str(state.path),
        "problems": _problems(state),
    }


def _plain(figures: Figures) -> dict[str, Any]:
    """Return figures as JSON and CSV have them: money as text, so that no digit is lost."""
    return {name: _text(value) if isinstance(value, Decimal) else value for name, value in asdict(figures).items()}


def _text(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _problems(state: Ingested) -> list[str]:
    return [safe_error(finding.as_error()) for finding in state.findings]


def _print_table(costs: Costs, state: Ingested) -> None:
    several = len(costs.columns)
    total = "all" if costs.groups == len(costs.rows) else f"all {costs.groups:,}"
    rows = [[*_cells(figures), *key] for key, figures in costs.rows]
    rows.append([*_cells(costs.total), total, *[""] * (several - 1)])
    right = [*[True] * len(_HEADS), *[False] * several]
    print(tables.table([*_HEADS, *costs.columns], rows, right=right))
    if costs.total.at_least:
        print("+ at least: the price or the usage of some call is not known, or not all of it")
    if costs.total.unpriced:
        print(f"{count(costs.total.unpriced, 'attempt')} of unknown price")
    print(f"{count(state.runs, 'run')} in {tables.cell(state.path)}")


def _cells(figures: Figures) -> list[str]:
    least = "+" if figures.at_least else ""
    money = (figures.spent_usd, figures.avoided_usd, figures.today_usd)
    counts = (figures.calls, figures.input_tokens, figures.output_tokens)
    return [*(f"{number:,}" for number in counts), *(f"{dollars(_text(amount))}{least}" for amount in money)]


# Queries


def _print_answer(answer: trace.Answer, form: str | None, state: Ingested) -> None:
    if form == "json":
        rows = [[tables.plain(value) for value in row] for row in answer.rows]
        print(as_json({"columns": answer.columns, "rows": rows, "more": answer.more, "problems": _problems(state)}))
    elif form == "csv":
        print(tables.csv(answer.columns, answer.rows), end="")
    else:
        right = [
            all(isinstance(row[place], int | float | None) for row in answer.rows)
            for place in range(len(answer.columns))
        ]
        print(tables.table(answer.columns, answer.rows, right=right))
    if answer.more and form != "json":
        complain(f"only the first {count(len(answer.rows), 'row')}; ask for more with --limit")

"""`tapemeter ready`: whether model calls would work."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter.cli.output import as_json, line
from tapemeter.cli.runs import DEFAULT

if TYPE_CHECKING:
    from tapemeter.client.readiness import Readiness

_PROFILES = ("core", "llm", "full")
_TIMEOUT, _LONGEST = 5.0, 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Checks what model calls need, and says what is missing. Where calls go is read from the environment\n"
        "and the config file, as they are when a program calls a model. No key is shown.\n\n"
        "  core  Python, the package, its schemas, the configuration, the folder of the evidence\n"
        "  llm   core, and that the configured provider or gateway is there and takes the key\n"
        "  full  llm, and that a model answers one request for one token, which costs what that costs\n\n"
        "Exit code: 0; 1 if a check failed; 2 for wrong usage."
    )
    parser.add_argument("--profile", choices=_PROFILES, default="core", help="how much is checked (default: core)")
    parser.add_argument("--config", type=Path, metavar="PATH", help="config file (default: LLM_CONFIG, else llm.yaml)")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=_TIMEOUT,
        metavar="S",
        help=f"seconds for all checks together (default: {_TIMEOUT:g})",
    )
    parser.add_argument(
        "--report-dir",
        type=Path,
        default=DEFAULT,
        metavar="DIR",
        help=f"folder of the evidence, which must take files (default: {DEFAULT})",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="what to print (default: text)")


def run(arguments: argparse.Namespace) -> int:
    """Make the checks and print what they found."""
    from tapemeter.client import readiness  # noqa: PLC0415 - the help needs none of it

    found = readiness.check(
        arguments.profile,
        arguments.config,
        root=Path.cwd(),
        report_dir=arguments.report_dir,
        timeout=arguments.timeout,
    )
    print(as_json(found.document()) if arguments.format == "json" else _text(found))
    return 0 if found.ok else 1


def _text(found: Readiness) -> str:
    widest = max(len(check.name) for check in found.checks)
    lines = [f"{check.name:<{widest}}  {check.status:<7}  {line(check.detail)}" for check in found.checks]
    return "\n".join([*lines, f"{found.profile}: {'ready' if found.ok else 'not ready'}"])


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0, at most {_LONGEST:g}")
    return seconds

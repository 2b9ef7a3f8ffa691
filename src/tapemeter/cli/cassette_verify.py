"""`tapemeter cassette verify`: whether cassettes are whole and hold no secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tapemeter.cassette import age, store
from tapemeter.cassette import format as cassette_format
from tapemeter.cassette.verify import Checked, Finding, Kind, Verifier
from tapemeter.cli import files
from tapemeter.cli.output import as_json, count, line
from tapemeter.errors import CassetteError, CassetteFormatError
from tapemeter.values import asdict

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Checks every cassette whole: its form, its end mark, and that each stored key is that of its request.\n"
        "Looks for secrets that slipped through: redaction, with the values in this environment and the rules\n"
        "given, must find nothing left to hide. Says where a secret is, never what it is. With --max-age: that no\n"
        "recording is older. Notes, no problems, are files edited by hand (whose digest is no longer theirs),\n"
        "partial recordings, equal questions with equal answers, and tapes of other tools.\n\n"
        "Exit code: 0; 1 if there is a problem; 2 for wrong usage."
    )
    files.add_paths(parser)
    parser.add_argument(
        "--redact",
        action="append",
        default=[],
        metavar="RULE",
        help="one more rule of redaction, as in ini llm_redact: header:NAME, query:NAME, json:NAME, env:NAME or "
        "text:REGEX; repeatable",
    )
    parser.add_argument("--max-age", metavar="AGE", help="how old a recording may be: 36h, 90d, 12w (default: any)")
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the files and print what was found."""
    longest = None if arguments.max_age is None else age.parse(arguments.max_age, "--max-age")
    verifier = Verifier(arguments.redact, before=age.cutoff(longest, datetime.now(UTC)))
    paths = files.find(arguments.paths)
    checked = [_check(path, verifier) for path in paths]
    findings = [finding for each in checked for finding in each.findings]
    interactions = sum(each.interactions for each in checked)
    problems = [finding for finding in findings if finding.is_problem]
    notes = [finding for finding in findings if not finding.is_problem]
    if arguments.json:
        totals = {"cassettes": len(paths), "interactions": interactions}
        print(as_json({"problems": _fields(problems, verifier), "notes": _fields(notes, verifier), "totals": totals}))
    else:
        for finding in findings:
            print(line(verifier.safe(_sentence(finding))))
        checks = f"{count(len(paths), 'cassette')}, {count(interactions, 'interaction')}"
        print(f"{checks}: {count(len(problems), 'problem')}, {count(len(notes), 'note')}")
    return 1 if problems else 0


def _check(path: Path, verifier: Verifier) -> Checked:
    try:
        text = store.read(path)
    except OSError as error:
        return _unreadable(path, f"cannot be read: {error.strerror or error}; make it readable")
    except CassetteFormatError as error:  # compressed, or nothing at all
        return _of_others(path, verifier) or _unreadable(path, error.problem, error.line)
    except CassetteError as error:
        return _unreadable(path, str(error).removeprefix(f"{path}: "))
    if text.strip() and cassette_format.version(text) is None and (checked := _of_others(path, verifier)) is not None:
        return checked
    return verifier.check(text, str(path))


def _of_others(path: Path, verifier: Verifier) -> Checked | None:
    """Check a tape of another tool; None where it is none."""
    from tapemeter.cassette.tapes import tape as tapes  # noqa: PLC0415 - only for tapes of other tools

    try:
        found = tapes.read(path)
    except (CassetteError, OSError):
        return None
    return verifier.check_tape(tapes.interactions_of(found), str(path), found.form)


def _unreadable(path: Path, message: str, at: int | None = None) -> Checked:
    return Checked(0, (Finding(Kind.FORMAT, str(path), message, at),))


def _fields(findings: list[Finding], verifier: Verifier) -> list[dict[str, object]]:
    return [
        {name: verifier.safe(value) if isinstance(value, str) else value for name, value in asdict(finding).items()}
        for finding in findings
    ]


def _sentence(finding: Finding) -> str:
    place = finding.path if finding.line is None else f"{finding.path}:{finding.line}"
    number = "" if finding.interaction is None else f"interaction {finding.interaction}: "
    note = "" if finding.is_problem else "note: "
    return f"{place}: {note}{number}{finding.message}"

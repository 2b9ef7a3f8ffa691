"""`tapemeter cassette verify`: whether cassettes are whole and hold no secret."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tapemeter.cassette import store
from tapemeter.cassette.verify import Checked, Finding, Kind, Verifier
from tapemeter.cli import files
from tapemeter.cli.output import as_json, count, line
from tapemeter.errors import CassetteError, CassetteFormatError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Checks every cassette whole: its form, its end mark, and that each stored key is that of its request.\n"
        "Looks for secrets that slipped through: redaction, with the values in this environment and the rules\n"
        "given, must find nothing left to hide. Says where a secret is, never what it is. That a file was\n"
        "edited by hand is a note, no problem.\n\n"
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
    files.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the files and print what was found."""
    verifier = Verifier(arguments.redact)
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
    except CassetteFormatError as error:
        return _unreadable(path, error.problem, error.line)
    except CassetteError as error:
        return _unreadable(path, str(error).removeprefix(f"{path}: "))
    return verifier.check(text, str(path))


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

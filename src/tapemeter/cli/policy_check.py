"""`tapemeter policy check`: whether files of limits and prices are what they should be, and which limits hold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tapemeter import documents, schemas
from tapemeter.budget import published
from tapemeter.budget.dimensions import plain, shown
from tapemeter.budget.policy import from_document
from tapemeter.cli.files import add_json
from tapemeter.cli.output import as_json, count, line
from tapemeter.errors import PolicyError, TapemeterError, UsageError
from tapemeter.redact import Redactor
from tapemeter.schemas.explain import shown as shown_value
from tapemeter.values import Value, asdict

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from tapemeter.budget.degrade import Degrade
    from tapemeter.budget.policy import Policy
    from tapemeter.documents import Document

DEFAULT = Path("policies")
"""Where the command looks that was given no path."""

_KINDS = (schemas.BUDGET_POLICY, schemas.PRICES)


class _Finding(Value):
    """What is wrong with a file; `place`, `expected` and `found` are None where there is no field to name."""

    path: str
    line: int | None
    message: str
    place: str | None = None
    expected: str | None = None
    found: str | None = None


class _Checked(Value):
    """A file: the policy in it, None where it holds prices or is broken."""

    path: str
    schema: str | None = None
    policy: Policy | None = None
    findings: tuple[_Finding, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "Checks budget policies and price files, which the field schema tells apart, and prints the limits\n"
        "that hold under each policy, with the defaults filled in. With --against: checks that every versioned\n"
        "file (NAME_v1.yaml) that a commit has is still the same to the byte, since a published file is never\n"
        "edited; a change is a new file.\n\n"
        "Exit code: 0; 1 if there is a problem; 2 for wrong usage."
    )
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help=f"file, or folder with files named NAME_v1.yaml, .yml or .json at any depth (default: {DEFAULT}/)",
    )
    parser.add_argument(
        "--against", metavar="GIT_REF", help="the commit whose files are published, such as origin/main"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the files and print what holds, and what is wrong."""
    paths = arguments.paths or [DEFAULT]
    changed = [] if arguments.against is None else published.changes(paths, arguments.against)
    gone = [change.path for change in changed if change.gone]
    files = _find(paths, gone)
    checked = [_check(path) for path in files]
    findings = [finding for each in checked for finding in each.findings]
    findings += [_published(change, arguments.against) for change in changed]
    safe = Redactor().text
    if arguments.json:
        print(as_json(_document(checked, findings, safe)))
    else:
        for each in checked:
            _print(each, safe)
        for finding in findings:
            print(line(safe(_sentence(finding))))
        print(f"{count(len(files), 'file')}: {count(len(findings), 'problem')}")
    return 1 if findings else 0


def _find(paths: Sequence[Path], gone: Sequence[Path]) -> list[Path]:
    """Return the files that the paths name, each once, in order; UsageError where there is none."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(_below(path)))
        elif path.exists():
            found[path] = None
        elif not any(each.is_relative_to(path.resolve()) for each in gone):
            where = "" if path.is_absolute() else f" (looked in {Path.cwd()})"
            raise UsageError(f"{path}: no such file or folder{where}; name a policy or a folder of policies")
    if not found and not gone:
        names = ", ".join(f"{path}/" for path in paths)
        raise UsageError(f"{names}: no policy in there; name files with a version, such as llm_budget_policy_v1.yaml")
    return sorted(found)


def _below(folder: Path) -> list[Path]:
    try:
        return [
            Path(where, name)
            for where, _, names in os.walk(folder, onerror=_raise)
            for name in names
            if published.is_versioned(name)
        ]
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be listed: {error.strerror}; make it readable") from None


def _raise(error: OSError) -> NoReturn:
    raise error


def _check(path: Path) -> _Checked:
    try:
        document = documents.read(path)
    except PolicyError as error:
        return _Checked(str(path), findings=(_Finding(str(path), error.line, error.problem),))
    kind = document.value.get("schema") if isinstance(document.value, dict) else schemas.BUDGET_POLICY
    if kind not in _KINDS:
        expected, found = f"one of {', '.join(_KINDS)}", shown_value(kind) if kind is not None else "nothing"
        return _Checked(str(path), findings=(_finding(document, schemas.Problem(("schema",), expected, found)),))
    problems = document.problems(kind)
    if problems:
        return _Checked(str(path), kind, findings=tuple(_finding(document, problem) for problem in problems))
    if kind == schemas.BUDGET_POLICY:
        return _Checked(str(path), kind, from_document(document).effective())
    return _Checked(str(path), kind, findings=tuple(_wrong_prices(document)))


def _wrong_prices(document: Document) -> list[_Finding]:
    from tapemeter.pricing import Overrides  # noqa: PLC0415 - only where there are prices to check

    try:
        Overrides.parse(document.value, document.source)
    except (TapemeterError, ValueError, ArithmeticError) as error:  # such as a 30th of February
        return [_Finding(document.source, None, str(error).removeprefix(f"{document.source}: "))]
    return []


def _finding(document: Document, problem: schemas.Problem) -> _Finding:
    at = document.line(problem.path)
    return _Finding(document.source, at, str(problem), problem.place, problem.expected, problem.found)


def _published(change: published.Change, ref: str) -> _Finding:
    here = Path.cwd()
    path = change.path.relative_to(here) if change.path.is_relative_to(here) else change.path
    what = "is gone" if change.gone else "was edited"
    message = f"the file {what} since {ref}; it is published, never edited: put it back and add {change.next_name}"
    return _Finding(str(path), None, message)


def _print(checked: _Checked, safe: Callable[[str], str]) -> None:
    policy = checked.policy
    if policy is None:
        if not checked.findings:
            print(f"{line(safe(checked.path))}: {checked.schema}\n")
        return
    print(f"{line(safe(checked.path))}: {line(safe(policy.name))}")
    table = [("scope", "limit", "value", "where")]
    for limit in policy.limits:
        chosen = f" for {limit.selector}" if limit.selector else ""
        table.append(
            (limit.scope, line(safe(f"{limit.dimension}{chosen}")), shown(limit.dimension, limit.value), limit.source)
        )
    widths = [max(len(cells[column]) for cells in table) for column in range(3)]
    for scope, name, value, where in table:
        print(f"  {scope:<{widths[0]}}  {name:<{widths[1]}}  {value:>{widths[2]}}  {line(safe(where))}")
    for rule in policy.degrade:
        without = "" if _limits_of(rule, policy) else ", of which there is no limit here"
        what = f"{rule.alias} goes to {rule.to} from {float(rule.at) * 100:.4g} % of {rule.limit} on{without}"
        print(f"  {line(safe(what))}  {line(safe(rule.source))}")
    print(f"  {', '.join(f'{name} {value}' for name, value in _settings(policy).items() if value is not None)}\n")


def _document(checked: list[_Checked], findings: list[_Finding], safe: Callable[[str], str]) -> dict[str, Any]:
    return {
        "files": [
            {
                "path": safe(each.path),
                "schema": each.schema,
                **({} if each.policy is None else _policy(each.policy, safe)),
            }
            for each in checked
        ],
        "problems": [
            {name: safe(value) if isinstance(value, str) else value for name, value in asdict(finding).items()}
            for finding in findings
        ],
        "totals": {"files": len(checked), "problems": len(findings)},
    }


def _policy(policy: Policy, safe: Callable[[str], str]) -> dict[str, Any]:
    limits = [
        {
            "scope": limit.scope,
            "limit": limit.dimension,
            "value": plain(limit.dimension, limit.value),
            "model": limit.model and safe(limit.model),
            "alias": limit.alias and safe(limit.alias),
            "source": safe(limit.source),
        }
        for limit in policy.limits
    ]
    rules = [
        {
            "alias": safe(rule.alias),
            "to": safe(rule.to),
            "at": float(rule.at),
            "scope": rule.scope,
            "limit": rule.dimension,
            "has_limit": _limits_of(rule, policy),
            "source": safe(rule.source),
        }
        for rule in policy.degrade
    ]
    return {"name": safe(policy.name), "limits": limits, "degrade": rules, **_settings(policy)}


def _limits_of(rule: Degrade, policy: Policy) -> bool:
    """Whether the policy has a limit that a rule goes by; it may also come from another one, such as a marker's."""
    return any(limit.scope is rule.scope and limit.dimension is rule.dimension for limit in policy.limits)


def _settings(policy: Policy) -> dict[str, Any]:
    return {
        "unknown_cost": policy.unknown_cost,
        "on_stop": policy.on_stop,
        "warn_at": None if policy.warn_at is None else float(policy.warn_at),
        "default_output_tokens": policy.default_output_tokens,
    }


def _sentence(finding: _Finding) -> str:
    place = finding.path if finding.line is None else f"{finding.path}:{finding.line}"
    return f"{place}: {finding.message}"

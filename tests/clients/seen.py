"""What the tests of the SDKs saw: kept as JSON beside them, and shown as the table of docs/reference/clients.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from sdks import SDKS

if TYPE_CHECKING:
    from sdks import Sdk
    from tries import Tried

FORMS = ("sync", "async", "stream", "async stream")
"""What an SDK may have of each operation."""

NO_SUCH_FORM = "\N{EN DASH}"

HEAD = ("SDK", "version", "asks for", "through", *FORMS)


@dataclass(frozen=True)
class Row:
    """One form of one operation: the libraries it goes through, and why it does not work where it does not."""

    form: str
    through: tuple[str, ...]
    reason: str | None


def rows(tried: Tried) -> list[Row]:
    """Return what came of each form of an SDK, in the order of its program."""
    forms = [
        test.partition("[")[2].removesuffix("]") for test in tried.recorded.notes if test.startswith("test_answer")
    ]
    return [_row(tried, form) for form in forms]


def _row(tried: Tried, form: str) -> Row:
    found = [
        note
        for phase in (tried.recorded, tried.replayed)
        for test, note in phase.notes.items()
        if test.endswith(f"[{form}]")
    ]
    through = next((tuple(path) for note in found for path in note.get("through", [])), ())
    failed = next((note["failed"] for note in found if note["failed"]), None)
    return Row(form, through, failed and tried.sdk.unsupported.get(form, failed))


def write(tried: Tried) -> None:
    """Keep what was seen of an SDK."""
    operations: dict[str, dict[str, Any]] = {}
    for row in rows(tried):
        operation, _, form = row.form.partition(" - ")
        operations.setdefault(operation, {})[form] = {"through": list(row.through), "reason": row.reason}
    seen = {"version": metadata.version(tried.sdk.distribution), "operations": operations}
    tried.sdk.seen.parent.mkdir(exist_ok=True)
    tried.sdk.seen.write_text(json.dumps(seen, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def table() -> str:
    """Return the table of the page, and below it what its marks mean."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    reasons: list[str] = []
    for sdk in SDKS.values():
        seen = json.loads(sdk.seen.read_text("utf-8"))
        for operation, forms in seen["operations"].items():
            cells = [_cell(sdk, f"{operation} - {form}", forms.get(form), reasons) for form in FORMS]
            through = sdk.library or _libraries(forms)
            lines.append(f"| {' | '.join([sdk.title, seen['version'], operation, through, *cells])} |")
    return "\n".join([*lines, "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))])


def _libraries(forms: dict[str, Any]) -> str:
    """Return the libraries that the forms go through, with their forms where these differ."""
    found: dict[str, list[str]] = {}
    for name, form in forms.items():
        found.setdefault(" over ".join(f"`{library}`" for library in form["through"]), []).append(name)
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{', '.join(names)}: {path}" for path, names in found.items())


def _cell(sdk: Sdk, name: str, form: dict[str, Any] | None, reasons: list[str]) -> str:
    if form is None:
        return NO_SUCH_FORM
    if form["reason"]:
        return f"no {_mark(form['reason'], reasons)}"
    if sdk.disguise is not None and sdk.comes_out("miss", name) == sdk.disguise.miss:
        return f"yes {_mark(sdk.disguise.reason, reasons)}"
    return "yes"


def _mark(reason: str, reasons: list[str]) -> str:
    sentence = f"{reason[0].upper()}{reason[1:]}."
    if sentence not in reasons:
        reasons.append(sentence)
    return f"({reasons.index(sentence) + 1})"

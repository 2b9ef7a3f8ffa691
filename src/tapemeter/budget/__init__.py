"""Budgets: what may be used (policy), what has been used (ledger), and how a stop is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tapemeter.budget.policy import Policy


def load_policy(path: Path, root: Path) -> Policy:
    """Return the policy in a file; PolicyError that names file, line and path for what is wrong.

    Messages show the path relative to `root` where it lies below it.
    """
    from tapemeter import documents, schemas  # noqa: PLC0415 - most sessions have no policy
    from tapemeter.budget.policy import from_document  # noqa: PLC0415

    source = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    return from_document(documents.load(path, schemas.BUDGET_POLICY, source=source))


def policy_from(value: dict[str, Any], where: str) -> Policy:
    """Return the policy that a mapping gives, as in a file; PolicyError that names `where` for what is wrong."""
    from tapemeter import schemas  # noqa: PLC0415
    from tapemeter.budget.policy import from_document  # noqa: PLC0415
    from tapemeter.documents import Document  # noqa: PLC0415
    from tapemeter.errors import PolicyError  # noqa: PLC0415

    document = Document(value, where)
    for problem in document.problems(schemas.BUDGET_POLICY):
        raise PolicyError(str(problem), path=where)
    return from_document(document)

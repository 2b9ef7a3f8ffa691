"""Fails a test whose recordings answered another request than they were made for, or are too old, where asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tapemeter.owner import Owner


def judge(owner: Owner) -> None:
    """Fail for what an owner has found of its recordings so far, if the settings say so."""
    if not owner.has_drifted and not owner.stale:
        return
    from tapemeter.cassette import drift  # noqa: PLC0415 - only where something was found
    from tapemeter.cassette.mode import OnStale, Strict  # noqa: PLC0415

    found: list[str] = []
    if owner.house.strict is Strict.FAIL:
        said = drift.message(owner.drift, owner.cassette_name)
        found += [said] if said is not None else []
    if owner.stale and owner.house.on_stale is OnStale.FAIL:
        count = len(owner.stale)
        found.append(
            f"{owner.cassette_name}: {count} recording{' that answered is' if count == 1 else 's that answered are'} "
            f"older than allowed: from {min(owner.stale)}, and none may be from before {owner.stale_before}\n"
            "  record the test again with --record-cassettes=all, or allow more with llm_max_age"
        )
    if found:
        pytest.fail("\n".join(found), pytrace=False)

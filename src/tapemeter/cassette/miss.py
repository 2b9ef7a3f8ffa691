"""Says why replay has no answer: what was asked, what is nearest, what differs, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.cassette.diff import nearest
from tapemeter.errors import CassetteError, CassetteMiss

if TYPE_CHECKING:
    from tapemeter.cassette.cassette import Cassette
    from tapemeter.cassette.diff import Difference
    from tapemeter.model import Request

_DIFFERENCES = 8
"""Differences that a message lists."""
_IGNORABLE = 3
"""With more differing places than this, ignoring them is no advice."""
_NORMALIZE = "  to match whatever stands there: leave it out in the hook llm_normalize_request"


def miss(
    request: Request,
    key: str,
    cassette: Cassette,
    *,
    test: str,
    name: str,
    record: str,
    markable: bool = True,
    hooked: bool = True,
) -> CassetteMiss:
    """Return the error for a redacted request that nothing unplayed answers.

    `name` is the cassette as a user knows it, `record` what records it, `markable` whether a marker can change how it
    is matched, `hooked` whether a hook can.
    """
    lines = [
        f"no recording answers {request.method} {request.url}",
        f"  asked by  {test}",
        f"  cassette  {name}",
    ]
    lines[-1] += _state(cassette)
    changed: tuple[str, ...] = ()
    same = cassette.with_key(key)
    if same:
        times = f"{len(same)} recording{'s' if len(same) > 1 else ''}"
        lines.append(f"  the {times} of this very request {'have' if len(same) > 1 else 'has'} been played already")
        if markable:
            lines.append("  to answer it more often: @pytest.mark.llm_cassette(repeat=True)")
    else:
        unplayed = cassette.unplayed
        compare = cassette.matcher.comparable
        found = nearest(compare(request), (compare(recording.request) for recording in unplayed))
        if found is not None:
            place, differing = found
            changed = tuple(difference.path for difference in differing)
            lines.append(f"  nearest unplayed recording: number {unplayed[place].index + 1}, which differs at")
            lines += _differences(differing)
            lines += _ignoring(differing) if markable else [_NORMALIZE] if hooked else []
        elif cassette.recordings:
            lines.append("  every recording has been played already, and none was of this request")
    lines.append(f"  to record what is missing: {record}")
    return CassetteMiss("\n".join(lines), test=test, cassette=name, changed=changed)


def _state(cassette: Cassette) -> str:
    try:
        count = len(cassette.recordings)
    except CassetteError:
        return ""
    if not cassette.path.exists():
        return " (does not exist yet)"
    return f" ({count} recording{'' if count == 1 else 's'}, {len(cassette.played)} played)"


def _differences(differing: list[Difference]) -> list[str]:
    if not differing:
        return ["    nothing that a message can show; see `match_on` and `llm_normalize_request`"]
    lines = []
    for difference in differing[:_DIFFERENCES]:
        lines += [
            f"    {difference.path}",
            f"      recorded  {difference.old}",
            f"      asked     {difference.new}",
        ]
    if len(differing) > _DIFFERENCES:
        lines.append(f"    and {len(differing) - _DIFFERENCES} more")
    return lines


def _ignoring(differing: list[Difference]) -> list[str]:
    ignore = {difference.ignore for difference in differing}
    if not ignore or len(ignore) > _IGNORABLE:
        return []
    listed = [path for path in sorted(path or "" for path in ignore) if path]
    if len(listed) < len(ignore):
        return []  # something other than a place in the body differs
    arguments = ", ".join(f'"{path}"' for path in listed)
    return [f"  to match whatever stands there: @pytest.mark.llm_cassette(ignore=[{arguments}])"]

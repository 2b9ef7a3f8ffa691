"""Paths into a JSON body, as they are written in `ignore` and shown in a miss: `messages[0].content`.

A path is names and positions: `a.b`, `a[0]`, `a[*]` for every element, `*` for every field, `["odd.name"]`
for a name that is no plain word. A leading `$.` is allowed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tapemeter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERY = "*"
"""The step that stands for every element of a list, or every field of an object."""

Step = str | int

_STEP = re.compile(
    r"""(?P<name>[^\s.\[\]"'*]+) | (?P<star>\*) | \[(?P<index>\d{1,9})\] | (?P<each>\[\*\])
      | \["(?P<double>[^"]+)"\] | \['(?P<single>[^']+)'\]""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"""[^\s.\[\]"'*$][^\s.\[\]"'*]*""")


def parse(path: str) -> tuple[Step, ...]:
    """Return the steps of a path; UsageError with the place of the fault where it is none."""
    rest = path.removeprefix("$").removeprefix(".") if path.startswith("$") else path
    steps: list[Step] = []
    position = 0
    while position < len(rest):
        if steps and rest[position] == ".":
            position += 1
        elif steps and rest[position] != "[":
            break
        found = _STEP.match(rest, position)
        if found is None:
            break
        steps.append(_step(found))
        position = found.end()
    if not steps or position < len(rest) or rest[-1] == ".":
        raise UsageError(
            f"the ignore path {path!r} cannot be read at {rest[position:] or 'its end'!r}; write field names and "
            'positions such as "metadata.request_id", "messages[*].id" or "tools[0].function.description"'
        )
    return tuple(steps)


def show(steps: Sequence[Step]) -> str:
    """Return the path as one writes it; the whole body is `body`."""
    return _written(steps) or "body"


def generalised(steps: Sequence[Step]) -> str:
    """Return the path with every position replaced by `[*]`, as one would ignore it."""
    return _written(steps, position="[*]") or "body"


def _written(steps: Sequence[Step], position: str | None = None) -> str:
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += position or f"[{step}]"
        elif step == EVERY or _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"['{step}']" if '"' in step else f'["{step}"]'
    return text


def remove(value: Any, steps: Sequence[Step]) -> None:
    """Remove what a path names from a JSON value, in place; absent places are passed over.

    List elements become null rather than vanish, so that the positions of the others stay.
    """
    if not steps:
        return
    step, rest = steps[0], steps[1:]
    for place in _places(value, step):
        if rest:
            remove(value[place], rest)
        elif isinstance(value, dict):
            del value[place]
        else:
            value[place] = None


def _places(value: Any, step: Step) -> list[Any]:
    if isinstance(value, dict):
        if step == EVERY:
            return list(value)
        return [step] if step in value else []
    if isinstance(value, list):
        if step == EVERY:
            return list(range(len(value)))
        return [step] if isinstance(step, int) and step < len(value) else []
    return []


def _step(found: re.Match[str]) -> Step:
    if found["index"] is not None:
        return int(found["index"])
    if found["star"] or found["each"]:
        return EVERY
    return found["name"] or found["double"] or found["single"]

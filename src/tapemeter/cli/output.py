"""What commands print: text from a cassette, which anybody may have written, without power over the terminal."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tapemeter.errors import TapemeterError

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, what changes the direction of text, and surrogates."""
_KILO = 1000


def block(text: str) -> str:
    """Return a text of several lines that is safe to print: what a terminal would obey is escaped."""
    return _UNSAFE.sub(_escape, text)


def line(text: object) -> str:
    """Return a text that is safe to print and stays on its line."""
    return block(str(text)).replace("\n", "\\n").replace("\t", "\\t")


def indented(text: str, by: int) -> str:
    """Return a safe text with every line indented, so that none can pass for one of ours."""
    return "\n".join(" " * by + each if each else "" for each in block(text).split("\n"))


def as_json(value: Any) -> str:
    """Return a JSON document that is safe to print, unicode as itself."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def print_listing(
    head: Mapping[str, Any],
    name: str,
    items: Iterable[Any],
    tail: Callable[[], Mapping[str, Any]] = dict,
) -> None:
    """Print a JSON object with a list in it, item by item as they come, so that none has to be kept.

    `head` are the fields before the list, `tail` gives those after it once it has ended.
    """
    print("{")
    for key, value in head.items():
        print(f"  {as_json(key)}: {_nested(value)},")
    print(f"  {as_json(name)}: [", end="")
    separator = ""
    for item in items:
        print(f"{separator}\n    {_nested(item, by=4)}", end="")
        separator = ","
    print("\n  ]" if separator else "]", end="")
    for key, value in tail().items():
        print(f",\n  {as_json(key)}: {_nested(value)}", end="")
    print("\n}")


def _nested(value: Any, by: int = 2) -> str:
    return as_json(value).replace("\n", "\n" + " " * by)


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 file`, `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """Return a number of bytes as one reads it: `812 B`, `12.3 kB`."""
    if number < _KILO:
        return f"{number} B"
    amount = float(number)
    for unit in ("kB", "MB"):
        amount /= _KILO
        if round(amount, 1) < _KILO or unit == "MB":
            return f"{amount:.1f} {unit}"
    raise AssertionError


def safe_error(error: TapemeterError) -> str:
    """Return the message of an error without secrets: it may quote what stands in a file."""
    from tapemeter.redact import Redactor  # noqa: PLC0415 - only where something went wrong

    return Redactor().text(str(error))


def complain(message: str) -> None:
    """Print a message to stderr, after what stdout has by now."""
    sys.stdout.flush()
    print(f"tapemeter: {block(message)}", file=sys.stderr)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - two digits hold it

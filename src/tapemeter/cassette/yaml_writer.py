"""Writes JSON-like values as YAML in one fixed form, made for reading and for line-by-line differences.

* Blocks only, indented by two; the items of a list stand at the indent of their key. Lines never wrap.
* A scalar is plain only where readers of YAML 1.1 and 1.2 agree that it is that string; else it is quoted
  with JSON's escapes.
* A text of several lines is a literal block where a block carries it exactly.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from tapemeter.yaml_reader import MAX_DEPTH, MAX_DIGITS

MAX_KEY = 128
"""Characters of the longest key; YAML readers look no further than 1,024 bytes for the end of one."""

_STEP = "  "

# Starts with a letter, `_` or `/`; a colon is followed, and a hash preceded, by something visible.
_PLAIN = re.compile(r"(?:[^\W\d]|/)(?:[^\s:#]|:(?=\S)|(?<=\S)#|\x20(?=\S))*")
# What some reader takes for a boolean, null or number.
_WORDS = frozenset({"y", "yes", "n", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})
# What YAML does not let stand unescaped, or would take for the end of a line.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def dump(value: Any, *, depth: int = 0) -> str:
    """Return `value` as YAML that ends with a line feed, `depth` being the number of containers around it.

    ValueError where no reader would give it back: a number that is not finite or longer than MAX_DIGITS, a
    lone surrogate, a key that is no string, has several lines or more than MAX_KEY characters, more than
    MAX_DEPTH containers in one another, or a type that JSON does not have.
    """
    lines: list[str] = []
    _put(lines, "", "", value, depth)
    return "\n".join(lines) + "\n"


def _put(lines: list[str], lead: str, indent: str, value: Any, depth: int) -> None:
    """Write `value` where the line `lead` ends; what needs further lines has them at `indent`."""
    if isinstance(value, (dict, list)):
        if depth >= MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} containers in one another")
        if not value:
            lines.append(lead + ("{}" if isinstance(value, dict) else "[]"))
        elif isinstance(value, dict):
            _put_mapping(lines, lead, indent, value, depth + 1)
        else:
            _put_list(lines, lead, indent, value, depth + 1)
    elif isinstance(value, str) and "\n" in value and _fits_block(value):
        lines.append(lead + _block_mark(value))
        content = value.removesuffix("\n").split("\n")
        lines.extend(indent + _STEP + line if line else "" for line in content)
    else:
        lines.append(lead + _scalar(value))


def _put_mapping(lines: list[str], lead: str, indent: str, value: dict[Any, Any], depth: int) -> None:
    for key, item in value.items():
        head = f"{lead}{_key(key)}:"
        if isinstance(item, dict) and item:
            lines.append(head)
            _put(lines, indent + _STEP, indent + _STEP, item, depth)
        elif isinstance(item, list) and item:
            lines.append(head)
            _put(lines, indent, indent, item, depth)
        else:
            _put(lines, head + " ", indent, item, depth)
        lead = indent


def _put_list(lines: list[str], lead: str, indent: str, value: list[Any], depth: int) -> None:
    for item in value:
        inner = indent + _STEP if isinstance(item, (dict, list)) else indent
        _put(lines, lead + "- ", inner, item, depth)
        lead = indent


def _key(key: Any) -> str:
    if not isinstance(key, str):
        # One error for all that cannot be written.
        raise ValueError(f"a key must be a string, not {key!r} ({type(key).__name__})")  # noqa: TRY004
    if len(key) > MAX_KEY or "\n" in key:
        raise ValueError(f"a key must be one line of at most {MAX_KEY} characters")
    return _string(key)


def _scalar(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _string(value)
        case int():
            digits = format(value, "d")
            if len(digits) > MAX_DIGITS:
                raise ValueError(f"a number of more than {MAX_DIGITS} digits")
            return digits
        case float():
            return _float(value)
    raise ValueError(f"a {type(value).__name__} is no JSON value")


def _float(value: float) -> str:
    """Return the shortest exact form, with the point that YAML 1.1 wants: `1.0e-05`."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no JSON number")
    number, exponent, power = float.__repr__(value).partition("e")
    return number + ("" if "." in number else ".0") + exponent + power


def _string(value: str) -> str:
    if _SURROGATE.search(value):
        raise ValueError("a lone surrogate, which UTF-8 cannot carry")
    if _PLAIN.fullmatch(value) and value.casefold() not in _WORDS and not _UNPRINTABLE.search(value):
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _fits_block(text: str) -> bool:
    """Whether a literal block gives the text back: something visible in it, nothing that needs an escape."""
    return not (text.isspace() or _UNPRINTABLE.search(text) or _SURROGATE.search(text))


def _block_mark(text: str) -> str:
    """Return the head of a literal block: its indent where the first line does not show it, and its end."""
    indent = str(len(_STEP)) if text[0] in " \t\n" else ""
    end = "-" if not text.endswith("\n") else "+" if text.endswith("\n\n") else ""
    return f"|{indent}{end}"

"""Shapes that only keys have, and the patterns that find them in a text."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from tapemeter.redact.draft import MARK
from tapemeter.redact.names import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tapemeter.redact.draft import Edit, Find


def _key(prefix: str, rest: str) -> str:
    r"""Return the pattern of a key that stands alone: not within a word, but maybe after an escape (\n, %3D).

    What stands before is looked at after the prefix, so that a search can leap to the prefix's first letter.
    """
    before = (
        r"(?<![\w\\-]{})",
        r"(?<=\\[nrtbf]{})",
        r"(?<=\\u[\da-fA-F]{{4}}{})",
        r"(?<=%[\da-fA-F]{{2}}{})",
    )
    return f"{prefix}(?:{'|'.join(each.format(prefix) for each in before)}){rest}"


_LONG = r"[A-Za-z0-9]{20,}"
# Somewhere twelve letters and digits in a row, which words with hyphens have not.
_MIXED = r"(?=[\w-]{0,200}?(?=[A-Za-z]*\d)[A-Za-z0-9]{12})[\w-]{18,}"
_KEYS = (
    ("sk-", rf"(?:ant-(?=[\w-]*\d)[\w-]{{16,}}|{_MIXED})"),
    *((prefix, _MIXED) for prefix in ("csk-", "nvapi-", "tvly-", "xai-")),
    *((prefix, _LONG) for prefix in ("api_org_", "e2b_", "ek_", "fw_", "gh[opsru]_", "gsk_", "hf_")),
    *((prefix, _LONG) for prefix in ("jina_", "npm_", "pplx-", "r8_", "[rs]k_live_")),
    *((prefix, r"[\w-]{20,}") for prefix in ("github_pat_", "glpat-", "lsv2_[ps]t_", "pcsk_", "tgp_v1_")),
    *((prefix, r"(?=[\w-]*\d)[\w-]{10,}") for prefix in ("xapp-", "xox[abeprs]-")),
    ("A[BKS]IA", r"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("ABSK", r"[A-Za-z0-9+/]{40,}=*"),
    ("AIza", r"[\w-]{35}(?![\w-])"),
    (r"AQ\.Ab", r"[\w-]{30,}"),
    ("bedrock-api-key-", r"[A-Za-z0-9+/=]{20,}"),
    ("eyJ", r"[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?"),
    ("GOCSPX-", r"[\w-]{20,}"),
    ("pypi-", r"AgEI[\w-]{20,}"),
    (r"ya29\.", r"[\w.-]{20,}"),
)
_BREAK = r"(?:\s|\\+[nrt])"
_EDGE = "[A-Z ]*PRIVATE KEY-----"
_BLOCK = rf"-----BEGIN {_EDGE}(?:(?:[\w+/=:,.]|{_BREAK}|-(?!----))*-----END {_EDGE}|(?:{_BREAK}*[\w+/=]{{16,}})+)"


def field(names: Iterable[str]) -> tuple[str, str]:
    """Return the patterns of string fields of those names: in JSON, and in JSON within a JSON string."""
    either = "|".join(map(re.escape, sorted(names)))
    return (
        rf'"(?:{either})"\s*:\s*"((?:[^"\\]|\\.)*)',
        rf'\\"(?:{either})\\"{_BREAK}*:{_BREAK}*\\"((?:[^"\\]|\\[^"\\]|\\\\(?:\\.|[^"\\]))*)',
    )


def parameter(names: Iterable[str]) -> str:
    """Return the pattern of query parameters of those names, in a URL within a text."""
    return rf"(?:[?&]|\\u0026|&amp;)(?i:{'|'.join(map(re.escape, sorted(names)))})=([^\s&\"'#\\<>]{{8,}})"


class Rule:
    """Patterns whose match is secret (where there is a group: what the group matched), and cheap telltales.

    Where no telltale is found, no pattern is looked for. Each begins with a rare character, to which a search
    leaps, so that one costs at most a microsecond in some kilobytes. No telltales: always look.
    """

    def __init__(self, telltales: Iterable[str], *patterns: str) -> None:
        self._patterns = patterns
        found = tuple((each.lstrip("\\")[:1].encode(), re.compile(each.encode())) for each in telltales)
        self.telltales = found or tuple((b"", pattern) for pattern in self.patterns)

    @cached_property
    def patterns(self) -> tuple[re.Pattern[bytes], ...]:
        """The patterns, which take Python five times as long to prepare as the telltales: few texts need them."""
        return tuple(re.compile(pattern.encode(), re.DOTALL) for pattern in self._patterns)


def _after_prefix(last: str) -> str:
    prefixes = "|".join(f"(?<={prefix})" for prefix, _ in _KEYS if prefix.endswith(last))
    return rf"{last}(?=[\w-]{{10}})(?:{prefixes})"


_STRING_FOLLOWS = rf'\\*"{_BREAK}*:{_BREAK}*\\*"'
EIGHT_FOLLOW = r"=(?=[^\s&\"'#\\<>]{8})"
RULES = (
    Rule(
        (
            _after_prefix("-"),
            _after_prefix("_"),
            r"A(?:[BKS]IA|BSK|Iza|Q\.Ab)",
            r"J(?<=eyJ)",
            r"9(?<=ya29)\.",
        ),
        "|".join(_key(prefix, rest) for prefix, rest in _KEYS),
    ),
    Rule((r"-(?=----BEGIN )",), _BLOCK),
    Rule((r"B(?=earer )",), r"Bearer +(?=[^\s\"\\]*\d)([\w.~+/-]{16,}=*)"),
    Rule((EIGHT_FOLLOW,), r"Credential=([^\s,&\"'\\/]{8,}/[^\s,&\"'\\]*)", r"Signature=([0-9a-f]{32,})"),
    Rule((r"@",), r"://[^\s/:@\"'\\]*:([^\s/@\"'\\]+)@"),
    Rule(
        (
            r"k(?<=[_i]k)ey" + _STRING_FOLLOWS,
            r"K(?<=[eis]K)ey" + _STRING_FOLLOWS,
            r"_(?:token|secret)" + _STRING_FOLLOWS,
            r"T(?<=[a-z]T)oken" + _STRING_FOLLOWS,
            r"S(?<=[a-z]S)ecret" + _STRING_FOLLOWS,
            r"w(?<=passw)ord" + _STRING_FOLLOWS,
            r"z(?<=thoriz)ation" + _STRING_FOLLOWS,
        ),
        *field(FIELDS),
    ),
)


def finder_of_matches(pattern: re.Pattern[bytes]) -> Find:
    """Return what finds the matches of a pattern, its group where it has one, that are not redacted yet."""
    group = 1 if pattern.groups else 0

    def find(text: bytes, start: int, stop: int, _: bool) -> list[Edit]:  # noqa: FBT001 - see Find
        edits: list[Edit] = []
        for match in pattern.finditer(text, start, stop):
            left, right = match.span(group)
            known = text.rfind(MARK, max(start, left - len(MARK)), left + len(MARK))
            within = known != -1 and right <= known + len(MARK)
            if start <= left < right and not within and (not edits or edits[-1][1] <= left):
                edits.append((left, right, MARK))
        return edits

    return find

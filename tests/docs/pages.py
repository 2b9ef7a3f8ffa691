"""The pages of the documentation as data: headings, links, tables, code blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"

_FENCE = re.compile(r"^( *)(```+)[ ]*([\w-]*)[^\n]*\n(.*?)^ *\2 *$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.MULTILINE)
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_ROW = re.compile(r"^ *\|((?:[^|\n]|\\\|)+)\|.*$", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced code block, the line on which its code begins, and the heading of the second level above it."""

    language: str
    code: str
    line: int
    section: str
    mark: str
    """What a comment on the line before it says."""

    @property
    def file(self) -> str | None:
        """The file that the block is, where its first line names one."""
        found = re.match(r"# ([\w/]+\.(?:py|yaml|toml))\n", self.code)
        return found[1] if found else None


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """The text without code blocks and comments."""
        return _COMMENT.sub("", _FENCE.sub("", self.text))

    @cached_property
    def blocks(self) -> list[Block]:
        found = []
        for fence in _FENCE.finditer(self.text):
            before = self.text[: fence.start()]
            sections = re.findall(r"^## +(.+)$", _FENCE.sub("", before), re.MULTILINE)
            mark = re.search(r"<!-- (.+) -->\n\Z", before)
            line = before.count("\n") + 2
            code = re.sub(rf"^{fence[1]}", "", fence[4], flags=re.MULTILINE)
            found.append(Block(fence[3], code, line, sections[-1] if sections else "", mark[1] if mark else ""))
        return found

    @cached_property
    def headings(self) -> list[str]:
        return [title for _, title in _HEADING.findall(self.prose)]

    @cached_property
    def anchors(self) -> set[str]:
        """The anchors of the headings, as GitHub makes them."""
        counts: dict[str, int] = {}
        anchors = set()
        for heading in self.headings:
            plain = _LINK.sub(lambda link: re.sub(r"!?\[(.*)\]\(.*", r"\1", link[0]), heading).replace("`", "")
            slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
            count = counts[slug] = counts.get(slug, -1) + 1
            anchors.add(f"{slug}-{count}" if count else slug)
        return anchors

    @cached_property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @cached_property
    def defined(self) -> set[str]:
        """What the page has a heading or a table row for: the code in headings and in first cells."""
        return _names(self.prose)

    def section(self, title: str) -> str:
        """The prose under a heading, up to the next one of the same level or a higher one."""
        for found in _HEADING.finditer(self.prose):
            if found[2].replace("`", "") == title:
                rest = self.prose[found.end() :]
                stop = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
                return rest[: stop.start()] if stop else rest
        raise AssertionError(f"{self.name} has no heading {title!r}")

    def defined_in(self, title: str) -> set[str]:
        return _names(self.section(title))


def _names(prose: str) -> set[str]:
    places = [title for _, title in _HEADING.findall(prose)] + _ROW.findall(prose)
    codes = [code for place in places for code in _CODE.findall(place)]
    return {*codes, *(code.partition("(")[0] for code in codes)}


def page(name: str) -> Page:
    return Page(ROOT / name)


def reference(name: str) -> Page:
    return Page(REFERENCE / f"{name}.md")


PAGES = [Page(ROOT / "README.md"), Page(ROOT / "CONTRIBUTING.md"), Page(ROOT / "CHANGELOG.md")]
PAGES += [Page(path) for path in sorted(DOCS.rglob("*.md"))]

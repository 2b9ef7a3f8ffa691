"""The text of a cassette file and the interactions in it.

    # A tapemeter cassette: …
    format: tapemeter-cassette/1
    interactions:
    - key: …
      …
    end: {interactions: 1, sha256: "…"}

The digest in the end mark is over every byte before its line. Where it holds, nobody has touched the file: it
is only cut into blocks, and a block is parsed when its interaction is asked for. Where it does not hold,
somebody has edited the file, which is welcome: all of it is parsed and checked, and the stored keys are not
trusted. A file without a whole end mark at its end was cut, which is always an error.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tapemeter.cassette import yaml_written
from tapemeter.cassette.mapping import from_mapping, reply_from_mapping, to_mapping
from tapemeter.cassette.model import Reply
from tapemeter.errors import CassetteFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tapemeter.cassette.model import Interaction
    from tapemeter.yaml_reader import Place

FORMAT = "tapemeter-cassette/1"

_HEAD = (
    "# A tapemeter cassette: recorded model calls, replayed offline. "
    "Edit by hand if you like, then `tapemeter cassette verify`.\n"
    f"format: {FORMAT}\n"
    "interactions:"
)
_REMEDY = "restore the file from version control, or record it again"
_FORMAT_LINE = re.compile(r"""^format:[ \t]*["']?([^\s"'#]*)""", re.MULTILINE)
_FORMAT_WITHIN = 4096
_END_LINE = re.compile(r'end: \{interactions: ([0-9]{1,9}), sha256: "([0-9a-f]{64})"\}\n?')
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?:[ \r]|$)", re.MULTILINE)
_KEY = "- key: "
_BLOCK = re.compile(r"\n- key: ([^\n]*)")


class Entry:
    """One interaction of a file, parsed and checked when it is first asked for.

    `key` is the stored one, None where the file was edited, since the request may no longer be what the key was made
    of; the interaction's own key is then empty.
    """

    def __init__(self, path: str, file: str, start: int, stop: int, key: str | None) -> None:
        self.path = path
        self.key = key
        self._file, self._start, self._stop = file, start, stop

    def __repr__(self) -> str:
        return f"<Entry {self.path}:{self.line} {self.key or 'edited'}>"

    @property
    def text(self) -> str:
        """Its lines in the file."""
        return self._file[self._start : self._stop]

    @property
    def line(self) -> int:
        """The line of the file on which it begins, from 1."""
        return self._file.count("\n", 0, self._start) + 1

    @property
    def edited(self) -> bool:
        """Whether the file was edited by hand since it was written."""
        return self.key is None

    @cached_property
    def reply(self) -> Reply:
        """The interaction without its request, which takes half as long to read; CassetteFormatError as below."""
        if not self.edited:
            with suppress(ValueError, IndexError, RecursionError, CassetteFormatError):
                (item,) = yaml_written.load(_without_request(self.text))
                return reply_from_mapping(item)
        return Reply.of(self.interaction)

    @cached_property
    def interaction(self) -> Interaction:
        """The interaction; CassetteFormatError where the block is not one."""
        with suppress(ValueError, IndexError, RecursionError, CassetteFormatError):
            (item,) = yaml_written.load(self.text)
            return from_mapping(item, edited=False, place=(0,), lines={})
        # It is not as we write it; a reader of all of YAML finds out what that means, and where it is wrong.
        from tapemeter import yaml_reader  # noqa: PLC0415 - what we wrote needs none

        lines: dict[Place, int] = {}
        try:
            item = _only(yaml_reader.load(self.text, first_line=self.line, lines=lines), lines)
            return from_mapping(item, edited=False, place=(0,), lines=lines)
        except (CassetteFormatError, yaml_reader.YamlError) as error:
            raise _fault(error.problem, self.path, error.line or self.line) from None


def dump(interactions: Iterable[Interaction | Entry]) -> str:
    """Return the text of a file; an entry keeps the text it had.

    ValueError for what has no key, such as an entry of an edited file: give
    `values.replace(entry.interaction, key=…)` instead.
    """
    blocks = [_block(interaction) for interaction in interactions]
    text = _HEAD + ("\n" if blocks else " []\n") + "".join(blocks)
    return f'{text}end: {{interactions: {len(blocks)}, sha256: "{_digest(text)}"}}\n'


def load(text: str, path: str) -> tuple[Entry, ...]:
    """Return the entries of the file at `path`, of which `text` is the content.

    CassetteFormatError, with the line where it has one, for a file that is cut, of another format, left in a
    merge conflict, or edited into something that is no cassette.
    """
    _check_format(text, path)
    start = text.rfind("\nend:") + 1
    mark = _END_LINE.fullmatch(text, start) if start else None
    if mark and _digest(text) == mark[2]:
        entries = _split(text, start, path)
        if entries is not None:
            _check_count(int(mark[1]), len(entries), path, lambda: text.count("\n", 0, start) + 1)
            return entries
    return _load_edited(text, start, path)


def version(text: str) -> str | None:
    """Return the format that a file says it has, such as `tapemeter-cassette/1`; None where it says none."""
    found = _FORMAT_LINE.search(text, 0, _FORMAT_WITHIN)
    return None if found is None else found[1]


def _block(interaction: Interaction | Entry) -> str:
    if not interaction.key or not interaction.key.isprintable():
        raise ValueError("an interaction needs its key before it is written; after an edit, compute it anew")
    if isinstance(interaction, Entry):
        return interaction.text
    from tapemeter.cassette import yaml_writer  # noqa: PLC0415 - what is only played is not written

    return yaml_writer.dump([to_mapping(interaction)])


def _check_format(text: str, path: str) -> None:
    found = _FORMAT_LINE.search(text, 0, _FORMAT_WITHIN)
    if found is None:
        what = "is no cassette: it has no `format:` line" if text.strip() else "is empty"
        raise _fault(f"the file {what}", path, 1)
    if found[1] != FORMAT:
        raise CassetteFormatError(
            f"the format {found[1]!r} is not known to this version of tapemeter, which reads {FORMAT}; "
            "install the version that wrote it, or record it again",
            path=path,
            line=text.count("\n", 0, found.start()) + 1,
        )


def _digest(text: str) -> str:
    """Return the digest of every byte before the end mark, or of all where there is none yet."""
    data = text.encode(errors="surrogatepass")  # a surrogate is refused where it stands
    end = data.rfind(b"\nend:") + 1 or len(data)
    return hashlib.sha256(memoryview(data)[:end]).hexdigest()


def _split(text: str, end: int, path: str) -> tuple[Entry, ...] | None:
    """Cut what stands before `end` in an untouched file into blocks; None where `dump` lays out otherwise."""
    if text.startswith(f"{_HEAD} []\n") and end == len(_HEAD) + 4:
        return ()
    if not text.startswith(f"{_HEAD}\n{_KEY}"):
        return None
    heads = list(_BLOCK.finditer(text, len(_HEAD), end))
    starts = [head.start() + 1 for head in heads]
    keys = [_stored_key(head[1]) for head in heads]
    if not all(keys):
        return None
    stops = [*starts[1:], end]
    return tuple(Entry(path, text, *block) for block in zip(starts, stops, keys, strict=True))


def _without_request(block: str) -> str:
    """Return a block as it is written, without the request; ValueError where it is not laid out like that."""
    # All that is in the request stands further to the right than the two names.
    start = block.index("\n  request:\n")
    return block[:start] + block[block.index("\n  response:\n", start) :]


def _only(items: list[Any], lines: dict[Place, int]) -> Any:
    if len(items) > 1:
        raise CassetteFormatError("the first field of an interaction is its key", line=lines[1,])
    return items[0]


def _stored_key(written: str) -> str | None:
    """Return the key that is written so, None where it is none."""
    if not written.startswith('"'):
        return written
    try:
        return str(json.loads(written))
    except ValueError:
        return None


def _load_edited(text: str, start: int, path: str) -> tuple[Entry, ...]:
    """Parse and check a whole file, whose end mark seems to begin at `start`."""
    if conflict := _CONFLICT.search(text):
        raise CassetteFormatError(
            "a merge conflict is not resolved: here is one of its markers; take one side whole, or record it again",
            path=path,
            line=text.count("\n", 0, conflict.start()) + 1,
        )
    last = text.rstrip().count("\n") + 1
    end = text[start:]
    if not start or ("{" in end and "}" not in end):
        raise _fault("the file is cut: its end mark is missing or not whole", path, last)
    from tapemeter import yaml_reader  # noqa: PLC0415 - as above

    lines: dict[Place, int] = {}
    try:
        document = yaml_reader.load(text, lines=lines)
        interactions = _interactions(document, lines)
        count = _count(document, lines)
    except (CassetteFormatError, yaml_reader.YamlError) as error:
        raise _fault(error.problem, path, error.line) from None
    _check_count(count, len(interactions), path, lambda: lines["end",])
    return _edited_entries(interactions, text, path, lines)


def _interactions(document: Any, lines: dict[Place, int]) -> list[Interaction]:
    if not isinstance(document, dict):
        raise CassetteFormatError("a cassette is a mapping with format, interactions and end", line=1)
    if unknown := [name for name in document if name not in {"format", "interactions", "end"}]:
        raise CassetteFormatError(f"the field {unknown[0]!r} is not known here", line=lines[unknown[0],])
    if list(document)[-1:] != ["end"]:
        raise CassetteFormatError("the file is cut, or its end mark does not stand at the end")
    if document.get("format") != FORMAT:
        raise CassetteFormatError(f"expected the format to be {FORMAT}", line=lines.get(("format",)))
    items = document.get("interactions")
    if not isinstance(items, list):
        raise CassetteFormatError("expected interactions to be a list", line=lines.get(("interactions",)))
    return [
        from_mapping(item, edited=True, place=("interactions", index), lines=lines) for index, item in enumerate(items)
    ]


def _count(document: dict[str, Any], lines: dict[Place, int]) -> int:
    match document["end"]:
        case {"interactions": bool()}:
            pass
        case {"interactions": int(count), **others} if not others.keys() - {"sha256"}:
            return count
    raise CassetteFormatError(
        'expected the end mark to be {interactions: <how many>, sha256: "<digest>"}', line=lines["end",]
    )


def _edited_entries(
    interactions: list[Interaction], text: str, path: str, lines: dict[Place, int]
) -> tuple[Entry, ...]:
    offsets = [0]
    for line in text.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    starts = [offsets[lines["interactions", index] - 1] for index in range(len(interactions))]
    stops = [*starts[1:], offsets[lines["end",] - 1]]
    entries = []
    for interaction, start, stop in zip(interactions, starts, stops, strict=False):
        entry = Entry(path, text, start, stop, None)
        entry.__dict__["interaction"] = interaction  # where cached_property keeps what it has computed
        entries.append(entry)
    return tuple(entries)


def _check_count(said: int, there: int, path: str, line: Callable[[], int]) -> None:
    if said != there:
        raise CassetteFormatError(
            f"the end mark says interactions: {said}, but the file has {there}; if that is what you want, "
            f"set interactions: {there} in the end mark, else {_REMEDY}",
            path=path,
            line=line(),
        )


def _fault(problem: str, path: str, line: int | None) -> CassetteFormatError:
    return CassetteFormatError(f"{problem}; {_REMEDY}", path=path, line=line)

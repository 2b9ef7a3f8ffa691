"""Reads and writes the YAML of other tools: plain data and the few tags that their recordings hold.

Values are built from the parser's events, as in `yaml_reader`, so no constructor of the YAML library ever runs, nothing
in a file can name what is called, and depth and size are bounded as they grow. A plain scalar means what YAML 1.1 says,
since that is what wrote it; a time stays the text it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from tapemeter.cassette.tapes import yaml_tags
from tapemeter.errors import CassetteFormatError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tapemeter.yaml_reader import Place

MAX_DEPTH = 100
"""Containers in one another."""
MAX_EXPANSION = 64 * 1024 * 1024
"""Characters and values by which aliases may make a file larger than it is."""
_PLACED = 4
"""Steps of the longest place whose line is noted."""
_VALUE = 16
"""What any value counts, beside its characters, towards the expansion."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MERGE = "<<"
_REMEDY = "take it out of the file, or record it again"


def load(text: str, path: str, lines: dict[Place, int]) -> Any:
    """Return the one document in `text`, the content of the file at `path`; None where it is empty.

    `lines` is filled with the line on which the outer values begin. CassetteFormatError, with its line, for a tag
    that is not allowed, a second document, or what is no YAML.
    """
    import yaml  # noqa: PLC0415 - only a tape that is really read pays for it

    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        return _Reader(yaml.parse(text, Loader=loader), yaml, path, lines).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = f"this is not YAML: {error.problem or error.context}; restore the file, or record it again"
        raise CassetteFormatError(problem, path=path, line=None if mark is None else mark.line + 1) from None
    except (yaml.YAMLError, UnicodeEncodeError):
        bad = _FORBIDDEN.search(text)
        what = "this is not YAML" if bad is None else f"the character U+{ord(bad[0]):04X} must not stand in YAML"
        line = 1 if bad is None else text.count("\n", 0, bad.start()) + 1
        raise CassetteFormatError(f"{what}; restore the file, or record it again", path=path, line=line) from None


def dump(value: Any) -> str:
    """Return plain data, with bytes as `!!binary`, as the YAML that VCR.py writes; UsageError for any other object."""
    import yaml  # noqa: PLC0415 - only who writes such a file pays for it

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    try:
        text: str = yaml.dump(_plain_data(value), Dumper=dumper)
    except (yaml.YAMLError, UnicodeEncodeError):
        raise UsageError("a tape cannot be written: it holds a character that YAML has no way to write") from None
    return text


_PLAIN_KINDS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    ((bytes, bytearray, memoryview), bytes),
    (int, int),
    (float, float),
)
"""The scalars that YAML holds, with what makes one of no class of its own."""


def _plain_data(value: Any) -> Any:
    """Return a copy in which nothing is shared, and strings and numbers are of no class of their own."""
    match value:
        case dict():
            return {_plain_data(name): _plain_data(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain_data(each) for each in value]
        case None | bool():
            return value
    for kind, plain in _PLAIN_KINDS:
        if isinstance(value, kind):
            return plain(value)
    raise UsageError(
        f"a tape cannot be written: it would hold a {type(value).__name__}, and it holds texts, bytes, numbers, "
        "lists and mappings only; make it one of these before it is recorded"
    )


class _Unfinished:
    """Stands for an anchored container while it is read."""


class _Reader:
    """Builds values from events, each refused as soon as it is seen."""

    def __init__(self, events: Iterator[Any], yaml: Any, path: str, lines: dict[Place, int]) -> None:
        self._events, self._path, self._lines = events, path, lines
        self._scalar, self._alias = yaml.ScalarEvent, yaml.AliasEvent
        self._mapping_start, self._mapping_end = yaml.MappingStartEvent, yaml.MappingEndEvent
        self._sequence_end, self._stream_end = yaml.SequenceEndEvent, yaml.StreamEndEvent
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._size = self._expansion = 0

    def document(self) -> Any:
        """Return the only document of the stream."""
        next(self._events)  # the stream starts
        if type(next(self._events)) is self._stream_end:
            return None
        value = self._value(next(self._events), (), 0)
        next(self._events)  # the document ends
        after = next(self._events)
        if type(after) is not self._stream_end:
            self._refuse(after, "a second document begins, a tape is one; keep the first")
        return value

    def _value(self, event: Any, place: Place, depth: int) -> Any:
        """Return what begins with an event; `place` is None beyond those whose line is noted."""
        kind = type(event)
        if kind is self._scalar and event.anchor is None:
            return self._scalar_value(event)
        if kind is self._alias:
            return self._aliased(event)
        anchor, before = event.anchor, self._size
        if anchor is not None:
            self._anchors[anchor] = (_Unfinished, 0)
        if kind is self._scalar:
            value = self._scalar_value(event)
        else:
            if depth >= MAX_DEPTH:
                self._refuse(event, f"more than {MAX_DEPTH} containers in one another; {_REMEDY}")
            value = self._container(event, kind, place, depth + 1)
        if anchor is not None:
            self._anchors[anchor] = (value, self._size - before)
        return value

    def _container(self, event: Any, kind: Any, place: Place, depth: int) -> Any:
        self._size += _VALUE
        value: Any
        value = self._mapping(place, depth) if kind is self._mapping_start else self._sequence(place, depth)
        tag = event.tag
        if tag is None or tag in yaml_tags.CONTAINERS:
            return value
        make = yaml_tags.OBJECTS.get(tag)
        if make is None:
            self._refuse_tag(event)
        try:
            return make(value)
        except (TypeError, ValueError, LookupError):
            self._refuse(event, f"the tag {_shown(tag)} stands before something else than it does; {_REMEDY}")

    def _mapping(self, place: Place, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: list[Any] = []
        noted = len(place) < _PLACED
        while type(event := next(self._events)) is not self._mapping_end:
            key = self._key(event, depth)
            inner = (*place, key) if noted else place
            if noted:
                self._lines[inner] = event.start_mark.line + 1
            value = self._value(next(self._events), inner, depth)
            if key == _MERGE and type(event) is self._scalar and not event.style:
                merged += value if isinstance(value, list) else [value]
            else:
                values[key] = value
        for each in merged:
            if not isinstance(each, dict):
                self._refuse(event, "<< merges mappings only; write the fields out")
            values = {**each, **values}
        return values

    def _key(self, event: Any, depth: int) -> str:
        if type(event) is self._scalar and event.tag is None and event.anchor is None:
            self._size += len(event.value)
            text: str = event.value
            return text
        key = self._value(event, ("",) * _PLACED, depth)
        if isinstance(key, bytes):
            return key.decode("latin-1")
        if not isinstance(key, str):
            self._refuse(event, "a key must be a string; put it in quotes")
        return key

    def _sequence(self, place: Place, depth: int) -> list[Any]:
        values: list[Any] = []
        noted = len(place) < _PLACED
        while type(event := next(self._events)) is not self._sequence_end:
            inner = (*place, len(values)) if noted else place
            if noted:
                self._lines[inner] = event.start_mark.line + 1
            values.append(self._value(event, inner, depth))
        return values

    def _scalar_value(self, event: Any) -> Any:
        text: str = event.value
        self._size += len(text) + _VALUE
        tag = event.tag
        if tag is None:
            if event.style or (text[:1] not in yaml_tags.MAYBE and text not in yaml_tags.WORDS):
                return text
            return self._plain(event, text)
        convert = yaml_tags.SCALARS.get(tag)
        if convert is None:
            self._refuse_tag(event)
        try:
            return convert(text)
        except ValueError:
            self._refuse(event, f"what follows the tag {_shown(tag)} is none; {_REMEDY}")

    def _plain(self, event: Any, text: str) -> Any:
        try:
            return yaml_tags.plain(text)
        except ValueError:
            self._refuse(event, f"a number of more than {yaml_tags.MAX_DIGITS} digits; put it in quotes")

    def _aliased(self, event: Any) -> Any:
        value, size = self._anchors.get(event.anchor, (None, -1))
        if size < 0:
            self._refuse(event, "an alias (*) of what was not there before; write the value out")
        if value is _Unfinished:
            self._refuse(event, "an alias (*) of what it stands in; write the value out")
        self._size += size
        self._expansion += size
        if self._expansion > MAX_EXPANSION:
            self._refuse(event, "aliases (*) make the file many times larger than it is; write the values out")
        return value

    def _refuse_tag(self, event: Any) -> NoReturn:
        self._refuse(
            event,
            f"the tag {_shown(event.tag)} is not allowed: it would have a file make objects of Python. Record the tape "
            "again, or write what it stands for as a plain string, list or mapping",
        )

    def _refuse(self, event: Any, problem: str) -> NoReturn:
        raise CassetteFormatError(problem, path=self._path, line=event.start_mark.line + 1)


def _shown(tag: str) -> str:
    return ("!!" + tag.removeprefix(yaml_tags.YAML) if tag.startswith(yaml_tags.YAML) else tag)[:100]

"""Makes the errors of a configuration, in which no key shows.

A key that stands in the wrong place, as the name of a provider or in a file, is what a message would quote first. So
what may be a key is never quoted, and every message goes through the redaction that cassettes go through.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tapemeter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_WIDEST = 60
"""Characters of a value that are shown."""
_TOKEN = re.compile(r"[^\s'\"]+")
_WORDS = re.compile(r"[a-z<>-]{1,12}(?:_[a-z]{1,12}){0,3}(?:_v[0-9])?[.,:;]?")
"""Words such as fields have, and libraries write into messages."""
_FILE = re.compile(r"[^\n]{0,200}\.(?:ya?ml|json)", re.IGNORECASE)


class Hiding:
    """Knows the environment, whose keys no message may show, and makes the messages."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def fault(self, problem: str, *, path: str = "", line: int | None = None) -> ConfigError:
        """Return the error, with what is known to be a key taken out of it."""
        return ConfigError(self.text(problem), path=self.text(path), line=line)

    def fault_of_a_file(self, problem: str, *, path: str, line: int | None) -> ConfigError:
        """Return the error for a fault found on reading a file, whose message may hold any word of the file."""
        quiet = _TOKEN.sub(lambda found: "(not shown)" if self.may_be_a_key(found[0]) else found[0], problem)
        return self.fault(quiet, path=path, line=line)

    def text(self, text: str) -> str:
        """Return a text with what is known to be a key taken out of it."""
        from tapemeter.redact import Redactor  # noqa: PLC0415 - a program that only imports this pays nothing

        return Redactor(environ=self._environ).text(text)

    def told(self, value: str) -> str:
        """Return a value as a message may show it: cut, quoted, and not at all where it may be a key."""
        if self.may_be_a_key(value):
            return f"a text of {len(value)} characters, which is not shown since it may be a key"
        shown = value if len(value) <= _WIDEST else f"{value[: _WIDEST - 1]}…"
        return json.dumps(shown, ensure_ascii=False)

    def is_a_key(self, value: str) -> bool:
        """Whether a value has the shape of a key, or is what a variable holds that is named as keys are."""
        return self.text(value) != value

    def may_be_a_key(self, value: str) -> bool:
        """Whether a value is a key, or neither a word nor a number nor the name of a file."""
        from tapemeter.redact.values import looks_secret  # noqa: PLC0415 - see above

        if self.is_a_key(value):
            return True
        return looks_secret(value) and not (_WORDS.fullmatch(value) or _FILE.fullmatch(value))

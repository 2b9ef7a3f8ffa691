"""A cassette that is read when something first looks into it, so that tests that ask for nothing cost nothing.

What is read is what there would have been when it was opened: a path is taken from the folder that was the current one
then. Where reading later could find another world, it is read at once: with a persister of the suite's own, or in a
test with a file system of its own.
"""

from __future__ import annotations

import os
from typing import Any

from tapemeter.pytest_plugin.vcr_suites.recording import Joined
from tapemeter.vcr.cassette import Cassette
from tapemeter.vcr.persisters.filesystem import FilesystemPersister

_OF_FILE = ("data", "rewound", "dirty", "_metadata", "_loaded_count", "_old_interactions")
"""What reading fills in. Until then a cassette has no such attributes, so that asking for one reads it."""


class LazyCassette(Cassette):
    """The cassette of a test; see the module."""

    @classmethod
    def load(cls, **options: Any) -> Cassette:
        """Return the cassette at `path`, to be read when it is first looked into."""
        persister = options.get("persister") or FilesystemPersister
        if persister is not FilesystemPersister and not isinstance(persister, Joined):
            return super().load(**options)
        cassette = cls(**options)
        cassette._options = {**options, "path": os.path.abspath(options["path"])}  # noqa: PTH100 - VCR.py's are text
        for name in _OF_FILE:
            del cassette.__dict__[name]
        return cassette

    _options: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name not in _OF_FILE:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        with self.lock:
            if name not in self.__dict__:
                loaded = Cassette.load(**self._options)
                for each in _OF_FILE:
                    self.__dict__.setdefault(each, getattr(loaded, each))
        return self.__dict__[name]

    def _save(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 - VCR.py's signature
        """Write it; one that nothing looked into is as it was, unless what was not asked for is to be dropped."""
        if force or self.drop_unused_requests or any(name in self.__dict__ for name in _OF_FILE):
            super()._save(force)

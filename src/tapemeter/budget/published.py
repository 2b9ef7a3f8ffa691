"""Whether files that were published, `*_v1.yaml` and the like, are still what they were at a commit of git.

A report names the policy that held. That only means something as long as nobody edits the file of that name: a
change is a new file. Git is only asked to list and print what it has stored.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tapemeter.errors import UsageError
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_VERSIONED = re.compile(r"(.+_v)([0-9]{1,9})\.(ya?ml|json)")
_ORDINARY_FILES = {b"100644", b"100755"}
_PATIENCE = 60.0
"""Seconds for one answer of git."""
_QUIET = {"GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
"""Git fetches nothing and asks nobody."""


def is_versioned(name: str) -> bool:
    """Return whether a file name ends in a version, such as `limits_v1.yaml`."""
    return _VERSIONED.fullmatch(name) is not None


class Change(Value):
    """A published file that is no longer what it was; `next_name` is what a change may be called."""

    path: Path
    gone: bool
    next_name: str


def changes(paths: Sequence[Path], ref: str) -> list[Change]:
    """Return the versioned files at or below `paths` that differ from those at a commit, or are gone, in order.

    UsageError where git does not know the commit, or there is no git or repository.
    """
    if not ref or ref.startswith("-") or "\0" in ref:
        raise UsageError(f"--against {ref!r} is no name of a commit; write one such as origin/main")
    found: dict[Path, Change] = {}
    for path in paths:
        whole = path.resolve()
        inside = next((above for above in (whole, *whole.parents) if above.is_dir()), Path.cwd())
        root = Path(os.fsdecode(_git(inside, "rev-parse", "--show-toplevel").removesuffix(b"\n")))
        for stored in _stored(root, _commit(root, ref)):
            if stored.path.is_relative_to(whole) and (change := stored.change(root)) is not None:
                found[change.path] = change
    return [found[path] for path in sorted(found)]


class _Stored(Value):
    """A file as git has it."""

    path: Path
    blob: str
    size: int

    def change(self, root: Path) -> Change | None:
        """Return how the file of today differs, None where it does not."""
        if not self.path.is_file():
            return Change(self.path, gone=True, next_name=self._next())
        try:
            same = self.path.stat().st_size == self.size and self.path.read_bytes() == self._content(root)
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be read: {error.strerror}; make it readable") from None
        return None if same else Change(self.path, gone=False, next_name=self._next())

    def _content(self, root: Path) -> bytes:
        return _git(root, "cat-file", "blob", self.blob)

    def _next(self) -> str:
        """Return the name with the first version after this one that is not taken."""
        name = _VERSIONED.fullmatch(self.path.name)
        assert name is not None  # noqa: S101 - nothing else is listed
        version = int(name[2]) + 1
        while (made := self.path.with_name(f"{name[1]}{version}.{name[3]}")).exists():
            version += 1
        return made.name


def _stored(root: Path, commit: str) -> Iterator[_Stored]:
    listed = _git(root, "ls-tree", "-r", "-l", "-z", "--full-tree", commit)
    for line in listed.split(b"\0")[:-1]:
        facts, _, name = line.partition(b"\t")
        mode, _, blob, size = facts.split()
        path = root / os.fsdecode(name)
        if mode in _ORDINARY_FILES and is_versioned(path.name):
            yield _Stored(path, blob.decode(), int(size))


def _commit(root: Path, ref: str) -> str:
    try:
        return _git(root, "rev-parse", "--verify", f"{ref}^{{commit}}").decode().strip()
    except UsageError:
        raise UsageError(
            f"--against {ref}: git knows no such commit in {root}; fetch it first (in GitHub Actions: fetch-depth: 0)"
        ) from None


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands; what a user wrote is checked before
            ["git", "-C", os.fspath(folder), *arguments],  # noqa: S607 - the git that the user has
            env={**os.environ, **_QUIET},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("--against needs git, which is not installed") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"--against: git does not answer: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise UsageError(f"--against: git {arguments[0]} failed in {folder}: {said or done.returncode}")
    return done.stdout

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING

import pytest

from tapemeter.intercept.imports import ImportWatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType


@pytest.fixture
def told() -> list[ModuleType]:
    return []


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[ModuleType]) -> Iterator[ImportWatch]:
    """A watch for `watched_one`, `watched_broken`, `watched_package.inner` and `watched_missing`."""
    (tmp_path / "watched_one.py").write_text("VALUE = 1\n")
    (tmp_path / "watched_broken.py").write_text("1 / 0\n")
    (tmp_path / "watched_package").mkdir()
    (tmp_path / "watched_package" / "__init__.py").write_text("")
    (tmp_path / "watched_package" / "inner.py").write_text("import watched_one\n")
    (tmp_path / "watched_package" / "data.txt").write_text("data")
    monkeypatch.syspath_prepend(tmp_path)
    names = ["watched_one", "watched_broken", "watched_package.inner", "watched_missing"]
    watch = ImportWatch(dict.fromkeys(names, told.append))
    before = list(sys.meta_path)
    yield watch
    watch.undo()
    assert sys.meta_path == before
    for name in [name for name in sys.modules if name.startswith("watched_")]:
        del sys.modules[name]


def test_a_module_is_told_of_once_and_whole(watch: ImportWatch, told: list[ModuleType]) -> None:
    watch.install()
    assert told == []

    module = importlib.import_module("watched_one")

    assert told == [module]
    assert module.VALUE == 1
    importlib.import_module("watched_one")
    assert told == [module]


def test_a_module_that_is_imported_already_is_told_of_at_once(watch: ImportWatch, told: list[ModuleType]) -> None:
    module = importlib.import_module("watched_one")

    watch.install()

    assert told == [module]


def test_a_module_that_imports_another_comes_after_it(watch: ImportWatch, told: list[ModuleType]) -> None:
    watch.install()

    importlib.import_module("watched_package.inner")

    assert [module.__name__ for module in told] == ["watched_one", "watched_package.inner"]


def test_nothing_of_the_watch_stays_with_a_module(watch: ImportWatch) -> None:
    watch.install()

    module = importlib.import_module("watched_package.inner")

    assert type(module.__loader__).__module__ != ImportWatch.__module__
    assert module.__spec__ is not None
    assert module.__spec__.loader is module.__loader__
    assert importlib.reload(module) is module


def test_a_module_that_fails_to_import_is_not_told_of(watch: ImportWatch, told: list[ModuleType]) -> None:
    watch.install()

    with pytest.raises(ZeroDivisionError):
        importlib.import_module("watched_broken")

    assert told == []


def test_a_module_that_is_not_there_is_missing_as_ever(watch: ImportWatch, told: list[ModuleType]) -> None:
    watch.install()

    with pytest.raises(ModuleNotFoundError, match="watched_missing"):
        importlib.import_module("watched_missing")

    assert importlib.util.find_spec("watched_missing") is None
    assert told == []


def test_a_module_that_was_only_looked_for_is_still_told_of(watch: ImportWatch, told: list[ModuleType]) -> None:
    watch.install()
    assert importlib.util.find_spec("watched_one") is not None

    module = importlib.import_module("watched_one")

    assert told == [module]


def test_a_module_that_failed_to_import_is_told_of_when_it_succeeds(
    watch: ImportWatch, told: list[ModuleType], tmp_path: Path
) -> None:
    watch.install()
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("watched_broken")
    (tmp_path / "watched_broken.py").write_text("VALUE = 'mended'\n")
    importlib.invalidate_caches()

    module = importlib.import_module("watched_broken")

    assert told == [module]


def test_a_module_that_was_found_before_undo_is_not_told_of_after(watch: ImportWatch, told: list[ModuleType]) -> None:
    watch.install()
    spec = importlib.util.find_spec("watched_one")
    assert spec is not None
    assert spec.loader is not None
    watch.undo()

    spec.loader.exec_module(importlib.util.module_from_spec(spec))

    assert told == []


def test_two_watches_are_both_told(watch: ImportWatch, told: list[ModuleType]) -> None:
    others: list[ModuleType] = []
    other = ImportWatch({"watched_one": others.append})
    watch.install()
    other.install()
    try:
        module = importlib.import_module("watched_one")
    finally:
        other.undo()

    assert told == others == [module]


def test_what_a_hook_raises_fails_every_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "watched_refused.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    def refuse(module: ModuleType) -> None:
        raise LookupError(module.__name__)

    watch = ImportWatch({"watched_refused": refuse})
    watch.install()
    try:
        for _ in range(2):  # code that swallows the first goes no further with the second
            with pytest.raises(LookupError, match="watched_refused"):
                importlib.import_module("watched_refused")
        assert "watched_refused" not in sys.modules
    finally:
        watch.undo()


def test_after_undo_nothing_is_told(watch: ImportWatch, told: list[ModuleType]) -> None:
    watch.install()
    watch.undo()

    importlib.import_module("watched_one")

    assert told == []

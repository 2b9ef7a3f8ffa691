"""`import vcr` while the plugin is active: VCR.py's modules with our objects, or stand-ins where it is not there."""

from __future__ import annotations

import importlib
import sys
import textwrap
import unittest
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

import tapemeter.vcr
from tapemeter.pytest_plugin import Finder
from tapemeter.pytest_plugin.vcr_suites.imports import REPLACED, STAND_INS, VcrImports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THEIRS = {
    "__init__": """
        from .config import VCR
        from .request import Request

        default_vcr, use_cassette, mode = VCR(), 1, 2
    """,
    "config": "class VCR: pass",
    "request": "class Request: pass\nhelp = 'theirs'",
    "cassette": "",
    "patch": "",
    "stubs": "from vcr.request import Request",
}
"""What tells VCR.py from another module of that name, and some of what it has."""


@contextmanager
def no_vcr() -> Iterator[None]:
    """Have nobody know of a module `vcr`, nor find one that is installed."""
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name == "vcr" or name.startswith("vcr.")}
    finders = sys.meta_path[:]
    sys.meta_path[:] = [_Without(finder) for finder in finders if not isinstance(finder, Finder | VcrImports)]
    try:
        yield
    finally:
        sys.meta_path[:] = finders
        for name in [name for name in sys.modules if name == "vcr" or name.startswith("vcr.")]:
            del sys.modules[name]
        sys.modules.update(kept)


class _Without:
    """A finder that does not find VCR.py where packages are installed."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        found = getattr(self._finder, "find_spec", lambda *_: None)(name, path, target)
        return None if found is not None and name == "vcr" and "site-packages" in str(found.origin) else found


@pytest.fixture
def imports() -> Iterator[VcrImports]:
    with no_vcr():
        served = VcrImports()
        served.install()
        yield served
        served.undo()


def install(folder: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in files.items():
        path = folder / "vcr" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(folder))


def test_nothing_of_ours_is_loaded_before_anybody_imports_it(imports: VcrImports) -> None:
    assert not imports.is_used
    assert find_spec("vcr") is not None
    assert not imports.is_used, "looking for it is no use of it"


@pytest.mark.parametrize("name", STAND_INS)
def test_each_stand_in_has_what_our_module_of_that_name_has(imports: VcrImports, name: str) -> None:
    module = importlib.import_module(name)
    ours = importlib.import_module("tapemeter.vcr" + name.removeprefix("vcr"))
    assert imports.is_used
    for public in REPLACED.get(name, ()):
        assert getattr(module, public) is getattr(ours, public)


def test_modules_below_are_there_without_being_imported(imports: VcrImports) -> None:
    vcr: Any = importlib.import_module("vcr")
    assert vcr.VCR is vcr.config.VCR is tapemeter.vcr.VCR
    assert vcr.serializers.yamlserializer.deserialize("a: 1") == {"a": 1}
    assert vcr.mode.NONE == "none"
    with pytest.raises(AttributeError, match="no attribute 'unknown'"):
        _ = vcr.unknown


def test_what_has_no_stand_in_is_an_error_that_says_why(imports: VcrImports) -> None:
    for name in ("vcr.stubs", "vcr.patch", "vcr.migration", "vcr.stubs.httpx_stubs"):
        with pytest.raises(ModuleNotFoundError, match=r"VCR\.py is not installed"):
            importlib.import_module(name)


def test_in_an_installed_vcr_our_objects_take_the_place_of_theirs_and_the_rest_stays(
    imports: VcrImports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, THEIRS, monkeypatch)
    vcr: Any = importlib.import_module("vcr")
    stubs: Any = importlib.import_module("vcr.stubs")
    assert imports.is_used
    assert vcr.VCR is vcr.config.VCR is tapemeter.vcr.VCR
    assert vcr.use_cassette == tapemeter.vcr.use_cassette
    assert stubs.Request is vcr.Request is tapemeter.vcr.Request
    assert vcr.request.help == "theirs"
    imports.undo()
    assert "vcr" not in sys.modules
    again: Any = importlib.import_module("vcr")
    assert again.use_cassette == 1
    assert again.VCR is not tapemeter.vcr.VCR


def test_one_that_was_imported_before_gets_our_objects_and_its_own_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_vcr():
        install(tmp_path, THEIRS, monkeypatch)
        vcr: Any = importlib.import_module("vcr")
        theirs = vcr.VCR
        served = VcrImports()
        served.install()
        assert served.is_used
        assert vcr.VCR is vcr.config.VCR is tapemeter.vcr.VCR
        served.undo()
        assert vcr.VCR is vcr.config.VCR is theirs
        assert sys.modules["vcr"] is vcr


def test_a_module_of_the_projects_own_with_that_name_is_left_alone(
    imports: VcrImports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, {"__init__": "tape = 'video'", "request": "rewind = True"}, monkeypatch)
    vcr: Any = importlib.import_module("vcr")
    assert vcr.tape == "video"
    assert importlib.import_module("vcr.request").rewind
    assert not hasattr(vcr, "VCR")
    assert not imports.is_used
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'vcr\.errors'$"):
        importlib.import_module("vcr.errors")
    served = VcrImports()
    served.install()
    assert not served.is_used
    served.undo()


def test_a_test_case_has_a_cassette_in_each_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tapemeter import lending  # noqa: PLC0415 - beside what it is compared with
    from tapemeter.vcr.unittest import VCRTestCase  # noqa: PLC0415 - else its base class would be collected here

    monkeypatch.chdir(tmp_path)
    seen: list[Any] = []

    class Case(VCRTestCase):
        def _get_cassette_library_dir(self) -> str:
            return str(tmp_path / "cassettes")

        def _get_vcr_kwargs(self, **options: Any) -> dict[str, Any]:
            return {**options, "record_mode": "new_episodes"}

        def test_one(self) -> None:
            seen.append((self.cassette, lending.in_use()))

    class Without(Case):
        vcr_enabled = False

        def test_one(self) -> None:
            seen.append((getattr(self, "cassette", None), lending.in_use()))

    for case in (Case, Without):
        assert case("test_one").run(unittest.TestResult()).wasSuccessful()  # type: ignore[union-attr]
    (cassette, in_use), nothing = seen
    assert cassette is in_use
    assert cassette.path == str(tmp_path / "cassettes" / "Case.test_one.yaml")
    assert cassette.record_mode == "new_episodes"
    assert nothing == (None, None)
    assert VCRTestCase("run")._get_cassette_library_dir().endswith("/cassettes")

"""What a session imports before it concerns itself with a model call: every session pays for it."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from light_modules import PLUGIN
from tapemeter import pytest_plugin
from tapemeter.pytest_plugin import fixtures

if TYPE_CHECKING:
    from conftest import Project

NOTING = """
import sys
from pathlib import Path

def pytest_unconfigure():
    ours = sorted(name for name in sys.modules if name.startswith("tapemeter"))
    Path("imported.txt").write_text("\\n".join(ours))
"""

PLUGIN_ALONE = ("-p", "tapemeter.pytest_plugin", "-W", "ignore::pytest.PytestConfigWarning")
CONFTEST = PLUGIN | {"tapemeter.pytest_plugin.conftests"}
"""In these tests there is a conftest, which is looked at for what suites for pytest-vcr have."""
SESSION = CONFTEST | {
    "tapemeter.audit",
    "tapemeter.cassette",
    "tapemeter.cassette.mode",
    "tapemeter.clock",
    "tapemeter.errors",
    "tapemeter.findings",
    "tapemeter.intercept",
    "tapemeter.intercept.guard",
    "tapemeter.intercept.hook",
    "tapemeter.intercept.imports",
    "tapemeter.intercept.threads",
    "tapemeter.owner",
    "tapemeter.pytest_plugin.reading",
    "tapemeter.pytest_plugin.serving",
    "tapemeter.run",
    "tapemeter.session",
    "tapemeter.settings",
}
TESTS = SESSION | {
    "tapemeter.pytest_plugin.binding",
    "tapemeter.pytest_plugin.lifecycle",
    "tapemeter.pytest_plugin.markers",
    "tapemeter.pytest_plugin.names",
    "tapemeter.pytest_plugin.orphans",
    "tapemeter.pytest_plugin.refusals",
    "tapemeter.pytest_plugin.strictness",
    "tapemeter.pytest_plugin.vcr_suites",
    "tapemeter.pytest_plugin.vcr_suites.marks",
    "tapemeter.pytest_plugin.vcr_suites.options",
    "tapemeter.pytest_plugin.vcr_suites.style",
}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no other plugin, which might import a client library."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def imported(project: Project, *options: str) -> set[str]:
    """Return our modules that a session has imported at its end which has one test that calls nothing."""
    project.write("conftest.py", NOTING)
    project.write("test_it.py", "def test_one(): pass")
    project.run_apart(*PLUGIN_ALONE, *options, **({} if "--collect-only" in options else {"passed": 1}))
    return set((project.path / "imported.txt").read_text().split())


@pytest.mark.parametrize("options", [(), ("--collect-only",)])
def test_a_session_that_uses_nothing_imports_the_plugin_alone(project: Project, options: tuple[str, ...]) -> None:
    assert imported(project, *options) == CONFTEST


def test_a_session_in_replay_that_only_collects_imports_what_guards_it(project: Project) -> None:
    assert imported(project, "--llm-mode=replay", "--collect-only") == SESSION


def test_a_session_in_replay_in_which_nothing_is_called_imports_what_tests_need(project: Project) -> None:
    assert imported(project, "--llm-mode=replay") == TESTS


def test_modules_of_ours_are_not_loaded_by_the_rewriting_of_assertions(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import sys

        def test_one():
            ours = {name: module for name, module in sys.modules.items() if name.startswith("tapemeter.pytest_plugin.")}
            assert ours
            for name, module in ours.items():
                assert type(module.__spec__.loader).__name__ == "SourceFileLoader", name
            assert type(sys.modules["test_it"].__spec__.loader).__name__ == "AssertionRewritingHook"
        """,
    )
    project.run_apart(*PLUGIN_ALONE, passed=1)
    project.run_apart(*PLUGIN_ALONE, "--llm-mode=replay", passed=1)


def test_nothing_stays_behind_that_keeps_modules_alive_to_the_end(project: Project) -> None:
    project.write("test_it.py", "def test_one(): pass")
    project.write(
        "thrice.py",
        """
        import sys
        from types import ModuleType

        import pytest

        def finders():
            return [finder for finder in sys.meta_path if "tapemeter" in type(finder).__module__]

        class Seen:
            def pytest_collection_finish(self):
                assert finders()

        for mode in ("off", "replay", "live"):
            assert pytest.main([*sys.argv[1:], f"--llm-mode={mode}"], [Seen()]) == 0
            assert not finders()

        from tapemeter import audit

        assert audit.HANDLERS == {}
        assert [name for name, value in vars(audit).items() if isinstance(value, ModuleType)] == ["sys"]
        """,
    )
    command = [sys.executable, "thrice.py", *PLUGIN_ALONE, "test_it.py"]
    done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pytest_looks_at_fixtures_and_hooks_alone() -> None:
    defined = {
        node.name
        for node in ast.parse(inspect.getsource(fixtures)).body
        if isinstance(node, ast.FunctionDef)
        and any("pytest.fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    assert set(fixtures.__all__) == defined
    hooks = set(dir(pytest_plugin)) - defined
    assert hooks == {name for name in vars(pytest_plugin) if name.startswith("pytest_")}
    assert "pytest_configure" in hooks

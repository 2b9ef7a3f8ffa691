from __future__ import annotations

import pkgutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import tapemeter
from light_modules import PLUGIN

NAMES = [
    "BudgetStopped",
    "CassetteError",
    "CassetteFormatError",
    "CassetteMiss",
    "CassetteTooLargeError",
    "ConfigError",
    "CostCalculationError",
    "EvidenceError",
    "InterceptionError",
    "LlmService",
    "ModelCallResult",
    "NetworkBlockedError",
    "PartialRecording",
    "PolicyError",
    "ProviderConfig",
    "ProviderError",
    "ProxyUnreachableError",
    "Refusal",
    "Request",
    "Response",
    "TapemeterError",
    "TokenUsage",
    "UnownedCall",
    "UnreadableCassette",
    "UsageError",
    "open_run",
]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(tapemeter.__path__, "tapemeter.")
    if not module.name.endswith("__main__")
)


def imported(by: str, *before: str) -> set[str]:
    """Return the modules that a statement imports in a fresh interpreter, past those that others import."""
    lines = ["import sys", *before, "known = set(sys.modules)", by, "print(*sorted(set(sys.modules) - known))"]
    command = [sys.executable, "-W", "error", "-c", "\n".join(lines)]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def third_parties(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"tapemeter"}


def test_the_public_names_are_these() -> None:
    assert sorted(tapemeter.__all__) == NAMES
    for name in NAMES:
        assert getattr(tapemeter, name).__name__ == name


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tapemeter.nothing  # noqa: B018


def test_importing_the_package_imports_nothing_else() -> None:
    assert imported("import tapemeter") <= {"tapemeter", "__future__", "importlib", "typing"} | set(
        imported("import importlib, typing")
    )


def test_the_public_names_need_of_third_parties_what_values_are_made_of() -> None:
    found = imported(f"from tapemeter import {', '.join(NAMES)}")
    assert third_parties(found) == third_parties(imported("import msgspec"))


def test_the_plugin_imports_nothing_but_pytest_and_its_own_light_modules() -> None:
    found = imported("import tapemeter.pytest_plugin", "import pytest")

    assert third_parties(found) == set()
    assert {name for name in found if name.startswith("tapemeter")} == PLUGIN


def test_what_guards_a_child_process_needs_no_third_party() -> None:
    assert third_parties(imported("import tapemeter.isolation.inherited")) == set()


def test_every_module_imports_alone_without_a_warning() -> None:
    def fault(module: str) -> str:
        command = [sys.executable, "-W", "error", "-c", f"import {module}"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    with ThreadPoolExecutor(4) as pool:
        faults = dict(zip(MODULES, pool.map(fault, MODULES), strict=True))

    assert {module: text for module, text in faults.items() if text} == {}

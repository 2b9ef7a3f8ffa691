"""What makes a session one of the whole suite is judged in tests/acceptance/test_cassette_life.py, too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.findings import Findings
from tapemeter.pytest_plugin import WATCH, Watch, whole

if TYPE_CHECKING:
    from pathlib import Path

ARGS = pytest.Config.ArgsSource


def session(root: Path, *args: str, source: Any = None, **given: Any) -> Any:
    """A pytest session at its end; `given` are what is not as in a whole run."""
    watch = Watch()
    watch.dropped, watch.skipped = given.pop("dropped", 0), given.pop("modules", 0)
    paths = given.pop("testpaths", [])
    config = SimpleNamespace(
        args=list(args),
        args_source=source or (ARGS.ARGS if args else ARGS.INVOCATION_DIR),
        ArgsSource=ARGS,
        invocation_params=SimpleNamespace(dir=given.pop("begun_in", root), args=(*given.pop("options", ()), *args)),
        rootpath=root,
        option=SimpleNamespace(lf=given.pop("lf", False)),
        getini=lambda _: paths,
        stash={WATCH: watch},
    )
    return SimpleNamespace(
        config=config,
        testsfailed=given.pop("failed", 0),
        shouldstop=given.pop("stop", False),
        shouldfail=False,
        exitstatus=given.pop("status", pytest.ExitCode.OK),
    )


def test_all_tests_that_passed_are_a_whole_suite(tmp_path: Path) -> None:
    suite = whole.judge(session(tmp_path), Findings())
    assert suite.whole
    assert suite.as_json() == {"whole": True, "reasons": [], "left_out": [], "skipped": 0}
    assert whole.judge(session(tmp_path), None).whole


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"dropped": 1}, "1 of its tests was deselected"),
        ({"lf": True}, "it was of the tests that failed last (--last-failed)"),
        ({"options": ("--ignore", "x.py")}, "it left files out (--ignore)"),
        ({"options": ("--ignore-glob=x*",)}, "it left files out (--ignore-glob)"),
        ({"failed": 3}, "3 of its tests or modules failed"),
        ({"stop": True}, "it did not run to its end"),
        ({"status": pytest.ExitCode.INTERRUPTED}, "it did not run to its end"),
        ({"status": 8}, "it did not run to its end"),
        ({"modules": 1}, "a module of it was skipped as a whole"),
    ],
)
def test_why_a_session_is_not_the_whole_suite(tmp_path: Path, given: dict[str, Any], reason: str) -> None:
    assert whole.judge(session(tmp_path, **given), Findings()).reasons == (reason,)


def test_what_workers_found_counts(tmp_path: Path) -> None:
    one = Findings(dropped=2, skipped=1, left_out=["b.yaml"])
    one.merge(Findings(dropped=2, skipped=2, unnamed=1, left_out=["a.yaml", "b.yaml"]))
    suite = whole.judge(session(tmp_path), one)
    assert suite.reasons == (
        "2 of its tests were deselected",
        "1 of its tests, whose cassettes a fixture names, was skipped",
    )
    assert (suite.left_out, suite.skipped) == (("a.yaml", "b.yaml"), 3)


def test_more_than_can_be_listed_is_no_whole_suite(tmp_path: Path) -> None:
    many = Findings(left_out=[f"{number}.yaml" for number in range(whole.LISTED + 1)])
    suite = whole.judge(session(tmp_path), many)
    assert not suite.whole
    assert len(suite.left_out) == whole.LISTED


@pytest.mark.parametrize(
    ("args", "testpaths", "is_whole"),
    [
        ((), [], True),
        ((".",), [], True),
        (("tests",), [], False),
        (("tests",), ["tests"], True),
        ((".",), ["tests"], True),
        (("tests/unit",), ["tests"], False),
        (("tests/unit",), ["tests/unit"], True),
        (("tests/unit", "tests/more"), ["tests/*"], True),
        (("tests/unit",), ["tests/*"], False),
        (("tests", "tests/unit/test_a.py::test_x"), ["tests"], False),
    ],
)
def test_paths_are_the_whole_suite_where_they_cover_it(
    tmp_path: Path, args: tuple[str, ...], testpaths: list[str], is_whole: bool
) -> None:
    for name in ("unit", "more"):
        (tmp_path / "tests" / name).mkdir(parents=True)
    suite = whole.judge(session(tmp_path, *args, testpaths=testpaths), Findings())
    assert suite.whole is is_whole
    if not is_whole:
        assert suite.reasons == (f"it was of {', '.join(args)}",)


def test_a_session_that_began_in_a_folder_below_the_root_is_of_that_folder(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    below = session(tmp_path, begun_in=tmp_path / "tests")
    assert whole.judge(below, Findings()).reasons == (f"it was of {tmp_path / 'tests'}",)
    assert whole.judge(session(tmp_path, begun_in=tmp_path / "tests", testpaths=["tests"]), Findings()).whole
    assert whole.judge(session(tmp_path, "..", begun_in=tmp_path / "tests"), Findings()).whole
    assert whole.judge(session(tmp_path, source=ARGS.TESTPATHS, begun_in=tmp_path / "tests"), Findings()).whole


def test_many_paths_are_not_all_named(tmp_path: Path) -> None:
    [reason] = whole.judge(session(tmp_path, "a", "b", "c", "d"), Findings()).reasons
    assert reason == "it was of a, b, c and more"


def test_tests_that_another_plugin_takes_away_are_counted() -> None:
    watch = Watch()
    items: list[Any] = [1, 2, 3]
    hook = watch.pytest_collection_modifyitems(items)
    next(hook)
    del items[1:]
    with pytest.raises(StopIteration):
        hook.send(None)
    assert watch.dropped == 2

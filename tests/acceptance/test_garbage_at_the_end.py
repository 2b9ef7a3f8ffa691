"""What a report is made of is let go once it was shown: pytest looks through all that is left, several times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.usefixtures("sdks")

COUNTING = """
import gc
from pathlib import Path

def pytest_unconfigure():
    kept = [each for each in gc.get_objects() if str(type(each).__module__).startswith("tapemeter.report.")]
    Path("kept.txt").write_text(str(sorted({type(each).__qualname__ for each in kept})))
"""


def test_nothing_of_a_report_is_kept_after_it_was_shown(project: Project) -> None:
    project.write("conftest.py", COUNTING)
    project.write("test_it.py", "import talk\n\ndef test_one():\n    talk.ask('one')\n")
    result = project.run("--llm-mode=live", passed=1)
    result.stdout.fnmatch_lines(["calls   1 call *"])
    assert (project.path / "kept.txt").read_text() == "[]"

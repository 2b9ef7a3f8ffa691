"""What several xdist workers record of one run ends in the same files as what one process records."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

SHARED = """
import pytest
from talk import ask

@pytest.mark.llm_cassette("shared/talk")
@pytest.mark.parametrize("number", range(6))
def test_shared(number):
    assert f"question {number}" in ask(f"question {number}")
"""


def test_workers_do_not_drop_what_the_others_recorded_anew(project: Project, server: Loopback) -> None:
    project.write("test_it.py", SHARED)

    project.run_apart("--record-cassettes=all", "-n", "2", passed=6)
    assert len(server.requests) == 6
    assert project.cassettes()["shared/talk.yaml"].count("- key: ") == 6

    project.run_apart("--llm-mode=replay", "--llm-fail-on=unplayed", "-n", "2", passed=6)
    assert len(server.requests) == 6


def test_workers_drop_what_no_one_asked_for_again(project: Project) -> None:
    project.write("test_it.py", SHARED)
    project.run_apart("--record-cassettes=all", passed=6)
    project.write("test_it.py", SHARED.replace("range(6)", "range(4)"))

    project.run_apart("--record-cassettes=all", "-n", "2", passed=4)

    assert project.cassettes()["shared/talk.yaml"].count("- key: ") == 4

"""Hosts that are allowed by regular expressions, as suites for pytest-recording write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapemeter.errors import UsageError
from tapemeter.isolation.children import Folder, read_facts
from tapemeter.network import AllowList


def test_what_begins_as_a_pattern_says_is_allowed_and_nothing_else() -> None:
    allowed = AllowList.matching(["192[.]0[.]2", ".*[.]internal$"])
    assert allowed.allows("192.0.2.7", 80)
    assert allowed.allows("db.internal", 5432)
    assert not allowed.allows("198.51.100.7", 80)
    assert not allowed.allows("127.0.0.1", 80)
    assert not allowed.allows("db.internal.example", 80)


def test_names_are_looked_up_only_where_any_host_is_allowed() -> None:
    assert AllowList.matching(["192[.]0[.]2"]).allows("db.internal", None)
    assert not AllowList.matching([]).allows("db.internal", None)
    assert not AllowList.matching([]).allows("127.0.0.1", 80)


def test_a_socket_is_allowed_by_its_path() -> None:
    allowed = AllowList.matching(["/run/db"])
    assert allowed.allows_socket("/run/db.sock")
    assert not allowed.allows_socket("/run/other.sock")
    assert AllowList.default().allows_socket("/run/other.sock")
    assert not allowed.intersect(AllowList.nothing()).allows_socket("/run/db.sock")


def test_lists_narrow_each_other() -> None:
    both = AllowList.matching(["10[.]"]).intersect(AllowList.default().plus(["10.0.0.1"]))
    assert both.allows("10.0.0.1", 80)
    assert not both.allows("10.0.0.2", 80)
    assert "what matches 10[.]" in both.describe()


def test_more_hosts_leave_the_patterns_as_they_are() -> None:
    allowed = AllowList.matching(["10[.]"]).plus(["192.0.2.7"])
    assert allowed.allows("10.0.0.1", 80)
    assert allowed.allows("192.0.2.7", 80)


@pytest.mark.parametrize("pattern", ["(", 1])
def test_what_is_no_regular_expression_is_refused(pattern: object) -> None:
    with pytest.raises(UsageError, match="is no regular expression"):
        AllowList.matching([pattern])  # type: ignore[list-item]


def test_child_processes_are_told_of_them() -> None:
    allowed = AllowList.matching(["10[.]"]).intersect(AllowList.default().plus(["10.0.0.1:80"]))
    folder = Folder()
    try:
        _, told = read_facts(Path(folder.entry(allowed)))
    finally:
        folder.remove()
    assert told == allowed

from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING

import pytest

from tapemeter import errors
from tapemeter.errors import Refusal, TapemeterError

if TYPE_CHECKING:
    from collections.abc import Iterator


def below(root: type[BaseException]) -> Iterator[type[BaseException]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from below(child)


ALL = [*below(TapemeterError), *below(Refusal)]
FIELDS = {
    errors.CassetteFormatError: {"path": "a.yaml", "line": 7},
    errors.NetworkBlockedError: {"host": "a.example", "port": 443, "test": "test_it"},
    errors.BudgetStopped: {"test": "test_it", "scope": "job", "limit": "calls", "used": 3, "value": 3},
    errors.ProviderError: {"kind": "rate_limit", "provider": "real", "model": "m", "status": 429, "retry_after": 2.0},
    errors.ProxyUnreachableError: {"kind": "connection", "provider": "gateway", "attempts": 3, "partial": "so far"},
    errors.CassetteMiss: {"test": "test_it", "cassette": "a.yaml", "changed": ("messages[0].content",)},
}


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling(kind: type[BaseException], protocol: int) -> None:
    error = kind("what was wrong", **FIELDS.get(kind, {}))
    error.add_note("a note")

    copy = pickle.loads(pickle.dumps(error, protocol))

    assert type(copy) is kind
    assert str(copy) == str(error)
    assert copy.args == error.args
    assert vars(copy) == vars(error)


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    drawn: list[tuple[str, str]] = []
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if not (found := re.match(r"( {4,})([A-Z]\w+)(?: \((\w+)\))? {2,}", line)):
            continue
        indent, name, root = len(found[1]), found[2], found[3]
        above = [place for place in above if place[0] < indent]
        drawn.append((name, root or above[-1][1]))
        above.append((indent, name))

    assert drawn
    for name, parent in drawn:
        assert parent in {base.__name__ for base in getattr(errors, name).__bases__}
    assert sorted(name for name, _ in drawn) == sorted(kind.__name__ for kind in ALL)


def test_each_error_has_a_slug_of_its_own() -> None:
    slugs = [vars(kind)["slug"] for kind in ALL]

    assert len(set(slugs)) == len(slugs)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", slug) for slug in slugs)


@pytest.mark.parametrize("kind", list(below(Refusal)))
def test_a_refusal_is_no_exception(kind: type[BaseException]) -> None:
    assert not issubclass(kind, Exception)


@pytest.mark.parametrize("kind", list(below(TapemeterError)))
def test_every_other_error_is_one(kind: type[BaseException]) -> None:
    assert issubclass(kind, Exception)

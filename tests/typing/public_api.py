"""What a user's typed code may write; checked by mypy, not run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_type

import tapemeter
from tapemeter.cassette.model import Interaction

if TYPE_CHECKING:
    from tapemeter.pytest_plugin.fixtures import ActiveCassette


def look(llm_cassette: ActiveCassette) -> None:
    assert_type(llm_cassette.mode, str)
    assert_type(llm_cassette.played, list[Interaction])
    with llm_cassette.expect_miss() as misses:
        pass
    assert_type(misses, list[tapemeter.CassetteMiss])


def llm_normalize_request(request: tapemeter.Request) -> tapemeter.Request | None:
    assert_type(request.method, str)
    return replace(request, headers=())


def handle(error: BaseException) -> str:
    match error:
        case tapemeter.CassetteMiss():
            return ", ".join(error.changed)
        case tapemeter.Refusal():
            return error.slug
        case tapemeter.NetworkBlockedError():
            return error.host
        case _:
            return ""

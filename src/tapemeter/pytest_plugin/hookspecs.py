"""Hooks that a conftest or another plugin may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tapemeter.alarms import Alarm
    from tapemeter.model import Request
    from tapemeter.providers import Wire

hookspec = pluggy.HookspecMarker("tapemeter")


@hookspec(firstresult=True)
def llm_normalize_request(request: Request) -> Request | None:
    """Return the request as it is to be compared, or None to leave it as it is.

    Called with a redacted copy before matching, for what was asked and for what is recorded alike; neither what
    is sent nor what is written changes. Use `request.with_json(value)` or `dataclasses.replace`.
    """


@hookspec
def llm_on_alarm(alarm: Alarm) -> None:
    """Be told at once when a budget nears its limit (`warn_at`) or stops a job; not in replay, which spends nothing.

    Called in a thread of its own, once for each limit. `alarm` has kind, job, scope, dimension, limit, used, source,
    run_id and sentence. An error is told at the end of the session, and ends nothing.
    """


@hookspec
def llm_providers() -> Iterable[Wire]:
    """Return wire protocols of one's own, so that their calls are known, counted and priced like any other.

    Asked once, after collection, for the whole session. A `Wire` names hosts or paths and has functions that read a
    request, an answer and an event. One that is not as it should be ends the session at start.
    """
    return ()


@hookspec
def llm_redact() -> Iterable[str]:
    """Return more secrets to hide, as rules: header:NAME, query:NAME, json:NAME, env:NAME or text:REGEX."""
    return ()

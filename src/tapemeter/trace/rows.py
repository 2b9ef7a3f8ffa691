"""From an event to a row of its table. What an older event lacks is NULL; text is such as SQLite can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.events.line import own_seq
from tapemeter.trace import units
from tapemeter.trace.schema import EVENTS, Column, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Event = Mapping[str, Any]
    Value = str | int | None

_GATEWAY = "gateway"


def origin(event: Event, *, joined: bool) -> tuple[str, str]:
    """Return the run that an event is of, and its process there: in joined runs, `main@<run id>` names both."""
    process: str = event["process"]
    if joined and "@" in process:
        name, _, runs = process.partition("@")
        return text(runs.partition("@")[0]), text(name)
    return text(event["run_id"]), text(process)


def row(event: Event, run_id: str, process: str) -> list[Value]:
    """Return the values of the stored columns of the event's table, in their order."""
    table = EVENTS[event["event"]]
    return [run_id, process, units.count(own_seq(event)), *(_value(column, event) for column in table.stored[3:])]


def text(value: str) -> str:
    """Return a text without lone surrogates, which SQLite has none of: an escape stands for each."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def _value(column: Column, event: Event) -> Value:
    if not column.field:
        return _WORKED_OUT[column.name](event)
    value = event.get(column.field)
    if value is None:
        return None
    if column.kind is Kind.AMOUNT:
        return units.amount(value, event["dimension"])
    return _KINDS[column.kind](value)


_KINDS: Mapping[Kind, Callable[[Any], Value]] = {
    Kind.TEXT: text,
    Kind.COUNT: units.count,
    Kind.MONEY: units.money,
    Kind.TIME: units.seconds,
    Kind.FLAG: int,
}


def _model(event: Event) -> Value:
    model = event.get("gen_ai.request.model") or event.get("gen_ai.response.model")
    return None if model is None else text(model)


def _group(event: Event) -> Value:
    """Return the group that the event names; what a gateway is asked for is a group as well."""
    group = event.get("group")
    if isinstance(group, str):
        return text(group)
    return _model(event) if event.get("provider") == _GATEWAY else None


def _quality(event: Event) -> Value:
    return text(event.get("quality") or "unknown")


_WORKED_OUT: Mapping[str, Callable[[Event], Value]] = {
    "model": _model,
    "model_group": _group,
    "quality": _quality,
}

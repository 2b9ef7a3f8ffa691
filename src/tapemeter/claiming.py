"""Whether a request is a call for us, and whose: from its request line and headers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter import lending, providers
from tapemeter import owner as owners
from tapemeter.cassette.mode import Mode
from tapemeter.errors import UnownedCall
from tapemeter.model import header

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapemeter.model import Request
    from tapemeter.owner import Owner

_own_ports: set[int] = set()
"""Ports on loopback at which we take requests ourselves."""


def claim(head: Request) -> Owner | None:
    """Return the owner of a call from its request line and headers, or None for a request that is let through.

    What is a model call is claimed, and so is whatever else would leave the machine, since replay must answer
    it too; and everything while a cassette of VCR.py's kind is in use. Requests to hosts that the test may reach,
    loopback above all, are left alone else; one that might turn out to be a model call once its body is known is
    claimed for `exchange.begin` to decide. UnownedCall in replay for code that no running test started.
    """
    if _own_ports and head.port in _own_ports and _is_local(head):
        return None  # what comes of it there is claimed then
    owner = owners.current()
    if owner is None or owner.closed:
        _refuse_unowned(head, owner)
        return None
    if header(head.headers, "upgrade") is not None:
        return None  # what becomes a WebSocket is no exchange of one answer; the network guard judges it
    is_taped = lending.in_use() is not None
    if owner.mode is Mode.OFF and not is_taped:
        return None
    if is_taped or is_ours(head, owner):
        return owner
    may_be_ours = head.method == "POST" and head.content_type.endswith("json")
    return owner if may_be_ours else None


def own(port: int) -> Callable[[], None]:
    """Leave requests to a server of our own on loopback alone; return what undoes it."""
    _own_ports.add(port)
    return lambda: _own_ports.discard(port)


def _refuse_unowned(head: Request, left_over: Owner | None) -> None:
    """Refuse a call that belongs to no running test where replay is in force; let it through elsewhere.

    Where tests record, it is noted: replay will refuse it.
    """
    house = owners.house()
    mode = left_over.mode if left_over is not None else house.mode if house is not None else None
    if mode is not None and mode.records and house is not None and providers.claims(head) is not None:
        house.note_unowned(f"{head.method} {head.host}{head.path}")
    if mode is not Mode.REPLAY or (providers.claims(head) is None and _is_local(head)):
        return
    if left_over is not None:
        who = f"code that {left_over.label} started and left running; join its threads and tasks before it ends"
    else:
        who = "no running test; make it inside a test or a fixture, so that it has a cassette"
    raise UnownedCall(f"{head.method} {head.host}{head.path} was refused in replay: it comes from {who}")


def _is_local(head: Request) -> bool:
    from tapemeter.network import AllowList  # noqa: PLC0415 - only for calls that nobody owns

    return AllowList.default().allows(head.host, head.port)


def is_ours(head: Request, owner: Owner) -> bool:
    """Say whether a request is one that an owner's cassette has to answer, as far as its head tells."""
    if providers.claims(head) is not None:
        return True
    # Replay must answer whatever else would leave, too; so it is recorded, unless the test forbids that it leaves.
    compared = owner.mode.records or owner.mode is Mode.VERIFY
    taped = owner.mode is Mode.REPLAY or (compared and not owner.guarded)
    return taped and not owner.allowed.allows(head.host, head.port)

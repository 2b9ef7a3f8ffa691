"""What a request asks of a model: finds the protocol, reads the body once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.providers import unknown
from tapemeter.providers.claims import claims, is_call, may_be_call
from tapemeter.providers.hosts import provider_of
from tapemeter.providers.meter import Asked
from tapemeter.providers.prompt import Prompt
from tapemeter.providers.values import count, name, parse
from tapemeter.providers.wires import BY_PATH

if TYPE_CHECKING:
    from tapemeter.model import Request
    from tapemeter.providers.values import Json
    from tapemeter.providers.wire import Wire

_NO_FAMILY = frozenset({"sdk", "unknown"})
_DEPLOYMENTS = "/deployments/"


def ask(request: Request) -> Asked | None:
    """Return what a request asks of a model; None for one that is no model call to be metered.

    It never raises. Where the body or the path has no parser, protocol and operation are `unknown`; where the body
    cannot be read at all, it has no characters, and its length bounds its tokens.
    """
    if request.method != "POST":
        return None
    path = request.path
    wire = next((wire for suffix, wire in BY_PATH if path.endswith(suffix)), None)
    claimed = claims(request) if wire is None else wire.family
    if claimed is None and not may_be_call(request.body):
        return None
    body = parse(request.body)
    if claimed is None:
        if not is_call(body):
            return None
        claimed = "unknown"
    if isinstance(body, dict):
        try:
            return _asked(request, claimed, wire or unknown.UNKNOWN, body)
        except RecursionError:
            body = None
    return Asked(
        protocol=unknown.UNKNOWN.name,
        operation=unknown.UNKNOWN.operation,
        provider=_provider(request, claimed),
        model=_deployment(path),
        input_bound=len(request.body),
    )


def _asked(request: Request, claimed: str, wire: Wire, body: Json) -> Asked:
    prompt = Prompt()
    most = wire.ask(body, prompt)
    if wire is unknown.UNKNOWN:
        prompt.bound += len(request.body)
    return Asked(
        protocol=wire.name,
        operation=wire.operation,
        provider=_provider(request, claimed),
        model=name(body.get("model")) or _deployment(request.path),
        prompt_chars=prompt.chars,
        input_bound=prompt.bound,
        max_output_tokens=count(most),
        streams=body.get("stream") is True,
    )


def _provider(request: Request, claimed: str) -> str:
    return provider_of(request.host) or ("unknown" if claimed in _NO_FAMILY else claimed)


def _deployment(path: str) -> str | None:
    """Return the model that an Azure path names."""
    if _DEPLOYMENTS not in path:
        return None
    return name(path.partition(_DEPLOYMENTS)[2].partition("/")[0])

"""What a request asks of a model: finds the protocol, reads the body once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tapemeter.providers import unknown
from tapemeter.providers.claims import claims, is_call, may_be_call
from tapemeter.providers.hosts import provider_of
from tapemeter.providers.meter import Asked
from tapemeter.providers.prompt import Prompt
from tapemeter.providers.values import count, name, parse
from tapemeter.providers.wire import UnreadError
from tapemeter.providers.wires import find

if TYPE_CHECKING:
    from typing import Any

    from tapemeter.model import Request
    from tapemeter.providers.rows import Row
    from tapemeter.providers.values import Json
    from tapemeter.providers.wire import Wire

_NO_FAMILY = frozenset({"sdk", "unknown"})
_FAMILIES = {"bedrock": "aws.bedrock", "gemini": "gcp.gemini", "mistral": "mistral_ai"}
"""OpenTelemetry's names of those that are called otherwise here."""
_DEPLOYMENTS = "/deployments/"
_HUGGING_FACE = re.compile(r"/models/([^/]+/[^/]+)")


def ask(request: Request) -> Asked | None:
    """Return what a request asks of a model; None for one that is no model call to be metered.

    It never raises. Where the body or the path has no parser, protocol and operation are `unknown`; where the body
    cannot be read at all, it has no characters, and its length bounds its tokens.
    """
    if request.method != "POST":
        return None
    found = find(request)
    if found is None:
        wire, row, model, claimed = None, None, None, claims(request)
    else:
        wire, row, model = found
        claimed = wire.family if row.tells else _claimed(request, wire)
    if claimed is None and not may_be_call(request.body, request.path):
        return None
    body = _read(request) if request.body[:2] == b"--" else parse(request.body)
    if claimed is None:
        if not is_call(body, request.path):
            return None
        claimed = "unknown" if wire is None else wire.family
    if isinstance(body, dict):
        try:
            return _asked(request, body, wire or unknown.UNKNOWN, (claimed, model, row))
        except (RecursionError, UnreadError):
            body = None
    return Asked(
        protocol=unknown.UNKNOWN.name,
        operation=unknown.UNKNOWN.operation,
        provider=_provider(request, claimed),
        model=_in_path(request, model),
        input_bound=len(request.body),
    )


def _claimed(request: Request, wire: Wire) -> str | None:
    claimed = claims(request)
    return wire.family if claimed in _NO_FAMILY else claimed


def _read(request: Request) -> Any:
    """Return the fields of a form with files, or the JSON value that a body is after all."""
    from tapemeter.providers.forms import read_form  # noqa: PLC0415 - for those who send images or recordings

    form = read_form(request.headers, request.body)
    return parse(request.body) if form is None else form


def _asked(request: Request, body: Json, wire: Wire, told: tuple[str, str | None, Row | None]) -> Asked:
    """Read a body; `told` is whose protocol it is, and the model and the row that the path tells."""
    claimed, model, row = told
    prompt = Prompt()
    most = wire.ask(body, prompt)
    if wire is unknown.UNKNOWN:
        prompt.bound += len(request.body)
    if model is not None:
        model = _in_path(request, model)
    stream = body.get("stream")
    return Asked(
        protocol=wire.name,
        operation=wire.operation,
        provider=_provider(request, claimed),
        model=model or name(body.get("model")) or prompt.model or _in_path(request, None),
        prompt_chars=prompt.chars,
        input_bound=prompt.bound,
        max_output_tokens=count(most),
        streams=stream is True or (stream is None and wire.streams_lines) or (row is not None and row.streams),
    )


def _provider(request: Request, claimed: str) -> str:
    return provider_of(request.host) or ("unknown" if claimed in _NO_FAMILY else _FAMILIES.get(claimed, claimed))


def _in_path(request: Request, model: str | None) -> str | None:
    """Return the model that a path names: what its protocol found there, or as Azure and Hugging Face write it."""
    path = request.path
    if model is None and _DEPLOYMENTS in path:
        model = path.partition(_DEPLOYMENTS)[2].partition("/")[0]
    elif model is None and "huggingface" in request.host:
        found = _HUGGING_FACE.search(path)
        model = None if found is None else found[1]
    return name(unquote(model)) if model else None

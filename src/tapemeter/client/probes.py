"""Asks a server whether it is there and takes the key, by addresses that cost nothing.

    provider    GET its list of models, with the key
    gateway     GET /health/liveliness, GET /health/readiness where that is there, GET its list of models with the key

What a server says is counted and compared, never quoted: some repeat the key in their errors.
"""

from __future__ import annotations

import json
from time import monotonic
from typing import TYPE_CHECKING, Any

from tapemeter.client.addresses import address_of, origin_of
from tapemeter.client.config import Wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tapemeter.client.config import Endpoint

MAX_BYTES = 4 * 1024 * 1024
"""Bytes that are read of an answer; the longest lists of models have a tenth of that."""

_ANTHROPIC_VERSION = "2023-06-01"
_REFUSED = (401, 403)
_NO_LIST = (404, 405, 501)
_BUSY = 429
_LONGEST_NAME = 60


class ProbeError(Exception):
    """What keeps calls from being answered, and what to do; the text of a failed check."""


def provider(endpoint: Endpoint, models: Iterable[str], deadline: float) -> str:
    """Return what a provider is found to be; ProbeError where it is not there, or does not take the key.

    `models` are those that will be asked for. `deadline` is a moment of the monotonic clock.
    """
    base = _base(endpoint, endpoint.wire)
    if endpoint.wire is Wire.ANTHROPIC:
        key = {} if endpoint.api_key is None else {"x-api-key": endpoint.api_key.reveal()}
        headers = {"anthropic-version": _ANTHROPIC_VERSION, **key}
        status, listed = _get(f"{base}/v1/models?limit=1000", headers, deadline)
    else:
        status, listed = _get(f"{base}/models", _bearer(endpoint), deadline)
    return f"{origin_of(base)} {_judged(endpoint, status, listed, models)}"


def gateway(endpoint: Endpoint, models: Iterable[str], deadline: float) -> str:
    """Return what a gateway is found to be; ProbeError where it is not there, or does not take the key."""
    base = _base(endpoint, None)
    origin = origin_of(base)
    status, _ = _get(f"{base}/health/liveliness", {}, deadline)
    if status in _NO_LIST:
        raise ProbeError(f"{origin} answers {status} to /health/liveliness; is the gateway a LiteLLM proxy?")
    _demand(origin, status, "/health/liveliness")
    status, _ = _get(f"{base}/health/readiness", {}, deadline)
    if status not in {*_NO_LIST, *_REFUSED}:
        _demand(origin, status, "/health/readiness")
    status, listed = _get(f"{base}/v1/models", _bearer(endpoint), deadline)
    if status == 400:  # noqa: PLR2004 - what a LiteLLM proxy without a database says to a wrong key
        raise ProbeError(_refused(endpoint, status))
    return f"{origin} is alive and ready, {_judged(endpoint, status, listed, models)}"


def _base(endpoint: Endpoint, wire: Wire | None) -> str:
    try:
        return address_of(endpoint.base_url, wire)
    except ValueError as error:
        raise ProbeError(str(error)) from None


def _bearer(endpoint: Endpoint) -> dict[str, str]:
    return {} if endpoint.api_key is None else {"authorization": f"Bearer {endpoint.api_key.reveal()}"}


def _judged(endpoint: Endpoint, status: int, listed: bytes, models: Iterable[str]) -> str:
    """Return what a list of models says of its server, as the end of a sentence."""
    origin = origin_of(endpoint.base_url)
    if status in _REFUSED:
        raise ProbeError(_refused(endpoint, status))
    if status in _NO_LIST:
        return "answers; it has no list of models, so the key was not tried"
    if status == _BUSY:
        return "answers, and is busy (429)"
    _demand(origin, status, "its list of models")
    known = _names(listed)
    missing = [model for model in dict.fromkeys(models) if model not in known] if known else []
    key = f" and takes the key of {endpoint.key_name}" if endpoint.api_key else ""
    lacks = f"; its list lacks {', '.join(name[:_LONGEST_NAME] for name in missing)}" if missing else ""
    return f"answers{key}{lacks}"


def _refused(endpoint: Endpoint, status: int) -> str:
    origin = origin_of(endpoint.base_url)
    if endpoint.api_key is None:
        return f"{origin} wants a key ({status}), and {endpoint.key_name} is not set; set it"
    return f"{origin} does not take the key of {endpoint.key_name} ({status}); put the right one there"


def _demand(origin: str, status: int, what: str) -> None:
    if 300 <= status < 400:  # noqa: PLR2004 - any redirect
        raise ProbeError(f"{origin} sends elsewhere ({status}), where the key must not follow; name the final address")
    if status != 200:  # noqa: PLR2004 - OK
        raise ProbeError(f"{origin} answers {status} to {what}; look into its log")


def _names(listed: bytes) -> frozenset[str]:
    """Return the models that a list names; none where it is no list that can be read."""
    try:
        value: Any = json.loads(listed)
        return frozenset(each["id"] for each in value["data"] if isinstance(each["id"], str))
    except (ValueError, KeyError, TypeError, RecursionError):
        return frozenset()


def _get(url: str, headers: dict[str, str], deadline: float) -> tuple[int, bytes]:
    """Return status and body of an answer; ProbeError where there is none in time."""
    import httpx  # noqa: PLC0415 - 0.2 s that only a probe pays

    origin, left = origin_of(url), deadline - monotonic()
    if left <= 0:
        raise ProbeError(f"{origin} was not asked: the time was up")
    try:
        with (
            httpx.Client(timeout=left, follow_redirects=False) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    break
                if monotonic() > deadline:
                    raise ProbeError(f"{origin} did not answer in time")
            return response.status_code, bytes(body)
    except httpx.TimeoutException:
        raise ProbeError(f"{origin} did not answer in time; is it there, and not behind a firewall?") from None
    except httpx.ConnectError:
        raise ProbeError(f"{origin} cannot be reached; start it, or correct the address") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProbeError(f"{origin} gave no answer that can be read ({type(error).__name__})") from None

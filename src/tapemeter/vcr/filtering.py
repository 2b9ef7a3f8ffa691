"""Makes one function of all that is to be done to a request, or to a response, before it is matched or recorded."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from tapemeter.vcr import filters

_LOCAL = ("localhost", "0.0.0.0", "127.0.0.1", "::1")  # noqa: S104 - compared with, not bound
_REPLACING: dict[str, Callable[..., Any]] = {
    "filter_headers": filters.replace_headers,
    "filter_query_parameters": filters.replace_query_parameters,
    "filter_post_data_parameters": filters.replace_body_parameters,
}
"""The options that replace values, in the order in which they do so."""

Hook = Callable[[Any], Any]


def of_requests(options: Mapping[str, Any]) -> Hook:
    """Return what is done to a request: it is copied and changed, or None where it is dropped.

    Where nothing is to be done, the request itself is returned.
    """
    steps: list[Hook] = []
    for name, replace in _REPLACING.items():
        if options.get(name):
            pairs = [each if isinstance(each, tuple) else (each, None) for each in options[name]]
            steps.append(partial(replace, replacements=pairs, **_more(name, options)))
    ignored = {*(options.get("ignore_hosts") or ()), *(_LOCAL if options.get("ignore_localhost") else ())}
    if ignored:
        steps.append(_ignoring(ignored))
    steps += listed(options.get("before_record_request"))

    def before_record_request(request: Any) -> Any:
        return _through(steps, copy.deepcopy(request)) if steps else request

    return before_record_request


def of_responses(options: Mapping[str, Any]) -> Hook:
    """Return what is done to a response; None where it is dropped."""
    decoding = [filters.decode_response] if options.get("decode_compressed_response") else []
    steps: list[Hook] = [*decoding, *listed(options.get("before_record_response"))]
    return partial(_through, steps)


def listed(hooks: Hook | Iterable[Hook] | None) -> list[Hook]:
    """Return one hook, several or none as a list."""
    if not hooks:
        return []
    return list(hooks) if isinstance(hooks, Iterable) else [hooks]


def _more(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    if name != "filter_post_data_parameters":
        return {}
    return {"recursive": bool(options.get("filter_nested_post_data_parameters"))}


def _through(steps: list[Hook], value: Any) -> Any:
    for step in steps:
        if value is None:
            break
        value = step(value)
    return value


def _ignoring(hosts: set[Any]) -> Hook:
    patterns = [host for host in hosts if isinstance(host, re.Pattern)]

    def filter_ignored_hosts(request: Any) -> Any:
        host = getattr(request, "host", None)
        ignored = host in hosts or (host is not None and any(pattern.fullmatch(host) for pattern in patterns))
        return None if ignored else request

    return filter_ignored_hosts

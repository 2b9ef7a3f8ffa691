"""Headers that are not kept in a cassette: they say nothing about the call, and change with every recording.

`docs/reference/cassette-format.md` lists them for users; a test holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapemeter.model import Headers

REQUEST = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "connection",
        "content-length",
        "host",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "user-agent",
        "x-amz-content-sha256",
        "x-amz-date",
    }
)
"""Request headers that describe the client, not the question."""

REQUEST_PREFIXES = ("x-stainless-",)

RESPONSE = frozenset(
    {
        "age",
        "alt-svc",
        "connection",
        "content-encoding",
        "content-length",
        "date",
        "expires",
        "keep-alive",
        "nel",
        "openai-processing-ms",
        "report-to",
        "server-timing",
        "set-cookie",
        "strict-transport-security",
        "transfer-encoding",
        "vary",
        "via",
        "x-envoy-upstream-service-time",
    }
)
"""Response headers about the connection, the moment, or the machine in between."""

RESPONSE_PREFIXES = ("access-control-", "cf-", "x-amzn-trace-")

LIMIT_PREFIXES = ("anthropic-ratelimit-", "x-ratelimit-")
"""What is left of a rate limit: kept with an error, where a client acts on it, dropped with an answer."""

_ERROR = 400


def of_request(headers: Headers) -> Headers:
    """Return the request headers worth keeping."""
    return tuple(pair for pair in headers if pair[0] not in REQUEST and not pair[0].startswith(REQUEST_PREFIXES))


def of_response(status: int, headers: Headers) -> Headers:
    """Return the response headers worth keeping."""
    prefixes = RESPONSE_PREFIXES if status >= _ERROR else RESPONSE_PREFIXES + LIMIT_PREFIXES
    return tuple(pair for pair in headers if pair[0] not in RESPONSE and not pair[0].startswith(prefixes))

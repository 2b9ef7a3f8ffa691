"""Which kind of error an answer is, as tables: from the provider's own word for it, or else from the status.

The kinds are `auth`, `budget`, `content_filter`, `context_length`, `invalid_request`, `not_found`, `overloaded`,
`rate_limit`, `server_error` and `timeout`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.providers.values import fields

if TYPE_CHECKING:
    from tapemeter.providers.values import Json

_FAILED = 400
_SERVER = 500

_TELLING = {
    "access_denied": "auth",
    "accessdeniedexception": "auth",
    "api_key_invalid": "auth",
    "authentication_error": "auth",
    "expiredtokenexception": "auth",
    "invalid_api_key": "auth",
    "invalidsignatureexception": "auth",
    "permission_denied": "auth",
    "permission_error": "auth",
    "unauthenticated": "auth",
    "unrecognizedclientexception": "auth",
    "billing_error": "budget",
    "billing_hard_limit_reached": "budget",
    "budget_exceeded": "budget",
    "budget_stopped": "budget",
    "budgetstoppedexception": "budget",
    "insufficient_quota": "budget",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "moderation_blocked": "content_filter",
    "context_length_exceeded": "context_length",
    "exceed_context_size_error": "context_length",
    "deploymentnotfound": "not_found",
    "model_not_found": "not_found",
    "not_found": "not_found",
    "not_found_error": "not_found",
    "notfounderror": "not_found",
    "resourcenotfoundexception": "not_found",
    "engine_overloaded": "overloaded",
    "modelnotreadyexception": "overloaded",
    "overloaded": "overloaded",
    "overloaded_error": "overloaded",
    "serviceunavailableexception": "overloaded",
    "unavailable": "overloaded",
    "unavailable_error": "overloaded",
    "rate_limit_error": "rate_limit",
    "rate_limit_exceeded": "rate_limit",
    "rate_limited": "rate_limit",
    "resource_exhausted": "rate_limit",
    "servicequotaexceededexception": "rate_limit",
    "throttling_error": "rate_limit",
    "throttlingexception": "rate_limit",
    "too_many_requests": "rate_limit",
    "deadline_exceeded": "timeout",
    "modeltimeoutexception": "timeout",
    "timeout_error": "timeout",
}
"""Words for an error that say more than a status does, in lower case."""

_WORDS = ("code", "type", "status", "__type")
"""Where the word for an error stands: OpenAI's, Anthropic's, Google's and Amazon's."""

_VAGUE = {
    "api_error": "server_error",
    "bad_request": "invalid_request",
    "failed_precondition": "invalid_request",
    "invalid_argument": "invalid_request",
    "validation": "invalid_request",
    "validationexception": "invalid_request",
    "internal_server_error": "server_error",
    "invalid_prompt": "invalid_request",
    "invalid_request_error": "invalid_request",
    "request_too_large": "invalid_request",
    "server_error": "server_error",
}
"""Words that only help where the status says that all is well, as in the midst of a stream."""

_TOO_LONG = (
    "prompt is too long",
    "input is too long",
    "context length",
    "context window",
    "context size",
    "exceeds the maximum number of tokens",
    "too many tokens",
    "must have less than",
    "`max_new_tokens` must be",
)
"""Phrases of providers that have no word for a context that is too long."""

_STATUSES = {
    401: "auth",
    402: "budget",
    403: "auth",
    404: "not_found",
    408: "timeout",
    424: "server_error",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
_TOO_LARGE = frozenset({400, 413, 422})
_LONGEST_LOOKED_AT = 2_000
_MOST_DETAILS = 20


def fault(status: int, value: Any, told: str | None = None) -> str:
    """Return the kind of an error from the status and the JSON value that came with it, if any.

    `told` is the word of a header for it.
    """
    error = _error_of(fields(value[0] if isinstance(value, list) and value else value))
    words = [_word(word) for word in (told, *map(error.get, _WORDS), *_reasons(error)) if isinstance(word, str)]
    for word in words:
        if word in _TELLING:
            return _TELLING[word]
    code = error.get("code")
    if status < _FAILED and type(code) is int and code >= _FAILED:
        status = code
    if status < _FAILED or status in _TOO_LARGE:
        message = error.get("message")
        shown = message[:_LONGEST_LOOKED_AT].lower() if isinstance(message, str) else ""
        if any(phrase in shown for phrase in _TOO_LONG):
            return "context_length"
    if status < _FAILED:
        return next((_VAGUE[word] for word in words if word in _VAGUE), "server_error")
    return _STATUSES.get(status) or ("server_error" if status >= _SERVER else "invalid_request")


def _error_of(value: Json) -> Json:
    """Return the object that describes the error: under `error`, or the body itself."""
    error = value.get("error")
    if isinstance(error, dict):
        return error
    return {"message": error, "type": value.get("error_type")} if isinstance(error, str) else value


def _word(word: str) -> str:
    """Return a word as the tables have it, without what Amazon puts around it: a name space, and an address."""
    return word.partition(":")[0].rpartition("#")[2].lower()


def _reasons(error: Json) -> list[Any]:
    """Return the reasons that Google gives in the details of an error."""
    details = error.get("details")
    return [fields(detail).get("reason") for detail in details[:_MOST_DETAILS]] if isinstance(details, list) else []

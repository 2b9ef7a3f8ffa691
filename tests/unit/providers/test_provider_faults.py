from __future__ import annotations

from typing import Any

import pytest

from tapemeter.providers.faults import fault


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        # The status alone
        (400, None, "invalid_request"),
        (401, None, "auth"),
        (402, None, "budget"),
        (403, None, "auth"),
        (404, None, "not_found"),
        (408, None, "timeout"),
        (413, None, "invalid_request"),
        (422, {"detail": [{"msg": "field required"}]}, "invalid_request"),
        (429, None, "rate_limit"),
        (500, None, "server_error"),
        (502, "<html>", "server_error"),
        (503, None, "overloaded"),
        (504, None, "timeout"),
        (529, None, "overloaded"),
        # OpenAI
        (401, {"error": {"type": "invalid_request_error", "code": "invalid_api_key"}}, "auth"),
        (400, {"error": {"type": "invalid_request_error", "code": "context_length_exceeded"}}, "context_length"),
        (400, {"error": {"type": "invalid_request_error", "code": None}}, "invalid_request"),
        (404, {"error": {"type": "invalid_request_error", "code": "model_not_found"}}, "not_found"),
        (429, {"error": {"type": "requests", "code": "rate_limit_exceeded"}}, "rate_limit"),
        (429, {"error": {"type": "insufficient_quota", "code": "insufficient_quota"}}, "budget"),
        (400, {"error": {"type": None, "code": "content_filter"}}, "content_filter"),
        (500, {"error": {"type": "server_error"}}, "server_error"),
        # Azure
        (404, {"error": {"code": "DeploymentNotFound", "message": "No such deployment."}}, "not_found"),
        (429, {"error": {"code": "429", "message": "Try again later."}}, "rate_limit"),
        # Anthropic
        (401, {"type": "error", "error": {"type": "authentication_error"}}, "auth"),
        (403, {"type": "error", "error": {"type": "permission_error"}}, "auth"),
        (429, {"type": "error", "error": {"type": "rate_limit_error"}}, "rate_limit"),
        (500, {"type": "error", "error": {"type": "api_error"}}, "server_error"),
        (529, {"type": "error", "error": {"type": "overloaded_error"}}, "overloaded"),
        (
            400,
            {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}},
            "context_length",
        ),
        # Local servers and gateways
        (400, {"error": {"code": 400, "type": "exceed_context_size_error"}}, "context_length"),
        (503, {"error": {"code": 503, "type": "unavailable_error"}}, "overloaded"),
        (400, {"object": "error", "message": "The model's maximum context length is 8 tokens."}, "context_length"),
        (404, {"error": "model 'm' not found"}, "not_found"),
        (400, {"error": {"type": "budget_exceeded", "code": "400"}}, "budget"),
        # Google
        (429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota."}}, "rate_limit"),
        (429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}], "rate_limit"),
        (503, {"error": {"code": 503, "status": "UNAVAILABLE"}}, "overloaded"),
        (403, {"error": {"code": 403, "status": "PERMISSION_DENIED"}}, "auth"),
        (404, {"error": {"code": 404, "status": "NOT_FOUND"}}, "not_found"),
        (504, {"error": {"code": 504, "status": "DEADLINE_EXCEEDED"}}, "timeout"),
        (
            400,
            {"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}},
            "auth",
        ),
        (400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [None, 7]}}, "invalid_request"),
        (
            400,
            {
                "error": {
                    "status": "INVALID_ARGUMENT",
                    "message": "The input token count (9) exceeds the maximum number of tokens allowed (8).",
                }
            },
            "context_length",
        ),
        # Amazon
        (400, {"__type": "com.amazon.coral.service#ThrottlingException", "message": "Slow."}, "rate_limit"),
        (400, {"message": "Input is too long for requested model."}, "context_length"),
        (424, {"message": "The model failed."}, "server_error"),
        # Cohere, Ollama, Hugging Face, Mistral
        (400, {"message": "too many tokens: the prompt cannot exceed 8"}, "context_length"),
        (429, {"message": "You are using a trial key."}, "rate_limit"),
        (400, {"error": "the input length exceeds the context length"}, "context_length"),
        (429, {"error": "Model is overloaded", "error_type": "overloaded"}, "overloaded"),
        (
            422,
            {"error": "`inputs` must have less than 8 tokens. Given: 9", "error_type": "validation"},
            "context_length",
        ),
        (424, {"error": "Request failed during generation", "error_type": "generation"}, "server_error"),
        (429, {"object": "error", "type": "rate_limited", "code": "1300", "message": "Slow."}, "rate_limit"),
        (401, {"detail": "Unauthorized"}, "auth"),
        # In the midst of a good answer
        (200, {"error": {"type": "throttlingException", "message": "Too many tokens"}}, "rate_limit"),
        (200, {"error": {"type": "modelStreamErrorException", "message": None}}, "server_error"),
        (200, {"error": {"type": "validationException", "message": "Malformed."}}, "invalid_request"),
        (200, {"type": "error", "error": {"type": "overloaded_error"}}, "overloaded"),
        (200, {"type": "error", "error": {"type": "invalid_request_error"}}, "invalid_request"),
        (200, {"type": "error", "error": {"type": "api_error"}}, "server_error"),
        (200, {"error": {"code": 429, "message": "Slow down."}}, "rate_limit"),
        (200, {"error": {"code": 502, "message": "Upstream is gone."}}, "server_error"),
        (200, {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down."}, "rate_limit"),
        (200, {"error": "something"}, "server_error"),
    ],
)
def test_the_kind_of_an_error(status: int, body: Any, kind: str) -> None:
    assert fault(status, body) == kind


@pytest.mark.parametrize(
    "error", [None, [], [{}], {"code": [1]}, {"type": {}}, {"message": 7}, 7, True, {"code": True}]
)
def test_an_error_of_any_shape_has_a_kind(error: Any) -> None:
    assert fault(400, {"error": error}) == "invalid_request"
    assert fault(200, {"error": error}) == "server_error"


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (400, "ValidationException:http://internal.amazon.com/", "invalid_request"),
        (429, "ThrottlingException", "rate_limit"),
        (403, "ExpiredTokenException", "auth"),
        (429, "ModelNotReadyException", "overloaded"),
        (408, "ModelTimeoutException", "timeout"),
        (400, "ServiceQuotaExceededException", "rate_limit"),
        (404, "ResourceNotFoundException", "not_found"),
        (500, "", "server_error"),
    ],
)
def test_the_kind_of_an_error_that_a_header_tells(status: int, told: str, kind: str) -> None:
    assert fault(status, {"message": "No."}, told) == kind

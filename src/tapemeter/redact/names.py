"""What is secret by its name: headers, query parameters, fields of forms and of JSON."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SECRET_QUERY_PARAMETERS = _words("""
    access_key access_token api-key api_key apikey assertion auth auth_token authorization awsaccesskeyid
    client_assertion client_secret code code_verifier googleaccessid id_token jwt key passwd password pwd
    ocp-apim-subscription-key refresh_token secret session_token sig signature subscription-key token
    x-amz-credential x-amz-security-token x-amz-signature x-api-key x-goog-credential x-goog-signature
""")
"""Query parameters, in lower case, whose value is secret; the same holds for the fields of a form."""

HEADERS = _words("""
    anthropic-organization-id cf-access-client-id openai-organization openai-project x-goog-user-project
    x-langfuse-public-key x-portkey-config
""")
HEADER_WORDS = re.compile(
    r"^(?!access-control-)(?:.*[-_])?(?:apikey|auth(?=$)|authorization|cookie2?|credentials?|jwt|passwd|password|pwd"
    r"|secret|sig|(?:access|admin|api|auth|functions|master|private|subscription|virtual)[-_]?key"
    r"|litellm(?:[-_]\w+)*[-_]key|token(?![-_](?:budget|count|limit|type|usage)))(?:$|[-_])"
)
# Exact names: "token" is what logprobs call a token, and "max_tokens" is a number.
FIELDS = _words("""
    accessToken access_token apiKey api_key apikey authToken auth_token authorization Authorization
    authorization_token aws_secret_access_key aws_session_token clientSecret client_secret idToken id_token
    password privateKey private_key refreshToken refresh_token SecretAccessKey secretAccessKey
    secret_access_key SessionToken sessionToken session_token
""")

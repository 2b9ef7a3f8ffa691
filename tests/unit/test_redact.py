from __future__ import annotations

import base64
import json
import os
import time
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tapemeter.errors import UsageError
from tapemeter.model import Chunk, Request, Response
from tapemeter.redact import PLACEHOLDER, SECRET_QUERY_PARAMETERS, Redactor
from tapemeter.redact.shapes import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MARK = PLACEHOLDER.encode()
SECRET = "planted-Secret/with+all=kinds_0f.chars~"
ENV = {"SERVICE_API_KEY": SECRET, "PATH": "/usr/bin:/bin", "MAX_TOKENS": "4096-planted"}
URL = "https://api.example.com/v1/chat"


def redactor(*rules: str, env: Mapping[str, str] | None = None) -> Redactor:
    return Redactor(rules, {} if env is None else env)


def words(text: str) -> list[str]:
    return text.split()


def response(body: bytes, *headers: tuple[str, str], cuts: Iterable[int] = ()) -> Response:
    edges = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    chunks = (Chunk(float(at), body[start:stop]) for at, (start, stop) in enumerate(pairwise(edges)) if start < stop)
    return Response(200, headers, tuple(chunks))


# Headers


@pytest.mark.parametrize(
    "name",
    words(
        """
    authorization proxy-authorization x-api-key api-key apikey x-goog-api-key ocp-apim-subscription-key
    x-amz-security-token x-auth-token cookie set-cookie openai-organization openai-project
    anthropic-organization-id helicone-auth helicone-openai-api-key x-portkey-api-key x-portkey-virtual-key
    x-portkey-aws-secret-access-key x-litellm-api-key x-litellm-key x-litellm-virtual-key cf-aig-authorization
    cf-access-client-secret x-functions-key x-access-token x-csrf-token x-password x_api_key
    x-langfuse-secret-key x-amz-access-key x-vault-token private-token
    """
    ),
)
def test_a_sensitive_header_loses_its_value(name: str) -> None:
    headers = (("accept", "*/*"), (name, "Bearer abc"), (name, "def"))
    expected = (("accept", "*/*"), (name, PLACEHOLDER), (name, PLACEHOLDER))
    assert redactor().request(Request("GET", URL, headers)).headers == expected
    assert redactor().response(Response(200, headers), frozenset()).headers == expected


@pytest.mark.parametrize(
    "name",
    words(
        """
    content-type user-agent idempotency-key x-request-id x-stainless-retry-count x-ratelimit-limit-tokens
    x-ratelimit-remaining-tokens anthropic-ratelimit-input-tokens-remaining x-amzn-bedrock-input-token-count
    x-amzn-bedrock-output-token-count openai-processing-ms x-litellm-response-cost x-litellm-model-group
    x-cache-key sec-websocket-key anthropic-version x-token-limit www-authenticate retry-after
    access-control-allow-credentials x-clerk-auth-status
    """
    ),
)
def test_other_headers_stay(name: str) -> None:
    request = Request("GET", URL, ((name, "12345678"), (name, "some value")))
    assert redactor().request(request) is request


# URLs


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/p?key=abc&x=1", "https://h/p?key=REDACTED&x=1"),
        ("https://h/p?x=1&API_KEY=a%20b;c&y=", "https://h/p?x=1&API_KEY=REDACTED&y="),
        ("https://h/p?api%5Fkey=abc#frag", "https://h/p?api%5Fkey=REDACTED#frag"),
        ("https://h/p?X-Amz-Signature=ab&X-Amz-Date=2", "https://h/p?X-Amz-Signature=REDACTED&X-Amz-Date=2"),
        ("https://h/p#access_token=abc", "https://h/p#access_token=REDACTED"),
        ("https://u:pa%40ss@h:1/p", "https://u:REDACTED@h:1/p"),
        ("https://u:p@ss@h/?sig=x", "https://u:REDACTED@h/?sig=REDACTED"),
        ("https://h/p?key=&token", "https://h/p?key=&token"),
        ("https://u@h/p?q=a:b@c", "https://u@h/p?q=a:b@c"),
        ("https://h/p?page_token=abcdefgh1&max_tokens=7", "https://h/p?page_token=abcdefgh1&max_tokens=7"),
    ],
)
def test_a_url_loses_its_secrets_and_nothing_else(url: str, expected: str) -> None:
    assert redactor().request(Request("GET", url)).url == expected


@pytest.mark.parametrize("name", sorted(SECRET_QUERY_PARAMETERS))
def test_every_secret_parameter_is_redacted(name: str) -> None:
    assert redactor().request(Request("GET", f"https://h/?{name}=v&a=b")).url == f"https://h/?{name}=REDACTED&a=b"


def test_a_form_is_treated_like_a_query() -> None:
    form = (("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
    body = b"grant_type=refresh_token&refresh_token=abc&client_secret=d%2Fe&code=x&scope=a+b"
    redacted = redactor().request(Request("POST", URL, form, body)).body
    assert redacted == (
        b"grant_type=refresh_token&refresh_token=REDACTED&client_secret=REDACTED&code=REDACTED&scope=a+b"
    )


def test_a_form_that_is_not_utf_8_keeps_its_bytes() -> None:
    form = (("content-type", "application/x-www-form-urlencoded"),)
    request = Request("POST", URL, form, b"a=\xff&token=\xfe&b=\xe9")
    assert redactor().request(request).body == b"a=\xff&token=REDACTED&b=\xe9"


# The environment


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY",
        "HF_TOKEN",
        "MY_SECRET_2",
        "DB_PASSWORD",
        "X_PWD",
        "GITHUB_PAT",
        "AUTH",
        "openai_apikey",
    ],
)
def test_a_variable_named_like_a_secret_is_one(name: str) -> None:
    assert redactor(env={name: "hunter2-hunter2"}).text("is hunter2-hunter2.") == "is REDACTED."


@pytest.mark.parametrize(
    "name",
    ["TOKENIZERS_PARALLELISM", "MAX_TOKENS", "OPENAI_MAX_TOKENS", "KEYBOARD", "AUTHOR", "PATH", "PATTERN"],
)
def test_a_variable_named_otherwise_is_none(name: str) -> None:
    assert redactor(env={name: "hunter2-hunter2"}).text("is hunter2-hunter2.") == "is hunter2-hunter2."


@pytest.mark.parametrize(
    "value",
    [
        "short-1",
        "assistant",
        "completion",
        "123456789",
        "1234567.5e3",
        "/run/secrets/key.pem",
        "~/.ssh/id_ed25519",
        "./keys/some-file",
        "C:\\keys\\some-file",
        "https://auth.example.com/token",
        "Disabled",
        "REQUIRED",
        "",
    ],
)
def test_a_value_that_is_no_secret_stays(value: str) -> None:
    text = f"a {value} b"
    assert redactor(env={"X_KEY": value}).text(text) is text


@pytest.mark.parametrize(
    "value",
    [
        "Assistant",
        "correcthorsebattery",
        "/aB3dE5gH7jK9mN1pQ3sT5vW7y",
        "https://user:pass-word1@h/",
        "x" * 12,
        "пароль-пароль",
        '{"a": "b\\c"}',
        "two\nlines\there",
    ],
)
def test_a_value_that_is_a_secret_is_redacted_in_every_spelling(value: str) -> None:
    rd = redactor(env={"X_KEY": value})
    for spelled in (
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        quote(value, safe="").replace("%2F", "%2f"),
        "".join(f"%{byte:02X}" for byte in value.encode()),
    ):
        assert rd.text(f"<{spelled}>") == "<REDACTED>"
    for document in (
        json.dumps({"a": value}),
        json.dumps({"a": value}, ensure_ascii=False),
        json.dumps({"a": value}).replace("/", "\\/"),
        json.dumps({"a": "\n" + value + "\\n"}),
        '{"a": "' + "".join(f"\\u{ord(char):04X}" for char in value) + '"}',
        json.dumps({"arguments": json.dumps({"a": value})}),
    ):
        redacted = json.loads(rd.request(Request("POST", URL, (), document.encode())).body)
        assert not any(value in text for text in strings(redacted))
        assert any(PLACEHOLDER in text for text in strings(redacted))


def test_the_password_within_a_url_is_a_secret_of_its_own() -> None:
    rd = redactor(env={"DATABASE_AUTH": "postgres://user:pass-word1@db/x"})
    assert rd.text("it is pass-word1") == "it is REDACTED"


def test_the_environment_is_looked_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rd = Redactor()
    assert rd.text("planted-later-1") == "planted-later-1"
    monkeypatch.setenv("LATER_TOKEN", "planted-later-1")
    assert rd.text("planted-later-1") == PLACEHOLDER
    monkeypatch.delenv("LATER_TOKEN")
    assert rd.text("planted-later-1") == "planted-later-1"


def test_a_variable_that_is_set_anew_or_taken_away_is_noticed() -> None:
    first, second = fake("first-"), fake("second-")
    environ = {"A_TOKEN": first, "PLAIN": "1"}
    rd = Redactor(environ=environ)
    assert rd.text(f"{first} {second}") == f"REDACTED {second}"
    environ["A_TOKEN"] = second
    assert rd.text(f"{first} {second}") == f"{first} REDACTED"
    environ["PLAIN"] = "2"
    assert rd.text(f"{first} {second}") == f"{first} REDACTED"
    environ["B_TOKEN"] = first
    assert rd.text(f"{first} {second}") == "REDACTED REDACTED"
    del environ["A_TOKEN"]
    assert rd.text(f"{first} {second}") == f"REDACTED {second}"


def test_an_environment_that_is_not_text_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"RAW_TOKEN", b"raw-\xff\xfe-secret-1")
    body = b"<raw-\xff\xfe-secret-1>"
    assert Redactor().request(Request("POST", URL, (), body)).body == b"<REDACTED>"


# Shapes


def fake(prefix: str, alphabet: str = "a1B2c3D4e5F6g7H8", length: int = 40) -> str:
    return prefix + (alphabet * 10)[:length]


KEYS = [
    *(
        fake(prefix)
        for prefix in words(
            """
            sk- sk-proj- sk-ant- sk-ant-api03- sk-or-v1- sk-svcacct- csk- gsk_ hf_ r8_ ghp_ gho_ ghs_ glpat-
            github_pat_ pplx- xai- nvapi- tvly- fw_ jina_ e2b_ npm_ ek_ api_org_ tgp_v1_ lsv2_pt_ pcsk_ ya29.
            AQ.Ab sk_live_ rk_live_ GOCSPX- pypi-AgEI bedrock-api-key- ABSK xapp-1-
            """
        )
    ),
    fake("sk-", "0123456789abcdef", 32),
    fake("AIza", length=35),
    fake("AKIA", "A1B2C3D4", 16),
    fake("ASIA", "A1B2C3D4", 16),
    "xoxb-123456789012-abcdefABCDEF",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("key: ", " is it"),
        ('{"a": "', '"}'),
        ('{"a": "\\n', '\\n"}'),
        ("?a=%3D", "&b"),
        ("(", ")"),
        ("/", ","),
    ],
)
def test_a_key_is_known_by_its_shape(key: str, before: str, after: str) -> None:
    assert redactor().text(before + key + after) == before + PLACEHOLDER + after


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn is scikit-learn, a task-force is risk-averse; desk-mounted disk-based whisk-brooms",
        "sk-classification-benchmark-with-a-long-name-v2-2024",
        "task-a1B2c3D4e5F6g7H8a1B2c3D4e5F6g7H8",
        "chatcmpl-a1B2c3D4e5F6g7H8a1B2c3D4 call_a1B2c3D4e5F6g7H8a1B2c3D4 msg_01a1B2c3D4e5F6g7H8a1B2",
        "toolu_01a1B2c3D4e5F6g7H8a1B2 resp_a1B2c3D4e5F6g7H8a1B2c3D4 fp_a1B2c3D4e5",
        "the hf_hub and hf_transfer_enabled_by_default packages, my_gsk_a1B2c3D4e5F6g7H8a1B2",
        "AKIRA, ASIANA, AKIAXXX, AIzawa, ya29, eyJust.words",
        "bearer responsibilities; Bearer authentication-is-required; the Bearer of news",
        "-----BEGIN CERTIFICATE-----\nMIIBaDCCAQ6gAwIBAgIU\n-----END CERTIFICATE-----",
        "a header such as -----BEGIN PRIVATE KEY----- is followed by text",
        "mail a@example.com or https://example.com/@user:1/x and https://h:8080/a@b",
        "Signature=none, Credential=ask",
        "see https://h/x?key=value&page=2",
        "4e5F6g7H8a1B2c3D4e5F6g7H8a1B2c3D4e5F6g7H8a1B2c3D4==",
    ],
)
def test_ordinary_text_is_untouched(text: str) -> None:
    assert redactor().text(text) is text


def test_bearer_tokens_and_signatures_in_text() -> None:
    text = (
        "AWS4-HMAC-SHA256 Credential=AKIAA1B2C3D4A1B2C3D4/20250101/us-east-1/bedrock/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=" + "0a" * 32
    )
    assert redactor().text(text) == (
        "AWS4-HMAC-SHA256 Credential=REDACTED, SignedHeaders=host;x-amz-date, Signature=REDACTED"
    )
    assert redactor().text("curl -H 'Authorization: Bearer abc.DEF-123_ghi~jkl=='") == (
        "curl -H 'Authorization: Bearer REDACTED'"
    )
    assert redactor().text("postgres://user:hunter2@db/x") == "postgres://user:REDACTED@db/x"
    assert redactor().text("https://s3/x?X-Amz-Signature=abcdef12&a=1") == ("https://s3/x?X-Amz-Signature=REDACTED&a=1")


PEM = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIE+/b\na=\n-----END EC PRIVATE KEY-----"


def test_a_private_key_block_is_redacted_whole() -> None:
    assert redactor().text(f"a\n{PEM}\nb") == "a\nREDACTED\nb"
    assert redactor().text(json.dumps({"a": PEM + "\n"})) == '{"a": "REDACTED\\n"}'
    assert redactor().text(json.dumps({"a": json.dumps({"b": PEM})})) == json.dumps({"a": '{"b": "REDACTED"}'})
    cut = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQ"
    assert redactor().text(cut + " and prose") == "REDACTED and prose"


# JSON fields


@pytest.mark.parametrize(
    "name",
    words(
        """
    api_key apiKey access_token accessToken refresh_token refreshToken id_token client_secret clientSecret
    private_key privateKey secret_access_key SecretAccessKey secretAccessKey password session_token
    sessionToken authorization Authorization authorization_token apikey aws_session_token
    """
    ),
)
@pytest.mark.parametrize("value", ["x", 'a "quoted" \\ value\n', "ünï", "\\", "a: b, c"])
def test_a_json_field_is_known_by_its_name(name: str, value: str) -> None:
    document = {"a": [{"b": 1, name: value, "c": "d"}]}
    expected = {"a": [{"b": 1, name: PLACEHOLDER, "c": "d"}]}
    for text in (json.dumps(document), json.dumps(document, indent=2, ensure_ascii=False)):
        assert json.loads(redactor().text(text)) == expected
        nested = json.loads(redactor().text(json.dumps({"arguments": text})))
        assert json.loads(nested["arguments"]) == expected


def test_numbers_of_tokens_and_other_fields_are_never_touched() -> None:
    document = {
        "max_tokens": 4096,
        "max_completion_tokens": "4096",
        "usage": {"prompt_tokens": 12345678, "completion_tokens_details": {"reasoning_tokens": 0}},
        "logprobs": {"content": [{"token": "Hello", "bytes": [72], "top_logprobs": [{"token": " sk"}]}]},
        "next_page_token": "abcdefgh1",
        "key": "value",
        "secret": "of success",
        "token": "word",
        "api_key": None,
        "password": {"type": "string"},
        "required": ["api_key", "password"],
        "client_secret": {"value": 1},
    }
    body = json.dumps(document).encode()
    request = Request("POST", URL, (), body)
    answer = response(body)
    assert redactor(env=ENV).request(request) is request
    assert redactor(env=ENV).response(answer, frozenset({b"secret-of-1"})) is answer


# The user's rules


def test_extra_rules() -> None:
    rd = redactor(
        "header:X-Tenant",
        "query:Tenant",
        " json:customerId ",
        "env:PIN",
        r"text:user-(\d+)",
        r"text:\d{4}-\d{4}",
        env={"PIN": "4711", "OTHER": "4712"},
    )
    request = Request(
        "POST",
        "https://h/?tenant=a&b=4711",
        (("x-tenant", "t"), ("x-b", "user-12 and 1234-5678")),
        b'{"customerId": "c-1", "n": 4711, "o": 4712, "s": "user-7"}',
    )
    redacted = rd.request(request)
    assert redacted.url == "https://h/?tenant=REDACTED&b=REDACTED"
    assert redacted.headers == (("x-tenant", PLACEHOLDER), ("x-b", "user-REDACTED and REDACTED"))
    assert redacted.body == b'{"customerId": "REDACTED", "n": "REDACTED", "o": 4712, "s": "user-REDACTED"}'
    assert "tenant" in rd.query_parameters
    assert rd.request(redacted) is redacted


def test_a_short_value_is_not_redacted_even_if_named() -> None:
    text = "a1 b2 c3"
    assert redactor("env:X", env={"X": "a1"}).text(text) is text


@pytest.mark.parametrize("rule", ["X-Tenant", "headers:x", "header:", "text: ", ":", "", "text:(", "text:a{2,1}"])
def test_an_unknown_rule_is_refused_with_the_forms_there_are(rule: str) -> None:
    with pytest.raises(UsageError, match=r"header:NAME|regular expression") as error:
        redactor(rule)
    assert repr(rule)[1:-1] in str(error.value)


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        (
            r"text:4\d{15}",
            '{"n": 4111111111111111, "s": "4111111111111111"}',
            '{"n": "REDACTED", "s": "REDACTED"}',
        ),
        (r"text:.*secret.*", '{"a": "my secret", "b": 1}', '{"a": "REDACTED", "b": 1}'),
        (r"text:n\w+", '{"a": "x\\nabc", "b": "\\nabc"}', '{"a": "REDACTED", "b": "REDACTED"}'),
        (r'text:"user": "([^"]+)"', '{"user": "joe", "b": "joe"}', '{"user": "REDACTED", "b": "joe"}'),
        (r"text:E", '{"a": "E"}', '{"a": "REDACTED"}'),
        (r"text:\xc3", '{"a": "é"}', '{"a": "REDACTED"}'),
        (r"text:x*", '{"a": "b"}', '{"a": "b"}'),
    ],
)
def test_a_rule_never_breaks_json(rule: str, before: str, after: str) -> None:
    rd = redactor(rule)
    assert rd.text(before) == after
    assert rd.text(after) is after
    assert rd.text(f"data: {before}\n\n: -\ndata: []\n") == f"data: {after}\n\n: -\ndata: []\n"


def test_a_rule_that_cuts_a_letter_leaves_text() -> None:
    assert redactor(r"text:\xc3").text("é") == "REDACTED\ufffd"


# What a request carries


def test_the_secrets_of_a_request() -> None:
    basic = base64.b64encode(b"user:pass-word1").decode()
    request = Request(
        "GET",
        "https://u:user-info-1@h/?key=query%2Dsecret-1&code=short&a=not-a-secret",
        (
            ("authorization", "Bearer bearer-secret-1"),
            ("proxy-authorization", f"Basic {basic}"),
            ("x-api-key", "plain-secret-1"),
            ("cookie", "session=cookie-secret-1; theme=dark"),
            ("api-key", "undefined"),
            ("x-other", "visible-value-1"),
        ),
    )
    assert redactor().secrets_of(request) == {
        b"bearer-secret-1",
        basic.encode(),
        b"pass-word1",
        b"plain-secret-1",
        b"cookie-secret-1",
        b"user-info-1",
        b"query%2Dsecret-1",
        b"query-secret-1",
    }
    signed = Request(
        "GET",
        URL,
        (
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=id/x, SignedHeaders=content-type, Signature=0abcdef0",
            ),
        ),
    )
    assert redactor().secrets_of(signed) == {b"0abcdef0"}


def test_an_echo_of_the_key_is_redacted() -> None:
    request = Request("POST", URL, (("authorization", "Bearer some-odd-key-1"),), b'{"mine": "some-odd-key-1"}')
    rd = redactor()
    assert rd.request(request).body == b'{"mine": "REDACTED"}'
    answer = response(b'{"error": "Incorrect API key: some-odd-key-1"}', ("x-echo", "some-odd-key-1"))
    redacted = rd.response(answer, rd.secrets_of(request))
    assert redacted.body == b'{"error": "Incorrect API key: REDACTED"}'
    assert redacted.headers == (("x-echo", PLACEHOLDER),)


# Chunks


def test_a_secret_across_chunks_goes_to_the_first_of_them() -> None:
    body = b"before planted-secret-1 after"
    answer = response(body, cuts=(3, 10, 12, 23, 26))
    redacted = redactor(env={"A_KEY": "planted-secret-1"}).response(answer, frozenset())
    assert [(chunk.at, chunk.data) for chunk in redacted.chunks] == [
        (0.0, b"bef"),
        (1.0, b"ore REDACTED"),
        (4.0, b" af"),
        (5.0, b"ter"),
    ]


def test_each_event_of_a_stream_stays_json() -> None:
    events = b"".join(
        b"data: %s\n\n" % json.dumps({"n": 4711, "delta": text}).encode() for text in ("a 4711", "b", "4711")
    )
    redacted = redactor("env:PIN", env={"PIN": "4711"}).response(response(events, cuts=(9, 30)), frozenset())
    payloads = [json.loads(line[6:]) for line in redacted.body.splitlines() if line]
    assert payloads == [{"n": PLACEHOLDER, "delta": text} for text in ("a REDACTED", "b", "REDACTED")]


# Properties

LETTERS = "abcdefgXYZ0189-_"
SIMPLE_SECRETS = st.builds("k{}Z".format, st.text(LETTERS + "/+.~", min_size=8, max_size=20))
SECRETS = SIMPLE_SECRETS | st.builds("{}kZ".format, st.text(LETTERS + " \"\\\n\t%&'/é€😀", min_size=8, max_size=20))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
CUTS = st.lists(st.integers(0, 400), max_size=8)


def strings(document: Any) -> Iterator[str]:
    """Every string of a document, also of JSON documents in its strings."""
    if isinstance(document, str):
        yield document
        with suppress(ValueError):
            nested = json.loads(document)
            yield from strings(nested) if nested != document else ()
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from (key, *strings(value))
    elif isinstance(document, list):
        for value in document:
            yield from strings(value)


def looks_like_a_path(value: str) -> bool:
    return value.startswith(("/", "~", "./", "../")) or "://" in value or value[1:3] in (":/", ":\\")


def plant(secret: str, document: Any) -> bytes:
    planted = {"a": document, "b": f"x {secret} y", "c": [secret, json.dumps({"d": secret})], secret: 1}
    return json.dumps(planted, ensure_ascii=bool(len(secret) % 2)).encode()


@given(SECRETS, VALUES, CUTS)
@example("XnnnnnnnX", "\n", [])
@example("nXXXXXXXX", "\nXXXXXXXX", [])
@example("0041XYZab", "\u0000041XYZab", [])
def test_a_planted_secret_is_nowhere_in_the_output(secret: str, document: Any, cuts: list[int]) -> None:
    assume(not looks_like_a_path(secret))
    rd = redactor(env={"MY_API_KEY": secret})
    body = plant(secret, document)
    url = f"https://h/{quote(secret, safe='')}?q={quote_plus(secret)}"
    headers = (("authorization", f"Bearer {secret}"), ("x-note", f"<{secret}>"))

    request = rd.request(Request("POST", url, headers, body))
    answer = rd.response(response(body, *headers, cuts=cuts), frozenset())
    for redacted in (request.body, answer.body):
        assert not any(secret in text for text in strings(json.loads(redacted)))
    for text in (request.url, str(request.headers), str(answer.headers)):
        assert secret not in text
        assert quote(secret, safe="") not in text
        assert quote_plus(secret) not in text
    assert answer.body == request.body
    assert rd.request(request) is request
    assert rd.response(answer, frozenset()) is answer


@given(st.sampled_from(["authorization", "x-api-key", "cookie"]), SIMPLE_SECRETS, VALUES, CUTS)
def test_a_secret_of_the_request_is_nowhere_in_the_answer(
    header: str, secret: str, document: Any, cuts: list[int]
) -> None:
    assume(not looks_like_a_path(secret))
    value = {"authorization": f"Bearer {secret}", "cookie": f"a={secret}"}.get(header, secret)
    rd = redactor()
    secrets = rd.secrets_of(Request("GET", URL, ((header, value),)))
    assert secret.encode() in secrets
    answer = rd.response(response(plant(secret, document), ("x-echo", secret), cuts=cuts), secrets)
    assert not any(secret in text for text in (*strings(json.loads(answer.body)), str(answer.headers)))


@given(st.lists(st.sampled_from([*KEYS, SECRET, "word", " ", "\n", '"', "\\", "é"]), max_size=6), CUTS)
def test_chunks_join_to_what_the_whole_body_becomes(parts: list[str], cuts: list[int]) -> None:
    rd = redactor(env=ENV)
    body = " ".join(parts).encode()
    answer = response(body, cuts=cuts)
    redacted = rd.response(answer, frozenset())
    assert redacted.body == rd.request(Request("POST", URL, (), body)).body
    assert not any(key.encode() in redacted.body for key in [*KEYS, SECRET])
    assert rd.response(redacted, frozenset()) is redacted
    assert [chunk.at for chunk in redacted.chunks] == sorted({chunk.at for chunk in redacted.chunks})
    assert all(chunk.data for chunk in redacted.chunks)


@given(st.text(), st.binary(), VALUES)
def test_without_secrets_the_same_object_comes_back(text: str, body: bytes, document: Any) -> None:
    rd = redactor(env=ENV)
    assert rd.text(text) is text
    for each in (body, json.dumps(document).encode()):
        request = Request("POST", URL, (("x-note", text),), each)
        assert rd.request(request) is request
        answer = response(each, ("x-note", text), cuts=(3, 5))
        assert rd.response(answer, frozenset()) is answer


@given(st.text(LETTERS + '{}[]:,"\\/ \n@?&=%.u0', max_size=80))
def test_redaction_is_idempotent_on_any_text(text: str) -> None:
    rd = redactor("json:a", "query:b", "text:[XYZ]+", env=ENV)
    once = rd.text(text)
    assert rd.text(once) is once


@given(st.integers(10**7, 10**12), VALUES)
def test_a_number_that_is_a_secret_leaves_json_valid(number: int, document: Any) -> None:
    rd = redactor("env:PIN", env={"PIN": str(number)})
    body = json.dumps({"n": number, "m": [-number, number * 10], "s": f"{number}", "d": document}).encode()
    redacted = json.loads(rd.request(Request("POST", URL, (), body)).body)
    assert (redacted["n"], redacted["m"], redacted["s"]) == (PLACEHOLDER, [PLACEHOLDER] * 2, PLACEHOLDER)


def test_a_body_without_secrets_costs_little() -> None:
    rd = Redactor(environ={f"S{number}_API_KEY": fake(f"key{number}-") for number in range(6)})
    message = {
        "role": "user",
        "content": "A task-force asks the risk-averse assistant about key things. " * 10,
    }
    body = json.dumps({"model": "some-model", "messages": [message] * 6, "max_tokens": 100}).encode()
    request = Request("POST", URL, (("content-type", "application/json"),), body)
    rd.request(request)
    best = min(_seconds(rd, request) for _ in range(50))
    assert best < 250e-6  # ten times what it takes, for slow machines


def test_what_finds_keys_is_only_prepared_for_a_text_that_may_have_one() -> None:
    rule = Rule(("x-",), "x-[0-9]+")
    assert [pattern.pattern for _, pattern in rule.telltales] == [b"x-"]
    assert "patterns" not in vars(rule)
    assert rule.patterns[0].search(b"x-1")
    assert rule.patterns is rule.patterns


def _seconds(rd: Redactor, request: Request) -> float:
    start = time.perf_counter()
    rd.request(request)
    return time.perf_counter() - start

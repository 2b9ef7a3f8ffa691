from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.errors import UsageError
from tapemeter.network import (
    AllowList,
    HostRule,
    canonical,
    endpoint,
    is_address,
    is_loopback,
    marker_allow_list,
)

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

LOOPBACK = [
    "127.0.0.1",
    "127.200.3.4",
    "::1",
    "[::1]",
    "::ffff:127.0.0.1",
    "::ffff:127.9.9.9",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "api.localhost",
    "",
    "0.0.0.0",
    "::",
    "::ffff:0.0.0.0",
    "127.1",
    "2130706433",
    "0x7f.1",
    "::1%lo",
]
ELSEWHERE = [
    "192.0.2.1",
    "2001:db8::1",
    "::ffff:192.0.2.1",
    "example.com",
    "localhost.example.com",
    "notlocalhost",
    "128.0.0.1",
    "<broadcast>",
    "3221225985",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_is_recognised_in_every_spelling(host: str) -> None:
    assert is_loopback(host)
    assert AllowList.default().allows(host, 80)
    assert not AllowList.nothing().allows(host, 80)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_everything_else_is_refused_by_default(host: str) -> None:
    assert not is_loopback(host)
    assert not AllowList.default().allows(host, 80)
    assert not AllowList.default().allows(host, None)


@pytest.mark.parametrize(
    ("rule", "allowed", "refused"),
    [
        ("api.example.com", [("api.example.com", 1), ("API.Example.com.", 443)], [("example.com", 443)]),
        (
            "api.example.com:443",
            [("api.example.com", 443), ("api.example.com", None)],
            [("api.example.com", 80)],
        ),
        (
            "*.example.com",
            [("a.example.com", 1), ("a.b.example.com", 2)],
            [("example.com", 1), ("aexample.com", 1)],
        ),
        ("*.example.com:443", [("a.example.com", 443)], [("a.example.com", 80)]),
        ("192.0.2.7", [("192.0.2.7", 1), ("::ffff:192.0.2.7", 2), ("3221225991", 3)], [("192.0.2.8", 1)]),
        ("192.0.2.7:443", [("192.0.2.7", 443)], [("192.0.2.7", 80)]),
        ("2001:db8::7", [("2001:DB8:0::7", 1), ("2001:db8::7%eth0", 1)], [("2001:db8::8", 1)]),
        ("[2001:db8::7]", [("2001:db8::7", 1)], [("2001:db8::8", 1)]),
        ("[2001:db8::7]:443", [("2001:db8::7", 443)], [("2001:db8::7", 80)]),
        ("10.0.0.0/8", [("10.1.2.3", 5), ("::ffff:10.1.2.3", 5)], [("11.0.0.1", 5), ("10.example.com", 5)]),
        ("10.0.0.0/8:5432", [("10.1.2.3", 5432)], [("10.1.2.3", 80)]),
        ("2001:db8::/32", [("2001:db8:1::", 5)], [("2001:db9::", 5), ("10.0.0.1", 5)]),
        ("[2001:db8::/32]:443", [("2001:db8:1::", 443)], [("2001:db8:1::", 80)]),
        ("my_service", [("my_service", 80)], [("my-service", 80)]),
        ("bücher.example", [("xn--bcher-kva.example", 80), ("BÜCHER.example", 80)], [("bucher.example", 80)]),
    ],
)
def test_each_form_allows_what_it_says(
    rule: str, allowed: list[tuple[str, int | None]], refused: list[tuple[str, int | None]]
) -> None:
    parsed = HostRule.parse(f" {rule} ")
    assert all(parsed.matches(host, port) for host, port in allowed)
    assert not any(parsed.matches(host, port) for host, port in refused)
    assert HostRule.parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://api.example.com/v1", "Write the host alone: api.example.com"),
        ("http://user@api.example.com:8080/", "Write the host alone: api.example.com:8080"),
        ("api.example.com/v1", "Write the host alone: api.example.com"),
        ("", "a name, *.domain"),
        ("*", "a name, *.domain"),
        ("a.*.com", "a name, *.domain"),
        ("a b", "a name, *.domain"),
        ("999.1.1.1", "a name, *.domain"),
        ("[::1", "a name, *.domain"),
        ("[::1]443", "a name, *.domain"),
        ("1:2:3", "a name, *.domain"),
        ("10.0.0.1/8", "write 10.0.0.0/8"),
        ("10.0.0.0/99", "a name, *.domain"),
        ("host:", "port from 1 to 65535"),
        ("host:http", "port from 1 to 65535"),
        ("host:0", "port from 1 to 65535"),
        ("host:65536", "port from 1 to 65535"),
        ("https://[::1", "a name, *.domain"),
    ],
)
def test_an_unknown_form_is_refused_with_the_forms_there_are(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        HostRule.parse(text)
    assert said in str(error.value)
    assert repr(text) in str(error.value)


@given(st.text())
def test_any_text_is_a_rule_or_a_usage_error(text: str) -> None:
    try:
        rule = HostRule.parse(text)
    except UsageError:
        return
    assert HostRule.parse(str(rule)) == rule


@given(st.ip_addresses(), st.integers(1, 65535))
def test_an_address_allows_itself_alone(address: IPv4Address | IPv6Address, port: int) -> None:
    rule = HostRule.parse(endpoint(str(address), port))
    assert rule.matches(str(address), port)
    assert not rule.matches(str(address), port % 65535 + 1)
    assert is_address(str(address))


@given(st.text())
def test_every_connect_target_has_one_canonical_form(host: str) -> None:
    once = canonical(host)
    assert canonical(str(once)) == once


def test_the_default_list_is_this_machine() -> None:
    default = AllowList.default()
    assert default.allows_unix
    assert default.names() == ()
    assert default.describe() == "loopback, unix sockets"


def test_nothing_is_nothing() -> None:
    assert not AllowList.nothing().allows_unix
    assert AllowList.nothing().describe() == "nothing"


def test_more_hosts_are_added_once() -> None:
    wider = AllowList.default().plus(["a.example.com:443", "*.example.org"]).plus(["a.example.com:443"])
    assert wider.describe() == "loopback, unix sockets, a.example.com:443, *.example.org"
    assert wider.names() == ("a.example.com",)
    assert wider.allows("127.0.0.1", 1)


def test_the_tightest_list_wins() -> None:
    options = AllowList.default().plus(["a.example.com", "b.example.com"])
    both = options.intersect(marker_allow_list(["a.example.com:443", "c.example.com"]))
    assert both.allows("a.example.com", 443)
    assert both.allows("localhost", 80)
    assert both.allows_unix
    assert both.names() == ("a.example.com",)
    for host, port in (("a.example.com", 80), ("b.example.com", 443), ("c.example.com", 443)):
        assert not both.allows(host, port)
    assert "of that only: loopback, unix sockets, a.example.com:443, c.example.com" in both.describe()


def test_an_empty_marker_closes_everything() -> None:
    closed = AllowList.default().plus(["a.example.com"]).intersect(marker_allow_list([]))
    assert not closed.allows("a.example.com", 443)
    assert not closed.allows("localhost", 80)
    assert not closed.allows_unix


HOSTS = st.lists(st.sampled_from(["a.example", "*.example", "192.0.2.1", "10.0.0.0/8", "b.example:443"]))
TARGETS = st.tuples(
    st.sampled_from(["a.example", "b.example", "192.0.2.1", "10.9.9.9", "localhost", "::1"]),
    st.sampled_from([None, 80, 443]),
)


@given(HOSTS, HOSTS, TARGETS)
def test_an_intersection_allows_exactly_what_both_allow(
    first: list[str], second: list[str], target: tuple[str, int | None]
) -> None:
    one, two = marker_allow_list(first), marker_allow_list(second)
    assert one.intersect(two).allows(*target) == (one.allows(*target) and two.allows(*target))
    assert one.intersect(one) == one


def test_an_endpoint_is_written_as_it_is_read() -> None:
    assert endpoint("a.example", 443) == "a.example:443"
    assert endpoint("2001:db8::1", 443) == "[2001:db8::1]:443"
    assert endpoint("2001:db8::1", None) == "2001:db8::1"

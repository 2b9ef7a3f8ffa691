from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tapemeter.client import defaults
from tapemeter.client.addresses import address_of
from tapemeter.client.aliases import AliasRegistry
from tapemeter.client.config import Alias, Endpoint, Group, ProviderConfig, ProviderKind, Retries, Timeouts, Wire
from tapemeter.client.hiding import Hiding
from tapemeter.client.load import load
from tapemeter.client.secret import Secret
from tapemeter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Load = Callable[..., ProviderConfig]

KEY = {"LLM_API_KEY": "the-key-0123456789"}
MAKERS = {"OPENAI_API_KEY": "openai-key-0123456789", "ANTHROPIC_API_KEY": "anthropic-key-0123456789"}
LOCAL = "http://127.0.0.1:8000"


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    """Load from variables given by name, and from a file of the given text."""

    def read(text: str | None = None, /, **environ: str) -> ProviderConfig:
        if text is not None:
            (tmp_path / "llm.yaml").write_text(f"schema: llm_config_v1\n{text}", encoding="utf-8")
        return load(environ, root=tmp_path)

    return read


@pytest.fixture
def refused(loaded: Load) -> Callable[..., str]:
    """The message with which a configuration is refused."""

    def read(text: str | None = None, /, **environ: str) -> str:
        with pytest.raises(ConfigError) as caught:
            loaded(text, **environ)
        return str(caught.value)

    return read


def endpoint(config: ProviderConfig) -> Endpoint:
    assert config.endpoint is not None
    return config.endpoint


def key(server: Endpoint | None) -> str | None:
    assert server is not None
    return server.api_key.reveal() if server.api_key else None


# Defaults


def test_a_key_alone_is_enough(loaded: Load) -> None:
    config = loaded(**KEY)
    assert config == ProviderConfig(
        endpoint=Endpoint("https://api.openai.com/v1", Wire.OPENAI, Secret(KEY["LLM_API_KEY"])),
        groups=defaults.groups_of(ProviderKind.REAL, Wire.OPENAI, None),
        aliases=defaults.ALIASES,
    )
    assert AliasRegistry.from_config(config).resolve("planner").model == config.groups["main"].model


@pytest.mark.parametrize("wire", Wire)
def test_the_models_of_the_built_in_groups_are_on_the_price_list(wire: Wire) -> None:
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - slow, and for this test alone

    for group in defaults.groups_of(ProviderKind.REAL, wire, None).values():
        price = calc_price(Usage(input_tokens=1000, output_tokens=1000), group.model, provider_id=wire.value)
        assert price.total_price > 0


def test_the_key_of_the_makers_sdk_goes_to_the_maker(loaded: Load) -> None:
    server = endpoint(loaded(**MAKERS))
    assert (server.base_url, key(server), server.key_name) == (
        "https://api.openai.com/v1",
        MAKERS["OPENAI_API_KEY"],
        "OPENAI_API_KEY",
    )
    server = endpoint(loaded(LLM_WIRE="Anthropic", **MAKERS))
    assert (server.base_url, server.wire, key(server)) == (
        "https://api.anthropic.com",
        Wire.ANTHROPIC,
        MAKERS["ANTHROPIC_API_KEY"],
    )


def test_the_address_of_the_makers_sdk_counts_with_its_key(loaded: Load) -> None:
    server = endpoint(loaded(OPENAI_BASE_URL=f"{LOCAL}/v1/", **MAKERS))
    assert (server.base_url, key(server)) == (f"{LOCAL}/v1", MAKERS["OPENAI_API_KEY"])
    server = endpoint(loaded(ANTHROPIC_BASE_URL=LOCAL, LLM_WIRE="anthropic", **MAKERS))
    assert (server.base_url, key(server)) == (LOCAL, MAKERS["ANTHROPIC_API_KEY"])
    assert (
        endpoint(loaded(OPENAI_BASE_URL=LOCAL, LLM_BASE_URL="http://[::1]:8", **MAKERS)).base_url == "http://[::1]:8/v1"
    )


@pytest.mark.parametrize(
    "address", [LOCAL, "http://api.openai.com/v1", "https://api.openai.com.example/v1", "https://xapi.openai.com/v1"]
)
def test_the_key_of_the_makers_sdk_goes_to_nobody_else(loaded: Load, address: str) -> None:
    assert key(endpoint(loaded(LLM_BASE_URL=address, **MAKERS))) is None
    assert key(endpoint(loaded(f"endpoint: {{base_url: '{address}'}}", **MAKERS))) is None
    assert key(endpoint(loaded(LLM_BASE_URL=address, **MAKERS, **KEY))) == KEY["LLM_API_KEY"]


def test_the_maker_is_known_at_its_other_hosts(loaded: Load) -> None:
    assert key(endpoint(loaded(LLM_BASE_URL="https://eu.api.openai.com/v1", **MAKERS))) == MAKERS["OPENAI_API_KEY"]


def test_without_any_key_the_makers_server_is_an_error_that_says_what_to_set(refused: Callable[..., str]) -> None:
    said = refused()
    assert said.startswith("LLM_API_KEY: not set, and https://api.openai.com answers nobody without a key;")
    assert "OPENAI_API_KEY" in said
    assert "LLM_WIRE" not in said
    assert "LLM_WIRE=anthropic uses it" in refused(ANTHROPIC_API_KEY="anthropic-key-0123456789")
    assert "https://api.anthropic.com" in refused(LLM_WIRE="anthropic", OPENAI_API_KEY="k")


@pytest.mark.parametrize("environ", [{"LLM_MODE": "replay"}, {"LLM_PROVIDER": "echo"}, {"LLM_BASE_URL": LOCAL}])
def test_no_key_is_needed_where_none_is_sent(loaded: Load, environ: Mapping[str, str]) -> None:
    config = loaded(**environ)
    assert all(server is None or server.api_key is None for server in (config.endpoint, config.gateway))
    assert config.mode == environ.get("LLM_MODE")


def test_replay_needs_no_key_that_the_file_names(loaded: Load) -> None:
    text = "endpoint: {api_key_env: ONE_KEY}\ngateway: {base_url: 'http://h', api_key_env: TWO_KEY}\n"
    text += "groups: {main: {model: m, endpoint: {api_key_env: THREE_KEY}}}\n"
    assert loaded(text, LLM_MODE="replay").endpoint == Endpoint("https://api.openai.com/v1", key_name="LLM_API_KEY")
    assert loaded(text, LLM_MODE="replay", LLM_PROVIDER="gateway").gateway is not None


def test_an_empty_variable_is_not_set(loaded: Load, tmp_path: Path) -> None:
    names = re.findall(r"\bLLM_[A-Z_]+\b", Path(__file__).read_text("utf-8"))
    empty = dict.fromkeys(names, " ") | {"OPENAI_BASE_URL": "", "ANTHROPIC_BASE_URL": ""}
    assert loaded(**{**empty, **KEY}) == loaded(**KEY)


def test_a_price_file_in_the_root_folder_is_found(loaded: Load, tmp_path: Path) -> None:
    assert loaded(**KEY).prices is None
    (tmp_path / "llm_prices.yaml").write_text("schema: llm_prices_v1\n")
    assert loaded(**KEY).prices == tmp_path / "llm_prices.yaml"


# Variables


def test_every_variable_is_read(loaded: Load) -> None:
    config = loaded(
        LLM_PROVIDER="REAL",
        LLM_BASE_URL=" https://models.example.test/api/ ",
        LLM_WIRE="anthropic",
        LLM_API_KEY=" the-key\n",
        LLM_MODEL="small",
        LLM_TIMEOUT_CONNECT="1",
        LLM_TIMEOUT_FIRST_CHUNK="2.5",
        LLM_TIMEOUT_IDLE="none",
        LLM_TIMEOUT_TOTAL="1e3",
        LLM_RETRIES="0",
        LLM_MODE="Record",
    )
    assert endpoint(config) == Endpoint("https://models.example.test/api", Wire.ANTHROPIC, Secret("the-key"))
    assert config.timeouts == Timeouts(1.0, 2.5, None, 1000.0)
    assert config.retries == Retries(attempts=1)
    assert config.mode == "record"
    assert {group.model for group in config.groups.values()} == {"small"}


def test_a_gateway_has_an_address_a_key_and_groups_of_its_own(loaded: Load) -> None:
    config = loaded(LLM_PROVIDER="gateway", LLM_GATEWAY_URL="http://localhost:4000/v1", LLM_GATEWAY_KEY="g", **MAKERS)
    assert config.gateway == Endpoint("http://localhost:4000", Wire.OPENAI, Secret("g"), "LLM_GATEWAY_KEY")
    assert config.endpoint is None
    assert {name: group.model for name, group in config.groups.items()} == {name: name for name in defaults.GROUPS}


def test_a_gateway_without_an_address_is_an_error(refused: Callable[..., str]) -> None:
    assert refused(LLM_PROVIDER="gateway").startswith("LLM_GATEWAY_URL: not set; set it to the address of the gateway")


def test_echo_needs_nothing(loaded: Load) -> None:
    config = loaded(LLM_PROVIDER="echo")
    assert (config.endpoint, config.gateway, config.groups["main"].model) == (None, None, "echo")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LLM_PROVIDER", "gatway", 'expected one of real, gateway, echo, found "gatway"'),
        ("LLM_WIRE", "grpc", 'expected one of openai, anthropic, found "grpc"'),
        ("LLM_MODE", "relay", 'expected one of replay, record, live, verify, off, found "relay"'),
        ("LLM_TIMEOUT_CONNECT", "0", 'expected seconds above 0, at most 86400, or none, found "0"'),
        ("LLM_TIMEOUT_FIRST_CHUNK", "-1", "expected seconds above 0"),
        ("LLM_TIMEOUT_IDLE", "nan", "expected seconds above 0"),
        ("LLM_TIMEOUT_TOTAL", "inf", "expected seconds above 0"),
        ("LLM_TIMEOUT_TOTAL", "soon", 'found "soon"'),
        ("LLM_RETRIES", "20", 'expected a whole number from 0 to 19, found "20"'),
        ("LLM_RETRIES", "1.0", "expected a whole number"),
        ("LLM_RETRIES", "²", "expected a whole number"),
        ("LLM_RETRIES", "1" * 1900, "expected a whole number"),
        ("LLM_MODEL", "m\x07", "expected a name of at most 200 characters on one line"),
        ("LLM_MODEL", "m" * 201, "expected a name of at most 200 characters on one line"),
        ("LLM_MODEL", "sk-proj-0123456789abcdefABCDEF", "expected the name of a model, found a text of 30 characters"),
        ("LLM_MODEL", KEY["LLM_API_KEY"], "expected the name of a model, found a text of 18 characters"),
        ("LLM_API_KEY", "two words", "character 4 of the key is a space, so no server takes it; copy the key again"),
        ("LLM_API_KEY", "ke…", "character 3 of the key is no letter, digit or sign of ASCII"),
        ("LLM_API_KEY", "k" * 8193, "the key has 8,193 characters; 8,192 are allowed"),
        ("LLM_GATEWAY_KEY", "a\nb", "character 2 of the key is a space"),
        ("LLM_CONFIG", "nowhere.yaml", 'there is no file "nowhere.yaml"; name a config file'),
        ("LLM_CONFIG", ".", 'there is no file "."'),
        ("LLM_CONFIG", "A" * 1000, "there is no file a text of 1000 characters, which is not shown"),
        ("LLM_PROVIDER", "x" * 2001, "the value has 2,001 characters; 2,000 are allowed"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_variable(
    refused: Callable[..., str], name: str, value: str, said: str
) -> None:
    error = refused(**{**KEY, name: value})
    assert error.startswith(f"{name}: ")
    assert said in error


@pytest.mark.parametrize("name", ["LLM_BASE_URL", "LLM_GATEWAY_URL", "OPENAI_BASE_URL"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("localhost:8000", "must begin with http:// or https://"),
        ("ftp://host", "must begin with http:// or https://"),
        ("file:///etc/passwd", "must begin with http:// or https://"),
        ("http://", "has no host"),
        ("http:///v1", "has no host"),
        ("http://:80/v1", "has no host"),
        ("http://host:99999", "a port beyond 65,535"),
        ("http://[::1", "no host that can be read"),
        ("https://user:password@host/v1", "holds a user or a password"),
        ("https://token@host/v1", "holds a user or a password"),
        ("https://host/v1?api_key=1", "has a query (?) or a fragment (#)"),
        ("https://host/v1?", "has a query (?) or a fragment (#)"),
        ("https://host/v1#x", "has a query (?) or a fragment (#)"),
        ("https://ho st/v1", "a character that no address has"),
        ("https://höst/v1", "a character that no address has"),
        ("https://host\\@evil/v1", "a character that no address has"),
        ("https://host/v1/chat/completions", "ends in the path of an operation, /chat/completions"),
        ("https://host/v1/messages/", "ends in the path of an operation, /messages"),
        ("https://host/" + "a" * 1990, "the value has"),
    ],
)
def test_a_wrong_address_is_an_error(refused: Callable[..., str], name: str, value: str, said: str) -> None:
    error = refused(**{**KEY, name: value})
    assert error.startswith(f"{name}: ")
    assert said in error
    assert "evil" not in error


@pytest.mark.parametrize(
    ("written", "openai", "anthropic"),
    [
        ("http://Host:8000", "http://host:8000/v1", "http://host:8000"),
        ("HTTP://host:8000/", "http://host:8000/v1", "http://host:8000"),
        ("http://host:8000/v1", "http://host:8000/v1", "http://host:8000"),
        ("http://host:8000/v1//", "http://host:8000/v1", "http://host:8000"),
        ("https://host/api/v1", "https://host/api/v1", "https://host/api"),
        ("https://host/v1beta/openai/", "https://host/v1beta/openai", "https://host/v1beta/openai"),
        ("http://[::1]:8000", "http://[::1]:8000/v1", "http://[::1]:8000"),
    ],
)
def test_an_address_is_kept_as_the_sdk_takes_it(loaded: Load, written: str, openai: str, anthropic: str) -> None:
    assert endpoint(loaded(LLM_BASE_URL=written, **KEY)).base_url == openai
    assert endpoint(loaded(LLM_BASE_URL=openai, **KEY)).base_url == openai
    assert endpoint(loaded(LLM_BASE_URL=written, LLM_WIRE="anthropic", **KEY)).base_url == anthropic
    gateway = loaded(LLM_PROVIDER="gateway", LLM_GATEWAY_URL=written).gateway
    assert gateway is not None
    assert gateway.base_url == anthropic


# The file


WHOLE = f"""
provider: real
endpoint: {{base_url: {LOCAL}, wire: openai, api_key_env: HOUSE_API_KEY}}
gateway: {{base_url: "http://localhost:4000/", api_key_env: PROXY_TOKEN}}
timeouts: {{connect: 1, first_chunk: 2.5, idle: null}}
retries: {{attempts: 5, first_wait: 0, longest_wait: 1}}
circuit: {{failures: 1, cool_down: 0}}
groups:
  cheap: {{model: tiny}}
  clever: {{model: claude-x, endpoint: {{wire: anthropic}}}}
aliases:
  planner: clever
  judge: {{group: clever, category: judging}}
  helper: cheap
default_group: cheap
fallbacks: [clever, main]
prices: prices.yaml
"""


def test_every_field_is_read(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("schema: llm_prices_v1\n")
    config = loaded(WHOLE, HOUSE_API_KEY="house", **MAKERS)
    assert endpoint(config) == Endpoint(f"{LOCAL}/v1", Wire.OPENAI, Secret("house"), "HOUSE_API_KEY")
    assert config.timeouts == Timeouts(1.0, 2.5, None, 600.0)
    assert config.retries == Retries(5, 0, 1)
    assert (config.circuit.failures, config.circuit.cool_down) == (1, 0)
    assert config.groups["cheap"] == Group("cheap", "tiny")
    assert config.groups["clever"].model == "claude-x"
    assert config.groups["clever"].endpoint == Endpoint(
        "https://api.anthropic.com", Wire.ANTHROPIC, Secret(MAKERS["ANTHROPIC_API_KEY"]), "ANTHROPIC_API_KEY"
    )
    assert config.aliases["planner"] == Alias("planner", "clever", "planning")
    assert config.aliases["judge"] == Alias("judge", "clever", "judging")
    assert config.aliases["helper"] == Alias("helper", "cheap", "other")
    assert config.aliases["router"] == defaults.ALIASES["router"]
    assert (config.default_group, config.fallbacks) == ("cheap", ("clever", "main"))
    assert (config.prices, config.source) == (tmp_path / "prices.yaml", tmp_path / "llm.yaml")
    assert [field.name for field in fields(ProviderConfig) if getattr(config, field.name) is None] == [
        "gateway",
        "mode",
    ]

    config = loaded(LLM_PROVIDER="gateway", PROXY_TOKEN="proxy")
    assert config.gateway == Endpoint("http://localhost:4000", Wire.OPENAI, Secret("proxy"), "PROXY_TOKEN")
    assert config.groups["clever"] == Group("clever", "claude-x")


def test_the_environment_comes_before_the_file(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("schema: llm_prices_v1\n")
    config = loaded(
        WHOLE,
        LLM_BASE_URL="http://elsewhere:1",
        LLM_API_KEY="own",
        LLM_TIMEOUT_CONNECT="none",
        LLM_TIMEOUT_IDLE="7",
        LLM_RETRIES="1",
        LLM_MODEL="given",
        **MAKERS,
    )
    assert endpoint(config) == Endpoint("http://elsewhere:1/v1", Wire.OPENAI, Secret("own"))
    assert config.timeouts == Timeouts(None, 2.5, 7.0, 600.0)
    assert config.retries == Retries(2, 0, 1)
    assert {name: group.model for name, group in config.groups.items()} == {
        "cheap": "tiny",
        "main": "given",
        "fallback": "given",
        "clever": "claude-x",
    }
    assert loaded(LLM_PROVIDER="echo").provider is ProviderKind.ECHO
    assert endpoint(loaded(LLM_WIRE="anthropic", **KEY, **MAKERS)).wire is Wire.ANTHROPIC


def test_the_key_that_a_file_names_stays_with_its_address(loaded: Load, refused: Callable[..., str]) -> None:
    text = f"endpoint: {{base_url: '{LOCAL}', api_key_env: HOUSE_KEY}}"
    assert key(endpoint(loaded(text, HOUSE_KEY="house"))) == "house"
    assert key(endpoint(loaded(text, HOUSE_KEY="house", LLM_BASE_URL=LOCAL))) == "house"
    assert key(endpoint(loaded(text, HOUSE_KEY="house", LLM_BASE_URL="http://elsewhere"))) is None
    assert refused(text) == (
        "llm.yaml:2: the variable HOUSE_KEY, which is to hold the key, is not set; set it, or LLM_API_KEY"
    )
    text = f"provider: gateway\ngateway: {{base_url: '{LOCAL}', api_key_env: HOUSE_KEY}}"
    assert key(loaded(text, HOUSE_KEY="house").gateway) == "house"
    assert key(loaded(text, HOUSE_KEY="house", LLM_GATEWAY_KEY="own").gateway) == "own"
    assert key(loaded(text, HOUSE_KEY="house", LLM_GATEWAY_URL="http://elsewhere").gateway) is None
    assert refused(text).startswith("llm.yaml:3: the variable HOUSE_KEY, which is to hold the key, is not set")


def test_a_group_has_its_own_server_and_key(loaded: Load, refused: Callable[..., str]) -> None:
    text = "groups: {{main: {{model: m, endpoint: {}}}}}"

    def of_main(server: str, **environ: str) -> Endpoint | None:
        return loaded(text.format(server), **KEY, **environ).groups["main"].endpoint

    own = of_main(f"{{base_url: '{LOCAL}'}}", LLM_WIRE="anthropic")
    assert own == Endpoint(f"{LOCAL}/v1", Wire.OPENAI, None)
    assert of_main(f"{{base_url: '{LOCAL}', api_key_env: A_KEY}}", A_KEY="a") == Endpoint(
        f"{LOCAL}/v1", Wire.OPENAI, Secret("a"), "A_KEY"
    )
    assert key(of_main("{api_key_env: A_KEY}", A_KEY="a")) == "a"
    assert key(of_main("{wire: openai}")) == KEY["LLM_API_KEY"]
    assert key(of_main("{wire: anthropic}", **MAKERS)) == MAKERS["ANTHROPIC_API_KEY"]
    assert of_main("null") is None
    said = refused(text.format("{wire: anthropic}"), **KEY)
    assert said.startswith(
        "llm.yaml:2: the variable ANTHROPIC_API_KEY, which is to hold the key of this group's server"
    )


def test_a_gateway_or_echo_takes_groups_that_only_it_knows(loaded: Load, refused: Callable[..., str]) -> None:
    text = "default_group: house\naliases: {judge: bench}\nfallbacks: [spare]\n"
    config = loaded(text, LLM_PROVIDER="gateway", LLM_GATEWAY_URL=LOCAL)
    assert [config.groups[name].model for name in ("house", "bench", "spare")] == ["house", "bench", "spare"]
    assert AliasRegistry.from_config(config).resolve("judge").model == "bench"
    assert loaded(LLM_PROVIDER="echo").groups["bench"].model == "echo"
    assert "there is no group" in refused(**KEY)


def test_a_file_that_is_no_mapping_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "llm.json").write_text("[1]")
    with pytest.raises(ConfigError, match=r"llm\.json:1: the document: expected a mapping with schema, provider"):
        load({}, root=tmp_path, config=Path("llm.json"))


def test_an_address_that_is_kept_stays_as_it_is_and_has_a_bound() -> None:
    for wire in (*Wire, None):
        for written in ("http://h", "http://h/v1", "http://h/v1/v1/", "https://h:8/a//"):
            kept = address_of(written, wire)
            assert address_of(kept, wire) == kept
    with pytest.raises(ValueError, match="more than 2,000 characters"):
        address_of("http://h/" + "a" * 2000, None)


def test_no_fallbacks_can_be_said(loaded: Load) -> None:
    assert loaded("fallbacks: []", **KEY).fallbacks == ()
    assert loaded("fallbacks: null", **KEY).fallbacks == ("fallback",)


def test_the_file_is_the_argument_else_the_variable_else_the_one_in_the_root(tmp_path: Path) -> None:
    for name in ("llm.yaml", "one.yaml", "below/two.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'{{"schema": "llm_config_v1", "default_group": "{path.stem}", "provider": "echo"}}')
    named = {"LLM_CONFIG": "one.yaml"}
    assert load({}, root=tmp_path).default_group == "llm"
    assert load(named, root=tmp_path).default_group == "one"
    assert load(named, root=tmp_path, config=Path("below/two.json")).default_group == "two"
    assert load({}, root=tmp_path, config=tmp_path / "below/two.json").source == tmp_path / "below/two.json"
    with pytest.raises(ConfigError, match=r"^three.yaml: there is no such file$"):
        load({}, root=tmp_path, config=Path("three.yaml"))


def test_without_a_root_it_is_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llm.yaml").write_text("schema: llm_config_v1\nprovider: echo\n")
    assert load({}).source == tmp_path / "llm.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("provider: gatway", 'llm.yaml:2: provider: expected one of real, gateway, echo, found "gatway"'),
        ("a: 1\nb: 2", "llm.yaml:2: a: expected no other field than schema, provider"),
        ("a: 1\nb: 2", "(and 1 more)"),
        ("endpoint:\n  base_ulr: x", 'found the field "base_ulr" (did you mean "base_url"?)'),
        ("endpoint:\n  base_url: ftp://x", "llm.yaml:3: the address must begin with http:// or https://"),
        ("endpoint:\n  base_url: https://u:p@x", "llm.yaml:3: the address holds a user or a password"),
        ("gateway: {base_url: 'http://x/?a=b'}", "llm.yaml:2: the address has a query"),
        ("timeouts: {connect: 0}", "timeouts.connect: expected seconds above 0, at most 86400, or null for no limit"),
        ("timeouts: {total: true}", "timeouts.total: expected seconds above 0"),
        ("retries: {attempts: 0}", "retries.attempts: expected a whole number, 1 or more, at most 20, found 0"),
        ("retries: {first_wait: 60}", "retries.first_wait: expected at most longest_wait, 30.0, found 60"),
        ("circuit: {cool_down: -1}", "circuit.cool_down: expected seconds, 0 to 86400, found -1"),
        ("groups: {main: tiny}", 'groups.main: expected a mapping with model and endpoint, found "tiny"'),
        ("groups: {main: {}}", "groups.main.model: expected a name of 1 to 200 characters on one line, found nothing"),
        ("groups: {router: {model: m}}", 'the alias "router" for the group "cheap" would hide the group "router"'),
        ("aliases: {main: cheap}", 'the alias "main" for the group "cheap" would hide the group "main"'),
        ("aliases:\n  judge: chaep", 'llm.yaml:3: there is no group "chaep" (did you mean "cheap"?); add it to groups'),
        ("aliases: {judge: {group: x}}", 'llm.yaml:2: there is no group "x"; add it to groups, with its model'),
        ("default_group: x", 'llm.yaml:2: there is no group "x"'),
        ("fallbacks: [main,\n  x]", 'llm.yaml:3: there is no group "x"'),
        ("fallbacks: [main, main]", "fallbacks: expected a list of at most 20 groups, none twice, or null"),
        ("prices: nowhere.yaml", 'llm.yaml:2: there is no price file "nowhere.yaml" in the folder of this file'),
        ("provider: echo\nprovider: real", "llm.yaml:3: the key 'provider' is there twice"),
        ("provider: &a echo", "llm.yaml:2: anchors (&) and aliases (*) are not allowed"),
        ("endpoint: ]", "llm.yaml:2: this is not YAML"),
        ("endpoint: {api_key_env: house}", "expected the name of the environment variable that holds the key"),
        ("endpoint: {api_key_env: HOUSE}", "such as LLM_API_KEY, with KEY, TOKEN, SECRET, PASSWORD or AUTH"),
        ("endpoint: {api_key_env: HOUSE_MONKEY}", "expected the name of the environment variable"),
        ("groups: {main: {model: sk-proj-0123456789abcdefABCDEF}}", "this is a name, and what stands there looks like"),
    ],
)
def test_a_fault_of_the_file_has_its_line(refused: Callable[..., str], text: str, said: str) -> None:
    error = refused(text, **KEY)
    assert error.startswith("llm.yaml:")
    assert said in error


@pytest.mark.parametrize("field", ["api_key", "API-KEY", "key", "token", "secret", "password", "authorization"])
@pytest.mark.parametrize(
    "text", ["{}: s3cretS3cret", "endpoint: {{{}: s3cretS3cret}}", "gateway:\n  {}: 7", "groups: {{g: {{{}: s}}}}"]
)
def test_a_key_in_the_file_is_an_error_that_says_where_it_belongs(
    refused: Callable[..., str], field: str, text: str
) -> None:
    error = refused(text.format(field), **KEY)
    assert "keys do not stand in this file; put the key into an environment variable" in error
    assert "api_key_env" in error
    assert "s3cret" not in error


def test_names_of_ones_own_may_be_words_for_keys(loaded: Load) -> None:
    config = loaded("groups: {key: {model: m}}\naliases: {token: key}", **KEY)
    assert config.aliases["token"].group == "key"


def test_a_file_is_read_to_a_bound(refused: Callable[..., str]) -> None:
    assert "larger than 1,048,576 bytes" in refused("#" * 1024 * 1024, **KEY)
    assert "api_key_env: expected" in refused("endpoint: {api_key_env: " + "_" * 1_000_000 + "}", **KEY)


# Secrets


VARIABLES = sorted(
    {*re.findall(r"\bLLM_[A-Z_]+\b", Path(__file__).read_text("utf-8")), *defaults.ADDRESS_VARIABLES.values(), *MAKERS}
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+=."
SECRETS = st.builds(
    lambda start, middle, end: f"{start}{middle}{end}",
    st.sampled_from(["sk-", "sk-ant-", "hf_", "gsk_", "Zx9", "K"]),
    st.text(LETTERS, min_size=20, max_size=60),
    st.sampled_from(["7Q", "q0Zz"]),
)
PLACES = [
    "provider: {}",
    "{}: real",
    "{}: 1\n{}: 2",
    "schema: {}",
    "endpoint: {}",
    "endpoint:\n  base_url: {}",
    "endpoint:\n  base_url: https://{}@host/v1",
    "endpoint:\n  base_url: https://host/v1?key={}",
    "endpoint:\n  wire: {}",
    "endpoint:\n  api_key: {}",
    "endpoint:\n  api_key_env: {}",
    "endpoint:\n  {}: x",
    "gateway:\n  key: {}",
    "timeouts:\n  total: {}",
    "groups:\n  {}: x",
    "groups:\n  main: {}",
    "groups:\n  main:\n    {}: x",
    "aliases:\n  a: {}",
    "aliases:\n  {}: 1",
    "aliases:\n  a:\n    group: {}",
    "default_group: {}",
    "fallbacks: [{}]",
    "fallbacks: [{0}, {0}]",
    "prices: {}",
    "provider: !{} x",
    "provider: *{}",
    "provider: [{}",
]


def shown(environ: Mapping[str, str], text: str, folder: Path) -> str:
    """Whatever a program could print of a configuration, or of its error."""
    path = folder / "planted.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        config = load(environ, config=path, root=folder)
    except ConfigError as error:
        return "\n".join(map(repr, [str(error), error, vars(error), error.__cause__]))
    return f"{config!r}\n{config}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@given(name=st.sampled_from(VARIABLES), secret=SECRETS, provider=st.sampled_from(ProviderKind))
@example(name="LLM_RETRIES", secret="sk-ant-0aaaaaaaaaaaaaaaaaaaa7Q", provider=ProviderKind.REAL)
def test_a_secret_in_any_variable_shows_nowhere(folder: Path, name: str, secret: str, provider: ProviderKind) -> None:
    environ = {"LLM_PROVIDER": provider.value, "LLM_GATEWAY_URL": LOCAL, **KEY, name: secret}
    said = shown(environ, "schema: llm_config_v1\n", folder)
    # A model may be called anything, so there only what has the shape of a key is known to be one.
    if name != "LLM_MODEL" or Hiding({}).is_a_key(secret):
        assert secret[:20] not in said


@given(place=st.sampled_from(PLACES), secret=SECRETS)
def test_a_secret_anywhere_in_the_file_shows_nowhere(folder: Path, place: str, secret: str) -> None:
    text = place.replace("{}", secret).replace("{0}", secret)
    assert secret[:20] not in shown(KEY, f"schema: llm_config_v1\n{text}\n", folder)


@given(secret=st.text(LETTERS, min_size=1, max_size=40), name=st.sampled_from(["LLM_API_KEY", "LLM_GATEWAY_KEY"]))
def test_a_key_of_any_shape_does_not_print(secret: str, name: str) -> None:
    environ = {"LLM_PROVIDER": "gateway", "LLM_GATEWAY_URL": "http://h", "LLM_API_KEY": "k", name: f"{secret}\x00"}
    with pytest.raises(ConfigError) as caught:
        load(environ, root=Path("/nowhere"))
    assert str(caught.value) == (
        f"{name}: character {len(secret) + 1} of the key is no letter, digit or sign of ASCII, so no server takes it; "
        "copy the key again"
    )


@pytest.mark.parametrize("word", ["real", "gatway", "first_chunks", "llm_config_v2", "conf/llm-Prod7.yaml", "12", "on"])
def test_what_is_no_key_is_quoted(word: str) -> None:
    assert Hiding({}).told(word) == f'"{word}"'


def test_what_is_long_is_cut() -> None:
    assert Hiding({}).told("1" * 100) == f'"{"1" * 59}…"'

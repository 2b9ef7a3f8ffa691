"""The files of `docs/deploy`, each read by what reads it in use: the proxy, compose's schema, dotenv, git, `load`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from proxy import CONFIG, DEPLOY, MASTER_KEY, Proxy, ProxyError, environment

from loopback import Loopback
from model_server import API_KEY, ModelServer, why_unavailable
from tapemeter.client.config import ProviderKind
from tapemeter.client.defaults import ALIASES, GROUPS
from tapemeter.client.load import load
from tapemeter.client.service import LlmService
from tapemeter.model import Usage
from tapemeter.pricing import Prices, load_overrides

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.gateway

ROOT = DEPLOY.parents[1]
COMPOSE = DEPLOY / "docker-compose.litellm.yml"
SECRET = re.compile(r"(_KEY|_TOKEN|_SECRET|PASSWORD)$")


def example(name: str) -> dict[str, str]:
    """Read one of the examples as the proxy's own dotenv does."""
    from dotenv import dotenv_values  # noqa: PLC0415 - only there where LiteLLM is

    values = dotenv_values(DEPLOY / name)
    assert None not in values.values()
    return {key: value or "" for key, value in values.items()}


def composed(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that compose gives the proxy; ValueError with the message for what must be set."""

    def value(found: re.Match[str]) -> str:
        name, how, text = found.groups()
        if how == "?" and not given.get(name):
            raise ValueError(f"{name} {text}")
        return given.get(name) or (text if how == "-" else "")

    variables: dict[str, str] = service()["environment"]
    return {name: re.sub(r"\$\{(\w+):([-?])([^}]*)\}", value, text) for name, text in variables.items()}


def service() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["litellm"])


# Compose


def test_compose_is_of_the_compose_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    checked = subprocess.run(check, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_image_is_a_version_that_is_safe() -> None:
    image, _, tag = service()["image"].rpartition(":")
    assert image == "ghcr.io/berriai/litellm-non_root"
    assert tuple(map(int, tag.removeprefix("v").split("."))) > (1, 83, 7)


def test_the_container_is_on_loopback_alone_and_may_do_little() -> None:
    given = service()
    assert given["ports"] == ["127.0.0.1:${LITELLM_PORT:-4000}:4000"]
    assert given["user"].partition(":")[0] not in {"", "0", "root"}
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert "env_file" not in given


def test_the_configuration_is_mounted_for_reading_where_the_command_looks() -> None:
    [mount] = service()["volumes"]
    assert (COMPOSE.parent / mount["source"]).resolve() == CONFIG
    assert mount["read_only"] is True
    assert service()["command"][:2] == ["--config", mount["target"]]


def test_compose_refuses_to_start_without_the_proxys_key() -> None:
    with pytest.raises(ValueError, match=r"^LITELLM_MASTER_KEY is missing - set it in \.env\.litellm"):
        composed(example(".env.litellm.example"))


def test_compose_passes_on_just_what_the_example_names() -> None:
    named = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8")))
    assert named == set(example(".env.litellm.example"))
    read = set(re.findall(r"os\.environ/(\w+)", CONFIG.read_text(encoding="utf-8")))
    assert read - {"NAME"} == named - {"LITELLM_PORT", "LITELLM_LOCAL_MODEL_COST_MAP"}


def test_the_price_file_names_the_models_of_the_groups() -> None:
    models = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["model_list"]
    served = {model["model_name"]: model["litellm_params"]["model"].partition("/")[2] for model in models}
    overrides = load_overrides(DEPLOY / "llm_prices.yaml")
    assert dict(overrides.aliases) == served
    now = datetime.now(UTC)
    for group in served:
        cost = Prices(overrides).cost(Usage(100, 50), model=group, provider="openai", url="http://127.0.0.1", at=now)
        assert cost.usd, group


# Secrets


def test_no_file_holds_a_secret() -> None:
    for name in (".env.example", ".env.litellm.example"):
        secrets = {key: value for key, value in example(name).items() if SECRET.search(key)}
        assert set(secrets.values()) == {""}
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    keys = [model["litellm_params"]["api_key"] for model in config["model_list"]]
    assert all(key.startswith("os.environ/") for key in [*keys, config["general_settings"]["master_key"]])


def test_git_ignores_what_is_real_and_keeps_the_examples(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    real = [".env", ".env.litellm", ".env.local", "docs/deploy/.env", "docs/deploy/.env.litellm"]
    kept = [".env.example", ".env.litellm.example", "docs/deploy/.env.example", "docs/deploy/.env.litellm.example"]
    check = ["git", "-C", str(tmp_path), "check-ignore", *real, *kept]
    assert subprocess.run(check, capture_output=True, text=True, check=True).stdout.split() == real


# The program's side


def test_the_programs_example_is_a_configuration(tmp_path: Path) -> None:
    given = example(".env.example")
    config = load({**given, "LLM_GATEWAY_KEY": MASTER_KEY}, root=tmp_path)
    assert config.provider is ProviderKind.GATEWAY
    assert config.gateway is not None
    assert config.gateway.base_url == f"http://127.0.0.1:{example('.env.litellm.example')['LITELLM_PORT']}"
    assert config.gateway.api_key is not None
    assert config.gateway.api_key.reveal() == MASTER_KEY
    assert not set(given) & set(example(".env.litellm.example"))


def test_every_variable_of_the_programs_example_is_read() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/tapemeter/client").glob("*.py"))
    assert [name for name in example(".env.example") if name not in source] == []


# The proxy


class Model:
    """What stands behind the proxy: the real model where it is installed, else the loopback provider."""

    def __init__(self, openai: str, anthropic: str) -> None:
        self.openai, self.anthropic = openai, anthropic


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    if why_unavailable() is None:
        with ModelServer() as real:
            yield Model(f"{real.base_url}/v1", real.base_url)
    else:
        with Loopback() as fake:
            yield Model(f"{fake.url}/v1", fake.url)


@pytest.fixture(scope="module")
def deployed(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The proxy with the very file and the very variables that compose gives it."""
    given = {
        **example(".env.litellm.example"),
        **environment(openai=model.openai, anthropic=model.anthropic, key=API_KEY),
    }
    log = tmp_path_factory.mktemp("deployed") / "proxy.log"
    with Proxy(CONFIG, composed(given), log) as running:
        yield running


@pytest.fixture
def service_of_program(deployed: Proxy, tmp_path: Path) -> Iterator[LlmService]:
    """A program with the variables of its example, sending, and the address and key of this proxy."""
    own = {"LLM_GATEWAY_URL": deployed.url, "LLM_GATEWAY_KEY": MASTER_KEY, "LLM_MODE": ""}
    with LlmService(load({**example(".env.example"), **own}, root=tmp_path)) as llm:
        yield llm


def test_the_proxy_starts_with_the_groups_that_aliases_lead_to(deployed: Proxy) -> None:
    asked = httpx.get(f"{deployed.url}/v1/models", headers={"authorization": f"Bearer {MASTER_KEY}"})
    assert {each["id"] for each in asked.json()["data"]} == set(GROUPS)
    assert {alias.group for alias in ALIASES.values()} == set(GROUPS)


@pytest.mark.parametrize("alias", ["summarizer", "planner", "fallback"])
def test_the_model_answers_through_the_proxy(alias: str, service_of_program: LlmService) -> None:
    result = service_of_program.complete("Say hello.", alias, max_output_tokens=12, fallback=False)
    assert result.content
    assert (result.alias, result.group, result.provider) == (alias, ALIASES[alias].group, "gateway")
    assert result.usage.completion > 0
    assert result.gateway is not None
    assert result.gateway.group == result.group
    assert result.gateway.cost_usd
    assert result.cost_usd


def test_the_model_streams_through_the_proxy(service_of_program: LlmService) -> None:
    with service_of_program.stream("Say hello.", max_output_tokens=12, fallback=False) as stream:
        pieces = list(stream)
    assert stream.result is not None
    assert "".join(pieces) == stream.result.content != ""
    assert stream.result.usage.quality == "measured"


def test_the_health_check_of_compose_passes(deployed: Proxy) -> None:
    how, _, *arguments = service()["healthcheck"]["test"]
    assert how == "CMD"
    assert subprocess.run([sys.executable, *_at(deployed.port, arguments)], check=False).returncode == 0
    failed = subprocess.run([sys.executable, *_at(9, arguments)], check=False, capture_output=True)
    assert failed.returncode != 0


def _at(port: int, arguments: list[str]) -> list[str]:
    return [argument.replace(":4000", f":{port}") for argument in arguments]


def test_there_are_no_pages_beside_the_api(deployed: Proxy) -> None:
    for path in ("/docs", "/redoc"):
        assert httpx.get(deployed.url + path).status_code == httpx.codes.NOT_FOUND


def test_nobody_gets_in_without_the_key(deployed: Proxy) -> None:
    body = {"model": "main", "messages": [{"role": "user", "content": "hello"}]}
    for headers in ({}, {"authorization": "Bearer sk-another"}):
        asked = httpx.post(f"{deployed.url}/v1/chat/completions", json=body, headers=headers)
        assert asked.is_error
        assert "choices" not in asked.text


def test_the_proxy_does_not_start_without_a_key(tmp_path: Path) -> None:
    given = {**environment(), "LITELLM_MASTER_KEY": ""}
    with pytest.raises(ProxyError, match="refused to start: the master key is empty"):
        Proxy(CONFIG, given, tmp_path / "proxy.log").start()

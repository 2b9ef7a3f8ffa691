"""Shared by the tests of the gateway: providers on loopback, one proxy before them for the session, its log on failure.

All of it is skipped where LiteLLM is not installed; `tox run -e gateway` installs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from proxy import Proxy, environment, why_unavailable, with_groups

from loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_KEYS_OF_PROVIDERS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")


@pytest.fixture(scope="session", autouse=True)
def _litellm_is_there() -> None:
    if reason := why_unavailable():
        pytest.skip(reason)


@pytest.fixture(autouse=True)
def _as_a_program_behind_a_gateway(_no_settings_from_outside: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that uses the gateway has no key of any provider."""
    for name in _KEYS_OF_PROVIDERS:
        monkeypatch.delenv(name, raising=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the proxies wrote where a test fails."""
    report = yield
    if report.failed:
        report.sections += [(f"LiteLLM at {proxy.url}", proxy.log_tail()) for proxy in Proxy.running]
    return report


class _NeverSeen(set[str]):
    """What a provider has seen that forgets: `status 500 then answer` fails each time."""

    def __contains__(self, prompt: object) -> bool:
        return False


class _AlwaysSeen(set[str]):
    """And one that remembers what never was: `status 500 then answer` is answered at once."""

    def __contains__(self, prompt: object) -> bool:
        return True


@pytest.fixture(scope="session")
def openai() -> Iterator[Loopback]:
    """The provider of the groups cheap and main; `status 500 then answer` fails there however often it is tried."""
    with Loopback() as running:
        running.seen = _NeverSeen()
        yield running


@pytest.fixture(scope="session")
def anthropic() -> Iterator[Loopback]:
    """The provider of the group fallback; `status 500 then answer` is answered there."""
    with Loopback() as running:
        running.seen = _AlwaysSeen()
        yield running


@pytest.fixture(scope="session")
def _proxy(tmp_path_factory: pytest.TempPathFactory, openai: Loopback, anthropic: Loopback) -> Iterator[Proxy]:
    """The shipped configuration with the two providers behind it, and groups that only tests need.

    An error that puts a deployment aside for a while (429, 401) needs a group of its own, so that no other test meets
    it: `limited` takes one request a minute. `unpriced` has no price.
    """
    folder = tmp_path_factory.mktemp("proxy")
    of_openai: dict[str, Any] = {"api_base": f"{openai.url}/v1", "api_key": "loopback-key"}
    groups = {
        "limited": {"model": "openai/gpt-5-mini", "rpm": 1, **of_openai},
        "unpriced": {"model": "openai/smollm2", **of_openai},
    }
    config = with_groups(folder / "config.yaml", groups)
    providers = environment(openai=f"{openai.url}/v1", anthropic=anthropic.url)
    with Proxy(config, providers, folder / "proxy.log") as running:
        yield running


@pytest.fixture
def proxy(_proxy: Proxy) -> Proxy:
    """One proxy for all tests, started again where one has killed it."""
    if not _proxy.is_running:
        _proxy.start()
    return _proxy

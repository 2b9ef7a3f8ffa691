"""The list of genai-prices, read without its package, is the list as the package itself reads it."""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
import sys
import weakref
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tapemeter.pricing import genai, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tapemeter.pricing.rates import Rates

OURS = genai.listing()
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
MOMENTS = [AT, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
PROVIDERS = [provider.id for provider in OURS.providers]

PRICE = """
import sys
from datetime import UTC, datetime
from tapemeter.pricing import listed

rates = listed.rates("gpt-4o", "openai", "http://localhost/v1", datetime(2025, 12, 1, tzinfo=UTC))
print(rates.input.base, "pydantic" in sys.modules, "httpx2" in sys.modules, "genai_prices" in sys.modules)
"""


@cache
def theirs() -> genai.Listing:
    return genai.of_the_package()


def found(listing: genai.Listing, name: str, provider: str | None, url: str | None) -> tuple[str, str, Any] | None:
    try:
        provider_found, model = listing.find_provider_model(name, None, provider, url)
    except LookupError:
        return None
    return provider_found.id, model.id, model


def assert_same(name: str, provider: str | None, url: str | None) -> None:
    ours, expected = (found(listing, name, provider, url) for listing in (OURS, theirs()))
    if ours is None or expected is None:
        assert ours == expected, (name, provider, url)
        return
    assert ours[:2] == expected[:2], (name, provider, url)


def names_in(clause: Any) -> Iterator[str]:
    """Yield what the clauses of a model are about."""
    for value in vars(clause).values():
        if isinstance(value, str):
            yield value
        else:
            for part in value:
                yield from names_in(part)


def moments(models: Iterable[Any]) -> set[datetime]:
    """Return whenever a price on the list begins or ends, and just before."""
    days: set[datetime] = set()
    for model in models:
        for price in model.prices if isinstance(model.prices, list) else ():
            for value in vars(price.constraint).values() if price.constraint is not None else ():
                if isinstance(value, time):
                    days.add(datetime.combine(AT.date(), value.replace(tzinfo=value.tzinfo or UTC)))
                elif isinstance(value, date):
                    days.add(datetime.combine(value, time(tzinfo=UTC)))
    return {moment for day in days for moment in (day, day - timedelta(microseconds=1))}


def test_the_rules_of_the_installed_edition_are_known() -> None:
    """Where this fails, see what has changed in these modules, repeat that, and note their digests."""
    folder = genai._folder()
    assert folder is not None
    assert genai.is_known(folder)


def test_every_model_has_the_same_prices_at_all_times() -> None:
    pairs = list(zip(OURS.providers, theirs().providers, strict=True))
    assert [provider.id for provider, _ in pairs] == [provider.id for _, provider in pairs]
    compared = 0
    for ours, expected in pairs:
        at = sorted({*MOMENTS, *moments(expected.models)})
        for model, same in zip(ours.models, expected.models, strict=True):
            asked = at if isinstance(same.prices, list) else MOMENTS[:1]
            rates: list[list[Rates]] = [[listed._rates(each, when) for when in asked] for each in (model, same)]
            assert (model.id, rates[0]) == (same.id, rates[1])
            assert sorted(listed._changes(model, AT)) == sorted(listed._changes(same, AT))
            compared += 1
    assert compared > 1000


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_model_goes_by_the_same_names_with_its_provider(provider: str) -> None:
    expected = next(each for each in theirs().providers if each.id == provider)
    names = {text.strip("^$") for model in expected.models for text in (model.id, *names_in(model.match))}
    for name in sorted(names):
        assert_same(name, provider, None)
        assert_same(f"{provider}/{name}-20250514".upper(), "litellm", None)


def test_every_model_goes_by_the_same_names_alone() -> None:
    names = {model.id for provider in theirs().providers for model in provider.models}
    for name in sorted(names):
        assert_same(name, None, None)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_goes_by_the_same_names_and_addresses(provider: str) -> None:
    expected = next(each for each in theirs().providers if each.id == provider)
    about = [] if expected.provider_match is None else list(names_in(expected.provider_match))
    address = re.sub(r"\\(.)", r"\1", expected.api_pattern)
    for name in (expected.models[0].id, expected.models[-1].id, "gpt-4o", "no-such-model"):
        for called in (provider.upper(), f" {provider} ", *about, *(f"my-{text}-2" for text in about)):
            assert_same(name, called, None)
        for url in (address, address.replace(".*", "eu-west-1"), f"{address}/v1/chat/completions"):
            assert_same(name, None, url)


@settings(max_examples=300)
@given(
    st.builds(
        "".join,
        st.lists(
            st.one_of(
                st.sampled_from(["gpt-4o", "claude", "o3", "mini", "llama", "gemini", "-", "/", ":", "-20250230", "."]),
                st.sampled_from(["-20250514", "-2025-05-14", "openai/", "groq/", "latest", "SONNET", "İ", "ς", "Σ"]),
                st.text(max_size=5),
            ),
            max_size=5,
        ),
    ),
    st.one_of(st.none(), st.sampled_from([*PROVIDERS, "litellm", "LiteLLM", "bedrock", "vertex"]), st.text(max_size=8)),
    st.one_of(st.none(), st.sampled_from(["https://api.openai.com/v1", "https://api.groq.com"]), st.text(max_size=20)),
)
@example("", "", "")
@example("claude-sonnet-4-20250514", None, None)
@example("gpt-5.2-20251211", "openai", None)
@example("openai/gpt-4o", "litellm", None)
@example("nobody/gpt-4o", "litellm", None)
@example("/gpt-4o", "litellm", "https://api.openai.com/v1")
def test_any_other_name_is_understood_alike(name: str, provider: str | None, url: str | None) -> None:
    assert_same(name, provider, url)


def test_the_first_price_does_not_import_the_package() -> None:
    assert run(PRICE) == "2.5 False False False"


def test_an_edition_with_other_rules_is_asked_itself(tmp_path: Path) -> None:
    folder = genai._folder()
    assert folder is not None
    copy = shutil.copytree(folder, tmp_path / "genai_prices", ignore=shutil.ignore_patterns("__pycache__"))
    rules = copy / "types.py"
    rules.write_text(rules.read_text() + "\n_is_another_edition = True\n")
    assert run(PRICE, tmp_path) == "2.5 True True True"


@pytest.mark.parametrize("missing", sorted(genai.KNOWN))
def test_rules_that_are_not_there_are_not_known(missing: str, tmp_path: Path) -> None:
    folder = genai._folder()
    assert folder is not None
    for name in genai.KNOWN.keys() - {missing}:
        shutil.copy(folder / name, tmp_path)
    assert not genai.is_known(tmp_path)


def run(program: str, *first: Path) -> str:
    path = os.pathsep.join(map(str, [*first, *filter(None, [os.environ.get("PYTHONPATH")])]))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_list_is_let_go_until_it_is_asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(genai, "_shelf", genai._Shelf())
    lists: list[weakref.ref[Any]] = []

    def count(listing: genai.Listing) -> int:
        lists.append(weakref.ref(listing))
        return sum(len(provider.models) for provider in listing.providers)

    counts = [genai.consult(count) for _ in range(4)]

    assert len(set(counts)) == 1
    assert [list_() is None for list_ in lists] == [True, True, False, False]
    assert lists[2]() is lists[3]()


def test_the_list_is_nothing_to_the_garbage_collector() -> None:
    """But for the lists in it: thousands of clauses and prices are read while a test waits."""
    before = len(gc.get_objects())
    read = genai.listing()
    assert len(gc.get_objects()) - before < 4000
    assert sum(len(provider.models) for provider in read.providers) > 1000

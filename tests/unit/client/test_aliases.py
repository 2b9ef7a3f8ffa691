from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemeter.client.aliases import OTHER, AliasRegistry, Names
from tapemeter.client.config import Alias, Endpoint, Group, ProviderConfig, ProviderKind, Wire
from tapemeter.errors import ConfigError, UsageError

GATEWAY = ProviderConfig(provider=ProviderKind.GATEWAY)
NAMES = st.sampled_from(["router", "planner", "fallback", "cheap", "main", "a", "b"])


def registry(config: ProviderConfig = GATEWAY) -> AliasRegistry:
    return AliasRegistry.from_config(config)


# What names stand for


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("router", "cheap"),
        ("extractor", "cheap"),
        ("summarizer", "cheap"),
        ("planner", "main"),
        ("executor", "main"),
        ("fallback", "fallback"),
        ("cheap", "cheap"),
        ("main", "main"),
    ],
)
def test_an_alias_leads_to_its_group_and_a_group_to_itself(name: str, group: str) -> None:
    found = registry().resolve(name)
    assert (found.alias, found.group, found.model, found.endpoint, found.known) == (name, group, group, None, True)


def test_a_name_that_nothing_knows_has_the_default_group() -> None:
    found = registry().resolve("gpt-4o")
    assert (found.alias, found.group, found.known) == ("gpt-4o", "main", False)


def test_no_name_is_the_default_group_and_nothing_unknown() -> None:
    found = registry(ProviderConfig(provider=ProviderKind.GATEWAY, default_group="cheap")).resolve(None)
    assert (found.alias, found.group, found.known) == (None, "cheap", True)


def test_a_group_has_the_model_and_the_endpoint_of_its_configuration() -> None:
    own = Endpoint("http://127.0.0.1:8000/v1")
    config = ProviderConfig(provider=ProviderKind.GATEWAY, groups={"cheap": Group("cheap", "smollm2", own)})
    found = registry(config)
    assert (found.resolve("router").model, found.resolve("router").endpoint) == ("smollm2", own)
    assert found.resolve("planner").model == "main"


def test_a_real_server_is_asked_for_models_that_its_protocol_has() -> None:
    models = {
        wire: registry(ProviderConfig(endpoint=Endpoint("https://llm.example", wire))).resolve("main").model
        for wire in Wire
    }
    assert models[Wire.OPENAI].startswith("gpt-")
    assert models[Wire.ANTHROPIC].startswith("claude-")


def test_configured_aliases_stand_over_the_built_in_ones() -> None:
    config = ProviderConfig(
        provider=ProviderKind.GATEWAY,
        groups={"huge": Group("huge", "huge-1")},
        aliases={"planner": Alias("planner", "huge", "planning"), "judge": Alias("judge", "huge", "review")},
    )
    found = registry(config)
    assert [alias.name for alias in found.by_group("huge")] == ["judge", "planner"]
    assert found.resolve("router").group == "cheap"


# Queries


def test_every_alias_is_found_by_its_category_and_by_its_group() -> None:
    found = registry()
    for name in found.names():
        alias = found.snapshot().aliases[name]
        assert alias in found.by_category(alias.category)
        assert alias in found.by_group(alias.group)
    assert found.groups() == ("cheap", "fallback", "main")
    assert [alias.name for alias in found.by_group("cheap")] == ["extractor", "router", "summarizer"]


def test_a_category_without_aliases_is_empty_and_a_group_that_is_not_there_an_error() -> None:
    found = registry()
    assert found.by_category("cooking") == ()
    with pytest.raises(UsageError, match=r"no group 'chaep' \(did you mean \"cheap\"\?\); the groups are cheap, fall"):
        found.by_group("chaep")


def test_a_registry_shows_what_leads_where() -> None:
    assert "router → cheap" in repr(registry())


# Changes


def test_an_alias_can_be_given_another_group_and_keeps_its_category() -> None:
    found = registry()
    before = found.snapshot().aliases["planner"].category
    found.set("planner", "cheap")
    assert found.resolve("planner").group == "cheap"
    assert found.snapshot().aliases["planner"].category == before
    found.set("planner", "cheap", "thrift")
    assert [alias.name for alias in found.by_category("thrift")] == ["planner"]


def test_a_new_alias_of_which_nothing_says_what_it_is_for_is_for_something_else() -> None:
    found = registry()
    found.set("poet", "main")
    assert found.by_category(OTHER) == (Alias("poet", "main", OTHER),)


def test_an_alias_that_is_removed_has_the_default_group() -> None:
    found = registry()
    found.remove("router")
    assert (found.resolve("router").group, found.resolve("router").known) == ("main", False)
    with pytest.raises(UsageError, match=r"no alias 'router'.*; the aliases are executor, "):
        found.remove("router")


def test_all_names_can_be_replaced_at_once() -> None:
    found = registry()
    found.replace([Alias("one", "g", "c")], [Group("g", "model-g")], "g")
    assert (found.names(), found.groups()) == (("one",), ("g",))
    assert found.resolve("planner").model == "model-g"


def test_reading_the_configuration_again_undoes_what_was_set_by_hand() -> None:
    found = registry()
    found.set("planner", "cheap")
    found.reload(ProviderConfig(provider=ProviderKind.GATEWAY, default_group="cheap"))
    assert (found.resolve("planner").group, found.resolve("whatever").group) == ("main", "cheap")


def test_a_call_under_way_keeps_the_names_it_began_with() -> None:
    found = registry()
    names = found.snapshot()
    found.set("planner", "cheap")
    found.replace([], [Group("g", "m")], "g")
    assert names.resolve("planner").group == "main"
    with pytest.raises(TypeError):
        names.aliases["planner"] = Alias("planner", "cheap", "x")  # type: ignore[index]
    with pytest.raises(AttributeError, match="immutable"):
        names.default = "cheap"  # type: ignore[misc]


def test_what_a_snapshot_was_made_of_may_change_without_changing_it() -> None:
    aliases, groups = {"a": Alias("a", "g", "c")}, {"g": Group("g", "m")}
    names = Names.of(aliases, groups, "g")
    aliases.clear()
    groups.clear()
    assert names.resolve("a").model == "m"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda found: found.set("planner", "mian"),
            r"group of the alias 'planner': there is no group 'mian' \(did you",
        ),
        (lambda found: found.set("", "main"), "expected the name of an alias as a text of 1 to 200 characters, got ''"),
        (lambda found: found.set(7, "main"), "expected the name of an alias as a text of 1 to 200 characters, got 7"),
        (lambda found: found.set("a", "main", "c" * 201), "expected the name of the category of the alias 'a' as"),
        (lambda found: found.set("main", "cheap"), "'main' for the group 'cheap' would hide the group 'main'"),
        (lambda found: found.replace([], [], "main"), "there is no group; give at least the default one"),
        (lambda found: found.replace([], [Group("g", "m")], "main"), "the default group: there is no group 'main'"),
        (lambda found: found.replace([], [Group("g", "m"), Group("g", "n")], "g"), "the group 'g' is given twice"),
        (lambda found: found.replace([], [Group("g", "m"), Group("", "n")], "g"), "expected the name of a group"),
    ],
)
def test_a_change_that_does_not_fit_is_refused_whole(change: object, problem: str) -> None:
    found = registry()
    before = found.snapshot()
    with pytest.raises(UsageError, match=problem):
        change(found)  # type: ignore[operator]
    assert found.snapshot() is before


@pytest.mark.parametrize(
    ("aliases", "groups", "problem"),
    [
        ({"a": Alias("b", "g", "c")}, {"g": Group("g", "m")}, "the alias 'b' is given under the name 'a'"),
        ({}, {"g": Group("g", "m"), "h": Group("i", "m")}, "the group 'i' is given under the name 'h'"),
    ],
)
def test_a_name_stands_under_itself(aliases: dict[str, Alias], groups: dict[str, Group], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Names.of(aliases, groups, "g")


def test_a_fault_of_the_configuration_names_its_file_and_changes_nothing() -> None:
    found = registry()
    before = found.snapshot()
    wrong = ProviderConfig(aliases={"a": Alias("a", "nowhere", "c")}, source=Path("llm.yaml"))
    with pytest.raises(ConfigError, match=r"^llm.yaml: the group of the alias 'a': there is no group 'nowhere'"):
        found.reload(wrong)
    assert found.snapshot() is before
    with pytest.raises(ConfigError, match=r"^configuration: the default group: there is no group 'x'"):
        registry(ProviderConfig(default_group="x"))


# Invariants


@given(st.lists(st.tuples(NAMES, NAMES, st.sampled_from(["cheap", "main", "fallback", "nowhere"])), max_size=12))
def test_whatever_is_changed_every_name_leads_to_a_group_there_is(changes: list[tuple[str, str, str]]) -> None:
    found = registry()
    for alias, gone, group in changes:
        for change in (lambda: found.set(alias, group), lambda: found.remove(gone)):  # noqa: B023 - called at once
            try:
                change()
            except UsageError:
                continue
    for name in (*found.names(), *found.groups(), "whatever", None):
        assert found.resolve(name).group in found.groups()
    for name in found.groups():
        assert found.resolve(name).group == name


def test_two_threads_that_change_names_at_once_lose_none_of_their_changes() -> None:
    found = registry()
    begin = threading.Barrier(4)

    def change(worker: int) -> None:
        begin.wait()
        for number in range(50):
            found.set(f"{worker}-{number}", "cheap")

    threads = [threading.Thread(target=change, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found.by_category(OTHER)) == 200


def test_nobody_sees_half_of_a_change() -> None:
    found = registry()
    sets = [([Alias("a", g, g), Alias("b", g, g)], [Group(g, f"model-{g}")], g) for g in ("one", "two")]
    found.replace(*sets[0])
    done = threading.Event()
    torn: list[object] = []

    def look() -> None:
        while not done.is_set():
            names = found.snapshot()
            seen = {names.resolve(name).model for name in ("a", "b", "other", None)}
            if len(seen) != 1 or {alias.category for alias in names.aliases.values()} != {names.default}:
                torn.append(seen)

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for turn in range(500):
        found.replace(*sets[turn % 2])
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []

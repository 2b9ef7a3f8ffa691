from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted_provider import ENDS, ScriptedProvider, answer, failure
from tapemeter.client.aliases import AliasRegistry
from tapemeter.client.circuit import CircuitBreaker, CircuitState
from tapemeter.client.config import Circuit, Group, ProviderConfig, ProviderKind
from tapemeter.client.fallback import FAULTS_OF_TARGET, WORTH_ANOTHER, FallbackChain, Routed, Target
from tapemeter.client.request import ModelRequest, messages_from
from tapemeter.client.result import Answer, Delta
from tapemeter.errors import BudgetStopped, ProviderError, ProxyUnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

REQUEST = ModelRequest("whatever", messages_from("hi"), seed=7)
KINDS = (
    *("auth", "budget", "connection", "content_filter", "context_length", "cut", "invalid_request"),
    *("not_found", "overloaded", "protocol", "rate_limit", "server_error", "timeout"),
)
AT_ONCE = ("invalid_request", "content_filter", "budget")
STOPPED = BudgetStopped("stop", test="t", scope="job", limit="calls", used=1, value=1)


class Chain:
    """A main model and a fallback, each with a circuit, asked in one of the four ways."""

    def __init__(self, main: ScriptedProvider, *others: ScriptedProvider, how: str = "complete") -> None:
        self.now = 0.0
        self.how = how
        self.told: list[tuple[str, bool, str | None]] = []
        self.providers = (main, *others)
        names = ("main", "fallback", "third")
        self.targets = [
            Target(name, provider, f"model-{name}", CircuitBreaker(name, Circuit(2, 30.0), lambda: self.now))
            for name, provider in zip(names, self.providers, strict=False)
        ]
        self.chain = FallbackChain(
            self.targets,
            on_attempt=lambda route: self.told.append((route.target.name, route.is_fallback, route.reason)),
        )

    def state(self, number: int) -> CircuitState:
        breaker = self.targets[number].breaker
        assert breaker is not None
        return breaker.state

    def opened(self, number: int = 0) -> Chain:
        breaker = self.targets[number].breaker
        assert breaker is not None
        while (permit := breaker.acquire()) is not None:
            permit.failed()
        return self

    def ask(self) -> Routed:
        """Return the answer, whichever way it came."""
        *_, last = self.pieces()
        assert isinstance(last, Routed)
        return last

    def pieces(self) -> list[Any]:
        got: list[Any] = []
        match self.how:
            case "complete":
                got.append(self.chain.complete(REQUEST))
            case "acomplete":
                got.append(asyncio.run(_awaited(self.chain)))
            case "stream":
                got.extend(self.chain.stream(REQUEST))
            case _:
                asyncio.run(_streamed(self.chain, got))
        return got


async def _awaited(chain: FallbackChain) -> Routed:
    return await chain.acomplete(REQUEST)


async def _streamed(chain: FallbackChain, got: list[Any]) -> None:
    async for piece in chain.astream(REQUEST):
        got.append(piece)  # noqa: PERF401 - what came before an error counts


everyway = pytest.mark.parametrize("how", ["complete", "acomplete", "stream", "astream"])
streaming = pytest.mark.parametrize("how", ["stream", "astream"])


# Who answers


@everyway
def test_the_first_that_answers_is_the_only_one_that_is_asked(how: str) -> None:
    tried = Chain(ScriptedProvider("hello"), ScriptedProvider(), how=how)
    found, route = tried.ask()
    assert (found.content, route.target.name, route.is_fallback, route.reason) == ("hello", "main", False, None)
    assert tried.told == [("main", False, None)]
    assert tried.providers[0].asked == [ModelRequest("model-main", messages_from("hi"), seed=7)]


@everyway
@pytest.mark.parametrize("kind", sorted(WORTH_ANOTHER))
def test_where_the_first_cannot_the_fallback_answers_and_says_why(how: str, kind: str) -> None:
    tried = Chain(ScriptedProvider(failure(kind, 429)), ScriptedProvider("from the fallback"), how=how)
    found, route = tried.ask()
    assert (found.content, route.is_fallback) == ("from the fallback", True)
    assert route.reason == f"{kind} (HTTP 429) at main"
    assert tried.told == [("main", False, None), ("fallback", True, f"{kind} (HTTP 429) at main")]
    assert tried.providers[1].models == ["model-fallback"]


@everyway
@pytest.mark.parametrize("kind", AT_ONCE)
def test_what_would_fail_everywhere_is_raised_at_once(how: str, kind: str) -> None:
    error = failure(kind, 400)
    tried = Chain(ScriptedProvider(error), ScriptedProvider(), how=how)
    with pytest.raises(ProviderError) as caught:
        tried.ask()
    assert caught.value is error
    assert tried.providers[1].asked == []


def test_every_kind_of_error_has_its_rule() -> None:
    assert {*WORTH_ANOTHER, *AT_ONCE} == set(KINDS)
    assert {kind for kind in KINDS if failure(kind).is_transient} <= FAULTS_OF_TARGET


@everyway
def test_the_reason_tells_of_every_target_before(how: str) -> None:
    tried = Chain(
        ScriptedProvider(failure("timeout")), ScriptedProvider(failure("auth", 401)), ScriptedProvider("ok"), how=how
    )
    _, route = tried.ask()
    assert route.reason == "timeout at main; auth (HTTP 401) at fallback"


def test_a_chain_needs_a_target_and_no_callback_and_no_circuit() -> None:
    with pytest.raises(UsageError, match="give at least one target"):
        FallbackChain([])
    chain = FallbackChain(
        [
            Target("main", ScriptedProvider(failure("timeout")), "m"),
            Target("fallback", ScriptedProvider("ok", ["o", "k"]), "f"),
        ]
    )
    assert chain.complete(REQUEST).route.reason == "timeout at main"


# None answers


@everyway
def test_where_none_answers_the_error_lists_each_with_its_reason(how: str) -> None:
    errors = (
        failure("rate_limit", 429, retry_after=20.0, attempts=3),
        failure("auth", 401, message="wrong\nkey " + "x" * 400),
    )
    tried = Chain(*map(ScriptedProvider, errors), how=how)
    with pytest.raises(ProviderError) as caught:
        tried.ask()
    lines = str(caught.value).splitlines()
    assert lines[:2] == [
        "no model answered; tried in this order:",
        "  rate_limit (HTTP 429) at main: the model said rate_limit",
    ]
    assert lines[2].startswith("  auth (HTTP 401) at fallback: wrong key xxx")
    assert len(lines[2]) < 350
    error = caught.value
    assert error.__cause__ is errors[1]
    assert (error.kind, error.status, error.retry_after, error.attempts) == ("rate_limit", 429, 20.0, 4)
    assert (error.provider, error.model, error.is_transient) == ("real", "model-main", True)


@everyway
def test_one_that_may_answer_later_is_enough_for_the_error_to_be_transient(how: str) -> None:
    tried = Chain(ScriptedProvider(failure("auth", 401)), ScriptedProvider(failure("timeout")), how=how)
    with pytest.raises(ProviderError) as caught:
        tried.ask()
    assert (caught.value.kind, caught.value.is_transient) == ("timeout", True)


def test_where_none_may_answer_later_the_error_is_the_first_ones() -> None:
    tried = Chain(ScriptedProvider(failure("not_found", 404)), ScriptedProvider(failure("auth", 401)))
    with pytest.raises(ProviderError) as caught:
        tried.ask()
    assert (caught.value.kind, caught.value.status, caught.value.is_transient) == ("not_found", 404, False)


@everyway
def test_where_there_is_one_target_its_own_error_is_raised(how: str) -> None:
    error = failure("timeout")
    with pytest.raises(ProviderError) as caught:
        Chain(ScriptedProvider(error), how=how).ask()
    assert caught.value is error
    assert caught.value.__cause__ is None


def test_a_gateway_that_nobody_reaches_is_said_to_be_that() -> None:
    unreachable = ProxyUnreachableError("no gateway at 127.0.0.1:4000; start it", kind="connection", provider="gateway")
    with pytest.raises(ProxyUnreachableError, match=r"no gateway at 127\.0\.0\.1:4000; start it"):
        Chain(ScriptedProvider(unreachable), ScriptedProvider(unreachable)).ask()
    with pytest.raises(ProviderError) as caught:
        Chain(ScriptedProvider(unreachable), ScriptedProvider(failure("timeout"))).ask()
    assert type(caught.value) is ProviderError


# Streams


@streaming
def test_a_stream_comes_piece_by_piece_and_whole_at_its_end(how: str) -> None:
    tried = Chain(ScriptedProvider(["he", "llo"]), how=how)
    first, second, last = tried.pieces()
    assert [first, second, last.answer.content] == [Delta("he"), Delta("llo"), "hello"]
    assert tried.providers[0].open_streams == 0


@streaming
@pytest.mark.parametrize("start", [[failure("cut")], [ENDS], [failure("timeout")]])
def test_a_stream_that_breaks_before_its_first_piece_goes_to_the_fallback(how: str, start: list[Any]) -> None:
    tried = Chain(ScriptedProvider(start), ScriptedProvider(["o", "k"]), how=how)
    *pieces, (found, route) = tried.pieces()
    assert (pieces, found.content, route.is_fallback) == ([Delta("o"), Delta("k")], "ok", True)
    assert tried.providers[0].open_streams == 0


@streaming
def test_a_stream_that_breaks_after_its_first_piece_is_not_begun_anew(how: str) -> None:
    error = failure("cut", partial="he")
    tried = Chain(ScriptedProvider(["he", error]), ScriptedProvider(), how=how)
    with pytest.raises(ProviderError) as caught:
        tried.pieces()
    assert caught.value is error
    assert tried.providers[1].asked == []


@streaming
def test_a_stream_that_ends_without_an_answer_after_pieces_says_so(how: str) -> None:
    tried = Chain(ScriptedProvider(["he", "llo", ENDS]), ScriptedProvider(), how=how)
    with pytest.raises(ProviderError, match="main ended its stream without an answer") as caught:
        tried.pieces()
    assert (caught.value.kind, caught.value.partial, caught.value.model) == ("protocol", "hello", "model-main")


@streaming
def test_an_answer_without_text_is_an_answer(how: str) -> None:
    tried = Chain(ScriptedProvider([answer("", finish_reason="tool_calls")]), ScriptedProvider(), how=how)
    assert tried.ask().answer.finish_reason == "tool_calls"


def test_nothing_is_asked_before_somebody_reads_the_stream() -> None:
    tried = Chain(ScriptedProvider("hello"))
    tried.chain.stream(REQUEST)
    assert (tried.told, tried.providers[0].asked) == ([], [])


def test_a_stream_that_is_closed_early_closes_its_providers_stream_and_shows_that_the_target_works() -> None:
    tried = Chain(ScriptedProvider(["he", "llo"])).opened()
    tried.now = 30
    pieces: Any = tried.chain.stream(REQUEST)
    assert next(pieces) == Delta("he")
    assert tried.providers[0].open_streams == 1
    pieces.close()
    assert (tried.providers[0].open_streams, tried.state(0)) == (0, CircuitState.CLOSED)


def test_an_async_stream_that_is_closed_early_does_the_same() -> None:
    tried = Chain(ScriptedProvider(["he", "llo"])).opened()
    tried.now = 30

    async def first() -> None:
        pieces: Any = tried.chain.astream(REQUEST)
        assert await anext(pieces) == Delta("he")
        await pieces.aclose()

    asyncio.run(first())
    assert (tried.providers[0].open_streams, tried.state(0)) == (0, CircuitState.CLOSED)


# Circuits


@everyway
def test_a_target_whose_circuit_is_open_is_left_alone_and_the_reason_says_until_when(how: str) -> None:
    tried = Chain(ScriptedProvider(), ScriptedProvider("ok"), how=how).opened()
    tried.now = 17.5
    _, route = tried.ask()
    assert route.reason == "circuit open at main, next probe in 13 s"


@everyway
def test_after_the_cool_down_a_call_is_the_probe_that_leads_back_to_the_main_model(how: str) -> None:
    bad = failure("server_error", 503)
    tried = Chain(ScriptedProvider(bad, bad, bad, "back"), ScriptedProvider("ok", forever=True), how=how)
    found = [tried.ask().route.target.name for _ in range(5)]
    assert found == ["fallback"] * 5
    assert (len(tried.providers[0].asked), tried.state(0)) == (2, CircuitState.OPEN)
    tried.now = 30
    assert tried.ask().route.reason == "server_error (HTTP 503) at main"
    tried.now = 59
    assert tried.ask().route.reason == "circuit open at main, next probe in 1 s"
    tried.now = 60
    found_again, route = tried.ask()
    assert (found_again.content, route.is_fallback, tried.state(0)) == ("back", False, CircuitState.CLOSED)


@pytest.mark.parametrize("kind", KINDS)
def test_a_circuit_counts_the_faults_of_its_target_and_no_others(kind: str) -> None:
    tried = Chain(ScriptedProvider(failure(kind), forever=True), ScriptedProvider("ok", forever=True))
    for _ in range(2):
        try:
            tried.ask()
        except ProviderError as error:
            assert error.kind in AT_ONCE  # noqa: PT017 - some kinds raise, some do not
    assert tried.state(0) is (CircuitState.OPEN if kind in FAULTS_OF_TARGET else CircuitState.CLOSED)


def test_a_target_that_refuses_what_it_is_asked_works_so_its_circuit_closes() -> None:
    tried = Chain(ScriptedProvider(failure("invalid_request", 400))).opened()
    tried.now = 30
    with pytest.raises(ProviderError):
        tried.ask()
    assert tried.state(0) is CircuitState.CLOSED


def test_where_all_circuits_are_open_nobody_is_asked_and_the_error_says_when_to_come_back() -> None:
    tried = Chain(ScriptedProvider(), ScriptedProvider()).opened(1)
    tried.now = 10
    tried.opened(0)
    with pytest.raises(
        ProviderError, match="circuit open at main, next probe in 30 s\n  circuit open at fallb"
    ) as caught:
        tried.ask()
    error = caught.value
    assert (error.kind, error.retry_after, error.attempts, error.status) == ("overloaded", 20, 0, None)
    assert error.__cause__ is None


def test_where_one_probe_is_under_way_the_reason_says_so() -> None:
    tried = Chain(ScriptedProvider(), ScriptedProvider("ok")).opened()
    tried.now = 30
    breaker = tried.targets[0].breaker
    assert breaker is not None
    breaker.acquire()
    assert tried.ask().route.reason == "circuit open at main, a probe is under way"


# What passes through


@everyway
@pytest.mark.parametrize("error", [STOPPED, SystemExit(3), ValueError("a fault in the program")])
def test_a_refusal_passes_through_and_gives_the_probe_back(how: str, error: BaseException) -> None:
    def refuse(_: object) -> None:
        raise error

    tried = Chain(ScriptedProvider(refuse, "back"), ScriptedProvider(), how=how).opened()
    tried.now = 30
    with pytest.raises(type(error)) as caught:
        tried.ask()
    assert caught.value is error
    assert tried.state(0) is CircuitState.OPEN
    assert tried.ask().answer.content == "back"
    assert tried.state(0) is CircuitState.CLOSED


def test_an_error_of_the_callback_gives_the_probe_back() -> None:
    tried = Chain(ScriptedProvider("back")).opened()
    tried.now = 30

    def note(route: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        FallbackChain(tried.targets, on_attempt=note).complete(REQUEST)
    assert tried.ask().answer.content == "back"


@pytest.mark.parametrize("how", ["acomplete", "astream"])
def test_a_probe_that_is_cancelled_is_given_back(how: str) -> None:
    reached = asyncio.Event()

    async def hang() -> str:
        reached.set()
        await asyncio.Event().wait()
        return "never"

    tried = Chain(ScriptedProvider(lambda _: hang(), "back"), ScriptedProvider("ok")).opened()
    tried.now = 30

    async def cancelled() -> None:
        got: list[Any] = []
        task = asyncio.create_task(_awaited(tried.chain) if how == "acomplete" else _streamed(tried.chain, got))
        await reached.wait()
        # While the probe is under way, another task is served by the fallback.
        assert (await tried.chain.acomplete(REQUEST)).route.reason == "circuit open at main, a probe is under way"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert tried.state(0) is CircuitState.OPEN
    assert tried.ask().answer.content == "back"


# Many at once


def test_threads_that_come_after_the_cool_down_send_one_probe_and_the_rest_to_the_fallback() -> None:
    let_go = threading.Event()
    begun = threading.Event()

    def slowly(_: object) -> str:
        begun.set()
        assert let_go.wait(10)
        return "back"

    tried = Chain(ScriptedProvider(slowly), ScriptedProvider("ok", forever=True)).opened()
    tried.now = 30
    found: list[str] = []
    probe = threading.Thread(target=lambda: found.append(tried.ask().answer.content))
    probe.start()
    assert begun.wait(10)
    others = [threading.Thread(target=lambda: found.append(tried.ask().answer.content)) for _ in range(6)]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    assert found == ["ok"] * 6
    let_go.set()
    probe.join()
    assert (Counter(found), tried.state(0)) == (Counter({"ok": 6, "back": 1}), CircuitState.CLOSED)


def test_tasks_that_come_after_the_cool_down_send_one_probe_and_the_rest_to_the_fallback() -> None:
    async def all_at_once() -> list[Routed]:
        every_other_is_served = asyncio.Event()

        async def slowly() -> str:
            await every_other_is_served.wait()
            return "back"

        tried.providers[0]._script.append(lambda _: slowly())
        tasks = [asyncio.create_task(_awaited(tried.chain)) for _ in range(8)]
        found: list[Routed] = []
        for finished in asyncio.as_completed(tasks):
            found.append(await finished)
            if len(found) == len(tasks) - 1:
                every_other_is_served.set()
        return found

    tried = Chain(ScriptedProvider(), ScriptedProvider("ok", forever=True)).opened()
    tried.now = 30
    found = asyncio.run(all_at_once())
    assert Counter(routed.answer.content for routed in found) == {"ok": 7, "back": 1}
    assert len(tried.providers[0].asked) == 1


def _service(registry: AliasRegistry, provider: ScriptedProvider) -> Callable[[], Routed]:
    """Ask as a service does: by the names as they are when the call begins."""

    def ask() -> Routed:
        names = registry.snapshot()
        first = names.resolve("planner")
        second = names.group("fallback")
        targets = [Target(first.group, provider, first.model), Target(second.name, provider, second.model)]
        return FallbackChain(targets).complete(REQUEST)

    return ask


def test_calls_fall_back_by_the_names_that_they_began_with_while_names_change() -> None:
    registry = AliasRegistry.from_config(ProviderConfig(provider=ProviderKind.GATEWAY))
    sets = [[Group(name, f"{name}-{edition}") for name in ("main", "cheap", "fallback")] for edition in "ab"]
    aliases = list(registry.snapshot().aliases.values())
    registry.replace(aliases, sets[0], "main")

    def fail_on_main(request: ModelRequest) -> Answer | ProviderError:
        return failure("timeout") if request.model.startswith("main") else answer(model=request.model)

    provider = ScriptedProvider(fail_on_main, forever=True)
    ask = _service(registry, provider)
    done = threading.Event()
    found: list[tuple[str, str | None]] = []

    def call() -> None:
        while not done.is_set():
            routed = ask()
            found.append((routed.route.target.model, routed.route.reason))

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(300):
        registry.replace(aliases, sets[turn % 2], "main")
    done.set()
    for thread in threads:
        thread.join()
    assert {reason for _, reason in found} == {"timeout at main"}
    assert {model for model, _ in found} <= {"fallback-a", "fallback-b"}
    # Every call asked two models of one edition: nobody saw the half of a change.
    editions = Counter(model.rpartition("-")[2] for model in provider.models)
    mains = Counter(model.rpartition("-")[2] for model in provider.models if model.startswith("main"))
    assert editions == {edition: 2 * count for edition, count in mains.items()}


SCRIPTS = st.lists(st.sampled_from(KINDS) | st.just("ok"), min_size=1, max_size=3)


@given(scripts=SCRIPTS, how=st.sampled_from(["complete", "stream"]))
def test_the_first_that_answers_answers_unless_one_before_it_raises(scripts: list[str], how: str) -> None:
    steps = ["text" if kind == "ok" else failure(kind) for kind in scripts]
    tried = Chain(*[ScriptedProvider(step) for step in steps], how=how)
    decisive = next((number for number, kind in enumerate(scripts) if kind not in WORTH_ANOTHER), None)
    if decisive is not None and scripts[decisive] == "ok":
        assert tried.ask().route.target is tried.targets[decisive]
    else:
        with pytest.raises(ProviderError):
            tried.ask()
    asked = len(scripts) if decisive is None else decisive + 1
    assert [len(provider.asked) for provider in tried.providers] == [1] * asked + [0] * (len(scripts) - asked)
    assert [name for name, _, _ in tried.told] == [target.name for target in tried.targets[:asked]]

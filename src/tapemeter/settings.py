"""Settings of a session, read once and frozen, and the one rule of precedence.

    command line > marker > environment > ini > default

For the network the tightest wins: a replay that was given, wherever, is not loosened by a marker, and what the
command line (or ini) and a marker both name is allowed.
"""

from __future__ import annotations

import math
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapemeter.cassette.mode import Mode, OnStale, Strict
from tapemeter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final

MODES = ("replay", "record", "live", "verify", "off")
RECORD = ("missing", "all")
GUARDS = ("python", "process", "namespace")
FAIL_ON = ("unplayed", "warning", "unpriced", "stopped", "drift", "stale", "orphans")


class Source(Enum):
    """Where a mode was given; a marker stands between COMMAND_LINE and the others."""

    COMMAND_LINE = "the command line"
    ENVIRONMENT = "LLM_MODE"
    INI = "ini llm_mode"


class Settings:
    """What holds for a whole session.

    `mode` is None where none was given: tests that use a marker or fixture of ours replay then. `replay_speed`
    is None for at once, 1.0 for the recorded pace, 2.0 for twice as fast. `budget_policy` and `prices` are files,
    None where there is none; `report_dir` may be relative to the root. `keep_responses` says whether evidence holds
    the text of answers; `on_alarm` who is told at once of a budget that nears its limit. `guard` is one of GUARDS.
    `max_age` is in seconds, infinite for any age and None where none was given; `max_age_source` says where.
    """

    def __init__(
        self,
        root: Path,
        cassette_dir: Path,
        mode: Mode | None = None,
        mode_source: Source | None = None,
        *,
        allow_hosts: tuple[str, ...] = (),
        replay_speed: float | None = None,
        fail_on: frozenset[str] = frozenset(),
        record_failed: bool = False,
        redact: tuple[str, ...] = (),
        report_dir: Path = Path(".tapemeter"),
        budget_policy: Path | None = None,
        prices: Path | None = None,
        keep_responses: bool = True,
        on_alarm: tuple[str, ...] = (),
        guard: str = "python",
        strict: Strict = Strict.OFF,
        max_age: float | None = None,
        max_age_source: Source | None = None,
        on_stale: OnStale = OnStale.WARN,
    ) -> None:
        self.root: Final = root
        self.cassette_dir: Final = cassette_dir
        self.mode: Final = mode
        self.mode_source: Final = mode_source
        self.allow_hosts: Final = allow_hosts
        self.replay_speed: Final = replay_speed
        self.fail_on: Final = fail_on
        self.record_failed: Final = record_failed
        self.redact: Final = redact
        self.report_dir: Final = report_dir
        self.budget_policy: Final = budget_policy
        self.prices: Final = prices
        self.keep_responses: Final = keep_responses
        self.on_alarm: Final = on_alarm
        self.guard: Final = guard
        self.strict: Final = strict
        self.max_age: Final = max_age
        self.max_age_source: Final = max_age_source
        self.on_stale: Final = on_stale

    def max_age_for(self, marker: float | None) -> float | None:
        """Return the age, in seconds, that recordings of a test may have whose marker names one, or nothing."""
        if marker is None or self.max_age_source is Source.COMMAND_LINE:
            return self.max_age
        return marker

    def mode_for(self, marker: Mode | None) -> Mode:
        """Return the mode of a test whose marker names `marker`, or nothing.

        A session in replay stays in replay for every test, so that nothing can leave the machine.
        """
        given = self.mode is Mode.REPLAY or self.mode_source is Source.COMMAND_LINE
        if marker is None or (self.mode is not None and given):
            return self.mode or Mode.REPLAY
        return marker


def read_mode(
    *, option: str | None, record: str | None, environment: str | None, ini: str | None
) -> tuple[Mode | None, Source | None]:
    """Return the session's mode and where it was given; UsageError for unknown or contradictory words."""
    if record is not None and record not in RECORD:
        raise UsageError(f"--record-cassettes={record} is unknown; write --record-cassettes, or =missing, or =all")
    if option is not None:
        mode = parse_mode(option, "--llm-mode")
        if record is not None and not mode.records:
            raise UsageError(
                f"--llm-mode={option} and --record-cassettes contradict each other; "
                f"write --record-cassettes to record, or --llm-mode={option} alone"
            )
        if record is None:
            return mode, Source.COMMAND_LINE
    if record is not None:
        return (Mode.RECORD_ALL if record == "all" else Mode.RECORD), Source.COMMAND_LINE
    if environment:
        return parse_mode(environment, "the environment variable LLM_MODE"), Source.ENVIRONMENT
    if ini:
        return parse_mode(ini, "ini llm_mode"), Source.INI
    return None, None


def parse_mode(text: str, where: str) -> Mode:
    """Return the mode that a user wrote; UsageError naming where and what is possible."""
    word = text.strip().lower()
    if word not in MODES:
        raise UsageError(f"{where} is {text!r}; write one of {', '.join(MODES)}")
    return Mode(word)


def parse_speed(text: str) -> float | None:
    """Return the replay speed that a user wrote: `instant` is None, `recorded` 1.0, a number that many times faster."""
    word = text.strip().lower()
    if word == "instant":
        return None
    if word == "recorded":
        return 1.0
    try:
        speed = float(word)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise UsageError(
            f"--llm-replay-speed={text} is unknown; write instant, recorded, or how many times faster than recorded, "
            "such as 10"
        )
    return speed


def parse_guard(text: str) -> str:
    """Return the network guard that a user wrote; UsageError for an unknown one."""
    word = text.strip().lower()
    if word not in GUARDS:
        raise UsageError(f"--llm-network-guard={text} is unknown; write one of {', '.join(GUARDS)}")
    return word


def parse_strict(text: str) -> Strict:
    """Return what a user wants done about recordings of other requests; UsageError for an unknown word."""
    word = text.strip().lower()
    if word not in set(Strict):
        raise UsageError(f"--llm-strict={text} is unknown; write one of {', '.join(Strict)}")
    return Strict(word)


def parse_on_stale(text: str) -> OnStale:
    """Return what a user wants done about recordings that are too old; UsageError for an unknown word."""
    word = text.strip().lower()
    if word not in set(OnStale):
        raise UsageError(f"--llm-on-stale={text} is unknown; write one of {', '.join(OnStale)}")
    return OnStale(word)


def read_max_age(*, option: str | None, ini: str | None) -> tuple[float | None, Source | None]:
    """Return the age that recordings may have, in seconds, and where it was given; UsageError for what is no age."""
    if option:
        return _age(option, "--llm-max-age"), Source.COMMAND_LINE
    if ini:
        return _age(ini, "ini llm_max_age"), Source.INI
    return None, None


def _age(given: Any, where: str) -> float:
    from tapemeter.cassette import age  # noqa: PLC0415 - only where one is given

    return age.parse(given, where)


def check_namespace(mode: Mode | None, hosts: Iterable[str] = ()) -> None:
    """Raise UsageError for what makes no sense without a network: calls that are sent, hosts that are allowed."""
    if mode is not None and mode is not Mode.REPLAY and mode is not Mode.OFF:
        raise UsageError(
            f"--llm-network-guard=namespace goes with replay: in mode {mode.value} calls are sent, and nothing can be "
            "sent from a namespace; record with --llm-network-guard=python, then replay in the namespace"
        )
    from tapemeter.network import HostRule  # noqa: PLC0415 - only for this guard

    far = [host for host in hosts if not HostRule.parse(host).is_local]
    if far:
        raise UsageError(
            f"--llm-network-guard=namespace reaches loopback only, but {', '.join(far)} should be allowed; take it out "
            "of --llm-allow-host and llm_allow_hosts, or use --llm-network-guard=process"
        )


def parse_ports(words: Iterable[str]) -> tuple[int, ...]:
    """Return the ports that `llm_network_guard_forward` names, each once; UsageError for anything else."""
    given = tuple(dict.fromkeys(word.strip() for word in words))
    wrong = [word for word in given if not (word.isascii() and word.isdigit() and 1 <= int(word) <= _HIGHEST_PORT)]
    if wrong:
        raise UsageError(f"llm_network_guard_forward names {', '.join(wrong)}; write ports from 1 to {_HIGHEST_PORT}")
    if len(given) > _MOST_PORTS:
        raise UsageError(f"llm_network_guard_forward names {len(given)} ports; {_MOST_PORTS} are the most")
    return tuple(map(int, given))


_HIGHEST_PORT, _MOST_PORTS = 65535, 16


def parse_fail_on(text: str) -> frozenset[str]:
    """Return the kinds of findings that fail a run, from a list with commas."""
    kinds = frozenset(word.strip() for word in text.split(",") if word.strip())
    unknown = sorted(kinds.difference(FAIL_ON))
    if unknown:
        raise UsageError(f"--llm-fail-on names {', '.join(unknown)}; the kinds are {', '.join(FAIL_ON)}")
    return kinds


class CassetteArguments:
    """The arguments of `@pytest.mark.llm_cassette`, checked; None stands for not given."""

    def __init__(
        self,
        *,
        name: str | None = None,
        mode: Mode | None = None,
        ignore: tuple[str, ...] | None = None,
        match_on: tuple[str, ...] | None = None,
        repeat: bool | None = None,
        max_age: float | None = None,
    ) -> None:
        self.name: Final = name
        self.mode: Final = mode
        self.ignore: Final = ignore
        self.match_on: Final = match_on
        self.repeat: Final = repeat
        self.max_age: Final = max_age

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CassetteArguments) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    @classmethod
    def parse(cls, args: Iterable[Any], kwargs: Mapping[str, Any], where: str) -> CassetteArguments:
        """Return the typed arguments; UsageError that names `where` for an unknown or wrong one."""
        given = dict(kwargs)
        positional = list(args)
        if len(positional) > 1 or (positional and "name" in given):
            raise UsageError(f"{where} takes one name, got {positional!r}; its other arguments go by keyword")
        if positional:
            given["name"] = positional[0]
        unknown = sorted(given.keys() - set(_ARGUMENTS))
        if unknown:
            raise UsageError(
                f"{where} has no argument {', '.join(map(repr, unknown))}; it takes {', '.join(_ARGUMENTS)}"
            )
        try:
            return cls(
                name=_name(given.get("name")),
                mode=_mode(given.get("mode")),
                ignore=_ignore(given.get("ignore")),
                match_on=_match_on(given.get("match_on")),
                repeat=_repeat(given.get("repeat")),
                max_age=None if given.get("max_age") is None else _age(given["max_age"], "max_age"),
            )
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from None

    def over(self, other: CassetteArguments) -> CassetteArguments:
        """Return these arguments with those of `other` where these say nothing."""
        return CassetteArguments(
            **{name: mine if (mine := getattr(self, name)) is not None else getattr(other, name) for name in _ARGUMENTS}
        )


_ARGUMENTS = ("name", "mode", "ignore", "match_on", "repeat", "max_age")


def _name(name: Any) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str):
        raise UsageError(f"expected name as text, got {name!r} ({type(name).__name__})")
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts:
        raise UsageError(
            f"name={name!r} leads out of the cassette folder; write a path below it, such as 'shared/greeting'"
        )
    return name.removesuffix(".yaml")


def _mode(mode: Any) -> Mode | None:
    if mode is None:
        return None
    if not isinstance(mode, str):
        raise UsageError(f"expected mode as text, got {mode!r} ({type(mode).__name__})")
    return parse_mode(mode, "mode")


def _match_on(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    from tapemeter.cassette.match import match_parts  # noqa: PLC0415 - only where a test says what counts

    return match_parts(value)


def _ignore(ignore: Any) -> tuple[str, ...] | None:
    if ignore is None:
        return None
    if not isinstance(ignore, list | tuple | set | frozenset) or not all(isinstance(path, str) for path in ignore):
        raise UsageError(f"expected ignore as a list of paths, got {ignore!r}; write ignore=['metadata.request_id']")
    from tapemeter.cassette import paths  # noqa: PLC0415 - as above

    for path in ignore:
        paths.parse(path)
    return tuple(ignore)


def _repeat(repeat: Any) -> bool | None:
    if repeat is not None and not isinstance(repeat, bool):
        raise UsageError(f"expected repeat as True or False, got {repeat!r} ({type(repeat).__name__})")
    return repeat

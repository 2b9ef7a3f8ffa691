"""Run public suites under their own plugin and under ours, compare test by test, and publish the table.

    python -m bench.suites [--only WORD] [--times N] [--folder DIR] [--no-publish]

For each suite the source distribution, with its tests and tapes, is fetched from the package index and two
environments are made: in one is the plugin that the suite was written for, in the other tapemeter in its place, and no
VCR.py unless the suite imports it. Both run offline. Outcomes are of the whole suite; times are of the tests that pass
under both, in turns, with the median of `--times` runs. Of the suites only figures are kept, in bench/suites.json.
`--only` measures the suites whose name has the word, and leaves the figures of the others as they are.

It needs some 5 GB of disk and a quarter of an hour, most of it for installing; `--folder` keeps the environments.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.public_suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.public_suites import Suite

PROJECT = Path(__file__).parent.parent
PAGE = PROJECT / "docs" / "performance.md"
RESULTS = Path(__file__).parent / "suites.json"
PROBE = Path(__file__).parent / "probe"
BEGIN, END = "<!-- suites: begin -->", "<!-- suites: end -->"
_PLUGINS = ("pytest-recording", "pytest-vcr")
_NO_TESTS_RUN = 2
"""pytest's exit codes from here on say that a suite did not run; 1 is that tests failed."""


class SuiteError(Exception):
    """A suite could not be fetched, installed or run; the message says which and what the tool said."""


@dataclass(frozen=True)
class Place:
    """One of the two ways to run a suite: its Python, and a copy of the suite's own."""

    python: Path
    sources: Path


@dataclass(frozen=True)
class Cost:
    """What a run takes, in seconds: on the clock, and of processor time."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Result:
    """What was found of a suite."""

    name: str
    package: str
    version: str
    plugin: str
    tapes: int
    tests: int
    outcomes: dict[str, int]
    """How many tests had which outcome under the suite's own plugin."""
    differ: dict[str, tuple[str | None, str | None]]
    """Tests whose outcomes are not the same: theirs, ours."""
    timed: int
    """How many tests the times are of."""
    theirs: Cost
    ours: Cost
    drifted: int
    """Tests whose tapes were recorded for another request than is made."""
    changed: int
    """Files of the suite's copy that our run changed, removed or added below a folder of cassettes."""
    load: float
    """How busy the machine was when the times were taken: its load average, of which this is the best part of one."""


def measure(suite: Suite, folder: Path, times: int) -> Result:
    """Return what is found of a suite, for which environments are made in `folder` if they are not there."""
    theirs, ours = _place(suite, folder, is_ours=False), _place(suite, folder, is_ours=True)
    before = _tapes(ours.sources)
    expected = _outcomes(suite, theirs, folder / "theirs.json")
    found = _outcomes(suite, ours, folder / "ours.json")
    after = _tapes(ours.sources)
    both = sorted(expected.keys() | found.keys())
    outcomes = {test: (expected.get(test), found.get(test)) for test in both}
    differ = {test: pair for test, pair in outcomes.items() if pair[0] != pair[1]}
    not_timed = [test for test, pair in outcomes.items() if set(pair) != {"passed"}]
    left_out = folder / "left-out.json"
    left_out.write_text(json.dumps(not_timed), encoding="utf-8")
    costs: dict[Place, list[Cost]] = {theirs: [], ours: []}
    for _ in range(times):
        for place, taken in costs.items():
            taken.append(_run(suite, place, {"SUITE_LEFT_OUT": str(left_out)}))
    return Result(
        name=suite.name,
        package=suite.package,
        version=suite.version,
        plugin=suite.plugin,
        tapes=len(before),
        tests=len(expected),
        outcomes=dict(sorted(Counter(expected.values()).items())),
        differ=differ,
        timed=len(both) - len(not_timed),
        theirs=_median(costs[theirs]),
        ours=_median(costs[ours]),
        drifted=_drifted(suite, ours, folder / "report"),
        changed=len(before.items() ^ after.items()),
        load=round(os.getloadavg()[0], 2),
    )


def _place(suite: Suite, folder: Path, *, is_ours: bool) -> Place:
    """Return a Python with what the suite needs, made if it is not there, and a fresh copy of the suite."""
    way = folder / ("ours" if is_ours else "theirs")
    python, done = way / "bin" / "python", way / "done"
    made_of = sha256(repr((suite, is_ours)).encode()).hexdigest()
    archive = _archive(suite, folder)
    sources = _unpack(archive, folder / f"sources-{way.name}")
    if not (done.is_file() and done.read_text(encoding="utf-8") == made_of):
        _call(suite, [sys.executable, "-m", "venv", "--clear", str(way)])
        itself = str(archive)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _call(suite, [*pip, *suite.needs, *([] if suite.is_bare else [itself])])
        if suite.bare or suite.is_bare:
            _call(suite, [*pip, "--no-deps", *suite.bare, *([itself] if suite.is_bare else [])])
        if is_ours:
            _call(suite, [*pip, "--editable", str(PROJECT)])
            gone = _PLUGINS if suite.imports_vcr else (*_PLUGINS, "vcrpy")
            _call(suite, [str(python), "-m", "pip", "uninstall", "--quiet", "--yes", *gone])
        done.write_text(made_of, encoding="utf-8")
    return Place(python, sources)


def _archive(suite: Suite, folder: Path) -> Path:
    """Return the source distribution of a suite, fetched if it is not there."""
    name = f"{suite.package.replace('-', '_')}-{suite.version}.tar.gz"
    if not (folder / name).is_file():
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
        _call(suite, [sys.executable, "-m", "pip", "download", *options, f"{suite.package}=={suite.version}"])
    return folder / name


def _unpack(archive: Path, folder: Path) -> Path:
    """Return the folder of a source distribution, as it was distributed."""
    found = folder / archive.name.removesuffix(".tar.gz")
    with tempfile.TemporaryDirectory(dir=archive.parent) as fresh, tarfile.open(archive) as tar:
        tar.extractall(fresh, filter="data")
        if folder.exists():
            folder.rename(Path(fresh) / "old")
        folder.mkdir()
        (Path(fresh) / found.name).rename(found)
    return found


def _outcomes(suite: Suite, place: Place, path: Path) -> dict[str, str]:
    """Return the outcome of each test by its node id. It is also what warms caches up."""
    path.unlink(missing_ok=True)
    _run(suite, place, {"SUITE_OUTCOMES": str(path)})
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _drifted(suite: Suite, place: Place, folder: Path) -> int:
    """Return how many tests have tapes that were recorded for another request than is made."""
    _run(suite, place, {}, "--llm-strict=report", f"--llm-report-dir={folder}")
    [report] = (folder / "latest").resolve(strict=True).glob("llm_usage_report.json")
    drift: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8")).get("drift", [])
    return len({each["test"] or each["job"] for each in drift})


def _run(suite: Suite, place: Place, environment: Mapping[str, str], *options: str) -> Cost:
    """Run a suite offline, whole process."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [str(place.python), "-m", "pytest", "-q", "--no-header", "-p", "suite_probe", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *suite.arguments, *options],
        cwd=place.sources,
        env={**_plain(), **dict(suite.environment), "PYTHONPATH": str(PROBE), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode >= _NO_TESTS_RUN:
        raise SuiteError(f"{suite.name} did not run under {place.python}:\n{(done.stdout + done.stderr)[-4000:]}")
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _plain() -> dict[str, str]:
    """Return an environment without settings, keys and proxies of who measures."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def _call(suite: Suite, command: Sequence[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SuiteError(f"{suite.name}: {' '.join(command[:5])} … failed:\n{(done.stdout + done.stderr)[-4000:]}")


def _tapes(sources: Path) -> dict[str, str]:
    """Return the files below folders of cassettes, with their digests."""
    files = (path for path in sources.rglob("cassettes/**/*") if path.is_file())
    return {path.relative_to(sources).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


def _median(costs: Iterable[Cost]) -> Cost:
    taken = zip(*((cost.wall, cost.cpu) for cost in costs), strict=True)
    return Cost(*(round(statistics.median(each), 2) for each in taken))


def table(results: Iterable[Mapping[str, Any]]) -> str:
    """Return results, as they are kept, as Markdown."""
    lines = [
        "| suite | written for | tapes | tests | same outcome | drifted | theirs | ours | ratio | ratio of CPU time |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for each in results:
        theirs, ours = each["theirs"], each["ours"]
        lines.append(
            f"| {each['name']} {each['version']} | {each['plugin']} | {each['tapes']} | {each['tests']} "
            f"| {each['tests'] - len(each['differ'])} | {each['drifted']} "
            f"| {theirs['wall']:.1f} s | {ours['wall']:.1f} s | {ours['wall'] / theirs['wall']:.2f} "
            f"| {ours['cpu'] / theirs['cpu']:.2f} |"
        )
    return "\n".join(lines)


def publish(results: Iterable[Result]) -> str:
    """Keep results beside those of other suites that were kept, put all into the page, and return them as a table."""
    kept = {each["name"]: each for each in json.loads(RESULTS.read_text(encoding="utf-8"))} if RESULTS.is_file() else {}
    kept |= {each.name: asdict(each) for each in results}
    listed = [kept[suite.name] for suite in SUITES if suite.name in kept]
    RESULTS.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table(listed)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return table(listed)


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m bench.suites", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--times", type=int, default=3, metavar="N")
    parser.add_argument("--folder", type=Path, metavar="DIR")
    parser.add_argument("--no-publish", action="store_true")
    options = parser.parse_args()
    results: list[Result] = []
    failed = False
    with tempfile.TemporaryDirectory() as fresh:
        folder = (options.folder or Path(fresh)).resolve()
        for suite in SUITES:
            if options.only not in suite.name and options.only not in suite.package:
                continue
            own = folder / f"{suite.package}-{suite.version}"
            own.mkdir(parents=True, exist_ok=True)
            try:
                found = measure(suite, own, options.times)
            except SuiteError as error:
                print(error, file=sys.stderr)
                failed = True
                continue
            results.append(found)
            print(json.dumps(asdict(found), indent=1), flush=True)
            failed = failed or bool(found.differ) or bool(found.changed)
    print(table(map(asdict, results)) if options.no_publish else publish(results))
    sys.exit(failed)


if __name__ == "__main__":
    main()

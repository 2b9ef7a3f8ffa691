from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tapemeter.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POLICY = """\
schema: llm_budget_policy_v1
name: small
limits:
  job: {calls: 3, cost_usd: "0.25"}
  run:
    wall_seconds: 90.5
models:
  "gpt-4.1*": {run: {calls: 1000}}
warn_at: 0.8
"""
PRICES = """\
schema: llm_prices_v1
version: "2026-11-21"
models:
  smollm2: {free: true}
"""


class Folder:
    """The current folder, and `tapemeter policy check` run in it."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capsys = capsys

    def write(self, name: str, content: str = POLICY) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def check(self, *arguments: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = main(["policy", "check", *arguments])
        out, err = self._capsys.readouterr()
        return code, out, err

    def json(self, *arguments: str) -> Any:
        code, out, err = self.check(*arguments, "--json")
        found = json.loads(out)
        assert (code, err) == (int(bool(found["problems"])), "")
        return found

    def problems(self, *arguments: str) -> list[tuple[str, str]]:
        return [(problem["path"], problem["message"]) for problem in self.json(*arguments)["problems"]]


class Repository(Folder):
    """The same as a repository of git."""

    def git(self, *arguments: str) -> None:
        person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(self.root), *person, *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "A change", "--allow-empty", "--no-verify")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Folder:
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path, capsys)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Repository:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    made = Repository(tmp_path, capsys)
    made.git("init", "-q", "-b", "main")
    made.write("policies/small_v1.yaml")
    made.commit()
    return made


# The form


def test_prints_the_limits_that_hold_with_the_defaults_filled_in(folder: Folder) -> None:
    folder.write("policies/small_v1.yaml")
    folder.write("policies/README.md", "no policy")
    assert folder.check() == (
        0,
        (
            "policies/small_v1.yaml: small\n"
            "  scope  limit                      value  where\n"
            "  run    wall_seconds              90.5 s  policies/small_v1.yaml:6\n"
            "  run    calls for model gpt-4.1*   1,000  policies/small_v1.yaml:8\n"
            "  job    calls                          3  policies/small_v1.yaml:4\n"
            "  job    cost_usd                   $0.25  policies/small_v1.yaml:4\n"
            "  unknown_cost refuse, on_stop raise, warn_at 0.8, default_output_tokens 4096\n"
            "\n"
            "1 file: 0 problems\n"
        ),
        "",
    )


def test_json_has_all_of_it(folder: Folder) -> None:
    folder.write("policies/small_v1.yaml")
    found = folder.json()
    [file] = found["files"]
    assert file.pop("limits")[-1] == {
        "scope": "job",
        "limit": "cost_usd",
        "value": "0.25",
        "model": None,
        "alias": None,
        "source": "policies/small_v1.yaml:4",
    }
    assert file == {
        "path": "policies/small_v1.yaml",
        "schema": "llm_budget_policy_v1",
        "name": "small",
        "degrade": [],
        "unknown_cost": "refuse",
        "on_stop": "raise",
        "warn_at": 0.8,
        "default_output_tokens": 4096,
    }
    assert found["problems"] == []
    assert found["totals"] == {"files": 1, "problems": 0}


def test_the_rules_by_which_aliases_degrade_are_told_and_which_of_them_go_by_no_limit(folder: Folder) -> None:
    rules = """\
degrade:
  - {alias: planner, to: cheap, at: 0.8}
  - {alias: "*", to: fallback, at: 0.955, scope: run, limit: calls}
  - {alias: router, to: cheap, at: 1, scope: step}
"""
    folder.write("policies/small_v1.yaml", POLICY + rules)
    _, out, _ = folder.check()
    where, without = "policies/small_v1.yaml", ", of which there is no limit here"
    assert out.splitlines()[6:9] == [
        f"  planner goes to cheap from 80 % of job.cost_usd on  {where}:11",
        f"  * goes to fallback from 95.5 % of run.calls on  {where}:12",
        f"  router goes to cheap from 100 % of step.cost_usd on{without}  {where}:13",
    ]
    [file] = folder.json()["files"]
    assert [rule["has_limit"] for rule in file["degrade"]] == [True, True, False]
    assert file["degrade"][1] == {
        "alias": "*",
        "to": "fallback",
        "at": 0.955,
        "scope": "run",
        "limit": "calls",
        "has_limit": True,
        "source": "policies/small_v1.yaml:12",
    }


def test_every_problem_names_file_line_path_expected_and_found(folder: Folder) -> None:
    folder.write("policies/small_v1.yaml", POLICY.replace("calls: 3", "cals: 3").replace('"0.25"', "0.25"))
    code, out, err = folder.check()
    assert (code, err) == (1, "")
    first, second, totals = out.splitlines()
    assert first.startswith("policies/small_v1.yaml:4: limits.job.cals: expected no other field than calls, ")
    assert first.endswith('found the field "cals" (did you mean "calls"?)')
    assert second == (
        'policies/small_v1.yaml:4: limits.job.cost_usd: expected US dollars in quotes ("0.25") or as a whole number, '
        "below 1,000,000, or null, found 0.25"
    )
    assert totals == "1 file: 2 problems"
    [_, problem] = folder.json()["problems"]
    assert problem["path"] == "policies/small_v1.yaml"
    assert problem["line"] == 4
    assert problem["place"] == "limits.job.cost_usd"
    assert problem["expected"].startswith("US dollars in quotes")
    assert problem["found"] == "0.25"


def test_good_and_broken_files_are_told_together(folder: Folder) -> None:
    folder.write("policies/a/good_v1.yaml")
    folder.write("policies/cut_v2.yml", "name: [\n")
    folder.write("policies/list_v1.json", "[]")
    folder.write("policies/other_v1.yaml", "schema: cassette\n")
    folder.write("policies/nameless_v1.yaml", "name: small\n")
    code, out, _ = folder.check()
    assert code == 1
    assert "policies/a/good_v1.yaml: small\n" in out
    *_, cut, listed, nameless, other, totals = out.splitlines()
    assert cut.startswith("policies/cut_v2.yml:")
    assert "not YAML" in cut
    assert listed == "policies/list_v1.json:1: the document: expected a mapping with schema, name and limits, found []"
    assert nameless.endswith("schema: expected one of llm_budget_policy_v1, llm_prices_v1, found nothing")
    assert other.startswith("policies/other_v1.yaml:1: schema: expected one of llm_budget_policy_v1, llm_prices_v1")
    assert totals == "5 files: 4 problems"


def test_a_file_named_by_itself_needs_no_version_and_counts_once(folder: Folder) -> None:
    folder.write("limits.yaml")
    folder.write("all/small_v1.yaml")
    folder.write("all/limits.yaml", "broken: [")
    files = folder.json("limits.yaml", "all", "all/small_v1.yaml")["files"]
    assert [file["path"] for file in files] == ["all/small_v1.yaml", "limits.yaml"]


def test_price_files_are_checked_too(folder: Folder) -> None:
    folder.write("policies/llm_prices_v1.yaml", PRICES)
    assert folder.check() == (0, "policies/llm_prices_v1.yaml: llm_prices_v1\n\n1 file: 0 problems\n", "")
    folder.write("policies/llm_prices_v1.yaml", PRICES + "model: {}\n")
    [(path, message)] = folder.problems()
    assert path == "policies/llm_prices_v1.yaml"
    assert "model" in message
    folder.write("policies/llm_prices_v1.yaml", PRICES + "aliases: {a: b, b: a}\n")
    [(_, message)] = folder.problems()
    assert message.startswith("the aliases lead in a circle")


def test_what_a_file_says_has_no_power_over_the_terminal_and_shows_no_key(folder: Folder) -> None:
    key = "sk-proj-" + "a1B2" * 12
    folder.write("policies/a_v1.yaml", POLICY.replace("small", f'"\\e[31m{key}"').replace("calls: 3", "calls: x"))
    folder.write("policies/b_v1.yaml", POLICY.replace("small", '"\\e[31msmall"'))
    folder.write("policies/d_v1.yaml", POLICY.replace("small", key).replace("gpt-4.1*", f"{key}-*"))
    folder.write("policies/c_v1.yaml", POLICY.replace("calls: 3", f'calls: "\\e[31m {key}"'))
    code, out, _ = folder.check()
    assert code == 1
    assert "\x1b" not in out
    assert "policies/b_v1.yaml: \\x1b[31msmall" in out
    assert "sk-proj-" not in out
    assert "sk-proj-" not in json.dumps(folder.json())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "policies: no such file or folder (looked in "),
        (["nothing.yaml"], "nothing.yaml: no such file or folder"),
        (["empty"], "empty/: no policy in there; name files with a version, such as llm_budget_policy_v1.yaml"),
        (["--agains", "main"], "unrecognized arguments"),
    ],
)
def test_wrong_usage_is_told_with_what_to_write(folder: Folder, arguments: list[str], said: str) -> None:
    (folder.root / "empty").mkdir()
    code, out, err = folder.check(*arguments)
    assert (code, out) == (2, "")
    assert said in err


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    st.binary(max_size=40) | st.text(st.sampled_from(list("schema: llm_v1\n{}[]&*!'\"")), max_size=60).map(str.encode)
)
def test_any_file_is_checked_to_the_end(folder: Folder, content: bytes) -> None:
    folder.write("policies/a_v1.yaml").write_bytes(content)
    code, out, err = folder.check()
    assert (code, err) == (1, "")
    assert "1 file: " in out


# Against a commit


def test_what_is_the_same_as_at_the_commit_is_fine_and_so_is_a_new_file(repository: Repository) -> None:
    repository.write("policies/small_v2.yaml", POLICY.replace("calls: 3", "calls: 4"))
    repository.write("policies/README.md", "changed")
    assert repository.problems("--against", "HEAD") == []
    assert repository.problems("policies/small_v1.yaml", "--against", "main") == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda path: path.write_bytes(path.read_bytes() + b"\n"), "was edited"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"3", b"4")), "was edited"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n")), "was edited"),
        (lambda path: path.unlink(), "is gone"),
        (lambda path: path.rename(path.with_name("tiny_v1.yaml")), "is gone"),
        (lambda path: (path.unlink(), path.mkdir()), "is gone"),
    ],
    ids=["appended", "same size", "line ends", "deleted", "renamed", "a folder"],
)
def test_a_published_file_is_never_edited(repository: Repository, change: Callable[[Path], Any], what: str) -> None:
    repository.write("policies/other_v1.yaml")
    repository.commit()
    change(repository.root / "policies/small_v1.yaml")
    repository.commit()
    message = f"the file {what} since main~1; it is published, never edited: put it back and add small_v2.yaml"
    assert repository.problems("--against", "main~1") == [("policies/small_v1.yaml", message)]
    assert repository.check("--against", "main~1")[0] == 1
    assert repository.problems("--against", "main") == []


def test_the_next_version_that_is_free_is_proposed(repository: Repository) -> None:
    repository.write("policies/small_v1.yaml", POLICY + "\n")
    repository.write("policies/small_v2.yaml")
    [(_, message)] = repository.problems("--against", "HEAD")
    assert message.endswith("add small_v3.yaml")


def test_a_folder_or_file_that_is_gone_altogether_is_a_problem_not_wrong_usage(repository: Repository) -> None:
    (repository.root / "policies/small_v1.yaml").unlink()
    for paths in ([], ["policies/small_v1.yaml"]):
        [(path, message)] = repository.problems(*paths, "--against", "HEAD")
        assert path == "policies/small_v1.yaml"
        assert "is gone" in message
    (repository.root / "policies").rmdir()
    assert len(repository.problems("--against", "HEAD")) == 1
    assert repository.check()[0] == 2


def test_only_files_with_a_version_below_the_paths_are_published(repository: Repository) -> None:
    repository.write("policies/limits.yaml")
    repository.write("elsewhere/small_v1.yaml")
    repository.write("policies/deep/größe v1_v1.json", json.dumps({"schema": "llm_budget_policy_v1", "name": "a"}))
    repository.commit()
    for name in ("policies/limits.yaml", "elsewhere/small_v1.yaml", "policies/deep/größe v1_v1.json"):
        path = repository.root / name
        path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert [path for path, _ in repository.problems("--against", "HEAD")] == ["policies/deep/größe v1_v1.json"]


def test_works_from_a_folder_within_the_repository(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.write("policies/small_v1.yaml", POLICY + "\n")
    monkeypatch.chdir(repository.root / "policies")
    assert [path for path, _ in repository.problems(".", "--against", "HEAD")] == ["small_v1.yaml"]


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("nowhere", "--against nowhere: git knows no such commit in "),
        ("HEAD:policies", "git knows no such commit"),
        ("", "is no name of a commit"),
        ("a\0b", "is no name of a commit"),
    ],
)
def test_an_unknown_commit_is_wrong_usage(repository: Repository, ref: str, said: str) -> None:
    code, out, err = repository.check("--against", ref)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("ref", ["--output=stolen", "-h", "--upload-pack=touch stolen"])
def test_a_commit_is_never_an_option_of_git(repository: Repository, ref: str) -> None:
    code, _, err = repository.check(f"--against={ref}")
    assert code == 2
    assert "is no name of a commit; write one such as origin/main" in err
    assert not (repository.root / "stolen").exists()


def test_a_folder_outside_of_a_repository_is_wrong_usage(repository: Repository) -> None:
    (repository.root / ".git").rename(repository.root / "no-git")
    code, _, err = repository.check("--against", "HEAD")
    assert code == 2
    assert "not a git repository" in err


def test_git_must_be_there(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository.root))
    code, _, err = repository.check("--against", "HEAD")
    assert code == 2
    assert "--against needs git, which is not installed" in err

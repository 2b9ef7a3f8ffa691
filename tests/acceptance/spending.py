"""What tests of budgets share: a program that spends, prices, policies, the evidence of a run, recordings of a pace."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from conftest import Project

PRICES = """
schema: llm_prices_v1
models:
  loopback-1: {input_mtok: "0", output_mtok: "1000000"}
"""
"""A dollar for every token of an answer."""

ASK = """
import pytest, talk, tapemeter

def ask(times):
    for number in range(times):
        talk.ask(f"question {number}")

"""
"""The beginning of a test file whose tests make so many calls, of 10 characters each."""

THREE_CALLS = '''
import asyncio, sys, threading
from concurrent.futures import ThreadPoolExecutor
import httpx, pytest, talk, tapemeter

def body(number):
    """Two small questions, and a large one: of 7 and 8 characters, answered with 14 and 149; 5 and 7 tokens."""
    words = 3 if number % 3 < 2 else 30
    return {
        "model": "loopback-1",
        "messages": [{"role": "user", "content": f"words {words}"}],
        "max_tokens": 8 if words == 3 else 80,
        "seed": number,
    }

def ask(number):
    talk.post("/v1/chat/completions", body(number)).raise_for_status()
    return number

async def aask(number):
    async with httpx.AsyncClient(verify=False) as client:
        (await client.post(talk.URL + "/v1/chat/completions", json=body(number))).raise_for_status()
    return number

def ask_all(numbers=range(3)):
    for number in numbers:
        ask(number)
'''


def with_three_calls(project: Project) -> Project:
    """Return the project with `three`, which makes three calls, of a model that has a price."""
    project.write("llm_prices.yaml", PRICES)
    project.write("three.py", THREE_CALLS)
    return project


def folder(project: Project) -> Path:
    """Return the folder of the latest run."""
    return (project.path / ".tapemeter" / "latest").resolve()


def events(project: Project, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the events of the latest run, all or those of a kind."""
    lines = (folder(project) / "llm_usage_events.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if kind in {None, event["event"]}]


def report(project: Project) -> dict[str, Any]:
    """Return the report of the latest run."""
    found: dict[str, Any] = json.loads((folder(project) / "llm_usage_report.json").read_text(encoding="utf-8"))
    return found


def outcomes(project: Project) -> list[str]:
    """Return what became of each call of the latest run, in order."""
    return [event["outcome"] for event in events(project, "call")]


def policy(project: Project, limits: str, name: str = "small", more: str = "") -> Path:
    """Write a policy file, `<name>.yaml`, whose limits are given as a YAML mapping."""
    return project.write(f"{name}.yaml", f"schema: llm_budget_policy_v1\nname: {name}\nlimits: {limits}\n{more}")


def pace(path: Path, times: Sequence[tuple[float, float]]) -> None:
    """Have the recordings of a cassette be issued at, and take, these seconds; so no test has to wait for them."""
    text = path.read_text(encoding="utf-8")
    for name, values in (("issued", [issued for issued, _ in times]), ("total", [total for _, total in times])):
        left = list(values)
        text = re.sub(rf"\b{name}: [\d.]+", lambda found, name=name, left=left: f"{name}: {left.pop(0)}", text)
        assert not left, f"{path.name} has fewer recordings"
    path.write_text(text, encoding="utf-8")

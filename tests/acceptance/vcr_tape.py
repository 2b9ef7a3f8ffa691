"""Writes cassettes in VCR.py's format, as tests of suites for pytest-recording and pytest-vcr have them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import tapemeter.pytest_plugin.vcr_suites.lazy
import tapemeter.pytest_plugin.vcr_suites.modules  # noqa: F401 - imported once for all runs in this process

if TYPE_CHECKING:
    from pathlib import Path

FAR = "http://model.invalid"
"""A host that does not exist: what is asked of it is answered from a cassette, or not at all."""

GET = f"""
import httpx

def get(path, url={FAR!r}):
    return httpx.get(url + path).text
"""


def interaction(answer: str, path: str = "/", *, url: str = FAR, method: str = "GET", **more: Any) -> dict[str, Any]:
    """Return an interaction with a plain answer."""
    return {
        "request": {"method": method, "uri": url + path, "body": None, "headers": {}, **more},
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"content-type": ["text/plain"]},
            "body": {"string": answer},
        },
    }


def tape(*interactions: dict[str, Any]) -> str:
    """Return a cassette of VCR.py's; JSON is YAML as well."""
    return json.dumps({"interactions": list(interactions), "version": 1})


def answers(**by_path: str) -> str:
    """Return a cassette with an answer for each path."""
    return tape(*(interaction(answer, f"/{path}") for path, answer in by_path.items()))


def tapes(folder: Path) -> list[str]:
    """Return the cassettes below a folder, by their paths."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml"))

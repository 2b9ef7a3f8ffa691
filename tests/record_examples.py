"""Remake the cassettes of `docs/examples` with the real model, then replay them without it.

    python tests/record_examples.py

starts the model on the port that the examples name, so that the recorded addresses never change, records
every call afresh, stops the model, and replays. It exits with pytest's own code, that of the first step that
failed. `model_server.py` says what the model needs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from model_server import ModelServer, ModelUnavailableError

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = "docs/examples"
CASSETTES = "cassettes"
PORT = 8089
"""The default port of `EXAMPLE_BASE_URL` in `docs/examples/conftest.py`."""


def main() -> int:
    """Record, then replay; return the exit code."""
    try:
        with ModelServer(PORT):
            code = run_examples("--record-cassettes=all")
    except ModelUnavailableError as error:
        print(error, file=sys.stderr)  # noqa: T201 (the script's output)
        return 2
    return code or run_examples("--llm-mode=replay")


def run_examples(mode: str) -> int:
    """Run the example suite in a mode, with the addresses and keys it has by default."""
    command = [sys.executable, "-m", "pytest", EXAMPLES, mode, "--llm-cassette-dir", CASSETTES]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EXAMPLE_")}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

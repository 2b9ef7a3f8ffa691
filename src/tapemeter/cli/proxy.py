"""Runs a proxy on loopback by which the model calls of any program are recorded, replayed and limited.

All its calls are one job, with a cassette, limits and evidence. After -- comes a program to run with the variables
that lead its SDKs to the proxy; the proxy ends with it. Without one it prints the variables, and runs until it is
interrupted.

Exit code: 0, or that of the program; 1 if a call was refused; 2 for wrong usage.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from tapemeter.errors import Refusal, UsageError

if TYPE_CHECKING:
    import argparse

    from tapemeter.proxy.access import ProxyAccess

_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = __doc__
    parser.add_argument("--mode", help="replay, record, record-all, verify or live (default: LLM_MODE, else live)")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any that is free)")
    parser.add_argument("--job", default="proxy", help="name of the job that all calls belong to (default: proxy)")
    parser.add_argument("--cassette", metavar="NAME", help="path below the cassette folder (default: jobs/<job>)")
    parser.add_argument(
        "--cassette-dir", default="cassettes", metavar="DIR", help="cassette folder (default: cassettes)"
    )
    parser.add_argument("--budget-policy", metavar="PATH", help="file of limits (default: LLM_BUDGET_POLICY)")
    parser.add_argument(
        "--report-dir", default=".tapemeter", metavar="DIR", help="folder of the evidence (default: .tapemeter)"
    )
    parser.add_argument(
        "--upstream",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="address of a provider, known by name or new; repeatable",
    )
    parser.add_argument(
        "command",
        nargs="*",
        metavar="COMMAND",
        help="program to run, after --",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the proxy, and the program if one is given; the exit code is the program's, or 1 where a call was refused."""
    from tapemeter import owner as owners  # noqa: PLC0415 - each command loads only what it needs
    from tapemeter.program import open_run  # noqa: PLC0415
    from tapemeter.proxy.access import ProxyAccess  # noqa: PLC0415
    from tapemeter.proxy.server import ProxyServer  # noqa: PLC0415

    given = _upstreams(arguments.upstream)
    code = 0
    with open_run(
        mode=arguments.mode,
        cassette_dir=arguments.cassette_dir,
        budget_policy=arguments.budget_policy,
        report_dir=arguments.report_dir,
    ) as opened:
        try:
            with (
                opened.job(arguments.job, cassette=arguments.cassette, record_failed=True),
                ProxyServer(arguments.port) as server,
            ):
                access = ProxyAccess(server, owners.running(), given)
                code = _run(arguments.command, access) if arguments.command else _serve(access)
        except Refusal as refusal:
            print(f"tapemeter: {refusal}", file=sys.stderr)
            code = code or 1
    if opened.report is not None:
        from tapemeter.report.terminal import lines  # noqa: PLC0415 - only a run that made calls

        for line in lines(opened.report):
            print("".join(text for text, _ in line), file=sys.stderr)
        print(f"evidence: {opened.folder}", file=sys.stderr)
    return code


def _upstreams(given: list[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    wrong = [name for name, equals, address in pairs if not (name and equals and address)]
    if wrong:
        raise UsageError(f"--upstream {wrong[0]}: write NAME=URL, such as openai=http://127.0.0.1:8080")
    return {name: address for name, _, address in pairs}


def _run(command: list[str], access: ProxyAccess) -> int:
    import subprocess  # noqa: PLC0415 - only where a program is to be run

    try:
        return subprocess.run(command, env=access.environ(), check=False).returncode  # noqa: S603 - the user's own program
    except FileNotFoundError:
        raise UsageError(f"there is no program {command[0]!r}") from None
    except KeyboardInterrupt:
        return _INTERRUPTED


def _serve(access: ProxyAccess) -> int:
    for name, value in access.env.items():
        if name not in os.environ or name.endswith(("URL", "BASE", "HOST")):
            print(f"export {name}={value}", flush=True)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    return 0

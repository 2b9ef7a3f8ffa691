"""What the session says of model calls at its end, in the terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tapemeter.pytest_plugin.lifecycle import unplayed_message

if TYPE_CHECKING:
    import pytest

    from tapemeter.findings import Findings
    from tapemeter.pytest_plugin.ending import Ending


def write(terminal: pytest.TerminalReporter, ended: Ending) -> None:
    """Write what was found and used as a section of the summary; with `-q`, only what went wrong."""
    quiet = terminal.verbosity < 0
    if quiet and not ended.problems:
        return
    terminal.section("tapemeter", sep="=")
    if ended.findings is not None and not quiet:
        _write_findings(terminal, ended.findings)
    if ended.report is not None and not quiet:
        from tapemeter.report.terminal import lines  # noqa: PLC0415 - only a run that made calls

        for line in lines(ended.report, width=terminal._tw.fullwidth):  # noqa: SLF001 - no public way to know it
            for text, style in line:
                terminal.write(text, **({style: True} if style else {}))
            terminal.line("")
        terminal.line(f"evidence: {ended.folder}")
    for noted in ended.notes:
        terminal.line(noted, yellow=True)
    for problem in ended.problems:
        terminal.line(problem, red=True)


def progress(recorded: dict[str, Any]) -> str:
    """Return what verbose output says of a test that recorded."""
    calls = recorded["llm_calls"]
    tokens = recorded["llm_input_tokens"] + recorded["llm_output_tokens"]
    cost = recorded["llm_cost_usd"]
    price = "price unknown" if cost == "unknown" else f"${cost}"
    return f"RECORDED {calls} call{'' if calls == 1 else 's'}, {tokens:,} tokens, {price}"


def _write_findings(terminal: pytest.TerminalReporter, findings: Findings) -> None:
    if findings.written:
        count = len(dict.fromkeys(findings.written))
        terminal.line(f"{count} cassette{'' if count == 1 else 's'} written:")
        for path in dict.fromkeys(findings.written):
            terminal.line(f"  {path}")
    if findings.blocked:
        terminal.line("refused by the network guard:", yellow=True)
        for (test, where), times in Counter(findings.blocked).items():
            terminal.line(f"  {where}  {test}" + (f"  ({times} times)" if times > 1 else ""))
    if findings.unowned:
        terminal.line("sent and not recorded, since no running test made them; replay will refuse them:", yellow=True)
        for what, times in Counter(findings.unowned).items():
            terminal.line(f"  {what}" + (f"  ({times} times)" if times > 1 else ""))
    for problem in findings.undelivered:
        terminal.line(problem, yellow=True)
    for path, places in findings.shared.items():
        if places:
            terminal.line(unplayed_message(path, places), red=True)

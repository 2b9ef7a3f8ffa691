"""What the session says of model calls at its end, in the terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tapemeter.pytest_plugin.lifecycle import unplayed_message

if TYPE_CHECKING:
    import pytest

    from tapemeter.session import Findings


def write(terminal: pytest.TerminalReporter, findings: Findings) -> None:
    """Write the findings as a section of the summary."""
    terminal.section("tapemeter", sep="=")
    if findings.written:
        count = len(dict.fromkeys(findings.written))
        terminal.line(f"{count} cassette{'' if count == 1 else 's'} written:")
        for path in dict.fromkeys(findings.written):
            terminal.line(f"  {path}")
    if findings.blocked:
        terminal.line("refused by the network guard:", yellow=True)
        for (test, where), times in Counter(findings.blocked).items():
            terminal.line(f"  {where}  {test}" + (f"  ({times} times)" if times > 1 else ""))
    for path, places in findings.shared.items():
        if places:
            terminal.line(unplayed_message(path, places), red=True)

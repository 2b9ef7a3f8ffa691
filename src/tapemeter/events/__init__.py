"""Evidence: what happened in a run, one JSON object a line, each chained by its hash to the line before.

    line      what a line is, and its hash
    layout    which file lies where
    files     locks, and files that are replaced whole
    log       writes the events of one process
    calls     reads the lines of very many calls
    chain     reads a file and finds where its chain does not hold
    merge     makes one file of those of several processes, or of several runs
    artifacts what is too long for a line

Prompts are in none of it, only their sizes and digests.
"""

from __future__ import annotations

from tapemeter.events.chain import Chain, Finding, read, verify
from tapemeter.events.line import KINDS
from tapemeter.events.log import EventLog
from tapemeter.events.merge import Source, finish, join

__all__ = ["KINDS", "Chain", "EventLog", "Finding", "Source", "finish", "join", "read", "verify"]

"""A drop-in for VCR.py: its objects, its options and its files, answered and recorded by `tapemeter.exchange`.

    import tapemeter.vcr as vcr

    with vcr.use_cassette("fixtures/answers.yaml") as cassette: ...

While the pytest plugin is active, `import vcr` gives these objects as well. Each module has VCR.py's name and holds
what VCR.py has there; docs/reference/vcr.md lists what works and what is refused.
"""

from __future__ import annotations

from tapemeter.vcr.config import VCR
from tapemeter.vcr.record_mode import RecordMode as mode  # noqa: N813 - VCR.py's name for it
from tapemeter.vcr.request import Request

__all__ = ["VCR", "Request", "default_vcr", "mode", "use_cassette"]

default_vcr = VCR()
use_cassette = default_vcr.use_cassette

"""Shared by the tests of the SDKs: each SDK is tried once, and several tests look at what came of it.

They run in the tox environments that have the SDKs, which say so in TAPEMETER_CLIENTS. With TAPEMETER_CLIENTS_SEEN=1
what they saw is written down for docs/reference/clients.md, which `python tests/docs/regenerate.py` then makes anew.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))  # the samples of the wire protocols are there

if TYPE_CHECKING:
    from tries import Tried


@pytest.fixture(scope="session")
def tries() -> dict[str, Tried]:
    """What came of the SDKs so far, by the name of the program."""
    return {}


@pytest.fixture
def tried(request: pytest.FixtureRequest, tries: dict[str, Tried], tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """Give what came of the SDK that the test is for."""
    from sdks import SDKS  # noqa: PLC0415 - beside this file, which pytest puts on the path
    from tries import tried  # noqa: PLC0415 - imports the samples

    sdk = SDKS[request.param]
    if sdk.program not in tries:
        tries[sdk.program] = tried(sdk, tmp_path_factory.mktemp(sdk.program))
    return tries[sdk.program]

"""The cassette of a marked test as pytest-recording opens it, and the network as it blocks it.

Names are made safe and shortened as it does, so that files are found.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tapemeter.pytest_plugin.options import given
from tapemeter.pytest_plugin.vcr_suites import joining, marks, options
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

_UNSAFE = str.maketrans(dict.fromkeys("<>?%*:|\"'/\\", "-"))


@contextmanager
def opened(request: pytest.FixtureRequest, markers: Sequence[pytest.Mark]) -> Iterator[Any]:
    """Have a test use its cassette; gives it, or None where the mode of the session uses none.

    What was recorded is kept also where the test fails, unless its configuration has record_on_exception=False.
    """
    session = joining.session_of(request.config)
    if session is None:
        yield None
        return
    config = marks.merged(request.getfixturevalue("vcr_config"), markers)
    config.pop("allowed_hosts", None)
    configured = config.get("record_mode")
    how = joining.recording(
        session.settings,
        given=given(request.config, "--record-mode"),
        configured=None if configured is None else str(getattr(configured, "value", configured)),
        default=request.getfixturevalue("record_mode"),
    )
    if how.mode is None:
        joining.settle(request.node, how, exists=False)
        yield None
        return
    folder = request.getfixturevalue("vcr_cassette_dir")
    name = shortened(request.getfixturevalue("default_cassette_name"), config)
    others = [cassette for marker in markers for cassette in marker.args]
    made = _Made(config, how, os.fspath(folder), name, others)
    with _used(request, made) as cassette:
        yield cassette


class _Made(Value):
    """What a test's cassette is made of."""

    config: dict[str, Any]
    how: joining.Recording
    folder: str
    name: str
    others: Sequence[str]


@contextmanager
def _used(request: pytest.FixtureRequest, made: _Made) -> Iterator[Any]:
    from tapemeter.vcr import VCR  # noqa: PLC0415 - only tests that use a cassette

    config, how, folder, name = made.config, made.how, made.folder, made.name
    with_suffix = VCR.ensure_suffix(f".{config.get('serializer', 'yaml')}")
    path = with_suffix(os.path.join(folder, name))  # noqa: PTH118 - theirs is text
    if how.mode == "rewrite":
        with suppress(OSError):
            os.remove(path)  # noqa: PTH107 - as above
        how = joining.Recording("new_episodes")
    vcr = VCR(path_transformer=with_suffix, cassette_library_dir=folder, record_mode=how.mode)
    if made.others:
        vcr.register_persister(Joined([os.path.join(folder, other) for other in made.others]))  # noqa: PTH118 - as above
    request.config.hook.pytest_recording_configure(config=request.config, vcr=vcr)
    joining.settle(request.node, how, exists=os.path.exists(path))  # noqa: PTH110 - as above
    is_shared = bool(made.others) or request.node.get_closest_marker(marks.DEFAULT) is not None
    context = vcr.use_cassette(name, **config | how.configuration)
    with joining.used(request.node, context, shared=is_shared) as cassette:
        yield cassette


class Joined:
    """A persister that loads a cassette and others after it, and saves all to the first."""

    def __init__(self, others: Sequence[str]) -> None:
        self._others = others

    def load_cassette(self, cassette_path: Any, serializer: Any) -> tuple[list[Any], list[Any]]:
        """Return the requests and the responses of all that there are; CassetteNotFoundError where there is none."""
        from tapemeter.vcr.persisters.filesystem import (  # noqa: PLC0415 - see opened
            CassetteNotFoundError,
            FilesystemPersister,
        )

        requests: list[Any] = []
        responses: list[Any] = []
        for path in dict.fromkeys((os.fspath(cassette_path), *self._others)):
            with suppress(CassetteNotFoundError):
                found = FilesystemPersister.load_cassette(path, serializer)
                requests += found[0]
                responses += found[1]
        if not requests:
            raise CassetteNotFoundError(f"none of these is there: {cassette_path}, {', '.join(self._others)}")
        return requests, responses

    @staticmethod
    def save_cassette(cassette_path: Any, cassette_dict: dict[str, Any], serializer: Any) -> None:
        """Write all to the cassette of the test."""
        from tapemeter.vcr.persisters.filesystem import FilesystemPersister  # noqa: PLC0415 - see opened

        FilesystemPersister.save_cassette(cassette_path, cassette_dict, serializer)


# Names


def default_name(item: pytest.Item) -> str:
    """Return the name that the marker default_cassette gives, else that of the test made fit for a file."""
    marker = item.get_closest_marker(marks.DEFAULT)
    if marker is not None:
        given: str = marker.args[0]
        return given
    return marks.own_name(item).translate(_UNSAFE)


def shortened(name: str, config: dict[str, Any]) -> str:
    """Return a name that is not too long for a file, with the digest that pytest-recording puts at its end."""
    limit = options.suffix_limit()
    suffix = config.get("serializer", ".yaml")
    if len(name) + len(suffix) <= limit:
        return name
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{name[: limit - len(suffix) - len(digest) - 3]}...{digest}"


# The network


def allowed_hosts(request: pytest.FixtureRequest) -> list[str] | None:
    """Return the regular expressions of hosts that may be reached, of the first that names any."""
    block = request.node.get_closest_marker(marks.BLOCK)
    allowed = request.node.get_closest_marker(marks.ALLOWED)
    found = (
        (block.kwargs.get("allowed_hosts") if block is not None else None)
        or given(request.config, "--allowed-hosts")
        or (_listed(allowed) if allowed is not None else None)
        or request.getfixturevalue("vcr_config").get("allowed_hosts")
    )
    return found.split(",") if isinstance(found, str) else found


def _listed(marker: pytest.Mark) -> list[str]:
    return [host for given in marker.args for host in ([given] if isinstance(given, str) else given)]


def block(request: pytest.FixtureRequest) -> None:
    """Hold a test back from the network, unless it is to record."""
    markers = request.getfixturevalue("vcr_markers")
    session = joining.session_of(request.config)
    if session is None:
        return
    if markers and not options.is_off(request.config):
        said = given(request.config, "--record-mode")
        configured = None
        if said is None:
            configured = marks.merged(request.getfixturevalue("vcr_config"), markers).get("record_mode")
        default = request.getfixturevalue("record_mode")
        how = joining.recording(session.settings, given=said, configured=configured, default=default)
        if how.mode not in {None, "none"}:
            return
    joining.block(request.node, request.getfixturevalue("allowed_hosts") or [])

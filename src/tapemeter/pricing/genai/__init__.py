"""The list of genai-prices as it is installed, read without its package where its rules are known.

The package imports an HTTP client and pydantic, a tenth of a second or two that a session would pay for its first
price. Its list alone, `data.py`, is a module that takes its classes from a `types` beside it; it is loaded here as one
of this package, so that it takes ours. Whether ours do the same is told by the digests of the modules whose rules they
repeat: with any other edition the package itself is asked. See docs/decisions/0016-prices-without-their-package.md.
"""

from __future__ import annotations

from hashlib import sha256
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tapemeter.pricing.genai.finding import Finder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KNOWN = {
    "data_snapshot.py": "e82d19c6a2d0adb3e59767b88a639ea678fe7eeaa1d17e1ec57b192fc6fdeb85",
    "types.py": "df355ac1604139f35b344bce5c536f7cb52dd1ce3008fd8ae6a65af946be66ce",
}
"""The modules of genai-prices whose rules are repeated here, by SHA-256: those of 0.2.0 to 0.2.3."""


class Listing(Protocol):
    """A list of models and their prices."""

    providers: list[Any]

    def find_provider_model(
        self, model_ref: str, provider: None, provider_id: str | None, provider_api_url: str | None
    ) -> tuple[Any, Any]:
        """Return the provider and the model that go by these names; LookupError where there is none."""


_OFTEN = 3
_T = TypeVar("_T")


class _Shelf:
    """Where the list stands, once it is asked for often."""

    def __init__(self) -> None:
        self.asked = 0
        self.kept: Listing | None = None


_shelf = _Shelf()


def consult(question: Callable[[Listing], _T]) -> _T:
    """Return what a question to the list comes to; it is let go again, unless it is asked often.

    To read it takes 3 ms. To keep it costs more: some thousand objects, which every full garbage collection visits, and
    pytest makes some at the end of a session. Whoever asks keeps the answer.
    """
    _shelf.asked += 1
    found = listing() if _shelf.kept is None else _shelf.kept
    if _shelf.asked >= _OFTEN:
        _shelf.kept = found
    return question(found)


def listing() -> Listing:
    """Return the list as it is installed, not the one that the program under test may have put in its place."""
    folder = _folder()
    if folder is not None and is_known(folder):
        return Finder(_read(folder / "data.py"))
    return of_the_package()


def of_the_package() -> Listing:
    """Return the list with the rules that come with it."""
    from genai_prices.data import providers  # noqa: PLC0415 - what is avoided where it can be
    from genai_prices.data_snapshot import DataSnapshot  # noqa: PLC0415

    return DataSnapshot(providers=providers, from_auto_update=False)


def is_known(folder: Path) -> bool:
    """Say whether the rules in a folder of the package are those that are repeated here."""
    return all(_digest(folder / name) == digest for name, digest in KNOWN.items())


def _folder() -> Path | None:
    found = PathFinder.find_spec("genai_prices")
    places: Sequence[str] = () if found is None else found.submodule_search_locations or ()
    return next(map(Path, places), None)


def _digest(path: Path) -> str | None:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _read(path: Path) -> list[Any]:
    loader = SourceFileLoader(f"{__name__}.data", str(path))
    module = ModuleType(loader.name)
    module.__package__ = __name__
    loader.exec_module(module)
    providers: list[Any] = module.providers
    return providers

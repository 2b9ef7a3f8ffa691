"""What VCR.py can and we cannot: refused by name, so that nobody believes that it holds."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from tapemeter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

OPTIONS = {
    "custom_patches": "it replaces names in modules, and nothing is replaced here; a client library that is not "
    "intercepted goes through `tapemeter proxy`",
    "skip_patchers": "it leaves client libraries alone that VCR.py would patch; name hosts in ignore_hosts instead",
}
"""Options of VCR.py's that are refused, each with why and what to do."""


def refuse_patches(custom_patches: Any = (), skip_patchers: Any = ()) -> None:
    """Raise UsageError where one of these options is given."""
    for name, value in {"custom_patches": custom_patches, "skip_patchers": skip_patchers}.items():
        if tuple(value or ()):
            raise UsageError(f"{name} is not supported: {OPTIONS[name]}")


def warn_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Warn of options that VCR.py has not either; it says nothing, and goes on without them."""
    unknown = sorted(set(given) - set(known))
    if unknown:
        warnings.warn(
            f"use_cassette() has no option {', '.join(unknown)}, so it does nothing, as with VCR.py; take it out, or "
            f"write one of {', '.join(sorted(known))}",
            UserWarning,
            stacklevel=3,
        )

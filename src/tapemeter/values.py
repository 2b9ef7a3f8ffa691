"""What values are made of: those that travel between the parts and never change, and those that one part works on.

A class of msgspec is defined in a fortieth of the time of a dataclass, made in an eighth, and looked through by the
garbage collector in a quarter of the steps. What a session without calls imports, and what guards a child process,
takes a NamedTuple or a plain class instead, since msgspec is not imported there.

`replace` returns a copy with other fields, and `asdict` the fields by name; it does not go into values within them.
"""

from __future__ import annotations

from typing import dataclass_transform

import msgspec
from msgspec import field
from msgspec.structs import asdict, replace

__all__ = ("State", "Value", "asdict", "field", "replace")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Value(msgspec.Struct, frozen=True):
    """Never changes; equal to any of its class with equal fields."""


@dataclass_transform(eq_default=False, field_specifiers=(field,))
class State(msgspec.Struct, eq=False):
    """Changes while a part works on it; equal to itself alone."""

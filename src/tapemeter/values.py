"""What values are made of: those that travel between the parts and never change, and those that one part works on.

A class of msgspec is defined in a fortieth of the time of a dataclass, made in an eighth, and looked through by the
garbage collector in a quarter of the steps. What a session without calls imports, and what guards a child process,
takes a NamedTuple or a plain class instead, since msgspec is not imported there.

`replace` returns a copy with other fields, and `asdict` the fields by name; it does not go into values within them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, dataclass_transform

import msgspec
from msgspec import field
from msgspec.structs import asdict, replace

if TYPE_CHECKING:
    from inspect import Signature

__all__ = ("Mutable", "Value", "asdict", "field", "replace")


class _Signed(msgspec.StructMeta):
    """Tells `help` and its like what a class is made of; msgspec would need the types that only a checker imports."""

    @property
    def __signature__(self) -> Signature:
        from inspect import Parameter, Signature  # noqa: PLC0415 - for a reader, not for a session

        hints: dict[str, str] = {}
        for base in reversed(self.__mro__):
            hints |= vars(base).get("__annotations__", {})
        names, defaults = self.__struct_fields__, self.__struct_defaults__
        given = (*(Parameter.empty,) * (len(names) - len(defaults)), *defaults)
        kind = Parameter.POSITIONAL_OR_KEYWORD
        return Signature(
            [
                Parameter(name, kind, default=default, annotation=hints.get(name, Parameter.empty))
                for name, default in zip(names, given, strict=True)
            ]
        )


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Value(msgspec.Struct, metaclass=_Signed, frozen=True):
    """Never changes; equal to any of its class with equal fields."""


@dataclass_transform(eq_default=False, field_specifiers=(field,))
class Mutable(msgspec.Struct, metaclass=_Signed, eq=False):
    """Changes while a part works on it; equal to itself alone."""

"""The long lists of a report: what is in them is kept as small as it can be, and made when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Rows(Sequence[dict[str, Any]]):
    """A list of which each entry is made anew from what is kept of it, whenever it is looked at."""

    def __init__(self, make: Callable[[Any], dict[str, Any]], kept: Sequence[Any]) -> None:
        self._make = make
        self._kept = kept

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(self._make, self._kept)

    def watched(self, note: Callable[[dict[str, Any]], object]) -> Rows:
        """Return the same list, of which each entry is shown to `note` whenever it is made."""

        def make(kept: Any) -> dict[str, Any]:
            note(row := self._make(kept))
            return row

        return Rows(make, self._kept)

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, place: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(place, slice):
            return [self._make(each) for each in self._kept[place]]
        return self._make(self._kept[place])


def plain(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report with every entry of its lists made: dictionaries and lists, as JSON has them."""
    return {name: list(value) if isinstance(value, Rows) else value for name, value in report.items()}

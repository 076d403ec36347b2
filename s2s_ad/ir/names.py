"""One allocator for every name of an emitted program.

Enters: the names that the author uses.  Leaves: names that clash with nothing, the same in every process.
"""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable

_RESERVED = frozenset(keyword.kwlist) | frozenset(keyword.softkwlist) | frozenset(dir(builtins))


class Names:
    """Hands out names. `take` gives the author's own name, `fresh` one that nobody has."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._reserved = frozenset(reserved)
        self._used: set[str] = set(self._reserved)

    def reset(self) -> None:
        """Forget every name that was handed out."""
        self._used = set(self._reserved)

    def snapshot(self) -> frozenset[str]:
        return frozenset(self._used)

    def restore(self, snapshot: frozenset[str]) -> None:
        """Give back every name handed out since."""
        self._used = set(snapshot)

    def take(self, name: str) -> str:
        self._used.add(name)
        return name

    def fresh(self, hint: str) -> str:
        """`hint` itself if it is free, else `hint` with the first free number."""
        name, count = hint, 1
        while name in self._used or name in _RESERVED:
            count += 1
            name = f"{hint}{count}"
        self._used.add(name)
        return name

"""What the generator knows of each name while it writes a program.

Enters: nothing.  Leaves: kinds (float, int with a range, vector, matrix, list, tuple, dict) and environments that join
at the end of branches and loops, so that every program that is written runs in Python without an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kind:
    """`dims` for arrays, `low`/`high` for an int of known range, `items` for a tuple or dict, `filled` for lists."""

    name: str
    dims: tuple[int, ...] = ()
    low: int | None = None
    high: int | None = None
    items: tuple[Kind, ...] = ()
    filled: bool = False
    flat: bool = False  # known to be contiguous: reshape and ravel give a view


FLOAT = Kind("float")
INT = Kind("int")


def vector(n: int, flat: bool = False) -> Kind:
    return Kind("array", (n,), flat=flat)


def matrix(m: int, n: int, flat: bool = False) -> Kind:
    return Kind("array", (m, n), flat=flat)


def joined(a: Kind, b: Kind) -> Kind | None:
    """The kind of a name that is `a` on one way and `b` on the other; None if it may not be read."""
    if a == b:
        return a
    if a.name == b.name == "int":
        return INT
    if a.name == b.name == "list":
        return Kind("list", filled=False)
    if a.name == b.name == "array" and a.dims == b.dims:
        return Kind("array", a.dims)
    return None


@dataclass
class Environment:
    """Names that may be read, names that may not be re-bound or written, and the kinds a loop insists on."""

    kinds: dict[str, Kind] = field(default_factory=dict)
    locked: frozenset[str] = frozenset()
    pinned: dict[str, Kind] = field(default_factory=dict)

    def copy(self) -> Environment:
        return Environment(dict(self.kinds), self.locked, dict(self.pinned))

    def named(self, name: str) -> list[str]:
        """The readable names of a kind, in a fixed order."""
        return [key for key, kind in self.kinds.items() if kind.name == name]

    def arrays(self, dims: tuple[int, ...] | None = None, rank: int | None = None) -> list[str]:
        return [
            key
            for key, kind in self.kinds.items()
            if kind.name == "array" and (dims is None or kind.dims == dims) and (rank is None or len(kind.dims) == rank)
        ]

    def may_become(self, name: str, kind: Kind) -> bool:
        """May `name` be re-bound to `kind` here?"""
        if name in self.locked:
            return False
        held = self.pinned.get(name)
        return held is None or joined(held, kind) == held

    def bind(self, name: str, kind: Kind) -> None:
        held = self.pinned.get(name)
        self.kinds[name] = kind if held is None else (joined(held, kind) or kind)


def join(environments: list[Environment], like: Environment) -> Environment:
    """What is known where several ways meet."""
    first, *rest = environments
    kinds: dict[str, Kind] = {}
    for name, kind in first.kinds.items():
        met: Kind | None = kind
        for other in rest:
            met = joined(met, other.kinds[name]) if met is not None and name in other.kinds else None
        if met is not None:
            kinds[name] = met
    return Environment(kinds, like.locked, dict(like.pinned))

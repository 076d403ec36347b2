"""Which names may share memory.

Enters: an IR block.  Leaves: for each name the names whose memory may be the same, or a part of the same.
"""

from __future__ import annotations

from s2s_ad.analysis.activity import owner
from s2s_ad.build.numeric import MAYBE_VIEWS, VIEWS
from s2s_ad.ir.nodes import (
    Append,
    Assign,
    Block,
    Call,
    Display,
    Each,
    Expr,
    For,
    Index,
    MoveRoot,
    PopLast,
    Store,
    Var,
    all_statements,
)
from s2s_ad.ir.types import ListOf, Scalar, TupleOf


class _Groups:
    def __init__(self) -> None:
        self.of: dict[str, set[str]] = {}

    def join(self, a: str, b: str) -> None:
        one, other = self.of.get(a, {a}), self.of.get(b, {b})
        if one is other:
            return
        both = one | other
        for name in both:
            self.of[name] = both


def memory_groups(block: Block) -> dict[str, set[str]]:
    groups = _Groups()
    for stmt in all_statements(block):
        match stmt:
            case Assign(targets, values):
                for target, value in zip(targets, values, strict=True):
                    for name in _shared(value):
                        groups.join(target, name)
            case MoveRoot(new, old):
                groups.join(new, old)
            case Store(target, value) | Append(target, value):
                root = _base(target)
                if root is not None and (isinstance(stmt, Append) or in_list(target)):
                    for name in _shared(value):
                        groups.join(root, name)
            case PopLast(targets, source):
                for name in targets:
                    groups.join(name, source.name)
            case For(targets, iter=Each(items)):
                for target in targets:
                    for name in _shared(items):
                        groups.join(target, name)
    return groups.of


def written_names(block: Block) -> set[str]:
    """The names of arrays and lists that are written in place somewhere, and all that may share memory with them."""
    written: set[str] = set()
    for stmt in all_statements(block):
        if isinstance(stmt, Store | Append):
            written |= {n for n in (_base(stmt.target), owner(stmt.target)) if n is not None}
    groups = memory_groups(block)
    return {n for w in written for n in groups.get(w, {w})}


def in_list(target: Expr) -> bool:
    """Whether a store replaces an item of a list."""
    return isinstance(target, Index) and isinstance(target.base.type, ListOf | TupleOf)


def _shared(value: Expr) -> list[str]:
    """The names whose memory a value may share."""
    match value:
        case Var(name, type_):
            return [] if isinstance(type_, Scalar) else [name, owner(value) or name]
        case Index(base, type=type_):
            return [] if isinstance(type_, Scalar) else _shared(base)
        case Display(_, items):
            return [n for item in items for n in _shared(item)]
        case Call(fn, args) if fn in VIEWS or fn in MAYBE_VIEWS or fn in (list, tuple):
            return [n for a in args[:1] for n in _shared(a)]
    return []


def _base(expr: Expr) -> str | None:
    while isinstance(expr, Index):
        expr = expr.base
    return expr.name if isinstance(expr, Var) else None

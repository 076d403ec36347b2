"""Which names a derivative flows through.

Enters: an IR block, the names that are differentiated by, the names of the result.  Leaves: the set of active names:
those that vary with the first and are useful for the second. An array's name stands for all views of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from s2s_ad.build.numeric import rule_key
from s2s_ad.ir.markers import stop_gradient
from s2s_ad.ir.nodes import (
    Append,
    Assign,
    Block,
    Call,
    Choice,
    Display,
    Each,
    Effect,
    Expr,
    For,
    Index,
    Lazy,
    MoveRoot,
    PopLast,
    Stmt,
    Store,
    Var,
    ZerosLike,
    all_statements,
)
from s2s_ad.ir.types import is_inexact
from s2s_ad.rules.registry import is_passive


def owner(expr: Expr) -> str | None:
    """The name whose cotangent a reference leads to."""
    match expr:
        case Var(name, place=place):
            return place.root if place is not None else name
        case Index(base, place=place):
            return place.root if place is not None else owner(base)
    return None


def flows(expr: Expr) -> Iterable[Var]:
    """The names through which a derivative can reach the value of `expr`."""
    stack = [expr]
    while stack:
        node = stack.pop()
        if not is_inexact(node.type) and not isinstance(node, Display):
            continue
        match node:
            case Var():
                yield node
            case Index(base):
                stack.append(base)
            case Call(fn, args, kwargs):
                if fn is not stop_gradient and not is_passive(rule_key(fn)):
                    stack.extend(args)
                    stack.extend(v for _, v in kwargs)
            case Display(_, items):
                stack.extend(items)
            case Choice(_, then, orelse):
                stack += [then, orelse]
            case Lazy(_, args):
                stack.extend(args)
            case ZerosLike():
                pass


def _edges(stmt: Stmt) -> Iterable[tuple[str, Expr]]:
    """(name, expression that flows into it) for what a statement does itself."""
    match stmt:
        case Assign(targets, values):
            for target, value in zip(targets, values, strict=True):
                yield target, value
        case MoveRoot(new, old, type_):
            yield new, Var(old, type_)
            yield old, Var(new, type_)
        case Store(target, value):
            root = owner(target)
            if root is not None:
                yield root, value
        case Append(target, value):
            root = owner(target)
            if root is not None:
                yield root, value
        case PopLast(targets, source):
            for target in targets:
                yield target, source
        case For(targets, _, Each(items)):
            for target in targets:
                yield target, items
        case Effect():
            return


def active_names(block: Block, wrt: Iterable[str], result: Iterable[str]) -> frozenset[str]:
    edges = [
        (to, frozenset(n for v in flows(e) if (n := owner(v)) is not None))
        for s in all_statements(block)
        for to, e in _edges(s)
    ]
    varied = _closure(set(wrt), [(to, sources) for to, sources in edges], forward=True)
    useful = _closure(set(result), [(to, sources) for to, sources in edges], forward=False)
    return frozenset(varied & useful)


def _closure(start: set[str], edges: list[tuple[str, frozenset[str]]], *, forward: bool) -> set[str]:
    reached = set(start)
    changed = True
    while changed:
        changed = False
        for to, sources in edges:
            if forward and to not in reached and sources & reached:
                reached.add(to)
                changed = True
            if not forward and to in reached and not sources <= reached:
                reached |= sources
                changed = True
    return reached


def is_active(expr: Expr, active: frozenset[str]) -> bool:
    """Whether a derivative flows through `expr`."""
    return any(owner(v) in active for v in flows(expr))

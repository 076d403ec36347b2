"""What must be recorded (TBR), and what can be computed again or undone instead.

Enters: the nodes of a primal and its adjoint.  Leaves: a `Plan` for each node and block. The analysis follows the
primal forwards with the set of things that reverse statements of earlier nodes still need: bindings ("v", name) and the
contents of arrays and lists that are written in place ("c", owner). Where one of them is about to be overwritten, it is
saved.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from s2s_ad.analysis.activity import owner
from s2s_ad.analysis.adjoint_nodes import Node
from s2s_ad.analysis.liveness import Table
from s2s_ad.build.numeric import MAYBE_VIEWS, VIEWS
from s2s_ad.ir.nodes import (
    Append,
    Assign,
    Call,
    Const,
    Effect,
    Expr,
    For,
    If,
    Index,
    Method,
    MoveRoot,
    PopLast,
    Range,
    Stmt,
    Store,
    Var,
    While,
    ZerosLike,
    all_assigned,
    all_statements,
    children,
    statement_exprs,
    variables,
    walk,
)
from s2s_ad.ir.types import Array, ListOf, Scalar

Need = frozenset[tuple[str, str]]
_SHAPE_ONLY = {"shape", "ndim", "size", "zeros_like", "empty_like", "ones_like", "result_type"}


@dataclass
class Plan:
    """What is done about one statement: names saved before it, whether the part that it overwrites is saved, whether it
    is undone."""

    names: list[str] = field(default_factory=list)
    part: bool = False
    undo: bool = False
    outer: list[str] = field(default_factory=list)
    ends: list[BlockEnd] = field(default_factory=list)


@dataclass
class BlockEnd:
    """Names that a block records at its end, and statements computed again at the start of its reverse."""

    record: list[str] = field(default_factory=list)
    again: list[Assign] = field(default_factory=list)


class Recording:
    """The analysis; `plans` holds its answer, by node."""

    def __init__(self, primal_names: Iterable[str], tables: Table, tbr: bool = True) -> None:
        self.primal = frozenset(primal_names)
        self.tables = tables
        self.plans: dict[int, Plan] = {}
        self.tbr = tbr
        self.depth = 0

    def plan(self, node: Node) -> Plan:
        return self.plans.setdefault(id(node), Plan())

    # -- what statements use -------------------------------------------------------------------------------------------
    def uses(self, stmts: Iterable[Stmt], post: bool | None = None) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for stmt in all_statements(tuple(stmts)):
            for expr in statement_exprs(stmt):
                self._expr_uses(expr, found, post)
        return found

    def _expr_uses(self, expr: Expr, found: set[tuple[str, str]], post: bool | None) -> None:
        stack: list[tuple[Expr, bool]] = [(expr, True)]
        while stack:
            node, value = stack.pop()
            match node:
                case Var(name, type_, place):
                    if name not in self.primal or (post is not None and node.post is not post):
                        continue
                    found.add(("v", name))
                    root = place.root if place is not None else None
                    if root is None and isinstance(type_, ListOf):
                        root = name
                    if root is not None and (value or isinstance(type_, ListOf)):
                        found.add(("c", root))
                case ZerosLike(base):
                    stack.append((base, False))
                case Call(fn, args) if getattr(fn, "__name__", "") in _SHAPE_ONLY:
                    stack += [(a, False) for a in args]
                case _:
                    stack += [(c, True) for c in children(node)]

    # -- blocks --------------------------------------------------------------------------------------------------------
    def block(self, nodes: list[Node], need: Need) -> Need:
        for node in nodes:
            need = self.node(node, need)
        return need

    def node(self, node: Node, need: Need) -> Need:
        stmt = node.stmt
        match stmt:
            case Assign(targets):
                return self.assign(node, stmt, need)
            case PopLast(targets):
                need = self._with(need, self.uses(node.after, post=False))
                need = self.overwrite(node, targets, need)
                plan = self.plan(node)
                root = owner(stmt.source) or ""
                plan.undo = ("c", root) in need
                if plan.undo:
                    need = self._with(need, {("v", t) for t in targets} | {("v", root)})
                return self._with(need, self.uses(node.post))
            case Append(target):
                need = self._with(need, self.uses(node.after, post=False))
                self.plan(node).undo = ("c", owner(target) or "") in need
                return need
            case Effect(Call(Method("reverse"), (Var() as target,))):
                self.plan(node).undo = ("c", owner(target) or "") in need
                return need
            case MoveRoot(new, old):
                if ("c", old) in need:
                    need = (need - {("c", old)}) | {("c", new)}
                return self._with(need, self.uses(node.after))
            case Store():
                return self.store(node, stmt, need)
            case If():
                return self.branch(node, stmt, need)
            case For() | While():
                return self.loop(node, stmt, need)
        if node.inner:
            need = self._with(need, self.uses(node.finish))
            for inner in node.inner:
                need = self.block(inner, need)
            need = self._with(need, self.uses(node.before))
        return need

    def _with(self, need: Need, more: set[tuple[str, str]]) -> Need:
        return need | more

    def assign(self, node: Node, stmt: Assign, need: Need) -> Need:
        if stmt.note == "leaf":
            return frozenset(r for r in need if r[1] not in stmt.targets)
        if stmt.note == "swap":
            return self.swap(node, stmt, need)
        need = self._with(need, self.uses(node.after, post=False) | self.uses(node.post, post=False))
        need = self.overwrite(node, stmt.targets, need)
        return self._with(need, self.uses(node.post, post=True) | self.uses(node.after, post=True))

    def overwrite(self, node: Node, targets: tuple[str, ...], need: Need) -> Need:
        plan = self.plan(node)
        plan.names = [t for t in targets if ("v", t) in need or not self.tbr and self._seen(t)]
        return need - {(k, t) for t in targets for k in ("v", "c")}

    def _seen(self, name: str) -> bool:
        return False

    def swap(self, node: Node, stmt: Assign, need: Need) -> Need:
        """A permutation loses nothing: what was needed under one name is needed under another."""
        moved = {v.name: t for t, v in zip(stmt.targets, stmt.values, strict=True) if isinstance(v, Var)}
        self.plan(node).undo = any(name in moved for _, name in need)
        return frozenset((k, moved.get(n, n)) for k, n in need)

    def store(self, node: Node, stmt: Store, need: Need) -> Need:
        need = self._with(need, self.uses(node.after, post=False))
        plan = self.plan(node)
        root = owner(stmt.target) or ""
        plan.part = ("c", root) in need
        if plan.part:
            found: set[tuple[str, str]] = set()
            self._expr_uses(stmt.target, found, None)
            need = self._with(
                need, {f for f in found if f[0] == "v"} | {f for f in found if f[0] == "c" and f[1] != root}
            )
        return self._with(need, self.uses(node.post))

    def branch(self, node: Node, stmt: If, need: Need) -> Need:
        need = self._with(need, self.uses(node.finish))
        plan = self.plan(node)
        plan.ends = [BlockEnd(), BlockEnd()]
        after = self.tables.get(id(stmt), frozenset())
        outcomes = []
        for k, inner in enumerate(node.inner):
            start = self._with(need, self.uses(node.end[k]))
            ended = self.block(inner, start)
            ended = self._with(ended, self.uses(node.start[k]))
            if self.depth:
                block = stmt.then if k == 0 else stmt.orelse
                local = {n for n in all_assigned(block) if n not in after}
                ended = self.at_end(plan.ends[k], inner, local, ended, start)
            outcomes.append(ended)
        need = outcomes[0] | outcomes[1]
        if not node.is_empty or any(self._saves(n) for inner in node.inner for n in inner):
            found: set[tuple[str, str]] = set()
            self._expr_uses(stmt.test, found, None)
            need = self._with(need, found)
        return self._with(need, self.uses(node.before))

    def _saves(self, node: Node) -> bool:
        plan = self.plans.get(id(node))
        own = plan is not None and (
            plan.names or plan.part or plan.undo or plan.outer or any(e.record for e in plan.ends)
        )
        return bool(own) or any(self._saves(n) for inner in node.inner for n in inner)

    def loop(self, node: Node, stmt: For | While, need: Need) -> Need:
        need = self._with(need, self.uses(node.finish))
        plan = self.plan(node)
        targets = set(stmt.targets) if isinstance(stmt, For) else set()
        head = self.tables.get(id(stmt), frozenset())
        local = {n for n in all_assigned(stmt.body) if n not in head} - targets
        plan.outer = sorted({n for k, n in need if k == "v" and (n in local or n in targets)})
        need = frozenset(r for r in need if r[1] not in plan.outer)
        total = need
        (inner,) = node.inner
        self.depth += 1
        while True:
            end = BlockEnd()
            start = self._with(total, self.uses(node.end[0]))
            ended = self.block(inner, start)
            ended = self._with(ended, self.uses(node.start[0]))
            ended = self.at_end(end, inner, local, ended, start)
            ended = frozenset(r for r in ended if r[1] not in targets)
            if ended <= total:
                break
            total = total | ended
        self.depth -= 1
        plan.ends = [end]
        need = total
        if not node.is_empty or any(self._saves(n) for n in inner):
            found: set[tuple[str, str]] = set()
            if isinstance(stmt, For):
                for expr in statement_exprs(stmt):
                    self._expr_uses(expr, found, None)
            trips = trips_of(stmt)
            if trips is not None:
                found.add(("v", trips))
            need = self._with(need, found)
        return self._with(need, self.uses(node.before))

    # -- block-local names ---------------------------------------------------------------------------------------------
    def at_end(self, end: BlockEnd, nodes: list[Node], local: set[str], need: Need, start: Need) -> Need:
        """Names that do not outlive the block are recorded at its end, or computed again at the start of its
        reverse."""
        order = _definition_order(nodes)
        for name in sorted(local, key=lambda n: (-order.get(n, 0), n)):
            if ("v", name) not in need:
                continue
            again = self.computable(name, nodes, need)
            need = need - {("v", name)}
            if ("c", name) in need:
                need = need - {("c", name)}
            if again is not None:
                end.again.insert(0, again)
                found: set[tuple[str, str]] = set()
                self._expr_uses(again.values[0], found, None)
                need = need | found
            else:
                end.record.append(name)
        return need

    def computable(self, name: str, nodes: list[Node], need: Need) -> Assign | None:
        """The statement that gives `name` its value, if it can be run again at the end of the block with the same
        outcome."""
        found = [k for k, n in enumerate(nodes) if name in all_assigned((n.stmt,))]
        if len(found) != 1:
            return None
        stmt = nodes[found[0]].stmt
        if not isinstance(stmt, Assign) or len(stmt.targets) != 1 or not repeatable(stmt.values[0]):
            return None
        value = stmt.values[0]
        later = tuple(n.stmt for n in nodes[found[0] + 1 :])
        changed = all_assigned(later) | {name}
        if any(v.name in changed for v in variables(value)):
            return None
        loads = [e for e in walk(value) if isinstance(e, Index) and isinstance(e.type, Scalar)]
        roots = {owner(e) for e in loads} | {owner(v) for v in variables(value) if isinstance(v.type, ListOf)}
        written = {
            owner(s.target) for s in all_statements(tuple(n.stmt for n in nodes)) if isinstance(s, Store | Append)
        }
        for s in all_statements(later):
            match s:
                case PopLast(source=source) | Effect(Call(Method(), (source, *_))):
                    written.add(owner(source))
        return None if (roots | {name}) & written else stmt


def repeatable(expr: Expr) -> bool:
    """Index arithmetic, shapes, views, single elements: cheaper to compute again than to record."""
    for node in walk(expr):
        if isinstance(node, Call):
            fn = node.fn
            if fn in VIEWS or fn in MAYBE_VIEWS or fn is len or getattr(fn, "__name__", "") in _SHAPE_ONLY:
                continue
            if fn not in _ARITHMETIC or not isinstance(node.type, Scalar):
                return False
        elif not isinstance(node, Var | Const | Index):
            return False
    if isinstance(expr, Var) and not isinstance(expr.type, Scalar | Array):
        return isinstance(expr.type, ListOf)
    return sum(1 for e in walk(expr) if isinstance(e, Call)) <= 3 and not _copies(expr)


def _copies(expr: Expr) -> bool:
    """Whether an index in it makes a new array."""
    return any(
        isinstance(e, Index) and any(isinstance(getattr(i, "type", None), Array | ListOf) for i in e.items)
        for e in walk(expr)
    )


_ARITHMETIC: set[Any] = {
    operator.add, operator.sub, operator.mul, operator.neg, operator.floordiv, operator.mod, int, float,
    operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
}  # fmt: skip


def _definition_order(nodes: list[Node]) -> dict[str, int]:
    order: dict[str, int] = {}
    for k, node in enumerate(nodes):
        for name in all_assigned((node.stmt,)):
            order[name] = k
    return order


def trips_of(stmt: For | While) -> str | None:
    """The name that counts the iterations of a loop whose length is not known before."""
    if isinstance(stmt, For) and stmt.stop is None:
        return None
    last = stmt.body[-1] if stmt.body else None
    if isinstance(last, Assign) and last.note == "trips":
        return last.targets[0]
    return None


_ = Range

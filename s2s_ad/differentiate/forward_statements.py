"""Statements and their tangents, one beside the other.

Enters: the prepared primal, the names that vary.  Leaves: the same statements, each with its tangent: after it, or
before it where the statement overwrites what the tangent needs.

A tangent that is known to be zero stays unwritten until control flow or a store needs it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from s2s_ad.analysis.activity import active_names, owner
from s2s_ad.analysis.liveness import Table
from s2s_ad.analysis.memory import in_list, memory_groups
from s2s_ad.differentiate.bars import is_fresh, zero_type
from s2s_ad.differentiate.forward_expr import ExpressionTangent, zeros_of
from s2s_ad.differentiate.inline_rule import Inliner
from s2s_ad.differentiate.prepare import Preparer
from s2s_ad.ir.names import Names
from s2s_ad.ir.nodes import (
    Append,
    Assign,
    Block,
    Call,
    Display,
    Each,
    Effect,
    Expr,
    For,
    If,
    Index,
    Method,
    PopLast,
    Stmt,
    Store,
    Try,
    Var,
    While,
    With,
    all_assigned,
    all_statements,
    assigned,
    map_children,
    number,
    statement_exprs,
    variables,
)
from s2s_ad.ir.types import ListOf, Scalar, Type, Unknown, is_inexact
from s2s_ad.simplify.algebra import simplify


class Prepared(Preparer):
    """Names for what tangents mention twice; tests and bounds need none, as nothing is asked again."""

    def branch(self, stmt: If, test: Expr, then: Block, orelse: Block) -> Stmt:
        return replace(stmt, then=self.keep(then), orelse=self.keep(orelse))

    def loop(self, stmt: For) -> Stmt:
        return replace(stmt, body=self.inside(stmt.body))


def varied_names(block: Block, leaves: set[str], result: set[str]) -> set[str]:
    """The names whose tangents may differ from zero and matter for the result; views matter as what they look at."""
    every = all_assigned(block) | leaves | {owner(v) or "" for s in all_statements(block) for v in _read(s)}
    useful = active_names(block, leaves, result)
    groups = memory_groups(block)
    return {name for name in active_names(block, leaves, every) if useful & groups.get(name, {name})}


def _read(stmt: Stmt) -> Iterable[Var]:
    return (v for e in statement_exprs(stmt) for v in variables(e))


class Eager(Exception):
    """The zero tangent of a name was needed where the name may be unbound: it must be written where the name is
    bound."""

    def __init__(self, name: str) -> None:
        self.name = name


class ForwardSweep:
    def __init__(
        self,
        names: Names,
        inliner: Inliner,
        types: dict[str, Type],
        varied: set[str],
        dots: dict[str, str],
        leaves: set[str],
        live: Table,
    ) -> None:
        self.names = names
        self.types = types
        self.varied = varied
        self.arguments = dots
        self.dots: dict[str, str] = dict(dots)
        self.leaves = leaves
        self.live = live
        # At the start only the arguments that are differentiated have tangents.
        self.zero: set[str] = varied - set(dots)
        self.buffers: set[str] = set()
        self.eager: set[str] = set()
        self.bound: set[str] = set()
        self.unsure: set[str] = set()  # bound on some paths
        self.out: list[Stmt] = []
        self.expressions = ExpressionTangent(inliner, self.dot_of, names.fresh, self.emit)

    def emit(self, stmt: Stmt) -> None:
        self.out.append(stmt)

    def dot_of(self, name: str) -> str | None:
        """The name of the tangent of `name`, unless it is zero here."""
        return self.dot(name) if name in self.varied and name not in self.zero else None

    def dot(self, name: str) -> str:
        if name not in self.dots:
            self.dots[name] = self.names.fresh(f"{name}_dot")
        return self.dots[name]

    # -- blocks --------------------------------------------------------------------------------------------------------
    def block(self, block: Block) -> list[Stmt]:
        saved, self.out = self.out, []
        for stmt in block:
            self.statement(stmt)
            self.bound |= set(assigned(stmt))
        done, self.out = self.out, saved
        return done

    def statement(self, stmt: Stmt) -> None:
        match stmt:
            case Assign(targets) if len(targets) > 1:
                self.parallel(stmt)
            case Assign():
                self.assign(stmt)
            case Store():
                self.store(stmt)
            case Append(target, value):
                self.emit(stmt)
                if self.has_dot(target):
                    self.emit(Append(self.mirrored(target), self.own(value, self.expressions.filled(value))))  # type: ignore[arg-type]
            case PopLast():
                self.pop(stmt)
            case Effect(Call(Method() as method, (target, *rest))) if self.has_dot(target):
                self.emit(stmt)
                more = tuple(self.expressions.filled(e) if is_inexact(e.type) else e for e in rest)
                self.emit(Effect(Call(method, (self.mirrored(target), *more), (), stmt.value.type, _style(stmt.value))))
            case If():
                self.branch(stmt)
            case For() | While():
                self.loop(stmt)
            case With(_, body):
                self.emit(replace(stmt, body=tuple(self.block(body))))
            case Try():
                self.attempt(stmt)
            case _:
                self.emit(stmt)

    def has_dot(self, expr: Expr) -> bool:
        """Whether the object that a reference leads to has a tangent."""
        base = expr
        while isinstance(base, Index):
            base = base.base
        return isinstance(base, Var) and self.dot_of(base.name) is not None

    def mirrored(self, expr: Expr) -> Expr:
        """The same part of the tangent's object."""
        match expr:
            case Var(name, type_):
                return Var(self.dot(name), zero_type(type_))
            case Index(base, items, type_):
                return Index(self.mirrored(base), items, zero_type(type_), single=expr.single)
        return expr

    # -- assignments ---------------------------------------------------------------------------------------------------
    def assign(self, stmt: Assign) -> None:
        (name,), (value,) = stmt.targets, stmt.values
        if stmt.note in ("leaf", "entry copy") and name in self.leaves:
            self.emit(stmt)
            self.emit(Assign((self.dot(name),), (self.of_argument(value),)))
            self.zero.discard(name)
            return
        if name not in self.varied:
            self.emit(stmt)
            return
        before, after, g, last = self.ordered(stmt, name, value)
        if g is None:
            self.emit(stmt)
            self.zero.add(name)
            if name in self.buffers or name in self.eager or isinstance(value.type, ListOf):
                self.bound.add(name)
                self.settle(name, value)
            return
        for s in before:
            self.emit(s)
        dot = self.dot(name)
        tangent = Assign((dot,), (g,))
        if last:
            self.emit(tangent)
            self.emit(stmt)
        else:
            self.emit(
                stmt if not after or not isinstance(after[0], Assign) or after[0].note != "value" else after.pop(0)
            )
            for s in after:
                self.emit(s)
            self.emit(tangent)
            if self.renamed is not None:
                self.emit(replace(stmt, values=(self.renamed,), line=0))
        self.zero.discard(name)

    def ordered(self, stmt: Assign, name: str, value: Expr) -> tuple[list[Stmt], list[Stmt], Expr | None, bool]:
        """What runs before the statement, what after it, the tangent, and whether the tangent runs before it, too."""
        self.renamed: Expr | None = None
        post = Var(name, value.type, post=True)
        saved = self.names.snapshot()
        stmts, g = self.collected(name, value, post, lambda _: False)
        if g is None:
            return [], [], None, False
        old, new = _mentions(stmts, g, name, post=False), _mentions(stmts, g, name, post=True)
        if not old:
            return [], stmts, g, False
        if not new:
            return stmts, [], g, True
        # The tangent needs both what the name held and what it will hold.
        self.names.restore(saved | set(self.dots.values()))
        stmts, g = self.collected(name, value, post, lambda e: _mentions([], e, name, post=False))
        assert g is not None
        first = next((k for k, s in enumerate(stmts) if _mentions([s], number(0.0), name, post=True)), len(stmts))
        before, after = stmts[:first], stmts[first:]
        if not _mentions(after, g, name, post=False):
            return before, after, g, False
        self.names.restore(saved | set(self.dots.values()))
        held = Var(self.names.fresh("value"), value.type)
        stmts, g = self.collected(name, value, held, lambda _: False)
        self.renamed = held
        return [], [Assign((held.name,), (value,), stmt.line, "value"), *stmts], g, False

    def collected(self, name: str, value: Expr, result: Expr, hold: Any) -> tuple[list[Stmt], Expr | None]:
        """The tangent of `name = value`, and the statements that it needs."""
        saved, self.out = self.out, []
        self.expressions.hold = hold
        g = self.expressions.whole(value, result)
        self.expressions.hold = lambda _: False
        if g is not None:
            g = self.own(value, g) if name in self.buffers else simplify(g)
        stmts, self.out = self.out, saved
        return stmts, g

    def own(self, value: Expr, g: Expr) -> Expr:
        """A tangent that will be written in place is a buffer of its own where its value is one."""
        g = simplify(g)
        if isinstance(g.type, Scalar) or is_fresh(g) or isinstance(g, Display) or not is_fresh(value):
            return g
        if isinstance(g.type, ListOf):
            return g
        return Call(np.copy, (g,), (), g.type, "method:copy" if isinstance(g, Var) else "function")

    def of_argument(self, value: Expr) -> Expr:
        """The same way into the tangent of an argument."""
        if isinstance(value, Var) and value.name in self.arguments:
            return replace(value, name=self.arguments[value.name], place=None)
        return map_children(value, self.of_argument)

    def settle(self, name: str, value: Expr | None = None) -> None:
        """Write out a zero tangent."""
        if name not in self.bound and not isinstance(self.types.get(name), Scalar):
            if name in self.unsure and name not in self.eager:
                raise Eager(name)
            self.zero.discard(name)
            return
        type_ = self.types.get(name, value.type if value is not None else Unknown())
        zeros: Expr = zeros_of(Var(name, type_))
        if isinstance(value, Display):
            zeros = zeros_of(value)
        self.emit(Assign((self.dot(name),), (zeros,)))
        self.zero.discard(name)

    def parallel(self, stmt: Assign) -> None:
        """`a, b = b, a`, and the same of the tangents."""
        targets: list[str] = []
        values: list[Expr] = []
        zero: set[str] = set()
        for name, value in zip(stmt.targets, stmt.values, strict=True):
            if name not in self.varied:
                continue
            g = self.expressions.whole(value)
            if g is None and name not in self.buffers | self.eager and not isinstance(value.type, ListOf):
                zero.add(name)
                continue
            targets.append(self.dot(name))
            values.append(zeros_of(value) if g is None else self.own(value, g))
        if targets:
            self.emit(Assign(tuple(targets), tuple(values), note=stmt.note))
        self.emit(stmt)
        self.zero = (self.zero - set(stmt.targets)) | zero

    def pop(self, stmt: PopLast) -> None:
        self.emit(stmt)
        if not self.has_dot(stmt.source):
            self.zero |= set(stmt.targets) & self.varied
            for name in sorted(set(stmt.targets) & self.varied & self.eager):
                self.bound.add(name)
                self.settle(name)
            return
        source = self.mirrored(stmt.source)
        assert isinstance(source, Var)
        self.emit(PopLast(tuple(self.dot(t) for t in stmt.targets), source, tuple(zero_type(t) for t in stmt.types)))
        self.zero -= set(stmt.targets)

    # -- stores --------------------------------------------------------------------------------------------------------
    def store(self, stmt: Store) -> None:
        if not self.has_dot(stmt.target):
            self.emit(stmt)
            return
        target: Any = self.mirrored(stmt.target)
        if stmt.op in (operator.add, operator.sub, "add_at"):
            g = self.expressions.small(stmt.value)
            if g is not None:
                self.emit(Store(target, simplify(g), stmt.op))
            self.emit(stmt)
            return
        if stmt.op in (operator.mul, operator.truediv) and not self.expressions.is_active(stmt.value):
            self.emit(Store(target, stmt.value, stmt.op))
            self.emit(stmt)
            return
        value = stmt.value if stmt.op is None else Call(stmt.op, (stmt.target, stmt.value), (), stmt.target.type, "op")
        if self.stored_first(stmt, target, value):
            return
        g = self.expressions.small(value)
        if g is None:
            g = self.zero_item(stmt)
        elif isinstance(stmt.target, Index) and not isinstance(stmt.target.type, Scalar) and in_list(stmt.target):
            g = self.own(value, self.expressions.spread(g, value))
        self.emit(Store(target, simplify(g)))
        self.emit(stmt)

    def stored_first(self, stmt: Store, target: Any, value: Expr) -> bool:
        """The store, then its tangent by the stored value: where the tangent needs the result and nothing
        overwritten."""
        root = owner(stmt.target)
        if not isinstance(value, Call) or not isinstance(stmt.target.type, Scalar) or value.type != stmt.target.type:
            return False
        marked = _marked(stmt.target)
        saved, self.out = self.out, []
        names = self.names.snapshot()
        g = self.expressions.small(value, marked)
        stmts, self.out = self.out, saved
        exprs = [e for s in all_statements(tuple(stmts)) for e in statement_exprs(s)] + ([] if g is None else [g])
        marks = [v for e in exprs for v in variables(e) if v.post]
        others = [v for e in exprs for v in variables(e) if owner(v) == root and not v.post]
        dotted = [v for e in exprs for v in variables(e) if v.name == self.dots.get(root or "")]
        if g is None or not marks or others or dotted:
            self.names.restore(names | set(self.dots.values()))
            return False
        self.emit(stmt)
        self.out += stmts
        self.emit(Store(target, simplify(g)))
        return True

    def zero_item(self, stmt: Store) -> Expr:
        if in_list(stmt.target):
            return zeros_of(stmt.value)
        return number(0.0)

    # -- control flow --------------------------------------------------------------------------------------------------
    def branch(self, stmt: If) -> None:
        entry, bound = set(self.zero), set(self.bound)
        then = self.block(stmt.then)
        after_then, self.zero = self.zero, entry
        bound_then, self.bound = self.bound, bound
        orelse = self.block(stmt.orelse)
        after_else, bound_else = self.zero, self.bound
        mixed = sorted((after_then ^ after_else) & self.varied & self.live[id(stmt)])
        self.bound = bound_then
        then += self.settled([n for n in mixed if n in after_then])
        self.bound = bound_else
        orelse += self.settled([n for n in mixed if n in after_else])
        self.bound = bound_then & bound_else
        self.unsure |= bound_then ^ bound_else
        self.zero = (after_then | after_else) - set(mixed)
        self.emit(replace(stmt, then=tuple(then), orelse=tuple(orelse)))

    def settled(self, names: list[str]) -> list[Stmt]:
        """Statements that write out the zero tangents of these names."""
        saved, self.out = self.out, []
        for name in names:
            self.settle(name)
        done, self.out = self.out, saved
        return done

    def loop(self, stmt: For | While) -> None:
        """What is zero at the head of every iteration is found by trial."""
        entry, saved, bound = set(self.zero), self.names.snapshot(), set(self.bound)
        head = set(entry)
        while True:
            self.zero, self.bound = set(head), set(bound)
            looped = self.body(stmt)
            started = head - self.zero
            if not started:
                break
            head -= started
            self.names.restore(saved | set(self.dots.values()))
        live = self.live[id(stmt)]
        ended = sorted((self.zero - head) & self.varied & live)
        looped = replace(looped, body=(*looped.body, *self.settled(ended)))
        self.unsure |= self.bound - bound
        self.bound = bound
        for name in sorted((entry - head) & live):
            self.settle(name)
        self.zero = head
        self.emit(looped)

    def body(self, stmt: For | While) -> For | While:
        """The loop over primals and tangents at once."""
        if not (isinstance(stmt, For) and isinstance(stmt.iter, Each)):
            return replace(stmt, body=tuple(self.block(stmt.body)))
        items = self.expressions.whole(stmt.iter.items)
        if items is None:
            self.zero |= set(stmt.targets) & self.varied
            self.bound |= set(stmt.targets)
            return replace(stmt, body=tuple(self.block(stmt.body)))
        self.zero -= set(stmt.targets)
        self.bound |= set(stmt.targets)
        targets = (*stmt.targets, *(self.dot(t) for t in stmt.targets))
        types = (*stmt.types, *(zero_type(t) for t in stmt.types))
        body = tuple(self.block(stmt.body))
        return replace(stmt, targets=targets, types=types, iter=replace(stmt.iter, tangents=items), body=body)

    def attempt(self, stmt: Try) -> None:
        """Handlers may start anywhere in the body: what the body changes is written out before it."""
        changed = all_assigned(stmt.body) & self.varied & self.zero
        for name in sorted(n for n in changed if isinstance(self.types.get(n), Scalar)):
            self.settle(name)
        body = self.block(stmt.body)
        ends = [self.zero]
        handlers = []
        for kind, caught, block in stmt.handlers:
            self.zero = set(ends[0])
            handlers.append((kind, caught, self.block(block)))
            ends.append(self.zero)
        common = set.intersection(*ends)
        mixed = (set.union(*ends) - common) & self.varied
        body += self.settled(sorted(mixed & ends[0]))
        for (_, _, block_), zero in zip(handlers, ends[1:], strict=True):
            block_ += self.settled(sorted(mixed & zero))
        self.zero = common
        final = self.block(stmt.final)
        done = tuple((kind, caught, tuple(block_)) for kind, caught, block_ in handlers)
        self.emit(replace(stmt, body=tuple(body), handlers=done, final=tuple(final)))


def _style(expr: Expr) -> str:
    return expr.style if isinstance(expr, Call) else "function"


def _mentions(stmts: list[Stmt], g: Expr, name: str, *, post: bool) -> bool:
    exprs = [e for s in all_statements(tuple(stmts)) for e in statement_exprs(s)] + [g]
    return any(v.name == name and v.post == post for e in exprs for v in variables(e))


def _marked(target: Expr) -> Expr:
    """A reference to what a store has just written."""
    match target:
        case Var():
            return replace(target, post=True)
        case Index(base):
            return replace(target, base=_marked(base), place=None)
    return target

"""The adjoints of stores and of what is done to lists.

Enters: a statement that writes in place, the cotangents so far.  Leaves: statements that move the cotangents of what
was written to what was stored.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from s2s_ad.analysis.activity import is_active, owner
from s2s_ad.analysis.adjoint_nodes import Node
from s2s_ad.differentiate.adjoint_expr import Contribution, ExpressionAdjoint, access
from s2s_ad.differentiate.bars import Bar, Bars, gathers, is_fresh, zero_type, zeros
from s2s_ad.differentiate.fit import fit, is_smaller, spread_out
from s2s_ad.differentiate.inline_rule import Inliner
from s2s_ad.ir.names import Names
from s2s_ad.ir.nodes import (
    Append,
    Assign,
    Call,
    Const,
    Display,
    Expr,
    Index,
    PopLast,
    Slice,
    Step,
    Stmt,
    Store,
    Var,
    number,
    variables,
)
from s2s_ad.ir.types import Array, ListOf, Scalar, TupleOf, Type, Unknown
from s2s_ad.simplify.algebra import simplify


class Stores:
    """The part of the sweep for statements that write in place; it holds what all parts of the sweep share."""

    def __init__(
        self, names: Names, active: Iterable[str], types: dict[str, Type], written: frozenset[str] = frozenset()
    ) -> None:
        self.written_owners = written
        self.names = names
        self.active = frozenset(active)
        self.types = types
        self.bars = Bars(names, types)
        self.inliner = Inliner(names)
        self.unborn: dict[int, frozenset[str]] = {}  # for each branch: names that are first bound in it or later
        self.killed: set[str] = set()  # arrays some of whose elements were overwritten: their cotangent is zero there

    def written(self, stmts: list[Stmt]) -> None:
        """Statements from here on are written to `stmts`."""
        self.bars.out = stmts

    def flush(self, found: list[Contribution], target: str, bar: Bar | None) -> None:
        """Add contributions; those to the name whose cotangent they are made of come last."""
        own = [c for c in found if c.key == target]
        others = [c for c in found if c.key != target]
        passed = [c for c in found if bar is not None and isinstance(c.g, Var) and c.g.name == bar.name]
        for c in [*_merged(others), *_merged(own)]:
            fresh = c.key not in self.bars.state
            self.bars.add(c.key, c.path, c.g, c.like)
            if bar is not None and bar.owned and [c] == passed and fresh and not c.path:
                # The buffer moves on: it stays owned, as nothing else was given it.
                self.bars.state[c.key] = replace(self.bars.state[c.key], owned=True)

    def store(self, node: Node, stmt: Store) -> None:
        found = access(stmt.target)
        assert found is not None
        key, path = found
        if key not in self.bars.state:
            return
        if isinstance(self.types.get(key), ListOf) and not isinstance(stmt.target.type, Array):
            self.store_item(node, stmt, key, path)
            return
        if stmt.op == "add_at" or (stmt.op in (operator.add, operator.sub) and not gathers(stmt.target)):
            self.add_in_place(node, stmt, key, path)
            return
        value = stmt.value
        if stmt.op is not None:
            value = Call(stmt.op, (stmt.target, value), (), stmt.target.type, "op")
        self.overwrite(node, stmt, key, path, value)

    def add_in_place(self, node: Node, stmt: Store, key: str, path: tuple[Step, ...]) -> None:
        """`y[i] += e`: the cotangent of y stays as it is, and flows to e, too."""
        value = (
            stmt.value if stmt.op is not operator.sub else Call(operator.neg, (stmt.value,), (), stmt.value.type, "op")
        )
        if not is_active(value, self.active):
            return
        g = self.part(key, path, stmt.target.type)
        if any(access_key(v) == key for v in variables(value)):
            g = self.copied(g)
        elif not isinstance(g, Var) and isinstance(stmt.value, Call):
            g = self.named(g)
        adjoint = ExpressionAdjoint(self.inliner, self.active, self.names.fresh, self.bars.emit)
        if is_smaller(g.type, stmt.target.type):
            from s2s_ad.differentiate.fit import shape_of

            g = spread_out(g, stmt.target.type, shape_of(stmt.target))
        self.into_value(adjoint, value, g, stmt.target)
        self.flush(adjoint.found, "", None)

    def into_value(self, adjoint: ExpressionAdjoint, value: Expr, g: Expr, target: Expr) -> None:
        """A store broadcasts its value: the cotangent is summed back."""
        fitted = fit(g, value.type, value) if _differs(value.type, target.type) else g
        adjoint.run(value, simplify(fitted))

    def part(self, key: str, path: tuple[Step, ...], type_: Type) -> Expr:
        """The cotangent of a part of an array, as an expression."""
        if not path:
            return self.bars.state[key].var
        bar = self.bars.whole(key, path)
        part: Expr = self.bars.at(bar.var, path)
        return replace(part, type=zero_type(type_)) if isinstance(part, Index | Var) else part

    def named(self, g: Expr) -> Expr:
        name = self.names.fresh("t_bar")
        self.bars.emit(Assign((name,), (g,)))
        return Var(name, g.type)

    def copied(self, g: Expr) -> Expr:
        """The cotangent under a name, safe from what is written into its buffer."""
        copy = g if isinstance(g.type, Scalar) else Call(np.copy, (g,), (), g.type, "method:copy")
        return self.named(copy)

    def overwrite(self, node: Node, stmt: Store, key: str, path: tuple[Step, ...], value: Expr) -> None:
        """`y[i] = e`: what flows to e is the cotangent of y[i], which is zero before."""
        reads = [v for v in references(value) if owner(v) == key and key in self.active]
        other = [v for v in reads if not self.same_part(v, stmt.target)]
        target = self.part(key, path, stmt.target.type)
        g: Expr = target
        flows = is_active(value, self.active)
        zero = _zero_like(target)
        if gathers(target) and flows:
            g = self.winners(stmt, key, target)
        if not flows:
            self.clear(key, path, target, zero)
            return
        if is_smaller(g.type, stmt.target.type):
            from s2s_ad.differentiate.fit import shape_of

            g = spread_out(g, stmt.target.type, shape_of(stmt.target))
        many = len(references(value)) > 1 or not isinstance(target, Var)
        if reads and other:
            g = self.copied(g)
        elif reads or gathers(target):
            g = self.copied(g) if self._uses_more_than_once(value, key) or gathers(target) else g
        elif many and isinstance(g.type, Scalar):
            g = self.named(g)
        adjoint = ExpressionAdjoint(self.inliner, self.active, self.names.fresh, self.bars.emit)
        self.into_value(adjoint, value, g, stmt.target)
        if reads and not other:
            self.replace_own(adjoint.found, key, path, target)
            return
        mine = [c for c in adjoint.found if c.key == key]
        if not mine and not other:
            self.flush([self.detached(c) for c in adjoint.found], "", None)
            self.clear(key, path, target, zero)
            return
        exact = [c for c in adjoint.found if c.key == key and c.path == path] if path else []
        if exact:
            (own,) = _merged(exact)
            self.bars.emit(Store(target, own.g))  # type: ignore[arg-type]
        else:
            self.clear(key, path, target, zero)
        self.flush([c for c in adjoint.found if c not in exact], "", None)

    def detached(self, c: Contribution) -> Contribution:
        """A contribution that is a view of a cotangent about to be cleared is copied, if it would be kept."""
        if c.path or c.key in self.bars.state or isinstance(c.g.type, Scalar) or is_fresh(c.g):
            return c
        return replace(c, g=Call(np.copy, (c.g,), (), c.g.type, "method:copy"))

    def _uses_more_than_once(self, value: Expr, key: str) -> bool:
        return sum(1 for v in references(value) if owner(v) in self.active) > 1

    def clear(self, key: str, path: tuple[Step, ...], target: Expr, zero: Expr) -> None:
        if not path:
            self.bars.take(key)
        else:
            self.bars.emit(Store(target, zero))  # type: ignore[arg-type]
            if _is_masked(target):
                self.killed.add(key)

    def replace_own(self, found: list[Contribution], key: str, path: tuple[Step, ...], target: Expr) -> None:
        """`y[i] = f(y[i], ...)`: the new cotangent of y[i] takes the old one's place."""
        self.flush([c for c in found if c.key != key], "", None)
        own = [c.g for c in found if c.key == key]
        if not own:
            self.clear(key, path, target, _zero_like(target))
            return
        total = own[0]
        for more in own[1:]:
            total = Call(operator.add, (total, more), (), _sum_type(total.type, more.type), "op")
        if not path:
            self.bars.take(key)
            self.bars.set(key, simplify(total))
        elif (
            isinstance(total, Call)
            and total.fn is operator.mul
            and total.args[0] == target
            and not isinstance(target.type, Scalar)
        ):
            self.bars.emit(Store(target, total.args[1], operator.mul))  # type: ignore[arg-type]
        elif total != target:
            self.bars.emit(Store(target, simplify(total)))  # type: ignore[arg-type]

    def same_part(self, reference: Expr, target: Expr) -> bool:
        a, c = access(reference), access(target)
        return a is not None and a == c and not _has_run_time_views(a[1])

    def winners(self, stmt: Store, key: str, target: Expr) -> Expr:
        """Of equal indices only the last one's value is in the array: the others get nothing."""
        from s2s_ad.differentiate.fit import shape_of
        from s2s_ad.rules.runtime import last_writes

        assert isinstance(target, Index)
        if any(isinstance(i, Slice) for i in target.items):
            return self.winners_of_rows(target)
        index = target.items[0] if len(target.items) == 1 else Display("tuple", target.items, TupleOf(()))
        shape = shape_of(target.base)
        keep = Call(last_writes, (shape, index), (), _boolean(target.type))
        return Call(np.where, (keep, target, number(0.0)), (), target.type)

    def winners_of_rows(self, target: Index) -> Expr:
        from s2s_ad.differentiate.fit import shape_of
        from s2s_ad.rules.runtime import last_writes

        items = tuple(
            Call(slice, tuple(Const(None) if p is None else p for p in (i.start, i.stop, i.step)))
            if isinstance(i, Slice)
            else i
            for i in target.items
        )
        index = items[0] if len(items) == 1 else Display("tuple", items, TupleOf(()))
        keep = Call(last_writes, (shape_of(target.base), index), (), _boolean(target.type))
        return Call(np.where, (keep, target, number(0.0)), (), target.type)

    def store_item(self, node: Node, stmt: Store, key: str, path: tuple[Step, ...]) -> None:
        """`xs[k] = v` in a list: the item's cotangent flows to v, and is zero before."""
        if not self.bars.state[key].owned:
            bar = self.bars.state[key]
            self.bars.set(key, Call(list, (bar.var,), (), bar.type), owned=True)
        target: Expr = self.bars.state[key].var
        for step in path:
            assert step.items is not None
            target = Index(target, step.items, stmt.target.type)
        names = self.taken_item(target, stmt.value)
        zero = _zero_item(stmt.value)
        self.bars.emit(Store(target, zero))  # type: ignore[arg-type]
        adjoint = ExpressionAdjoint(self.inliner, self.active, self.names.fresh, self.bars.emit)
        adjoint.run(stmt.value, names)
        self.flush(adjoint.found, "", None)

    def taken_item(self, item: Expr, value: Expr) -> Expr:
        name = self.names.fresh("item_bar")
        self.bars.emit(Assign((name,), (item,)))
        return Var(name, zero_type(value.type))

    def append(self, stmt: Append) -> None:
        key = owner(stmt.target) or ""
        bar = self.bars.state.get(key)
        if bar is None:
            return
        if not bar.owned:
            self.bars.set(key, Call(list, (bar.var,), (), bar.type), owned=True)
            bar = self.bars.state[key]
        self.give_back(bar, stmt.value)

    def give_back(self, bar: Bar, value: Expr) -> None:
        """`value_bar += list_bar.pop()`."""
        hint = f"{owner(value) or 'item'}_bar" if isinstance(value, Var) else "item_bar"
        if isinstance(value, Display) and isinstance(value.type, TupleOf):
            names = tuple(self.names.fresh("item_bar") for _ in value.items)
            types = tuple(zero_type(t) for t in value.type.items)
            self.bars.emit(PopLast(names, bar.var, types))
            parts = [(item, Var(n, t)) for item, n, t in zip(value.items, names, types, strict=True)]
        else:
            name = self.names.fresh("item_bar")
            self.bars.emit(PopLast((name,), bar.var, (zero_type(value.type),)))
            parts = [(value, Var(name, zero_type(value.type)))]
        _ = hint
        for item, g in parts:
            if is_active(item, self.active):
                adjoint = ExpressionAdjoint(self.inliner, self.active, self.names.fresh, self.bars.emit)
                adjoint.run(item, g)
                self.flush(adjoint.found, "", None)

    def pop(self, node: Node, stmt: PopLast) -> None:
        """`v = xs.pop()`: v's cotangent goes back to the end of the list's."""
        key = owner(stmt.source) or ""
        if key not in self.active:
            for target in stmt.targets:
                self.bars.take(target)
            return
        taken = [self.bars.take(t) for t in stmt.targets]
        if key not in self.bars.state and all(b is None for b in taken):
            return
        self.written(node.post)  # the list is as long as it is after the pop, and the names hold what was popped
        if key not in self.bars.state:
            self.bars.set(key, zeros(key, self.types[key]), owned=True)
        elif not self.bars.state[key].owned:
            bar = self.bars.state[key]
            self.bars.set(key, Call(list, (bar.var,), (), bar.type), owned=True)
        parts = tuple(
            self.own(b) if b is not None else zeros(t, type_)
            for t, b, type_ in zip(stmt.targets, taken, stmt.types, strict=True)
        )
        value = parts[0] if len(parts) == 1 else Display("tuple", parts, TupleOf(tuple(p.type for p in parts)))
        self.bars.emit(Append(self.bars.state[key].var, value))

    def own(self, bar: Bar) -> Expr:
        if bar.owned or isinstance(bar.type, Scalar):
            return bar.var
        return Call(np.copy, (bar.var,), (), bar.type, "method:copy")


def _is_masked(target: Expr) -> bool:
    return isinstance(target, Index) and any(
        isinstance(getattr(i, "type", None), Array) and i.type.dtype.kind == "b" for i in target.items
    )


def access_key(var: Var) -> str:
    return var.place.root if var.place is not None else var.name


def references(expr: Expr) -> list[Expr]:
    """The names, and parts of names, that an expression reads."""
    match expr:
        case Var() | Index():
            if access(expr) is not None:
                return [expr]
    from s2s_ad.ir.nodes import children

    return [r for c in children(expr) for r in references(c)]


def _merged(found: list[Contribution]) -> list[Contribution]:
    """Contributions to the same part, added up."""
    out: list[Contribution] = []
    for c in found:
        for k, other in enumerate(out):
            if other.key == c.key and other.path == c.path and not isinstance(c.like.type, ListOf):
                total = Call(operator.add, (other.g, c.g), (), _sum_type(other.g.type, c.g.type), "op")
                out[k] = replace(other, g=doubled(total))
                break
        else:
            out.append(c)
    return [replace(c, g=simplify(c.g)) for c in out]


def doubled(total: Call) -> Expr:
    """`a + a` as `2 * a`."""
    x, y = total.args
    return Call(operator.mul, (number(2.0), x), (), total.type, "op") if x == y and _is_float(x.type) else total


def _is_float(type_: Type) -> bool:
    return isinstance(type_, Array | Scalar) and type_.dtype.kind in "fc"


def _sum_type(a: Type, b: Type) -> Type:
    from s2s_ad.build.types import result_type

    return result_type(operator.add, (a, b), {}, "sum") or Unknown()


def _zero_like(target: Expr) -> Expr:
    return number(0.0)


def _zero_item(value: Expr) -> Expr:
    match value:
        case Display("tuple", items):
            return Display("tuple", tuple(_zero_item(i) for i in items), value.type)
    if isinstance(value.type, Array | ListOf | Unknown):
        from s2s_ad.ir.nodes import ZerosLike

        return ZerosLike(value, zero_type(value.type))
    return number(0.0)


def _boolean(type_: Type) -> Type:
    return Array(np.dtype(bool), type_.dims) if isinstance(type_, Array) else Unknown(np.dtype(bool))


def _differs(value: Type, target: Type) -> bool:
    if isinstance(value, Scalar) and isinstance(target, Scalar):
        return value.dtype.kind != target.dtype.kind
    return value != target


def _has_run_time_views(path: tuple[Step, ...]) -> bool:
    return False

"""The reverse sweep: for each statement of the primal, the statements that are its adjoint.

Enters: the prepared primal, its active names, the cotangents of its result.  Leaves: a tree of `Node`s, one a
statement, each with its adjoint in two parts (before and after the overwritten value is restored). What must be
recorded is decided later, by `analysis.recording`, from what these statements mention.
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
    Block,
    Call,
    Const,
    Display,
    Each,
    Effect,
    Expr,
    For,
    If,
    Index,
    Method,
    MoveRoot,
    Place,
    PopLast,
    Range,
    Slice,
    Step,
    Stmt,
    Store,
    Try,
    Var,
    While,
    With,
    all_assigned,
    map_children,
    map_statement,
    number,
    variables,
    walk,
)
from s2s_ad.ir.types import FLOAT, INT, Array, ListOf, Scalar, TupleOf, Type, Unknown
from s2s_ad.simplify.algebra import simplify


class Sweep:
    """Walks the primal backwards and writes the adjoint of each statement."""

    def __init__(
        self, names: Names, active: Iterable[str], types: dict[str, Type], written: frozenset[str] = frozenset()
    ) -> None:
        self.written_owners = written
        self.names = names
        self.active = frozenset(active)
        self.types = types
        self.bars = Bars(names, types)
        self.inliner = Inliner(names)
        self.killed: set[str] = set()  # arrays some of whose elements were overwritten: their cotangent is zero there

    # -- blocks --------------------------------------------------------------------------------------------------------
    def block(self, block: Block) -> list[Node]:
        nodes = [self.statement(stmt) for stmt in reversed(block)]
        return nodes[::-1]

    def written(self, stmts: list[Stmt]) -> None:
        """Statements from here on are written to `stmts`."""
        self.bars.out = stmts

    def statement(self, stmt: Stmt) -> Node:
        node = Node(stmt)
        self.written(node.after)
        match stmt:
            case Assign():
                self.assign(node, stmt)
            case MoveRoot():
                self.move(stmt)
            case Store():
                self.store(node, stmt)
            case Append():
                self.append(stmt)
            case PopLast():
                self.pop(node, stmt)
            case Effect(Call(Method("reverse"), (Var() as items,))):
                bar = self.bars.state.get(owner(items) or "")
                if bar is not None:
                    self.bars.emit(Effect(Call(Method("reverse"), (bar.var,), (), FLOAT, "method:reverse")))
            case If():
                self.branch(node, stmt)
            case For() | While():
                self.loop(node, stmt)
            case With(_, body):
                node.inner = [self.block(body)]
                node.start, node.end = [[]], [[]]
            case Try():
                self.attempt(node, stmt)
        return node

    def attempt(self, node: Node, stmt: Try) -> None:
        node.inner = [self.block(stmt.body)]
        node.start, node.end = [[]], [[]]

    # -- assignments ---------------------------------------------------------------------------------------------------
    def assign(self, node: Node, stmt: Assign) -> None:
        if len(stmt.targets) > 1:
            self.parallel(node, stmt)
            return
        (target,), (value,) = stmt.targets, stmt.values
        if stmt.note == "leaf":
            return
        if is_alias(value) and target not in self.bars.state:
            return  # one more name for memory whose owner has the cotangent
        bar = self.bars.take(target)
        if bar is None:
            return
        self.flow(node, target, value, bar)

    def flow(self, node: Node, target: str, value: Expr, bar: Bar) -> None:
        """The adjoint of `target = value`, whose cotangent is `bar`."""
        g: Expr = bar.var
        post: list[Stmt] = []
        if _reads_part_of(value, target):
            name = self.names.fresh("t_bar")
            post.append(Assign((name,), (g,)))
            g = Var(name, g.type)
        adjoint = ExpressionAdjoint(self.inliner, self.active, self.names.fresh, post.append, target in self.killed)
        named = self.result(target, value.type)
        start = len(post)
        if isinstance(value, ZerosLikeTypes):
            pass
        adjoint.run(value, g, named)
        _ = start
        if target in self.killed:
            self.killed |= {c.key for c in adjoint.found}
        self.release(node, post, adjoint.found, target, bar)

    def result(self, target: str, type_: Type) -> Var:
        """The value that a statement has just given to a name."""
        return Var(target, type_, Place(target) if target in self.written_owners else None, post=True)

    def release(self, node: Node, post: list[Stmt], found: list[Contribution], target: str, bar: Bar) -> None:
        """Write what was collected: first all that uses the new value, then what uses the old ones."""
        late = any(v.post for c in found for v in variables(c.g))
        last = len(post) - 1 if late else max((k for k, s in enumerate(post) if _uses_post(s)), default=-1)
        early = [e for s in post[: last + 1] for e in _exprs_of(s)] + [
            c.g for c in found if any(v.post for v in variables(c.g))
        ]
        if any(isinstance(v, Var) and v.name == target and not v.post for e in early for v in walk(e)):
            post, found = self.keep_result(node, post, found, target)
            last = -1
        node.post += post[: last + 1]
        node.after += post[last + 1 :]
        contributions = []
        for c in found:
            if any(v.post for v in variables(c.g)):
                name = self.names.fresh("t_bar")
                node.post.append(Assign((name,), (c.g,)))
                c = replace(c, g=Var(name, c.g.type))
            contributions.append(c)
        self.flush(contributions, target, bar)

    def keep_result(
        self, node: Node, post: list[Stmt], found: list[Contribution], target: str
    ) -> tuple[list[Stmt], list[Contribution]]:
        """Both the old and the new value are needed at once: the new one gets a name of its own before the old is
        restored."""
        name = self.names.fresh(f"{target}_new")
        type_ = self.types.get(target, Unknown())
        node.post.append(Assign((name,), (self.result(target, type_),)))

        def renamed(e: Expr) -> Expr:
            if isinstance(e, Var):
                return Var(name, e.type) if e.post and e.name == target else e
            return map_children(e, renamed)

        return [map_statement(s, renamed) for s in post], [replace(c, g=renamed(c.g)) for c in found]

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

    def parallel(self, node: Node, stmt: Assign) -> None:
        """`a, b = b, a`."""
        bars = [self.bars.take(t) for t in stmt.targets]
        if all(b is None for b in bars):
            return
        if stmt.note == "swap":
            self.swap(stmt, bars)
            return
        saved: list[tuple[Expr, Expr]] = []
        for bar, value in zip(bars, stmt.values, strict=True):
            if bar is not None and is_active(value, self.active):
                name = self.names.fresh("t_bar")
                self.bars.emit(Assign((name,), (bar.var,)))
                saved.append((value, Var(name, bar.type)))
        for value, g in saved:
            adjoint = ExpressionAdjoint(self.inliner, self.active, self.names.fresh, self.bars.emit)
            adjoint.run(value, g)
            self.flush(adjoint.found, "", None)

    def swap(self, stmt: Assign, bars: list[Bar | None]) -> None:
        """A permutation of names: the cotangents are permuted back."""
        names, values = [], []
        for value, bar in zip(stmt.values, bars, strict=True):
            assert isinstance(value, Var)
            key = value.name
            if bar is None:
                continue
            name = self.bars.name(key)
            names.append(name)
            values.append(bar.var)
            self.bars.state[key] = Bar(name, bar.type, bar.owned)
        if any(v.name != n for n, v in zip(names, values, strict=True)):
            self.bars.emit(Assign(tuple(names), tuple(values), note="swap"))

    def move(self, stmt: MoveRoot) -> None:
        bar = self.bars.take(stmt.new)
        if bar is not None:
            if stmt.old in self.bars.state:
                self.bars.add(stmt.old, (), bar.var, bar.var)
            else:
                self.bars.set(stmt.old, bar.var, owned=bar.owned)

    # -- stores --------------------------------------------------------------------------------------------------------
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
        reads = [v for v in _references(value) if owner(v) == key and key in self.active]
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
        many = len(_references(value)) > 1 or not isinstance(target, Var)
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
        return sum(1 for v in _references(value) if owner(v) in self.active) > 1

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

    # -- lists ---------------------------------------------------------------------------------------------------------
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

    # -- branches ------------------------------------------------------------------------------------------------------
    def branch(self, node: Node, stmt: If) -> None:
        entry = dict(self.bars.state)
        saved = self.names.snapshot()
        outcomes = self.run_sides(Node(stmt), stmt, entry)
        keys = sorted(set().union(*(o.keys() for o in outcomes)))
        mixed = [k for k in keys if _mixed(k, entry, outcomes)]
        self.names.restore(saved | frozenset(self.bars.bar_names.values()))
        self.bars.state = dict(entry)
        self.written(node.before)
        for key in mixed:
            if key in entry or self._first_on_one_side(key, outcomes):
                self.bars.settle(key)
        entry = dict(self.bars.state)
        outcomes = self.run_sides(node, stmt, entry)
        keys = sorted(set().union(*(o.keys() for o in outcomes)))
        joined: dict[str, Bar] = {}
        for key in keys:
            for k in (0, 1):
                if key not in outcomes[k] or self._is_lazy(key, outcomes[k][key], outcomes[1 - k].get(key)):
                    self.bars.state = outcomes[k]
                    self.written(node.end[k])
                    self.bars.settle(key)
            a, c = outcomes[0][key], outcomes[1][key]
            joined[key] = Bar(a.name, _wider_type(a.type, c.type), a.owned and c.owned)
        self.bars.state = joined

    def _first_on_one_side(self, key: str, outcomes: list[dict[str, Bar]]) -> bool:
        return sum(key in o for o in outcomes) == 1

    def _is_lazy(self, key: str, bar: Bar, other: Bar | None) -> bool:
        return other is None or bar.type != other.type and is_smaller(bar.type, self.types[key])

    def run_sides(self, node: Node, stmt: If, entry: dict[str, Bar]) -> list[dict[str, Bar]]:
        outcomes = []
        node.inner, node.start, node.end = [], [[], []], [[], []]
        for block in (stmt.then, stmt.orelse):
            self.bars.state = dict(entry)
            node.inner.append(self.block(block))
            outcomes.append(self.bars.state)
        return outcomes

    # -- loops ---------------------------------------------------------------------------------------------------------
    def loop(self, node: Node, stmt: For | While) -> None:
        each = isinstance(stmt, For) and isinstance(stmt.iter, Each) and self._list_key(stmt) in self.active
        collect = isinstance(stmt, For) and each and self._collects(stmt)
        entry = dict(self.bars.state)
        carried = set(entry)
        shared: set[str] = set()
        renewed: set[str] = set()  # arrays that every iteration makes anew, of a size that may change
        for _ in range(12):
            saved = self.names.snapshot()
            self.bars.state = self._head(entry, carried, shared, renewed)
            trial = Node(stmt)
            self.body(trial, stmt, collect)
            ended = self.bars.state
            self.names.restore(saved | frozenset(self.bars.bar_names.values()))
            more = {k for k in ended if k not in carried}
            less = {
                k
                for k in carried
                if k in ended
                and not ended[k].owned
                and k not in shared
                and isinstance(ended[k].type, Array | ListOf | Unknown)
            }
            fresh = {k for k in carried if k not in ended and k not in renewed and not self._fixed(k)}
            if not more and not less and not fresh:
                break
            carried |= more
            shared |= less
            renewed |= fresh
        idle = all(n.is_empty for n in trial.inner[0]) and not any(trial.end) and not any(trial.start)
        if idle and entry.keys() <= ended.keys():
            self.bars.state = entry
            node.inner, node.start, node.end = trial.inner, [[]], [[]]
            return
        touched = {k for k in carried if k not in ended or self._touched(trial, k, entry)}
        self.bars.state = dict(entry)
        self.written(node.before)
        for key in sorted(touched):
            self.bars.settle(key)
            bar = self.bars.state[key]
            if (
                key not in shared
                and not bar.owned
                and isinstance(bar.type, Array | Unknown)
                and self._writes(trial, bar.name)
            ):
                self.bars.whole(key)
        if collect:
            assert isinstance(stmt, For) and isinstance(stmt.iter, Each)
            key = self._list_key(stmt)
            node.before.append(Assign((self.bars.name(key),), (Display("list", (), stmt.iter.items.type),)))
        untouched = {k: b for k, b in entry.items() if k not in touched}
        self.bars.state = {
            k: Bar(b.name, Unknown() if k in renewed else b.type, k not in shared and k not in renewed)
            if k in touched
            else b
            for k, b in self.bars.state.items()
        }
        self.body(node, stmt, collect)
        ended = self.bars.state
        self.written(node.end[0])
        for key in sorted(touched):
            if key not in ended:
                self._reset(key)
            elif key not in renewed and is_smaller(ended[key].type, self.types[key]):
                self.bars.state = ended
                self.bars.settle(key)
                ended = self.bars.state
        self.bars.state = {k: b for k, b in ended.items() if k in touched} | untouched
        for key in touched:
            if key not in self.bars.state:
                type_ = Unknown() if key in renewed else zero_type(self.types[key])
                self.bars.state[key] = Bar(self.bars.name(key), type_, key not in shared and key not in renewed)
        if collect:
            assert isinstance(stmt, For)
            self._finish_collection(node, stmt)

    def _fixed(self, key: str) -> bool:
        """Whether the size of an array is known not to change from one iteration to the next."""
        type_ = self.types[key]
        if isinstance(type_, Array):
            return all(d in (1, "N") for d in type_.dims)
        return isinstance(type_, Scalar)

    def _head(self, entry: dict[str, Bar], carried: set[str], shared: set[str], renewed: set[str]) -> dict[str, Bar]:
        head = {}
        for key in sorted(carried):
            type_ = zero_type(self.types[key])
            if key in entry and not is_smaller(entry[key].type, type_):
                type_ = entry[key].type
            if key in renewed:
                type_ = Unknown()
            head[key] = Bar(self.bars.name(key), type_, key not in shared and key not in renewed)
        return head

    def _touched(self, trial: Node, key: str, entry: dict[str, Bar]) -> bool:
        """Whether the reversed body does anything to this cotangent (those that it leaves alone need no
        preparation)."""
        if key not in entry:
            return True
        name = self.bars.name(key)
        return any(name in _mentioned(s) for s in _all(trial))

    def _writes(self, trial: Node, name: str) -> bool:
        names, size = {name}, 0
        while len(names) > size:  # a buffer that is swapped with another is written where the other is
            size = len(names)
            for s in _all(trial):
                if isinstance(s, Assign) and s.note == "swap" and names & set(s.targets):
                    names |= set(s.targets)
        return any(isinstance(s, Store) and any(v.name in names for v in variables(s.target)) for s in _all(trial))

    def _reset(self, key: str) -> None:
        """A name that every iteration gives a new value: its cotangent is zero at the head of the body."""
        name = self.bars.name(key)
        if isinstance(self.types[key], Array) and self._fixed(key):
            self.bars.emit(Assign((name,), (zeros(name, zero_type(self.types[key])),)))
        elif isinstance(self.types[key], ListOf):
            self.bars.emit(Assign((name,), (zeros(key, self.types[key]),)))
        else:
            self.bars.emit(Assign((name,), (number(0.0),)))

    def body(self, node: Node, stmt: For | While, collect: bool) -> None:
        node.start, node.end = [[]], [[]]
        node.inner = [self.block(stmt.body)]
        self.written(node.end[0])
        if isinstance(stmt, For):
            self.targets(node, stmt, collect)

    def targets(self, node: Node, stmt: For, collect: bool) -> None:
        """The cotangents of a loop's own names: nothing for a counter, an item of the list's for an item."""
        taken = [self.bars.take(t) for t in stmt.targets]
        if not isinstance(stmt.iter, Each) or self._list_key(stmt) not in self.active:
            return
        key = self._list_key(stmt)
        if collect:
            parts = tuple(
                self.own_whole(t, b) if b is not None else zeros(t, type_)
                for t, b, type_ in zip(stmt.targets, taken, stmt.types, strict=True)
            )
            tuple_items = isinstance(stmt.iter.items.type, ListOf) and isinstance(stmt.iter.items.type.item, TupleOf)
            value: Expr = Display("tuple", parts, TupleOf(tuple(p.type for p in parts))) if tuple_items else parts[0]
            self.bars.emit(Append(Var(self.bars.name(key), zero_type(stmt.iter.items.type)), value))
            return
        node.indexed = node.indexed or self.names.fresh("k")
        counter = Var(node.indexed, INT)
        for j, (bar, type_) in enumerate(zip(taken, stmt.types, strict=True)):
            if bar is None:
                continue
            path = [Step(items=(counter,))]
            assert isinstance(stmt.iter.items.type, ListOf)
            if isinstance(stmt.iter.items.type.item, TupleOf):
                path.append(Step(items=(number(j),)))
            found = access(stmt.iter.items)
            assert found is not None
            g: Expr = bar.var
            if is_smaller(bar.type, type_):
                from s2s_ad.differentiate.fit import shape_of

                g = spread_out(g, type_, shape_of(Var(stmt.targets[j], type_)))
            self.bars.add(found[0], (*found[1], *path), g, bar.var)

    def own_whole(self, target: str, bar: Bar) -> Expr:
        self.bars.state[target] = bar
        self.bars.settle(target)
        taken = self.bars.take(target)
        assert taken is not None
        return self.own(taken)

    def _list_key(self, stmt: For) -> str:
        assert isinstance(stmt.iter, Each)
        return owner(stmt.iter.items) or ""

    def _collects(self, stmt: For) -> bool:
        """Whether the list's cotangent can be built item by item: nothing else has contributed to it, or will in the
        loop."""
        key = self._list_key(stmt)
        if key in self.bars.state or stmt.stop is not None or not isinstance(stmt.iter, Each):
            return False
        if not isinstance(stmt.iter.items, Var) or access(stmt.iter.items) != (key, ()):
            return False
        from s2s_ad.ir.nodes import all_statements, statement_exprs

        return not any(
            owner(v) == key for s in all_statements(stmt.body) for e in statement_exprs(s) for v in variables(e)
        ) and not (set(stmt.targets) & all_assigned(stmt.body))

    def _finish_collection(self, node: Node, stmt: For) -> None:
        assert isinstance(stmt.iter, Each)
        key = self._list_key(stmt)
        bar = Var(self.bars.name(key), zero_type(stmt.iter.items.type))
        node.finish.append(Effect(Call(Method("reverse"), (bar,), (), FLOAT, "method:reverse")))
        self.bars.state[key] = Bar(bar.name, bar.type, True)


ZerosLikeTypes = ()


def _is_masked(target: Expr) -> bool:
    return isinstance(target, Index) and any(
        isinstance(getattr(i, "type", None), Array) and i.type.dtype.kind == "b" for i in target.items
    )


def access_key(var: Var) -> str:
    return var.place.root if var.place is not None else var.name


def is_alias(value: Expr) -> bool:
    """Whether a value is memory that is written in place somewhere, under another name."""
    if isinstance(value.type, Scalar) or access(value) is None:
        return False
    while isinstance(value, Index | Call):
        if isinstance(value, Index) and value.place is not None:
            return True
        value = value.base if isinstance(value, Index) else value.args[0]
    return isinstance(value, Var) and value.place is not None


def _references(expr: Expr) -> list[Expr]:
    """The names, and parts of names, that an expression reads."""
    match expr:
        case Var() | Index():
            if access(expr) is not None:
                return [expr]
    from s2s_ad.ir.nodes import children

    return [r for c in children(expr) for r in _references(c)]


def _reads_part_of(expr: Expr, name: str) -> bool:
    return any(isinstance(r, Index) and owner(r) == name for r in _references(expr))


def _uses_post(stmt: Stmt) -> bool:
    return any(isinstance(e, Var) and e.post for top in _exprs_of(stmt) for e in walk(top))


def _exprs_of(stmt: Stmt) -> list[Expr]:
    from s2s_ad.ir.nodes import all_statements, statement_exprs

    return [e for s in all_statements((stmt,)) for e in statement_exprs(s)]


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


def _mixed(key: str, entry: dict[str, Bar], outcomes: list[dict[str, Bar]]) -> bool:
    present = [key in o for o in outcomes]
    if not all(present):
        return True
    return outcomes[0][key].type != outcomes[1][key].type


def _wider_type(a: Type, b: Type) -> Type:
    from s2s_ad.ir.types import join

    return a if a == b else join(a, b, "bars") or a


def _all(node: Node) -> list[Stmt]:
    """Every adjoint statement under a node."""
    from s2s_ad.ir.nodes import all_statements

    own = [*node.before, *node.post, *node.after, *node.finish, *(s for b in (*node.start, *node.end) for s in b)]
    found = list(all_statements(tuple(own)))
    for nodes in node.inner:
        for inner in nodes:
            found += _all(inner)
    return found


def _mentioned(stmt: Stmt) -> set[str]:
    from s2s_ad.ir.nodes import assigned, statement_exprs

    return {v.name for e in statement_exprs(stmt) for v in variables(e)} | set(assigned(stmt))


_ = (Place, Range)

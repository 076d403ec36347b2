"""The adjoints of branches and loops.

Enters: an `If`, `For` or `While`, the cotangents after it.  Leaves: its node, and the cotangents before it. What a loop
carries is found by reversing its body until nothing more is added.
"""

from __future__ import annotations

from dataclasses import replace

from s2s_ad.analysis.activity import owner
from s2s_ad.analysis.adjoint_nodes import Node
from s2s_ad.analysis.memory import memory_groups
from s2s_ad.differentiate.adjoint_expr import access
from s2s_ad.differentiate.bars import Bar, zero_type, zeros
from s2s_ad.differentiate.fit import is_smaller, spread_out
from s2s_ad.differentiate.reverse_stores import Stores
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
    Method,
    PopLast,
    Step,
    Stmt,
    Store,
    Var,
    While,
    all_assigned,
    number,
    variables,
)
from s2s_ad.ir.types import FLOAT, INT, Array, ListOf, Scalar, TupleOf, Type, Unknown


class Loops(Stores):
    """The part of the sweep for statements that hold blocks."""

    def block(self, block: Block) -> list[Node]:
        raise NotImplementedError

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
            unborn = self.unborn.get(id(stmt), frozenset()) - entry.keys()
            outcomes.append({k: b for k, b in self.bars.state.items() if k not in unborn})
        return outcomes

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
            if key in shared or bar.owned or not self._writes(trial, bar.name):
                continue
            if isinstance(bar.type, Array | Unknown):
                self.bars.whole(key)
            elif isinstance(bar.type, ListOf):
                self.bars.set(key, Call(list, (bar.var,), (), bar.type), owned=True)
        if collect:
            assert isinstance(stmt, For) and isinstance(stmt.iter, Each)
            key = self._list_key(stmt)
            node.before.append(Assign((self.bars.name(key),), (Display("list", (), stmt.iter.items.type),)))
        untouched = {k: b for k, b in entry.items() if k not in touched}
        head = {
            k: Bar(b.name, Unknown() if k in renewed else b.type, b.owned and k not in shared and k not in renewed)
            if k in touched
            else b
            for k, b in self.bars.state.items()
        }
        self.bars.state = dict(head)
        self.body(node, stmt, collect)
        # Without an iteration the buffers are those from before.
        ended = {k: replace(b, owned=b.owned and (k not in head or head[k].owned)) for k, b in self.bars.state.items()}
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
        """Whether the body writes into this buffer, perhaps under the name that it has been passed on to."""
        stmts = _all(trial)
        names = memory_groups(tuple(stmts)).get(name, {name})
        for stmt in stmts:
            match stmt:
                case Store(written) | Append(written) | PopLast(source=written) | Effect(Call(Method(), (written, *_))):
                    if any(v.name in names for v in variables(written)):
                        return True
        return False

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

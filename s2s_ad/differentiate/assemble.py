"""The forward and the reverse sweep, with what is recorded between them.

Enters: nodes and the plan of what to record.  Leaves: the statements of both sweeps.

    x = f(x)      ->      x_tape.append(x)          ...      x = x_tape.pop()
                          x = f(x)                           x_bar = ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from s2s_ad.analysis.adjoint_nodes import Node
from s2s_ad.analysis.recording import BlockEnd, Plan, Recording, trips_of
from s2s_ad.ir.names import Names
from s2s_ad.ir.nodes import (
    Append,
    Assign,
    Call,
    Comment,
    Const,
    Display,
    Each,
    Effect,
    Expr,
    For,
    If,
    Index,
    MoveRoot,
    PopLast,
    Range,
    Stmt,
    Store,
    Var,
    While,
    With,
    number,
    variables,
)
from s2s_ad.ir.types import INT, Array, ListOf, Scalar, TupleOf, Type, Unknown


@dataclass
class Slot:
    """Where a value is recorded: a tape inside loops, a name of its own outside."""

    name: str
    tape: bool
    item: Type


class Assembler:
    def __init__(
        self,
        names: Names,
        types: dict[str, Type],
        recording: Recording,
        source_line: Callable[[int], str],
        defined: set[str],
    ) -> None:
        self.names = names
        self.types = types
        self.recording = recording
        self.source_line = source_line
        self.tapes: list[Slot] = []
        self.slots: dict[tuple[int, str, str], Slot] = {}
        self.depth = 0
        self.defined = set(defined)
        self.undefined: list[str] = []
        self.commented = 0

    def plan(self, node: Node) -> Plan:
        return self.recording.plan(node)

    def slot(self, node: Node, kind: str, name: str, item: Type) -> Slot:
        key = (id(node), kind, name)
        if key not in self.slots:
            tape = self.depth > 0
            slot = Slot(self.names.fresh(f"{name}_{'tape' if tape else 'saved'}"), tape, item)
            self.slots[key] = slot
            if tape:
                self.tapes.append(slot)
        return self.slots[key]

    def record(self, slot: Slot, value: Expr) -> Stmt:
        if slot.tape:
            return Append(Var(slot.name, ListOf(slot.item)), value)
        return Assign((slot.name,), (value,), note="saved")

    def restore(self, slot: Slot, target: str) -> Stmt:
        if slot.tape:
            return PopLast((target,), Var(slot.name, ListOf(slot.item)), (slot.item,))
        return Assign((target,), (Var(slot.name, slot.item),), note="restored")

    def save_name(self, node: Node, kind: str, name: str) -> Stmt:
        if name not in self.defined and name not in self.undefined:
            self.undefined.append(name)
        type_ = self.types.get(name, Unknown())
        return self.record(self.slot(node, kind, name, type_), Var(name, type_))

    # -- the forward sweep ---------------------------------------------------------------------------------------------
    def forward(self, nodes: list[Node]) -> list[Stmt]:
        out: list[Stmt] = []
        for node in nodes:
            out += self.forward_node(node)
        return out

    def forward_node(self, node: Node) -> list[Stmt]:
        plan, stmt = self.plan(node), node.stmt
        out: list[Stmt] = [self.save_name(node, "name", n) for n in plan.names]
        match stmt:
            case Store(target) if plan.part:
                out.append(self.record(self.slot(node, "part", _hint(target), target.type), _copy(target)))
            case If():
                before = set(self.defined)
                then = self.forward(node.inner[0]) + self.block_end(node, plan, 0)
                after_then, self.defined = self.defined, before
                orelse = self.forward(node.inner[1]) + self.block_end(node, plan, 1)
                self.defined &= after_then
                return [replace(stmt, then=tuple(then), orelse=tuple(orelse))]
            case For() | While():
                out += [self.save_name(node, "outer", n) for n in plan.outer]
                before = set(self.defined)
                if isinstance(stmt, For):
                    self.defined |= set(stmt.targets)
                self.depth += 1
                body = self.forward(node.inner[0]) + self.block_end(node, plan, 0)
                self.depth -= 1
                self.defined = before
                return [*out, replace(stmt, body=tuple(body))]
            case With():
                return [replace(stmt, body=tuple(self.forward(node.inner[0])))]
            case Assign(targets, values, note=note):
                if note in ("alias", "join"):
                    self.fill_holes(values)
                self.defined |= set(targets)
            case PopLast(targets):
                self.defined |= set(targets)
        return [*out, stmt]

    def fill_holes(self, values: tuple[Expr, ...]) -> None:
        """Names that are kept in case they have a value have one, if only a stand-in, when they are kept."""
        for value in values:
            for var in variables(value):
                if var.name not in self.defined and var.name not in self.undefined:
                    self.undefined.append(var.name)

    def block_end(self, node: Node, plan: Plan, k: int) -> list[Stmt]:
        end = plan.ends[k] if k < len(plan.ends) else BlockEnd()
        return [self.save_name(node, f"end{k}", n) for n in end.record]

    # -- the reverse sweep ---------------------------------------------------------------------------------------------
    def reverse(self, nodes: list[Node]) -> list[Stmt]:
        out: list[Stmt] = []
        for node in reversed(nodes):
            out += self.reverse_node(node)
        return out

    def comment(self, node: Node) -> list[Stmt]:
        line = node.stmt.line
        text = self.source_line(line) if line else ""
        if not text or line == self.commented:
            return []
        self.commented = line
        return [Comment(f"# {text}")]

    def reverse_node(self, node: Node) -> list[Stmt]:
        plan, stmt = self.plan(node), node.stmt
        match stmt:
            case If():
                return self.reverse_branch(node, stmt, plan)
            case For() | While():
                return self.reverse_loop(node, stmt, plan)
            case With(context):
                body = self.reverse(node.inner[0])
                return [With(context, tuple(body))] if body else []
        note = self.comment(node) if node.post or node.after else []
        out: list[Stmt] = [*note, *(_plain(s) for s in node.post)]
        out += self.undone(node, stmt, plan)
        out += [_plain(s) for s in node.after]
        return out

    def undone(self, node: Node, stmt: Stmt, plan: Plan) -> list[Stmt]:
        out: list[Stmt] = []
        match stmt:
            case Store(target) if plan.part:
                slot = self.slot(node, "part", _hint(target), target.type)
                if slot.tape:
                    name = self.names.fresh("old")
                    out.append(PopLast((name,), Var(slot.name, ListOf(slot.item)), (slot.item,)))
                    out.append(Store(target, Var(name, slot.item)))
                else:
                    out.append(Store(target, Var(slot.name, slot.item)))
            case Append(target) if plan.undo:
                out.append(Effect(Call(_method("pop"), (target,), (), target.type, "method:pop")))
            case PopLast(targets, source, types) if plan.undo:
                parts = tuple(Var(t, k) for t, k in zip(targets, types, strict=True))
                value = parts[0] if len(parts) == 1 else Display("tuple", parts, TupleOf(types))
                out.append(Append(source, value))
            case Effect() if plan.undo:
                out.append(stmt)
            case Assign(targets, values, note="swap") if plan.undo:
                names = tuple(v.name for v in values if isinstance(v, Var))
                out.append(
                    Assign(names, tuple(Var(t, v.type) for t, v in zip(targets, values, strict=True)), note="swap")
                )
        for name in reversed(plan.names):
            out.append(self.restore(self.slot(node, "name", name, self.types.get(name, Unknown())), name))
        return out

    def reverse_branch(self, node: Node, stmt: If, plan: Plan) -> list[Stmt]:
        sides: list[tuple[Stmt, ...]] = []
        saved = self.commented
        for k, inner in enumerate(node.inner):
            self.commented = saved
            sides.append(tuple(self.block_start(node, plan, k) + self.reverse(inner) + list(node.end[k])))
        out: list[Stmt] = list(node.before)
        if any(sides):
            out.append(If(stmt.test, sides[0], sides[1]))
        return [*out, *node.finish]

    def block_start(self, node: Node, plan: Plan, k: int) -> list[Stmt]:
        end = plan.ends[k] if k < len(plan.ends) else BlockEnd()
        out: list[Stmt] = []
        for name in reversed(end.record):
            out.append(self.restore(self.slot(node, f"end{k}", name, self.types.get(name, Unknown())), name))
        out += [replace(s, line=0) for s in end.again]
        return [*out, *node.start[k]]

    def reverse_loop(self, node: Node, stmt: For | While, plan: Plan) -> list[Stmt]:
        self.depth += 1
        body = self.block_start(node, plan, 0) + self.reverse(node.inner[0]) + list(node.end[0])
        self.depth -= 1
        out: list[Stmt] = list(node.before)
        if body:
            out.append(self.reversed_loop(node, stmt, plan, tuple(body)))
        out += node.finish
        for name in reversed(plan.outer):
            out.append(self.restore(self.slot(node, "outer", name, self.types.get(name, Unknown())), name))
        return out

    def reversed_loop(self, node: Node, stmt: For | While, plan: Plan, body: tuple[Stmt, ...]) -> Stmt:
        trips = trips_of(stmt)
        count = None if trips is None else Var(trips, INT)
        if isinstance(stmt, While):
            tape = self.counting_tape(node)
            if tape is not None and self.depth == 0:
                return While(Var(tape.name, ListOf(tape.item)), body)
            assert count is not None
            return For((self.names.fresh("_"),), (INT,), Range(number(0), count, number(1)), body)
        if node.indexed is not None and isinstance(stmt.iter, Each):
            return self.indexed_loop(node, stmt, count, body)
        if isinstance(stmt.iter, Range) and not _counts(stmt, body):
            return replace(stmt, body=body, stop=None, trips=count, line=0)
        return replace(stmt, body=body, stop=None, backwards=True, trips=count, line=0)

    def indexed_loop(self, node: Node, stmt: For, count: Var | None, body: tuple[Stmt, ...]) -> Stmt:
        """A reversed loop over a list whose cotangent is kept by index."""
        assert isinstance(stmt.iter, Each) and node.indexed is not None
        counter = Var(node.indexed, INT)
        items = stmt.iter.items
        assert isinstance(items.type, ListOf) and items.type.item is not None
        item = Index(items, (counter,), items.type.item)
        if isinstance(items.type.item, TupleOf):
            values: tuple[Expr, ...] = tuple(Index(item, (number(j),), t) for j, t in enumerate(items.type.item.items))
        else:
            values = (item,)
        first = Assign(stmt.targets, values)
        stop = count if count is not None else Call(len, (items,), (), INT)
        return For((node.indexed,), (INT,), Range(number(0), stop, number(1)), (first, *body), backwards=True)

    def counting_tape(self, node: Node) -> Slot | None:
        """A tape that gets exactly one value in each iteration of this loop, and none elsewhere: it counts the
        iterations."""
        plan = self.plan(node)
        for name in plan.ends[0].record if plan.ends else []:
            return self.slots.get((id(node), "end0", name))
        for inner in node.inner[0]:
            for name in self.plan(inner).names:
                slot = self.slots.get((id(inner), "name", name))
                if slot is not None and slot.tape:
                    return slot
            if self.plan(inner).part and isinstance(inner.stmt, Store):
                return self.slots.get((id(inner), "part", _hint(inner.stmt.target)))
        return None


def _plain(stmt: Stmt) -> Stmt:
    return stmt


def _counts(stmt: For, body: tuple[Stmt, ...]) -> bool:
    """Whether the order of the iterations matters: whether the body mentions the counter, or anything that a loop
    carries."""
    from s2s_ad.ir.nodes import all_statements, statement_exprs, variables

    names = {v.name for s in all_statements(body) for e in statement_exprs(s) for v in variables(e)}
    return bool(names & set(stmt.targets))


def _hint(target: Expr) -> str:
    base = target
    while isinstance(base, Index):
        base = base.base
    return base.name if isinstance(base, Var) else "part"


def _copy(target: Expr) -> Expr:
    """The value of a part that is about to be overwritten."""
    if isinstance(target.type, Scalar):
        return target
    if isinstance(target, Index) and any(isinstance(getattr(i, "type", None), Array | ListOf) for i in target.items):
        return target
    if isinstance(target.type, Array | Unknown):
        return Call(np.copy, (target,), (), target.type, "method:copy")
    return target


def _method(name: str) -> object:
    from s2s_ad.ir.nodes import Method

    return Method(name)


_ = (Const, MoveRoot)

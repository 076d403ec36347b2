"""The reverse sweep: for each statement of the primal, the statements that are its adjoint.

Enters: the prepared primal, its active names, the cotangents of its result.  Leaves: a tree of `Node`s, one a
statement, each with its adjoint in two parts (before and after the overwritten value is restored). What must be
recorded is decided later, by `analysis.recording`, from what these statements mention.
"""

from __future__ import annotations

from dataclasses import replace

from s2s_ad.analysis.activity import is_active, owner
from s2s_ad.analysis.adjoint_nodes import Node
from s2s_ad.differentiate.adjoint_expr import Contribution, ExpressionAdjoint, access
from s2s_ad.differentiate.bars import Bar
from s2s_ad.differentiate.reverse_loops import Loops
from s2s_ad.differentiate.reverse_stores import references
from s2s_ad.ir.nodes import (
    Append,
    Assign,
    Block,
    Call,
    Effect,
    Expr,
    For,
    If,
    Index,
    Method,
    MoveRoot,
    Place,
    PopLast,
    Stmt,
    Store,
    Try,
    Var,
    While,
    With,
    map_children,
    map_statement,
    variables,
    walk,
)
from s2s_ad.ir.types import FLOAT, Scalar, Type, Unknown


class Sweep(Loops):
    """Walks the primal backwards and writes the adjoint of each statement."""

    # -- blocks --------------------------------------------------------------------------------------------------------
    def block(self, block: Block) -> list[Node]:
        nodes = [self.statement(stmt) for stmt in reversed(block)]
        return nodes[::-1]

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


ZerosLikeTypes = ()


def is_alias(value: Expr) -> bool:
    """Whether a value is memory that is written in place somewhere, under another name."""
    if isinstance(value.type, Scalar) or access(value) is None:
        return False
    while isinstance(value, Index | Call):
        if isinstance(value, Index) and value.place is not None:
            return True
        value = value.base if isinstance(value, Index) else value.args[0]
    return isinstance(value, Var) and value.place is not None


def _reads_part_of(expr: Expr, name: str) -> bool:
    return any(isinstance(r, Index) and owner(r) == name for r in references(expr))


def _uses_post(stmt: Stmt) -> bool:
    return any(isinstance(e, Var) and e.post for top in _exprs_of(stmt) for e in walk(top))


def _exprs_of(stmt: Stmt) -> list[Expr]:
    from s2s_ad.ir.nodes import all_statements, statement_exprs

    return [e for s in all_statements((stmt,)) for e in statement_exprs(s)]

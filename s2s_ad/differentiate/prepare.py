"""Names for what the reverse sweep needs and cannot cheaply compute again.

Enters: the primal's statements and its active names.  Leaves: the same program, in which such values have names.

    return np.mean((h - t) ** 2)   ->   difference = h - t;  return np.mean(difference ** 2)
"""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

from s2s_ad.analysis.activity import is_active
from s2s_ad.build.numeric import MAYBE_VIEWS, VIEWS, rule_key, view_place
from s2s_ad.build.values import Abs, Num, Tup
from s2s_ad.differentiate.inline_rule import Inliner
from s2s_ad.errors import S2SError
from s2s_ad.ir.names import Names
from s2s_ad.ir.nodes import (
    Append,
    Assign,
    Block,
    Call,
    Const,
    Display,
    Effect,
    Expr,
    For,
    If,
    Index,
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
    ZerosLike,
    all_assigned,
    all_statements,
    children,
    map_children,
    statement_exprs,
    variables,
    walk,
)
from s2s_ad.ir.types import Array, ListOf, Scalar, TupleOf, Type
from s2s_ad.rules.registry import rule_for

_SHAPE_ONLY = ("shape", "ndim", "size", "zeros_like", "empty_like", "result_type", "len", "ones_like")
_HINTS = {
    operator.sub: "difference",
    operator.add: "total",
    operator.matmul: "product",
    operator.mul: "product",
    operator.truediv: "ratio",
    operator.pow: "power",
}


class Preparer:
    def __init__(self, names: Names, active: set[str], types: dict[str, Type], inliner: Inliner) -> None:
        self.names = names
        self.active = active
        self.types = types
        self.inliner = inliner
        self.pre: list[Stmt] = []
        self.depth = 0
        self.line = 0
        self.cache: dict[Any, tuple[frozenset[int], bool]] = {}

    # -- statements ---------------------------------------------------------------------------------------------------
    def block(self, block: Block) -> Block:
        out: list[Stmt] = []
        for stmt in block:
            self.pre = []
            self.line = stmt.line
            done = self.statement(stmt)
            out += [*self.pre, done]
            self.pre = []
        return tuple(out)

    def statement(self, stmt: Stmt) -> Stmt:
        match stmt:
            case Assign(targets, values) if len(targets) == 1:
                return replace(stmt, values=(self.expr(values[0], root=True),))
            case Assign(_, values):
                return replace(stmt, values=tuple(self.expr(v, root=False) for v in values))
            case Store(target, value, op):
                return replace(stmt, target=self.target(target), value=self.expr(value, root=op is None))
            case Append(_, value):
                return replace(stmt, value=self.expr(value, root=False))
            case If(test, then, orelse):
                return self.branch(stmt, test, then, orelse)
            case For():
                return self.loop(stmt)
            case While(test, body):
                return replace(stmt, body=self.inside(body))
            case With(_, body):
                return replace(stmt, body=self.keep(body))
            case Try(body, _, final):
                return replace(stmt, body=self.keep(body), final=self.keep(final))
        return stmt

    def target(self, target: Any) -> Any:
        """A mask or an index array is computed once: what it was made of may be what is written."""
        if not isinstance(target, Index):
            return target
        items = tuple(
            self.name(i, "mask" if i.type.dtype.kind == "b" else "index", alias=False)
            if isinstance(i, Call) and isinstance(i.type, Array)
            else i
            for i in target.items
        )
        return target if items == target.items else replace(target, items=items, place=_with_items(target.place, items))

    def keep(self, block: Block) -> Block:
        pre, line = self.pre, self.line
        done = self.block(block)
        self.pre, self.line = pre, line
        return done

    def inside(self, block: Block) -> Block:
        self.depth += 1
        done = self.keep(block)
        self.depth -= 1
        return done

    def branch(self, stmt: If, test: Expr, then: Block, orelse: Block) -> Stmt:
        """The test is asked again in the reverse sweep: it must not have changed by then."""
        changes = all_assigned(then) | all_assigned(orelse)
        touched = self.has_active(then) or self.has_active(orelse)
        if touched and not isinstance(test, Var | Const):
            if self.disturbed(test, changes, (*then, *orelse)) or (self.depth > 0 and not self._stable(test)):
                test = self.name(test, "branch", alias=False)
        elif touched and isinstance(test, Var) and test.name in changes:
            test = self.name(test, "branch", alias=False)
        return replace(stmt, test=test, then=self.keep(then), orelse=self.keep(orelse))

    def _stable(self, test: Expr) -> bool:
        """Integer arithmetic on loop counters is cheaper to compute again than to record."""
        return all(isinstance(v.type, Scalar) and v.type.dtype.kind in "bi" for v in variables(test)) and not any(
            isinstance(e, Index) for e in walk(test)
        )

    def has_active(self, block: Block) -> bool:
        for stmt in all_statements(block):
            match stmt:
                case Assign(targets):
                    if any(t in self.active for t in targets):
                        return True
                case Store() | Append():
                    return True
                case _:
                    if any(is_active(e, frozenset(self.active)) for e in statement_exprs(stmt)):
                        return True
        return False

    def disturbed(self, expr: Expr, changes: set[str], block: Block) -> bool:
        if any(v.name in changes for v in variables(expr)):
            return True
        stores = any(isinstance(s, Store | Append | PopLast | Effect) for s in all_statements(block))
        return stores and any(isinstance(e, Index) or isinstance(e.type, Array | ListOf) for e in walk(expr))

    def loop(self, stmt: For) -> Stmt:
        """Bounds that the body changes are given names first, and so is what a list's loop runs over."""
        iter_ = stmt.iter
        changes = all_assigned(stmt.body)
        if isinstance(iter_, Range):
            parts = [
                self.name(e, "bound", alias=False)
                if self.disturbed(e, changes | set(stmt.targets), stmt.body) and not _sizes(e, changes)
                else e
                for e in (iter_.start, iter_.stop, iter_.step)
            ]
            iter_ = Range(*parts)
        return replace(stmt, iter=iter_, body=self.inside(stmt.body))

    # -- expressions --------------------------------------------------------------------------------------------------
    def expr(self, expr: Expr, root: bool) -> Expr:
        if not self.is_active(expr):
            return expr
        match expr:
            case Call():
                return self.call(expr, root)
            case Index(base, items):
                new = self.expr(base, root=False)
                if isinstance(new.type, TupleOf) and isinstance(new, Call):
                    return replace(expr, base=new)
                if not _is_reference(new):
                    new = self.name(new, "whole")
                return replace(expr, base=new)
            case Display(_, items):
                return replace(expr, items=tuple(self.expr(i, root=False) for i in items))
        return map_children(expr, lambda e: self.expr(e, root=False))

    def is_active(self, expr: Expr) -> bool:
        return is_active(expr, frozenset(self.active))

    def call(self, expr: Call, root: bool) -> Expr:
        args = tuple(self.expr(a, root=False) for a in expr.args)
        expr = replace(expr, args=args)
        needed, result = self.needs(expr)
        named = tuple(self.operand(a) if k in needed else a for k, a in enumerate(args))
        expr = replace(expr, args=named)
        if result and not root and not isinstance(expr.type, TupleOf) and not self.cheap(expr):
            return self.name(expr, _hint(expr))
        return expr

    def operand(self, expr: Expr) -> Expr:
        if isinstance(expr, Display):
            return replace(expr, items=tuple(self.operand(i) for i in expr.items))
        return expr if self.cheap(expr) else self.name(expr, _hint(expr))

    def name(self, expr: Expr, hint: str, alias: bool = True) -> Var:
        name = self.names.fresh(hint)
        place = view_place(None, expr) if alias else None  # type: ignore[arg-type]
        if place is None and isinstance(expr.type, ListOf):
            place = Place(name)
        self.types[name] = expr.type
        if self.is_active(expr):
            self.active.add(name)
        self.pre.append(Assign((name,), (expr,), self.line, "named"))
        return Var(name, expr.type, place)

    def needs(self, expr: Call) -> tuple[frozenset[int], bool]:
        """Which operands, and whether the result, the partial derivatives mention."""
        rule = rule_for(rule_key(expr.fn))
        if rule is None:
            return frozenset(), False
        flags = tuple(self.is_active(a) for a in expr.args)
        shown = tuple(
            a if not flag or isinstance(a, Display) else a.type for a, flag in zip(expr.args, flags, strict=True)
        )
        key: Any = (expr.fn, tuple(a.type for a in expr.args), shown, expr.kwargs, flags)
        try:
            if key in self.cache:
                return self.cache[key]
        except TypeError:
            key = None
        found = self._probe(rule, expr, flags)
        if key is not None:
            self.cache[key] = found
        return found

    def _probe(self, rule: Any, expr: Call, flags: tuple[bool, ...]) -> tuple[frozenset[int], bool]:
        marked = tuple(_marker(a, f"#{k}") for k, a in enumerate(expr.args))
        result: Abs = _marked_result(expr.type)
        cotangent: Abs = _marked_cotangent(expr.type)
        active = frozenset(f"#{k}" for k, f in enumerate(flags) if f) | {
            f"#{k}.{j}" for k in range(len(flags)) for j in range(64)
        }

        def wanted(e: Expr) -> bool:
            return is_active(e, active)

        saved = self.names.snapshot()
        try:
            stmts, parts = self.inliner.partials(rule, replace(expr, args=marked), result, cotangent, wanted)
        except S2SError:
            raise
        finally:
            self.names.restore(saved)
        used: set[str] = set()
        for s in all_statements(tuple(stmts)):
            for e in statement_exprs(s):
                used |= set(_value_uses(e))
        for _, part in parts:
            for e in _exprs_of(part):
                used |= set(_value_uses(e))
        operands = frozenset(
            k for k in range(len(flags)) if f"#{k}" in used or any(u.startswith(f"#{k}.") for u in used)
        )
        return operands, "#result" in used

    def cheap(self, expr: Expr, budget: int = 5) -> bool:
        """Whether computing it again costs less than keeping it."""
        match expr:
            case Const() | Var():
                return True
            case Index(base, items):
                plain = all(
                    all(p is None or _counts(p) for p in (i.start, i.stop, i.step))
                    if isinstance(i, Slice)
                    else _counts(i)
                    for i in items
                )
                return plain and self.cheap(base, budget)
            case Call(fn, args):
                if fn in VIEWS or fn in MAYBE_VIEWS or getattr(fn, "__name__", "") in _SHAPE_ONLY:
                    return all(self.cheap(a, budget) for a in args[:1])
                size = sum(1 for e in walk(expr) if isinstance(e, Call))
                scalar = isinstance(expr.type, Scalar) and not any(
                    isinstance(e.type, Array | ListOf) and isinstance(e, Call) for e in walk(expr)
                )
                reduces = any(
                    isinstance(e, Call) and any(isinstance(a.type, Array | ListOf) for a in e.args) for e in walk(expr)
                )
                return scalar and not reduces and size <= budget
        return False


def _with_items(place: Place | None, items: tuple[Any, ...]) -> Place | None:
    if place is None:
        return None
    return Place(place.root, (*place.path[:-1], Step(items=items)))


def _counts(expr: Expr) -> bool:
    """An index made of integers."""
    return isinstance(expr.type, Scalar) and expr.type.dtype.kind == "i" or isinstance(expr, Const)


def _sizes(expr: Expr, changes: set[str]) -> bool:
    """A bound made of the sizes of arrays that are not bound anew."""
    return (
        all(v.name not in changes for v in variables(expr))
        and all(
            not isinstance(e, Index) or (isinstance(e.base, Call) and e.base.fn.__name__ == "shape") for e in walk(expr)
        )
        and not any(isinstance(v.type, ListOf) for v in variables(expr))
    )


def _is_reference(expr: Expr) -> bool:
    if isinstance(expr, Var):
        return True
    if isinstance(expr, Index):
        return _is_reference(expr.base)
    return False


def _hint(expr: Expr) -> str:
    if isinstance(expr, Call):
        name = str(_HINTS.get(expr.fn) or getattr(expr.fn, "__name__", "t"))
        return name if name.isidentifier() else "t"
    return "t"


def _marker(expr: Expr, name: str) -> Expr:
    if isinstance(expr, Const):
        return expr
    if isinstance(expr, Display):
        return replace(expr, items=tuple(_marker(i, f"{name}.{k}") for k, i in enumerate(expr.items)))
    return Var(name, expr.type)


def _marked_result(type_: Type) -> Abs:
    if isinstance(type_, TupleOf):
        return Tup(tuple(_marked_result(t) for t in type_.items))
    return Num(Var("#result", type_))


def _marked_cotangent(type_: Type) -> Abs:
    if isinstance(type_, TupleOf):
        return Tup(tuple(_marked_cotangent(t) for t in type_.items))
    return Num(Var("#cotangent", type_))


def _exprs_of(part: Abs) -> list[Expr]:
    match part:
        case Num(expr):
            return [expr]
        case Tup(items):
            return [e for i in items for e in _exprs_of(i)]
    return []


def _value_uses(expr: Expr) -> list[str]:
    """Names whose values, not only shapes, an expression needs."""
    found: list[str] = []
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, Var):
            found.append(node.name)
        elif isinstance(node, ZerosLike) or (
            isinstance(node, Call) and getattr(node.fn, "__name__", "") in _SHAPE_ONLY
        ):
            continue
        else:
            stack.extend(children(node))
    return found


def counted(block: Block, names: Names, types: dict[str, Type]) -> Block:
    """Loops whose length is not known before they run count their iterations."""
    from s2s_ad.ir.nodes import number
    from s2s_ad.ir.types import INT

    out: list[Stmt] = []
    for stmt in block:
        match stmt:
            case For() | While():
                body = counted(stmt.body, names, types)
                if isinstance(stmt, While) or stmt.stop is not None:
                    name = names.fresh("trips")
                    types[name] = INT
                    trips = Var(name, INT)
                    out.append(Assign((name,), (number(0),), note="trips"))
                    more = Assign((name,), (Call(operator.add, (trips, number(1)), (), INT, "op"),), note="trips")
                    body = (*body, more)
                out.append(replace(stmt, body=body))
            case If(_, then, orelse):
                out.append(replace(stmt, then=counted(then, names, types), orelse=counted(orelse, names, types)))
            case With(_, body):
                out.append(replace(stmt, body=counted(body, names, types)))
            case Try():
                out.append(replace(stmt, body=counted(stmt.body, names, types)))
            case _:
                out.append(stmt)
    return tuple(out)

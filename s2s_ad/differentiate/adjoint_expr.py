"""The adjoint of an expression tree: what flows to each name in it.

Enters: an expression and its cotangent.  Leaves: contributions to names, and the statements that they need.

    np.tanh(h @ W + b), cotangent h_bar   ->   t_bar = h_bar * (1 - h * h);  W += h.T @ t_bar;  b += ...;  h += ...
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from s2s_ad.analysis.activity import is_active
from s2s_ad.build.families import is_elementwise
from s2s_ad.build.numeric import MAYBE_VIEWS, VIEWS, rule_key
from s2s_ad.build.values import Abs, Known, Num, ObjectRef, Tup, leaf_expr
from s2s_ad.differentiate.bars import gathers
from s2s_ad.differentiate.fit import fit, is_smaller, shape_of, spread_out
from s2s_ad.differentiate.inline_rule import Inliner, as_value
from s2s_ad.errors import MissingRule
from s2s_ad.ir.nodes import (
    Assign,
    Call,
    Const,
    Display,
    Expr,
    Index,
    Step,
    Stmt,
    Var,
    number,
    walk,
)
from s2s_ad.ir.types import Array, ListOf, Scalar, TupleOf, Type
from s2s_ad.rules.registry import rule_for
from s2s_ad.simplify.algebra import simplify

_BROADCASTING = {operator.add, operator.sub, operator.mul, operator.truediv, operator.neg, operator.pow, operator.pos}


@dataclass(frozen=True)
class Contribution:
    """Something to be added to the cotangent of the value at `path` in `key`."""

    key: str
    path: tuple[Step, ...]
    g: Expr
    like: Expr


class ExpressionAdjoint:
    def __init__(
        self,
        inliner: Inliner,
        active: frozenset[str],
        fresh: Callable[[str], str],
        emit: Callable[[Stmt], None],
        guarded: bool = False,
    ) -> None:
        self.inliner = inliner
        self.active = active
        self.fresh = fresh
        self.emit = emit
        self.found: list[Contribution] = []
        self.guarded = guarded

    def is_active(self, expr: Expr) -> bool:
        return is_active(expr, self.active)

    def run(self, expr: Expr, g: Expr, value: Expr | None = None) -> None:
        """Collect what flows from `expr`, of cotangent `g`; `value` names the result where the statement has stored
        it."""
        match expr:
            case Const():
                return
            case Var() | Index():
                self.reference(expr, g)
            case Call():
                self.call(expr, g, value)
            case Display(_, items):
                for k, item in enumerate(items):
                    if self.is_active(item):
                        type_ = item.type
                        self.run(item, Index(g, (number(k),), type_))

    def reference(self, expr: Expr, g: Expr) -> None:
        found = access(expr)
        if found is None:
            assert isinstance(expr, Index)
            self.part_of_expression(expr, g)
            return
        key, path = found
        if key in self.active:
            self.found.append(Contribution(key, path, g, expr))

    def part_of_expression(self, expr: Index, g: Expr) -> None:
        """`f(x)[i]`: a cotangent of f(x) that is zero but there. Several results: a tuple of cotangents."""
        base = expr.base
        if isinstance(base.type, TupleOf) and isinstance(base, Call) and isinstance(expr.items[0], Const):
            which = expr.items[0].value
            parts: tuple[Abs, ...] = tuple(Num(g) if k == which else Known(0.0) for k in range(len(base.type.items)))
            self.call_with(base, Tup(parts), as_value(base))
            return
        name = self.fresh("part_bar")
        from s2s_ad.ir.nodes import Store, ZerosLike

        self.emit(Assign((name,), (ZerosLike(base, base.type),)))
        target = Index(Var(name, base.type), expr.items, expr.type)
        self.emit(Store(target, g, "add_at" if gathers(target) else operator.add))
        self.run(base, Var(name, base.type))

    def call(self, expr: Call, g: Expr, value: Expr | None) -> None:
        if not self.is_active(expr):
            return
        if isinstance(g, Display) and isinstance(expr.type, TupleOf):
            self.call_with(expr, as_value(g), as_value(expr))
            return
        if is_smaller(g.type, expr.type) and not self.broadcasts(expr):
            like = value if value is not None else expr
            g = spread_out(g, expr.type, shape_of(like))
        self.call_with(expr, Num(g), as_value(value if value is not None else expr), value)

    def broadcasts(self, expr: Call) -> bool:
        """Whether the adjoint may be given a cotangent that stands for a larger one."""
        return expr.fn in _BROADCASTING or is_elementwise(expr.fn)

    def call_with(self, expr: Call, g: Abs, value: Abs, named: Expr | None = None) -> None:
        rule = rule_for(rule_key(expr.fn))
        if rule is None:
            raise MissingRule(
                f"cannot differentiate through `{getattr(expr.fn, '__name__', expr.fn)}`",
                "it has no derivative rule. Treat it as constant with stop_gradient(...).",
            )
        if isinstance(g, Num) and not _simple(g.expr):
            uses = self.count_uses(rule, expr, g, value)
            if uses > 1:
                name = self.fresh("t_bar")
                self.emit(Assign((name,), (simplify(g.expr),)))
                g = Num(Var(name, g.type))
        shown = expr
        if self.guarded and expr.fn in SINGULAR and isinstance(expr.type, Array) and isinstance(g, Num):
            shown, value = self.away_from_poles(expr, value, g)
        stmts, parts = self.inliner.partials(rule, shown, value, g, lambda e: self.is_active(_unguarded(e)))
        parts = [(_unguarded(operand), part) for operand, part in parts]
        for stmt in stmts:
            self.emit(stmt)
        saved = self.guarded
        self.guarded = saved or expr.fn is np.where
        active = [(operand, part) for operand, part in parts if self.is_active(operand)]
        for operand, part in active:
            self.operand(expr, operand, part, rule.sequence, named)
        self.guarded = saved

    def away_from_poles(self, expr: Call, value: Abs, g: Num) -> tuple[Call, Abs]:
        """Where the cotangent is zero, for an element that was overwritten or not chosen, an infinite slope counts as
        nothing: the partial derivative is taken elsewhere."""
        idle = Call(operator.eq, (g.expr, number(0)), (), Array(np.dtype(bool), _dims(g.type)), "op")

        def moved(e: Expr) -> Expr:
            if not isinstance(e.type, Array) or e.type.dtype.kind not in "fc":
                return e
            return Call(np.where, (idle, number(0.5), e), (), replace(e.type, dims=_dims(expr.type)), "guard")

        shown = replace(expr, args=tuple(moved(a) for a in expr.args))
        return shown, Num(moved(value.expr)) if isinstance(value, Num) else value

    def count_uses(self, rule: Any, expr: Call, g: Num, value: Abs) -> int:
        """How often the partials would repeat the cotangent's expression."""
        marker = Num(Var("#cotangent", g.type))
        stmts, parts = self.inliner.partials(rule, expr, value, marker, self.is_active)
        uses = sum(1 for s in stmts for e in _exprs(s) for v in walk(e) if v == marker.expr)
        for operand, part in parts:
            if self.is_active(operand):
                uses += _count(part, marker.expr) * self._branches(operand)
        return uses

    def _branches(self, operand: Expr) -> int:
        """How often what flows into an operand is used there in turn (a sum passes one cotangent to two names)."""
        if isinstance(operand, Call) and operand.fn in (operator.add, operator.sub):
            return max(1, sum(self._branches(a) for a in operand.args if self.is_active(a)))
        return 1

    def operand(self, expr: Call, operand: Expr, part: Abs, sequence: bool, named: Expr | None) -> None:
        if isinstance(operand, Display) or isinstance(part, Tup | ObjectRef) and isinstance(operand.type, TupleOf):
            self.sequence(expr, operand, part, named)
            return
        if isinstance(operand.type, ListOf):
            self.list_operand(operand, part)
            return
        g = leaf_expr(part)
        if g is None:
            raise MissingRule(f"the rule of `{getattr(expr.fn, '__name__', expr.fn)}` gives no number or array")
        g = simplify(g)
        if (
            is_elementwise(rule_key(expr.fn))
            and not is_smaller(g.type, expr.type)
            and not _lacks(operand.type, expr.type)
        ):
            g = _retyped(g, operand.type)
        if is_elementwise(rule_key(expr.fn)) and is_smaller(g.type, expr.type) and _lacks(operand.type, expr.type):
            g = spread_out(g, expr.type, shape_of(named if named is not None else expr))
        self.run(operand, simplify(fit(g, operand.type, operand)))

    def sequence(self, expr: Call, operand: Expr, part: Abs, named: Expr | None) -> None:
        items = operand.items if isinstance(operand, Display) else ()
        parts = list(part.items) if isinstance(part, Tup) else None
        if parts is None:
            g = leaf_expr(part)
            assert g is not None
            if not isinstance(g, Var):
                name = self.fresh("parts_bar")
                self.emit(Assign((name,), (g,)))
                g = Var(name, g.type)
            for k, item in enumerate(items):
                if self.is_active(item):
                    inner = Index(g, (number(k),), item.type)
                    if isinstance(item, Display):
                        self.sequence(expr, item, Num(inner), named)
                    else:
                        self.run(item, simplify(fit(inner, item.type, item)))
            return
        for item, its_part in zip(items, parts, strict=True):
            if self.is_active(item):
                if isinstance(item, Display):
                    self.sequence(expr, item, its_part, named)
                    continue
                g = leaf_expr(its_part)
                assert g is not None
                self.run(item, simplify(fit(simplify(g), item.type, item)))

    def list_operand(self, operand: Expr, part: Abs) -> None:
        """The cotangent of a list of run-time length, given as one array: its rows."""
        g = leaf_expr(part)
        assert g is not None
        if not isinstance(g.type, ListOf):
            g = Call(list, (g,), (), operand.type)
        self.run(operand, g)


def _lacks(operand: Type, whole: Type) -> bool:
    """Whether the operand was broadcast, so that its cotangent is a sum."""
    if isinstance(operand, Scalar):
        return isinstance(whole, Array) and bool(whole.dims)
    if isinstance(operand, Array) and isinstance(whole, Array):
        return operand.dims != whole.dims
    return True


SINGULAR: set[Any] = {
    operator.truediv, np.divide, operator.pow, np.power, np.float_power, np.sqrt, np.log, np.log2, np.log10, np.log1p,
    np.cbrt, np.reciprocal, np.arcsin, np.arccos, np.arctanh, np.hypot, np.arctan2,
}  # fmt: skip


def _dims(type_: Type) -> tuple[Any, ...]:
    return type_.dims if isinstance(type_, Array) else ()


def _unguarded(expr: Expr) -> Expr:
    return expr.args[2] if isinstance(expr, Call) and expr.style == "guard" else expr


def _retyped(g: Expr, operand: Type) -> Expr:
    """A cotangent of an operand that was not broadcast has that operand's dimensions."""
    if isinstance(g.type, Array) and isinstance(operand, Array) and len(g.type.dims) == len(operand.dims):
        whole = all(d == e or str(e) in str(d).split("&") for d, e in zip(g.type.dims, operand.dims, strict=True))
        if whole and isinstance(g, Var | Index | Call):
            return replace(g, type=Array(g.type.dtype, operand.dims))
    return g


def _simple(expr: Expr) -> bool:
    return isinstance(expr, Const | Var) or (
        isinstance(expr, Index) and all(isinstance(i, Const | Var) for i in expr.items)
    )


def _count(part: Abs, marker: Expr) -> int:
    match part:
        case Num(expr):
            return sum(1 for e in walk(expr) if e == marker)
        case Tup(items):
            return sum(_count(i, marker) for i in items)
    return 0


def _exprs(stmt: Stmt) -> list[Expr]:
    from s2s_ad.ir.nodes import all_statements, statement_exprs

    return [e for s in all_statements((stmt,)) for e in statement_exprs(s)]


def access(expr: Expr) -> tuple[str, tuple[Step, ...]] | None:
    """The name and the path that a reference consists of, or None if it is a part of an expression."""
    match expr:
        case Var(name, place=place):
            return (name, ()) if place is None else (place.root, place.path)
        case Index(base, items, place=place):
            if place is not None:
                return place.root, place.path
            if _is_copy(base):
                return None
            inner = access(base)
            return None if inner is None else (inner[0], (*inner[1], Step(items=items)))
        case Call(fn, args) if (fn in VIEWS or fn in MAYBE_VIEWS) and args and not _is_copy(args[0]):
            inner = access(args[0])
            if inner is not None and (inner[1] or _placed(args[0])):
                return inner[0], (*inner[1], Step(call=expr))
    return None


def _is_copy(expr: Expr) -> bool:
    """Whether it is picked out of an array by integers or a mask: an array of its own, into which no path leads."""
    match expr:
        case Index(base, items, place=None):
            masked = any(isinstance(getattr(i, "type", None), Array) and i.type.ndim > 0 for i in items)
            return masked or gathers(expr) or _is_copy(base)
        case Call(fn, args) if (fn in VIEWS or fn in MAYBE_VIEWS) and args:
            return _is_copy(args[0])
    return False


def _placed(expr: Expr) -> bool:
    return getattr(expr, "place", None) is not None


_ = (np, replace)

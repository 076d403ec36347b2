"""The tangent of an expression tree, from the tangents of its names.

Enters: an expression.  Leaves: the expression of its tangent, or None where that is zero.

    np.tanh(h @ W + b)   ->   (h_dot @ W + h @ W_dot + b_dot) * (1 - h * h)       where h names the result
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from s2s_ad.analysis.activity import flows
from s2s_ad.build.numeric import rule_key
from s2s_ad.build.types import result_type
from s2s_ad.build.values import Abs, Known, Num, Tup, leaf_expr
from s2s_ad.differentiate.bars import zero_type
from s2s_ad.differentiate.fit import is_smaller, real_part, shape_of, spread_out
from s2s_ad.differentiate.inline_rule import Inliner, as_value
from s2s_ad.errors import MissingRule
from s2s_ad.ir.markers import stop_gradient
from s2s_ad.ir.nodes import (
    Assign,
    Call,
    Choice,
    Const,
    Display,
    Expr,
    Index,
    Lazy,
    Stmt,
    Var,
    ZerosLike,
    all_statements,
    number,
    statement_exprs,
    walk,
)
from s2s_ad.ir.types import Array, ListOf, Scalar, TupleOf, Type, Unknown
from s2s_ad.rules.registry import Rule, is_passive, rule_for
from s2s_ad.simplify.algebra import simplify

_LISTS = {list, tuple, reversed}


class ExpressionTangent:
    """Walks expressions; `dot_of` gives the tangent of a name, or None where it is zero."""

    def __init__(
        self,
        inliner: Inliner,
        dot_of: Callable[[str], str | None],
        fresh: Callable[[str], str],
        emit: Callable[[Stmt], None],
    ) -> None:
        self.inliner = inliner
        self.dot_of = dot_of
        self.fresh = fresh
        self.emit = emit
        self.hold: Callable[[Expr], bool] = lambda _: False

    def is_active(self, expr: Expr) -> bool:
        return any(self.dot_of(v.name) is not None for v in flows(expr))

    # -- trees ---------------------------------------------------------------------------------------------------------
    def whole(self, expr: Expr, value: Expr | None = None) -> Expr | None:
        """The tangent in the whole shape of `expr`; `value` names the result where it has a name."""
        g = self.small(expr, value)
        return None if g is None else self.spread(g, expr, value)

    def filled(self, expr: Expr) -> Expr:
        """The tangent in the whole shape of `expr`, zeros written out."""
        if isinstance(expr, Display) and self.is_active(expr):
            items = tuple(self.filled(item) for item in expr.items)
            return replace(expr, items=items, type=_sequence_type(expr, items))
        g = self.whole(expr)
        return zeros_of(expr) if g is None else g

    def spread(self, g: Expr, expr: Expr, value: Expr | None = None) -> Expr:
        if is_smaller(g.type, expr.type) and not isinstance(expr.type, Unknown):
            return spread_out(g, expr.type, shape_of(expr if value is None else value))
        if isinstance(expr.type, Unknown) and isinstance(g.type, Scalar | Array) and not isinstance(expr, Var | Index):
            return Call(np.broadcast_to, (g, shape_of(expr if value is None else value)), (), Unknown(g.type.dtype))
        return g

    def small(self, expr: Expr, value: Expr | None = None) -> Expr | None:
        """The tangent, perhaps of a shape that stands for the whole one by broadcasting."""
        if not self.is_active(expr):
            return None
        match expr:
            case Var(name, type_):
                dot = self.dot_of(name)
                return None if dot is None else Var(dot, zero_type(type_))
            case Index():
                return self.part(expr)
            case Display():
                return self.filled(expr)
            case Choice(test, then, orelse, type_):
                return Choice(test, self.filled(then), self.filled(orelse), zero_type(type_))
            case Lazy(op, args, type_):
                return self.lazy(op, args, type_)
            case Call():
                found = self.call(expr, value)
                g = None if found is None else leaf_expr(found)
                return None if g is None or _is_zero(g) else simplify(real_part(g, expr.type))
        return None

    def part(self, expr: Index) -> Expr | None:
        """The same part of the tangent."""
        base = expr.base
        if isinstance(base, Call) and isinstance(base.type, TupleOf):
            found = self.call(base, None)
            which = expr.items[0]
            if isinstance(found, Tup) and isinstance(which, Const):
                g = leaf_expr(found.items[which.value])
                return None if g is None or _is_zero(g) else simplify(g)
            g = None if found is None else leaf_expr(found)
        else:
            g = self.whole(base)
        return None if g is None else Index(g, expr.items, zero_type(expr.type), single=expr.single)

    def lazy(self, op: str, args: tuple[Expr, ...], type_: Type) -> Expr:
        """`a or b` is `a if a else b`, and so is its tangent."""
        first, rest = args[0], args[1:]
        other = self.filled(rest[0] if len(rest) == 1 else Lazy(op, rest, type_))  # type: ignore[arg-type]
        then, orelse = (self.filled(first), other) if op == "or" else (other, self.filled(first))
        return Choice(first, then, orelse, zero_type(type_))

    # -- calls ---------------------------------------------------------------------------------------------------------
    def call(self, expr: Call, value: Expr | None) -> Abs | None:
        key = rule_key(expr.fn)
        if expr.fn is stop_gradient or is_passive(key):
            return None
        if self.is_list_operation(expr):
            args = tuple(self.filled(a) if _carries(a.type) else a for a in expr.args)
            return Num(replace(expr, args=args, type=zero_type(expr.type)))
        rule = rule_for(key)
        if rule is None:
            raise _missing(expr)
        result = as_value(value if value is not None else expr)
        if rule.tangent is not None:
            return self.by_tangent(rule, expr, result)
        match rule.kind:
            case "linear":
                return self.linear(expr)
            case "multilinear":
                return self.multilinear(expr)
            case "elementwise":
                return self.elementwise(rule, expr, result)
        raise _missing(expr)

    def is_list_operation(self, expr: Call) -> bool:
        """Copies, sums and repetitions of lists: the tangents' list is made in the same way."""
        return isinstance(expr.type, ListOf) and (expr.fn in _LISTS or expr.fn in (operator.add, operator.mul))

    def linear(self, expr: Call) -> Abs:
        kwargs = tuple((k, self.spread_operand(v)) for k, v in expr.kwargs if k != "initial")
        if not expr.args or not self.is_active(expr.args[0]):
            if any(self.is_active(a) for a in expr.args[1:]):
                raise _missing(expr)
            return Num(replace(expr, kwargs=kwargs))
        if any(self.is_active(a) for a in expr.args[1:]):
            raise _missing(expr)
        first = self.spread_operand(expr.args[0])
        style = (
            expr.style
            if isinstance(first, Var | Index) or not expr.style.startswith(("method", "attr"))
            else "function"
        )
        return Num(replace(expr, args=(first, *expr.args[1:]), kwargs=kwargs, style=style))

    def spread_operand(self, operand: Expr) -> Expr:
        if not self.is_active(operand):
            return operand
        return self.held(self.filled(operand))

    def multilinear(self, expr: Call) -> Abs:
        terms: list[Expr] = []
        for k, operand in enumerate(expr.args):
            if self.is_active(operand):
                dot = self.spread_operand(operand)
                args = (*expr.args[:k], dot, *expr.args[k + 1 :])
                style = "function" if k == 0 and expr.style.startswith("method") else expr.style
                terms.append(replace(expr, args=args, style=style))
        if any(self.is_active(v) for _, v in expr.kwargs):
            raise _missing(expr)
        return Num(total(terms))

    def elementwise(self, rule: Rule, expr: Call, result: Abs) -> Abs | None:
        operands, given = self.bound(rule, expr)
        values = [as_value(e) for e in operands]
        terms: list[Expr] = []
        for k, operand in enumerate(operands):
            if not self.is_active(operand):
                continue
            dot = self.held(self.small(operand) or number(0.0))
            wanted = [j == k for j in range(len(operands))]

            def run(z_bar: Expr, wanted: list[bool] = wanted, k: int = k) -> tuple[list[Stmt], Abs | None]:
                stmts, parts = self.inliner.run(rule.adjoint, [*values, result, Num(z_bar)], given, wanted, rule)
                return stmts, parts[0] if len(parts) == 1 else parts[k]

            dot = self.named_if_repeated(dot, run)
            stmts, part = run(dot)
            for stmt in stmts:
                self.emit(stmt)
            g = None if part is None else leaf_expr(part)
            if g is not None and not _is_zero(g) and not (isinstance(g, Const) and g.value is None):
                terms.append(simplify(real_part(g, expr.type)))
        return Num(total(terms)) if terms else None

    def by_tangent(self, rule: Rule, expr: Call, result: Abs) -> Abs | None:
        assert rule.tangent is not None
        operands, given = self.bound(rule, expr)
        dots: list[Abs] = []
        for operand in operands:
            if not self.is_active(operand):
                dots.append(Known(0.0))
                continue
            dot = self.held(self.filled(operand))
            if not isinstance(dot, Var | Display):
                name = self.fresh("t_dot")
                self.emit(Assign((name,), (dot,)))
                dot = Var(name, dot.type)
            dots.append(as_value(dot))
        values = [as_value(e) for e in operands]
        single = replace(rule, variadic=False)
        stmts, parts = self.inliner.run(rule.tangent, [*values, result, *dots], given, [True], single)
        for stmt in stmts:
            self.emit(stmt)
        return parts[0]

    def bound(self, rule: Rule, expr: Call) -> tuple[list[Expr], dict[str, Abs]]:
        """The operands, and the options that the rule knows."""
        operands, options = rule.bind(expr.args, dict(expr.kwargs))
        given: dict[str, Abs] = {}
        for name, option in options.items():
            if name in rule.options:
                given[name] = as_value(option) if hasattr(option, "type") else Known(option)
        return list(operands), given

    # -- names ---------------------------------------------------------------------------------------------------------
    def held(self, dot: Expr) -> Expr:
        """A tangent that must be computed before the statement runs is given a name here."""
        if not self.hold(dot):
            return dot
        if isinstance(dot, Display):
            return replace(dot, items=tuple(self.held(item) for item in dot.items))
        name = self.fresh("t_dot")
        self.emit(Assign((name,), (dot,), note="held"))
        return Var(name, dot.type)

    def named_if_repeated(self, dot: Expr, run: Callable[[Expr], tuple[list[Stmt], Abs | None]]) -> Expr:
        if isinstance(dot, Const | Var):
            return dot
        marker = Var("#dot", dot.type)
        stmts, part = run(marker)
        exprs = [e for s in all_statements(tuple(stmts)) for e in statement_exprs(s)]
        g = None if part is None else leaf_expr(part)
        uses = sum(1 for top in [*exprs, *([] if g is None else [g])] for e in walk(top) if e == marker)
        if uses <= 1:
            return dot
        name = self.fresh("t_dot")
        self.emit(Assign((name,), (dot,)))
        return Var(name, dot.type)


def total(terms: list[Expr]) -> Expr:
    """The sum of tangents."""
    sum_ = terms[0]
    for term in terms[1:]:
        if term == sum_:
            sum_ = simplify(Call(operator.mul, (number(2.0), term), (), term.type, "op"))
            continue
        type_ = result_type(operator.add, (sum_.type, term.type), {}, "tangents") or Unknown()
        sum_ = simplify(Call(operator.add, (sum_, term), (), type_, "op"))
    return sum_


def zeros_of(expr: Expr) -> Expr:
    """Zeros like the value of `expr`."""
    match expr:
        case Display(kind, items) if kind in ("tuple", "list"):
            zeros = tuple(zeros_of(item) for item in items)
            return replace(expr, items=zeros, type=_sequence_type(expr, zeros))
    if isinstance(expr.type, Scalar):
        return number(0.0)
    if not _carries(expr.type):
        return Const(None)
    return ZerosLike(expr, zero_type(expr.type))


def _sequence_type(expr: Display, items: tuple[Expr, ...]) -> Type:
    return TupleOf(tuple(i.type for i in items)) if isinstance(expr.type, TupleOf) else expr.type


def _carries(type_: Type) -> bool:
    return isinstance(type_, Scalar | Array | Unknown | ListOf | TupleOf)


def _is_zero(g: Expr) -> bool:
    return isinstance(g, Const) and isinstance(g.value, int | float) and not isinstance(g.value, bool) and g.value == 0


def _missing(expr: Call) -> MissingRule:
    name = getattr(expr.fn, "__name__", repr(expr.fn))
    return MissingRule(
        f"cannot differentiate through `{name}` in forward mode", "Treat it as constant with stop_gradient(...)."
    )

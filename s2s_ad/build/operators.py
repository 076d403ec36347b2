"""Unary and binary operators, comparisons and their conjunctions.

Enters: an operator and abstract values.  Leaves: the abstract value of the operation.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from s2s_ad.build import containers
from s2s_ad.build.alternatives import choose, each_choice
from s2s_ad.build.numeric import apply
from s2s_ad.build.values import (
    NOTHING,
    Abs,
    Known,
    Num,
    ObjectRef,
    OneOf,
    Tup,
    is_number,
    known_value,
)
from s2s_ad.ir.nodes import (
    Call,
    Expr,
    Lazy,
)
from s2s_ad.ir.types import BOOL, is_inexact

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}


UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}


COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


# -- operators ---------------------------------------------------------------------------------------------------------
def binary(b: Builder, op: Any, x: Abs, y: Abs) -> Abs:
    if isinstance(x, OneOf) or isinstance(y, OneOf):
        return each_choice(b, [x, y], lambda v: binary(b, op, v[0], v[1]))
    sequence = containers.sequence_operator(b, op, x, y)
    if sequence is not None:
        return sequence
    method = containers.operator_method(b, op, x, y)
    if method is not None:
        return method
    kx, ky = known_value(x), known_value(y)
    if kx is not NOTHING and ky is not NOTHING:
        try:
            result = op(kx, ky)
        except Exception:
            result = NOTHING
        if result is not NOTHING and isinstance(x, Known) and isinstance(y, Known):
            return Known(result)
        value = apply(b, op, [x, y], {}, style="op")
        return replace(value, known=result) if isinstance(value, Num) else value
    return apply(b, op, [x, y], {}, style="op")


def unary(b: Builder, op: Any, x: Abs) -> Abs:
    if isinstance(x, OneOf):
        return choose(b, x, lambda v: unary(b, op, v))
    known = known_value(x)
    if op is operator.not_:
        asked = containers.truth_method(b, x)
        if asked is not None:
            return unary(b, op, asked)
        if known is not NOTHING:
            return Known(not known)
        size = containers.truth(b, x)
        if size is not None:
            return Known(not size)
        return Num(apply_expr(b, op, x))
    if known is not NOTHING and isinstance(x, Known):
        return Known(op(known))
    if isinstance(x, ObjectRef):
        from s2s_ad.build.calls import call_method

        return call_method(b, x, f"__{op.__name__.strip('_')}__", [], {})
    value = apply(b, op, [x], {}, style="op")
    return replace(value, known=op(known)) if known is not NOTHING and isinstance(value, Num) else value


def apply_expr(b: Builder, op: Any, x: Abs) -> Expr:
    return Call(op, (b.expr(x),), (), BOOL, "op")


def _simple(b: Builder, value: Abs, node: ast.AST) -> Abs:
    from s2s_ad.ir.nodes import Index

    if isinstance(value, Num) and not isinstance(value.expr, Index):
        return b.atom(value, node)
    return value


def compare(b: Builder, op: ast.cmpop, x: Abs, y: Abs) -> Abs:
    if isinstance(x, OneOf) or isinstance(y, OneOf):
        return each_choice(b, [x, y], lambda v: compare(b, op, v[0], v[1]))
    if isinstance(op, ast.In | ast.NotIn):
        found = containers.contains(b, x, y)
        if found is not None:
            return Known(found is isinstance(op, ast.In))
        parts = (b.expr(y), b.expr(x))
        inside = Call(operator.contains, parts, (), BOOL, "op")
        return Num(inside if isinstance(op, ast.In) else Call(operator.not_, (inside,), (), BOOL, "op"))
    if not isinstance(op, ast.Is | ast.IsNot):
        meant = containers.comparison_method(b, COMPARE[type(op)], x, y)
        if meant is not None:
            return meant
    if isinstance(op, ast.Is | ast.IsNot):
        same = containers.identical(b, x, y)
        if same is not None:
            return Known(same is isinstance(op, ast.Is))
        return Num(Call(COMPARE[type(op)], (b.expr(x), b.expr(y)), (), BOOL, "op"))
    kx, ky = known_value(x), known_value(y)
    fn = COMPARE[type(op)]
    if kx is not NOTHING and ky is not NOTHING:
        try:
            return Known(fn(kx, ky))
        except Exception as error:
            raise b.fail(f"this comparison raises {type(error).__name__}: {error}") from error
    if isinstance(x, Known | Num) and isinstance(y, Known | Num):
        return apply(b, fn, [x, y], {}, style="op")
    if isinstance(x, Tup) and isinstance(y, Tup) and isinstance(op, ast.Eq | ast.NotEq):
        if len(x.items) != len(y.items):
            return Known(isinstance(op, ast.NotEq))
        equal = conjunction(b, "and", [compare(b, ast.Eq(), p, q) for p, q in zip(x.items, y.items, strict=True)])
        return equal if isinstance(op, ast.Eq) else unary(b, operator.not_, equal)
    return Num(Call(fn, (b.expr(x), b.expr(y)), (), BOOL, "op"))


def conjunction(b: Builder, op: Any, parts: list[Abs]) -> Abs:
    stops = op == "or"
    rest: list[Expr] = []
    for part in parts:
        known = known_value(part)
        if known is NOTHING:
            rest.append(b.expr(part))
        elif bool(known) is stops:
            rest.append(b.expr(Known(known)))
            break
    if not rest:
        return parts[-1]
    if len(rest) == 1:
        return Num(rest[0]) if known_value(parts[-1]) is NOTHING or len(parts) > 1 else parts[-1]
    return Num(Lazy(op, tuple(rest)))


def both_passive(b: Builder, x: Abs, y: Abs) -> bool:
    if isinstance(x, Known) and isinstance(y, Known) and not (is_number(x.value) and is_number(y.value)):
        return x == y
    if not isinstance(x, Num) and not isinstance(y, Num) and x != y and not is_number(getattr(x, "value", None)):
        return False
    ok = []
    for v in (x, y):
        e = b.expr(v)
        ok.append(not is_inexact(e.type) or (isinstance(v, Known) and is_number(v.value)))
    return all(ok) and not (isinstance(x, Known) and x.value is None) and not (isinstance(y, Known) and y.value is None)

"""Algebra that an expert does in passing: constants folded, ones dropped, signs gathered.

Enters: an expression.  Leaves: one of the same value, for every value of its names (NaN and infinities included).

    z_bar * 2 * x ** 1   ->   2 * z_bar * x          1.0 * y_bar   ->   y_bar          a + -b   ->   a - b
"""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import numpy as np

from s2s_ad.build.families import is_elementwise
from s2s_ad.ir.nodes import Call, Const, Expr, map_children, number
from s2s_ad.ir.types import Array, Scalar, Type


def simplify(expr: Expr) -> Expr:
    expr = map_children(expr, simplify)
    return _step(expr) if isinstance(expr, Call) else expr


def _number(expr: Expr) -> Any:
    if isinstance(expr, Const) and isinstance(expr.value, int | float) and not isinstance(expr.value, bool):
        return expr.value
    return None


def _step(expr: Call) -> Expr:
    if expr.fn in (np.size, np.shape) and len(expr.args) == 1 and not expr.kwargs:
        return _measured(expr)
    if len(expr.args) == 2:
        x, y = expr.args
        a, b = _number(x), _number(y)
        if a is not None and b is not None and expr.fn in (operator.add, operator.sub, operator.mul):
            return number(expr.fn(a, b))
        match expr.fn:
            case operator.mul:
                return _product(expr, x, y, a, b)
            case operator.pow if b == 1 and not isinstance(b, bool) and _keeps(expr.type, x.type):
                return x
            case operator.truediv if b == 1 and _keeps(expr.type, x.type):
                return x
            case operator.add if _is_negative(y):
                return replace(expr, fn=operator.sub, args=(x, _negated(y)))
            case operator.sub if _is_negative(y):
                return replace(expr, fn=operator.add, args=(x, _negated(y)))
    if expr.fn is operator.neg:
        (x,) = expr.args
        if _is_negative(x):
            return _negated(x)
        value = _number(x)
        if value is not None:
            return number(-value)
    return expr


def _measured(expr: Call) -> Expr:
    """The size of an elementwise expression is that of an operand of the same dimensions."""
    (inner,) = expr.args
    while isinstance(inner, Call) and isinstance(inner.type, Array):
        same = [a for a in inner.args if isinstance(a.type, Array) and a.type.dims == inner.type.dims]
        if not same or not (is_elementwise(inner.fn) or inner.fn in _ARITHMETIC):
            break
        inner = same[0]
    if inner is expr.args[0]:
        return expr
    style = "attribute:size" if expr.fn is np.size else "attribute:shape"
    return replace(expr, args=(inner,), style=style)


_ARITHMETIC = {operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.neg}


def _product(expr: Call, x: Expr, y: Expr, a: Any, b: Any) -> Expr:
    if a == 1 and _keeps(expr.type, y.type):
        return y
    if b == 1 and _keeps(expr.type, x.type):
        return x
    for one, other, sign in ((x, y, a), (y, x, b)):
        if sign == -1 and _keeps(expr.type, other.type):
            return Call(operator.neg, (other,), (), expr.type, "op")
        if _is_negative(one):
            inner = _step(replace(expr, args=(_negated(x), y) if one is x else (x, _negated(y))))
            return Call(operator.neg, (inner,), (), expr.type, "op")
    if b is not None and a is None:
        return _step(replace(expr, args=(y, x)))
    if a is not None and isinstance(y, Call) and y.fn is operator.mul:
        c = _number(y.args[0])
        if c is not None and isinstance(a * c, float | int) and _exact(a, c):
            return _step(replace(expr, args=(number(a * c), y.args[1])))
    if isinstance(y, Call) and y.fn is operator.mul and _number(y.args[0]) is not None:
        inner = _step(replace(expr, args=(x, y.args[1]), type=expr.type))
        return _step(replace(expr, args=(y.args[0], inner)))
    if isinstance(x, Call) and x.fn is operator.mul and a is None and _number(x.args[0]) is not None and b is None:
        inner = replace(expr, args=(x.args[1], y))
        return replace(expr, args=(x.args[0], inner)) if _small(x.args[1], y) else expr
    return expr


def _small(x: Expr, y: Expr) -> bool:
    return False


def _exact(a: Any, c: Any) -> bool:
    """Whether two factors may be multiplied beforehand without changing more than rounding."""
    return bool(abs(a) < 1e100 and abs(c) < 1e100)


def _keeps(result: Type, operand: Type) -> bool:
    """Whether leaving the operation out changes neither dtype nor shape."""
    if isinstance(result, Scalar) and isinstance(operand, Scalar):
        return result.dtype == operand.dtype
    if isinstance(result, Array) and isinstance(operand, Array):
        return result == operand
    return False


def _is_negative(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.fn is operator.neg


def _negated(expr: Expr) -> Expr:
    assert isinstance(expr, Call)
    return expr.args[0]

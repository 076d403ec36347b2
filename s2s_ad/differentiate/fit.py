"""A cotangent in the shape and kind of the value that it belongs to.

Enters: a cotangent expression, the type of its value.  Leaves: the expression summed over what broadcasting added.

    b of shape [N], cotangent of shape [M, N]   ->   np.sum(z_bar, axis=0)
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from s2s_ad.build.dims import sum_axes
from s2s_ad.build.families import is_elementwise
from s2s_ad.ir.nodes import Call, Const, Display, Expr, Index, Var, number
from s2s_ad.ir.types import INT, OPAQUE, Array, Scalar, TupleOf, Type, Unknown
from s2s_ad.rules.runtime import unbroadcast


def fit(g: Expr, want: Type, like: Expr) -> Expr:
    """`g`, summed over the axes that broadcasting added to a value of type `want`; `like` is that value."""
    g = real_part(g, want)
    match want, g.type:
        case Scalar(), Array(dtype, dims):
            if dims == ():
                return g
            return total(g, None, False, Scalar(dtype, weak=False))
        case Scalar(), Unknown():
            return Call(np.sum, (g,), (), Scalar(np.dtype(float), weak=False), "function")
        case Array(_, to), Array(_, have):
            if len(have) < len(to) and have == to[len(to) - len(have) :]:
                return g
            axes = sum_axes(to, have)
            if axes is None or perhaps_smaller(have, to):
                return Call(unbroadcast, (g, shape_of(like)), (), summed_type(g.type, want))
            gone, kept = axes
            if gone:
                g = total(g, gone, False, _gone_type(g.type, gone))
            if kept:
                g = total(g, kept, True, _kept_type(g.type, kept))
            return g
        case Array(), Unknown():
            return Call(unbroadcast, (g, shape_of(like)), (), summed_type(g.type, want))
        case Unknown(), Array() | Unknown():
            return Call(unbroadcast, (g, shape_of(like)), (), Unknown(want.dtype))
    return g


def real_part(g: Expr, want: Type) -> Expr:
    dtype = getattr(want, "dtype", None)
    have = getattr(g.type, "dtype", None)
    if dtype is not None and have is not None and have.kind == "c" and dtype.kind == "f":
        type_ = g.type
        real = np.zeros(0, have).real.dtype
        made: Type = Array(real, type_.dims) if isinstance(type_, Array) else Scalar(real, weak=False)
        return Call(np.real, (g,), (), made, "attribute:real")
    if dtype is not None and dtype.kind == "f" and isinstance(g.type, Unknown) and g.type.dtype is None:
        return Call(np.real, (g,), (), Unknown())  # what is not known to be real may be complex
    return g


def total(g: Expr, axes: tuple[int, ...] | None, keepdims: bool, type_: Type) -> Expr:
    kwargs: list[tuple[str, Expr]] = []
    if axes is not None:
        axis: Expr = (
            number(axes[0])
            if len(axes) == 1
            else Display("tuple", tuple(number(a) for a in axes), TupleOf((INT,) * len(axes)))
        )
        kwargs.append(("axis", axis))
    if keepdims:
        kwargs.append(("keepdims", Const(True)))
    style = "method:sum" if isinstance(g, Var) else "function"
    return Call(np.sum, (g,), tuple(kwargs), type_, style)


def _kept_type(type_: Any, axes: tuple[int, ...]) -> Type:
    return Array(type_.dtype, tuple(1 if k in axes else d for k, d in enumerate(type_.dims)))


def _gone_type(type_: Any, axes: tuple[int, ...]) -> Type:
    dims = tuple(d for k, d in enumerate(type_.dims) if k not in axes)
    return Array(type_.dtype, dims) if dims else Scalar(type_.dtype, weak=False)


def summed_type(g: Type, want: Array) -> Type:
    """The dimensions of the value, the dtype of the cotangent; where that is not known, double precision is the
    widest."""
    if isinstance(g, Array):
        return Array(g.dtype, want.dims)
    widest = want.dtype in (np.dtype(float), np.dtype(complex))
    return want if widest else Unknown()


def perhaps_smaller(have: tuple[Any, ...], to: tuple[Any, ...]) -> bool:
    """Whether a size that is not known may be one where the value's is not: the cotangent would stand for a larger
    one."""
    return any(str(d).startswith("?") and e == "N" for d, e in zip(have[::-1], to[::-1], strict=False))


def is_smaller(g: Type, whole: Type) -> bool:
    """Whether a cotangent of type `g` stands for one of type `whole` by broadcasting."""
    match g, whole:
        case Scalar(), Array(_, dims):
            return bool(dims)
        case Array(_, a), Array(_, b):
            return len(a) < len(b) or (len(a) == len(b) and any(p == 1 and q != 1 for p, q in zip(a, b, strict=True)))
        case Scalar(), Unknown():
            return True
        case Unknown(), Array(_, dims):
            return bool(dims)
    return False


def spread_out(g: Expr, whole: Type, shape: Expr) -> Expr:
    """`g` in the whole shape of its value."""
    dtype = getattr(g.type, "dtype", None) or np.dtype(float)
    made = Array(dtype, whole.dims) if isinstance(whole, Array) else Unknown(dtype)
    if isinstance(g.type, Scalar):
        return Call(np.full, (shape, g), (), made)
    return Call(np.broadcast_to, (g, shape), (), made)


def shape_of(expr: Expr) -> Expr:
    """An expression for the shape of a value, computing as little as possible."""
    type_ = expr.type
    rank = type_.ndim if isinstance(type_, Array) else None
    out = TupleOf((INT,) * rank) if rank is not None else OPAQUE
    if isinstance(expr, Call) and isinstance(type_, Array):
        if is_elementwise(expr.fn) or expr.fn in _OPERATORS:
            for arg in expr.args:
                if isinstance(arg.type, Array) and arg.type.dims == type_.dims:
                    return shape_of(arg)
        if expr.fn in (operator.matmul, np.matmul, np.dot):
            x, y = expr.args[:2]
            if isinstance(x.type, Array) and isinstance(y.type, Array) and x.type.ndim == y.type.ndim == 2:
                return Display("tuple", (_size(x, 0), _size(y, 1)), TupleOf((INT, INT)))
    style = "attribute:shape" if isinstance(expr, Var | Index) and isinstance(type_, Array) else "function"
    return Call(np.shape, (expr,), (), out, style)


_OPERATORS = {operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.neg}


def _size(expr: Expr, axis: int) -> Expr:
    shape = shape_of(expr)
    if isinstance(shape, Display):
        return shape.items[axis]
    return Index(shape, (number(axis),), INT)

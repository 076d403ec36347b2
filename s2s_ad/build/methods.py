"""Methods of arrays, numbers, strings and random generators.

Enters: a receiver and a method's name.  Leaves: the abstract value; a method of an array becomes the NumPy function of
that name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.build import inplace
from s2s_ad.build.numeric import apply
from s2s_ad.build.values import NOTHING, Abs, Known, Num, Tup, known_value, varied
from s2s_ad.ir.nodes import Call, Method
from s2s_ad.ir.types import FLOAT, INT, OPAQUE, Array, Opaque, Scalar, Type, Unknown

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder

_FUNCTIONS: dict[str, Any] = {
    name: getattr(np, name)
    for name in [
        "sum",
        "mean",
        "std",
        "var",
        "max",
        "min",
        "prod",
        "dot",
        "ravel",
        "transpose",
        "copy",
        "clip",
        "cumsum",
        "cumprod",
        "trace",
        "take",
        "repeat",
        "argmax",
        "argmin",
        "argsort",
        "squeeze",
        "swapaxes",
        "all",
        "any",
        "round",
        "diagonal",
        "nonzero",
        "compress",
        "choose",
        "searchsorted",
        "ptp",
        "astype",
        "conj",
        "conjugate",
        "argpartition",
    ]
}
_FUNCTIONS["flatten"] = np.ravel


def array_method(b: Builder, base: Num, name: str, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    if isinstance(base.type, Opaque):
        return object_method(b, base, name, args, kwargs)
    written = inplace.method_in_place(b, base, name, args, kwargs)
    if written is not None:
        return written
    if isinstance(base.type, Scalar) and name in ("item", "__float__"):
        return apply(b, float, [base], {}) if base.type.dtype.kind == "f" else base
    if name == "astype" and isinstance(base.type, Array) and known_value(kwargs.get("copy", Known(True))) is False:
        wanted = known_value(args[0]) if args else None
        try:
            same = np.dtype(wanted) == base.type.dtype
        except TypeError:
            same = False
        if same:
            return base  # the same array, not a copy of it
    if name == "reshape":
        shape = args[0] if len(args) == 1 else Tup(tuple(args))
        return _call(b, np.reshape, [base, shape], kwargs, "method:reshape")
    if name == "transpose" and len(args) > 1:
        return _call(b, np.transpose, [base, Tup(tuple(args))], kwargs, "method:transpose")
    if name == "flatten":
        flat = _call(b, np.ravel, [base, *args], kwargs, "method:flatten")
        return apply(b, np.copy, [flat], {}) if isinstance(flat, Num) and flat.origins & base.origins else flat
    if name == "item":
        return _item(b, base, args)
    if name == "tolist":
        if varied(base, b.state.heap):
            raise b.fail("`tolist` of an active array is not understood here", "Loop over the array itself.")
        return Num(Call(Method("tolist"), (base.expr,), (), OPAQUE, "method:tolist"))
    if name in ("conj", "conjugate") and isinstance(base.type, Array | Scalar) and base.type.dtype.kind != "c":
        return base
    if name in _FUNCTIONS:
        return _call(b, _FUNCTIONS[name], [base, *args], kwargs, f"method:{name}")
    if isinstance(base.type, Unknown) and not base.varied:
        return object_method(b, base, name, args, kwargs)
    raise b.fail(f"the array method `{name}` is not understood", "Use the NumPy function for it.")


def _call(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs], style: str) -> Abs:
    from s2s_ad.build.calls import numeric_call

    value = numeric_call(b, fn, args, kwargs, any(varied(a, b.state.heap) for a in args))
    if isinstance(value, Num) and isinstance(value.expr, Call) and value.expr.fn is fn:
        from dataclasses import replace

        return replace(value, expr=replace(value.expr, style=style))
    return value


def _item(b: Builder, base: Num, args: list[Abs]) -> Abs:
    from s2s_ad.build.numeric import index

    if args:
        items = list(args[0].items) if len(args) == 1 and isinstance(args[0], Tup) else args
        return apply(b, float, [index(b, base, items, len(items) == 1)], {})
    if isinstance(base.type, Array):
        first = index(b, base, [Known(0)] * base.type.ndim, base.type.ndim == 1) if base.type.ndim else base
        return apply(b, float, [first], {})
    return apply(b, float, [base], {})


def object_method(b: Builder, receiver: Abs, name: str, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """A method of a passive object: a string, a generator of random numbers, a file."""
    if isinstance(receiver, Known) and isinstance(receiver.value, str | int | float | complex | tuple):
        known = [known_value(a) for a in args]
        if NOTHING not in known and not kwargs:
            return Known(getattr(receiver.value, name)(*known))
    if any(varied(a, b.state.heap) for a in [*args, *kwargs.values()]):
        if isinstance(receiver, Known) and isinstance(receiver.value, str):
            pass  # text is passive, whatever is put into it
        else:
            raise b.fail(
                f"an active value is passed to the method `{name}` of an object that is not understood",
                "Treat it as constant with stop_gradient(...).",
            )
    exprs = (b.expr(receiver), *(b.expr(a) for a in args))
    named = tuple((k, b.expr(v)) for k, v in kwargs.items())
    if isinstance(receiver, Known) and isinstance(receiver.value, str):
        return Num(Call(Method(name), exprs, named, OPAQUE, f"method:{name}"))
    rng = isinstance(receiver, Known) and isinstance(receiver.value, np.random.Generator | np.random.RandomState)
    type_ = drawn_type(b, name, args, kwargs) if rng else Unknown()
    value = Num(Call(Method(name), exprs, named, type_, f"method:{name}"), origins=frozenset({b.site(b.node, "draw")}))
    return b.bind(b.temp(b.node, "draw" if rng else "outcome"), value)


_UNIT_DRAWS = {"random", "standard_normal", "rand", "randn", "random_sample"}
_DRAWS = {"normal": 2, "uniform": 2, "exponential": 1, "gamma": 2, "beta": 2, "standard_gamma": 1, "laplace": 2}


def drawn_type(b: Builder, name: str, args: list[Abs], kwargs: dict[str, Abs]) -> Type:
    """What a random generator's method gives."""
    if name in ("rand", "randn"):
        return Array(np.dtype(float), tuple(f"?{b.site(b.node)}.{k}" for k in range(len(args)))) if args else FLOAT
    dtype: np.dtype[Any]
    if name in ("integers", "randint"):
        dtype, position = np.dtype(int), 2
    elif name in _UNIT_DRAWS:
        dtype, position = np.dtype(float), 0
    elif name in _DRAWS:
        dtype, position = np.dtype(float), _DRAWS[name]
    else:
        return Unknown()
    if any(isinstance(a, Num) and isinstance(a.type, Array | Unknown) for a in args[:position]):
        return Unknown(dtype)
    size = args[position] if len(args) > position else kwargs.get("size", Known(None))
    match size:
        case Known(None):
            return INT if dtype.kind == "i" else FLOAT
        case Known(tuple() as sizes):
            rank = len(sizes)
        case Tup(items):
            rank = len(items)
        case Known(int()) | Num(expr=_) if not (isinstance(size, Num) and not isinstance(size.type, Scalar)):
            rank = 1
        case _:
            return Unknown(dtype)
    return Array(dtype, tuple(f"?{b.site(b.node)}.{k}" for k in range(rank)))

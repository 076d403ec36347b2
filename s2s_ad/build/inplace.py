"""Functions and methods that write into an array they are given.

Enters: the function and its abstract arguments.  Leaves: a `Store` statement, and the value of the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.build.numeric import apply, infer
from s2s_ad.build.values import Abs, Known, Num, Tup, known_value
from s2s_ad.ir.types import Array

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


def method_in_place(b: Builder, base: Num, name: str, args: list[Abs], kwargs: dict[str, Abs]) -> Abs | None:
    from s2s_ad.build.stores import store

    if not isinstance(base.type, Array):
        return None
    match name:
        case "fill":
            store(b, base, [Known(Ellipsis)], args[0], None)
        case "sort":
            store(b, base, [Known(Ellipsis)], apply(b, np.sort, [base, *args], kwargs), None)
        case "partition":
            store(b, base, [Known(Ellipsis)], apply(b, np.partition, [base, *args], kwargs), None)
        case "put":
            return call_in_place(b, np.put, [base, *args], kwargs)
        case _:
            return None
    return Known(None)


def call_in_place(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs]) -> Abs | None:
    """The value of the call, or None if `fn` writes into nothing."""
    from s2s_ad.build.stores import store

    owner = getattr(fn, "__self__", None)
    if isinstance(owner, np.ufunc) and fn.__name__ == "at":
        return _ufunc_at(b, owner, args)
    out = kwargs.get("out")
    if out is not None and not (isinstance(out, Known) and out.value is None):
        return _with_out(b, fn, args, kwargs, out)
    if isinstance(fn, np.ufunc) and len(args) > fn.nin:
        return _with_out(b, fn, args[: fn.nin], kwargs, args[fn.nin])
    if fn is np.copyto:
        dst = _array(b, args[0])
        mask = kwargs.get("where") or (args[3] if len(args) > 3 else None)
        value = args[1] if mask is None else apply(b, np.where, [mask, args[1], dst], {})
        store(b, dst, [Known(Ellipsis)], value, None)
        return Known(None)
    if fn is np.fill_diagonal:
        return _fill_diagonal(b, args)
    if fn is np.put:
        where = apply(b, np.unravel_index, [args[1], _shape(b, args[0])], {})
        store(b, _array(b, args[0]), list(where.items) if isinstance(where, Tup) else [where], args[2], None)
        return Known(None)
    if fn in (np.place, np.putmask):
        dst = _array(b, args[0])
        if fn is np.place:
            values = args[2] if isinstance(args[2], Num) else Num(b.expr(args[2]))
            count = apply(b, np.count_nonzero, [args[1]], {})
            store(b, dst, [args[1]], apply(b, np.resize, [values, Tup((count,))], {}), None)
        else:
            store(b, dst, [Known(Ellipsis)], apply(b, np.where, [args[1], args[2], dst], {}), None)
        return Known(None)
    if fn is np.put_along_axis:
        return _put_along_axis(b, args, kwargs)
    return None


def _array(b: Builder, value: Abs) -> Num:
    if not isinstance(value, Num):
        raise b.fail("only an array can be written in place here")
    return value


def _shape(b: Builder, value: Abs) -> Abs:
    from s2s_ad.build.attributes import shape

    return shape(b, _array(b, value))


def _with_out(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs], out: Abs) -> Abs:
    from s2s_ad.build.calls import call_object
    from s2s_ad.build.stores import store

    if isinstance(out, Tup) and len(out.items) == 1:
        out = out.items[0]
    target = _array(b, out)
    rest = {k: v for k, v in kwargs.items() if k not in ("out", "where")}
    value = call_object(b, fn, args, rest)
    mask = kwargs.get("where")
    if mask is not None and known_value(mask) is not True:
        value = apply(b, np.where, [mask, value, target], {})
    store(b, target, [Known(Ellipsis)], value, None)
    return target


def _ufunc_at(b: Builder, ufunc: Any, args: list[Abs]) -> Abs:
    from s2s_ad.build.stores import store

    if ufunc not in (np.add, np.subtract):
        raise b.fail(f"`np.{ufunc.__name__}.at` is not understood", "Write it as a loop, or use np.add.at.")
    value = args[2]
    if ufunc is np.subtract:
        value = apply(b, np.negative, [value], {})
    items = list(args[1].items) if isinstance(args[1], Tup) else [args[1]]
    store(b, _array(b, args[0]), items, value, "add_at")
    return Known(None)


def _fill_diagonal(b: Builder, args: list[Abs]) -> Abs:
    from s2s_ad.build.stores import store

    base = _array(b, args[0])
    if not isinstance(base.type, Array) or base.type.ndim != 2 or len(args) > 2:
        raise b.fail("np.fill_diagonal is understood for matrices, without `wrap`")
    sizes = _shape(b, base)
    assert isinstance(sizes, Tup)
    count = apply(b, min, list(sizes.items), {}, type_=infer(b, min, list(sizes.items), {}))
    assert isinstance(count, Num)
    diagonal = apply(b, np.arange, [count], {})
    assert isinstance(diagonal, Num)
    named = b.atom(diagonal, b.node, "diagonal")
    store(b, base, [named, named], args[1], None)
    return Known(None)


def _put_along_axis(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    from s2s_ad.build.stores import store

    axis = kwargs.get("axis") or args[3]
    base, indices, value = _array(b, args[0]), args[1], args[2]
    known = known_value(axis)
    if not isinstance(base.type, Array) or not isinstance(known, int):
        raise b.fail("np.put_along_axis is understood for arrays and a constant axis")
    rank = base.type.ndim
    sizes = apply(
        b,
        np.indices,
        [apply(b, np.shape, [indices], {})],
        {},
        type_=Array(np.dtype(int), (f"?{b.site(b.node)}",) * (rank + 1)),
    )
    assert isinstance(sizes, Num)
    grid = b.atom(sizes, b.node, "grid")
    from s2s_ad.build.numeric import index

    items = [indices if k == known % rank else index(b, grid, [Known(k)], True) for k in range(rank)]
    store(b, base, items, value, None)
    return Known(None)

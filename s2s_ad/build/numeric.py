"""Applications of NumPy functions and subscripts, as typed IR expressions.

Enters: a function and abstract arguments.  Leaves: a `Num` whose expression knows its type, and whose place and origins
say whose memory it is.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.build.indexing import SliceItem, index_type
from s2s_ad.build.types import result_type
from s2s_ad.build.values import (
    NOTHING,
    Abs,
    Known,
    ListObject,
    Num,
    ObjectRef,
    Tup,
    is_number,
    known_value,
    varied,
)
from s2s_ad.ir.nodes import Call, Const, Expr, Index, Item, Place, Slice, Step, Var
from s2s_ad.ir.types import FLOAT, INT, OPAQUE, Array, ListOf, Opaque, Scalar, TupleOf, Type, Unknown, is_inexact
from s2s_ad.ir.types import Known as KnownOperand
from s2s_ad.rules.registry import is_passive

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder

# Functions whose result is a view of their first argument.
VIEWS: frozenset[Any] = frozenset(
    {
        np.transpose,
        np.swapaxes,
        np.moveaxis,
        np.rollaxis,
        np.expand_dims,
        np.squeeze,
        np.real,
        np.imag,
        np.diagonal,
        np.flip,
        np.fliplr,
        np.flipud,
        np.rot90,
        np.broadcast_to,
        np.split,
        np.array_split,
        np.hsplit,
        np.vsplit,
        np.dsplit,
        np.matrix_transpose,
        np.linalg.matrix_transpose,
    }
)
# Functions whose result is a view or a copy, depending on layout, dtype or rank.
MAYBE_VIEWS: frozenset[Any] = frozenset(
    {
        np.reshape,
        np.ravel,
        np.asarray,
        np.asanyarray,
        np.ascontiguousarray,
        np.asfortranarray,
        np.atleast_1d,
        np.atleast_2d,
        np.atleast_3d,
    }
)
LAYOUT_VIEWS: frozenset[Any] = frozenset({np.reshape, np.ravel, np.ascontiguousarray, np.asfortranarray})


def operand(b: Builder, value: Abs) -> Any:
    """What type inference needs to know of an argument."""
    match value:
        case Known(np.generic() as v):
            return KnownOperand(v)
        case Known(v) if isinstance(v, float | complex) and not isinstance(v, bool):
            return FLOAT if isinstance(v, float) else Scalar(np.dtype(complex))
        case Known(v):
            return KnownOperand(v)
        case Num(known=v) if v is not NOTHING and isinstance(v, int | tuple | str):
            return KnownOperand(v)
        case Num():
            return value.type
        case Tup(items):
            return tuple(operand(b, item) for item in items)
        case ObjectRef(site):
            obj = b.state.heap[site]
            if isinstance(obj, ListObject):
                return tuple(operand(b, item) for item in obj.items)
    return OPAQUE


def apply(
    b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs], style: str = "function", type_: Type | None = None
) -> Abs:
    """`fn(*args, **kwargs)` as a value; nothing is evaluated."""
    for value in [*args, *kwargs.values()]:
        if isinstance(value, ObjectRef) and not isinstance(b.state.heap[value.site], ListObject):
            if varied(value, b.state.heap):
                name = getattr(fn, "__name__", str(fn))
                raise b.fail(
                    f"a dict or an object is given to `{name}` here", "Give it the numbers and arrays themselves."
                )
    exprs = tuple(b.expr(a) for a in args)
    named = tuple((k, b.expr(v)) for k, v in kwargs.items())
    if type_ is None:
        type_ = infer(b, fn, args, kwargs)
    call = Call(fn, exprs, named, type_, style)
    active = is_inexact(type_) and _carries(b, fn, [*args, *kwargs.values()])
    if isinstance(type_, Scalar | Opaque):
        return Num(call, varied=active)
    if isinstance(type_, TupleOf):
        return taken_apart(b, call, type_, origins_of_result(b, fn, args), active)
    return Num(call, origins=origins_of_result(b, fn, args), varied=active)


def _carries(b: Builder, fn: Any, args: list[Abs]) -> bool:
    return any(varied(a, b.state.heap) for a in args) and not is_passive(rule_key(fn))


def rule_key(fn: Any) -> Any:
    """The function under which the rule of an operator is registered."""
    return OPERATOR_UFUNCS.get(fn, fn) if style_is_operator(fn) else fn


OPERATOR_UFUNCS: dict[Any, Any] = {
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.truediv: np.divide,
    operator.floordiv: np.floor_divide,
    operator.mod: np.remainder,
    operator.pow: np.power,
    operator.matmul: np.matmul,
    operator.neg: np.negative,
    operator.pos: np.positive,
    operator.lt: np.less,
    operator.le: np.less_equal,
    operator.gt: np.greater,
    operator.ge: np.greater_equal,
    operator.eq: np.equal,
    operator.ne: np.not_equal,
    operator.and_: np.bitwise_and,
    operator.or_: np.bitwise_or,
    operator.xor: np.bitwise_xor,
    operator.invert: np.invert,
    operator.not_: np.logical_not,
}


def infer(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs]) -> Type:
    weak = style_is_operator(fn) and fn is not operator.pow
    operands = tuple(operator_operand(b, a) if weak else operand(b, a) for a in args)
    hint = f"{b.site(b.node)}"
    type_ = result_type(fn, operands, {k: operand(b, v) for k, v in kwargs.items()}, hint)
    if type_ is not None:
        return type_
    return Unknown() if any(map(_is_number, operands)) else OPAQUE


def _is_number(o: Any) -> bool:
    return any(map(_is_number, o)) if isinstance(o, tuple) else isinstance(o, Array | Unknown | Scalar)


def style_is_operator(fn: Any) -> bool:
    return getattr(fn, "__module__", None) == "_operator"


def operator_operand(b: Builder, value: Abs) -> Any:
    """Operators do not care for the values of their operands: one cache entry serves all."""
    o = operand(b, value)
    if isinstance(o, KnownOperand) and is_number(o.value):
        return b.expr(value).type
    return o


def origins_of_result(b: Builder, fn: Any, args: list[Abs]) -> frozenset[str]:
    own = frozenset({b.site(b.node, "value")})
    if fn in VIEWS or fn in MAYBE_VIEWS:
        return (own if fn in MAYBE_VIEWS else frozenset()).union(*(origins(b, a) for a in args[:1]))
    return own


def origins(b: Builder, value: Abs) -> frozenset[str]:
    match value:
        case Num():
            return value.origins
        case Tup(items):
            return frozenset().union(*(origins(b, v) for v in items))
        case ObjectRef(site):
            return frozenset().union(*(origins(b, v) for v in b.state.heap[site].items))
    return frozenset()


def taken_apart(b: Builder, call: Expr, type_: TupleOf, source: frozenset[str], active: bool = False) -> Tup:
    items = tuple(
        Num(
            Index(call, (Const(k, INT),), t),
            origins=source if isinstance(t, Array | Unknown | ListOf) else frozenset(),
            varied=active and is_inexact(t),
        )
        if not isinstance(t, TupleOf)
        else taken_apart(b, Index(call, (Const(k, INT),), t), t, source, active)
        for k, t in enumerate(type_.items)
    )
    return Tup(items, None, call)


def view_place(b: Builder, expr: Expr) -> Place | None:
    """Where a view leads, if its object is written in place somewhere."""
    match expr:
        case Var(place=place):
            return place
        case Index(place=place):
            return place
        case Call(fn, args) if (fn in VIEWS or fn in MAYBE_VIEWS) and args:
            inner = view_place(b, args[0])
            return None if inner is None else Place(inner.root, (*inner.path, Step(call=expr)))
    return None


def index(b: Builder, base: Num, items: list[Any], single: bool) -> Abs:
    """`base[items]`, read."""
    exprs = tuple(_item_expr(b, item) for item in items)
    operands = tuple(_item_operand(b, item) for item in items)
    hint = b.site(b.node, "index")
    if isinstance(base.type, Opaque):
        return Num(Index(base.expr, exprs, OPAQUE, single=single))
    type_, is_view = index_type(base.type, operands, hint)
    type_ = with_slice_sizes(b, base, items, type_)
    expr = Index(base.expr, exprs, type_, single=single)
    own = frozenset({b.site(b.node, "value")})
    if isinstance(type_, Scalar | Opaque):
        place = view_place(b, base.expr)
        if place is not None:
            expr = Index(base.expr, exprs, type_, Place(place.root, (*place.path, Step(items=exprs))), single)
        return Num(expr, varied=base.varied and is_inexact(type_))
    active = base.varied and is_inexact(type_)
    inside = isinstance(base.type, ListOf | TupleOf)
    if isinstance(type_, TupleOf):
        return taken_apart(b, expr, type_, base.origins, active)
    if not is_view and not inside and is_view is not None:
        return Num(expr, origins=own, varied=active)
    if is_view is None and not inside:
        return Num(expr, origins=own | base.origins, varied=active)
    place = view_place(b, base.expr)
    if place is not None:
        place = Place(place.root, (*place.path, Step(items=exprs)))
    return Num(Index(base.expr, exprs, type_, place, single), origins=base.origins, varied=active)


def with_slice_sizes(b: Builder, base: Num, items: list[Any], type_: Type) -> Type:
    """Slices of one array that leave out equally many elements are equally long: `u[2:]`, `u[1:-1]`, `u[:-2]`."""
    if not isinstance(base.type, Array) or not isinstance(type_, Array) or len(type_.dims) > len(base.type.dims):
        return type_
    if any(not isinstance(i, slice) and not isinstance(known_value(i), int) for i in items):
        return type_
    dims = list(type_.dims)
    at = 0
    for axis, item in enumerate(items):
        if not isinstance(item, slice):
            continue
        whole = base.type.dims[axis]
        left = _left_out(item)
        if left and whole != 1 and str(dims[at]).startswith("?"):
            name = base.expr.name if isinstance(base.expr, Var) else None
            if str(whole).startswith("?"):
                dims[at] = f"{whole}-{left}"
            elif name is not None:
                dims[at] = f"?{name}@{b.bindings.get(name, 'argument')}.{axis}-{left}"
        at += 1
    return Array(type_.dtype, tuple(dims))


def _left_out(item: slice) -> int | None:
    """How many elements a slice like `[1:-1]` leaves out, if constants say so."""
    start = 0 if item.start is None else known_value(item.start)
    stop = 0 if item.stop is None else known_value(item.stop)
    step = 1 if item.step is None else known_value(item.step)
    if not isinstance(start, int) or not isinstance(stop, int) or step != 1 or start < 0 or stop > 0:
        return None
    if item.stop is not None and stop == 0:
        return None
    return start - stop


def _item_expr(b: Builder, item: Any) -> Item:
    if isinstance(item, slice):
        return Slice(*(None if p is None else b.expr(p) for p in (item.start, item.stop, item.step)))
    return b.expr(item)


def _item_operand(b: Builder, item: Any) -> Any:
    if isinstance(item, slice):
        bounds: list[Any] = [None if p is None else operand(b, p) for p in (item.start, item.stop, item.step)]
        return SliceItem(*bounds)
    o = operand(b, item)
    return o


def static_items(value: Tup) -> list[Abs]:
    return list(value.items)


def known_or_none(value: Abs) -> Any:
    known = known_value(value)
    return None if known is NOTHING else known

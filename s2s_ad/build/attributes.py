"""Attributes: of arrays, modules, objects and containers.

Enters: an abstract value and an attribute's name.  Leaves: the abstract value of the attribute, or a bound method.
"""

from __future__ import annotations

import functools
import types
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.build.alternatives import choose
from s2s_ad.build.numeric import apply, view_place
from s2s_ad.build.values import (
    Abs,
    Bound,
    DictObject,
    Instance,
    Iteration,
    Known,
    ListObject,
    Num,
    ObjectRef,
    OneOf,
    RangeValue,
    Tup,
)
from s2s_ad.ir.nodes import Call, Const, Index, Ref
from s2s_ad.ir.types import INT, OPAQUE, Array, ListOf, Opaque, Scalar, TupleOf, Unknown

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder

_ARRAY_ATTRIBUTES: dict[str, Any] = {"T": np.transpose, "real": np.real, "imag": np.imag, "mT": np.matrix_transpose}
_LIST_METHODS = frozenset(
    {
        "append",
        "pop",
        "extend",
        "insert",
        "reverse",
        "clear",
        "copy",
        "index",
        "count",
        "sort",
        "remove",
        "popleft",
        "appendleft",
    }
)


def attribute(b: Builder, base: Abs, attr: str) -> Abs:
    match base:
        case OneOf():
            return choose(b, base, lambda v: attribute(b, v, attr))
        case Known(value):
            return _of_object(b, value, attr)
        case ObjectRef(site):
            return _of_heap(b, base, b.state.heap[site], attr)
        case Tup(items, cls):
            if cls is not None:
                fields = getattr(cls, "_fields", ())
                if attr in fields:
                    return items[fields.index(attr)]
                if attr in ("_replace", "_asdict"):
                    return Bound(attr, base)
                return _class_attribute(b, base, cls, attr)
            if base.whole is not None and hasattr(base.whole, "fn"):
                names = _result_fields(base.whole.fn, len(items))
                if attr in names:
                    return items[names.index(attr)]
            return Bound(attr, base)
        case Num():
            return _of_number(b, base, attr)
        case Bound("#super", ObjectRef() | Tup() as receiver, (Known(cls),)):
            return _class_attribute(b, receiver, _class_of(b, receiver), attr, after=cls)
        case RangeValue() if attr in ("start", "stop", "step"):
            bound: Abs = getattr(base, attr)
            return bound
        case Iteration() | Bound():
            return Bound(attr, base)
    raise b.fail(f"`.{attr}` of this value is not understood")


def _result_fields(fn: Any, count: int) -> tuple[str, ...]:
    """The names of the parts of NumPy's named results."""
    table: dict[Any, tuple[str, ...]] = {
        np.linalg.eigh: ("eigenvalues", "eigenvectors"),
        np.linalg.eig: ("eigenvalues", "eigenvectors"),
        np.linalg.qr: ("Q", "R"),
        np.linalg.svd: ("U", "S", "Vh"),
        np.linalg.slogdet: ("sign", "logabsdet"),
    }
    return table.get(fn, ())[:count]


_WITH_CONSTANTS = ("numpy", "math", "cmath", "scipy.constants")  # np.pi, math.inf: never another value


def _of_object(b: Builder, value: Any, attr: str) -> Abs:
    from s2s_ad.build.free_names import lift

    if isinstance(value, str | bytes):
        return Bound(attr, Known(value))
    if isinstance(value, frozenset) and attr in ("add", "remove", "discard", "pop", "clear", "update"):
        raise b.fail("a set that is changed is not understood", "Make it in one expression, or use a list.")
    if isinstance(value, bool | int | float | complex):
        if attr in ("real", "imag"):
            return Known(getattr(value, attr))
        if attr in ("ndim", "size", "shape", "dtype"):
            return Known({"ndim": 0, "size": 1, "shape": (), "dtype": np.result_type(value)}[attr])
        if attr == "T":
            return Known(value)
        return Bound(attr, Known(value))
    try:
        found = getattr(value, attr)
    except AttributeError as error:
        name = getattr(value, "__name__", value)
        raise b.certain(AttributeError, f"`{name}` has no attribute `{attr}`") from error
    if isinstance(value, np.dtype):
        return Known(found)
    if isinstance(value, types.ModuleType) and value.__name__ in _WITH_CONSTANTS and isinstance(found, int | float):
        return Known(found)
    if isinstance(value, types.ModuleType | type):
        return lift(b, found, lambda: getattr(value, attr), attr)
    if isinstance(value, np.random.Generator | np.random.RandomState):
        return Bound(attr, Known(value))
    if callable(found):
        return Known(found)
    return lift(b, found, lambda: getattr(value, attr), attr)


def _of_heap(b: Builder, base: ObjectRef, obj: Any, attr: str) -> Abs:
    match obj:
        case Instance(cls, names, items):
            if attr in names:
                return items[names.index(attr)]
            return _class_attribute(b, base, cls, attr)
        case ListObject() | DictObject():
            return Bound(attr, base)
    raise b.fail(f"`.{attr}` of this object is not understood")


def _class_of(b: Builder, value: Abs) -> type:
    if isinstance(value, ObjectRef):
        obj = b.state.heap[value.site]
        return obj.cls if isinstance(obj, Instance) else dict if isinstance(obj, DictObject) else list
    return (value.cls if isinstance(value, Tup) else None) or tuple


def _class_attribute(b: Builder, base: Abs, cls: type, attr: str, after: type | None = None) -> Abs:
    """An attribute that a class gives its instances; with `after`, one from the classes behind it (`super()`)."""
    from s2s_ad.build.free_names import lift

    if attr == "__class__":
        return Known(cls)
    if attr == "__dict__" and isinstance(base, ObjectRef):
        return _namespace(b, base)
    order = cls.__mro__[cls.__mro__.index(after) + 1 :] if after is not None else cls.__mro__
    for owner in order:
        if attr in vars(owner):
            found = vars(owner)[attr]
            break
    else:
        fact = f"`{cls.__name__}` has no attribute `{attr}` here"
        raise b.certain(AttributeError, fact, "Set it in `__init__`, or pass it.")
    if isinstance(found, staticmethod):
        return Known(found.__func__)
    if isinstance(found, classmethod):
        return Bound(Known(found.__func__), Known(cls))
    if isinstance(found, property):
        from s2s_ad.build.calls import call_value

        return call_value(b, Known(found.fget), [base], {})
    if isinstance(found, types.FunctionType):
        return Bound(Known(found), base)
    if isinstance(found, functools.cached_property):
        from s2s_ad.build.calls import call_value
        from s2s_ad.build.containers import store_attribute

        value = call_value(b, Known(found.func), [base], {})
        if isinstance(base, ObjectRef):
            store_attribute(b, base, attr, value)
        return value
    if found is object.__init__:
        return Known(_nothing)
    inner = getattr(found, "__wrapped__", None)
    if callable(found) and inner is not None:
        return Bound(Known(found), base)
    return lift(b, found, lambda: getattr(cls, attr), attr)


def _nothing() -> None:
    """What object's own `__init__` does."""


def _namespace(b: Builder, base: ObjectRef) -> Abs:
    """A copy of an object's attributes, as `vars(obj)` is read."""
    obj = b.state.heap[base.site]
    assert isinstance(obj, Instance)
    site = b.site(b.node, "namespace")
    return b.allocate(site, DictObject(obj.names, obj.items))


def _of_number(b: Builder, base: Num, attr: str) -> Abs:
    type_ = base.type
    if isinstance(type_, Opaque):
        return Bound(attr, base)
    if isinstance(type_, ListOf):
        if attr in _LIST_METHODS or attr == "__getitem__":
            return Bound(attr, base)
        raise b.fail(f"a list has no `.{attr}`")
    if attr == "shape":
        return shape(b, base)
    if attr == "ndim":
        if isinstance(type_, Array | Scalar):
            return Known(type_.ndim if isinstance(type_, Array) else 0)
        return apply(b, np.ndim, [base], {}, "attribute:ndim", INT)
    if attr == "size":
        if isinstance(type_, Array) and type_.ndim == 1:
            return Num(Call(np.size, (base.expr,), (), INT, "attribute:size"))
        return Num(Call(np.size, (base.expr,), (), INT, "attribute:size"))
    if attr == "dtype":
        if isinstance(type_, Array | Scalar) or (isinstance(type_, Unknown) and type_.dtype is not None):
            return Known(type_.dtype)
        return Num(Call(np.result_type, (base.expr,), (), OPAQUE))
    if attr in _ARRAY_ATTRIBUTES:
        if attr in ("T", "mT") and isinstance(type_, Array) and attr == "T" and type_.ndim < 2:
            return base
        if attr == "real" and isinstance(type_, Array | Scalar) and type_.dtype.kind != "c":
            return base
        value = apply(b, _ARRAY_ATTRIBUTES[attr], [base], {}, f"attribute:{attr}")
        if isinstance(value, Num) and isinstance(value.expr, Call) and isinstance(value.type, Array):
            place = view_place(b, value.expr)
            if place is not None:
                return replace(value, expr=_placed(b, value, place))
        return value
    if attr == "flat":
        return Num(
            Call(np.ravel, (base.expr,), (), _flat_type(type_), "function"), origins=base.origins, varied=base.varied
        )
    if attr in ("itemsize", "nbytes", "strides", "flags"):
        return Num(Call(getattr, (base.expr, Const(attr)), (), OPAQUE))
    return Bound(attr, base)


def _flat_type(type_: Any) -> Any:
    return Array(type_.dtype, ("?flat",)) if isinstance(type_, Array) else Unknown()


def _placed(b: Builder, value: Num, place: Any) -> Any:
    return value.expr


def shape(b: Builder, base: Num) -> Abs:
    """`x.shape` (np.shape(x)): a tuple of known length where the rank is known."""
    type_ = base.type
    if isinstance(type_, Scalar):
        return Tup(())
    if isinstance(type_, Array):
        whole = Call(np.shape, (base.expr,), (), TupleOf((INT,) * type_.ndim), "attribute:shape")
        items: list[Abs] = []
        for k, dim in enumerate(type_.dims):
            item = Index(whole, (Const(k, INT),), Scalar(INT.dtype, size=dim))
            items.append(Num(item, known=1) if dim == 1 else Num(item))
        return Tup(tuple(items), None, whole)
    return Num(Call(np.shape, (base.expr,), (), OPAQUE, "attribute:shape"))


_ = Ref

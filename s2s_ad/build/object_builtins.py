"""Builtins that ask about objects, classes and attributes, or write text.

Enters: a builtin and its abstract arguments.  Leaves: its abstract value.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.build import containers
from s2s_ad.build.values import (
    NOTHING,
    Abs,
    Bound,
    Closure,
    Instance,
    Known,
    ListObject,
    Num,
    ObjectRef,
    RangeValue,
    Tup,
    known_value,
    varied,
)
from s2s_ad.ir.nodes import Call
from s2s_ad.ir.types import BOOL, OPAQUE, Array, ListOf, Scalar, TupleOf

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


def _isinstance(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    value, cls = args
    wanted = known_value(cls)
    if wanted is NOTHING:
        return Num(Call(isinstance, tuple(b.expr(a) for a in args), (), BOOL))
    if isinstance(wanted, types.UnionType):
        wanted = wanted.__args__
    actual = class_of(b, value)
    if actual is None:
        return Num(Call(isinstance, tuple(b.expr(a) for a in args), (), BOOL))
    return Known(issubclass(actual, wanted))


def class_of(b: Builder, value: Abs) -> type | None:
    match value:
        case Known(v):
            return type(v)
        case Tup(_, cls):
            return cls or tuple
        case ObjectRef(site):
            obj = b.state.heap[site]
            return obj.cls if isinstance(obj, Instance) else list if isinstance(obj, ListObject) else dict
        case Closure():
            return types.FunctionType
        case RangeValue():
            return range
        case Num():
            return _class_of_type(value.type)
    return None


def _class_of_type(type_: Any) -> type | None:
    match type_:
        case Array():
            return np.ndarray
        case Scalar(dtype, weak):
            return {"b": bool, "i": int, "f": float, "c": complex}.get(dtype.kind) if weak else dtype.type
        case ListOf():
            return list
        case TupleOf():
            return tuple
    return None


def replaced(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """dataclasses.replace: made anew, with `__post_init__`."""
    from s2s_ad.build.calls import construct

    value = args[0]
    obj = b.state.heap.get(value.site) if isinstance(value, ObjectRef) else None
    if not isinstance(obj, Instance) or not dataclasses.is_dataclass(obj.cls):
        raise b.fail("dataclasses.replace takes a dataclass")
    held = dict(zip(obj.names, obj.items, strict=True))
    fields = {f.name: held[f.name] for f in dataclasses.fields(obj.cls) if f.init and f.name in held}
    return construct(b, obj.cls, [], fields | kwargs)


def _vars(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    from s2s_ad.build.attributes import attribute

    return attribute(b, args[0], "__dict__")


def _getattr(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    from s2s_ad.build.attributes import attribute
    from s2s_ad.errors import S2SError

    name = known_value(args[1])
    if not isinstance(name, str):
        raise b.fail("the name of an attribute must be known when the program is derived")
    try:
        return attribute(b, args[0], name)
    except S2SError:
        if len(args) < 3:
            raise
        return args[2]


def _hasattr(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    name = known_value(args[1])
    cls = class_of(b, args[0])
    if not isinstance(name, str) or cls is None:
        raise b.fail("hasattr of this is not understood here")
    if isinstance(args[0], ObjectRef):
        obj = b.state.heap[args[0].site]
        if isinstance(obj, Instance) and name in obj.names:
            return Known(True)
    if isinstance(args[0], Known):
        return Known(hasattr(args[0].value, name))
    return Known(hasattr(cls, name))


def _setattr(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    name = known_value(args[1])
    if not isinstance(name, str) or not isinstance(args[0], ObjectRef):
        raise b.fail("setattr of this is not understood here")
    containers.store_attribute(b, args[0], name, args[2])
    return Known(None)


def _type(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    cls = class_of(b, args[0])
    return Num(Call(type, (b.expr(args[0]),), (), OPAQUE)) if cls is None else Known(cls)


def _text(fn: Any) -> Callable[[Builder, list[Abs], dict[str, Abs]], Abs]:
    def make(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
        known = [known_value(a) for a in args]
        if NOTHING not in known:
            return Known(fn(*known))
        active = any(varied(a, b.state.heap) for a in args)
        return Num(Call(fn, tuple(b.expr(a) for a in args), (), OPAQUE), varied=active)

    return make


def _callable(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    value = args[0]
    return Known(callable(value.value) if isinstance(value, Known) else isinstance(value, Closure | Bound))


def _super(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    frame = b.frame
    while frame.this_class is None and frame.parent is not None:
        frame = b.frames[frame.parent]
    if len(args) == 2:
        cls, receiver = known_value(args[0]), args[1]
    else:
        cls, receiver = frame.this_class, frame.receiver
    if not isinstance(cls, type) or receiver is None:
        fact = "the class that `super()` starts from is not known here"
        raise b.fail(fact, "Call the base class's method by name, `Base.method(self, ...)`.")
    return Bound("#super", receiver, (Known(cls),))


OBJECT_HANDLERS: dict[Any, Callable[[Builder, list[Abs], dict[str, Abs]], Abs]] = {
    isinstance: _isinstance,
    getattr: _getattr,
    hasattr: _hasattr,
    setattr: _setattr,
    type: _type,
    str: _text(str),
    repr: _text(repr),
    format: _text(format),
    callable: _callable,
    super: _super,
    dataclasses.replace: replaced,
    vars: _vars,
}

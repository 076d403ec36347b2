"""Parameters as abstract values: a pytree is taken apart along its signature.

Enters: the expression of an argument and its `Spec`.  Leaves: its abstract value.

    params: {"W": float64[N, N], "b": float64[N]}   ->   a dict object whose leaves are params["W"], params["b"]
    layers: [(float64[N, N], float64[N])] * 3       ->   one list of run-time length, so that loops stay loops
"""

from __future__ import annotations

import ast
import dataclasses
import operator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.build.kinds import kind_of
from s2s_ad.build.values import Abs, DictObject, Instance, Known, ListObject, Num, ObjectRef, Tup
from s2s_ad.ir.nodes import Assign, Call, Const, Expr, If, Index, Place, Raise, Ref, Var
from s2s_ad.ir.spec import Fields, Items, Leaf, Mapping, Spec, Static
from s2s_ad.ir.types import BOOL, INT, OPAQUE, Array, ListOf, TupleOf, Type, Unknown, is_inexact, join

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


def argument(b: Builder, expr: Expr, spec: Spec, site: str) -> Abs:
    """The value of `expr`, which has the structure `spec`. Leaves are given names when they are arrays or numbers."""
    match spec:
        case Leaf(type_):
            return _leaf(b, expr, type_, site)
        case Static(value=value):
            return Known(value)
        case Items("list", items):
            run_time = list_type(spec, site)
            if run_time is not None and site not in b.facts.static_arguments:
                return _dynamic(b, expr, run_time, site)
            parts = tuple(argument(b, _at(expr, k, s), s, f"{site}[{k}]") for k, s in enumerate(items))
            b.state.heap[site] = ListObject(parts)
            return ObjectRef(site)
        case Items("tuple", items):
            return Tup(tuple(argument(b, _at(expr, k, s), s, f"{site}[{k}]") for k, s in enumerate(items)))
        case Mapping(keys, items):
            parts = tuple(argument(b, _at(expr, k, s), s, f"{site}[{k!r}]") for k, s in zip(keys, items, strict=True))
            b.state.heap[site] = DictObject(keys, parts)
            return ObjectRef(site)
        case Fields(cls, names, items):
            parts = tuple(
                argument(b, Call(getattr, (expr, Const(n)), (), OPAQUE, f"attribute:{n}"), s, f"{site}.{n}")
                for n, s in zip(names, items, strict=True)
            )
            if issubclass(cls, tuple):
                return Tup(parts, cls)
            frozen = dataclasses.is_dataclass(cls) and bool(cls.__dataclass_params__.frozen)  # type: ignore[attr-defined]
            b.state.heap[site] = Instance(cls, names, parts, frozen)
            return ObjectRef(site)
    raise TypeError(f"`{site}` has a structure of no known kind: {spec!r}")


def _at(expr: Expr, key: Any, spec: Spec) -> Expr:
    type_: Type = spec.type if isinstance(spec, Leaf) else OPAQUE
    return Index(expr, (Const(key, INT if isinstance(key, int) else OPAQUE),), type_)


def _leaf(b: Builder, expr: Expr, type_: Type, site: str) -> Abs:
    origin = frozenset({site}) if isinstance(type_, Array | Unknown) else frozenset()
    typed = replace(expr, type=type_) if isinstance(expr, Var | Index | Call) else expr
    written = bool(origin & b.facts.written)
    if isinstance(expr, Var):
        b.types[expr.name] = type_
        b.kinds.setdefault(expr.name, kind_of(type_))
        if written:
            copy = _copied(b, typed, type_)
            b.arguments_copied.add(expr.name)
            b.emit(Assign((expr.name,), (copy,), b.line, "entry copy"))
        place = Place(expr.name) if written else None
        return Num(Var(expr.name, type_, place), origins=origin, varied=_varied(b, type_))
    name = b.names.fresh(leaf_name(expr))
    if written:
        b.arguments_copied.add(name)
    b.types[name] = type_
    b.kinds.setdefault(name, kind_of(type_))
    b.emit(Assign((name,), (_copied(b, typed, type_) if written else typed,), 0, "leaf"))
    return Num(Var(name, type_, Place(name) if written else None), origins=origin, varied=_varied(b, type_))


def _varied(b: Builder, type_: Type) -> bool:
    return b.wrt_argument and is_inexact(type_)


def _copied(b: Builder, expr: Expr, type_: Type) -> Expr:
    """The function writes into this argument: it gets a copy, of the same layout where a reshape asks for it."""
    if not b.facts.layout:
        return Call(np.copy, (expr,), (), type_, "method:copy")
    flags = Call(getattr, (expr, Const("flags")), (), OPAQUE, "attribute:flags")
    dense = Call(getattr, (flags, Const("forc")), (), BOOL, "attribute:forc")
    message = "shared memory: an argument with gaps is written, and reshaped: that would make a copy"
    error = Raise(Call(ValueError, (Const(message),)))
    b.emit(If(Call(operator.not_, (dense,), (), BOOL, "op"), (error,), ()))
    return Call(np.copy, (expr,), (), type_)


def _dynamic(b: Builder, expr: Expr, type_: ListOf, site: str) -> Abs:
    origin = frozenset({site})
    if origin & b.facts.written:
        # A list of the caller's that is written: it must be taken apart, so that its arrays are copied.
        b.facts.static_arguments.add(site)
        from s2s_ad.build.builder import Restart

        raise Restart
    typed = replace(expr, type=type_) if isinstance(expr, Var | Index | Call) else expr
    if isinstance(expr, Var):
        b.types[expr.name] = type_
        b.kinds.setdefault(expr.name, kind_of(type_))
        return Num(Var(expr.name, type_, Place(expr.name)), origins=origin, varied=_varied(b, type_))
    name = b.names.fresh(leaf_name(expr))
    b.types[name] = type_
    b.kinds.setdefault(name, kind_of(type_))
    b.emit(Assign((name,), (typed,), 0, "leaf"))
    return Num(Var(name, type_, Place(name)), origins=origin, varied=_varied(b, type_))


def leaf_name(expr: Expr) -> str:
    """A name for a leaf: `W` for params["W"], `params_0` for params[0]."""
    match expr:
        case Var(name):
            return name
        case Index(base, (Const(key),)):
            if isinstance(key, str) and key.isidentifier():
                return key
            return f"{leaf_name(base)}_{key}" if isinstance(key, int) and key >= 0 else f"{leaf_name(base)}_item"
        case Call(_, (base, Const(name))) if isinstance(name, str):
            return name if not name.startswith("_") else f"{leaf_name(base)}{name}"
        case Ref(name):
            return name
    return "leaf"


def list_type(spec: Items, site: str) -> ListOf | None:
    """The type of a list whose items are alike, or None."""
    joined: Type | None = None
    for k, item in enumerate(spec.items):
        type_ = _item_type(item, f"{site}.item")
        if type_ is None:
            return None
        joined = type_ if k == 0 else (None if joined is None else join(joined, type_, f"{site}.item"))
        if joined is None or isinstance(joined, Unknown):
            return None
    return None if joined is None else ListOf(joined)


def _item_type(spec: Spec, site: str) -> Type | None:
    match spec:
        case Leaf(type_):
            return type_
        case Items("tuple", items):
            types = [_item_type(s, f"{site}.{k}") for k, s in enumerate(items)]
            return None if any(t is None for t in types) or not types else TupleOf(tuple(types))  # type: ignore[arg-type]
        case Items("list"):
            return list_type(spec, site)
    return None


_ = ast

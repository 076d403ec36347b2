"""Cotangents: where each is kept, and how contributions are added to it.

Enters: contributions, in the order of the reverse sweep.  Leaves: statements that add them. A first contribution is an
assignment; later ones are added in place where the buffer belongs to that cotangent alone.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from s2s_ad.build.families import is_elementwise
from s2s_ad.build.numeric import MAYBE_VIEWS
from s2s_ad.differentiate.fit import fit, is_smaller, perhaps_smaller, shape_of
from s2s_ad.ir.names import Names
from s2s_ad.ir.nodes import (
    Assign,
    Call,
    Const,
    Display,
    Expr,
    Index,
    Slice,
    Step,
    Stmt,
    Store,
    Var,
    ZerosLike,
    number,
)
from s2s_ad.ir.types import FLOAT, Array, ListOf, Scalar, TupleOf, Type, Unknown
from s2s_ad.rules.runtime import unbroadcast
from s2s_ad.simplify.algebra import simplify

_FRESH: set[Any] = {
    operator.matmul, np.matmul, np.dot, np.outer, np.sum, np.mean, np.where, np.concatenate, np.stack, np.full,
    np.zeros, np.zeros_like, np.copy, np.tensordot, np.einsum, np.ones, np.ones_like, np.full_like, np.cumsum,
    np.cumprod, np.inner, np.kron, np.array, np.linalg.inv, np.linalg.solve, np.repeat, np.tile, np.roll, np.pad,
}  # fmt: skip
_OPERATORS = {operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.neg}


@dataclass(frozen=True)
class Bar:
    """A cotangent: its name, the type of what the name holds, and whether that buffer is nobody else's."""

    name: str
    type: Type
    owned: bool
    laid: bool = (
        False  # laid out in memory as its value is, so that a reshape is a view of one where it is of the other
    )

    @property
    def var(self) -> Var:
        return Var(self.name, self.type)


def is_fresh(expr: Expr) -> bool:
    """Whether evaluating `expr` makes an array that nothing else refers to."""
    if isinstance(expr.type, Scalar):
        return True
    if isinstance(expr, ZerosLike):
        return True
    if not isinstance(expr, Call):
        return False
    if expr.fn in _FRESH:
        return True
    return (expr.fn in _OPERATORS or is_elementwise(expr.fn)) and isinstance(expr.type, Array)


def zeros(name: str, type_: Type) -> Expr:
    return ZerosLike(Var(name, type_), zero_type(type_))


def zero_type(type_: Type) -> Type:
    """A cotangent is inexact even where its value came from an integer."""
    match type_:
        case Scalar(dtype):
            return FLOAT if dtype.kind in "biu" else type_
        case Array(dtype, dims) if dtype.kind in "biu":
            return Array(np.dtype(float), dims)
    return type_


class Bars:
    """The cotangents at one point of the reverse sweep, and the statements written so far."""

    def __init__(self, names: Names, types: dict[str, Type]) -> None:
        self.names = names
        self.types = types
        self.state: dict[str, Bar] = {}
        self.bar_names: dict[str, str] = {}
        self.out: list[Stmt] = []

    def name(self, key: str) -> str:
        if key not in self.bar_names:
            self.bar_names[key] = self.names.fresh(f"{key}_bar")
        return self.bar_names[key]

    def emit(self, stmt: Stmt) -> None:
        self.out.append(stmt)

    def set(self, key: str, g: Expr, owned: bool | None = None) -> None:
        """The cotangent of `key` is `g`."""
        name = self.name(key)
        g = simplify(g)
        if not (isinstance(g, Var) and g.name == name):
            self.emit(Assign((name,), (g,)))
        self.state[key] = Bar(name, g.type, is_fresh(g) if owned is None else owned)

    def take(self, key: str) -> Bar | None:
        """The cotangent of `key`, which is zero from here on."""
        return self.state.pop(key, None)

    def whole(self, key: str, path: tuple[Step, ...] = ()) -> Bar:
        """The cotangent of `key` as a buffer of its own, in its value's whole shape."""
        bar = self.state.get(key)
        type_ = self.types[key]
        if bar is None:
            self.set(key, zeros(key, type_), owned=True)
            self.state[key] = replace(self.state[key], laid=True)
        elif not bar.laid and any(s.call is not None and s.call.fn in MAYBE_VIEWS for s in path):
            old = self.names.fresh("old_bar")
            self.emit(Assign((old,), (bar.var,)))
            self.set(key, zeros(key, type_), owned=True)
            self.emit(Store(self.state[key].var, Var(old, bar.type), operator.add))
            self.state[key] = replace(self.state[key], laid=True)
        elif is_smaller(bar.type, type_) or (isinstance(type_, Unknown) and isinstance(bar.type, Scalar)):
            self.spread(key, bar)
        elif not bar.owned and isinstance(bar.type, Array | Unknown):
            self.set(key, Call(np.copy, (bar.var,), (), bar.type, "method:copy"), owned=True)
        return self.state[key]

    def spread(self, key: str, bar: Bar) -> None:
        """A cotangent that stands for a larger one becomes that one."""
        type_ = zero_type(self.types[key])
        like = Var(key, self.types[key])
        if isinstance(bar.type, Scalar) and isinstance(type_, Array):
            self.set(key, Call(np.full, (shape_of(like), bar.var), (), type_), owned=True)
            return
        filled = Call(operator.add, (ZerosLike(like, type_), bar.var), (), type_, "op")
        self.set(key, filled, owned=True)

    def settle(self, key: str) -> None:
        """Make the cotangent have its value's whole shape: control flow meets here."""
        bar = self.state.get(key)
        type_ = self.types[key]
        if bar is None:
            self.set(key, zeros(key, type_), owned=True)
        elif is_smaller(bar.type, type_) or (isinstance(type_, Unknown) and isinstance(bar.type, Scalar)):
            self.spread(key, bar)
        elif isinstance(bar.type, Array) and isinstance(type_, Array) and perhaps_smaller(bar.type.dims, type_.dims):
            whole = Call(unbroadcast, (bar.var, shape_of(Var(key, type_))), (), Array(bar.type.dtype, type_.dims))
            self.set(key, whole, owned=False)

    # -- adding -----------------------------------------------------------------------------------------------------
    def add(self, key: str, path: tuple[Step, ...], g: Expr, like: Expr) -> None:
        """Add `g` to the cotangent of the value at `path` in `key`; `like` is that value."""
        g = simplify(g)
        if isinstance(self.types.get(key), ListOf):
            self._add_to_list(key, path, g, like)
        elif isinstance(self.types.get(key), TupleOf):
            self._add_to_tuple(key, path, g)
        elif not path:
            self._add_whole(key, g)
        else:
            self._add_part(key, path, g)

    def _add_whole(self, key: str, g: Expr) -> None:
        bar = self.state.get(key)
        if bar is None:
            self.set(key, g)
            return
        if (
            isinstance(bar.type, Array)
            and isinstance(g.type, Array | Scalar)
            and bar.owned
            and not is_smaller(bar.type, g.type)
        ):
            if not _wider(g.type, bar.type):
                self.emit(Store(bar.var, g, operator.add))
                return
        wide = g.type if is_smaller(bar.type, g.type) else bar.type
        if isinstance(g.type, Unknown):
            wide = g.type
        dtype = _promoted(bar.type, g.type)
        if dtype is None and not isinstance(wide, Unknown):
            wide = Unknown()
        wide = replace(wide, dtype=dtype) if isinstance(wide, Array | Scalar | Unknown) else wide
        if isinstance(wide, Scalar):
            wide = replace(wide, weak=False)
        self.set(key, Call(operator.add, (bar.var, g), (), wide, "op"))

    def _add_part(self, key: str, path: tuple[Step, ...], g: Expr) -> None:
        bar = self.whole(key, path)
        target = self.at(bar.var, path)
        if isinstance(g, Call) and g.fn is operator.neg and not gathers(target):
            self.emit(Store(target, g.args[0], operator.sub))
            return
        self.emit(Store(target, g, "add_at" if gathers(target) else operator.add))

    def at(self, base: Expr, path: tuple[Step, ...]) -> Any:
        """The part of a cotangent that an access path leads to; views on the way are given names."""
        target: Expr = base
        for step in path:
            if step.items is not None:
                target = Index(target, step.items, _indexed(target, step.items), single=len(step.items) == 1)
            else:
                assert step.call is not None
                target = replace(step.call, args=(target, *step.call.args[1:]))
        if isinstance(target, Index) and isinstance(target.base, Var | Index):
            return target
        if isinstance(target, Index):
            view = self.names.fresh("view_bar")
            self.emit(Assign((view,), (target.base,)))
            return replace(target, base=Var(view, target.base.type))
        if isinstance(target, Var):
            return target
        view = self.names.fresh("view_bar")
        self.emit(Assign((view,), (target,)))
        return Var(view, target.type)

    def _add_to_list(self, key: str, path: tuple[Step, ...], g: Expr, like: Expr) -> None:
        if not path:
            if key not in self.state:
                self.set(key, g, owned=False)
            else:
                bar = self.state[key]
                self.set(key, _sum_of_lists(bar.var, g), owned=True)
            return
        if key not in self.state:
            self.set(key, zeros(key, self.types[key]), owned=True)
        elif not self.state[key].owned:
            bar = self.state[key]
            self.set(key, Call(list, (bar.var,), (), bar.type), owned=True)
        bar = self.state[key]
        target: Expr = bar.var
        for depth, step in enumerate(path):
            assert step.items is not None
            if isinstance(target.type, TupleOf):
                self._rebuild(target, path[depth:], g)  # type: ignore[arg-type]
                return
            inner = _item_type(target.type, step.items)
            target = Index(target, step.items, inner)
            if isinstance(inner, Array) and depth + 1 < len(path):
                part = self.at(target, path[depth + 1 :])
                self.emit(Store(part, g, "add_at" if gathers(part) else operator.add))
                return
        assert isinstance(target, Index)
        self.emit(Store(target, Call(operator.add, (target, g), (), target.type, "op")))

    def _add_to_tuple(self, key: str, path: tuple[Step, ...], g: Expr) -> None:
        """A tuple's cotangent is a tuple, which is made anew."""
        bar = self.state.get(key)
        if not path:
            self.set(key, g if bar is None else _sum_of_lists(bar.var, g), owned=False)
            return
        if bar is None:
            self.set(key, zeros(key, self.types[key]), owned=True)
        elif not bar.owned:
            from s2s_ad.rules.runtime import private

            copied = Call(private, (bar.var,), (), TupleOf((bar.type,)))
            self.set(key, Index(copied, (number(0),), bar.type), owned=True)
        made = self._rebuilt(self.state[key].var, path, g)
        if made is not None:
            self.set(key, made, owned=True)

    def _rebuild(self, target: Index, path: tuple[Step, ...], g: Expr) -> None:
        """Add to one part of a tuple that is an item of a list."""
        made = self._rebuilt(target, path, g)
        if made is not None:
            self.emit(Store(target, made))

    def _rebuilt(self, part: Expr, path: tuple[Step, ...], g: Expr) -> Expr | None:
        """The value of `part` with `g` added at `path`; None where a buffer in it could be added to in place."""
        if not path:
            return Call(operator.add, (part, g), (), part.type, "op")
        if not isinstance(part.type, TupleOf):
            inner = self.at(part, path)
            self.emit(Store(inner, g, "add_at" if gathers(inner) else operator.add))
            return None
        assert path[0].items is not None
        which = path[0].items[0]
        assert isinstance(which, Const)
        parts = [Index(part, (number(k),), t) for k, t in enumerate(part.type.items)]
        made = self._rebuilt(parts[which.value], path[1:], g)
        if made is None:
            return None
        shown: list[Expr] = [*parts]
        shown[which.value] = made
        return Display("tuple", tuple(shown), part.type)


def _sum_of_lists(a: Expr, b: Expr) -> Expr:
    from s2s_ad.rules.runtime import add_lists

    return Call(add_lists, (a, b), (), a.type)


def _item_type(type_: Type, items: tuple[Any, ...]) -> Type:
    if isinstance(type_, ListOf):
        return zero_type(type_.item) if type_.item is not None else FLOAT
    if isinstance(type_, TupleOf) and isinstance(items[0], Const):
        return zero_type(type_.items[items[0].value])
    return Unknown()


def _indexed(base: Expr, items: tuple[Any, ...]) -> Type:
    """The type of an indexed cotangent."""
    from s2s_ad.build.indexing import SliceItem, index_type
    from s2s_ad.ir.types import Known

    if isinstance(base.type, ListOf | TupleOf):
        return _item_type(base.type, items)

    def operand(e: Expr | None) -> Any:
        if e is None:
            return None
        if isinstance(e, Const):
            return Known(e.value)
        if isinstance(e, Display):
            return tuple(operand(i) for i in e.items)
        return e.type

    operands = tuple(
        SliceItem(operand(i.start), operand(i.stop), operand(i.step)) if isinstance(i, Slice) else operand(i)
        for i in items
    )
    return index_type(base.type, operands, f"bar {id(base)}")[0]


def gathers(target: Any) -> bool:
    """Whether an index may name an element twice."""
    if not isinstance(target, Index):
        return False
    for item in target.items:
        if isinstance(item, Slice | Const):
            continue
        if isinstance(item, Display):
            return True
        type_ = item.type
        if isinstance(type_, Array) and type_.dtype.kind != "b" and type_.ndim > 0:
            return True
        if isinstance(type_, ListOf | TupleOf):
            return True
        if isinstance(type_, Unknown) and (type_.dtype is None or type_.dtype.kind != "b"):
            return True
    return False


def _wider(a: Type, b: Type) -> bool:
    da, db = getattr(a, "dtype", None), getattr(b, "dtype", None)
    return da is not None and db is not None and da.kind == "c" and db.kind != "c"


def _promoted(a: Type, b: Type) -> Any:
    da, db = getattr(a, "dtype", None), getattr(b, "dtype", None)
    if da is None or db is None:
        return None if isinstance(a, Unknown) or isinstance(b, Unknown) else np.dtype(float)
    if isinstance(b, Scalar) and b.weak:
        return da
    if isinstance(a, Scalar) and a.weak:
        return db
    return np.promote_types(da, db)


_ = fit

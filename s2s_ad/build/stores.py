"""Writing into arrays and lists in place.

Enters: the target of an assignment or deletion, and abstract values.  Leaves: `Store` statements in the builder's
block.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from s2s_ad.build import containers
from s2s_ad.build.alternatives import choose_to_do
from s2s_ad.build.expressions import evaluate, items_of_slice, settle
from s2s_ad.build.numeric import index
from s2s_ad.build.operators import binary
from s2s_ad.build.values import (
    NOTHING,
    Abs,
    Known,
    Num,
    ObjectRef,
    OneOf,
    Tup,
    known_value,
    leaf_expr,
    varied,
)
from s2s_ad.errors import AliasingError
from s2s_ad.ir.nodes import Index, Place, Store, Var
from s2s_ad.ir.types import Array, ListOf, Scalar, Unknown

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


def store_subscript(b: Builder, target: ast.Subscript, value: Abs, op: Any, start: int, node: ast.AST) -> None:
    """`base[slice] = value`, or `base[slice] op= value`."""
    if any(isinstance(n, ast.NamedExpr) for n in ast.walk(target)):
        raise b.fail("a name is given a value inside the place of a store", "Assign it in a statement of its own.")
    _store_into(b, evaluate(b, target.value), target, value, op, start, node)


def _store_into(b: Builder, base: Abs, target: ast.Subscript, value: Abs, op: Any, start: int, node: ast.AST) -> None:
    if isinstance(base, OneOf):
        choose_to_do(b, base, lambda v: _store_into(b, v, target, value, op, len(b.block), node))
        return
    if isinstance(base, ObjectRef) and not isinstance(target.slice, ast.Slice):
        key = known_value(evaluate(b, target.slice))
        if key is not NOTHING:
            if op is not None:
                old = containers.static_subscript(b, base, target.slice, lambda n: evaluate(b, n))
                assert old is not None
                if isinstance(old, Num) and isinstance(old.type, Array):
                    store(b, old, [Known(Ellipsis)], value, op)
                    return
                value = binary(b, op, old, value)
            containers.store_item(b, base, key, value)
            return
    if isinstance(base, Tup | ObjectRef):
        base = containers.as_run_time(b, base)
    if not isinstance(base, Num):
        raise b.fail("this cannot be written into")
    items, single = items_of_slice(b, target.slice)
    if len(b.block) > start and isinstance(value, Num):
        value = settle(b, [value], start, [node])[0]  # type: ignore[list-item]
    store(b, base, items, value, op, single)


def store(b: Builder, base: Num, items: list[Any], value: Abs, op: Any, single: bool = True) -> None:
    """Write `value` into `base[items]`; a lone Ellipsis means the whole of it."""
    if isinstance(value, Tup | ObjectRef) and not isinstance(base.type, ListOf):
        value = _stored_sequence(b, value)
    if isinstance(value, Known) and leaf_expr(value) is None:
        raise b.fail("this value cannot be stored into an array")
    if not isinstance(value, Num | Known | Tup | ObjectRef):
        raise b.fail("this value cannot be stored into an array")
    if isinstance(base.type, Scalar):
        raise b.fail("a number cannot be written in place")
    if isinstance(base.type, Array | Unknown):
        b.mark_written(base)
    place = getattr(base.expr, "place", None)
    if place is None:
        from s2s_ad.build.numeric import view_place

        place = view_place(b, base.expr)
    if place is None:
        raise b.fail("this array is written in place, but which array it is, is not known", kind=AliasingError)
    if b.is_frozen(place):
        raise b.fail(
            "an array (or list) is written here that a list of run-time length holds, too",
            "Put a copy into the list: items.append(x.copy()).",
            kind=AliasingError,
        )
    target = base if isinstance(base.expr, Var | Index) else b.bind(b.temp(b.node, "view"), base)
    whole = len(items) == 1 and items[0] == Known(Ellipsis)
    if whole and isinstance(target.expr, Var):
        emitted: Var | Index = target.expr
    else:
        selected = index(b, target, items, single) if not whole else index(b, target, [Known(Ellipsis)], True)
        step = selected.expr if isinstance(selected, Num) else selected.whole if isinstance(selected, Tup) else None
        assert isinstance(step, Index)
        from s2s_ad.ir.nodes import Step

        emitted = replace(step, place=Place(place.root, (*place.path, Step(items=step.items))))
    if isinstance(base.type, ListOf):
        _store_list(b, target, emitted, value, op)
        return
    expr = b.expr(value)
    b.emit(Store(emitted, expr, op, b.line))
    b.part_ways(place.root)
    if varied(value, b.state.heap):
        spread(b, place.root)


def _store_list(b: Builder, target: Num, emitted: Var | Index, value: Abs, op: Any) -> None:
    if not isinstance(emitted, Index):
        raise b.fail("this list cannot be written as a whole here")
    expr = containers.run_time_expr(b, value)
    containers.freeze(b, value)
    if op is not None:
        old = Num(replace(emitted), varied=target.varied)
        expr = b.expr(binary(b, op, old, value))
    b.emit(Store(emitted, expr, None, b.line))
    if varied(value, b.state.heap):
        assert emitted.place is not None
        spread(b, emitted.place.root)


def _stored_sequence(b: Builder, value: Abs) -> Num:
    from s2s_ad.build.numeric import apply

    if isinstance(value, Tup) and value.whole is not None:
        return Num(value.whole)
    import numpy as np

    made = apply(b, np.array, [value], {})
    assert isinstance(made, Num)
    return made


def spread(b: Builder, root: str) -> None:
    """The object has been given an active value: every name of it knows."""

    def update(value: Abs) -> Abs:
        match value:
            case Num(expr) if not value.varied:
                place = getattr(expr, "place", None)
                if (place is not None and place.root == root) or (isinstance(expr, Var) and expr.name == root):
                    return replace(value, varied=True)
            case Tup(items, cls, whole):
                return Tup(tuple(update(v) for v in items), cls, whole)
        return value

    for key, value in list(b.state.env.items()):
        b.state.env[key] = update(value)
    for site, obj in list(b.state.heap.items()):
        b.state.heap[site] = replace(obj, items=tuple(update(v) for v in obj.items))

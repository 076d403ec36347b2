"""Values and expressions under other names: what mentions a name, and the same with the name changed.

Enters: abstract values, places and expressions.  Leaves: the names they mention, or the same with names exchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from s2s_ad.build.values import (
    Abs,
    Bound,
    Closure,
    Iteration,
    Num,
    ObjectRef,
    OneOf,
    RangeValue,
    State,
    Tup,
    sites_of,
)
from s2s_ad.ir.nodes import (
    Expr,
    Index,
    Place,
    Var,
    map_children,
    place_variables,
    variables,
)


def leads_to(var: Var, roots: set[str]) -> bool:
    return var.place is not None and var.place.root in roots


def with_site(value: Abs, old: str, new: str) -> Abs:
    """The value with the object `old` under its name `new`."""
    if old not in sites_of(value):
        return value

    def moved(v: Abs) -> Abs:
        return with_site(v, old, new)

    match value:
        case ObjectRef():
            return ObjectRef(new)
        case Tup(items, cls, whole):
            return Tup(tuple(moved(v) for v in items), cls, whole)
        case Iteration(kind, parts):
            return Iteration(kind, tuple(moved(v) for v in parts))
        case OneOf(which, options, reason):
            return OneOf(which, tuple(moved(v) for v in options), reason)
        case Bound(function, receiver, args, kwargs):
            return Bound(
                function if isinstance(function, str) else moved(function),
                None if receiver is None else moved(receiver),
                tuple(moved(v) for v in args),
                tuple((k, moved(v)) for k, v in kwargs),
            )
        case Closure():
            return replace(
                value,
                defaults=tuple(moved(v) for v in value.defaults),
                kw_defaults=tuple((k, moved(v)) for k, v in value.kw_defaults),
            )
    return value


def map_abs(value: Abs, f: Callable[[Expr], Expr]) -> Abs:
    """The abstract value with every expression in it mapped."""
    match value:
        case Num(expr):
            new = f(expr)
            return value if new is expr else replace(value, expr=new)
        case Tup(items, cls, whole):
            mapped = tuple(map_abs(v, f) for v in items)
            if all(a is b for a, b in zip(items, mapped, strict=True)):
                return value
            return Tup(mapped, cls, None if whole is None else f(whole))
        case Bound(function, receiver, args, kwargs):
            return Bound(
                function if isinstance(function, str) else map_abs(function, f),
                None if receiver is None else map_abs(receiver, f),
                tuple(map_abs(a, f) for a in args),
                tuple((k, map_abs(v, f)) for k, v in kwargs),
            )
        case Iteration(kind, parts):
            return Iteration(kind, tuple(map_abs(p, f) for p in parts))
        case OneOf(which, options, reason):
            return OneOf(map_abs(which, f), tuple(map_abs(v, f) for v in options), reason)  # type: ignore[arg-type]
        case RangeValue(a, b, c):
            return RangeValue(map_abs(a, f), map_abs(b, f), map_abs(c, f))  # type: ignore[arg-type]
        case Closure(tree, source, frame, defaults, kw):
            return Closure(
                tree,
                source,
                frame,
                tuple(map_abs(d, f) for d in defaults),
                tuple((k, map_abs(v, f)) for k, v in kw),
            )
    return value


def rename_expr(expr: Expr, old: str, new: Var) -> Expr:
    """`expr` with the name `old` replaced, in access paths too."""
    if isinstance(expr, Var):
        if expr.name == old:
            return replace(
                new, type=expr.type, place=new.place if expr.place is None else _renamed(expr.place, old, new)
            )
        if expr.place is not None and place_mentions(expr.place, old):
            return replace(expr, place=_renamed(expr.place, old, new))
        return expr
    mapped = map_children(expr, lambda e: rename_expr(e, old, new))
    if isinstance(mapped, Index) and mapped.place is not None and place_mentions(mapped.place, old):
        mapped = replace(mapped, place=_renamed(mapped.place, old, new))
    return mapped


def _renamed(place: Place, old: str, new: Var) -> Place:
    from s2s_ad.ir.nodes import Step, map_item

    path = tuple(
        Step(
            None if s.items is None else tuple(map_item(i, lambda e: rename_expr(e, old, new)) for i in s.items),
            None if s.call is None else rename_expr(s.call, old, new),  # type: ignore[arg-type]
        )
        for s in place.path
    )
    return Place(new.name if place.root == old else place.root, path)


def place_mentions(place: Place, name: str) -> bool:
    return place.root == name or any(v.name == name for v in place_variables(place))


def all_nodes(expr: Expr) -> Iterator[Expr]:
    from s2s_ad.ir.nodes import walk

    return walk(expr)


def vars_of(value: Abs) -> Iterator[Var]:
    found: list[Var] = []

    def collected(e: Expr) -> Expr:
        found.extend(variables(e))
        return e

    map_abs(value, collected)
    return iter(found)


def holds(value: Abs, name: str) -> bool:
    return any(v.name == name or (v.place is not None and place_mentions(v.place, name)) for v in vars_of(value))


def _mentions(value: Abs, name: str, state: State) -> bool:
    return holds(value, name)

"""What the compiler sees of values: all that decides which way it goes.

Enters: abstract values.  Leaves: keys that are equal where the compiler would do the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from s2s_ad.build.values import (
    NOTHING,
    Abs,
    Closure,
    DictObject,
    Instance,
    Known,
    Num,
    ObjectRef,
    OneOf,
    Tup,
)
from s2s_ad.ir.types import Array, ListOf, Scalar, TupleOf

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


def shown(b: Builder, values: Iterable[Abs]) -> tuple[Any, ...]:
    """What the compiler sees of values: all that decides which way it goes."""
    return tuple(_shown(b, v, frozenset()) for v in values)


def _shown(b: Builder, value: Abs, inside: frozenset[str]) -> Any:
    match value:
        case Num(known=known):
            return _shown_type(value.type), repr(known) if known is not NOTHING else None, value.varied
        case Known(v):
            return type(v), repr(v) if isinstance(v, bool | int | float | complex | str) else id(v)
        case Tup(items, cls):
            return cls, tuple(_shown(b, v, inside) for v in items)
        case ObjectRef(site):
            if site in inside:
                return site
            obj = b.state.heap[site]
            names = obj.keys if isinstance(obj, DictObject) else obj.names if isinstance(obj, Instance) else ()
            return type(obj), repr(names), tuple(_shown(b, v, inside | {site}) for v in obj.items)
        case Closure(tree, _, frame):
            return id(tree), frame
        case OneOf(_, options):
            return tuple(_shown(b, v, inside) for v in options)
    return type(value)


def _shown_type(type_: Any) -> Any:
    match type_:
        case Array(dtype, dims):
            return dtype, tuple(d if d in (1, "N") else "?" for d in dims)
        case Scalar(dtype, weak):
            return dtype, weak
        case TupleOf(items):
            return tuple(_shown_type(t) for t in items)
        case ListOf(item):
            return "list", _shown_type(item)
    return type_

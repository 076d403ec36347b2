"""Containers of the standard library, and the greatest item by a key.

Enters: a builtin and its abstract arguments.  Leaves: its abstract value.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from s2s_ad.build import run_time_lists
from s2s_ad.build.iterables import StaticItems, iterate
from s2s_ad.build.numeric import index
from s2s_ad.build.values import Abs, DictObject, Iteration, Known, Num, ObjectRef, Tup, known_value
from s2s_ad.ir.nodes import Call, Const
from s2s_ad.ir.types import INT, OPAQUE, ListOf

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder

Handler = Callable[["Builder", list[Abs], dict[str, Abs]], Abs]


def extremum_by(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """`max(items, key=..., default=...)`: which item it is, is passive."""
    from s2s_ad.build.builtin_calls import sorted_items

    value = args[0] if len(args) == 1 else Tup(tuple(args))
    filtered = isinstance(value, Iteration) and value.kind == "filter"
    found = None if filtered else iterate(b, value)
    default, key = kwargs.get("default"), kwargs.get("key", Known(None))
    if isinstance(found, StaticItems):
        if not found.items:
            if default is None:
                raise b.certain(ValueError, f"{fn.__name__}() of nothing")
            return default
        order = sorted_items(b, found.items, key, Known(fn is max))
        if order is not None:
            return order[0]
    elif default is not None:
        raise b.fail(f"`{fn.__name__}` with a default is not understood here", "Test whether there are items first.")
    base = _as_list(b, value)
    keys = base if isinstance(key, Known) and key.value is None else run_time_lists.keys_of(b, base, key, b.node)
    getter = Call(getattr, (keys.expr, Const("__getitem__")), (), OPAQUE, "attribute:__getitem__")
    positions = Call(range, (Call(len, (base.expr,), (), INT),), (), OPAQUE)
    at = b.bind(b.temp(b.node, "at"), Num(Call(fn, (positions,), (("key", getter),), INT)))
    return index(b, base, [at], True)


def _as_list(b: Builder, value: Abs) -> Num:
    """Something to be looped over, as a list under a name."""
    if isinstance(value, Num) and isinstance(value.type, ListOf):
        return run_time_lists.named(b, value, b.node, "items", "extremum")
    made = run_time_lists.gathered(b, b.node, lambda put: run_time_lists.each(b, b.node, value, put), "extremum")
    return run_time_lists.named(b, made, b.node, "items", "extremum")


def _deque(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """A deque is a list whose ends are both cheap."""
    from s2s_ad.build.builtin_calls import HANDLERS

    limit = kwargs.get("maxlen", args[1] if len(args) > 1 else Known(None))
    if known_value(limit) is not None:
        raise b.fail("a deque with `maxlen` is not understood here", "Use a list.")
    return HANDLERS[list](b, args[:1], {})


def _defaultdict(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    from s2s_ad.build.builtin_calls import HANDLERS

    made = HANDLERS[dict](b, args[1:], kwargs)
    assert isinstance(made, ObjectRef)
    obj = b.state.heap[made.site]
    assert isinstance(obj, DictObject)
    b.state.heap[made.site] = replace(obj, default=args[0] if args else None)
    return made


def _refused(name: str) -> Handler:
    def refuse(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
        raise b.fail(f"`{name}` is not understood", "Loop over the items, or take them by index.")

    return refuse


COLLECTION_HANDLERS: dict[Any, Handler] = {
    collections.deque: _deque,
    collections.defaultdict: _defaultdict,
    iter: _refused("iter"),
    next: _refused("next"),
}

"""Python's builtins, called on abstract values.

Enters: a builtin and its abstract arguments.  Leaves: its abstract value, or None where it is no business of this file.
"""

from __future__ import annotations

import ast
import copy
import functools
import itertools
import operator
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.build import comprehensions, containers
from s2s_ad.build.collection_builtins import COLLECTION_HANDLERS
from s2s_ad.build.numeric import apply
from s2s_ad.build.object_builtins import OBJECT_HANDLERS
from s2s_ad.build.values import (
    NOTHING,
    Abs,
    Bound,
    DictObject,
    Instance,
    Iteration,
    Known,
    ListObject,
    Num,
    ObjectRef,
    RangeValue,
    Tup,
    is_number,
    known_value,
    varied,
)
from s2s_ad.ir.nodes import Call, Effect, number
from s2s_ad.ir.types import BOOL, INT, OPAQUE, Array, ListOf, Opaque, TupleOf, Unknown

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


def lazy_call(b: Builder, fn: Any, node: ast.Call) -> Abs | None:
    """Calls whose argument is a generator that need not become a list: sum, any, all, min, max of one."""
    if node.keywords or len(node.args) not in (1, 2) or not isinstance(node.args[0], ast.GeneratorExp):
        return None
    from s2s_ad.build.expressions import evaluate

    generator = node.args[0]
    if fn is sum:
        start: Abs = evaluate(b, node.args[1]) if len(node.args) == 2 else Known(0)
        return _accumulate(b, node, generator, start, lambda total, v: _binary(b, operator.add, total, v))
    if fn is any or fn is all:
        stop = fn is any
        return _accumulate(
            b, node, generator, Known(not stop), lambda total, v: _both(b, "or" if stop else "and", total, v)
        )
    return None


def _binary(b: Builder, op: Any, x: Abs, y: Abs) -> Abs:
    from s2s_ad.build.operators import binary

    return binary(b, op, x, y)


def _both(b: Builder, op: Any, x: Abs, y: Abs) -> Abs:
    from s2s_ad.build.operators import conjunction

    y = Num(Call(bool, (b.expr(y),), (), BOOL)) if isinstance(y, Num) and y.type != BOOL else y
    return conjunction(b, op, [x, y])


def _accumulate(
    b: Builder, node: ast.AST, generator: ast.GeneratorExp, start: Abs, combine: Callable[[Abs, Abs], Abs]
) -> Abs:
    from s2s_ad.build.expressions import evaluate

    key = (b.frame.key, f"#total {id(node)} {b.unrolled}")
    b.local_names[key] = b.temp(node, "total")
    if is_number(getattr(start, "value", None)):
        b.state.env[key] = start
    else:
        _put(b, key, start)
    frame = b.frame.key

    def add() -> None:
        inner, total = b.frame, b.state.env[frame, key[1]]
        if isinstance(total, Known):
            total = replace(b.bind(b.local_names[key], Num(number(total.value))), known=total.value)
        value = combine(total, evaluate(b, generator.elt))
        b.frame = inner
        _put(b, key, value)

    if isinstance(start, Known):
        _put(b, key, start)
    comprehensions.generate(b, node, generator.generators, add)
    return b.state.env.pop(key)


def _put(b: Builder, key: Any, value: Abs) -> None:
    if isinstance(value, Known) and is_number(value.value):
        b.state.env[key] = replace(b.bind(b.local_names[key], Num(number(value.value))), known=value.value)
    elif isinstance(value, Num):
        b.state.env[key] = b.bind(b.local_names[key], value)
    else:
        b.state.env[key] = value


def call_builtin(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs]) -> Abs | None:
    try:
        handler = HANDLERS.get(fn)
    except TypeError:
        return None
    return None if handler is None else handler(b, args, kwargs)


def _range(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    parts = [_integer(b, a) for a in args]
    if len(parts) == 1:
        return RangeValue(Known(0), parts[0], Known(1))
    return RangeValue(parts[0], parts[1], parts[2] if len(parts) > 2 else Known(1))


def _integer(b: Builder, value: Abs) -> Num | Known:
    if isinstance(value, Num | Known):
        return value
    raise b.fail("range takes integers")


def _len(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    (value,) = args
    match value:
        case Tup(items):
            return Known(len(items))
        case ObjectRef(site):
            obj = b.state.heap[site]
            if isinstance(obj, Instance):
                from s2s_ad.build.calls import call_method

                return call_method(b, value, "__len__", [], {})
            return Known(len(obj.items))
        case Known(v):
            return Known(len(v))
        case RangeValue() | Iteration():
            from s2s_ad.build.iterables import Counted, StaticItems, iterate

            found = iterate(b, value)
            if isinstance(found, StaticItems):
                return Known(len(found.items))
            if isinstance(found, Counted):
                return found.count
        case Num(expr):
            if isinstance(expr.type, Array) and expr.type.dims and expr.type.dims[0] == 1:
                return Num(Call(len, (expr,), (), INT), known=1)
            return Num(Call(len, (expr,), (), INT))
    raise b.fail("len of this is not understood")


def _iteration(kind: str) -> Callable[[Builder, list[Abs], dict[str, Abs]], Abs]:
    def make(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
        if kind == "enumerate":
            start = args[1] if len(args) > 1 else kwargs.get("start", Known(0))
            return Iteration(kind, (args[0], start))
        return Iteration(kind, tuple(args))

    return make


def _convert(cls: type) -> Callable[[Builder, list[Abs], dict[str, Abs]], Abs]:
    def convert(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
        if not args:
            return Known(cls())
        known = known_value(args[0])
        if known is not NOTHING:
            try:
                return Known(cls(known))
            except Exception as error:
                raise b.certain(
                    type(error), f"{cls.__name__}({known!r}) raises {type(error).__name__}: {error}"
                ) from error
        if cls is bool:
            truth = containers.truth(b, args[0])
            if truth is not None:
                return Known(truth)
        if cls in (float, complex) and isinstance(args[0], Num) and isinstance(args[0].type, Opaque) and args[0].varied:
            raise b.fail("an active value is read back from its text", "Use the number itself.")
        type_ = {int: INT, bool: BOOL}.get(cls)
        return apply(b, cls, args, kwargs, type_=type_)

    return convert


def _list(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    if not args:
        return containers.make_list(b, b.node, [])
    from s2s_ad.build.iterables import StaticItems, iterate
    from s2s_ad.build.loops import run_loop

    site = b.site(b.node, "list")
    found = None if _is_filter(args[0]) else iterate(b, args[0])
    if isinstance(found, StaticItems) and site not in b.facts.dynamic:
        return containers.make_list(b, b.node, list(found.items))
    b.facts.dynamic.add(site)
    held = b.bind(b.temp(b.node, "items"), containers.dynamic_list(b, b.node, [], site))
    key = (b.frame.key, f"#items {id(b.node)} {b.unrolled}")
    b.state.env[key] = held

    def add() -> None:
        base = b.state.env[key]
        assert isinstance(base, Num)
        containers.append(b, base, current[0])

    current: list[Abs] = []
    run_loop(b, b.node, args[0], lambda v: current.__setitem__(slice(None), [v]), add)
    return b.state.env.pop(key)


def _is_filter(value: Abs) -> bool:
    return isinstance(value, Iteration) and value.kind == "filter"


def _tuple(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    if args and isinstance(args[0], Num):
        if isinstance(args[0].type, TupleOf | Opaque):
            return args[0]
        items = _list(b, args, kwargs)
        if b.in_rule and isinstance(items, Num):  # an index: a list there would pick entries
            return Num(Call(tuple, (items.expr,), (), OPAQUE))
        return items
    return Tup(tuple(containers.items_of(b, args[0]))) if args else Tup(())


def _dict(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    pairs: dict[Any, Abs] = {}
    for arg in args:
        obj = b.state.heap.get(arg.site) if isinstance(arg, ObjectRef) else None
        if isinstance(obj, DictObject):
            pairs.update(zip(obj.keys, obj.items, strict=True))
            continue
        for pair in containers.items_of(b, arg):
            key, value = containers.items_of(b, pair)
            pairs[known_value(key)] = value
    pairs.update(kwargs)
    if NOTHING in pairs:
        raise b.fail("a dict key must be known when the program is derived", "Use a list, or constant keys.")
    site = b.site(b.node, "dict")
    named = tuple(b.container_item(v, b.node, k if isinstance(k, str) else "item") for k, v in pairs.items())
    return b.allocate(site, DictObject(tuple(pairs), named))


def _set(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    if not args:
        return Known(frozenset())
    values = [known_value(v) for v in containers.items_of(b, args[0])]
    if NOTHING in values:
        raise b.fail("the items of a set must be known when the program is derived", "Use a list.")
    return Known(frozenset(values))


def _print(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    exprs = tuple(b.expr(a) for a in args)
    b.emit(Effect(Call(print, exprs, tuple((k, b.expr(v)) for k, v in kwargs.items()), OPAQUE), b.line))
    return Known(None)


def _copied(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """copy.copy."""
    match args[0]:
        case ObjectRef(site):
            obj = b.state.heap[site]
            if isinstance(obj, ListObject):
                return containers.make_list(b, b.node, list(obj.items))
            return b.allocate(b.site(b.node, "copy"), obj)
        case Num(expr) as value if isinstance(expr.type, Array):
            return apply(b, np.copy, [value], {})
        case Num(expr) as value if isinstance(expr.type, ListOf):
            return _list(b, [value], {})
    return args[0]


def _deeply_copied(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """copy.deepcopy; what is held twice stays one object."""
    made: dict[str, Abs] = {}

    def copied(value: Abs) -> Abs:
        match value:
            case ObjectRef(site):
                if site not in made:
                    obj = b.state.heap[site]
                    items = tuple(b.container_item(copied(v), b.node, "item") for v in obj.items)
                    made[site] = b.allocate(b.site(b.node, f"copy of {site}"), replace(obj, items=items))
                return made[site]
            case Tup(items, cls):
                return Tup(tuple(copied(v) for v in items), cls)
        return _copied(b, [value], {})

    return copied(args[0])


def _ndindex(args: list[Abs]) -> Abs:
    sizes = list(args[0].items) if len(args) == 1 and isinstance(args[0], Tup) else args
    return Iteration("product", tuple(RangeValue(Known(0), s, Known(1)) for s in sizes if isinstance(s, Num | Known)))


def _static_selection(b: Builder, args: list[Abs], select: Callable[[int, Any], Iterable[tuple[int, ...]]]) -> Abs:
    """Combinations of the items of a container of known length."""
    items = containers.items_of(b, args[0])
    size = known_value(args[1]) if len(args) > 1 else None
    if size is NOTHING:
        raise b.fail("the size of these selections must be known when the program is derived")
    return Tup(tuple(Tup(tuple(items[k] for k in chosen)) for chosen in select(len(items), size)))


def _sum(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    start = args[1] if len(args) > 1 else kwargs.get("start", Known(0))
    value = args[0]
    if isinstance(value, Num) and isinstance(value.type, Array) and value.type.ndim >= 1 and known_value(start) == 0:
        return apply(b, np.sum, [value], {"axis": Known(0)})
    return _folded(b, value, start, lambda x, y: _binary(b, operator.add, x, y))


def _folded(b: Builder, value: Abs, start: Abs, combine: Callable[[Abs, Abs], Abs], exact: bool = False) -> Abs:
    from s2s_ad.build.iterables import StaticItems, iterate
    from s2s_ad.build.loops import run_loop

    found = None if _is_filter(value) else iterate(b, value)
    if isinstance(found, StaticItems):
        total = start
        for item in found.items:
            first = not exact and isinstance(total, Known) and known_value(total) == 0
            total = item if first else combine(total, item)
        return total
    key = (b.frame.key, f"#total {id(b.node)} {b.unrolled}")
    b.local_names[key] = b.temp(b.node, "total")
    _put(b, key, start)
    item_: list[Abs] = []

    def add() -> None:
        _put(b, key, combine(b.state.env[key], item_[0]))

    run_loop(b, b.node, value, lambda v: item_.__setitem__(slice(None), [v]), add)
    return b.state.env.pop(key)


def _extremum(fn: Any) -> Callable[[Builder, list[Abs], dict[str, Abs]], Abs]:
    def extremum(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
        if kwargs:
            from s2s_ad.build.collection_builtins import extremum_by

            return extremum_by(b, fn, args, kwargs)
        if len(args) == 1 and isinstance(args[0], Num) and isinstance(args[0].type, Array):
            return apply(b, np.max if fn is max else np.min, args, {})
        items = args
        if len(args) == 1:
            from s2s_ad.build.iterables import StaticItems, iterate

            found = iterate(b, args[0])
            if not isinstance(found, StaticItems):
                if not varied(args[0], b.state.heap):
                    return Num(Call(fn, (b.expr(args[0]),), (), _item_type(args[0])))
                return _dynamic_extremum(b, fn, args[0])
            items = list(found.items)
        known = [known_value(v) for v in items]
        if NOTHING not in known:
            return Known(fn(known))
        if not any(varied(v, b.state.heap) for v in items):
            return apply(b, fn, items, {})
        return functools.reduce(lambda x, y: apply(b, fn, [x, y], {}), items)

    return extremum


def _item_type(value: Abs) -> Any:
    return (
        value.type.item if isinstance(value, Num) and isinstance(value.type, ListOf) and value.type.item else Unknown()
    )


def _dynamic_extremum(b: Builder, fn: Any, value: Abs) -> Abs:
    from s2s_ad.build.iterables import Counted, iterate

    found = iterate(b, value)
    assert isinstance(found, Counted)
    first = found.item(Num(number(0), known=0))
    return _folded(b, value, first, lambda x, y: apply(b, fn, [x, y], {}))


def _any_all(fn: Any) -> Callable[[Builder, list[Abs], dict[str, Abs]], Abs]:
    def decide(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
        from s2s_ad.build.operators import conjunction

        value = args[0]
        if isinstance(value, Num):
            return Num(Call(fn, (b.expr(value),), (), BOOL))
        items = containers.items_of(b, value)
        if not items:
            return Known(fn([]))
        decided = conjunction(b, "or" if fn is any else "and", items)
        return (
            decided if len(items) > 1 or isinstance(decided, Known) else Num(Call(bool, (b.expr(decided),), (), BOOL))
        )

    return decide


def _sorted(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    from s2s_ad.build.iterables import StaticItems, iterate

    value, key, reverse = args[0], kwargs.get("key", Known(None)), kwargs.get("reverse", Known(False))
    found = None if _is_filter(value) else iterate(b, value)
    if isinstance(found, StaticItems):
        ordered = sorted_items(b, found.items, key, reverse)
        if ordered is not None:
            return containers.make_list(b, b.node, list(ordered))
    return _sorted_list(b, value, key, reverse)


def sorted_items(b: Builder, items: tuple[Abs, ...], key: Abs, reverse: Abs) -> tuple[Abs, ...] | None:
    """The items in their order, where it is known when the program is derived."""
    from s2s_ad.build.calls import call_value

    plain = isinstance(key, Known) and key.value is None
    state, length = b.state.copy(), len(b.block)
    ranks = [known_value(v if plain else call_value(b, key, [v], {})) for v in items]
    if NOTHING not in ranks and known_value(reverse) is not NOTHING:
        order = sorted(range(len(ranks)), key=ranks.__getitem__, reverse=bool(known_value(reverse)))
        return tuple(items[k] for k in order)
    b.state = state
    del b.block[length:]
    return None


def _sorted_list(b: Builder, value: Abs, key: Abs, reverse: Abs) -> Abs:
    from s2s_ad.build import run_time_lists

    if isinstance(value, RangeValue):
        order = run_time_lists.sorted_range(b, value, key, reverse, b.node)
        if order is not None:
            return order
    items = value
    if not (isinstance(value, Num) and isinstance(value.type, ListOf)):
        items = run_time_lists.gathered(b, b.node, lambda put: run_time_lists.each(b, b.node, value, put), "to sort")
    assert isinstance(items, Num)
    return run_time_lists.sorted_list(b, items, key, reverse, b.node)


def _partial(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    return Bound(args[0], None, tuple(args[1:]), tuple(kwargs.items()))


def stopped(value: Abs) -> Abs:
    """stop_gradient: the same value, which does not vary."""
    from s2s_ad.ir.markers import stop_gradient

    if isinstance(value, Num):
        expr = Call(stop_gradient, (value.expr,), (), value.type, "stop")
        return replace(value, expr=expr, varied=False)
    if isinstance(value, Tup):
        return Tup(tuple(stopped(v) for v in value.items), value.cls)
    return value


def _id(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    return Num(Call(id, tuple(b.expr(a) for a in args), (), INT))


HANDLERS: dict[Any, Callable[[Builder, list[Abs], dict[str, Abs]], Abs]] = {
    **OBJECT_HANDLERS,
    **COLLECTION_HANDLERS,
    range: _range,
    len: _len,
    enumerate: _iteration("enumerate"),
    zip: _iteration("zip"),
    reversed: _iteration("reversed"),
    map: _iteration("map"),
    filter: _iteration("filter"),
    float: _convert(float),
    int: _convert(int),
    bool: _convert(bool),
    complex: _convert(complex),
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _set,
    print: _print,
    sum: _sum,
    min: _extremum(min),
    max: _extremum(max),
    any: _any_all(any),
    all: _any_all(all),
    sorted: _sorted,
    functools.partial: _partial,
    functools.reduce: lambda b, args, kwargs: _reduce(b, args),
    id: _id,
    np.ndindex: lambda b, args, kwargs: _ndindex(args),
    itertools.product: _iteration("product"),
    itertools.chain: _iteration("chain"),
    itertools.pairwise: lambda b, args, kwargs: _static_selection(
        b, args, lambda n, _: zip(range(n - 1), range(1, n), strict=True)
    ),
    itertools.combinations: lambda b, args, kwargs: _static_selection(
        b, args, lambda n, r: itertools.combinations(range(n), r)
    ),
    itertools.permutations: lambda b, args, kwargs: _static_selection(
        b, args, lambda n, r: itertools.permutations(range(n), r)
    ),
    copy.copy: _copied,
    copy.deepcopy: _deeply_copied,
}


HANDLERS_OF_VALUES = frozenset(
    {
        len,
        float,
        int,
        bool,
        complex,
        list,
        tuple,
        dict,
        isinstance,
        sum,
        min,
        max,
        any,
        all,
        getattr,
        type,
        str,
        repr,
        callable,
    }
)


def _reduce(b: Builder, args: list[Abs]) -> Abs:
    from s2s_ad.build.calls import call_value
    from s2s_ad.build.iterables import Counted, iterate

    def combine(x: Abs, y: Abs) -> Abs:
        return call_value(b, args[0], [x, y], {})

    value = args[1]
    if len(args) > 2:
        return _folded(b, value, args[2], combine, exact=True)
    if _is_filter(value):
        value = _list(b, [value], {})
    found = iterate(b, value)
    if isinstance(found, Counted):
        rest = RangeValue(Known(1), found.count, Known(1))
        first = found.item(Num(number(0), known=0))
        step = lambda x, k: combine(x, found.item(b.atom(k, b.node, "k")))  # noqa: E731
        return _folded(b, rest, first, step, exact=True)
    items = containers.items_of(b, value)
    return functools.reduce(combine, items)

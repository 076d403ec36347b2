"""What a loop runs over: items by number, whether they are known one by one or counted at run time.

Enters: the abstract value of an iterable.  Leaves: `StaticItems`, `GuardedItems` or `Counted`.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from s2s_ad.build import containers
from s2s_ad.build.numeric import apply, index
from s2s_ad.build.values import (
    NOTHING,
    Abs,
    DictObject,
    Iteration,
    Known,
    ListObject,
    Num,
    ObjectRef,
    RangeValue,
    Tup,
    known_value,
    leaf_expr,
)
from s2s_ad.ir.nodes import (
    Call,
    Lazy,
    Var,
    number,
)
from s2s_ad.ir.types import BOOL, INT, Array, ListOf, Opaque, Scalar, Unknown

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


UNROLL_LIMIT = 64


@dataclass(frozen=True)
class StaticItems:
    items: tuple[Abs, ...]


@dataclass(frozen=True)
class GuardedItems:
    """Items of known structure, each of which is there only if the test beside it is true."""

    items: tuple[Abs, ...]
    tests: tuple[Abs, ...]


@dataclass(frozen=True)
class Counted:
    """Something with a length and items by number; `source` is what a loop can run over directly, if there is such a
    thing."""

    count: Num | Known
    item: Callable[[Num], Abs]
    source: Num | RangeValue | None = None


def iterate(b: Builder, value: Abs) -> StaticItems | GuardedItems | Counted:
    match value:
        case RangeValue():
            return _range(b, value)
        case Tup(items):
            return StaticItems(items)
        case Known(v) if isinstance(v, str | tuple | list | dict | frozenset):
            unordered = isinstance(v, frozenset) and not all(isinstance(item, int) for item in v)
            return StaticItems(tuple(Known(item) for item in (sorted(v, key=repr) if unordered else v)))
        case ObjectRef(site):
            obj = b.state.heap[site]
            if isinstance(obj, ListObject):
                return StaticItems(obj.items)
            if isinstance(obj, DictObject):
                return StaticItems(tuple(Known(k) for k in obj.keys))
        case Iteration(kind, parts):
            return _combined(b, kind, parts)
        case Num(expr):
            if isinstance(expr.type, ListOf):
                base = value if isinstance(expr, Var) else b.bind(b.temp(b.node, "items"), value)
                count = Num(Call(len, (base.expr,), (), INT))
                return Counted(count, lambda k: index(b, base, [k], True), base)
            if isinstance(expr.type, Array | Unknown):
                rows = b.atom(value, b.node, "rows")
                return Counted(Num(Call(len, (rows.expr,), (), INT)), lambda k: index(b, rows, [k], True))
            if isinstance(expr.type, Opaque):
                rows = b.atom(value, b.node, "items")
                return Counted(Num(Call(len, (rows.expr,), (), INT)), lambda k: index(b, rows, [k], True))
    raise b.fail("this cannot be looped over here", "Loop over a range, an array, a list, a tuple or a dict.")


def _range(b: Builder, value: RangeValue) -> Counted:
    start, stop, step = value.start, value.stop, value.step

    def item(k: Num) -> Abs:
        numbers = [known_value(v) for v in (start, step, k)]
        if NOTHING not in numbers:
            return Known(numbers[0] + numbers[1] * numbers[2])
        scaled = k if known_value(step) == 1 else apply(b, operator.mul, [step, k], {}, "op")
        return scaled if known_value(start) == 0 else apply(b, operator.add, [start, scaled], {}, "op")

    known = [known_value(v) for v in (start, stop, step)]
    if NOTHING not in known:
        return Counted(Known(len(range(*known))), item, value)
    whole = Call(range, tuple(b.expr(v) for v in (start, stop, step)), (), INT)
    return Counted(Num(Call(len, (whole,), (), INT)), item, value)


def _combined(b: Builder, kind: str, parts: tuple[Abs, ...]) -> StaticItems | GuardedItems | Counted:
    if kind == "enumerate":
        inner, start = iterate(b, parts[0]), parts[1]
        if isinstance(inner, StaticItems | GuardedItems):
            first = known_value(start)
            if first is NOTHING:
                raise b.fail("the start of this enumerate must be known")
            return replace(inner, items=tuple(Tup((Known(first + k), v)) for k, v in enumerate(inner.items)))
        zero = known_value(start) == 0
        number_of: Callable[[Num], Abs] = lambda k: k if zero else apply(b, operator.add, [start, k], {}, "op")  # noqa: E731
        item = inner.item
        return Counted(inner.count, lambda k: Tup((number_of(k), item(k))))
    if kind == "zip":
        return _zipped(b, [iterate(b, part) for part in parts], parts)
    if kind == "reversed":
        backwards = _backwards(b, parts[0]) if isinstance(parts[0], RangeValue) else None
        if backwards is not None:
            return _range(b, backwards)
        inner = iterate(b, parts[0])
        if isinstance(inner, StaticItems):
            return StaticItems(inner.items[::-1])
        if isinstance(inner, GuardedItems):
            raise b.fail("`reversed` of items of which it is not known how many there are is not understood here")
        count = inner.count
        if isinstance(count, Num):
            count = b.atom(count, b.node, "count")

        def from_end(k: Num) -> Abs:
            if isinstance(known_value(count), int) and isinstance(known_value(k), int):
                at = known_value(count) - 1 - known_value(k)
                return inner.item(Num(number(at), known=at))
            last = apply(b, operator.sub, [count, Known(1)], {}, "op")
            return inner.item(b.atom(apply(b, operator.sub, [last, k], {}, "op"), b.node, "position"))  # type: ignore[arg-type]

        return Counted(count, from_end)
    if kind == "map":
        return _mapped(b, parts)
    if kind == "product":
        return _product(b, [iterate(b, part) for part in parts])
    if kind == "chain":
        return StaticItems(tuple(item for part in parts for item in containers.items_of(b, part)))
    raise b.fail(f"`{kind}` cannot be looped over here")


def _backwards(b: Builder, value: RangeValue) -> RangeValue | None:
    """The same numbers from the last to the first, where that is a range as plain."""
    start, stop, step = known = [known_value(v) for v in (value.start, value.stop, value.step)]
    if NOTHING not in known:
        turned = range(start, stop, step)[::-1]
        return RangeValue(Known(turned.start), Known(turned.stop), Known(turned.step))
    if step != 1:
        return None
    ends = [
        Known(known_value(v) - 1) if isinstance(v, Known) else apply(b, operator.sub, [v, Known(1)], {}, "op")
        for v in (value.stop, value.start)
    ]
    assert all(isinstance(e, Num | Known) for e in ends)
    return RangeValue(ends[0], ends[1], Known(-1))  # type: ignore[arg-type]


def _product(b: Builder, inner: list[StaticItems | GuardedItems | Counted]) -> StaticItems | Counted:
    """Every combination, the last part running fastest."""
    known = [
        len(i.items) if isinstance(i, StaticItems) else known_value(i.count)
        for i in inner
        if not isinstance(i, GuardedItems)
    ]
    if (
        any(isinstance(i, StaticItems) for i in inner)
        and all(isinstance(n, int) for n in known)
        and len(known) == len(inner)
    ):
        columns = [
            i.items if isinstance(i, StaticItems) else [i.item(Num(number(k), known=k)) for k in range(n)]
            for i, n in zip(inner, known, strict=True)
            if not isinstance(i, GuardedItems)
        ]
        return StaticItems(tuple(Tup(row) for row in itertools.product(*columns)))
    counted = [i for i in inner if isinstance(i, Counted)]
    if len(counted) != len(inner):
        raise b.fail("containers of known and of run-time length are combined here", "Write nested loops.")
    counts = [i.count if isinstance(i.count, Known) else b.atom(i.count, b.node, "count") for i in counted]
    total: Abs = Known(1)
    for count in counts:
        total = _folded_product(b, total, count)

    def item(k: Num) -> Abs:
        rest: Abs = k
        parts: list[Abs] = []
        for position in reversed(range(len(counted))):
            digit = rest if position == 0 else apply(b, operator.mod, [rest, counts[position]], {}, "op")
            if position:
                rest = apply(b, operator.floordiv, [rest, counts[position]], {}, "op")
            assert isinstance(digit, Num)
            parts.append(counted[position].item(digit))
        return Tup(tuple(parts[::-1]))

    assert isinstance(total, Num | Known)
    return Counted(total, item)


def _folded_product(b: Builder, x: Abs, y: Abs) -> Abs:
    known = known_value(x), known_value(y)
    if NOTHING not in known:
        return Known(known[0] * known[1])
    return y if known[0] == 1 else apply(b, operator.mul, [x, y], {}, "op")


def _mapped(b: Builder, parts: tuple[Abs, ...]) -> StaticItems | GuardedItems | Counted:
    from s2s_ad.build.calls import call_value

    inner = _zipped(b, [iterate(b, part) for part in parts[1:]], parts[1:])

    def given(v: Abs) -> Abs:
        assert isinstance(v, Tup)
        return call_value(b, parts[0], list(v.items), {})

    if isinstance(inner, StaticItems):
        return StaticItems(tuple(given(v) for v in inner.items))
    if isinstance(inner, GuardedItems):
        raise b.fail(
            "`map` over items of which it is not known how many there are is not understood here", "Write a loop."
        )
    return Counted(inner.count, lambda k: given(inner.item(k)))


def passes(b: Builder, function: Abs, item: Abs) -> Abs:
    """Whether `filter(function, ...)` lets an item through."""
    from s2s_ad.build.calls import call_value

    return item if isinstance(function, Known) and function.value is None else call_value(b, function, [item], {})


def _zipped(
    b: Builder, inner: list[StaticItems | GuardedItems | Counted], parts: tuple[Abs, ...]
) -> StaticItems | GuardedItems | Counted:
    if any(isinstance(i, GuardedItems) for i in inner):
        raise b.fail("items of which it is not known how many there are are zipped here", "Write a loop.")
    static = [i for i in inner if isinstance(i, StaticItems)]
    if len(static) == len(inner):
        rows = zip(*(i.items for i in static))  # noqa: B905
        return StaticItems(tuple(Tup(tuple(row)) for row in rows))
    counts: list[Num | Known] = [
        i.count if isinstance(i, Counted) else Known(len(i.items)) for i in inner if not isinstance(i, GuardedItems)
    ]
    known = [known_value(c) for c in counts]
    if static and NOTHING in known and all(_are_numbers(i) for i in static):
        inner = [
            _as_counted(b, i, part) if isinstance(i, StaticItems) else i for i, part in zip(inner, parts, strict=True)
        ]
        static = []
    if static:
        return _zipped_by_number(b, inner, counts)
    dynamic = [i for i in inner if isinstance(i, Counted)]
    count: Num | Known
    if len(dynamic) == 1:
        count = dynamic[0].count
    elif NOTHING not in known:
        count = Known(min(known))
    else:
        count = Num(Call(min, tuple(b.expr(c) for c in counts), (), INT))
    return Counted(count, lambda k: Tup(tuple(i.item(k) for i in dynamic)))


def _are_numbers(items: StaticItems) -> bool:
    return bool(items.items) and all(isinstance(getattr(leaf_expr(v), "type", None), Scalar) for v in items.items)


def _as_counted(b: Builder, items: StaticItems, part: Abs) -> Counted:
    """Numbers of known count as a list that is indexed by a run-time number."""
    packed = part if isinstance(part, ObjectRef | Tup) else Tup(items.items)
    if isinstance(packed, ObjectRef) and not isinstance(b.state.heap[packed.site], ListObject):
        packed = Tup(items.items)
    base = b.bind(b.temp(b.node, "items", id(part)), containers.as_run_time(b, packed))
    return Counted(Known(len(items.items)), lambda k: index(b, base, [k], True))


def _zipped_by_number(
    b: Builder, inner: list[StaticItems | GuardedItems | Counted], counts: list[Num | Known]
) -> StaticItems | GuardedItems:
    """Rows of a zip of which a container of known structure is a part: they are written out one by one."""
    bounds = [known_value(c) for c in counts if known_value(c) is not NOTHING]
    rows, tests = [], []
    for k in range(min(bounds)):
        number_ = Num(number(k), known=k)
        rows.append(
            Tup(
                tuple(
                    i.items[k] if isinstance(i, StaticItems) else i.item(number_)
                    for i in inner
                    if not isinstance(i, GuardedItems)
                )
            )
        )
        left = [c for c in counts if known_value(c) is NOTHING]
        there: Abs = Known(True)
        for count in left:
            test = Num(Call(operator.gt, (b.expr(count), number(k)), (), BOOL, "op"))
            there = test if isinstance(there, Known) else Num(Lazy("and", (b.expr(there), test.expr)))
        tests.append(there)
    if all(isinstance(t, Known) for t in tests):
        return StaticItems(tuple(rows))
    return GuardedItems(tuple(rows), tuple(tests))

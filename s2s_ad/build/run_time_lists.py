"""Operations on lists of run-time length, made of the few that have a derivative: append, pop, reverse, indexing.

Enters: the abstract list and the arguments of an operation.  Leaves: statements, and the abstract value of the
operation.

    head = values[:2]       ->   head = []; for k in range(0, min(2, len(values))): head.append(values[k])
    first = queue.pop(0)    ->   queue.reverse(); first = queue.pop(); queue.reverse()
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from s2s_ad.build import containers
from s2s_ad.build.numeric import apply, index
from s2s_ad.build.values import NOTHING, Abs, Bound, Known, Num, ObjectRef, RangeValue, Tup, known_value, varied
from s2s_ad.errors import AliasingError
from s2s_ad.ir.nodes import Call, Choice, Const, Display, Effect, Expr, Index, Lazy, Method, Raise, Slice, Var, number
from s2s_ad.ir.types import BOOL, INT, OPAQUE, Array, ListOf, Scalar, TupleOf

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


# -- building blocks ---------------------------------------------------------------------------------------------------
def gathered(b: Builder, node: ast.AST, fill: Callable[[Callable[[Abs], None]], None], tag: object = "") -> Abs:
    """A new list that `fill` appends to."""
    site = b.site(node, f"list {tag}")
    b.facts.dynamic.add(site)
    held = b.bind(b.temp(node, "items", tag), containers.dynamic_list(b, node, [], site))
    key = (b.frame.key, f"#gathered {id(node)} {tag} {b.unrolled}")
    b.state.env[key] = held

    def put(value: Abs) -> None:
        base = b.state.env[key]
        assert isinstance(base, Num)
        containers.append(b, base, value)

    fill(put)
    return b.state.env.pop(key)


def each(b: Builder, node: ast.AST, iterable: Abs, body: Callable[[Abs], object]) -> None:
    """Run `body` for every item."""
    from s2s_ad.build.loops import run_loop

    item: list[Abs] = []
    run_loop(b, node, iterable, lambda v: item.__setitem__(slice(None), [v]), lambda: body(item[0]))


def length(base: Num) -> Num:
    return Num(Call(len, (base.expr,), (), INT))


def named(b: Builder, value: Abs, node: ast.AST, hint: str, tag: object = "") -> Num:
    """A list under a name."""
    assert isinstance(value, Num)
    return value if isinstance(value.expr, Var) else b.bind(b.temp(node, hint, tag), value)


def minus(b: Builder, x: Abs, y: Abs) -> Abs:
    from s2s_ad.build.operators import binary

    return binary(b, operator.sub, x, y)


# -- new lists ---------------------------------------------------------------------------------------------------------
def list_slice(b: Builder, base: Num, parts: list[Abs | None], node: ast.AST) -> Abs:
    """`base[start:stop:step]`: a new list of the same items."""
    if not base.varied and _holds_numbers(base):
        exprs = [None if p is None else b.expr(p) for p in parts]
        expr = Index(base.expr, (Slice(*exprs),), base.type)
        return Num(expr, origins=frozenset({b.site(node, "list slice")}))
    base = named(b, base, node, "items", "sliced")
    positions = _positions(b, base, parts, node)
    return gathered(b, node, lambda put: each(b, node, positions, lambda k: put(index(b, base, [k], True))), "slice")


def _holds_numbers(base: Num) -> bool:
    return isinstance(base.type, ListOf) and isinstance(base.type.item, Scalar)


def _positions(b: Builder, base: Num, parts: list[Abs | None], node: ast.AST) -> Abs:
    """The positions that a slice takes, as a range."""
    start, stop, step = (Known(None) if p is None else p for p in parts)
    if known_value(step) in (None, 1):
        low, high = _bound(b, base, start, False), _bound(b, base, stop, True)
        if low is not None and high is not None:
            return RangeValue(low, high, Known(1))
    bounds = [None if p is None else b.expr(p) for p in parts]
    whole = Call(range, (length(base).expr,), (), OPAQUE)
    taken = b.bind(b.temp(node, "taken"), Num(Index(whole, (Slice(*bounds),), OPAQUE)))
    fields = [Num(Call(getattr, (taken.expr, Const(n)), (), INT, f"attribute:{n}")) for n in ("start", "stop", "step")]
    return RangeValue(*fields)


def _bound(b: Builder, base: Num, bound: Abs, upper: bool) -> Num | Known | None:
    """A bound of a slice of step one, as a bound of a range."""
    value = known_value(bound)
    size = length(base)
    if value is None:
        return size if upper else Known(0)
    if not isinstance(value, int):
        return None
    if value >= 0:
        return Num(Call(min, (number(value), size.expr), (), INT)) if upper else Known(value)
    from_end = minus(b, size, Known(-value))
    assert isinstance(from_end, Num)
    return from_end if upper else Num(Call(max, (from_end.expr, number(0)), (), INT))


def joined(b: Builder, parts: list[Abs], node: ast.AST) -> Abs:
    """`x + y` of lists, one of them of run-time length."""

    def fill(put: Callable[[Abs], None]) -> None:
        for k, part in enumerate(held):
            each(b, _Numbered(node, k), part, put)

    held = [named(b, p, node, "part", k) if isinstance(p, Num) else p for k, p in enumerate(parts)]
    if not any(varied(p, b.state.heap) for p in held):
        exprs = tuple(containers.run_time_list(b, p) for p in held)
        numbers = all(
            isinstance(e.type, ListOf) and (e.type.item is None or isinstance(e.type.item, Scalar)) for e in exprs
        )
        if numbers:
            items = tuple(e.type.item for e in exprs if isinstance(e.type, ListOf) and e.type.item is not None)
            item = containers.joined_type(b, tuple(Var("", t) for t in items), b.site(node))
            return Num(Call(operator.add, exprs, (), ListOf(item), "op"), origins=frozenset({b.site(node, "list")}))
    return gathered(b, node, fill, "joined")


def repeated(b: Builder, items: Abs, count: Abs, node: ast.AST) -> Abs:
    """`items * count`."""
    if not isinstance(count, Num | Known):
        raise b.fail("a list is repeated a whole number of times")
    held = named(b, items, node, "part", "repeated")
    times = RangeValue(Known(0), count, Known(1))
    inner = _Numbered(node, 5)
    return gathered(b, node, lambda put: each(b, node, times, lambda _: each(b, inner, held, put)), "repeated")


class _Numbered(ast.AST):
    """A stand-in for a node that makes several loops: each has its own names."""

    _kept: ClassVar[dict[tuple[int, int], _Numbered]] = {}

    def __new__(cls, node: ast.AST, k: int) -> _Numbered:
        key = (id(node), k)
        if key not in cls._kept:
            made = super().__new__(cls)
            for attribute in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
                setattr(made, attribute, getattr(node, attribute, 0))
            made.node, made.number = node, f"{getattr(node, 'number', '')}.{k}"  # type: ignore[attr-defined]
            cls._kept[key] = made
        return cls._kept[key]

    def __init__(self, node: ast.AST, k: int) -> None:
        super().__init__()


# -- order -------------------------------------------------------------------------------------------------------------
def sorted_list(b: Builder, items: Num, key: Abs, reverse: Abs, node: ast.AST) -> Abs:
    """`sorted(items, key=..., reverse=...)`: the order is passive, the items are taken in it."""
    items = named(b, items, node, "items", "unsorted")
    order = order_of(b, items, key, reverse, node)
    take = _Numbered(node, 7)
    return gathered(b, take, lambda put: each(b, take, order, lambda k: put(index(b, items, [k], True))), "sorted")


def sorted_range(b: Builder, whole: RangeValue, key: Abs, reverse: Abs, node: ast.AST) -> Num | None:
    """Positions in the order of a list's items, as a derivative's text sorts; None for another key."""
    if isinstance(key, Bound) and key.function == "__getitem__" and isinstance(key.receiver, ObjectRef):
        raise containers.make_site_dynamic(b, key.receiver.site)
    if not (isinstance(key, Bound) and key.function == "__getitem__" and isinstance(key.receiver, Num)):
        return None
    return _order_by(b, b.expr(whole), key.receiver, reverse, node) if isinstance(key.receiver.type, ListOf) else None


def order_of(b: Builder, items: Num, key: Abs, reverse: Abs, node: ast.AST) -> Num:
    """The positions of the items in their order, as Python's stable sort has it."""
    keys = items if isinstance(key, Known) and key.value is None else keys_of(b, items, key, node)
    whole = Call(range, (length(items).expr,), (), OPAQUE)
    return _order_by(b, whole, keys, reverse, node)


def _order_by(b: Builder, whole: Expr, keys: Num, reverse: Abs, node: ast.AST) -> Num:
    options: list[tuple[str, Expr]] = [
        ("key", Call(getattr, (keys.expr, Const("__getitem__")), (), OPAQUE, "attribute:__getitem__"))
    ]
    if known_value(reverse) is not False:
        options.append(("reverse", b.expr(reverse)))
    expr = Call(sorted, (whole,), tuple(options), ListOf(INT))
    return b.bind(b.temp(node, "order"), Num(expr, origins=frozenset({b.site(node, "order")})))


def keys_of(b: Builder, items: Num, key: Abs, node: ast.AST) -> Num:
    """The list of `key(item)`."""
    from s2s_ad.build.calls import call_value

    rank = _Numbered(node, 8)
    made = gathered(b, rank, lambda put: each(b, rank, items, lambda v: put(call_value(b, key, [v], {}))), "keys")
    return named(b, made, node, "keys")


# -- methods -----------------------------------------------------------------------------------------------------------
def method(b: Builder, base: Num, name: str, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """A method of a list of run-time length."""
    type_ = base.type
    assert isinstance(type_, ListOf)
    node = b.node
    if name in _WRITING:
        if not isinstance(base.expr, Var):
            raise b.fail(
                f"`{name}` on a list inside a list is not understood here", "Give the inner list a name first."
            )
        _refuse_frozen(b, base)
    if name == "popleft":
        name, args = "pop", [Known(0)]
    elif name == "appendleft":
        name, args = "insert", [Known(0), *args]
    match name, args:
        case "__getitem__", [k] if not isinstance(k, Tup | ObjectRef):
            return index(b, base, [k], True)
        case "append", [value]:
            containers.append(b, base, value)
        case "extend", [value]:
            if isinstance(value, Num) and value.expr == base.expr:
                value = _copied(b, value, node)
            each(b, node, value, lambda item: containers.append(b, containers.current(b, base), item))
        case "pop", [] | [_]:
            return _pop(b, base, args[0] if args else Known(-1), node)
        case "insert", [at, value]:
            _insert(b, base, at, value, node)
        case "reverse", []:
            _reverse(b, base)
        case "clear", []:
            each(b, node, RangeValue(Known(0), length(base), Known(1)), lambda _: _drop(b, base))
        case "copy", []:
            return _copied(b, base, node)
        case "sort", []:
            _sort(b, base, kwargs, node)
        case (("index" | "count"), [value]):
            return Num(Call(Method(name), (base.expr, b.expr(value)), (), INT, f"method:{name}"))
        case "remove", [value]:
            at = b.bind(
                b.temp(node, "at"), Num(Call(Method("index"), (base.expr, b.expr(value)), (), INT, "method:index"))
            )
            _pop(b, base, at, node)
        case _:
            raise b.fail(
                f"`list.{name}` is not understood for a list of run-time length",
                "Write it with append, pop and indexing.",
            )
    return Known(None)


_WRITING = ("append", "extend", "pop", "insert", "reverse", "clear", "sort", "remove", "popleft", "appendleft")


def _refuse_frozen(b: Builder, base: Num) -> None:
    assert isinstance(base.expr, Var)
    if b.is_frozen(base.expr.place):
        raise b.fail(
            "this list was put into another list, or is being looped over, and is written here",
            "Put it there when it is finished, or loop over a copy.",
            kind=AliasingError,
        )


def _copied(b: Builder, base: Num, node: ast.AST) -> Num:
    twin = _Numbered(node, 9)
    return named(b, gathered(b, twin, lambda put: each(b, twin, base, put), "copy"), twin, "items")


def _reverse(b: Builder, base: Num) -> None:
    b.emit(
        Effect(Call(Method("reverse"), (containers.current(b, base).expr,), (), base.type, "method:reverse"), b.line)
    )


def _item_type(b: Builder, base: Num) -> Any:
    type_ = containers.current(b, base).type
    assert isinstance(type_, ListOf)
    if type_.item is None:
        raise b.fail("nothing was put into this list before it is popped")
    return type_.item


def _drop(b: Builder, base: Num) -> Abs:
    return containers.popped(b, containers.current(b, base), _item_type(b, base))


def _pop(b: Builder, base: Num, at: Abs, node: ast.AST) -> Abs:
    """`base.pop(at)`: what stands behind the item is put aside, and back."""
    known = known_value(at)
    if known == -1:
        return _drop(b, base)
    if known == 0:
        _reverse(b, base)
        item = _pinned(b, _drop(b, base), node)
        _reverse(b, base)
        return item
    size = length(base)
    _check_index(b, size, at)
    return _behind(b, base, _count_behind(b, size, at), node, lambda: _pinned(b, _drop(b, base), node))


def _pinned(b: Builder, value: Abs, node: ast.AST) -> Abs:
    """What was popped, under a name that the pops after it do not give a new value."""
    if isinstance(value, Num):
        return b.bind(b.temp(node, "taken"), value)
    assert isinstance(value, Tup)
    return Tup(tuple(b.bind(b.temp(node, "taken", k), v) for k, v in enumerate(value.items) if isinstance(v, Num)))


def _insert(b: Builder, base: Num, at: Abs, value: Abs, node: ast.AST) -> None:
    value = b.container_item(value, node, "item")
    if known_value(at) == 0:
        _reverse(b, base)
        containers.append(b, containers.current(b, base), value)
        _reverse(b, base)
        return
    size = length(base)
    position = b.expr(at)
    from_start = Call(min, (position, size.expr), (), INT)
    from_end = Call(max, (Call(operator.add, (position, size.expr), (), INT, "op"), number(0)), (), INT)
    known = known_value(at)
    where: Expr = Choice(_test(operator.lt, position, number(0)), from_end, from_start, INT)
    if isinstance(known, int):
        where = from_start if known >= 0 else from_end
    count = minus(b, size, Num(where))

    def put() -> Abs:
        containers.append(b, containers.current(b, base), value)
        return Known(None)

    _behind(b, base, count, node, put)


def _behind(b: Builder, base: Num, count: Abs, node: ast.AST, act: Callable[[], Abs]) -> Abs:
    """Run `act` while the last `count` items are put aside."""
    aside, back = _Numbered(node, 1), _Numbered(node, 2)
    number_ = b.atom(count, node, "behind") if isinstance(count, Num) else count
    assert isinstance(number_, Num | Known)
    times = RangeValue(Known(0), number_, Known(1))

    def fill(put: Callable[[Abs], None]) -> None:
        def move(_: Abs) -> None:
            outer, b.node = b.node, aside
            put(_drop(b, base))
            b.node = outer

        each(b, aside, times, move)

    rest = gathered(b, aside, fill, "aside")
    result = act()

    def restore(_: Abs) -> None:
        outer, b.node = b.node, back
        assert isinstance(rest, Num)
        containers.append(b, containers.current(b, base), _drop(b, rest))
        b.node = outer

    each(b, back, times, restore)
    return result


def _test(op: Any, x: Expr, y: Expr) -> Expr:
    return Call(op, (x, y), (), BOOL, "op")


def _count_behind(b: Builder, size: Num, at: Abs) -> Abs:
    known = known_value(at)
    if isinstance(known, int) and known < 0:
        return Known(-known - 1)
    from_start = minus(b, minus(b, size, Known(1)), at)
    if isinstance(known, int):
        return from_start
    position = b.expr(at)
    from_end = Call(operator.sub, (Call(operator.neg, (position,), (), INT, "op"), number(1)), (), INT, "op")
    return Num(Choice(_test(operator.lt, position, number(0)), from_end, b.expr(from_start), INT))


def _check_index(b: Builder, size: Num, at: Abs) -> None:
    """Python's IndexError, which the moves that stand for `pop(at)` would not raise."""
    from s2s_ad.ir.nodes import If

    position = b.expr(at)
    low = _test(operator.lt, position, Call(operator.neg, (size.expr,), (), INT, "op"))
    outside = Lazy("or", (low, _test(operator.ge, position, size.expr)))
    error = Raise(Call(IndexError, (Const("pop index out of range"),), (), OPAQUE), b.line)
    b.emit(If(outside, (error,), (), b.line))


def _sort(b: Builder, base: Num, kwargs: dict[str, Abs], node: ast.AST) -> None:
    """`base.sort(...)`: emptied, and filled again in order."""
    made = sorted_list(b, base, kwargs.get("key", Known(None)), kwargs.get("reverse", Known(False)), node)
    ordered = named(b, made, node, "ordered")
    clear, fill = _Numbered(node, 3), _Numbered(node, 4)

    def drop(_: Abs) -> None:
        outer, b.node = b.node, clear
        _drop(b, base)
        b.node = outer

    each(b, clear, RangeValue(Known(0), length(base), Known(1)), drop)
    each(b, fill, ordered, lambda v: containers.append(b, containers.current(b, base), v))


_ = (NOTHING, Array, Display, TupleOf, apply, replace)

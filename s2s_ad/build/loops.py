"""Loops: unrolled over containers of known structure, else walked until what is known of every name is stable.

Enters: an iterable's abstract value, what binds the target, what runs the body.  Leaves: a `For` or `While` statement.
"""

from __future__ import annotations

import ast
import itertools
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.build import containers
from s2s_ad.build.alternatives import choose_to_do
from s2s_ad.build.builder import Restart
from s2s_ad.build.join import join_states
from s2s_ad.build.numeric import apply, index
from s2s_ad.build.values import (
    NOTHING,
    Abs,
    Bound,
    DictObject,
    Iteration,
    Known,
    ListObject,
    Num,
    ObjectRef,
    OneOf,
    Poison,
    RangeValue,
    State,
    Tup,
    forget_unreachable,
    known_value,
    leaf_expr,
)
from s2s_ad.errors import AliasingError, CertainError, UnsupportedSyntax
from s2s_ad.ir.nodes import (
    Call,
    Const,
    Each,
    Expr,
    For,
    If,
    Lazy,
    Place,
    Raise,
    Range,
    Stmt,
    Var,
    While,
    number,
    variables,
)
from s2s_ad.ir.types import BOOL, INT, Array, ListOf, Opaque, Scalar, TupleOf, Type, Unknown, is_inexact

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
        inner = iterate(b, parts[0])
        if isinstance(inner, StaticItems):
            return StaticItems(inner.items[::-1])
        if isinstance(inner, GuardedItems):
            raise b.fail("`reversed` of items of which it is not known how many there are is not understood here")
        count = inner.count
        if isinstance(count, Num):
            count = b.atom(count, b.node, "count")

        def from_end(k: Num) -> Abs:
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


def _product(b: Builder, inner: list[StaticItems | GuardedItems | Counted]) -> StaticItems | Counted:
    """Every combination, the last part running fastest."""
    known = [len(i.items) if isinstance(i, StaticItems) else known_value(i.count) for i in inner if not isinstance(i, GuardedItems)]
    if any(isinstance(i, StaticItems) for i in inner) and all(isinstance(n, int) for n in known) and len(known) == len(inner):
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


# -- running -----------------------------------------------------------------------------------------------------------
def run_loop(
    b: Builder,
    node: ast.AST,
    iterable: Abs,
    bind: Callable[[Abs], None],
    body: Callable[[], object],
    stop: str | None = None,
    target: str | None = None,
) -> None:
    """Run `body` for each item of `iterable`, after `bind(item)`. `target` is the author's name of a simple loop
    variable."""
    if isinstance(iterable, OneOf):
        choose_to_do(b, iterable, lambda v: run_loop(b, node, v, bind, body, stop, target))
        return
    if isinstance(iterable, Iteration) and iterable.kind == "filter":
        _run_filtered(b, node, iterable, bind, body, stop)
        return
    items = iterate(b, iterable)
    if isinstance(items, StaticItems):
        _unroll(b, node, list(items.items), bind, body, stop)
        return
    if isinstance(items, GuardedItems):
        _unroll(b, node, list(items.items), bind, body, stop, items.tests)
        return
    count = known_value(items.count)
    if isinstance(count, int) and count <= UNROLL_LIMIT:
        site = b.site(node, "loop")
        if site in b.facts.unrolled:
            _unroll(b, node, [items.item(Num(number(k), known=k)) for k in range(count)], bind, body, stop)
            return
        b.unrollable.append(site)
    else:
        b.unrollable.append(None)
    try:
        _run_counted(b, node, items, bind, body, stop, target)
    finally:
        b.unrollable.pop()


def _run_filtered(
    b: Builder,
    node: ast.AST,
    iterable: Iteration,
    bind: Callable[[Abs], None],
    body: Callable[[], object],
    stop: str | None,
) -> None:
    """`for v in filter(f, items)`: the body runs where `f(v)` is true."""
    from s2s_ad.build.statements import conditional

    item: list[Abs] = []

    def chosen() -> None:
        bind(item[0])
        body()

    def step() -> None:
        conditional(b, node, passes(b, iterable.parts[0], item[0]), chosen, lambda: None)

    run_loop(b, node, iterable.parts[1], lambda v: item.__setitem__(slice(None), [v]), step, stop)


def _run_counted(
    b: Builder,
    node: ast.AST,
    items: Counted,
    bind: Callable[[Abs], None],
    body: Callable[[], object],
    stop: str | None,
    target: str | None,
) -> None:
    source = items.source
    if isinstance(source, RangeValue):
        counter = target if target is not None else b.temp(node, "k")
        rng = Range(*(b.expr(v) for v in (source.start, source.stop, source.step)))
        _counted(b, node, counter, rng, lambda: bind(_counter(b, counter)), body, stop)
    elif isinstance(source, Num) and isinstance(source.type, ListOf) and not _has_lists(source.type.item):
        _each(b, node, source, bind, body, stop)
    else:
        counter = b.temp(node, "k")
        rng = Range(number(0), b.expr(items.count), number(1))
        _counted(b, node, counter, rng, lambda: bind(items.item(_counter(b, counter))), body, stop)


def _has_lists(type_: Type | None) -> bool:
    if isinstance(type_, TupleOf):
        return any(_has_lists(t) or isinstance(t, TupleOf) for t in type_.items)
    return isinstance(type_, ListOf)


def _counter(b: Builder, name: str) -> Num:
    b.types[name] = INT
    return Num(Var(name, INT))


def _unroll(
    b: Builder,
    node: ast.AST,
    items: list[Abs],
    bind: Callable[[Abs], None],
    body: Callable[[], object],
    stop: str | None,
    tests: tuple[Abs, ...] = (),
) -> None:
    from s2s_ad.build.statements import conditional

    if len(items) > UNROLL_LIMIT * 16:
        raise b.fail(f"a loop over a container of {len(items)} different items would be unrolled", "Use an array.")
    outer = b.unrolled

    def rest(k: int) -> None:
        if k == len(items):
            return
        if tests:
            conditional(b, node, tests[k], lambda: step(k), lambda: None)
        else:
            step(k)

    def step(k: int) -> None:
        b.unrolled = (*outer, id(node), k)
        bind(items[k])
        body()
        b.unrolled = outer
        flag = None if stop is None else b.state.env.get((b.frame.key, stop))
        known = NOTHING if flag is None else known_value(flag)
        if flag is None or known is False:
            rest(k + 1)
        elif known is NOTHING:
            conditional(b, node, flag, lambda: None, lambda: rest(k + 1))

    rest(0)


def _counted(
    b: Builder,
    node: ast.AST,
    counter: str,
    rng: Range,
    bind: Callable[[], None],
    body: Callable[[], object],
    stop: str | None,
) -> None:
    b.save_before_rebinding(counter, Const(0, INT))

    def run() -> None:
        bind()
        body()

    def make(block: tuple[Stmt, ...], line: int) -> Stmt:
        return For((counter,), (INT,), rng, block, _flag(b, stop), line=line)

    fix(b, node, run, make, {counter})


def _each(
    b: Builder, node: ast.AST, source: Num, bind: Callable[[Abs], None], body: Callable[[], object], stop: str | None
) -> None:
    assert isinstance(source.type, ListOf)
    item = source.type.item
    if item is None:
        return
    types = item.items if isinstance(item, TupleOf) else (item,)
    hints = _target_names(node, len(types))
    names = tuple(b.local(b.frame.key, h) if h else b.temp(node, "item", k) for k, h in enumerate(hints))
    for name in names:
        b.save_before_rebinding(name, Const(0, INT))
    assert isinstance(source.expr, Var)
    b.looping.append(source.expr.place.root if source.expr.place is not None else source.expr.name)

    def run() -> None:
        values = [
            b.bound(n, Num(Var(n, t), origins=source.origins, varied=source.varied and is_inexact(t)))
            for n, t in zip(names, types, strict=True)
        ]
        values = [replace(v, expr=replace(v.expr, place=None)) for v in values]  # type: ignore[arg-type]
        bind(Tup(tuple(values)) if isinstance(item, TupleOf) else values[0])
        body()

    def make(block: tuple[Stmt, ...], line: int) -> Stmt:
        return For(names, types, Each(source.expr), block, _flag(b, stop), line=line)

    try:
        fix(b, node, run, make, set(names))
    finally:
        b.looping.pop()


def _target_names(node: ast.AST, count: int) -> list[str | None]:
    """The author's names for the parts of each item, if the target is that simple."""
    target = node.target if isinstance(node, ast.For | ast.comprehension) else None
    if isinstance(target, ast.Name) and count == 1:
        return [target.id]
    if (
        isinstance(target, ast.Tuple)
        and len(target.elts) == count
        and all(isinstance(e, ast.Name) for e in target.elts)
    ):
        names = [e.id for e in target.elts if isinstance(e, ast.Name)]
        if len(set(names)) == count:
            return list(names)
    return [None] * count


def _flag(b: Builder, stop: str | None) -> str | None:
    return None if stop is None else b.local(b.frame.key, stop)


def run_while(b: Builder, node: ast.AST, test: Callable[[], Abs], body: Callable[[], object], stop: str | None) -> None:
    """`while test: body`. A test that needs statements is evaluated before the loop and at the end of its body."""
    first = test_of(b, test)
    if first is not None and first is False:
        return
    probe: list[Stmt] = []
    state = b.state.copy()
    with b.into(probe):
        test()
    b.state = state
    if not probe:
        held: list[Expr] = []

        def run() -> None:
            held[:] = [_test_expr(b, test())]
            body()

        fix(b, node, run, lambda block, line: While(held[0], block, _flag(b, stop), line), set())
        return
    name = b.temp(node, "go_on")
    key = (b.frame.key, f"#test {id(node)}")
    b.local_names[key] = name

    def decide() -> None:
        value = test()
        b.state.env[key] = replace(b.bind(name, Num(_test_expr(b, value))), known=NOTHING)

    decide()

    def run_decided() -> None:
        body()
        decide()

    fix(b, node, run_decided, lambda block, line: While(Var(name, BOOL), block, _flag(b, stop), line), set())
    b.state.env.pop(key, None)


def test_of(b: Builder, test: Callable[[], Abs]) -> bool | None:
    """The value of a loop's test at its first evaluation, if known; nothing is written."""
    probe: list[Stmt] = []
    state = b.state.copy()
    with b.into(probe):
        value = test()
    b.state = state
    known = known_value(value)
    return None if known is NOTHING or probe else bool(known)


def _test_expr(b: Builder, value: Abs) -> Expr:
    leaf = leaf_expr(value)
    if leaf is not None:
        return leaf
    truth = containers.truth(b, value)
    return b.expr(value) if truth is None else number(truth)


def fix(
    b: Builder, node: ast.AST, run: Callable[[], None], make: Callable[[tuple[Stmt, ...], int], Stmt], rebound: set[str]
) -> None:
    """Walk a loop's body until what is known at its head is stable; then write it."""
    entry = b.state
    head = entry.copy()
    tokens = _tokens(entry)
    line = b.line
    for _ in range(24):
        block: list[Stmt] = []
        b.state = head.copy()
        _forget_previous(b, rebound)
        with b.into(block), b.deeper():
            try:
                _attempt(b, run)
            except (UnsupportedSyntax, AliasingError):
                _unroll_instead(b)
                raise
        back = b.state
        forget_unreachable(back, entry)
        joined, entry_fix, back_fix = join_states(b, entry, back, f"{b.site(node)} head")
        _rename_tokens(joined, tokens, b.site(node))
        if same_state(joined, head):
            break
        head = joined
    else:
        raise b.fail(
            "what this loop computes does not settle to one type", "Give every name one kind of value before the loop."
        )
    for stmt in entry_fix:
        b.emit(stmt)
    b.emit(make((*block, *back_fix), line))
    b.state = joined


def _unroll_instead(b: Builder) -> None:
    """A loop of few iterations whose body needs to know which one it is in is written out iteration by iteration."""
    site = b.unrollable[-1] if b.unrollable else None
    if site is not None:
        b.facts.unrolled.add(site)
        b.facts.dynamic.clear()
        b.names.reset()
        raise Restart


def _attempt(b: Builder, run: Callable[[], None]) -> None:
    """One iteration; what raises in any case ends it."""
    from s2s_ad.build.builder import Unreachable
    from s2s_ad.build.statements import raised_error

    try:
        run()
    except Unreachable:
        pass
    except CertainError as error:
        b.emit(Raise(raised_error(error), b.line))


def _forget_previous(b: Builder, rebound: set[str]) -> None:
    """What was known in terms of the loop's variable is not true any more in the next iteration."""
    for key, value in list(b.state.env.items()):
        if b.local_names.get(key) in rebound:
            continue
        if isinstance(value, Num) and isinstance(value.expr, Var) and value.expr.place is not None:
            from s2s_ad.ir.nodes import place_variables

            if any(v.name in rebound for v in place_variables(value.expr.place)):
                b.state.env[key] = Poison("this is a view made in an earlier iteration of the loop")
        elif isinstance(value, Tup) and any(v.name in rebound for v in _tuple_vars(value)):
            b.state.env[key] = Poison("this was made in an earlier iteration of the loop")


def _tuple_vars(value: Abs) -> list[Var]:
    match value:
        case Num(expr):
            return list(variables(expr))
        case Tup(items):
            return [v for item in items for v in _tuple_vars(item)]
    return []


def _tokens(state: State) -> set[Any]:
    found: set[Any] = set()
    for value in [*state.env.values(), *(v for obj in state.heap.values() for v in obj.items)]:
        _collect_tokens(value, found)
    return found


def _collect_tokens(value: Abs, found: set[Any]) -> None:
    match value:
        case Num():
            _type_tokens(value.type, found)
        case Tup(items):
            for item in items:
                _collect_tokens(item, found)


def _type_tokens(type_: Type | None, found: set[Any]) -> None:
    match type_:
        case Array(_, dims):
            found.update(dims)
        case TupleOf(items):
            for t in items:
                _type_tokens(t, found)
        case ListOf(item):
            _type_tokens(item, found)


def _rename_tokens(state: State, old: set[Any], site: str) -> None:
    """Unknown sizes that were made inside the loop differ from one iteration to the next: each name gets its own."""
    for key, value in list(state.env.items()):
        if isinstance(value, Num) and isinstance(value.type, Array) and not set(value.type.dims) <= old | {1, "N"}:
            name = f"{site} {key[1]}"
            dims = tuple(d if d in (1, "N") or d in old else f"?{name}.{k}" for k, d in enumerate(value.type.dims))
            type_ = Array(value.type.dtype, dims)
            state.env[key] = replace(value, expr=replace(value.expr, type=type_))


def same_state(x: State, y: State) -> bool:
    if (
        x.env.keys() != y.env.keys()
        or x.heap.keys() != y.heap.keys()
        or x.frozen != y.frozen
        or x.detached != y.detached
    ):
        return False
    return all(same(x.env[k], y.env[k]) for k in x.env) and all(
        len(x.heap[s].items) == len(y.heap[s].items)
        and all(same(p, q) for p, q in zip(x.heap[s].items, y.heap[s].items, strict=True))
        for s in x.heap
    )


def same(x: Abs, y: Abs) -> bool:
    match x, y:
        case Num(), Num():
            places = [getattr(v.expr, "place", None) for v in (x, y)]
            return (
                x == y
                and places[0] == places[1]
                and type(x.known) is type(y.known)
                and (x.known is y.known or bool(x.known == y.known))
            )
        case Tup(xs), Tup(ys):
            return x.cls is y.cls and len(xs) == len(ys) and all(same(p, q) for p, q in zip(xs, ys, strict=True))
        case Poison(), Poison():
            return True
    return x == y


_ = (np, Bound, If, Place)

"""Loops: unrolled over containers of known structure, else walked until what is known of every name is stable.

Enters: an iterable's abstract value, what binds the target, what runs the body.  Leaves: a `For` or `While` statement.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from s2s_ad.build import containers
from s2s_ad.build.alternatives import choose_to_do
from s2s_ad.build.builder import Restart, Unreachable
from s2s_ad.build.iterables import UNROLL_LIMIT, Counted, GuardedItems, StaticItems, iterate, passes
from s2s_ad.build.join import join_states
from s2s_ad.build.values import (
    NOTHING,
    Abs,
    Iteration,
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
    sites_of,
)
from s2s_ad.errors import AliasingError, CertainError, UnsupportedSyntax
from s2s_ad.ir.nodes import (
    Const,
    Each,
    Expr,
    For,
    Raise,
    Range,
    Stmt,
    Var,
    While,
    number,
    variables,
)
from s2s_ad.ir.types import BOOL, INT, Array, ListOf, TupleOf, Type, is_inexact

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder

_FEW = 8  # iterations of a loop that is written out where nothing else helps


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
        _unroll(b, node, list(items.items), bind, body, stop, source=iterable)
        return
    if isinstance(items, GuardedItems):
        _unroll(b, node, list(items.items), bind, body, stop, items.tests)
        return
    count = known_value(items.count)
    if isinstance(count, int) and count <= UNROLL_LIMIT:
        site = b.site(node, "loop")
        if count <= _FEW:
            b.facts.loops.add(site)
        if site in b.facts.unrolled or b.facts.unrolls and count <= _FEW:
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
    source: Abs | None = None,
) -> None:
    from s2s_ad.build.statements import conditional

    if len(items) > UNROLL_LIMIT * 16:
        raise b.fail(f"a loop over a container of {len(items)} different items would be unrolled", "Use an array.")
    outer = b.unrolled
    held = _lists_in(b, source)

    def rest(k: int) -> None:
        nonlocal held
        if _lists_in(b, source) != held:
            items[:], held = _changed(b, source, k), _lists_in(b, source)
        if k >= len(items):
            return
        if tests:
            conditional(b, node, tests[k], lambda: step(k), lambda: None)
        else:
            step(k)

    def step(k: int) -> None:
        b.unrolled = (*outer, id(node), k)
        bind(items[k])
        if body() is True:
            raise Unreachable
        b.unrolled = outer
        flag = None if stop is None else b.state.env.get((b.frame.key, stop))
        known = NOTHING if flag is None else known_value(flag)
        if flag is None or known is False:
            rest(k + 1)
        elif known is NOTHING:
            conditional(b, node, flag, lambda: None, lambda: rest(k + 1))

    rest(0)


def _lists_in(b: Builder, source: Abs | None) -> dict[str, tuple[Abs, ...]]:
    """The items of the lists that are being looped over."""
    if source is None:
        return {}
    objects = {site: b.state.heap.get(site) for site in sites_of(source)}
    return {site: obj.items for site, obj in objects.items() if isinstance(obj, ListObject)}


def _changed(b: Builder, source: Abs | None, k: int) -> list[Abs]:
    """Python asks a list for its next item when it needs it: what the body has changed is seen."""
    assert source is not None
    lazy = isinstance(source, ObjectRef) or (isinstance(source, Iteration) and source.kind in ("enumerate", "zip"))
    found = iterate(b, source) if lazy else None
    if not isinstance(found, StaticItems):
        raise b.fail("a list is changed while it is looped over", "Loop over a copy, or over its indices.")
    return list(found.items)


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
        b.state.uses = dict(entry.uses)
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

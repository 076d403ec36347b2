"""The whole adjoint program: forward sweep, reverse sweep, and what it returns.

Enters: a built primal, the names to differentiate by.  Leaves: IR functions: one for a gradient, two for a vjp.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from s2s_ad.analysis.activity import active_names, flows, owner
from s2s_ad.analysis.binding import not_yet_bound, surely_bound
from s2s_ad.analysis.liveness import Table, live_before, names_read
from s2s_ad.analysis.memory import memory_groups
from s2s_ad.analysis.recording import Recording
from s2s_ad.build.holes import hole
from s2s_ad.build.program import Built
from s2s_ad.build.values import (
    Abs,
    DictObject,
    Instance,
    Known,
    ListObject,
    Num,
    ObjectRef,
    Tup,
)
from s2s_ad.differentiate.assemble import Assembler
from s2s_ad.differentiate.bars import Bar, zero_type, zeros
from s2s_ad.differentiate.inline_rule import Inliner
from s2s_ad.differentiate.prepare import Preparer, counted
from s2s_ad.differentiate.reverse import Sweep
from s2s_ad.errors import SignatureError
from s2s_ad.ir.names import Names
from s2s_ad.ir.nodes import (
    Append,
    Assign,
    Block,
    Call,
    Comment,
    Const,
    Display,
    Effect,
    Expr,
    Function,
    If,
    Index,
    Parameter,
    Raise,
    Stmt,
    Store,
    Var,
    all_assigned,
    all_statements,
    number,
)
from s2s_ad.ir.types import BOOL, FLOAT, INT, OPAQUE, Array, ListOf, Scalar, TupleOf, Type, Unknown, is_inexact
from s2s_ad.rules.runtime import private


@dataclass(frozen=True)
class Adjoint:
    """An adjoint program: its functions, the last one its entry, and the name of the reverse half, if it has one."""

    functions: tuple[Function, ...]
    reverse: str | None
    names: Names


@dataclass
class Work:
    """What the parts of the construction share."""

    built: Built
    wrt: tuple[str, ...]
    names: Names
    types: dict[str, Type]
    leaves: dict[str, Num]
    body: Block
    value: Expr
    seeds: list[tuple[str, Expr]]
    aux: Expr | None


def numbers(value: Abs, heap: dict[str, Any]) -> list[Num]:
    """The run-time leaves of a value."""
    match value:
        case Num():
            return [value]
        case Tup(items):
            return [n for v in items for n in numbers(v, heap)]
        case ObjectRef(site):
            return [n for v in heap[site].items for n in numbers(v, heap)]
    return []


def gradient(
    built: Built, wrt: tuple[str, ...], has_aux: bool, source_line: Callable[[int], str], optimize: bool
) -> Adjoint:
    """One function: the value and the gradient."""
    names = built.builder.names
    bar_name = names.fresh(f"{built.name}_bar")
    work = begin(built, wrt, has_aux)
    result = work.seeds[0][1] if work.seeds else None
    if result is not None:
        _check_scalar(built, result)
    seeds = {key: Bar(bar_name, FLOAT, True) for key, _ in work.seeds}
    start = _seeded(seeds, work, names)
    grads, forward, reverse = sweeps(work, seeds, source_line, optimize)
    reverse = [*start, *reverse]
    value = work.value if work.aux is None else Display("tuple", (work.value, work.aux), OPAQUE)
    value = kept_value(value, forward, reverse, names)
    body: list[Stmt] = [Comment("# forward sweep"), *forward, Comment("# reverse sweep"), *reverse]
    parameters = (*_declared(built), Parameter(bar_name, FLOAT, number(1.0), True), *_captured(built))
    shown = grads[0] if len(grads) == 1 else Display("tuple", grads, OPAQUE)
    function = Function(
        names.fresh(f"{built.name}_adjoint"),
        parameters,
        tuple(body),
        Display("tuple", (value, Display("tuple", grads, OPAQUE)), OPAQUE),
        contract(built, wrt),
    )
    _ = shown
    return Adjoint((function,), None, names)


def vjp(
    built: Built, wrt: tuple[str, ...], has_aux: bool, source_line: Callable[[int], str], optimize: bool
) -> Adjoint:
    """Two functions: the forward half gives the value and a record, the reverse half takes the record and a
    cotangent."""
    names = built.builder.names
    bar_name = names.fresh(f"{built.name}_bar")
    work = begin(built, wrt, has_aux)
    start: list[Stmt] = []
    seeds: dict[str, Bar] = {}
    for path, key, type_ in seed_paths(built, work, has_aux):
        if not is_inexact(type_):
            continue
        bar = Var(bar_name, OPAQUE)
        expr = path(bar)
        if isinstance(expr, Var):
            expr = replace(expr, type=zero_type(type_))
        name = names.fresh(f"{key}_bar")
        start.append(Assign((name,), (_typed(expr, zero_type(type_)),)))
        if key in seeds:
            start.append(Assign((seeds[key].name,), (_plus(seeds[key].var, Var(name, zero_type(type_))),)))
        else:
            seeds[key] = Bar(name, zero_type(type_), False)
    grads, forward, reverse = sweeps(work, seeds, source_line, optimize)
    value = work.value if work.aux is None else Display("tuple", (work.value, work.aux), OPAQUE)
    value = kept_value(value, forward, reverse, names)
    reverse_body = [*start, *reverse]
    needed = record_names(reverse_body, grads, bar_name, forward, built)
    record = Display("tuple", tuple(Var(n, work.types.get(n, OPAQUE)) for n in needed), OPAQUE)
    bound = surely_bound(tuple(forward), {p.name for p in built.parameters})
    holes = [Assign((n,), (hole(work.types.get(n, OPAQUE)),), note="hole") for n in needed if n not in bound]
    forward_function = Function(
        names.fresh(f"{built.name}_forward"),
        (*_declared(built), *_captured(built)),
        (*holes, *forward),
        Display("tuple", (value, record), OPAQUE),
        f"The value of {built.name}, and what its reverse sweep needs.",
    )
    unpack = (
        []
        if not needed
        else [
            Assign(tuple(needed), tuple(Index(Var("record", OPAQUE), (number(k),), OPAQUE) for k in range(len(needed))))
        ]
    )
    copies = private_copies(needed, forward, reverse_body, work.types, names)
    arrays = {p.name for p in built.parameters if isinstance(p.type, Array)} - all_assigned(tuple(forward))
    record = replace(record, items=tuple(_own_copy(v, arrays) for v in record.items))
    forward_function = replace(forward_function, result=Display("tuple", (value, record), OPAQUE))
    reverse_function = Function(
        names.fresh(f"{built.name}_reverse"),
        (Parameter("record", OPAQUE), Parameter(bar_name, OPAQUE)),
        (*unpack, *copies, *reverse_body),
        Display("tuple", grads, OPAQUE),
        f"The cotangents of {', '.join(wrt)} for a cotangent of {built.name}'s value; the record is left as it is.",
    )
    return Adjoint((reverse_function, forward_function), reverse_function.name, names)


def _own_copy(value: Expr, arrays: set[str]) -> Expr:
    """The caller may change an argument between the two halves: the record has a copy of its own."""
    if isinstance(value, Var) and value.name in arrays:
        return Call(np.copy, (value,), (), value.type, "method:copy")
    return value


def _typed(expr: Expr, type_: Type) -> Expr:
    return replace(expr, type=type_) if isinstance(expr, Var | Index | Call) else expr


def _plus(a: Expr, b: Expr) -> Expr:
    import operator

    return Call(operator.add, (a, b), (), a.type, "op")


def record_names(body: list[Stmt], grads: tuple[Expr, ...], bar: str, forward: list[Stmt], built: Built) -> list[str]:
    """The names that the reverse half reads before it gives them a value."""
    live = set().union(*(names_read(g) for g in grads)) if grads else set()
    live = live_before(tuple(body), live, {})
    known = all_assigned(tuple(forward)) | {p.name for p in built.parameters}
    return sorted(n for n in live if n in known and n != bar)


def private_copies(
    needed: list[str], forward: list[Stmt], body: list[Stmt], types: dict[str, Type], names: Names
) -> list[Stmt]:
    """Copies of what the reverse half consumes or overwrites; arrays that share memory are copied together."""
    groups = memory_groups(tuple(forward))
    copies: list[Stmt] = []
    done: set[str] = set()
    for name in needed:
        own = _private(name, body, types)
        if own is None or name in done:
            continue
        together = tuple(n for n in needed if n in groups.get(name, {name}) and n not in done)
        done |= set(together)
        if len(together) == 1:
            copies.append(own)
            continue
        values = tuple(Var(n, types.get(n, OPAQUE)) for n in together)
        type_ = TupleOf(tuple(v.type for v in values))
        parts = Var(names.fresh("copies"), type_)
        copies.append(Assign((parts.name,), (Call(private, values, (), type_),)))
        copies.append(Assign(together, tuple(Index(parts, (number(k),), v.type) for k, v in enumerate(values))))
    return copies


def _private(name: str, body: list[Stmt], types: dict[str, Type]) -> Stmt | None:
    """A copy of what the reverse half consumes or overwrites in place."""
    from s2s_ad.ir.nodes import PopLast, base_name

    for stmt in all_statements(tuple(body)):
        match stmt:
            case PopLast(source=Var(n)) if n == name:
                return Assign((name,), (Call(list, (Var(name, OPAQUE),), (), OPAQUE),))
            case Store(target) if base_name(target) == name:
                type_ = types.get(name, Unknown())
                if isinstance(type_, ListOf):
                    return Assign((name,), (Call(list, (Var(name, type_),), (), type_),))
                style = "method:copy" if isinstance(type_, Array) else "function"
                return Assign((name,), (Call(np.copy, (Var(name, type_),), (), type_, style),))
            case Append(Var(n)) if n == name:
                return Assign((name,), (Call(list, (Var(name, OPAQUE),), (), OPAQUE),))
            case Effect(Call(args=(Var(n), *_))) if n == name:
                return Assign((name,), (Call(list, (Var(name, OPAQUE),), (), OPAQUE),))
    return None


# -- the parts ---------------------------------------------------------------------------------------------------------
def begin(built: Built, wrt: tuple[str, ...], has_aux: bool) -> Work:
    """Name the result, and prepare the primal."""
    b = built.builder
    types = dict(b.types)
    leaves: dict[str, Num] = {}
    for w in wrt:
        for leaf in numbers(built.arguments[w], b.state.heap):
            key = owner(leaf.expr)
            if key is not None and is_inexact(leaf.type):
                leaves[key] = leaf
    body = [*overlap_guards(built), *built.body]
    result, aux = built.result, None
    if has_aux:
        if not isinstance(result, Tup) or len(result.items) != 2:
            raise SignatureError(
                f"`{built.name}` must return (value, aux) for has_aux=True",
                "Return a tuple of two, or leave has_aux out.",
            )
        result, aux_value = result.items
        aux = b.expr(aux_value)
    named, seeds = _named_result(b, result, body, types)
    value = b.expr(named)
    return Work(built, wrt, b.names, types, leaves, tuple(body), value, seeds, aux)


def overlap_guards(built: Built) -> list[Stmt]:
    """Arguments that are written must not share memory with other arguments: the primal would change both."""
    arrays: list[tuple[str, Expr, bool]] = []
    for p in built.parameters:
        if isinstance(p.type, Array):
            arrays.append((p.name, Var(p.name, p.type), False))
    for stmt in built.body:
        if isinstance(stmt, Assign) and stmt.note in ("leaf", "entry copy") and isinstance(stmt.values[0].type, Array):
            value = stmt.values[0]
            copied = isinstance(value, Call) and value.fn is np.copy
            source = value.args[0] if copied and isinstance(value, Call) else value
            arrays = [a for a in arrays if a[0] != stmt.targets[0]]
            arrays.append((stmt.targets[0], source, copied))
    guards: list[Stmt] = []
    for k, (name, a, written) in enumerate(arrays):
        for other, c, too in arrays[k + 1 :]:
            if written or too:
                message = (
                    f"shared memory: `{name}` and `{other}` share memory, and `{name if written else other}` is written"
                )
                shares = Call(np.shares_memory, (a, c), (), BOOL)
                guards.append(If(shares, (Raise(Call(ValueError, (Const(message),))),), ()))
    return guards


def _named_result(b: Any, result: Abs, body: list[Stmt], types: dict[str, Type]) -> tuple[Abs, list[tuple[str, Expr]]]:
    seeds: list[tuple[str, Expr]] = []
    count = len(numbers(result, b.state.heap))

    def named(value: Abs) -> Abs:
        match value:
            case Num(expr):
                key = owner(expr) if isinstance(expr, Var) else None
                if key is None or (isinstance(expr, Var) and expr.place is not None and expr.place.path):
                    name = b.names.fresh("value" if count == 1 else f"value_{len(seeds)}")
                    types[name] = expr.type
                    body.append(Assign((name,), (expr,), _last_line(b)))
                    expr = Var(name, expr.type)
                    key = name
                seeds.append((key, expr))
                return Num(expr)
            case Tup(items, cls):
                return Tup(tuple(named(v) for v in items), cls)
            case ObjectRef(site):
                obj = b.state.heap[site]
                b.state.heap[site] = replace(obj, items=tuple(named(v) for v in obj.items))
                return value
        return value

    return named(result), seeds


def _last_line(b: Any) -> int:
    import ast

    last = b.source.tree.body[-1]
    return last.lineno if isinstance(last, ast.Return) else 0


def seed_paths(built: Built, work: Work, has_aux: bool) -> list[tuple[Callable[[Expr], Expr], str, Type]]:
    """For each leaf of the result: how it is reached in the cotangent, and the name that it seeds."""
    result = built.result.items[0] if has_aux and isinstance(built.result, Tup) else built.result
    heap = built.builder.state.heap
    paths: list[Callable[[Expr], Expr]] = []

    def visit(value: Abs, reach: Callable[[Expr], Expr]) -> None:
        match value:
            case Num():
                paths.append(reach)
            case Tup(items):
                for k, item in enumerate(items):
                    visit(item, lambda e, k=k, reach=reach: Index(reach(e), (number(k),), OPAQUE))  # type: ignore[misc]
            case ObjectRef(site):
                match heap[site]:
                    case ListObject(items):
                        for k, item in enumerate(items):
                            visit(item, lambda e, k=k, reach=reach: Index(reach(e), (number(k),), OPAQUE))  # type: ignore[misc]
                    case DictObject(keys, items):
                        for key, item in zip(keys, items, strict=True):
                            constant = built.builder.key_expr(key)
                            visit(item, lambda e, c=constant, reach=reach: Index(reach(e), (c,), OPAQUE))  # type: ignore[misc]
                    case Instance(_, names, items):
                        for n, item in zip(names, items, strict=True):
                            visit(
                                item,
                                lambda e, n=n, reach=reach: Call(
                                    getattr, (reach(e), Const(n)), (), OPAQUE, f"attribute:{n}"
                                ),  # type: ignore[misc]
                            )

    visit(result, lambda e: e)
    return [(path, key, expr.type) for path, (key, expr) in zip(paths, work.seeds, strict=True)]


def sweeps(
    work: Work, seeds: dict[str, Bar], source_line: Callable[[int], str], optimize: bool
) -> tuple[tuple[Expr, ...], list[Stmt], list[Stmt]]:
    names, types = work.names, work.types
    result = set(seeds)
    body = counted(work.body, names, types)
    active = set(active_names(body, work.leaves, result))
    preparer = Preparer(names, active, types, Inliner(names))
    body = preparer.block(body)
    active = set(active_names(body, work.leaves, result))
    written = {owner(s.target) for s in all_statements(body) if isinstance(s, Store | Append)}
    sweep = Sweep(names, active, types, frozenset(n for n in written if n is not None))
    sweep.bars.bar_names |= {k: b.name for k, b in seeds.items()}
    sweep.bars.state = {k: b for k, b in seeds.items() if k in active}
    sweep.unborn = not_yet_bound(body)
    nodes = sweep.block(body)
    parameters = {p.name for p in work.built.parameters}
    primal = all_assigned(body) | parameters
    final = names_read(work.value) | (names_read(work.aux) if work.aux is not None else set())
    tables: Table = {}
    live_before(body, final, tables)
    tail: list[Stmt] = []
    grads = tuple(gradient_of(work.built, sweep, w, tail) for w in work.wrt)
    recording = Recording(primal, tables)
    recording.block(nodes, frozenset(recording.uses([*tail, Effect(Display("tuple", grads, OPAQUE))])))
    assembler = Assembler(names, types, recording, source_line, parameters)
    forward = assembler.forward(nodes)
    reverse = [*assembler.reverse(nodes), *tail]
    tapes: list[Stmt] = [
        Assign((t.name,), (Display("list", (), ListOf(t.item)),), note="tape") for t in assembler.tapes
    ]
    holes: list[Stmt] = [Assign((n,), (hole(types.get(n, OPAQUE)),), note="hole") for n in assembler.undefined]
    return grads, [*tapes, *holes, *forward], reverse


def gradient_of(built: Built, sweep: Sweep, name: str, out: list[Stmt]) -> Expr:
    """The gradient of one argument, in the argument's own structure."""
    heap = built.builder.state.heap
    sweep.bars.out = out

    def leaf(value: Num) -> Expr:
        key = owner(value.expr)
        if key is None or not is_inexact(value.type):
            return Const(None) if not isinstance(value.type, ListOf) else Display("list", (), value.type)
        if key not in sweep.bars.state:
            return zeros(key, sweep.types[key])
        sweep.bars.settle(key)
        bar = sweep.bars.state[key]
        return cast(bar, value.type)

    def whole(value: Abs) -> Expr:
        match value:
            case Num():
                return leaf(value)
            case Tup(items, cls):
                parts = tuple(whole(v) for v in items)
                if cls is not None:
                    return Call(cls, parts, (), OPAQUE)
                return Display("tuple", parts, OPAQUE)
            case ObjectRef(site):
                return _container(built, heap[site], whole)
            case Known(v):
                return built.builder.expr(value) if v is None else Const(None)
        return Const(None)

    return whole(built.arguments[name])


def _container(built: Built, obj: Any, whole: Callable[[Abs], Expr]) -> Expr:
    match obj:
        case ListObject(items):
            return Display("list", tuple(whole(v) for v in items), OPAQUE)
        case DictObject(keys, items):
            parts: list[Expr] = []
            for key, item in zip(keys, items, strict=True):
                parts += [built.builder.key_expr(key), whole(item)]
            return Display("dict", tuple(parts), OPAQUE)
        case Instance(cls, names, items):
            from s2s_ad.rules.runtime import instance

            fields: list[Expr] = []
            for n, item in zip(names, items, strict=True):
                fields += [Const(n), whole(item)]
            return Call(instance, (built.builder.object_ref(cls), Display("dict", tuple(fields), OPAQUE)), (), OPAQUE)
    return Const(None)


def cast(bar: Bar, type_: Type) -> Expr:
    """The cotangent in the argument's own dtype."""
    dtype = getattr(type_, "dtype", None)
    have = getattr(bar.type, "dtype", None)
    if isinstance(type_, Array) and dtype is not None and (have != dtype or not isinstance(bar.type, Array)):
        if dtype.kind == "f" and have is not None and have.kind == "c":
            return Call(np.astype, (Call(np.real, (bar.var,), (), OPAQUE), Const(dtype)), (), type_)
        return Call(np.astype, (Call(np.asarray, (bar.var,), (), OPAQUE), Const(dtype)), (), type_)
    if isinstance(type_, Scalar) and not type_.weak and have != dtype and isinstance(bar.type, Scalar):
        assert dtype is not None
        return Call(dtype.type, (bar.var,), (), type_)
    if isinstance(bar.type, Array) and not bar.owned:
        return Call(np.copy, (bar.var,), (), bar.type, "method:copy")
    return bar.var


def _seeded(seeds: dict[str, Bar], work: Work, names: Names) -> list[Stmt]:
    """A result that is one of the author's names gets a cotangent of its own name."""
    start: list[Stmt] = []
    for key, bar in list(seeds.items()):
        if key not in ("value",) and key in work.types:
            name = names.fresh(f"{key}_bar")
            start.append(Assign((name,), (bar.var,)))
            seeds[key] = Bar(name, bar.type, bar.owned)
    return start


def kept_value(value: Expr, forward: list[Stmt], reverse: list[Stmt], names: Names) -> Expr:
    """What is returned, safe from a reverse sweep that restores names and arrays, and never the caller's own array."""
    from s2s_ad.ir.nodes import variables

    changed = all_assigned(tuple(reverse))
    stores = any(isinstance(s, Store) for s in all_statements(tuple(reverse)))

    def kept(expr: Expr) -> Expr:
        match expr:
            case Display(kind, items) if kind in ("tuple", "list"):
                return replace(expr, items=tuple(kept(i) for i in items))
            case Display("dict", items):
                return replace(expr, items=tuple(kept(i) if k % 2 else i for k, i in enumerate(items)))
            case Call(fn, args, kwargs) if isinstance(fn, type):
                return replace(expr, args=tuple(kept(a) for a in args), kwargs=tuple((k, kept(v)) for k, v in kwargs))
            case Var(type=type_):
                copied = isinstance(type_, Array | Unknown) and (stores or not _is_new(expr.name, forward))
                if not copied and expr.name not in changed:
                    return expr
                name = names.fresh("value")
                fresh = (
                    Call(np.copy, (expr,), (), type_, "method:copy") if isinstance(type_, Array) and copied else expr
                )
                forward.append(Assign((name,), (fresh,)))
                return Var(name, type_)
        if any(v.name in changed for v in variables(expr)):
            name = names.fresh("value")
            forward.append(Assign((name,), (expr,)))
            return Var(name, expr.type)
        return expr

    return kept(value)


def _is_new(name: str, forward: list[Stmt]) -> bool:
    """Whether a name is assigned in the forward sweep by an expression that makes a new array."""
    from s2s_ad.differentiate.bars import is_fresh

    found = [
        v
        for s in all_statements(tuple(forward))
        if isinstance(s, Assign)
        for t, v in zip(s.targets, s.values, strict=True)
        if t == name
    ]
    return bool(found) and all(is_fresh(v) for v in found)


def _check_scalar(built: Built, result: Expr) -> None:
    type_ = result.type
    if isinstance(type_, Array) and type_.dims:
        dims = ", ".join(str(d) if d == 1 else "n" for d in type_.dims)
        raise SignatureError(
            f"the gradient is defined for functions with a scalar result; `{built.name}` returns an array of shape "
            f"({dims}{',' if len(type_.dims) == 1 else ''})",
            "Use vjp or jacobian, or return a sum.",
        )


def _declared(built: Built) -> tuple[Parameter, ...]:
    captures = {c.parameter for c in built.captures}
    return tuple(p for p in built.parameters if p.name not in captures)


def _captured(built: Built) -> tuple[Parameter, ...]:
    captures = {c.parameter for c in built.captures}
    values = {c.parameter: c.read() for c in built.captures}
    return tuple(
        Parameter(p.name, p.type, _default(values[p.name]), True) for p in built.parameters if p.name in captures
    )


def _default(value: Any) -> Expr:
    """A captured number stands in the text as a default; anything larger must be given."""
    return number(value) if type(value) in (int, float, complex) else Const(None)


def contract(built: Built, wrt: tuple[str, ...]) -> str:
    """The docstring: gradient of what, with respect to what, for which signature."""
    shown = ", ".join(f"{p.name}: {p.type}" for p in _declared(built))
    return f"Value of {built.name} and its gradient with respect to {', '.join(wrt)}.\n\nFor {shown}."


_ = (inspect, INT, TupleOf, flows)

"""Forward mode: each statement of the primal with the statement of its tangent.

Enters: a built primal, the names to differentiate by.  Leaves: one IR function: the value and its tangent.

    y = np.zeros_like(x)                      y = np.zeros_like(x)
    for i in range(1, n):                     y_dot = np.zeros_like(y)
        y[i] = 0.5 * y[i - 1] + x[i]    ->    for i in range(1, n):
                                                  y_dot[i] = 0.5 * y_dot[i - 1] + x_dot[i]
                                                  y[i] = 0.5 * y[i - 1] + x[i]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from s2s_ad.analysis.liveness import Table, live_before, names_read
from s2s_ad.analysis.memory import written_names
from s2s_ad.build.program import Built
from s2s_ad.build.values import Abs, DictObject, Instance, ListObject, Num, ObjectRef, Tup
from s2s_ad.differentiate.forward_statements import Eager, ForwardSweep, Prepared, varied_names
from s2s_ad.differentiate.gradient import Adjoint, _captured, _declared, kept_value, numbers
from s2s_ad.differentiate.inline_rule import Inliner
from s2s_ad.errors import SignatureError
from s2s_ad.ir.nodes import Assign, Block, Call, Const, Display, Expr, Function, Parameter, Stmt, Var, ZerosLike, number
from s2s_ad.ir.types import OPAQUE, Scalar, Type, is_inexact


def tangent(built: Built, wrt: tuple[str, ...], has_aux: bool) -> Adjoint:
    """One function of the arguments and their tangents: the value and its tangent."""
    names = built.builder.names
    body = list(built.body)
    result, aux = _parts(built, has_aux)
    result = named_result(built, result, body)
    leaves = _leaves(built, wrt)
    value = built.builder.expr(result)
    varied = varied_names(tuple(body), leaves, names_read(value))
    dots = {w: names.fresh(f"{w}_dot") for w in wrt}
    inliner = Inliner(names)
    types = dict(built.builder.types)
    prepared = Prepared(names, set(varied), types, inliner).block(tuple(body))
    varied |= varied_names(prepared, leaves, names_read(value))
    live: Table = {}
    live_before(prepared, names_read(value) | (set() if aux is None else names_read(built.builder.expr(aux))), live)
    sweep, out = swept(built, prepared, types, varied, dots, leaves, live)
    rate = tangent_of(built, result, sweep)
    if aux is not None:
        value = Display("tuple", (value, built.builder.expr(aux)), OPAQUE)
    both = kept_value(Display("tuple", (value, rate), OPAQUE), out, [], names)
    declared = (replace(p, has_default=False) for p in _declared(built))
    parameters = (*declared, *(Parameter(dots[w], OPAQUE) for w in wrt), *_captured(built))
    function = Function(names.fresh(f"{built.name}_tangent"), parameters, tuple(out), both, contract(built, wrt, dots))
    return Adjoint((function,), None, names)


def swept(
    built: Built,
    body: Block,
    types: dict[str, Type],
    varied: set[str],
    dots: dict[str, str],
    leaves: set[str],
    live: Table,
) -> tuple[ForwardSweep, list[Stmt]]:
    """The statements with their tangents; again, where a zero turns out to be needed earlier than was thought."""
    names = built.builder.names
    saved = names.snapshot()
    eager: set[str] = set()
    while True:
        sweep = ForwardSweep(names, Inliner(names), types, varied, dots, leaves, live)
        sweep.buffers = written_names(body) & varied
        sweep.eager = eager
        sweep.bound = {p.name for p in built.parameters}
        try:
            return sweep, sweep.block(body)
        except Eager as needed:
            eager.add(needed.name)
            names.restore(saved)


def primal(built: Built) -> Adjoint:
    """The program as it was understood, with nothing added."""
    names = built.builder.names
    body = list(built.body)
    result = built.builder.expr(built.result)
    function = Function(
        names.fresh(f"{built.name}_primal"),
        (*_declared(built), *_captured(built)),
        tuple(body),
        result,
        f"The value of {built.name}.",
    )
    return Adjoint((function,), None, names)


def _parts(built: Built, has_aux: bool) -> tuple[Abs, Abs | None]:
    if not has_aux:
        return built.result, None
    if not isinstance(built.result, Tup) or len(built.result.items) != 2:
        raise SignatureError(
            f"`{built.name}` must return (value, aux) for has_aux=True", "Return a tuple of two, or leave has_aux out."
        )
    return built.result.items[0], built.result.items[1]


def _leaves(built: Built, wrt: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for w in wrt:
        for leaf in numbers(built.arguments[w], built.builder.state.heap):
            if isinstance(leaf.expr, Var) and is_inexact(leaf.type):
                found.add(leaf.expr.name)
    return found


def named_result(built: Built, result: Abs, body: list[Stmt]) -> Abs:
    """The result with a name for each number and array in it."""
    b = built.builder
    count = len(numbers(result, b.state.heap))
    seen = 0

    def named(value: Abs) -> Abs:
        nonlocal seen
        match value:
            case Num(expr):
                if not isinstance(expr, Var | Const):
                    name = b.names.fresh("value" if count == 1 else f"value_{seen}")
                    b.types[name] = expr.type
                    body.append(Assign((name,), (expr,), _last_line(b)))
                    value = Num(Var(name, expr.type))
                seen += 1
                return value
            case Tup(items, cls):
                return Tup(tuple(named(v) for v in items), cls)
            case ObjectRef(site):
                obj = b.state.heap[site]
                b.state.heap[site] = replace(obj, items=tuple(named(v) for v in obj.items))
        return value

    return named(result)


def _last_line(b: Any) -> int:
    import ast

    last = b.source.tree.body[-1]
    return last.lineno if isinstance(last, ast.Return) else 0


def tangent_of(built: Built, result: Abs, sweep: ForwardSweep) -> Expr:
    """The result's tangent, in the result's own structure; None for what is no float."""
    b = built.builder
    match result:
        case Num(expr):
            if not is_inexact(expr.type):
                return Const(None)
            g = sweep.expressions.whole(expr)
            return _zeros(expr) if g is None else g
        case Tup(items, cls):
            parts = tuple(tangent_of(built, v, sweep) for v in items)
            return Display("tuple", parts, OPAQUE) if cls is None else Call(cls, parts, (), OPAQUE)
        case ObjectRef(site):
            return _container(built, b.state.heap[site], lambda v: tangent_of(built, v, sweep))
    value = getattr(result, "value", None)
    return number(0.0) if isinstance(value, float) else Const(None)


def _zeros(expr: Expr) -> Expr:
    if isinstance(expr.type, Scalar):
        return number(0.0)
    return ZerosLike(expr, expr.type)


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


def contract(built: Built, wrt: tuple[str, ...], dots: dict[str, str]) -> str:
    """The docstring: tangent of what, along what, for which signature."""
    shown = ", ".join(f"{p.name}: {p.type}" for p in _declared(built))
    return f"Value of {built.name} and its tangent along {', '.join(dots[w] for w in wrt)}.\n\nFor {shown}."

"""Statements: assignments of every form, branches, loops, stores.

Enters: the normalised statements of a function.  Leaves: IR statements in the builder's block, and its state.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from s2s_ad.build import containers, run_time_lists
from s2s_ad.build.alternatives import choose, choose_to_do
from s2s_ad.build.attributes import attribute
from s2s_ad.build.bound_names import names_bound, names_in
from s2s_ad.build.builder import Unreachable
from s2s_ad.build.expressions import closure, evaluate, read_name
from s2s_ad.build.join import join_states
from s2s_ad.build.loops import run_loop, run_while
from s2s_ad.build.numeric import index
from s2s_ad.build.operators import BINARY, binary
from s2s_ad.build.stores import store, store_subscript
from s2s_ad.build.values import (
    NOTHING,
    Abs,
    Known,
    ListObject,
    Num,
    ObjectRef,
    OneOf,
    RangeValue,
    Tup,
    forget_unreachable,
    known_value,
    leaf_expr,
)
from s2s_ad.errors import CertainError
from s2s_ad.ir import markers
from s2s_ad.ir.nodes import Assert, Call, Const, Effect, If, Raise, Stmt, Var, With
from s2s_ad.ir.types import BOOL, OPAQUE, Array, ListOf, Unknown

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


def run_body(b: Builder, tree: ast.FunctionDef) -> Abs:
    """Run a normalised function body; the value of its one `return`."""
    *statements, last = tree.body
    ended = run_block(b, statements)
    if ended and b.frame.key != ():
        raise Unreachable
    if ended:
        return Known(None)
    if not isinstance(last, ast.Return):
        run_block(b, [last])
        return Known(None)
    with b.at(last):
        return Known(None) if last.value is None else evaluate(b, last.value)


def run_block(b: Builder, statements: list[ast.stmt]) -> bool:
    """Run statements; True if the block ends by raising."""

    def step(stmt: ast.stmt) -> bool:
        with b.at(stmt):
            return run(b, stmt)

    return any(raising(b, lambda s=stmt: step(s)) for stmt in statements)  # type: ignore[misc]


def raising(b: Builder, action: Callable[[], bool]) -> bool:
    """Run `action`; True if it ends by raising, for which a statement is written where it may not be reached."""
    try:
        return action()
    except Unreachable:
        return True
    except CertainError as error:
        if b.depth == 0:
            raise
        b.emit(Raise(raised_error(error), b.line))
        return True


def raised_error(error: CertainError) -> Call:
    """The exception that Python would raise here."""
    return Call(error.exception, (Const(error.fact),), (), OPAQUE)


def run(b: Builder, stmt: ast.stmt) -> bool:
    match stmt:
        case ast.Assign([target], value):
            assign(b, target, value)
        case ast.AugAssign():
            augmented(b, stmt)
        case ast.Expr(value):
            expression(b, value)
        case ast.If(test, then, orelse):
            return conditional(b, stmt, evaluate(b, test), lambda: run_block(b, then), lambda: run_block(b, orelse))
        case ast.For():
            run_for(b, stmt)
        case ast.While(test, body):
            inner, stop = loop_parts(body)
            run_while(b, stmt, lambda: evaluate(b, test), lambda: run_block(b, inner), stop)
        case ast.FunctionDef(name):
            if stmt.decorator_list:
                raise b.fail("a decorated inner function is not understood here", "Decorate it outside.")
            b.state.env[b.frame.key, name] = closure(b, stmt)
        case ast.Pass() | ast.Global() | ast.Nonlocal():
            if isinstance(stmt, ast.Global):
                raise b.fail(
                    "`global` is not understood in a differentiated function", "Pass the value, and return it."
                )
        case ast.Delete(targets):
            for target in targets:
                delete(b, target)
        case ast.Raise(None):
            b.emit(Raise(None if b.caught is None else Var(b.caught, OPAQUE), b.line))
            return True
        case ast.Raise(ast.expr() as exc):
            b.emit(Raise(raised(b, exc), b.line))
            return True
        case ast.Assert(test, message):
            truth = evaluate(b, test)
            if known_value(truth) is NOTHING or not known_value(truth):
                text = None if message is None else b.expr(evaluate(b, message))
                b.emit(Assert(b.expr(truth), text, b.line))
        case ast.With():
            return run_with(b, stmt)
        case ast.Try():
            from s2s_ad.build.exceptions import run_try

            return run_try(b, stmt)
        case ast.Import() | ast.ImportFrom():
            _import(b, stmt)
        case _:
            raise b.fail(f"the statement `{type(stmt).__name__.lower()}` cannot be differentiated")
    return False


def raised(b: Builder, node: ast.expr) -> Any:
    """The exception of a `raise`: passive, whatever its text says."""
    from s2s_ad.ir.nodes import Call

    if isinstance(node, ast.Call):
        cls = known_value(evaluate(b, node.func))
        if isinstance(cls, type) and issubclass(cls, BaseException):
            return Call(cls, tuple(b.expr(evaluate(b, a)) for a in node.args))
    return b.expr(evaluate(b, node))


def expression(b: Builder, node: ast.expr) -> None:
    value = evaluate(b, node)
    if (
        b.trying
        and isinstance(value, Num)
        or isinstance(value, Num)
        and not isinstance(value.expr, Var)
        and not value.varied
        and _has_effect(value.expr)
    ):
        b.emit(Effect(value.expr, b.line))


def _has_effect(expr: Any) -> bool:
    from s2s_ad.ir.nodes import Call, Method, walk

    return any(isinstance(e, Call) and isinstance(e.fn, Method) for e in walk(expr))


def _import(b: Builder, stmt: ast.Import | ast.ImportFrom) -> None:
    import importlib

    for alias in stmt.names:
        try:
            if isinstance(stmt, ast.ImportFrom):
                if stmt.level:
                    raise b.fail(
                        "a relative import inside a function is not understood", "Import at the top of the module."
                    )
                module = importlib.import_module(stmt.module or "")
                value = getattr(module, alias.name)
            else:
                value = importlib.import_module(alias.name)
                if alias.asname is None:
                    value = importlib.import_module(alias.name.split(".")[0])
        except (ImportError, AttributeError) as error:
            raise b.certain(ImportError, f"this import fails: {error}") from error
        b.state.env[b.frame.key, alias.asname or alias.name.split(".")[0]] = Known(value)


# -- assignment --------------------------------------------------------------------------------------------------------
def assign(b: Builder, target: ast.expr, node: ast.expr) -> None:
    if isinstance(target, ast.Tuple | ast.List) and isinstance(node, ast.Tuple | ast.List):
        if len(target.elts) == len(node.elts) and not _starred(target) and not _starred(node):
            value = evaluate(b, node)
            if isinstance(value, ObjectRef):
                obj = b.state.heap[value.site]
                assert isinstance(obj, ListObject)
                value = Tup(obj.items)
            assert isinstance(value, Tup)
            unpack_parallel(b, target, value)
            return
    if isinstance(target, ast.Subscript):
        with b.at(node):
            value = evaluate(b, node)
        start = len(b.block)
        store_subscript(b, target, value, None, start, node)
        return
    assign_target(b, target, evaluate(b, node))


def _starred(node: ast.Tuple | ast.List) -> bool:
    return any(isinstance(e, ast.Starred) for e in node.elts)


def unpack_parallel(b: Builder, target: ast.Tuple | ast.List, value: Tup) -> None:
    """`a, b = x, y`: one statement where an order would matter, else one after the other."""
    names = [e.id for e in target.elts if isinstance(e, ast.Name)]
    simple = len(names) == len(target.elts) and all(
        isinstance(v, Num | Known) and leaf_expr(v) is not None for v in value.items
    )
    if simple:
        targets = {b.local(b.frame.key, n) for n in names} | {
            b.local_for(b.frame.key, n, e.type)
            for n, v in zip(names, value.items, strict=True)
            if (e := leaf_expr(v)) is not None
        }
        values = [v if isinstance(v, Num) else Num(leaf_expr(v), known=known_value(v)) for v in value.items]  # type: ignore[arg-type]
        if all(
            isinstance(v.expr, Var) and v.expr.name == b.local(b.frame.key, n)
            for n, v in zip(names, values, strict=True)
        ):
            b.state.env.update({(b.frame.key, n): v for n, v in zip(names, values, strict=True)})
            return
        if any(_reads(v, targets) for v in values):
            b.assign_parallel(names, values, target)
            return
        for name, item in zip(names, value.items, strict=True):
            b.assign(name, item, target)
        return
    if not all(isinstance(e, ast.Name) for e in target.elts):
        value = _all_pinned(b, value, target)
    one_by_one(b, target, target.elts, list(value.items))


def one_by_one(b: Builder, node: ast.AST, targets: list[ast.expr], values: list[Abs]) -> None:
    """Give the targets their values; a value that waits is known, so that a name it mentions is kept for it."""
    keys = [(b.frame.key, f"#waiting {id(node)} {k}") for k in range(len(values))]
    b.state.env.update(zip(keys, values, strict=True))
    for key, element in zip(keys, targets, strict=True):
        assign_target(b, element, b.state.env.pop(key))


def _all_pinned(b: Builder, value: Tup, target: ast.Tuple | ast.List) -> Tup:
    """Values that the targets, which are given theirs one after the other, cannot change any more."""
    rebound = {b.local(b.frame.key, n) for n in names_bound(target)}
    fresh_names = [b.temp(target, "t", k) for k in range(len(value.items))]
    held = [
        b.bind(b.temp(target, "held", k), v)
        if isinstance(v, Num) and isinstance(v.expr, Var) and v.expr.name in rebound
        else v
        for k, v in enumerate(value.items)
    ]
    fresh = [
        b.bind(fresh_names[k], v) if isinstance(v, Num) and not isinstance(v.expr, Var) else v
        for k, v in enumerate(held)
    ]
    return Tup(tuple(fresh), value.cls)


def _reads(value: Num, targets: set[str]) -> bool:
    from s2s_ad.ir.nodes import variables

    return any(v.name in targets for v in variables(value.expr))


def assign_target(b: Builder, target: ast.expr, value: Abs) -> None:
    match target:
        case ast.Name(name):
            if name in b.frame.nonlocals:
                _assign_nonlocal(b, name, value, target)
            else:
                b.assign(name, value, target)
        case ast.Tuple(elts) | ast.List(elts):
            unpack(b, target, elts, value)
        case ast.Subscript():
            store_subscript(b, target, value, None, len(b.block), target)
        case ast.Attribute(base, attr):
            _set_attribute(b, evaluate(b, base), attr, value)
        case ast.Starred(inner):
            assign_target(b, inner, value)
        case _:
            raise b.fail("this cannot be assigned to")


def _set_attribute(b: Builder, receiver: Abs, attr: str, value: Abs) -> None:
    match receiver:
        case ObjectRef():
            containers.store_attribute(b, receiver, attr, value)
        case OneOf():
            choose_to_do(b, receiver, lambda r: _set_attribute(b, r, attr, value))
        case _:
            raise b.fail(f"the attribute `{attr}` of this object cannot be set here", "Return the value instead.")


def as_test(b: Builder, value: Abs) -> Abs:
    """Whether a value counts as true."""
    known = known_value(value)
    truth = bool(known) if known is not NOTHING else containers.truth(b, value)
    return Known(truth) if truth is not None else Num(Call(bool, (b.expr(value),), (), BOOL))


def _assign_nonlocal(b: Builder, name: str, value: Abs, node: ast.AST) -> None:
    frame = b.frame
    while frame.parent is not None:
        frame = b.frames[frame.parent]
        if name in frame.locals and name not in frame.nonlocals:
            inner, b.frame = b.frame, frame
            try:
                b.assign(name, value, node)
            finally:
                b.frame = inner
            return
    raise b.fail(f"`nonlocal {name}` reaches outside of what is differentiated", "Pass the value, and return it.")


def unpack(b: Builder, target: ast.expr, elts: list[ast.expr], value: Abs) -> None:
    """`a, *b, (c, d) = value`."""
    if isinstance(value, OneOf):
        choose_to_do(b, value, lambda v: unpack(b, target, elts, v))
        return
    if isinstance(value, Num) and isinstance(value.type, Array | ListOf | Unknown):
        base = b.atom(value, target, "items")
        if any(isinstance(e, ast.Starred) for e in elts):
            _unpack_starred(b, target, elts, base)
            return
        values = [index(b, base, [Known(k)], True) for k in range(len(elts))]
    else:
        values = containers.items_of(b, value)
    stars = [k for k, e in enumerate(elts) if isinstance(e, ast.Starred)]
    if not stars:
        if len(values) != len(elts):
            raise b.certain(ValueError, f"{len(values)} values are unpacked into {len(elts)} names")
        whole = Tup(tuple(values))
        assert isinstance(target, ast.Tuple | ast.List)
        unpack_parallel(b, target, whole)
        return
    at, after = stars[0], len(elts) - stars[0] - 1
    if len(values) < len(elts) - 1:
        raise b.certain(ValueError, f"{len(values)} values are unpacked into at least {len(elts) - 1} names")
    middle = containers.make_list(b, target, values[at : len(values) - after])
    one_by_one(b, target, elts, [*values[:at], middle, *values[len(values) - after :]])


def _unpack_starred(b: Builder, target: ast.expr, elts: list[ast.expr], base: Num) -> None:
    """`first, *middle, last = x` for something of run-time length."""
    at = next(k for k, e in enumerate(elts) if isinstance(e, ast.Starred))
    after = len(elts) - at - 1
    size: Abs = run_time_lists.length(base)
    end = binary(b, operator.sub, size, Known(after)) if after else size
    assert isinstance(end, Num)
    positions = RangeValue(Known(at), end, Known(1))
    middle = run_time_lists.gathered(
        b, target, lambda put: run_time_lists.each(b, target, positions, lambda k: put(index(b, base, [k], True)))
    )
    first = [index(b, base, [Known(k)], True) for k in range(at)]
    last = [index(b, base, [Known(k - after)], True) for k in range(after)]
    one_by_one(b, target, elts, [*first, middle, *last])


def augmented(b: Builder, stmt: ast.AugAssign) -> None:
    op = BINARY[type(stmt.op)]
    match stmt.target:
        case ast.Name(name):
            old = read_name(b, name)
            value = evaluate(b, stmt.value)
            if isinstance(old, Num) and isinstance(old.type, Array):
                store(b, old, [Known(Ellipsis)], value, op)
                return
            if isinstance(old, Num) and isinstance(old.type, ListOf) or _is_list(b, old):
                from s2s_ad.build.calls import call_method

                call_method(b, old, "extend", [value], {})
                return
            if op is operator.or_ and isinstance(old, ObjectRef) and isinstance(value, ObjectRef):
                from s2s_ad.build.calls import call_method

                call_method(b, old, "update", [value], {})
                return
            assign_target(b, stmt.target, binary(b, op, old, value))
        case ast.Subscript():
            value = evaluate(b, stmt.value)
            store_subscript(b, stmt.target, value, op, len(b.block), stmt.value)
        case ast.Attribute(base, attr):
            receiver = evaluate(b, base)
            old = attribute(b, receiver, attr)
            value = evaluate(b, stmt.value)
            if isinstance(old, Num) and isinstance(old.type, Array):
                store(b, old, [Known(Ellipsis)], value, op)
                return
            if not isinstance(receiver, ObjectRef):
                raise b.fail(f"the attribute `{attr}` of this object cannot be set here")
            containers.store_attribute(b, receiver, attr, binary(b, op, old, value))


def _is_list(b: Builder, value: Abs) -> bool:
    return isinstance(value, ObjectRef) and isinstance(b.state.heap[value.site], ListObject)


def delete(b: Builder, target: ast.expr) -> None:
    match target:
        case ast.Name(name):
            b.state.env.pop((b.frame.key, name), None)
        case ast.Subscript(base, slice_):
            value = evaluate(b, base)
            key = known_value(evaluate(b, slice_))
            if isinstance(value, ObjectRef) and key is not NOTHING:
                from s2s_ad.build.calls import call_method

                call_method(b, value, "pop", [Known(key)], {})
                return
            raise b.fail("deleting this is not understood here")
        case _:
            raise b.fail("deleting this is not understood here")


# -- control flow ------------------------------------------------------------------------------------------------------
def conditional(b: Builder, node: ast.AST, test: Abs, then: Callable[[], Any], orelse: Callable[[], Any]) -> bool:
    """`if test: then() else: orelse()`; True if both sides end by raising."""
    if isinstance(test, OneOf):
        test = choose(b, test, lambda v: as_test(b, v))
    asked = containers.truth_method(b, test)
    test = test if asked is None else asked
    known = known_value(test)
    truth = bool(known) if known is not NOTHING else containers.truth(b, test)
    if truth is not None:
        return bool(then() if truth else orelse())
    condition = b.expr(test)
    if isinstance(condition.type, Array) and condition.type.ndim > 0 and any(d != 1 for d in condition.type.dims):
        pass  # NumPy itself refuses this when it runs, unless the array has one element
    before = b.state
    blocks: list[list[Stmt]] = []
    states: list[Any] = []
    ended: list[bool] = []
    line = b.line
    for side in (then, orelse):
        block: list[Stmt] = []
        b.state = before.copy()
        with b.into(block), b.deeper():
            ended.append(bool(side()))
        forget_unreachable(b.state, before)
        blocks.append(block)
        states.append(b.state)
    if ended[0] and ended[1]:
        b.emit(If(condition, tuple(blocks[0]), tuple(blocks[1]), line))
        return True
    if ended[0] or ended[1]:
        b.state = states[1] if ended[0] else states[0]
        b.emit(If(condition, tuple(blocks[0]), tuple(blocks[1]), line))
        return False
    joined, then_fix, else_fix = join_states(b, states[0], states[1], b.site(node, "if"))
    b.state = joined
    both = ((*blocks[0], *then_fix), (*blocks[1], *else_fix))
    if both[0] or both[1]:
        b.emit(If(condition, *both, line))
    return False


def loop_parts(body: list[ast.stmt]) -> tuple[list[ast.stmt], str | None]:
    """A loop's body without the `if stop: break` at its end, and the name of that flag."""
    last = body[-1] if body else None
    if isinstance(last, ast.If) and isinstance(last.test, ast.Name) and len(last.body) == 1:
        if isinstance(last.body[0], ast.Break) and not last.orelse:
            return body[:-1], last.test.id
    return body, None


def run_for(b: Builder, stmt: ast.For) -> None:
    iterable = evaluate(b, stmt.iter)
    body, stop = loop_parts(stmt.body)
    target: str | None = None
    rebound = {name for s in stmt.body for name in names_in(s)}
    if isinstance(stmt.target, ast.Name) and stmt.target.id not in rebound:
        target = b.local(b.frame.key, stmt.target.id)
    counted = target

    def bind(value: Abs) -> None:
        name = stmt.target.id if isinstance(stmt.target, ast.Name) else ""
        if counted is not None and isinstance(value, Num) and value.expr == Var(counted, value.type):
            b.state.env[b.frame.key, name] = value
        else:
            assign_target(b, stmt.target, value)

    run_loop(b, stmt, iterable, bind, lambda: run_block(b, body), stop, target)


def run_with(b: Builder, stmt: ast.With) -> bool:
    if len(stmt.items) != 1:
        inner = ast.With(items=stmt.items[1:], body=stmt.body)
        ast.copy_location(inner, stmt)
        outer = ast.With(items=stmt.items[:1], body=[inner])
        ast.copy_location(outer, stmt)
        return run_with(b, outer)
    item = stmt.items[0]
    call = item.context_expr
    function = known_value(evaluate(b, call.func)) if isinstance(call, ast.Call) else NOTHING
    if function is markers.checkpoint:
        return run_block(b, stmt.body)
    import numpy as np

    if function not in (np.errstate, np.printoptions) and getattr(function, "__module__", "") not in (
        "warnings",
        "contextlib",
    ):
        raise b.fail("this context manager is not understood", "Only np.errstate and the like are.")
    assert isinstance(call, ast.Call)
    from s2s_ad.ir.nodes import Call

    context = Call(
        function,
        tuple(b.expr(evaluate(b, a)) for a in call.args),
        tuple((k.arg or "", b.expr(evaluate(b, k.value))) for k in call.keywords),
    )
    if item.optional_vars is not None:
        raise b.fail("`with ... as` is not understood here")
    block: list[Stmt] = []
    line = b.line
    with b.into(block):
        ended = run_block(b, stmt.body)
    b.emit(With(context, tuple(block), line))
    return ended

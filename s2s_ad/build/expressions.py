"""From a Python expression to an abstract value.

Enters: a node of Python's `ast`.  Leaves: an abstract value; statements that must run before it are written to the
block.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from s2s_ad.build import comprehensions, containers, run_time_lists
from s2s_ad.build.alternatives import choose
from s2s_ad.build.attributes import attribute
from s2s_ad.build.calls import call
from s2s_ad.build.free_names import free_name
from s2s_ad.build.join import join_states
from s2s_ad.build.numeric import apply, index, static_items
from s2s_ad.build.operators import BINARY, UNARY, _simple, binary, both_passive, compare, conjunction, unary
from s2s_ad.build.values import (
    NOTHING,
    Abs,
    Bound,
    Closure,
    DictObject,
    Known,
    Num,
    ObjectRef,
    OneOf,
    Poison,
    RangeValue,
    Tup,
    known_value,
)
from s2s_ad.errors import CertainError
from s2s_ad.ir.nodes import Append as AppendStmt
from s2s_ad.ir.nodes import (
    Call,
    Choice,
    Const,
    Expr,
    If,
    Index,
    Lazy,
    Raise,
    Slice,
    Stmt,
    Text,
    all_assigned,
    all_statements,
    variables,
)
from s2s_ad.ir.nodes import Store as StoreStmt
from s2s_ad.ir.types import BOOL, INT, OPAQUE, ListOf, Opaque, Type, is_inexact, join

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


def evaluate(b: Builder, node: ast.expr) -> Abs:
    with b.at(node):
        value = _evaluate(b, node)
        if isinstance(value, Poison):
            raise b.fail(value.reason)
        return value


def _evaluate(b: Builder, node: ast.expr) -> Abs:
    match node:
        case ast.Constant(value):
            return Known(value)
        case ast.Name(name):
            return read_name(b, name)
        case ast.BinOp(left, op, right):
            x, y = evaluate_all(b, [left, right])
            return binary(b, BINARY[type(op)], x, y)
        case ast.UnaryOp(op, operand):
            return unary(b, UNARY[type(op)], evaluate(b, operand))
        case ast.Compare():
            return _compare(b, node)
        case ast.BoolOp(op, values):
            return _lazy(b, "and" if isinstance(op, ast.And) else "or", values)
        case ast.IfExp(test, then, orelse):
            return _choice(b, node, test, lambda: evaluate(b, then), lambda: evaluate(b, orelse))
        case ast.Attribute(value, attr):
            return _as_value(attribute(b, evaluate(b, value), attr))
        case ast.Subscript(value, slice_):
            base = evaluate(b, value)
            return subscript(b, base, slice_)
        case ast.Call():
            return call(b, node)
        case ast.Tuple(elts) | ast.List(elts) | ast.Set(elts):
            return _display(b, node, elts)
        case ast.Dict(keys, values):
            return _dict(b, node, keys, values)
        case ast.Lambda():
            return closure(b, node)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            return comprehensions.comprehension(b, node)
        case ast.JoinedStr():
            return Num(_text(b, node))
        case ast.NamedExpr(ast.Name(name), value):
            result = evaluate(b, value)
            b.assign(name, result, node)
            return read_name(b, name)
        case ast.Slice():
            raise b.fail("a slice stands alone here")
        case ast.Starred():
            raise b.fail("a starred expression is not understood here", "Write the items out.")
    kind = type(node).__name__
    words = {"Yield": "`yield`", "YieldFrom": "`yield from`", "Await": "`await`"}
    raise b.fail(f"{words.get(kind, kind)} cannot be differentiated", "Return a list, or write the loop out.")


def _as_value(found: Abs) -> Abs:
    """An attribute of a passive object that is not called right away is read."""
    match found:
        case Bound(str(name), Num(expr)) if isinstance(expr.type, Opaque):
            return Num(Call(getattr, (expr, Const(name)), (), OPAQUE, f"attribute:{name}"))
    return found


def called(b: Builder, node: ast.expr) -> Abs:
    """What is called: methods stay bound to what they are methods of."""
    if isinstance(node, ast.Attribute):
        with b.at(node):
            return attribute(b, evaluate(b, node.value), node.attr)
    return evaluate(b, node)


def evaluate_all(b: Builder, nodes: list[ast.expr]) -> list[Abs]:
    """The values of several expressions, evaluated from the left; one that a later one disturbs is named first."""
    values: list[Abs] = []
    for node in nodes:
        start = len(b.block)
        value = evaluate(b, node)
        if len(b.block) > start:
            values = settle(b, values, start, nodes)
        values.append(value)
    return values


def settle(b: Builder, values: list[Abs], start: int, nodes: list[ast.expr]) -> list[Abs]:
    """Values that the statements from `start` on may change are given names before them."""
    written = b.block[start:]
    changed = all_assigned(tuple(written))
    stores = any(isinstance(s, StoreStmt | AppendStmt) for s in all_statements(tuple(written)))
    settled: list[Abs] = []
    for k, value in enumerate(values):
        if (
            isinstance(value, Num)
            and not isinstance(value.expr, (type(None),))
            and _disturbed(value.expr, changed, stores)
        ):
            tail = b.block[start:]
            del b.block[start:]
            value = b.bind(b.temp(nodes[k], "t", "settled"), value)
            start = len(b.block)
            b.block.extend(tail)
        settled.append(value)
    return settled


def _disturbed(expr: Expr, changed: set[str], stores: bool) -> bool:
    from s2s_ad.ir.nodes import Const, Var

    if isinstance(expr, Const):
        return False
    used = {v.name for v in variables(expr)}
    if used & changed:
        return True
    return stores and not isinstance(expr, Var)


def read_name(b: Builder, name: str) -> Abs:
    frame = b.frame
    while True:
        if (frame.key, name) in b.state.env:
            value = b.state.env[frame.key, name]
            if isinstance(value, Poison):
                raise b.fail(value.reason)
            return value
        if name in frame.locals and name not in frame.nonlocals:
            raise b.certain(
                UnboundLocalError,
                f"`{name}` has no value here: it is assigned on another path only, or later",
                f"Give `{name}` a value before it is used.",
            )
        if frame.parent is None:
            break
        frame = b.frames[frame.parent]
    return free_name(b, frame.source, name)


def _compare(b: Builder, node: ast.Compare) -> Abs:
    values = evaluate_all(b, [node.left, *node.comparators])
    parts: list[Abs] = []
    for k, op in enumerate(node.ops):
        if 0 < k < len(node.ops) and isinstance(values[k], Num):
            values[k] = values[k] if len(node.ops) == 1 else _simple(b, values[k], node.comparators[k - 1])
        parts.append(compare(b, op, values[k], values[k + 1]))
    if len(parts) == 1:
        return parts[0]
    return conjunction(b, "and", parts)


def _lazy(b: Builder, op: Any, nodes: list[ast.expr]) -> Abs:
    """`and` and `or`: what Python would not evaluate is not evaluated."""
    first = evaluate(b, nodes[0])
    if len(nodes) == 1:
        return first
    known = known_value(first)
    truth = bool(known) if known is not NOTHING and isinstance(first, Known) else containers.truth(b, first)
    if truth is not None:
        return _lazy(b, op, nodes[1:]) if truth is (op == "and") else first
    rest: list[Stmt] = []
    state = b.state.copy()
    with b.into(rest):
        second = _lazy(b, op, nodes[1:])
    plain = isinstance(first, Num) and isinstance(second, Num | Known) and not rest
    if plain and not any(is_inexact(b.expr(v).type) for v in (first, second)):
        parts: list[Expr] = []
        for value in (first, second):
            e = b.expr(value)
            parts += list(e.args) if isinstance(e, Lazy) and e.op == op else [e]
        return Num(Lazy(op, tuple(parts), _joined(b, parts)))
    b.state = state
    if not isinstance(first, Num):
        raise b.fail("`and`/`or` of these values is not understood", "Write an `if` statement.")
    first = b.atom(first, nodes[0])
    test = first if op == "and" else unary(b, operator.not_, first)
    then = lambda: _lazy(b, op, nodes[1:])  # noqa: E731
    return branch(b, b.node, b.expr(test), then, lambda: first)


def _joined(b: Builder, parts: list[Expr]) -> Type:
    type_: Type | None = parts[0].type
    for part in parts[1:]:
        type_ = None if type_ is None else join(type_, part.type, "lazy")
    return BOOL if type_ is None else type_


def _choice(b: Builder, node: ast.AST, test: ast.expr, then: Callable[[], Abs], orelse: Callable[[], Abs]) -> Abs:
    condition = evaluate(b, test)
    known = known_value(condition)
    truth = bool(known) if known is not NOTHING else containers.truth(b, condition)
    if truth is not None:
        return then() if truth else orelse()
    return branch(b, node, b.expr(condition), then, orelse)


def branch(b: Builder, node: ast.AST, test: Expr, then: Callable[[], Abs], orelse: Callable[[], Abs]) -> Abs:
    """A value that one of two paths gives: an expression where that is simple, else an `if` statement."""
    use = b.count(("choice", b.frame.key, id(node), b.unrolled))
    before = b.state
    then_block: list[Stmt] = []
    else_block: list[Stmt] = []
    b.state = before.copy()
    with b.into(then_block), b.deeper():
        x = _or_raise(b, then)
        x_state = b.state
    b.state = before.copy()
    with b.into(else_block), b.deeper():
        y = _or_raise(b, orelse)
        y_state = b.state
    if x is None or y is None:
        b.state = x_state if y is None else y_state
        b.emit(If(test, tuple(then_block), tuple(else_block), b.line))
        return Known(None) if x is None and y is None else x if x is not None else y  # type: ignore[return-value]
    plain = not then_block and not else_block and isinstance(x, Num | Known) and isinstance(y, Num | Known)
    if plain and isinstance(x, Known) and isinstance(y, Known) and {x.value is True, y.value is True} == {True, False}:
        if isinstance(x.value, bool) and isinstance(y.value, bool):
            b.state = before
            return Num(Call(bool, (test,), (), BOOL) if test.type != BOOL else test) if x.value else Num(_negated(test))
    if plain and both_passive(b, x, y):
        b.state = before
        ex, ey = b.expr(x), b.expr(y)
        type_ = join(ex.type, ey.type, "choice")
        if type_ is not None:
            return Num(Choice(test, ex, ey, type_))
    name, target = "#choice", b.temp(node, "t", ("choice", use))
    with b.into(then_block):
        b.state = x_state
        _hold(b, node, name, x, target)
    with b.into(else_block):
        b.state = y_state
        _hold(b, node, name, y, target)
    joined, x_fix, y_fix = join_states(b, x_state, y_state, b.site(node))
    b.state = joined
    b.emit(If(test, (*then_block, *x_fix), (*else_block, *y_fix), b.line))
    return b.state.env.pop((b.frame.key, name))


def _negated(test: Expr) -> Expr:
    if isinstance(test, Call) and test.fn is operator.eq:
        return replace(test, fn=operator.ne)
    return Call(operator.not_, (test,), (), BOOL, "op")


def _or_raise(b: Builder, value: Callable[[], Abs]) -> Abs | None:
    """The value of one path, or None where that path raises in any case."""
    from s2s_ad.build.builder import Unreachable
    from s2s_ad.build.statements import raised_error

    try:
        return value()
    except Unreachable:
        return None
    except CertainError as error:
        b.emit(Raise(raised_error(error), b.line))
        return None


def _hold(b: Builder, node: ast.AST, name: str, value: Abs, target: str) -> None:
    key = (b.frame.key, name)
    b.local_names[key] = target
    b.state.env.pop(key, None)
    b.assign(name, value, node)


# -- displays, f-strings, closures -------------------------------------------------------------------------------------
def _display(b: Builder, node: ast.expr, elts: list[ast.expr]) -> Abs:
    items: list[Abs] = []
    plain = [e.value if isinstance(e, ast.Starred) else e for e in elts]
    for element, value in zip(elts, evaluate_all(b, plain), strict=True):
        items += containers.items_of(b, value) if isinstance(element, ast.Starred) else [value]
    if isinstance(node, ast.Tuple):
        return Tup(tuple(items))
    if isinstance(node, ast.Set):
        values = [known_value(v) for v in items]
        if any(v is NOTHING for v in values):
            return Num(b.expr(Known(None))) if not items else containers.opaque_set(b, items)
        return Known(frozenset(values))
    return containers.make_list(b, node, items)


def _dict(b: Builder, node: ast.expr, keys: list[ast.expr | None], values: list[ast.expr]) -> Abs:
    pairs: dict[Any, Abs] = {}
    for key, value in zip(keys, values, strict=True):
        if key is None:
            inner = evaluate(b, value)
            obj = b.state.heap.get(inner.site) if isinstance(inner, ObjectRef) else None
            if not isinstance(obj, DictObject):
                raise b.fail("only a dict of known keys can be unpacked here", "Write its items out.")
            pairs.update(zip(obj.keys, obj.items, strict=True))
            continue
        k = known_value(evaluate(b, key))
        if k is NOTHING:
            raise b.fail("a dict key must be known when the program is derived", "Use a list, or constant keys.", key)
        hint = k if isinstance(k, str) and k.isidentifier() else "item"
        pairs[k] = b.container_item(evaluate(b, value), value, hint)
    site = b.site(node)
    return b.allocate(site, DictObject(tuple(pairs), tuple(pairs.values())))


def _text(b: Builder, node: ast.JoinedStr) -> Text:
    from s2s_ad.ir.nodes import Const

    parts: list[tuple[Expr, str, str]] = []
    for value in node.values:
        match value:
            case ast.Constant(text):
                parts.append((Const(text), "", ""))
            case ast.FormattedValue(inner, conversion, spec):
                form = ""
                if isinstance(spec, ast.JoinedStr):
                    form = "".join(_format_part(b, v) for v in spec.values)
                flag = "" if conversion == -1 else chr(conversion)
                parts.append((b.expr(evaluate(b, inner)), flag, form))
    return Text(tuple(parts))


def _format_part(b: Builder, node: ast.expr) -> str:
    """A part of a format, `.{digits}f`: known when the program is derived."""
    value = known_value(evaluate(b, node.value if isinstance(node, ast.FormattedValue) else node))
    if value is NOTHING:
        raise b.fail(
            "a format that is known only at run time is not understood", "Write the format as a constant.", node
        )
    return str(value)


def closure(b: Builder, node: ast.Lambda | ast.FunctionDef) -> Closure:
    args = node.args
    defaults = tuple(evaluate(b, d) for d in args.defaults)
    keywords = tuple(
        (a.arg, evaluate(b, d)) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d is not None
    )
    named = tuple(b.container_item(d, node, "default") for d in defaults)
    return Closure(node, b.frame.source, b.frame.key, named, keywords)


def part_of_range(b: Builder, base: RangeValue, slice_: ast.expr) -> Abs:
    """`range(start, stop)[:count]`, and one item of a range."""
    start, step = base.start, base.step
    if isinstance(slice_, ast.Slice):
        if slice_.lower is not None or slice_.step is not None or slice_.upper is None:
            bounds = [None if p is None else b.expr(evaluate(b, p)) for p in (slice_.lower, slice_.upper, slice_.step)]
            part = b.bind(b.temp(b.node, "part"), Num(Index(b.expr(base), (Slice(*bounds),), OPAQUE)))
            parts = [
                Num(Call(getattr, (part.expr, Const(n)), (), INT, f"attribute:{n}")) for n in ("start", "stop", "step")
            ]
            return RangeValue(*(b.atom(p, b.node, n) for p, n in zip(parts, ("start", "stop", "step"), strict=True)))
        head = Index(b.expr(base), (Slice(None, b.expr(evaluate(b, slice_.upper)), None),), OPAQUE)
        end: Abs = Num(Call(len, (head,), (), INT))
        if known_value(step) != 1:
            end = apply(b, operator.mul, [step, end], {}, "op")
        if known_value(start) != 0:
            end = apply(b, operator.add, [start, end], {}, "op")
        assert isinstance(end, Num)
        return RangeValue(start, b.atom(end, b.node, "stop"), step)
    raise b.fail("an item of a range is not understood", "Compute it.")


# -- subscripts --------------------------------------------------------------------------------------------------------
def subscript(b: Builder, base: Abs, slice_: ast.expr) -> Abs:
    """`base[slice]`, read."""
    if isinstance(base, OneOf):
        return choose(b, base, lambda v: subscript(b, v, slice_))
    values: dict[int, Abs] = {}

    def once(node: ast.expr) -> Abs:
        if id(node) not in values:
            values[id(node)] = evaluate(b, node)
        return values[id(node)]

    if isinstance(base, Tup | ObjectRef | Known) and not isinstance(slice_, ast.Slice | ast.Tuple):
        key = once(slice_)
        if isinstance(key, OneOf):
            return choose(b, key, lambda k: _item(b, base, slice_, lambda n: k if n is slice_ else once(n)))
    return _item(b, base, slice_, once)


def _item(b: Builder, base: Abs, slice_: ast.expr, once: Callable[[ast.expr], Abs]) -> Abs:
    static = containers.static_subscript(b, base, slice_, once)
    if static is not None:
        return static
    if isinstance(base, Tup | ObjectRef):
        base = containers.as_run_time(b, base)
    if isinstance(base, Known):
        if isinstance(base.value, type):
            return base  # a generic alias in an annotation-like expression
        if base.value is None:
            raise b.certain(TypeError, "'NoneType' object is not subscriptable")
        base = Num(b.expr(base))
    if isinstance(base, RangeValue):
        return part_of_range(b, base, slice_)
    if not isinstance(base, Num):
        raise b.fail("this value cannot be indexed")
    start = len(b.block)
    items, single = items_of_slice(b, slice_, once)
    if len(b.block) > start:
        base = settle(b, [base], start, [slice_])[0]
    assert isinstance(base, Num)
    if isinstance(base.type, ListOf) and isinstance(items[0], slice):
        return run_time_lists.list_slice(b, base, [items[0].start, items[0].stop, items[0].step], slice_)
    return index(b, base, items, single)


def items_of_slice(
    b: Builder, slice_: ast.expr, once: Callable[[ast.expr], Abs] | None = None
) -> tuple[list[Any], bool]:
    """The items of a subscript: abstract values, and `slice` objects of them."""
    value_of = once if once is not None else lambda node: evaluate(b, node)
    single = not isinstance(slice_, ast.Tuple)
    nodes = slice_.elts if isinstance(slice_, ast.Tuple) else [slice_]
    items: list[Any] = []
    for node in nodes:
        if isinstance(node, ast.Slice):
            parts = [None if p is None else value_of(p) for p in (node.lower, node.upper, node.step)]
            items.append(slice(*parts))
        elif isinstance(node, ast.Starred):
            items += containers.items_of(b, value_of(node.value))
        else:
            value = value_of(node)
            if single and isinstance(value, Tup):
                return static_items(value), False
            items.append(value)
    return items, single

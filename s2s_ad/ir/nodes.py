"""The grammar of the IR: structured statements over pure expression trees.

    e ::= Const | Var | Ref | Call(fn, e*) | Index(e, item*) | Display(kind, e*) | Choice(e, e, e) | Lazy(op, e*)
          | Text(e*) | Comprehension | ZerosLike(e)
    s ::= Assign(name*, e*) | Store(e, e, op) | Append(list, e) | PopLast(name, list) | Effect(e)
        | If(e, s*, s*) | For(name, iter, s*) | While(e, s*) | Raise(e) | Assert(e, e) | With(e, s*) | Try(s*, ...)

Enters: nothing.  Leaves: frozen nodes. Every expression knows its type. A derivative is made of the same nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from s2s_ad.ir.types import BOOL, FLOAT, INT, OPAQUE, Scalar, Type


@dataclass(frozen=True)
class Place:
    """Where a reference to mutable memory leads: the name that owns the object, and the way into it."""

    root: str
    path: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Step:
    """One step of an access path: an index, or a view-making call of which the object is the first argument."""

    items: tuple[Item, ...] | None = None
    call: Call | None = None


@dataclass(frozen=True)
class Const:
    """A literal: a number, a string, None, a dtype, Ellipsis."""

    value: Any
    type: Type = OPAQUE

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Const) and type(self.value) is type(other.value) and repr(self.value) == repr(other.value)
        )

    def __hash__(self) -> int:
        return hash((type(self.value), repr(self.value)))


@dataclass(frozen=True)
class Var:
    """A local name. `place` is where it leads if the object is written in place somewhere; `post` marks the value
    that the statement being reversed has just given the name."""

    name: str
    type: Type
    place: Place | None = field(default=None, compare=False)
    post: bool = False


@dataclass(frozen=True)
class Ref:
    """A Python object that the program refers to by name: a module's function, a class, a captured object."""

    name: str
    value: Any = field(compare=False)
    type: Type = OPAQUE


@dataclass(frozen=True)
class Call:
    """An application of a known function. `style` is how the author spelled it: op, function, method or attribute."""

    fn: Any
    args: tuple[Expr, ...]
    kwargs: tuple[tuple[str, Expr], ...] = ()
    type: Type = OPAQUE
    style: str = field(default="function", compare=False)


@dataclass(frozen=True)
class Method:
    """A method known by name only, called on its first argument: passive code."""

    name: str


@dataclass(frozen=True)
class Slice:
    start: Expr | None
    stop: Expr | None
    step: Expr | None


Item = Any  # Expr | Slice


@dataclass(frozen=True)
class Index:
    """`base[items]`. `single` says that one item stands alone (`x[i]`, not `x[i,]`)."""

    base: Expr
    items: tuple[Item, ...]
    type: Type
    place: Place | None = field(default=None, compare=False)
    single: bool = True


@dataclass(frozen=True)
class Display:
    """A tuple, list, set or dict display; dict items alternate keys and values."""

    kind: Literal["tuple", "list", "set", "dict"]
    items: tuple[Expr, ...]
    type: Type


@dataclass(frozen=True)
class Choice:
    """`then if test else orelse`."""

    test: Expr
    then: Expr
    orelse: Expr
    type: Type


@dataclass(frozen=True)
class Lazy:
    """`and`, `or`: evaluated from the left, as far as needed."""

    op: Literal["and", "or"]
    args: tuple[Expr, ...]
    type: Type = BOOL


@dataclass(frozen=True)
class Text:
    """An f-string: literal strings, and values with their conversion and format."""

    parts: tuple[tuple[Expr, str, str], ...]
    type: Type = OPAQUE


@dataclass(frozen=True)
class ZerosLike:
    """A zero cotangent for a value: its structure, its shapes, its dtypes."""

    base: Expr
    type: Type


Expr = Const | Var | Ref | Call | Index | Display | Choice | Lazy | Text | ZerosLike


@dataclass(frozen=True)
class Assign:
    """`targets = values`, all at once. `alias` marks a name given to memory that has another name already."""

    targets: tuple[str, ...]
    values: tuple[Expr, ...]
    line: int = 0
    note: str = ""


@dataclass(frozen=True)
class MoveRoot:
    """From here on the object owned by `old` is owned by `new`, another name of the whole of it. Nothing is printed."""

    new: str
    old: str
    type: Type
    line: int = 0


@dataclass(frozen=True)
class Store:
    """`target = value` or `target op= value` in place; target is an Index, or a Var for the whole array."""

    target: Index | Var
    value: Expr
    op: Any = None
    line: int = 0
    note: str = ""


@dataclass(frozen=True)
class Append:
    target: Var
    value: Expr
    line: int = 0
    note: str = ""


@dataclass(frozen=True)
class PopLast:
    """`name = list.pop()`; more names take a tuple apart."""

    targets: tuple[str, ...]
    source: Var
    types: tuple[Type, ...]
    line: int = 0


@dataclass(frozen=True)
class Effect:
    value: Expr
    line: int = 0


@dataclass(frozen=True)
class If:
    test: Expr
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]
    line: int = 0


@dataclass(frozen=True)
class Range:
    start: Expr
    stop: Expr
    step: Expr


@dataclass(frozen=True)
class Each:
    """The items of a list; a tuple item is taken apart into the loop's targets. With `tangents`, a list of equal
    length, the second half of the targets takes its items."""

    items: Expr
    tangents: Expr | None = None


@dataclass(frozen=True)
class For:
    """`for targets in iter: body`; `stop` names the flag that ends the loop early, tested at the end of the body.
    `trips` limits a reversed loop to the first so many iterations."""

    targets: tuple[str, ...]
    types: tuple[Type, ...]
    iter: Range | Each
    body: tuple[Stmt, ...]
    stop: str | None = None
    backwards: bool = False
    trips: Expr | None = None
    line: int = 0


@dataclass(frozen=True)
class While:
    test: Expr
    body: tuple[Stmt, ...]
    stop: str | None = None
    line: int = 0


@dataclass(frozen=True)
class Raise:
    value: Expr | None
    line: int = 0


@dataclass(frozen=True)
class Assert:
    test: Expr
    message: Expr | None
    line: int = 0


@dataclass(frozen=True)
class With:
    """A passive context manager around a block, such as np.errstate."""

    context: Expr
    body: tuple[Stmt, ...]
    line: int = 0


@dataclass(frozen=True)
class Try:
    """`try/except/else/finally` whose handlers are kept as they are; see build.statements for what is admitted."""

    body: tuple[Stmt, ...]
    handlers: tuple[tuple[Expr | None, str | None, tuple[Stmt, ...]], ...]
    final: tuple[Stmt, ...]
    line: int = 0


@dataclass(frozen=True)
class Comment:
    text: str
    line: int = 0


Stmt = Assign | MoveRoot | Store | Append | PopLast | Effect | If | For | While | Raise | Assert | With | Try | Comment
Block = tuple[Stmt, ...]


@dataclass(frozen=True)
class Parameter:
    name: str
    type: Type
    default: Any = None
    has_default: bool = False


@dataclass(frozen=True)
class Function:
    """A whole program: parameters, body, and the expression that it returns."""

    name: str
    parameters: tuple[Parameter, ...]
    body: Block
    result: Expr
    docstring: str = ""


def number(value: Any) -> Const:
    """A literal of a Python number."""
    if isinstance(value, bool):
        return Const(value, BOOL)
    if isinstance(value, int):
        return Const(value, INT)
    if isinstance(value, float):
        return Const(float(value), FLOAT)
    return Const(value, Scalar(np.dtype(complex)))


def item_children(item: Item) -> Iterator[Expr]:
    if isinstance(item, Slice):
        yield from (part for part in (item.start, item.stop, item.step) if part is not None)
    else:
        yield item


def children(expr: Expr) -> Iterator[Expr]:
    """The direct sub-expressions, in the order of evaluation."""
    match expr:
        case Const() | Var() | Ref():
            return
        case Call(_, args, kwargs):
            yield from args
            yield from (value for _, value in kwargs)
        case Index(base, items):
            yield base
            for item in items:
                yield from item_children(item)
        case Display(_, items):
            yield from items
        case Choice(test, then, orelse):
            yield test
            yield then
            yield orelse
        case Lazy(_, args):
            yield from args
        case Text(parts):
            yield from (value for value, _, _ in parts)
        case ZerosLike(base):
            yield base


def map_item(item: Item, f: Callable[[Expr], Expr]) -> Item:
    if isinstance(item, Slice):
        return Slice(*(None if p is None else f(p) for p in (item.start, item.stop, item.step)))
    return f(item)


def map_children(expr: Expr, f: Callable[[Expr], Expr]) -> Expr:
    """The same node over mapped sub-expressions; the very same node where nothing changed."""
    match expr:
        case Const() | Var() | Ref():
            return expr
        case Call(_, args, kwargs):
            new_args = tuple(f(a) for a in args)
            new_kwargs = tuple((k, f(v)) for k, v in kwargs)
            if _same(args, new_args) and all(a is b for (_, a), (_, b) in zip(kwargs, new_kwargs, strict=True)):
                return expr
            return replace(expr, args=new_args, kwargs=new_kwargs)
        case Index(base, items):
            new_base, new_items = f(base), tuple(map_item(item, f) for item in items)
            return expr if new_base is base and items == new_items else replace(expr, base=new_base, items=new_items)
        case Display(_, items) | Lazy(_, items):
            mapped = tuple(f(item) for item in items)
            if _same(items, mapped):
                return expr
            return replace(expr, items=mapped) if isinstance(expr, Display) else replace(expr, args=mapped)
        case Choice(test, then, orelse):
            return replace(expr, test=f(test), then=f(then), orelse=f(orelse))
        case Text(parts):
            return replace(expr, parts=tuple((f(value), c, spec) for value, c, spec in parts))
        case ZerosLike(base):
            return replace(expr, base=f(base))


def _same(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    return all(x is y for x, y in zip(a, b, strict=True))


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all that it is made of."""
    stack = [expr]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(children(node))


def variables(expr: Expr) -> Iterator[Var]:
    return (node for node in walk(expr) if isinstance(node, Var))


def place_variables(place: Place | None) -> Iterator[Var]:
    """The names that an access path is made of, its root not among them."""
    for step in place.path if place else ():
        for item in step.items or ():
            for part in item_children(item):
                yield from variables(part)
        if step.call is not None:
            for arg in step.call.args[1:] + tuple(v for _, v in step.call.kwargs):
                yield from variables(arg)


def statement_exprs(stmt: Stmt) -> Iterator[Expr]:
    """The expressions that a statement itself evaluates (not those of its blocks)."""
    match stmt:
        case Assign(_, values):
            yield from values
        case Store(target, value):
            yield target
            yield value
        case Append(target, value):
            yield target
            yield value
        case PopLast(_, source):
            yield source
        case Effect(value):
            yield value
        case If(test) | While(test):
            yield test
        case For(_, _, Range(start, stop, step), trips=trips):
            yield from (start, stop, step)
            if trips is not None:
                yield trips
        case For(_, _, Each(items, tangents), trips=trips):
            yield items
            if tangents is not None:
                yield tangents
            if trips is not None:
                yield trips
        case Raise(value):
            if value is not None:
                yield value
        case Assert(test, message):
            yield test
            if message is not None:
                yield message
        case With(context):
            yield context
        case Try(_, handlers):
            yield from (kind for kind, _, _ in handlers if kind is not None)
        case MoveRoot() | Comment():
            return


def map_statement(stmt: Stmt, f: Callable[[Expr], Expr]) -> Stmt:
    """The statement with every expression in it, and in its blocks, mapped."""

    def block(body: Block) -> Block:
        return tuple(map_statement(s, f) for s in body)

    match stmt:
        case Assign(_, values):
            return replace(stmt, values=tuple(f(v) for v in values))
        case Store(target, value):
            return replace(stmt, target=f(target), value=f(value))  # type: ignore[arg-type]
        case Append(target, value):
            return replace(stmt, target=f(target), value=f(value))  # type: ignore[arg-type]
        case PopLast(_, source):
            return replace(stmt, source=f(source))  # type: ignore[arg-type]
        case Effect(value):
            return replace(stmt, value=f(value))
        case If(test, then, orelse):
            return replace(stmt, test=f(test), then=block(then), orelse=block(orelse))
        case While(test, body):
            return replace(stmt, test=f(test), body=block(body))
        case For(iter=iter_, body=body, trips=trips):
            parts: Range | Each
            if isinstance(iter_, Range):
                parts = Range(f(iter_.start), f(iter_.stop), f(iter_.step))
            else:
                parts = Each(f(iter_.items), None if iter_.tangents is None else f(iter_.tangents))
            return replace(stmt, iter=parts, body=block(body), trips=None if trips is None else f(trips))
        case Raise(value) if value is not None:
            return replace(stmt, value=f(value))
        case Assert(test, message):
            return replace(stmt, test=f(test), message=None if message is None else f(message))
        case With(context, body):
            return replace(stmt, context=f(context), body=block(body))
        case Try(body, handlers, final):
            mapped = tuple((k, n, block(h)) for k, n, h in handlers)
            return replace(stmt, body=block(body), handlers=mapped, final=block(final))
    return stmt


def blocks(stmt: Stmt) -> tuple[Block, ...]:
    match stmt:
        case If(_, then, orelse):
            return (then, orelse)
        case For(body=body) | While(body=body) | With(body=body):
            return (body,)
        case Try(body, handlers, final):
            return (body, *(block for _, _, block in handlers), final)
        case _:
            return ()


def assigned(stmt: Stmt) -> tuple[str, ...]:
    """The names that a statement binds itself (not those bound inside its blocks)."""
    match stmt:
        case Assign(targets) | PopLast(targets) | For(targets):
            return targets
        case Try(_, handlers):
            return tuple(name for _, name, _ in handlers if name is not None)
        case _:
            return ()


def base_name(expr: Expr) -> str | None:
    """The name at the root of `x[i][j]`."""
    while isinstance(expr, Index):
        expr = expr.base
    return expr.name if isinstance(expr, Var) else None


def all_statements(block: Block) -> Iterator[Stmt]:
    for stmt in block:
        yield stmt
        for inner in blocks(stmt):
            yield from all_statements(inner)


def all_assigned(block: Block) -> set[str]:
    return {name for stmt in all_statements(block) for name in assigned(stmt)}

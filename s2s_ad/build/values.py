"""Abstract values: what the builder knows of each name while it walks the program.

Enters: IR expressions and Python objects.  Leaves: frozen abstract values, the `State` that maps names to them, and the
join of two values.

A container of known structure is never in the IR: it lives here, and its leaves are names and constants of the IR.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from s2s_ad.frontend.source import FunctionSource
from s2s_ad.ir.nodes import Const, Display, Expr, Var, number
from s2s_ad.ir.types import Array, ListOf, TupleOf, Type, Unknown


class _Nothing:
    """Stands for 'no compile-time value is known'."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING = _Nothing()


@dataclass(frozen=True)
class Num:
    """A run-time value: a number, an array, a list of unknown length, a passive object.

    `known` is its value where the compiler knows it; `origins` are the places of the program where its memory may come
    from.
    """

    expr: Expr
    known: Any = field(default=NOTHING, compare=False)
    origins: frozenset[str] = frozenset()
    unsure: bool = False  # perhaps not bound at all
    varied: bool = False  # depends on what is differentiated

    @property
    def type(self) -> Type:
        return self.expr.type


@dataclass(frozen=True)
class Known:
    """A compile-time object: None, a string, a module, a function, a class, a dtype, a number literal."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Known)
            and type(self.value) is type(other.value)
            and (self.value is other.value or (isinstance(self.value, _BY_VALUE) and self.value == other.value))
        )

    def __hash__(self) -> int:
        return id(self.value)


_BY_VALUE = (bool, int, float, complex, str, bytes)


@dataclass(frozen=True)
class Tup:
    """A tuple of known structure; `cls` is the class of a named tuple. `whole` is an expression for all of it, if there
    is one."""

    items: tuple[Abs, ...]
    cls: type | None = None
    whole: Expr | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ObjectRef:
    """A reference to a mutable container of known structure, held in the state's heap."""

    site: str


@dataclass(frozen=True)
class Closure:
    """A function defined inside the program, with the frame in which its free names live."""

    tree: ast.FunctionDef | ast.Lambda
    source: FunctionSource
    frame: Any
    defaults: tuple[Abs, ...] = ()
    kw_defaults: tuple[tuple[str, Abs], ...] = ()


@dataclass(frozen=True)
class Bound:
    """A method taken from a value, or a function with its first arguments given (functools.partial)."""

    function: Abs | str
    receiver: Abs | None
    args: tuple[Abs, ...] = ()
    kwargs: tuple[tuple[str, Abs], ...] = ()


@dataclass(frozen=True)
class RangeValue:
    start: Num | Known
    stop: Num | Known
    step: Num | Known


@dataclass(frozen=True)
class Iteration:
    """enumerate, zip, reversed, dict views, map, filter: something to be looped over."""

    kind: str
    parts: tuple[Abs, ...]


@dataclass(frozen=True)
class OneOf:
    """One of several values of different kinds; the run-time integer `which` says which."""

    which: Num
    options: tuple[Abs, ...]
    reason: str = field(default="", compare=False)


@dataclass(frozen=True)
class Spread:
    """The items of a list of run-time length as arguments of a call, `f(*items)`."""

    items: Num


@dataclass(frozen=True)
class Poison:
    """A name that holds different kinds of thing on different paths; reading it is refused with this reason."""

    reason: str


Abs = Num | Known | Tup | ObjectRef | Closure | Bound | RangeValue | Iteration | OneOf | Spread | Poison


@dataclass(frozen=True)
class ListObject:
    items: tuple[Abs, ...]


@dataclass(frozen=True)
class DictObject:
    keys: tuple[Any, ...]
    items: tuple[Abs, ...]
    default: Abs | None = None


@dataclass(frozen=True)
class Instance:
    """A user's object: its class, and its attributes."""

    cls: type
    names: tuple[str, ...]
    items: tuple[Abs, ...]
    frozen: bool = False


HeapObject = ListObject | DictObject | Instance


class State:
    """What every name of every open frame holds, and the heap of containers. Copied at branches."""

    def __init__(self) -> None:
        self.env: dict[tuple[Any, str], Abs] = {}
        self.heap: dict[str, HeapObject] = {}
        self.frozen: frozenset[str] = frozenset()
        self.uses: dict[Any, int] = {}
        # Names that hold a copy of what may have been one of several arrays, and the owners of those arrays.
        self.detached: dict[str, frozenset[str]] = {}

    def copy(self) -> State:
        other = State()
        other.env = dict(self.env)
        other.heap = dict(self.heap)
        other.frozen = self.frozen
        other.uses = dict(self.uses)
        other.detached = dict(self.detached)
        return other


def sites_of(value: Abs) -> Iterator[str]:
    """The objects that a value refers to."""
    match value:
        case ObjectRef(site):
            yield site
        case Tup(items) | Iteration(_, items) | OneOf(_, items):
            for item in items:
                yield from sites_of(item)
        case Bound(function, receiver, args, kwargs):
            for part in (function, receiver, *args, *(v for _, v in kwargs)):
                if part is not None and not isinstance(part, str):
                    yield from sites_of(part)
        case Closure(defaults=defaults, kw_defaults=kw):
            for part in (*defaults, *(v for _, v in kw)):
                yield from sites_of(part)


def forget_unreachable(state: State, before: State) -> None:
    """Objects made since `before` that no name leads to any more are gone."""
    pending = [*state.env.values(), *(v for s in before.heap if s in state.heap for v in state.heap[s].items)]
    reached: set[str] = set()
    while pending:
        for site in sites_of(pending.pop()):
            if site not in reached and site in state.heap:
                reached.add(site)
                pending.extend(state.heap[site].items)
    for site in [s for s in state.heap if s not in before.heap and s not in reached]:
        del state.heap[site]


def known_value(value: Abs) -> Any:
    """The compile-time value, or NOTHING."""
    match value:
        case Known(v):
            return v
        case Num(known=v):
            return v
        case Tup(items, None):
            parts = [known_value(item) for item in items]
            return NOTHING if any(p is NOTHING for p in parts) else tuple(parts)
    return NOTHING


def is_number(value: object) -> bool:
    return isinstance(value, bool | int | float | complex)


def leaf_expr(value: Abs) -> Expr | None:
    """An expression for a value that needs no statement, or None."""
    match value:
        case Num(expr):
            return expr
        case Known(v) if is_number(v):
            return number(v)
        case Known(v) if v is None or isinstance(v, str | bytes) or v is Ellipsis:
            return Const(v)
        case Tup(items, None, whole):
            if whole is not None:
                return whole
            parts = [leaf_expr(item) for item in items]
            if any(p is None for p in parts):
                return None
            exprs = tuple(p for p in parts if p is not None)
            return Display("tuple", exprs, TupleOf(tuple(e.type for e in exprs)))
    return None


def varied(value: Abs, heap: dict[str, HeapObject]) -> bool:
    """Whether the value may depend on what the program is differentiated by."""
    match value:
        case Num():
            return value.varied
        case Tup(items):
            return any(varied(v, heap) for v in items)
        case ObjectRef(site):
            return any(varied(v, heap) for v in heap[site].items)
        case Iteration(_, parts) | OneOf(_, parts):
            return any(varied(v, heap) for v in parts)
    return False


def is_mutable_reference(type_: Type) -> bool:
    return isinstance(type_, Array | ListOf | Unknown)


def is_atom(expr: Expr) -> bool:
    return isinstance(expr, Const | Var)

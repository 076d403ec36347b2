"""The builder's workbench: frames, names, blocks, and how a name is given a value.

Enters: nothing but requests from the walkers in `expressions`, `statements`, `loops`, `calls`.  Leaves: IR statements
in `builder.block`, and `builder.state`, the abstract value of every name.

The whole program is walked again (`Restart`) when the walk learns something that it should have known before: that an
array is written in place somewhere, or that a list needs a run-time length.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from s2s_ad.build.kinds import kind_of
from s2s_ad.build.renaming import (
    _mentions,
    all_nodes,
    holds,
    leads_to,
    map_abs,
    place_mentions,
    rename_expr,
    vars_of,
    with_site,
)
from s2s_ad.build.values import (
    Abs,
    Bound,
    Closure,
    DictObject,
    HeapObject,
    Instance,
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
    is_atom,
    is_mutable_reference,
    is_number,
    leaf_expr,
    sites_of,
)
from s2s_ad.errors import CertainError, S2SError, UnsupportedSyntax
from s2s_ad.errors import Place as SourcePlace
from s2s_ad.frontend.source import FunctionSource, place_of
from s2s_ad.ir.names import Names
from s2s_ad.ir.nodes import (
    Assign,
    Call,
    Const,
    Display,
    Expr,
    If,
    Index,
    Lazy,
    MoveRoot,
    Place,
    Raise,
    Ref,
    Stmt,
    Var,
    map_children,
    number,
)
from s2s_ad.ir.types import BOOL, INT, OPAQUE, Array, ListOf, TupleOf, Type, Unknown, join


class Restart(Exception):
    """The walk has learnt something that changes what it has already written."""


class Unreachable(Exception):
    """The function that is being written out has raised: nothing after its call runs."""


@dataclass
class Frame:
    """One activation of a function that is being inlined, or the differentiated function itself."""

    key: Any
    source: FunctionSource
    parent: Any = None
    locals: frozenset[str] = frozenset()
    nonlocals: frozenset[str] = frozenset()
    this_class: type | None = None
    receiver: Any = None


@dataclass
class Facts:
    """What earlier walks have learnt."""

    trees: dict[Any, Any] = field(default_factory=dict)
    sources: dict[Any, Any] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    dynamic: set[str] = field(default_factory=set)
    layout: bool = False
    static_arguments: set[str] = field(default_factory=set)
    unrolled: set[str] = field(default_factory=set)
    unrolls: bool = False
    loops: set[str] = field(default_factory=set)
    numbers: dict[Any, int] = field(default_factory=dict)

    def number(self, key: Any) -> int:
        """A small number for `key`, the same in every walk: keys of activations contain those of their callers."""
        return self.numbers.setdefault(key, len(self.numbers) + 1)


@dataclass(frozen=True)
class Capture:
    """A free variable whose value is passed at each call."""

    name: str
    parameter: str
    read: Callable[[], Any]


@dataclass(frozen=True)
class Guard:
    """A free variable that is part of the program: when it means another object, the program is derived again."""

    read: Callable[[], Any]
    expected: Any


# Builtins that emitted code uses: a local name of the author's must not hide them.
_EMITTED = frozenset({"range", "len", "reversed", "list", "float", "int", "max", "min", "print", "slice", "np"})


class Builder:
    def __init__(self, source: FunctionSource, facts: Facts, names: Names) -> None:
        self.source = source
        self.facts = facts
        self.names = names
        self.state = State()
        self.block: list[Stmt] = []
        self.frames: dict[Any, Frame] = {}
        self.frame: Frame = Frame((), source)
        self.node: ast.AST = source.tree
        self.line = 0
        self.local_names: dict[tuple[Any, str], str] = {}
        self.temps: dict[Any, str] = {}
        self.captures: dict[str, Capture] = {}
        self.captured: dict[tuple[int, str], Abs] = {}
        self.guards: dict[tuple[int, str], Guard] = {}
        self.types: dict[str, Type] = {}
        self.kinds: dict[str, Any] = {}
        self.arguments_copied: set[str] = set()
        self.parameters: frozenset[str] = frozenset()
        self.bindings: dict[str, str] = {}  # where each name was last given a value
        self.kind_names: dict[tuple[Any, str, Any], str] = {}
        self.unrolled: tuple[int, ...] = ()
        self.item_names: dict[Any, str] = {}
        self.initial: dict[str, None] = {}
        self.looping: list[str] = []
        self.unrollable: list[str | None] = []
        self.depth = 0
        self.wrt_argument = False
        self.in_rule = False
        self.trying = False
        self.caught: str | None = None
        self.calls: tuple[Any, ...] = ()

    # -- errors ----------------------------------------------------------------------------------------------------
    def place(self, node: ast.AST | None = None) -> SourcePlace:
        return place_of(self.frame.source, node if node is not None else self.node)

    def fail(
        self, fact: str, remedy: str = "", node: ast.AST | None = None, kind: type[S2SError] = UnsupportedSyntax
    ) -> S2SError:
        return kind(fact, remedy, self.place(node))

    def certain(self, exception: type[Exception], fact: str, remedy: str = "") -> CertainError:
        """The error for what Python raises here in any case; on a path of its own it becomes a `raise`."""
        error = CertainError(fact, remedy, self.place())
        error.exception = exception
        return error

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """In this block are statements that may not run."""
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    @contextmanager
    def at(self, node: ast.AST) -> Iterator[None]:
        """Errors and statements in this block belong to `node`."""
        saved_node, saved_line = self.node, self.line
        self.node = node
        if self.frame.key == ():
            self.line = getattr(node, "lineno", self.line)
        try:
            yield
        except S2SError as error:
            raise error.at(self.place(node))  # noqa: B904
        finally:
            self.node, self.line = saved_node, saved_line

    # -- writing statements ----------------------------------------------------------------------------------------
    def emit(self, stmt: Stmt) -> None:
        self.block.append(stmt)

    @contextmanager
    def into(self, block: list[Stmt]) -> Iterator[list[Stmt]]:
        saved, self.block = self.block, block
        try:
            yield block
        finally:
            self.block = saved

    def temp(self, node: ast.AST, hint: str, tag: object = "") -> str:
        """A name for an intermediate value: the same in every walk over the same node."""
        key: Any = (self.frame.key, id(node), hint, tag, self.unrolled)
        key = (*key, self.count(key))
        if key not in self.temps:
            self.temps[key] = self.names.fresh(hint.strip("#") or "t")
        return self.temps[key]

    def count(self, key: Any) -> int:
        """How often this has been asked for on the way here: what was made before may still be in use."""
        number = self.state.uses.get(key, 0)
        self.state.uses[key] = number + 1
        return number

    def site(self, node: ast.AST, tag: object = "") -> str:
        """The identity of a place of the program that makes an object."""
        position = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0), getattr(node, "end_col_offset", 0))
        where = self.facts.number(("site", self.frame.key, id(self.frame.source), self.unrolled))
        number = getattr(node, "number", "")
        return f"{where}:{position}{number}:{tag}"

    def local_for(self, frame: Any, name: str, type_: Type) -> str:
        """The IR name of an author's name for values of one kind: another kind gets a name of its own."""
        first = self.local(frame, name)
        kind = kind_of(type_)
        known = self.kinds.setdefault(first, kind)
        if known == kind:
            return first
        key = (frame, name, kind)
        if key not in self.kind_names:
            self.kind_names[key] = self.names.fresh(first)
            self.kinds[self.kind_names[key]] = kind
        return self.kind_names[key]

    def local(self, frame: Any, name: str) -> str:
        """The IR name of an author's name."""
        key = (frame, name)
        if key not in self.local_names:
            own = frame == () and (name not in _EMITTED or name in self.parameters)
            self.local_names[key] = (
                self.names.take(name) if own else self.names.fresh(f"{name}_" if frame == () else name)
            )
        return self.local_names[key]

    # -- values as expressions -------------------------------------------------------------------------------------
    def expr(self, value: Abs, node: ast.AST | None = None) -> Expr:
        """The value as one expression, writing out containers of known structure."""
        leaf = leaf_expr(value)
        if leaf is not None:
            return leaf
        match value:
            case Known(obj):
                return self.object_ref(obj)
            case Tup(items, cls, _):
                exprs = tuple(self.expr(item, node) for item in items)
                type_ = TupleOf(tuple(e.type for e in exprs))
                if cls is not None:
                    return self.construct(cls, exprs, type_)
                return Display("tuple", exprs, type_)
            case ObjectRef(site):
                return self.heap_expr(self.state.heap[site], node)
            case Closure():
                raise self.fail(
                    "this function is used as a value here", "Call it, or pass it to a function that is differentiated."
                )
            case RangeValue(start, stop, step):
                from s2s_ad.ir.nodes import Call

                return Call(range, tuple(self.expr(v) for v in (start, stop, step)), (), OPAQUE)
            case OneOf(reason=reason):
                from s2s_ad.build.alternatives import choice_expr

                chosen = choice_expr(value)
                if chosen is None:
                    raise self.fail(reason)
                return chosen
            case Bound() | Iteration():
                raise self.fail("this value cannot be used here", "Call it, or loop over it.")
            case _:
                raise self.fail(getattr(value, "reason", "this value cannot be used here"))

    def heap_expr(self, obj: Any, node: ast.AST | None) -> Expr:
        match obj:
            case ListObject(items):
                exprs = tuple(self.expr(item, node) for item in items)
                return Display("list", exprs, TupleOf(tuple(e.type for e in exprs)))
            case DictObject(keys, items):
                parts: list[Expr] = []
                for key, item in zip(keys, items, strict=True):
                    parts += [self.key_expr(key), self.expr(item, node)]
                return Display("dict", tuple(parts), OPAQUE)
            case Instance(cls, names, items):
                exprs = tuple(self.expr(item, node) for item in items)
                return self.construct(cls, exprs, OPAQUE, names)
        raise self.fail("this object cannot be used here")

    def key_expr(self, key: Any) -> Expr:
        if key is None or isinstance(key, bool | int | float | str | bytes):
            return Const(key)
        if isinstance(key, tuple):
            parts = tuple(self.key_expr(k) for k in key)
            return Display("tuple", parts, TupleOf(tuple(p.type for p in parts)))
        return self.object_ref(key)

    def construct(self, cls: type, exprs: tuple[Expr, ...], type_: Type, names: tuple[str, ...] = ()) -> Expr:
        from s2s_ad.ir.nodes import Call

        return Call(cls, () if names else exprs, tuple(zip(names, exprs, strict=True)) if names else (), type_)

    def object_ref(self, obj: Any) -> Expr:
        if isinstance(obj, tuple) and all(is_number(o) or o is None or isinstance(o, str | tuple) for o in obj):
            parts = tuple(self.expr(Known(o)) for o in obj)
            return Display("tuple", parts, TupleOf(tuple(p.type for p in parts)))
        return Ref(getattr(obj, "__name__", type(obj).__name__), obj)

    def atom(self, value: Num, node: ast.AST, hint: str = "t") -> Num:
        """The value under a name, if it is more than a name or a constant."""
        if is_atom(value.expr):
            return value
        return self.bind(self.temp(node, hint), value)

    def container_item(self, value: Abs, node: ast.AST, hint: str) -> Abs:
        """What may be put into a container: names and constants, so that the container can be taken apart again."""
        match value:
            case Num():
                return self.atom(value, node, hint)
            case OneOf(which):
                return replace(value, which=self.bind(self.temp(node, f"{hint}_which"), which))
            case Tup(items, cls):
                named = tuple(self.container_item(v, node, f"{hint}_{k}") for k, v in enumerate(items))
                return value if named == items else Tup(named, cls)
        return value

    # -- giving a name a value -------------------------------------------------------------------------------------
    def bind(self, name: str, value: Num, note: str = "") -> Num:
        """Write `name = value` and return what the name then holds."""
        value = replace(value, expr=self.save_before_rebinding(name, value.expr))
        expr = value.expr
        self.emit(Assign((name,), (expr,), self.line, note))
        held = self.bound(name, value)
        self.guard_view(held)
        return held

    def guard_view(self, value: Num) -> None:
        """A reshape is a view or a copy, by the layout at run time. The derivative is written for a view: a copy is
        refused."""
        from s2s_ad.build.numeric import LAYOUT_VIEWS

        var = value.expr
        place = var.place if isinstance(var, Var) else None
        if place is None or not place.path or place.path[-1].call is None or place.path[-1].call.fn not in LAYOUT_VIEWS:
            return
        if place.root in self.arguments_copied and not self.facts.layout:
            self.facts.layout = True  # the copies of arguments must keep their layout
            self.names.reset()
            raise Restart
        root = Var(place.root, self.types.get(place.root, var.type))
        shares = Call(np.may_share_memory, (var, root), (), BOOL)
        copied = Call(operator.not_, (shares,), (), BOOL, "op")
        some = Call(operator.gt, (Call(np.size, (var,), (), INT, "attribute:size"), number(0)), (), BOOL, "op")
        message = f"shared memory: `{place.path[-1].call.fn.__name__}` made a copy of an array that is written in place"
        error = Call(ValueError, (Const(message),))
        self.emit(If(Lazy("and", (some, copied)), (Raise(error, self.line),), (), self.line))

    def bound(self, name: str, value: Num) -> Num:
        type_ = value.type
        place: Place | None = None
        if is_mutable_reference(type_) and (isinstance(type_, ListOf) or value.origins & self.facts.written):
            from s2s_ad.build.numeric import view_place

            place = view_place(self, value.expr) or Place(name)
        self.kinds.setdefault(name, kind_of(type_))
        self.bindings[name] = self.site(self.node)
        known = self.types.get(name)
        self.types[name] = type_ if known is None else join(known, type_, name) or type_
        self.state.frozen -= {name}
        self.state.detached.pop(name, None)
        return replace(value, expr=Var(name, type_, place), unsure=False)

    def assign(self, name: str, value: Abs, node: ast.AST) -> None:
        """The author's `name = value` in the current frame (or the frame a nonlocal name lives in)."""
        frame = self.frame.key
        match value:
            case Num(expr) if self.in_rule and is_atom(expr):
                self.state.env[frame, name] = value
            case Num():
                target = self.local_for(frame, name, value.type)
                if isinstance(value.expr, Var) and value.expr.name == target:
                    self.state.env[frame, name] = value
                    return
                self.state.env[frame, name] = self.bind(target, value)
            case Known(v) if is_number(v):
                literal = leaf_expr(value)
                assert literal is not None
                target = self.local_for(frame, name, literal.type)
                self.state.env[frame, name] = replace(self.bind(target, Num(literal)), known=v)
            case Tup(items, cls, whole):
                if whole is not None and not isinstance(whole, Var):
                    items = tuple(self.container_item(v, node, f"{name}_{k}") for k, v in enumerate(items))
                    value = Tup(items, cls)
                self.state.env[frame, name] = self.container_item(value, node, name)
            case OneOf(which):
                self.state.env[frame, name] = replace(value, which=self.bind(self.temp(node, f"{name}_which"), which))
            case _:
                self.state.env[frame, name] = value

    def assign_parallel(self, names: list[str], values: list[Num], node: ast.AST) -> None:
        """`a, b = b, a`: all values are read before any name is given one."""
        frame = self.frame.key
        targets = [self.local_for(frame, name, v.type) for name, v in zip(names, values, strict=True)]
        own = set(targets)
        swapped = [
            v.expr.name for v in values if isinstance(v.expr, Var) and v.expr.place in (None, Place(v.expr.name))
        ]
        permuted = sorted(swapped) == sorted(targets)
        if permuted and self._named_elsewhere(own):
            permuted = False
        if not permuted and any(self._leads_into(v, own) for v in values):
            for k, value in enumerate(values):  # in the state, so that they follow what they lead into
                self.state.env[frame, f"#{k}"] = self.bind(self.temp(node, "t", k), value)
            for k, name in enumerate(names):
                self.assign(name, self.state.env.pop((frame, f"#{k}")), node)
            return
        if permuted:
            self._follow(dict(zip(swapped, targets, strict=True)), own)
        else:
            for target, value in zip(targets, values, strict=True):
                self.save_before_rebinding(target, value.expr, inside=own)
        self.emit(Assign(tuple(targets), tuple(v.expr for v in values), self.line, "swap" if permuted else ""))
        for name, target, value in zip(names, targets, values, strict=True):
            moved = value
            if permuted and isinstance(value.expr, Var) and value.expr.place == Place(value.expr.name):
                moved = replace(value, expr=replace(value.expr, place=Place(target)))
            self.state.env[frame, name] = self.bound(target, moved)

    def _named_elsewhere(self, names: set[str]) -> bool:
        """Whether a container, or another name, means what one of `names` holds."""
        held = [v for key, v in self.state.env.items() if self.local_names.get(key) not in names]
        held += [v for obj in self.state.heap.values() for v in obj.items]
        return any(
            var.name in names and not (isinstance(v, Num) and v.expr == var and self._is_own(v, names))
            for v in held
            for var in vars_of(v)
        )

    def _is_own(self, value: Num, names: set[str]) -> bool:
        """Whether a value is held by an author's name of another kind, whose IR name is among `names`."""
        return any(
            held is value and self.kind_names.get((*key, kind_of(value.type))) in names
            for key, held in self.state.env.items()
        )

    def _follow(self, moves: dict[str, str], own: set[str]) -> None:
        """Views follow the object that they show to its new name."""

        def moved(e: Expr) -> Expr:
            if isinstance(e, Var) and e.name not in own and e.place is not None and e.place.root in moves:
                return replace(e, place=Place(moves[e.place.root], e.place.path))
            return map_children(e, moved)

        for key, value in list(self.state.env.items()):
            self.state.env[key] = map_abs(value, moved)
        for site, obj in list(self.state.heap.items()):
            self.state.heap[site] = replace(obj, items=tuple(map_abs(v, moved) for v in obj.items))

    def _leads_into(self, value: Num, names: set[str]) -> bool:
        """Whether a value is memory that is written in place somewhere and is owned by one of `names`."""
        from s2s_ad.build.numeric import view_place

        place = view_place(self, value.expr)
        return place is not None and place.root in names

    def save_before_rebinding(self, name: str, value: Expr, inside: set[str] | None = None) -> Expr:
        """Names, containers and access paths that still mean the old value of `name` get a name of their own for it."""
        own = {
            key
            for key, v in self.state.env.items()
            if self.local_names.get(key) == name
            or (isinstance(v, Num) and self.kind_names.get((*key, kind_of(v.type))) == name)
        }
        users = [key for key, v in self.state.env.items() if key not in own and _mentions(v, name, self.state)]
        heap_users = [site for site, obj in self.state.heap.items() if any(holds(v, name) for v in obj.items)]
        mentions_value = any(
            isinstance(node, Var | Index) and node.place is not None and place_mentions(node.place, name)
            for node in all_nodes(value)
        )
        if not mentions_value and isinstance(value, Call):
            from s2s_ad.build.numeric import view_place

            place = view_place(self, value)
            mentions_value = place is not None and place_mentions(place, name)
        if not users and not heap_users and not (mentions_value and inside is None):
            return value
        old = self.find_var(name)
        if old is None:
            return value
        saved = self.temp(self.node, f"{name}_old", name)
        place = old.place
        self.emit(Assign((saved,), (old,), self.line, "alias"))
        if heap_users and self.depth and any(isinstance(v, OneOf) for v in self.state.env.values()):
            self.initial[name] = None  # an object of an earlier iteration: in the first one there is none
        new_place = place
        if place is not None and place.root == name:
            new_place = Place(saved, place.path)
            self.emit(MoveRoot(saved, name, old.type, self.line))
        self.types[saved] = old.type
        new = Var(saved, old.type, new_place)
        self.rename_in_state(name, new, own)
        return rename_expr(value, name, new) if mentions_value and inside is None else value

    def find_var(self, name: str) -> Var | None:
        for value in self.state.env.values():
            if isinstance(value, Num) and isinstance(value.expr, Var) and value.expr.name == name:
                return value.expr
        for obj in [*self.state.env.values(), *(v for o in self.state.heap.values() for v in o.items)]:
            for var in vars_of(obj):
                if var.name == name:
                    return var
        type_ = self.types.get(name)
        if type_ is None:
            return None
        held = [*self.state.env.values(), *(v for o in self.state.heap.values() for v in o.items)]
        owns = any(var.place is not None and var.place.root == name for obj in held for var in vars_of(obj))
        return Var(name, type_, Place(name) if owns else None)

    def rename_in_state(self, old: str, new: Var, keep: set[Any]) -> None:
        """Every value that mentions the name `old`, but for the names `keep`, mentions `new` instead."""

        def renamed(value: Abs) -> Abs:
            return map_abs(value, lambda e: rename_expr(e, old, new))

        for key, value in list(self.state.env.items()):
            if key not in keep:
                self.state.env[key] = renamed(value)
        for site, obj in list(self.state.heap.items()):
            self.state.heap[site] = replace(obj, items=tuple(renamed(v) for v in obj.items))

    # -- objects ---------------------------------------------------------------------------------------------------
    def allocate(self, site: str, obj: HeapObject) -> ObjectRef:
        """A new object made at `site`; one that was made there before, and is still held, keeps its identity."""
        if site in self.state.heap and self._is_held(site):
            self._move_object(site, f"{site}'")
        self.state.heap[site] = obj
        return ObjectRef(site)

    def _is_held(self, site: str) -> bool:
        held = [*self.state.env.values(), *(v for obj in self.state.heap.values() for v in obj.items)]
        return any(site in sites_of(v) for v in held)

    def _move_object(self, old: str, new: str) -> None:
        if new in self.state.heap and self._is_held(new):
            self._move_object(new, f"{new}'")
        self.state.heap[new] = self.state.heap.pop(old)
        for key, value in list(self.state.env.items()):
            self.state.env[key] = with_site(value, old, new)
        for site, obj in list(self.state.heap.items()):
            self.state.heap[site] = replace(obj, items=tuple(with_site(v, old, new) for v in obj.items))

    # -- writing in place ------------------------------------------------------------------------------------------
    def mark_written(self, value: Num) -> None:
        """An array of this value is written in place: if that is news, walk again."""
        fresh = value.origins - self.facts.written
        if fresh:
            self.facts.written |= fresh
            self.names.reset()
            raise Restart

    def part_ways(self, root: str) -> None:
        """`root` is written: copies that stood for it, or originals that it stood for, are not what they were."""
        gone = {name for name, sources in self.state.detached.items() if root in sources}
        shared = self.state.detached.get(root, frozenset())
        gone |= shared | {name for name, sources in self.state.detached.items() if name != root and sources & shared}
        if not gone:
            return
        reason = "this array may share memory with another one that has been written since, depending on the path taken"

        def lost(value: Abs) -> Abs:
            if isinstance(value, Tup):
                return Tup(tuple(lost(v) for v in value.items), value.cls)
            return Poison(reason) if any(leads_to(v, gone) for v in vars_of(value)) else value

        for key, value in list(self.state.env.items()):
            self.state.env[key] = lost(value)
        for site, obj in list(self.state.heap.items()):
            self.state.heap[site] = replace(obj, items=tuple(lost(v) for v in obj.items))

    def is_frozen(self, place: Place | None) -> bool:
        """Whether the object is held by a list of run-time length, or is being looped over."""
        return place is not None and (place.root in self.state.frozen or place.root in self.looping)

    def make_dynamic(self, site: str) -> Restart:
        self.facts.dynamic.add(site)
        return Restart()


__all__ = ["Array", "Builder", "Capture", "Facts", "Frame", "Guard", "Restart", "Unknown", "map_abs", "rename_expr"]

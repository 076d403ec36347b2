"""What is known after two paths meet.

Enters: two states.  Leaves: one that covers both, and for each side the assignments that bring it there.
"""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.build.values import (
    NOTHING,
    Abs,
    DictObject,
    Instance,
    Iteration,
    Known,
    ListObject,
    Num,
    ObjectRef,
    OneOf,
    Poison,
    State,
    Tup,
    is_number,
    leaf_expr,
)
from s2s_ad.ir.nodes import (
    Assign,
    Call,
    Choice,
    Const,
    Expr,
    MoveRoot,
    Place,
    Stmt,
    Var,
    map_statement,
    number,
    place_variables,
    statement_exprs,
    variables,
)
from s2s_ad.ir.types import BOOL, INT, OPAQUE, Array, ListOf, Opaque, Scalar, Type, Unknown, join

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder

_ALTERNATIVES = 8


class Joiner:
    """Joins the values of two states, and collects what each side must still assign."""

    def __init__(self, b: Builder, left: State, right: State, site: str) -> None:
        self.b = b
        self.left, self.right = left, right
        self.site = site
        self.left_fix: list[Stmt] = []
        self.right_fix: list[Stmt] = []
        self.where: str | None = None
        self.claimed: set[str] = set()
        self.out = State()

    def run(self) -> tuple[State, list[Stmt], list[Stmt]]:
        self.out.frozen = self.left.frozen | self.right.frozen
        self.out.uses = dict(self.left.uses)
        for use, number_ in self.right.uses.items():
            self.out.uses[use] = max(number_, self.out.uses.get(use, 0))
        for state in (self.left, self.right):
            for name, sources in state.detached.items():
                self.out.detached[name] = self.out.detached.get(name, frozenset()) | sources
        for key in [*self.left.env, *(k for k in self.right.env if k not in self.left.env)]:
            x, y = self.left.env.get(key), self.right.env.get(key)
            name = self.b.local_names.get(key, str(key[1]))
            if x is None or y is None:
                one = x if x is not None else y
                assert one is not None
                self.out.env[key] = self._one_sided(one)
            else:
                self.out.env[key] = self.value(x, y, name)
        for site in [*self.left.heap, *(s for s in self.right.heap if s not in self.left.heap)]:
            if site not in self.out.heap:
                self._object(site)
        return self.out, self._in_order(self.left_fix), self._in_order(self.right_fix)

    def _in_order(self, fix: list[Stmt]) -> list[Stmt]:
        """All of a side's assignments happen at once: none may read what another has given a new value."""
        groups: list[list[Stmt]] = []
        for stmt in fix:
            if isinstance(stmt, MoveRoot):
                groups[-1].append(stmt)
            else:
                groups.append([stmt])
        ordered: list[Stmt] = []
        while groups:
            for k, group in enumerate(groups):
                others = groups[:k] + groups[k + 1 :]
                if not any(_reads(g) & _writes(group) for g in others):
                    ordered += groups.pop(k)
                    break
            else:
                ordered.append(self._set_aside(groups))
        return ordered

    def _set_aside(self, groups: list[list[Stmt]]) -> Stmt:
        """A cycle is cut: one of the values in it gets a name of its own first."""
        first = groups[0][0]
        assert isinstance(first, Assign)
        name = first.targets[0]
        if any(len(g) > 1 or any(v.place is not None for s in g for v in _variables_of(s)) for g in groups):
            raise self.b.fail(f"`{name}` and other names change places here in a way that is not understood")
        from s2s_ad.build.renaming import rename_expr

        aside = self.b.names.fresh(f"{name}_old")
        type_ = self.b.types.get(name, OPAQUE)
        self.b.types[aside] = type_
        for group in groups[1:]:
            for k, stmt in enumerate(group):
                group[k] = map_statement(stmt, lambda e: rename_expr(e, name, Var(aside, type_)))
        return Assign((aside,), (Var(name, type_),), self.b.line, "join")

    def _one_sided(self, value: Abs) -> Abs:
        if isinstance(value, Num):
            return replace(value, known=NOTHING, unsure=True)
        return value

    def value(self, x: Abs, y: Abs, name: str) -> Abs:
        if isinstance(x, Poison) or isinstance(y, Poison):
            return x if isinstance(x, Poison) else y
        match x, y:
            case ObjectRef(s), ObjectRef(t) if s == t:
                self._object(s)
                return x
            case Tup(xs, cx, wx), Tup(ys, cy, wy) if len(xs) == len(ys) and cx is cy:
                if wx is not None and wx == wy and xs == ys:
                    return x
                return Tup(self._parts(xs, ys, name), cx)
            case Iteration(kind, xs), Iteration(other, ys) if kind == other and len(xs) == len(ys):
                return Iteration(kind, self._parts(xs, ys, name))
            case ObjectRef(s), ObjectRef(t):
                return self._two_objects(s, t, name)
        if isinstance(x, OneOf) or isinstance(y, OneOf):
            return x if x == y else self._one_of(x, y, name)
        if x == y and not isinstance(x, Num):
            return x
        return self._numbers(x, y, name)

    def _parts(self, xs: tuple[Abs, ...], ys: tuple[Abs, ...], name: str) -> tuple[Abs, ...]:
        outer, self.where = self.where, f"{self.where or ''} {name}"
        parts = tuple(self.value(p, q, f"{name}_{k}") for k, (p, q) in enumerate(zip(xs, ys, strict=True)))
        self.where = outer
        return parts

    def _two_objects(self, s: str, t: str, name: str) -> Abs:
        a, c = self.left.heap.get(s), self.right.heap.get(t)
        if isinstance(a, Instance) and isinstance(c, Instance) and a.frozen and c.frozen:
            if a.cls is c.cls and a.names == c.names:
                return self._frozen(a, c, name)
        known = {s, t} <= self.b.facts.dynamic or ":list" not in s or ":list" not in t
        if isinstance(a, ListObject) and isinstance(c, ListObject) and not known:
            self.b.facts.dynamic |= {s, t}
            from s2s_ad.build.builder import Restart

            self.b.names.reset()
            raise Restart
        return self._one_of(ObjectRef(s), ObjectRef(t), name)

    def _frozen(self, a: Instance, c: Instance, name: str) -> Abs:
        """Objects that cannot change are as good as their values."""
        site = f"{self.site} {self.where or ''} {name}"
        outer, self.where = self.where, site
        self.out.heap[site] = replace(a, items=self._items(a.items, c.items, "field", a.names))
        self.where = outer
        return ObjectRef(site)

    def _one_of(self, x: Abs, y: Abs, name: str) -> Abs:
        """What is of one kind on one path and of another on the other: both, and a number that says which."""
        reason = f"`{name}` holds different kinds of value here, depending on the path taken"
        sides = [v.options if isinstance(v, OneOf) else (v,) for v in (x, y)]
        options = list(sides[0])
        for value in sides[1]:
            if value not in options:
                options.append(value)
        if len(options) > _ALTERNATIVES:
            return Poison(reason)
        key = ("which", self.site, self.where, name)
        if key not in self.b.temps:
            self.b.temps[key] = self.b.names.fresh(f"{name.strip('#')}_which")
        target = self.b.temps[key]
        for fix, value in ((self.left_fix, x), (self.right_fix, y)):
            which = self._which(value, options)
            if not (isinstance(which, Var) and which.name == target):
                fix.append(Assign((target,), (which,), self.b.line, "join"))
        self.b.types[target] = INT
        return OneOf(Num(Var(target, INT)), tuple(options), reason)

    def _which(self, value: Abs, options: list[Abs]) -> Expr:
        """The position of a side's value among the alternatives."""
        if not isinstance(value, OneOf):
            return number(options.index(value))
        places = [options.index(v) for v in value.options]
        if places == list(range(len(places))):
            return value.which.expr
        result: Expr = number(places[-1])
        for k in reversed(range(len(places) - 1)):
            test = Call(operator.eq, (value.which.expr, number(k)), (), BOOL, "op")
            result = Choice(test, number(places[k]), result, INT)
        return result

    def _numbers(self, x: Abs, y: Abs, name: str) -> Abs:
        ex, ey = leaf_expr(x), leaf_expr(y)
        if ex is None or ey is None:
            return self._one_of(x, y, name)
        type_ = self._type(x, y, ex.type, ey.type)
        if type_ is None:
            return self._one_of(x, y, name)
        if not isinstance(x, Num) and not isinstance(y, Num) and not (is_number(getattr(x, "value", None))):
            if isinstance(type_, Opaque):
                return self._one_of(x, y, name)
        xn, yn = (v if isinstance(v, Num) else Num(e) for v, e in ((x, ex), (y, ey)))
        known = xn.known if xn.known is not NOTHING and _same(xn.known, yn.known) else NOTHING
        unsure = xn.unsure or yn.unsure
        origins = xn.origins | yn.origins
        target = self._target(xn, yn, name, type_)
        done = len(self.left_fix), len(self.right_fix)
        place = self._place(xn, yn, target, type_, origins, name)
        if isinstance(place, Poison):
            return place
        for side, value, start in ((self.left_fix, xn, done[0]), (self.right_fix, yn, done[1])):
            if any(isinstance(s, Assign) and target in s.targets for s in side[start:]):
                continue
            if not (isinstance(value.expr, Var) and value.expr.name == target):
                side.append(Assign((target,), (value.expr,), self.b.line, "join"))
        self.b.types[target] = type_
        return Num(Var(target, type_, place), known, origins, unsure, xn.varied or yn.varied)

    def _target(self, x: Num, y: Num, name: str, type_: Type) -> str:
        if isinstance(x.expr, Var) and isinstance(y.expr, Var) and x.expr.name == y.expr.name:
            return x.expr.name
        from s2s_ad.build.kinds import kind_of

        kind = kind_of(type_)
        key = ("join", self.site, self.where, name, kind)
        kinds = self.b.kinds
        own = {n for n in self.b.local_names.values() if kinds.get(n, kind) == kind}
        own |= {n for n in self.b.kind_names.values() if kinds.get(n) == kind}
        if self.where is not None:
            return self._item_target(x, y, key, kind)
        for value in (x, y):
            if (
                isinstance(value.expr, Var)
                and (value.expr.name == name or value.expr.name in own)
                and name == value.expr.name
            ):
                return value.expr.name
        if name in own:
            return name
        if key not in self.b.temps:
            self.b.temps[key] = self.b.names.fresh(name.strip("#") or "t")
            kinds[self.b.temps[key]] = kind
        return self.b.temps[key]

    def _item_target(self, x: Num, y: Num, key: Any, kind: Any) -> str:
        """An item of a container keeps its name if nobody else on the other side means something by that name."""
        chosen = self.b.item_names.get(key)
        sides = ((x, self.right),) if self.site.endswith(" head") else ((x, self.right), (y, self.left))
        for value, state in sides:
            if not isinstance(value.expr, Var) or chosen not in (None, value.expr.name):
                continue  # a choice is not gone back on: a loop's head must settle
            name = value.expr.name
            if name in self.claimed or name in self.b.local_names.values() or self.b.kinds.get(name, kind) != kind:
                continue
            if name in self.b.temps.values() and not self._is_mentioned(state, name):
                self.claimed.add(name)
                self.b.item_names[key] = name
                return name
        if key not in self.b.temps:
            self.b.temps[key] = self.b.names.fresh(str(key[3]).strip("#") or "t")
            self.b.kinds[self.b.temps[key]] = kind
        self.b.item_names[key] = self.b.temps[key]
        return self.b.temps[key]

    def _is_mentioned(self, state: State, name: str) -> bool:
        from s2s_ad.build.renaming import holds

        values = [*state.env.values(), *(v for obj in state.heap.values() for v in obj.items)]
        return any(holds(v, name) for v in values)

    def _type(self, x: Abs, y: Abs, tx: Type, ty: Type) -> Type | None:
        for value, other in ((x, ty), (y, tx)):
            if isinstance(value, Known) and value.value is None:
                if isinstance(other, Scalar | Array | Unknown):
                    return Unknown(other.dtype)
                return None
        return join(tx, ty, self.site)

    def _place(
        self, x: Num, y: Num, target: str, type_: Type, origins: frozenset[str], name: str
    ) -> Place | None | Poison:
        tracked = isinstance(type_, ListOf) or bool(origins & self.b.facts.written)
        if not tracked or isinstance(type_, Scalar | Opaque):
            return None
        px = x.expr.place if isinstance(x.expr, Var) else None
        py = y.expr.place if isinstance(y.expr, Var) else None
        if px == py and px is not None:
            return px
        if px is None and py is None:
            return Place(target)
        sides = ((self.left, self.left_fix, x, px), (self.right, self.right_fix, y, py))
        for state, fix, value, place in sides:
            if place is None:
                continue
            if place == Place(target):
                if self._others(state, target):
                    return Poison(f"`{name}` may be one of two arrays here, and other names share one of them")
                continue
            if place.path == () and not self._shared(state, place.root, target):
                fix.append(Assign((target,), (value.expr,), self.b.line, "alias"))
                fix.append(MoveRoot(target, place.root, type_, self.b.line))
                continue
            detached = self._detach(state, fix, value, place, target, type_)
            if detached is None:
                return Poison(
                    f"`{name}` may be one of two arrays here, and one of them is written in place: "
                    "which one, is not known"
                )
        return Place(target)

    def _detach(self, state: State, fix: list[Stmt], value: Num, place: Place, target: str, type_: Type) -> str | None:
        """Make `target` a copy: exact as long as neither it is written while the original is read, nor the reverse."""
        if place.root == target or not isinstance(value.type, Array):
            return None
        copy = Call(np.copy, (value.expr,), (), value.type, "method:copy")
        fix.append(Assign((target,), (copy,), self.b.line, "join"))
        self.out.detached[target] = self.out.detached.get(target, frozenset()) | {place.root}
        return target

    def _others(self, state: State, target: str) -> bool:
        """Whether names other than `target` lead to its object."""
        return any(
            isinstance(value, Num)
            and isinstance(value.expr, Var)
            and value.expr.name != target
            and value.expr.place is not None
            and value.expr.place.root == target
            for value in state.env.values()
        )

    def _shared(self, state: State, root: str, target: str) -> bool:
        """Whether a name that is known on both sides would still need `root`."""
        for key, value in state.env.items():
            own = self.b.local_names.get(key)
            if own == target or key not in self.left.env or key not in self.right.env:
                continue
            if isinstance(value, Num) and isinstance(value.expr, Var) and value.expr.place is not None:
                if value.expr.place.root == root:
                    return True
        return False

    def _object(self, site: str) -> None:
        outer, self.where = self.where, site
        self._joined_object(site)
        self.where = outer

    def _joined_object(self, site: str) -> None:
        a, c = self.left.heap.get(site), self.right.heap.get(site)
        if a is None or c is None:
            one = a if a is not None else c
            assert one is not None
            self.out.heap[site] = one
            return
        if a is c:
            self.out.heap[site] = a
            return
        name = site.rsplit(":", 1)[-1]
        match a, c:
            case ListObject(xs), ListObject(ys):
                if len(xs) != len(ys):
                    self._make_dynamic(site)
                self.out.heap[site] = ListObject(self._items(xs, ys, "item"))
            case DictObject(kx, xs), DictObject(ky, ys) if kx == ky:
                self.out.heap[site] = replace(a, items=self._items(xs, ys, "item", kx))
            case Instance(cls, nx, xs, frozen), Instance(_, ny, ys) if nx == ny:
                self.out.heap[site] = Instance(cls, nx, self._items(xs, ys, "field", nx), frozen)
            case _:
                reason = f"an object has different keys or attributes here, depending on the path taken ({name})"
                poison = Poison(reason)
                self.out.heap[site] = replace(a, items=tuple(poison for _ in a.items))

    def _make_dynamic(self, site: str) -> None:
        from s2s_ad.build.builder import Restart

        if site in self.b.facts.dynamic:
            raise self.b.fail("a list changes its length here in a way that is not understood")
        if site.startswith("argument") or site.startswith("capture"):
            raise self.b.fail("an argument's list changes its length here", "Make a copy with list(...) first.")
        self.b.facts.dynamic.add(site)
        self.b.names.reset()
        raise Restart

    def _items(
        self, xs: tuple[Abs, ...], ys: tuple[Abs, ...], name: str, keys: tuple[Any, ...] = ()
    ) -> tuple[Abs, ...]:
        out = []
        for k, (p, q) in enumerate(zip(xs, ys, strict=True)):
            key = keys[k] if keys else k
            hint = key if isinstance(key, str) and key.isidentifier() else f"{name}_{k}"
            out.append(self.value(p, q, hint))
        return tuple(out)


def _variables_of(stmt: Stmt) -> list[Var]:
    return [v for e in statement_exprs(stmt) for v in variables(e)]


def _reads(group: list[Stmt]) -> set[str]:
    found: set[str] = set()
    for var in (v for s in group for v in _variables_of(s)):
        found.add(var.name)
        if var.place is not None:
            found |= {var.place.root, *(v.name for v in place_variables(var.place))}
    return found


def _writes(group: list[Stmt]) -> set[str]:
    return {t for s in group if isinstance(s, Assign) for t in s.targets}


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def join_states(b: Builder, left: State, right: State, site: str) -> tuple[State, list[Stmt], list[Stmt]]:
    return Joiner(b, left, right, site).run()


_ = Const

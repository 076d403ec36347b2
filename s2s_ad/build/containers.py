"""Lists, tuples, dicts and objects: of known structure while possible, else one list with a run-time length.

Enters: abstract containers and the operations on them.  Leaves: abstract values; writes to lists of run-time length
become statements.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from s2s_ad.build.values import (
    NOTHING,
    Abs,
    Bound,
    Closure,
    DictObject,
    Instance,
    Iteration,
    Known,
    ListObject,
    Num,
    ObjectRef,
    RangeValue,
    Tup,
    is_mutable_reference,
    known_value,
    varied,
)
from s2s_ad.ir.nodes import Append, Call, Const, Display, Expr, Index, Place, PopLast, Var
from s2s_ad.ir.types import INT, OPAQUE, Array, ListOf, Opaque, Scalar, TupleOf, Type, Unknown, join

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


# -- questions that structure answers ----------------------------------------------------------------------------------
def truth(b: Builder, value: Abs) -> bool | None:
    """Whether a value counts as true, where its structure says so."""
    match value:
        case Known(v):
            return bool(v)
        case Tup(items):
            return bool(items)
        case ObjectRef(site):
            obj = b.state.heap[site]
            if isinstance(obj, Instance):
                return None if hasattr(obj.cls, "__bool__") or hasattr(obj.cls, "__len__") else True
            return bool(obj.items)
        case Closure() | Bound():
            return True
    return None


def truth_method(b: Builder, value: Abs) -> Abs | None:
    """What `bool(value)` asks an object of a user's class."""
    from s2s_ad.build.calls import call_method

    obj = b.state.heap.get(value.site) if isinstance(value, ObjectRef) else None
    if not isinstance(obj, Instance):
        return None
    for name in ("__bool__", "__len__"):
        if hasattr(obj.cls, name):
            return call_method(b, value, name, [], {})
    return None


def identical(b: Builder, x: Abs, y: Abs) -> bool | None:
    if isinstance(x, Known) and isinstance(y, Known):
        return x == y
    for one, other in ((x, y), (y, x)):
        if isinstance(one, Known) and one.value is None:
            if isinstance(other, Num):
                return None if isinstance(other.type, Unknown | Opaque) else False
            return False
    if isinstance(x, ObjectRef) and isinstance(y, ObjectRef):
        return x.site == y.site
    return None


def contains(b: Builder, x: Abs, y: Abs) -> bool | None:
    key = known_value(x)
    match y:
        case Known(v) if key is not NOTHING and isinstance(v, str | tuple | frozenset | dict):
            return key in v
        case ObjectRef(site):
            obj = b.state.heap[site]
            if isinstance(obj, DictObject) and key is not NOTHING:
                return key in obj.keys
            if isinstance(obj, ListObject) and key is not NOTHING:
                return _among(key, obj.items)
        case Tup(items) if key is not NOTHING:
            return _among(key, items)
    return None


def _among(key: Any, items: tuple[Abs, ...]) -> bool | None:
    known = [known_value(v) for v in items]
    return None if any(k is NOTHING for k in known) else key in known


def items_of(b: Builder, value: Abs) -> list[Abs]:
    """The items of a container of known length."""
    match value:
        case Tup(items):
            return list(items)
        case ObjectRef(site):
            obj = b.state.heap[site]
            if isinstance(obj, ListObject):
                return list(obj.items)
            if isinstance(obj, DictObject):
                return [Known(k) for k in obj.keys]
        case Known(v) if isinstance(v, tuple | list | str | frozenset):
            return [Known(item) for item in v]
        case Num(expr) if isinstance(expr.type, Array | TupleOf):
            pass
        case RangeValue(start, stop, step) if NOTHING not in (ends := [known_value(v) for v in (start, stop, step)]):
            return [Known(k) for k in range(*ends)]
        case Iteration() | RangeValue():
            from s2s_ad.build.iterables import StaticItems, iterate

            found = iterate(b, value)
            if isinstance(found, StaticItems):
                return list(found.items)
    raise b.fail("the length of this is not known when the program is derived", "Write the items out.")


# -- making containers -------------------------------------------------------------------------------------------------
def make_list(b: Builder, node: ast.AST, items: list[Abs], tag: str = "list") -> Abs:
    site = b.site(node, tag)
    if site in b.facts.dynamic:
        return dynamic_list(b, node, items, site)
    return b.allocate(site, ListObject(tuple(b.container_item(v, node, f"item_{k}") for k, v in enumerate(items))))


def dynamic_list(b: Builder, node: ast.AST, items: list[Abs], site: str) -> Num:
    """A list whose length is known only at run time."""
    exprs = tuple(run_time_expr(b, v) for v in items)
    item = joined_type(b, exprs, site)
    for value in items:
        freeze(b, value)
    origins = frozenset({site}).union(*(_origins(b, v) for v in items))
    active = any(varied(v, b.state.heap) for v in items)
    return Num(Display("list", exprs, ListOf(item)), origins=origins, varied=active)


def run_time_expr(b: Builder, value: Abs) -> Expr:
    if isinstance(value, ObjectRef):
        value = as_run_time(b, value)
    if isinstance(value, Tup):
        parts = tuple(run_time_expr(b, v) for v in value.items)
        return Display("tuple", parts, TupleOf(tuple(p.type for p in parts)))
    return b.expr(value)


def joined_type(b: Builder, exprs: tuple[Expr, ...], site: str) -> Type | None:
    joined: Type | None = None
    for k, e in enumerate(exprs):
        nothing = e.type if k == 0 else None if joined is None else join(joined, e.type, site)
        if nothing is None:
            raise b.fail("a list of run-time length holds different kinds of value", "Use one kind, or a tuple.")
        joined = nothing
    return joined


def _origins(b: Builder, value: Abs) -> frozenset[str]:
    from s2s_ad.build.numeric import origins

    return origins(b, value)


def freeze(b: Builder, value: Abs) -> None:
    """An array that has been put into a list of run-time length must not be written through its name any more."""
    match value:
        case Num(expr, type=type_) if isinstance(expr, Var | Index) and expr.place and is_mutable_reference(type_):
            b.state.frozen |= {expr.place.root}
        case Tup(items):
            for item in items:
                freeze(b, item)


def as_run_time(b: Builder, base: Abs) -> Num:
    """A container of known structure as one run-time value: it is about to be indexed by a run-time number."""
    match base:
        case ObjectRef(site):
            obj = b.state.heap[site]
            if isinstance(obj, ListObject):
                if not site.startswith(("argument", "capture")) and ":list" in site:
                    b.facts.dynamic.add(site)
                    from s2s_ad.build.builder import Restart

                    b.names.reset()
                    raise Restart
                items = list(obj.items)
            elif isinstance(obj, DictObject):
                raise b.fail("a dict key must be known when the program is derived", "Use a list, or constant keys.")
            else:
                raise b.fail("an object of a class of yours is used as a run-time value here")
        case Tup(items_):
            items = list(items_)
        case _:
            raise b.fail("this value cannot be indexed by a run-time number")
    if not items:
        raise b.fail("an empty container is indexed here")
    exprs = tuple(run_time_expr(b, v) for v in items)
    type_ = joined_type(b, exprs, b.site(b.node, "packed"))
    active = any(varied(v, b.state.heap) for v in items)
    return Num(
        Display("list", exprs, ListOf(type_)),
        origins=frozenset().union(*(_origins(b, v) for v in items)),
        varied=active,
    )


def opaque_set(b: Builder, items: list[Abs]) -> Num:
    return Num(Display("set", tuple(b.expr(v) for v in items), OPAQUE))


# -- reading -----------------------------------------------------------------------------------------------------------
def static_subscript(b: Builder, base: Abs, slice_: ast.expr, evaluate: Callable[[ast.expr], Abs]) -> Abs | None:
    """`base[key]` where structure and key are known, else None."""
    if isinstance(base, Known) and isinstance(base.value, str | tuple | list | dict):
        if isinstance(slice_, ast.Slice):
            key: Any = static_slice(b, slice_, evaluate)
        else:
            key = known_value(evaluate(slice_))
        if key is NOTHING:
            return None
        try:
            return Known(base.value[key])
        except (KeyError, IndexError, TypeError) as error:
            raise b.certain(type(error), f"{type(error).__name__}: {error}") from error
    if not isinstance(base, Tup | ObjectRef):
        return None
    obj: Any = base if isinstance(base, Tup) else b.state.heap[base.site]
    if isinstance(obj, Instance):
        from s2s_ad.build.calls import call_method

        return call_method(b, base, "__getitem__", [evaluate(slice_)], {})
    if isinstance(slice_, ast.Slice):
        part = static_slice(b, slice_, evaluate)
        if part is NOTHING:
            return None
        if isinstance(obj, Tup):
            return Tup(obj.items[part])
        return make_list(b, b.node, list(obj.items[part]), "list slice")
    key = known_value(evaluate(slice_))
    if key is NOTHING:
        return None
    if isinstance(obj, DictObject):
        if key not in obj.keys and obj.default is not None:
            from s2s_ad.build.calls import call_value

            store_item(b, base, key, call_value(b, obj.default, [], {}))  # type: ignore[arg-type]
            return b.state.heap[base.site].items[-1]  # type: ignore[union-attr]
        if key not in obj.keys:
            raise b.certain(
                KeyError, f"the dict has no key {key!r} here", "Its keys are " + ", ".join(map(repr, obj.keys)) + "."
            )
        return obj.items[obj.keys.index(key)]
    if not isinstance(key, int):
        raise b.fail(f"a {'tuple' if isinstance(obj, Tup) else 'list'} is indexed by {key!r} here")
    if not -len(obj.items) <= key < len(obj.items):
        raise b.certain(IndexError, f"index {key} is out of range: there are {len(obj.items)} items")
    found: Abs = obj.items[key]
    return found


def static_slice(b: Builder, node: ast.Slice, evaluate: Callable[[ast.expr], Abs]) -> Any:
    parts = [None if p is None else known_value(evaluate(p)) for p in (node.lower, node.upper, node.step)]
    return NOTHING if any(p is NOTHING for p in parts) else slice(*parts)


def sequence_operator(b: Builder, op: Any, x: Abs, y: Abs) -> Abs | None:
    """`+` and `*` of lists and tuples, `%` and `+` of strings."""
    if op is operator.add and isinstance(x, Tup) and isinstance(y, Tup):
        return Tup(x.items + y.items)
    lists = [_list_items(b, v) for v in (x, y)]
    if op is operator.add and lists[0] is not None and lists[1] is not None:
        return make_list(b, b.node, [*lists[0], *lists[1]])
    if op is operator.or_ and isinstance(x, ObjectRef) and isinstance(y, ObjectRef):
        return _merged(b, x, y)
    if op is operator.mul:
        for one, other in ((x, y), (y, x)):
            items = list(one.items) if isinstance(one, Tup) else _list_items(b, one)
            if items is None:
                continue
            count = known_value(other)
            whole = isinstance(count, int) or count is NOTHING and _is_whole(other)
            if not whole:
                raise b.certain(TypeError, "a sequence can be multiplied by a whole number only")
            if isinstance(count, int) and count * len(items) <= 64 and b.site(b.node, "list") not in b.facts.dynamic:
                return Tup(tuple(items) * count) if isinstance(one, Tup) else make_list(b, b.node, items * count)
            return _repeated(b, items, other)
    if isinstance(x, Num) and isinstance(x.type, ListOf) or isinstance(y, Num) and isinstance(y.type, ListOf):
        return _dynamic_operator(b, op, x, y)
    if op is operator.mod and isinstance(x, Known) and isinstance(x.value, str):
        return Num(Call(op, (b.expr(x), b.expr(y)), (), OPAQUE, "op"))
    return None


def _merged(b: Builder, x: ObjectRef, y: ObjectRef) -> Abs | None:
    """`x | y` of dicts."""
    parts = [b.state.heap[x.site], b.state.heap[y.site]]
    pairs: dict[Any, Abs] = {}
    for part in parts:
        if not isinstance(part, DictObject):
            return None
        pairs.update(zip(part.keys, part.items, strict=True))
    return b.allocate(b.site(b.node, "dict"), DictObject(tuple(pairs), tuple(pairs.values())))


def _is_whole(value: Abs) -> bool:
    """Whether a value may be a whole number."""
    type_ = getattr(value, "type", None)
    return isinstance(type_, Opaque | Unknown) or isinstance(type_, Scalar) and type_.dtype.kind in "biu"


def _list_items(b: Builder, value: Abs) -> list[Abs] | None:
    if isinstance(value, ObjectRef):
        obj = b.state.heap[value.site]
        if isinstance(obj, ListObject):
            return list(obj.items)
    return None


def _repeated(b: Builder, items: list[Abs], count: Abs) -> Num:
    exprs = tuple(run_time_expr(b, v) for v in items)
    if any(isinstance(e.type, ListOf | Array | Unknown) for e in exprs):
        raise b.fail(
            "a list of references is repeated here", "Use a comprehension, so that each item is an object of its own."
        )
    item = joined_type(b, exprs, b.site(b.node, "repeated"))
    type_ = ListOf(item)
    return Num(
        Call(operator.mul, (Display("list", exprs, type_), b.expr(count)), (), type_, "op"),
        origins=frozenset({b.site(b.node, "list")}),
        varied=any(varied(v, b.state.heap) for v in items),
    )


def _dynamic_operator(b: Builder, op: Any, x: Abs, y: Abs) -> Abs:
    from s2s_ad.build import run_time_lists

    if op is operator.add:
        return run_time_lists.joined(b, [x, y], b.node)
    if op is operator.mul:
        items, count = (x, y) if isinstance(x, Num) and isinstance(x.type, ListOf) else (y, x)
        if not isinstance(known_value(count), int) and not _is_whole(count):
            raise b.certain(TypeError, "a list can be multiplied by a whole number only")
        return run_time_lists.repeated(b, items, count, b.node)
    raise b.fail("this operation on a list is not understood", "Write a loop or a comprehension.")


def run_time_list(b: Builder, value: Abs) -> Expr:
    if isinstance(value, Num) and isinstance(value.type, ListOf):
        return value.expr
    items = _list_items(b, value)
    if items is None:
        raise b.fail("a list is expected here")
    exprs = tuple(run_time_expr(b, v) for v in items)
    return Display("list", exprs, ListOf(joined_type(b, exprs, b.site(b.node))))


def operator_method(b: Builder, op: Any, x: Abs, y: Abs) -> Abs | None:
    """A user's class may define the operator."""
    from s2s_ad.build.calls import call_method

    name = op.__name__.strip("_")
    for one, other, prefix in ((x, y, "__"), (y, x, "__r")):
        cls = _class_of(b, one)
        if cls is not None and hasattr(cls, f"{prefix}{name}__"):
            return call_method(b, one, f"{prefix}{name}__", [other], {})
    return None


_REFLECTED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}


def comparison_method(b: Builder, op: Any, x: Abs, y: Abs) -> Abs | None:
    """`x < y` and the like, where a user's class says what they mean."""
    from s2s_ad.build.calls import call_method

    name = op.__name__.strip("_")
    for one, other, method in ((x, y, name), (y, x, _REFLECTED[name])):
        cls = _class_of(b, one)
        if cls is None or not isinstance(one, ObjectRef):
            continue
        found = next((vars(c)[f"__{method}__"] for c in cls.__mro__ if f"__{method}__" in vars(c)), None)
        if found is None or found is vars(object).get(f"__{method}__"):
            continue
        if "__create_fn__" in getattr(found, "__qualname__", "") or dataclass_comparison(cls, found):
            return _fields_compared(b, op, x, y)
        return call_method(b, one, f"__{method}__", [other], {})
    if name in ("eq", "ne") and isinstance(x, ObjectRef) and _class_of(b, x) is not None:
        if name == "ne":
            return _negated(b, comparison_method(b, operator.eq, x, y))
        return Known(isinstance(y, ObjectRef) and x.site == y.site)
    return None


def dataclass_comparison(cls: type, found: Any) -> bool:
    """Whether a comparison was written by `@dataclass`."""
    import dataclasses

    code = getattr(found, "__code__", None)
    return dataclasses.is_dataclass(cls) and code is not None and code.co_filename == "<string>"


def _negated(b: Builder, value: Abs | None) -> Abs | None:
    from s2s_ad.build.operators import unary

    return None if value is None else unary(b, operator.not_, value)


def _fields_compared(b: Builder, op: Any, x: Abs, y: Abs) -> Abs:
    import dataclasses

    from s2s_ad.build.operators import COMPARE, compare

    objects = [b.state.heap[v.site] if isinstance(v, ObjectRef) else None for v in (x, y)]
    parts: list[Abs] = []
    for obj in objects:
        if not isinstance(obj, Instance) or obj.cls is not getattr(objects[0], "cls", None):
            return Known(op is operator.ne)
        fields = [f.name for f in dataclasses.fields(obj.cls) if f.compare]
        held = dict(zip(obj.names, obj.items, strict=True))
        parts.append(Tup(tuple(held[name] for name in fields)))
    node = next(kind for kind, fn in COMPARE.items() if fn is op)
    return compare(b, node(), parts[0], parts[1])


def _class_of(b: Builder, value: Abs) -> type | None:
    if isinstance(value, ObjectRef):
        obj = b.state.heap[value.site]
        return obj.cls if isinstance(obj, Instance) else None
    return value.cls if isinstance(value, Tup) else None


# -- methods -----------------------------------------------------------------------------------------------------------
_READING = frozenset({"copy", "items", "keys", "values", "get", "index", "count"})


def refuse_captured(b: Builder, site: str, what: str) -> None:
    """A container that lives outside the function must not be changed: the change would be seen by others, or lost."""
    if site.startswith("capture") and what not in _READING:
        raise b.fail(
            "a list, dict or object that lives outside of the function is changed here",
            "Pass what is to be changed as an argument, and return it.",
        )


def list_method(
    b: Builder,
    base: ObjectRef,
    obj: ListObject,
    name: str,
    args: list[Abs],
    kwargs: Mapping[str, Abs] = MappingProxyType({}),
) -> Abs:
    items = obj.items
    refuse_captured(b, base.site, name)
    match name, args:
        case "append", [value]:
            b.state.heap[base.site] = ListObject((*items, b.container_item(value, b.node, "item")))
        case "extend", [value]:
            try:
                more = items_of(b, value)
            except Exception:
                raise make_site_dynamic(b, base.site) from None
            named = tuple(b.container_item(v, b.node, f"item_{k}") for k, v in enumerate(more))
            b.state.heap[base.site] = ListObject(items + named)
        case "pop", _:
            key = known_value(args[0]) if args else -1
            if key is NOTHING:
                raise make_site_dynamic(b, base.site)
            if not isinstance(key, int) or not -len(items) <= key < len(items):
                raise b.certain(IndexError, "pop from empty list" if not items else "pop index out of range")
            rest = list(items)
            popped = rest.pop(key)
            b.state.heap[base.site] = ListObject(tuple(rest))
            return popped
        case "insert", [at, value]:
            key = known_value(at)
            if key is NOTHING:
                raise b.fail("a list position must be known when the program is derived")
            rest = list(items)
            rest.insert(key, b.container_item(value, b.node, "item"))
            b.state.heap[base.site] = ListObject(tuple(rest))
        case "__getitem__", [k]:
            which = known_value(k)
            if not isinstance(which, int):
                raise make_site_dynamic(b, base.site)
            return items[which]
        case "reverse", []:
            b.state.heap[base.site] = ListObject(items[::-1])
        case "clear", []:
            b.state.heap[base.site] = ListObject(())
        case "popleft", []:
            return list_method(b, base, obj, "pop", [Known(0)])
        case "appendleft", [value]:
            return list_method(b, base, obj, "insert", [Known(0), value])
        case "copy", []:
            return make_list(b, b.node, list(items))
        case (("index" | "count" | "remove"), [value]):
            return _search(b, base, items, name, value)
        case "sort", []:
            from s2s_ad.build.builtin_calls import sorted_items

            order = sorted_items(b, items, kwargs.get("key", Known(None)), kwargs.get("reverse", Known(False)))
            if order is None:
                raise make_site_dynamic(b, base.site)
            b.state.heap[base.site] = ListObject(order)
        case _:
            raise b.fail(f"`list.{name}` is not understood here", "Write it with append, pop and indexing.")
    return Known(None)


def _search(b: Builder, base: ObjectRef, items: tuple[Abs, ...], name: str, value: Abs) -> Abs:
    """`index`, `count` and `remove` of a list whose items are known."""
    known, key = [known_value(v) for v in items], known_value(value)
    if NOTHING in known or key is NOTHING:
        raise make_site_dynamic(b, base.site)
    if name == "count":
        return Known(known.count(key))
    if key not in known:
        raise b.certain(ValueError, f"{key!r} is not in the list")
    at = known.index(key)
    if name == "index":
        return Known(at)
    b.state.heap[base.site] = ListObject((*items[:at], *items[at + 1 :]))
    return Known(None)


def make_site_dynamic(b: Builder, site: str) -> Exception:
    from s2s_ad.build.builder import Restart

    if ":list" not in site:
        return b.fail("this list changes in a way that is not understood", "Build a list of your own first.")
    b.facts.dynamic.add(site)
    b.names.reset()
    return Restart()


def current(b: Builder, base: Num) -> Num:
    """What the list's name holds now (its type may have grown)."""
    assert isinstance(base.expr, Var)
    type_ = b.types.get(base.expr.name, base.type)
    return replace(base, expr=replace(base.expr, type=type_))


def append(b: Builder, base: Num, value: Abs) -> None:
    assert isinstance(base.expr, Var) and isinstance(base.type, ListOf)
    expr = run_time_expr(b, value)
    if b.is_frozen(base.expr.place):
        raise b.fail("this list was put into another list, and is written here", "Put it there when it is finished.")
    freeze(b, value)
    item = expr.type if base.type.item is None else join(base.type.item, expr.type, b.site(b.node, "append"))
    if item is None:
        raise b.fail(
            f"a list of {base.type.item} is given a value of another kind ({expr.type})",
            "Use one kind, or a tuple of lists.",
        )
    list_type = ListOf(item)
    origins = base.origins | _origins(b, value)
    b.emit(Append(replace(base.expr, type=list_type), expr, b.line))
    retype(b, base.expr, list_type, origins)
    if varied(value, b.state.heap):
        from s2s_ad.build.stores import spread

        spread(b, base.expr.place.root if base.expr.place is not None else base.expr.name)


def retype(b: Builder, var: Var, type_: Type, origins: frozenset[str]) -> None:
    """Every name that holds this list knows its new type."""
    b.types[var.name] = type_
    root = var.place.root if var.place is not None else var.name
    for key, value in list(b.state.env.items()):
        if isinstance(value, Num) and isinstance(value.expr, Var):
            place = value.expr.place
            same = value.expr.name == var.name or (place is not None and place == Place(root))
            if same and isinstance(value.type, ListOf):
                expr = replace(value.expr, type=type_)
                b.state.env[key] = replace(value, expr=expr, origins=value.origins | origins)


def popped(b: Builder, base: Num, item: Type) -> Abs:
    assert isinstance(base.expr, Var)
    if isinstance(item, TupleOf):
        names = tuple(b.temp(b.node, "popped", k) for k in range(len(item.items)))
        for name in names:
            b.save_before_rebinding(name, Const(0, INT))
        b.emit(PopLast(names, base.expr, item.items, b.line))
        return Tup(
            tuple(
                b.bound(n, Num(Var(n, t), origins=base.origins, varied=base.varied))
                for n, t in zip(names, item.items, strict=True)
            )
        )
    name = b.temp(b.node, "popped")
    b.save_before_rebinding(name, Const(0, INT))
    b.emit(PopLast((name,), base.expr, (item,), b.line))
    return b.bound(name, Num(Var(name, item), origins=base.origins, varied=base.varied))


def dict_method(
    b: Builder, base: ObjectRef, obj: DictObject, name: str, args: list[Abs], kwargs: dict[str, Abs]
) -> Abs:
    refuse_captured(b, base.site, name)
    match name:
        case "items" | "keys" | "values":
            if name == "keys":
                return Tup(tuple(Known(k) for k in obj.keys))
            if name == "values":
                return Tup(obj.items)
            return Tup(tuple(Tup((Known(k), v)) for k, v in zip(obj.keys, obj.items, strict=True)))
        case "get" | "pop" | "setdefault":
            key = known_value(args[0])
            if key is NOTHING:
                raise b.fail("a dict key must be known when the program is derived", "Use a list, or constant keys.")
            fallback = args[1] if len(args) > 1 else Known(None)
            if name == "pop" and key not in obj.keys and len(args) < 2:
                raise b.certain(KeyError, f"the dict has no key {key!r} here")
            found = obj.items[obj.keys.index(key)] if key in obj.keys else fallback
            if name == "pop":
                pairs = [(k, v) for k, v in zip(obj.keys, obj.items, strict=True) if k != key]
                b.state.heap[base.site] = replace(
                    obj, keys=tuple(k for k, _ in pairs), items=tuple(v for _, v in pairs)
                )
            if name == "setdefault" and key not in obj.keys:
                found = b.container_item(found, b.node, "item")
                b.state.heap[base.site] = replace(obj, keys=(*obj.keys, key), items=(*obj.items, found))
            return found
        case "clear":
            b.state.heap[base.site] = replace(obj, keys=(), items=())
            return Known(None)
        case "copy":
            site = b.site(b.node, "dict")
            return b.allocate(site, obj)
        case "update":
            pairs_ = dict(zip(obj.keys, obj.items, strict=True))
            for arg in args:
                other = b.state.heap.get(arg.site) if isinstance(arg, ObjectRef) else None
                if not isinstance(other, DictObject):
                    raise b.fail("only a dict of known keys can be merged here")
                pairs_.update(zip(other.keys, other.items, strict=True))
            pairs_.update({k: b.container_item(v, b.node, k) for k, v in kwargs.items()})
            b.state.heap[base.site] = replace(obj, keys=tuple(pairs_), items=tuple(pairs_.values()))
            return Known(None)
    raise b.fail(f"`dict.{name}` is not understood here")


# -- writing into containers -------------------------------------------------------------------------------------------
def store_item(b: Builder, base: ObjectRef, key: Any, value: Abs) -> None:
    refuse_captured(b, base.site, "a store")
    obj = b.state.heap[base.site]
    hint = key if isinstance(key, str) and key.isidentifier() else "item"
    value = b.container_item(value, b.node, hint)
    match obj:
        case DictObject(keys, items):
            if key in keys:
                at = keys.index(key)
                b.state.heap[base.site] = replace(obj, items=(*items[:at], value, *items[at + 1 :]))
            else:
                b.state.heap[base.site] = replace(obj, keys=(*keys, key), items=(*items, value))
        case ListObject(items):
            if not isinstance(key, int) or not -len(items) <= key < len(items):
                raise b.certain(IndexError, f"list index {key!r} is out of range: there are {len(items)} items")
            at = key % len(items)
            b.state.heap[base.site] = ListObject((*items[:at], value, *items[at + 1 :]))
        case _:
            raise b.fail("this object does not take items")


def store_attribute(b: Builder, base: ObjectRef, name: str, value: Abs) -> None:
    refuse_captured(b, base.site, "a store")
    obj = b.state.heap[base.site]
    if not isinstance(obj, Instance):
        raise b.fail(f"`.{name}` of a list or dict cannot be set")
    if obj.frozen:
        raise b.fail(f"`{obj.cls.__name__}` is frozen: its attribute `{name}` cannot be set")
    value = b.container_item(value, b.node, name)
    if name in obj.names:
        at = obj.names.index(name)
        items = (*obj.items[:at], value, *obj.items[at + 1 :])
        b.state.heap[base.site] = replace(obj, items=items)
    else:
        b.state.heap[base.site] = replace(obj, names=(*obj.names, name), items=(*obj.items, value))

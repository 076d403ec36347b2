"""Calls: of NumPy, of builtins, of the user's own functions, which are written out in place.

Enters: a call node, or a function and its abstract arguments.  Leaves: the abstract value of the call.
"""

from __future__ import annotations

import ast
import functools
import inspect
import logging
import sys
import types
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.build import builtin_calls, containers, inplace, run_time_lists
from s2s_ad.build.alternatives import choose, each_choice
from s2s_ad.build.fingerprints import shown
from s2s_ad.build.methods import array_method, object_method
from s2s_ad.build.numeric import apply, rule_key
from s2s_ad.build.parameters import _normal, bind_parameters
from s2s_ad.build.type_questions import answered_by_type
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
    OneOf,
    Spread,
    Tup,
    known_value,
    varied,
)
from s2s_ad.errors import MissingRule, S2SError, SourceNotFound, UnsupportedSyntax
from s2s_ad.frontend.source import FunctionSource, retrieve
from s2s_ad.ir import markers
from s2s_ad.ir.nodes import Call, Const, Effect, Method, Ref
from s2s_ad.ir.types import OPAQUE, Array, ListOf, Unknown
from s2s_ad.rules import runtime
from s2s_ad.rules.lookup import is_zero, no_derivative, refuse
from s2s_ad.rules.registry import composite_for, is_passive, is_static, refusal_of, rule_for

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder

_DEEPEST = 200  # activations of one function, one in the other
_REPEATED = 2  # of them with arguments that look the same when the program is derived: such a recursion never ends here
_NUMERIC_MODULES = ("numpy", "scipy", "math", "_operator", "operator", "cmath")


def call(b: Builder, node: ast.Call) -> Abs:
    from s2s_ad.build.expressions import called, evaluate_all

    function = called(b, node.func)
    if isinstance(function, Known):
        special = builtin_calls.lazy_call(b, function.value, node)
        if special is not None:
            return special
    positional = [a.value if isinstance(a, ast.Starred) else a for a in node.args]
    values = evaluate_all(b, [*positional, *(k.value for k in node.keywords)])
    args: list[Abs] = []
    for arg, value in zip(node.args, values, strict=False):
        args += _spread(b, value, arg) if isinstance(arg, ast.Starred) else [value]
    kwargs: dict[str, Abs] = {}
    for keyword, value in zip(node.keywords, values[len(node.args) :], strict=True):
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
            continue
        obj = b.state.heap.get(value.site) if isinstance(value, ObjectRef) else None
        if not isinstance(obj, DictObject):
            raise b.fail("only a dict of known keys can be passed with `**`")
        kwargs.update(zip(obj.keys, obj.items, strict=True))
    return call_value(b, function, args, kwargs)


def _spread(b: Builder, value: Abs, node: ast.AST) -> list[Abs]:
    """`*value` in a call."""
    match value:
        case Num() if isinstance(value.type, Array | ListOf | Unknown):
            made = value
            if not isinstance(value.type, ListOf):
                put_all = lambda put: run_time_lists.each(b, node, value, put)  # noqa: E731
                gathered = run_time_lists.gathered(b, node, put_all, "arguments")
                assert isinstance(gathered, Num)
                made = gathered
            return [Spread(run_time_lists.named(b, made, node, "arguments"))]
    return containers.items_of(b, value)


def call_value(b: Builder, function: Abs, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    match function:
        case OneOf():
            return choose(b, function, lambda f: call_value(b, f, args, kwargs))
        case Closure():
            return inline(b, function, args, kwargs)
        case Bound("#super"):
            raise b.fail("`super()` itself is not a function")
        case Bound(str(name), receiver, more, more_kwargs):
            assert receiver is not None
            return call_method(b, receiver, name, [*more, *args], dict(more_kwargs) | kwargs)
        case Bound(inner, receiver, more, more_kwargs):
            assert not isinstance(inner, str)
            first = [] if receiver is None else [receiver]
            return call_value(b, inner, [*first, *more, *args], dict(more_kwargs) | kwargs)
        case Known(value):
            return call_object(b, value, args, kwargs)
        case ObjectRef():
            return call_method(b, function, "__call__", args, kwargs)
        case Num():
            return opaque(b, function.expr, args, kwargs)
    raise b.fail("this value cannot be called here")


def call_method(b: Builder, receiver: Abs, name: str, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    from s2s_ad.build.attributes import attribute

    match receiver:
        case OneOf():
            return choose(b, receiver, lambda r: call_method(b, r, name, args, kwargs))
        case ObjectRef(site):
            obj = b.state.heap[site]
            if isinstance(obj, ListObject):
                return containers.list_method(b, receiver, obj, name, args, kwargs)
            if isinstance(obj, DictObject):
                return containers.dict_method(b, receiver, obj, name, args, kwargs)
            assert isinstance(obj, Instance)
            return call_value(b, attribute(b, receiver, name), args, kwargs)
        case Num():
            if isinstance(receiver.type, ListOf):
                return run_time_lists.method(b, receiver, name, args, kwargs)
            return array_method(b, receiver, name, args, kwargs)
        case Tup(items, cls) if cls is not None:
            if name == "_replace":
                fields = cls._fields  # type: ignore[attr-defined]
                return Tup(tuple(kwargs.get(f, v) for f, v in zip(fields, items, strict=True)), cls)
            return call_value(b, attribute(b, receiver, name), args, kwargs)
    return object_method(b, receiver, name, args, kwargs)


def call_object(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """A call of a Python object that is known."""
    transformation = getattr(fn, "__s2s_inline__", None)
    if transformation is not None:
        derivative: Abs = transformation(b, args, kwargs)
        return derivative
    if any(isinstance(a, Spread) for a in args):
        if fn in (max, min) and len(args) == 1 and isinstance(args[0], Spread):
            args = [args[0].items]
        elif not isinstance(fn, types.FunctionType) or _is_numeric(fn):
            raise b.fail(
                "how many arguments are passed here is not known when the program is derived", "Write them out."
            )
    if args and isinstance(args[0], OneOf) and _is_value_builtin(fn):
        return choose(b, args[0], lambda v: call_object(b, fn, [v, *args[1:]], kwargs))
    known = builtin_calls.call_builtin(b, fn, args, kwargs)
    if known is None:
        known = answered_by_type(b, fn, args, kwargs)
    if known is not None:
        return known
    if fn is markers.stop_gradient:
        return builtin_calls.stopped(args[0])
    written = inplace.call_in_place(b, fn, args, kwargs)
    if written is not None:
        return written
    if isinstance(fn, functools.partial):
        return call_value(
            b,
            Bound(Known(fn.func), None, tuple(_lifted(b, a) for a in fn.args), tuple(_lifted_kwargs(b, fn))),
            args,
            kwargs,
        )
    if isinstance(fn, type):
        definition = composite_for(fn)
        if definition is not None and any(varied(v, b.state.heap) for v in [*args, *kwargs.values()]):
            return user_call(b, definition, args, kwargs, True)
        return construct(b, fn, args, kwargs)
    fn = getattr(fn, "__s2s_primal__", fn)
    if fn is runtime.instance:
        return made_instance(b, *args)
    if (getattr(fn, "__module__", "") or "").startswith("s2s_ad.rules") and (
        b.in_rule or is_static(fn) or fn in _RULE_WORDS
    ):
        return rule_call(b, fn, args, kwargs)
    if isinstance(fn, types.MethodType):
        if _is_library(fn.__func__) and not _is_numeric(fn):
            return library_call(b, fn, args, kwargs)
        if not _is_numeric(fn):
            return call_value(b, Known(fn.__func__), [_lifted(b, fn.__self__), *args], kwargs)
    active = any(varied(v, b.state.heap) for v in [*args, *kwargs.values()])
    if _is_numeric(fn) or rule_for(rule_key(fn)) is not None or is_passive(fn):
        return numeric_call(b, fn, args, kwargs, active)
    return user_call(b, fn, args, kwargs, active)


def _is_value_builtin(fn: Any) -> bool:
    return isinstance(fn, type | types.BuiltinFunctionType) and fn in builtin_calls.HANDLERS_OF_VALUES


def _lifted(b: Builder, value: Any) -> Abs:
    from s2s_ad.build.free_names import lift

    return lift(b, value, lambda: value, "captured", (id(value), "object"))


def _lifted_kwargs(b: Builder, fn: Any) -> list[tuple[str, Abs]]:
    return [(k, _lifted(b, v)) for k, v in fn.keywords.items()]


def _is_numeric(fn: Any) -> bool:
    if isinstance(fn, np.ufunc):
        return True
    owner = getattr(fn, "__self__", None)
    if isinstance(owner, np.ufunc):
        return True
    module = getattr(fn, "__module__", None) or getattr(type(owner), "__module__", "") or ""
    return module.split(".")[0] in _NUMERIC_MODULES


def numeric_call(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs], active: bool) -> Abs:
    if any(isinstance(a, OneOf) for a in (*args, *kwargs.values())):
        names, count = list(kwargs), len(args)
        return each_choice(
            b,
            [*args, *kwargs.values()],
            lambda v: numeric_call(b, fn, v[:count], dict(zip(names, v[count:], strict=True)), active),
        )
    kwargs = {k: v for k, v in kwargs.items() if not (k == "out" and isinstance(v, Known) and v.value is None)}
    key = rule_key(fn)
    args = [_run_time(b, a) for a in args]
    if active and not is_passive(key) and rule_for(key) is None:
        definition = composite_for(key)
        if definition is not None:
            return user_call(b, definition, args, kwargs, active)
        _refuse_missing(b, fn, key)
    if (getattr(fn, "__module__", "") or "").startswith("numpy.random") or isinstance(
        getattr(fn, "__self__", None), _RANDOM
    ):
        return random_call(b, fn, args, kwargs)
    return apply(b, fn, args, kwargs)


_RANDOM = (np.random.Generator, np.random.RandomState)


def _run_time(b: Builder, value: Abs) -> Abs:
    """Iterators as lists, where NumPy is given one."""
    if isinstance(value, Iteration):
        return containers.make_list(b, b.node, containers.items_of(b, value))
    return value


def _refuse_missing(b: Builder, fn: Any, key: Any) -> None:
    name = spelled(fn)
    why = refusal_of(key)
    fact = f"cannot differentiate through `{name}`"
    remedy = why or (
        "it has no derivative rule. Treat it as constant with stop_gradient(...), "
        f"or add a rule with @adjoint_of({name})."
    )
    raise b.fail(fact, remedy, kind=MissingRule)


def spelled(fn: Any) -> str:
    module = getattr(fn, "__module__", None) or ""
    name = str(getattr(fn, "__qualname__", None) or getattr(fn, "__name__", repr(fn)))
    module = module.replace("numpy", "np", 1) if module.startswith("numpy") else module
    if isinstance(fn, np.ufunc):
        module = "np"
    return name if module in ("", "builtins") else f"{module}.{name}"


def random_call(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """A draw: it runs once, and its value is kept."""
    from s2s_ad.build.methods import drawn_type

    exprs = tuple(b.expr(a) for a in args)
    named = tuple((k, b.expr(v)) for k, v in kwargs.items())
    type_ = drawn_type(b, getattr(fn, "__name__", ""), args, kwargs)
    value = Num(Call(fn, exprs, named, type_), origins=frozenset({b.site(b.node, "draw")}))
    return b.bind(b.temp(b.node, "draw"), value)


def library_call(b: Builder, method: Any, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """A method of an object of the standard library, such as a logger: it runs once, and what it is told is passive."""
    exprs = tuple(b.expr(a) for a in args)
    named = tuple((k, b.expr(v)) for k, v in kwargs.items())
    owner: Any = Ref("object", method.__self__)
    if isinstance(method.__self__, logging.Logger):
        owner = Ref("log", method.__self__)
        if logging.getLogger(method.__self__.name) is method.__self__:
            owner = Call(logging.getLogger, (Const(method.__self__.name),))
    call = Call(Method(method.__name__), (owner, *exprs), named, OPAQUE, f"method:{method.__name__}")
    if isinstance(method.__self__, logging.Logger | logging.LoggerAdapter):
        b.emit(Effect(call, b.line))
        return Known(None)
    if any(varied(v, b.state.heap) for v in [*args, *kwargs.values()]):
        raise b.fail(
            f"an active value is passed to `{spelled(method)}`, which cannot be differentiated",
            "Treat it as constant with stop_gradient(...).",
        )
    return b.bind(b.temp(b.node, "outcome"), Num(call, origins=frozenset({b.site(b.node, "opaque")})))


_TOLD = ("logging", "warnings")


def told(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """`logging.info(...)`, `warnings.warn(...)`: passive, and run once."""
    if fn is logging.getLogger:
        names = [known_value(a) for a in args]
        if NOTHING not in names and not kwargs:
            return Known(logging.getLogger(*names))
    exprs = tuple(b.expr(a) for a in args)
    b.emit(Effect(Call(fn, exprs, tuple((k, b.expr(v)) for k, v in kwargs.items()), OPAQUE), b.line))
    return Known(None)


def opaque(b: Builder, function: Any, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """A call of unknown code: it must not see an active value, and runs once."""
    if any(varied(v, b.state.heap) for v in [*args, *kwargs.values()]):
        raise b.fail(
            "an active value is passed to code that cannot be read",
            "Treat it as constant with stop_gradient(...), or give the function a rule with @adjoint_of(...).",
        )
    exprs = tuple(b.expr(a) for a in args)
    named = tuple((k, b.expr(v)) for k, v in kwargs.items())
    value = Num(Call(function, exprs, named, Unknown()), origins=frozenset({b.site(b.node, "opaque")}))
    return b.bind(b.temp(b.node, "outcome"), value)


def rule_call(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """A call inside a rule: written out if it is a formula, else a function of the emitted module."""
    if fn is is_zero:
        return Known(all(_zero(a) for a in args))
    if fn in (refuse, no_derivative):
        texts = [str(known_value(a)) for a in args]
        raise b.fail(f"cannot differentiate {texts[0]}", texts[1] if len(texts) > 1 else "", kind=MissingRule)
    values = [known_value(a) for a in [*args, *kwargs.values()]]
    if is_static(fn) and NOTHING not in values:
        return Known(fn(*values[: len(args)], **dict(zip(kwargs, values[len(args) :], strict=True))))
    source = source_of(b, fn)
    if is_static(fn) or any(isinstance(n, _LOOPS) for n in ast.walk(source.tree)):
        return apply(b, fn, args, kwargs, type_=Unknown())
    return inline(b, source, args, kwargs)


_RULE_WORDS = (is_zero, no_derivative, refuse)
_LOOPS = (ast.For, ast.While, ast.ListComp, ast.GeneratorExp, ast.AugAssign)


def _zero(value: Abs) -> bool:
    known = known_value(value)
    return known is None or (isinstance(known, int | float) and known == 0)


# -- the user's functions ----------------------------------------------------------------------------------------------
def user_call(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs], active: bool) -> Abs:
    if _is_library(fn) and (not active or fn.__module__ in _TOLD):
        return told(b, fn, args, kwargs) if fn.__module__ in _TOLD else opaque(b, fn, args, kwargs)
    try:
        source = source_of(b, fn)
    except (SourceNotFound, UnsupportedSyntax) as error:
        if active:
            raise b.fail(
                f"cannot differentiate through `{spelled(fn)}`: {error.fact}",
                f"Treat it as constant with stop_gradient(...), or give it a rule with @adjoint_of({spelled(fn)}).",
                kind=MissingRule,
            ) from error
        return opaque(b, fn, args, kwargs)
    if active or any(_mutable(b, v) for v in [*args, *kwargs.values()]):
        return inline(b, source, args, kwargs)
    state, length = b.state.copy(), len(b.block)
    try:
        return inline(b, source, args, kwargs)
    except S2SError:
        b.state = state
        del b.block[length:]
        return opaque(b, fn, args, kwargs)


def _mutable(b: Builder, value: Abs) -> bool:
    match value:
        case Num():
            return isinstance(value.type, Array | ListOf)
        case ObjectRef() | Closure() | Bound():
            return True
        case Tup(items):
            return any(_mutable(b, v) for v in items)
    return False


def _is_library(fn: Any) -> bool:
    module = (getattr(fn, "__module__", None) or "").split(".")[0]
    return module in sys.stdlib_module_names and module != "__main__"


def source_of(b: Builder, fn: Any) -> FunctionSource:
    key = getattr(fn, "__code__", fn), id(fn)
    if key not in b.facts.sources:
        b.facts.sources[key] = (retrieve(fn), fn)
    found: FunctionSource = b.facts.sources[key][0]
    return found


def inline(b: Builder, function: FunctionSource | Closure, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """Run the body of a function in a frame of its own, in place."""
    from s2s_ad.build.bound_names import names_assigned
    from s2s_ad.build.builder import Frame
    from s2s_ad.build.statements import run_body

    source = function if isinstance(function, FunctionSource) else function.source
    tree = function.tree
    identity = source.function if isinstance(function, FunctionSource) else id(tree)
    activation = identity, shown(b, [*args, *kwargs.values()])
    if b.calls.count(activation) >= _REPEATED or sum(c[0] == identity for c in b.calls) >= _DEEPEST:
        raise b.fail(
            f"`{getattr(tree, 'name', 'lambda')}` calls itself to a depth that is known only at run time",
            "Write the recursion as a loop, or pass its depth as a constant.",
        )
    normal = _normal(b, tree, source)
    outer = b.frame
    parent = function.frame if isinstance(function, Closure) else None
    assigned, nonlocals = names_assigned(normal)
    place = ("call", outer.key, id(b.node), b.unrolled, id(tree))
    key = b.facts.number((*place, b.count(place)))
    frame = Frame(key, source, parent, assigned, nonlocals)
    values = bind_parameters(b, function, normal, args, kwargs)
    if isinstance(function, FunctionSource):
        frame.this_class = _class_around(source.function)
        frame.receiver = args[0] if args else None
    b.frames[key] = frame
    calls, b.calls = b.calls, (*b.calls, activation)
    b.frame = frame
    try:
        for name, value in values.items():
            b.state.env[key, name] = _passed(b, key, name, value)
        result = run_body(b, normal)
    finally:
        b.frame, b.calls = outer, calls
    if not _holds_closure(result, key):
        result = _kept(b, result, key)
        for env_key in [k for k in b.state.env if k[0] == key]:
            del b.state.env[env_key]
    return result


def _kept(b: Builder, result: Abs, key: Any) -> Abs:
    return result


def _class_around(function: Any) -> type | None:
    """The class that `super()` means in a method: the compiler of Python keeps it in a cell."""
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None)
    if code is None or cells is None or "__class__" not in code.co_freevars:
        return None
    try:
        found = cells[code.co_freevars.index("__class__")].cell_contents
    except ValueError:
        return None
    return found if isinstance(found, type) else None


def _passed(b: Builder, key: Any, name: str, value: Abs) -> Abs:
    if isinstance(value, Num) and not isinstance(value.expr, _ATOMS):
        return b.bind(b.local(key, name), value)
    return value


def _atoms() -> tuple[type, ...]:
    from s2s_ad.ir.nodes import Const, Var

    return (Const, Var)


_ATOMS = _atoms()


def _holds_closure(value: Abs, key: Any) -> bool:
    match value:
        case Closure():
            return True
        case Tup(items):
            return any(_holds_closure(v, key) for v in items)
        case Bound() | ObjectRef():
            return True
    return False


def made_instance(b: Builder, cls: Abs, fields: Abs) -> Abs:
    """What a derivative makes of a class: an object with these attributes."""
    obj = b.state.heap[fields.site] if isinstance(fields, ObjectRef) else None
    assert isinstance(cls, Known) and isinstance(obj, DictObject)
    site = b.site(b.node, f"object {cls.value.__name__}")
    b.state.heap[site] = Instance(cls.value, obj.keys, obj.items)
    return ObjectRef(site)


# -- objects -----------------------------------------------------------------------------------------------------------
def construct(b: Builder, cls: type, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """An instance of a class."""
    import dataclasses

    if issubclass(cls, BaseException) or cls.__module__.split(".")[0] in sys.stdlib_module_names - {"__main__"}:
        return opaque(b, cls, args, kwargs)
    if issubclass(cls, np.generic):
        return apply(b, cls, args, kwargs)
    if cls is np.ndarray:
        return apply(b, np.empty, args, kwargs)
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        fields = cls._fields
        values = dict(zip(fields, args, strict=False)) | kwargs
        for name, value in getattr(cls, "_field_defaults", {}).items():
            values.setdefault(name, _lifted(b, value))
        return Tup(tuple(b.container_item(values[f], b.node, f) for f in fields), cls)
    site = b.site(b.node, f"object {cls.__name__}")
    receiver = b.allocate(site, Instance(cls, (), ()))
    if dataclasses.is_dataclass(cls):
        _fill_dataclass(b, cls, receiver, args, kwargs)
        return receiver
    init = inspect.getattr_static(cls, "__init__", None)
    if isinstance(init, types.FunctionType):
        call_value(b, Known(init), [receiver, *args], kwargs)
        return receiver
    if args or kwargs:
        raise b.fail(f"`{cls.__name__}` cannot be made here", "Make it outside, and pass it as an argument.")
    return receiver


def _fill_dataclass(b: Builder, cls: Any, receiver: ObjectRef, args: list[Abs], kwargs: dict[str, Abs]) -> None:
    import dataclasses

    fields = [f for f in dataclasses.fields(cls) if f.init]
    values = dict(zip([f.name for f in fields], args, strict=False)) | kwargs
    for f in fields:
        if f.name in values:
            value = values[f.name]
        elif f.default is not dataclasses.MISSING:
            value = _lifted(b, f.default)
        elif f.default_factory is not dataclasses.MISSING:
            value = call_value(b, Known(f.default_factory), [], {})
        else:
            raise b.fail(f"`{cls.__name__}` is not given its field `{f.name}`")
        containers.store_attribute(b, receiver, f.name, value)
    if hasattr(cls, "__post_init__"):
        call_value(b, Known(inspect.getattr_static(cls, "__post_init__")), [receiver], {})
    if cls.__dataclass_params__.frozen:
        obj = b.state.heap[receiver.site]
        assert isinstance(obj, Instance)
        b.state.heap[receiver.site] = Instance(cls, obj.names, obj.items, True)

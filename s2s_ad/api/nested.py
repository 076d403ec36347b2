"""Derivatives inside functions that are differentiated: `grad(f)(x)` in a loss.

Enters: a call of a transformed function while a program is built.  Leaves: the abstract value of the call. The inner
program is derived for the abstract arguments, and its text is built like any other function's.
"""

from __future__ import annotations

import ast
import itertools
import linecache
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from s2s_ad.api.binding import Binder, resolved
from s2s_ad.api.selection import Choice, Selection, choose
from s2s_ad.build.calls import inline
from s2s_ad.build.containers import items_of
from s2s_ad.build.free_names import lift
from s2s_ad.build.parameters import bind_parameters
from s2s_ad.build.program import parameter_names
from s2s_ad.build.signature import spec_of
from s2s_ad.build.values import (
    Abs,
    Bound,
    Closure,
    DictObject,
    Instance,
    Known,
    ListObject,
    Num,
    ObjectRef,
    Tup,
    known_value,
)
from s2s_ad.errors import S2SError
from s2s_ad.frontend.source import FunctionSource, retrieve
from s2s_ad.ir.spec import Fields, Items, Leaf, Mapping, Spec
from s2s_ad.ir.types import Array, ListOf, Scalar, TupleOf, Type, Unknown

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder
    from s2s_ad.pipeline import Program

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Transformation:
    """What `grad` or `value_and_grad` does to the function that is given first."""

    choice: Choice
    has_aux: bool
    with_value: bool

    def __s2s_inline__(self, b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
        target = _target(b, args[0], args[1:], kwargs)
        selection = self.choice.select(target.binder, len(args) - 1)
        program = _derived(b, target, "gradient", selection, self.has_aux)
        both = _run(b, program, target)
        assert isinstance(both, Tup) and isinstance(both.items[1], Tup)
        value, gradients = both.items[0], dict(zip(selection.wrt, both.items[1].items, strict=True))
        found = [_item(b, gradients[s.parameter], s.item) for s in selection.slots]
        answer = found[0] if selection.single else Tup(tuple(found))
        if self.with_value:
            return Tup((value, answer))
        if self.has_aux:
            assert isinstance(value, Tup)
            return Tup((answer, value.items[1]))
        return answer


@dataclass(frozen=True)
class _Target:
    """A function to differentiate: its text, a value for each of its parameters, and how it is called."""

    source: FunctionSource
    values: dict[str, Abs]
    binder: Binder


# -- the transformations as the builder meets them ---------------------------------------------------------------------
def transformed(b: Builder, args: list[Abs], kwargs: dict[str, Abs], with_value: bool) -> Abs:
    """`grad(f, argnums, ...)`: a function that waits for its arguments."""
    given = dict(zip(("fun", "argnums"), args, strict=False)) | kwargs
    options = {name: _constant(b, value) for name, value in given.items() if name not in ("fun", "backend")}
    choice = choose(options.get("argnums"), options.get("argnames"))
    transformation = Transformation(choice, bool(options.get("has_aux", False)), with_value)
    return Bound(Known(transformation), None, (given["fun"],))


def called(b: Builder, derivative: Any, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """A call of what `grad` or `value_and_grad` has made outside."""
    transformation = Transformation(derivative.choice, derivative.has_aux, derivative.with_value)
    return transformation.__s2s_inline__(b, [Known(derivative._made_of[0]), *args], kwargs)


def pushed(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """`jvp(f, primals, tangents)`."""
    fun, primals, tangents, has_aux = _three(b, args, kwargs)
    target = _target(b, fun, primals, {})
    floats = [k for k, primal in enumerate(primals) if _holds_float(_spec(b, primal))]
    selection = Choice(tuple(floats), (), False).select(target.binder, len(primals))
    if not selection.direct:
        raise b.fail("jvp through `*args` is not understood here", "Give the function named parameters.")
    program = _derived(b, target, "jvp", selection, has_aux)
    both = _run(b, program, target, [tangents[k] for k in floats])
    assert isinstance(both, Tup)
    if not has_aux:
        return both
    value, tangent = both.items
    assert isinstance(value, Tup)
    return Tup((value.items[0], tangent, value.items[1]))


def hessian_times(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> Abs:
    """`hvp(f, primals, tangents)`: the gradient's `jvp`."""
    fun, primals, tangents, has_aux = _three(b, args, kwargs)
    choice = choose(0 if len(primals) == 1 else tuple(range(len(primals))), None)
    gradient = Bound(Known(Transformation(choice, has_aux, False)), None, (fun,))
    answer = pushed(b, [gradient, Tup(tuple(primals)), Tup(tuple(tangents))], {"has_aux": Known(has_aux)})
    assert isinstance(answer, Tup)
    return Tup(answer.items[1:]) if has_aux else answer.items[1]


def refused(b: Builder, name: str) -> S2SError:
    return b.fail(
        f"`{name}` inside a function that is differentiated is not understood",
        "Use grad, value_and_grad, jvp or hvp there.",
    )


def _three(b: Builder, args: list[Abs], kwargs: dict[str, Abs]) -> tuple[Abs, list[Abs], list[Abs], bool]:
    given = dict(zip(("fun", "primals", "tangents"), args, strict=False)) | kwargs
    has_aux = bool(_constant(b, given.get("has_aux", Known(False))))
    return given["fun"], items_of(b, given["primals"]), items_of(b, given["tangents"]), has_aux


def _constant(b: Builder, value: Abs) -> Any:
    if isinstance(value, ObjectRef) or (isinstance(value, Tup) and value.cls is None):
        return tuple(_constant(b, item) for item in items_of(b, value))
    known = known_value(value)
    if not isinstance(known, int | str | None):
        raise b.fail(
            "what is differentiated must be known when the program is derived", "Write the number or name out."
        )
    return known


def _item(b: Builder, value: Abs, item: int | str | None) -> Abs:
    match value, item:
        case _, None:
            return value
        case Tup(items), int(k):
            return items[k]
        case ObjectRef(site), _ if isinstance(obj := b.state.heap[site], DictObject):
            return obj.items[obj.keys.index(item)]
    raise b.fail("this argument's gradient cannot be taken out")


# -- what is differentiated --------------------------------------------------------------------------------------------
def _target(b: Builder, function: Abs, args: list[Abs], kwargs: dict[str, Abs]) -> _Target:
    match function:
        case Closure():
            return _of_closure(b, function, args, kwargs)
        case Bound(Known(Transformation() as outer), None, (inner,)):
            return _of_transformed(b, outer, inner, args, kwargs)
        case Bound(inner, receiver, more, preset) if not isinstance(inner, str):
            first = [] if receiver is None else [receiver]
            return _target(b, inner, [*first, *more, *args], dict(preset) | kwargs)
        case Known(value):
            return _of_object(b, value, args, kwargs)
    raise b.fail("this value cannot be differentiated: it is no function", "Pass the function itself.")


def _of_object(b: Builder, value: Any, args: list[Abs], kwargs: dict[str, Abs]) -> _Target:
    function, before, preset = resolved(value)
    first = [lift(b, v, lambda v=v: v, "captured", (id(v), "object")) for v in before]  # type: ignore[misc]
    given = {n: lift(b, v, lambda v=v: v, n, (id(v), "object")) for n, v in preset.items()} | kwargs  # type: ignore[misc]
    if hasattr(function, "_s2s"):
        derivative: Any = function
        transformation = Transformation(derivative.choice, derivative.has_aux, derivative.with_value)
        return _of_transformed(b, transformation, Known(derivative._made_of[0]), [*first, *args], given)
    key = ("text", id(function))
    if key not in b.facts.sources:
        b.facts.sources[key] = (retrieve(function), function)
    source: FunctionSource = b.facts.sources[key][0]
    values = bind_parameters(b, source, source.tree, [*first, *args], given)
    values = {name: values[name] for name in parameter_names(source.tree)}
    return _Target(source, values, Binder(source.function, before))


def _of_transformed(b: Builder, outer: Transformation, inner: Abs, args: list[Abs], kwargs: dict[str, Abs]) -> _Target:
    """A derivative to differentiate again: a short function that calls its program."""
    target = _target(b, inner, args, kwargs)
    selection = outer.choice.select(target.binder, len(args))
    program = _derived(b, target, "gradient", selection, outer.has_aux)
    captured = _captured(b, program)
    key = ("calling", id(program))
    if key not in b.facts.sources:
        b.facts.sources[key] = (_calling(program, tuple(target.values), selection, outer), program)
    return _Target(b.facts.sources[key][0], target.values | captured, target.binder)


def _calling(program: Program, names: tuple[str, ...], selection: Selection, outer: Transformation) -> FunctionSource:
    captured = [capture.parameter for capture in program.captures]
    taken = {*names, *captured, program.name}
    bars = {wrt: _free(f"{wrt}_bar", taken) for wrt in selection.wrt}
    value = _free("value", taken)
    answers = [bars[s.parameter] + ("" if s.item is None else f"[{s.item!r}]") for s in selection.slots]
    answer = answers[0] if selection.single else f"({', '.join(answers)},)"
    if outer.with_value:
        answer = f"{value}, {answer}"
    elif outer.has_aux:
        answer = f"{answer}, {value}[1]"
    name = f"{program.name}_value"
    passed = [*names, *(f"{c}={c}" for c in captured)]
    text = (
        f"def {name}({', '.join([*names, *captured])}):\n"
        f"    {value}, ({', '.join(bars.values())},) = {program.name}({', '.join(passed)})\n"
        f"    return {answer}\n"
    )
    filename = f"<s2s_ad:{name} nested {next(_numbers)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    scope: dict[str, Any] = {program.name: program.function}
    exec(compile(text, filename, "exec"), scope)
    return retrieve(scope[name])


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


# -- closures ----------------------------------------------------------------------------------------------------------
def _of_closure(b: Builder, closure: Closure, args: list[Abs], kwargs: dict[str, Abs]) -> _Target:
    """A function defined inside the program: what it captures becomes parameters."""
    tree = _definition(closure.tree)
    own = bind_parameters(b, closure, tree, args, kwargs)
    own = {name: own[name] for name in parameter_names(tree)}
    captured, functions = _captures_of(b, closure, tree, set(own))
    key = ("closure", id(closure.tree), tuple(captured), tuple(functions))
    if key not in b.facts.sources:
        made = _with_parameters(tree, [*own, *captured], list(functions.values()))
        source = FunctionSource(closure.source.function, tree.name, made, closure.source.filename, closure.source.lines)
        b.facts.sources[key] = (source, closure.tree, _signature_of(tree))
    source, _, signature = b.facts.sources[key]
    return _Target(source, own | captured, Binder(signature))


def _definition(tree: ast.FunctionDef | ast.Lambda) -> ast.FunctionDef:
    if isinstance(tree, ast.FunctionDef):
        return tree
    body: list[ast.stmt] = [ast.copy_location(ast.Return(tree.body), tree.body)]
    made = ast.FunctionDef(name="lambda_", args=tree.args, body=body, decorator_list=[], returns=None)
    return ast.copy_location(made, tree)


def _captures_of(
    b: Builder, closure: Closure, tree: ast.FunctionDef, bound: set[str]
) -> tuple[dict[str, Abs], dict[str, ast.FunctionDef]]:
    """The values, and the local functions, that a closure takes from the frames around it."""
    values: dict[str, Abs] = {}
    functions: dict[str, ast.FunctionDef] = {}
    pending = [(tree, closure.frame, bound)]
    while pending:
        current, frame, own = pending.pop()
        _refuse_writes(b, current, own)
        for name in _loaded(current) - own - _assigned(current):
            if name in values or name in functions:
                continue
            value = _read(b, frame, name)
            if isinstance(value, Closure):
                inner = _definition(value.tree)
                functions[name] = replace_name(inner, name)
                pending.append((inner, value.frame, set(parameter_names(inner))))
            elif value is not None:
                values[name] = value
    return dict(sorted(values.items())), functions


def replace_name(tree: ast.FunctionDef, name: str) -> ast.FunctionDef:
    made = ast.FunctionDef(name=name, args=tree.args, body=tree.body, decorator_list=[], returns=None)
    return ast.copy_location(made, tree)


def _loaded(tree: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _assigned(tree: ast.AST) -> set[str]:
    stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    stored |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    return stored | {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n is not tree}


def _refuse_writes(b: Builder, tree: ast.FunctionDef, own: set[str]) -> None:
    local = own | _assigned(tree)
    for node in ast.walk(tree):
        base = node
        while isinstance(base, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):  # type: ignore[attr-defined]
            base = base.value
        outside = isinstance(base, ast.Name) and base is not node and base.id not in local
        if outside or isinstance(node, ast.Nonlocal | ast.Global):
            raise b.fail(
                f"`{tree.name}` changes a value of the function around it, and is differentiated inside it",
                "Return the value instead.",
            )


def _read(b: Builder, frame: Any, name: str) -> Abs | None:
    key = frame
    while True:
        if (key, name) in b.state.env:
            return b.state.env[key, name]
        outer = b.frames[key].parent
        if outer is None:
            return None
        key = outer


def _with_parameters(tree: ast.FunctionDef, names: list[str], functions: list[ast.FunctionDef]) -> ast.FunctionDef:
    arguments = ast.arguments([], [ast.copy_location(ast.arg(n), tree) for n in names], None, [], [], None, [])
    made = ast.FunctionDef(
        name=tree.name, args=arguments, body=[*functions[::-1], *tree.body], decorator_list=[], returns=None
    )
    return ast.copy_location(made, tree)


def _signature_of(tree: ast.FunctionDef) -> Any:
    """A function with the closure's parameters, to count arguments by."""
    nothing: list[ast.expr] = [ast.Constant(None) for _ in tree.args.defaults]
    keywords: list[ast.expr | None] = [None if d is None else ast.Constant(None) for d in tree.args.kw_defaults]
    a = tree.args
    arguments = ast.arguments(a.posonlyargs, a.args, a.vararg, a.kwonlyargs, keywords, a.kwarg, nothing)
    made = ast.FunctionDef(name=tree.name, args=arguments, body=[ast.Pass()], decorator_list=[], returns=None)
    if "type_params" in made._fields:
        vars(made)["type_params"] = []
    module = ast.fix_missing_locations(ast.Module([ast.copy_location(made, tree)], []))
    scope: dict[str, Any] = {"__builtins__": {}}
    exec(compile(module, "<s2s_ad signature>", "exec"), scope)
    return scope[tree.name]


# -- inner programs ----------------------------------------------------------------------------------------------------
def _derived(
    b: Builder, target: _Target, mode: Literal["gradient", "jvp"], selection: Selection, has_aux: bool
) -> Program:
    from s2s_ad import pipeline

    specs = {name: _spec(b, value) for name, value in target.values.items()}
    for slot in selection.slots:
        if not _holds_float(specs[slot.parameter]):
            raise b.fail(f"argument `{slot.label}` holds no floating-point number, and cannot be differentiated")
    request = pipeline.Request(mode, selection.wrt, has_aux)
    key = ("program", id(target.source), tuple(specs.items()), request)
    if key not in b.facts.sources:
        b.facts.sources[key] = (pipeline.derive(target.source, specs, request), target.source)
        if any(_is_open(value.type) for value in target.values.values() if isinstance(value, Num)):
            longer = {name: _spec(b, value, 3) for name, value in target.values.items()}
            if pipeline.derive(target.source, longer, request).text != b.facts.sources[key][0].text:
                raise b.fail(
                    "the derivative of a function of a list depends on the list's length, which is not known here",
                    "Use a tuple, or an array.",
                )
    program: Program = b.facts.sources[key][0]
    return program


def _captured(b: Builder, program: Program) -> dict[str, Abs]:
    for k, guard in enumerate(program.guards):
        b.guards[id(program), f"guard {k}"] = guard
    return {c.parameter: lift(b, c.read(), c.read, c.parameter, (id(program), c.parameter)) for c in program.captures}


def _run(b: Builder, program: Program, target: _Target, tangents: Sequence[Abs] = ()) -> Abs:
    key = ("text", id(program.function))
    if key not in b.facts.sources:
        b.facts.sources[key] = (retrieve(program.function), program)
    return inline(b, b.facts.sources[key][0], [*target.values.values(), *tangents], _captured(b, program))


# -- specs of abstract values ------------------------------------------------------------------------------------------
def _spec(b: Builder, value: Abs, length: int = 2) -> Spec:
    match value:
        case Num():
            return _spec_of_type(b, value.type, length)
        case Known(obj):
            return spec_of(obj)
        case Tup(items, cls):
            parts = tuple(_spec(b, item, length) for item in items)
            return Items("tuple", parts) if cls is None else Fields(cls, cls._fields, parts)  # type: ignore[attr-defined]
        case ObjectRef(site):
            obj = b.state.heap[site]
            parts = tuple(_spec(b, item, length) for item in obj.items)
            match obj:
                case ListObject():
                    return Items("list", parts)
                case DictObject(keys):
                    return Mapping(keys, parts)
                case Instance(cls, names):
                    return Fields(cls, names, parts)
    raise b.fail(
        "this value cannot be an argument of a derivative here", "Pass numbers, arrays, and containers of them."
    )


def _spec_of_type(b: Builder, type_: Type, length: int) -> Spec:
    match type_:
        case Scalar():
            return Leaf(replace(type_, size=None))
        case Array() | Unknown():
            return Leaf(type_)
        case TupleOf(items):
            return Items("tuple", tuple(_spec_of_type(b, item, length) for item in items))
        case ListOf(item) if item is not None:
            return Items("list", (_spec_of_type(b, item, length),) * length)
    raise b.fail(
        "this value cannot be an argument of a derivative here", "Pass numbers, arrays, and containers of them."
    )


def _is_open(type_: Type) -> bool:
    return isinstance(type_, ListOf) or (isinstance(type_, TupleOf) and any(map(_is_open, type_.items)))


def _holds_float(spec: Spec) -> bool:
    match spec:
        case Leaf(Scalar(dtype) | Array(dtype)):
            return dtype.kind in "fc"
        case Leaf(Unknown(dtype)):
            return dtype is None or dtype.kind in "fc"
        case Items(_, items) | Mapping(_, items) | Fields(_, _, items):
            return any(map(_holds_float, items))
    return False

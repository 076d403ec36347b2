"""How the arguments of a call meet the parameters of a function.

Enters: a function and abstract arguments.  Leaves: the abstract value of each parameter, its default where none is
given.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from s2s_ad.build import run_time_lists
from s2s_ad.build.numeric import index
from s2s_ad.build.values import (
    Abs,
    Closure,
    DictObject,
    Known,
    Spread,
    Tup,
)
from s2s_ad.frontend.normalise import normalise
from s2s_ad.frontend.source import FunctionSource
from s2s_ad.ir.nodes import Call, Const, If, Raise, number
from s2s_ad.ir.types import BOOL, OPAQUE

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


def _bound_spread(b: Builder, args: list[Abs], positional: list[str], required: int, variadic: bool) -> list[Abs]:
    """Arguments of which some are the items of a list of run-time length."""
    at = next(k for k, a in enumerate(args) if isinstance(a, Spread))
    spread, rest = args[at], args[at + 1 :]
    assert isinstance(spread, Spread)
    missing = len(positional) - at
    if variadic and missing <= 0:
        parts: list[Abs] = [Tup(tuple(args[len(positional) : at]))] if at > len(positional) else []
        parts += [a.items if isinstance(a, Spread) else Tup((a,)) for a in args[at:]]
        whole = parts[0] if len(parts) == 1 else run_time_lists.joined(b, parts, b.node)
        return [*args[: len(positional)], Spread(run_time_lists.named(b, whole, b.node, "arguments", "all"))]
    if rest or required != len(positional) or variadic:
        raise b.fail("how many arguments are passed here is not known when the program is derived", "Write them out.")
    count = run_time_lists.length(spread.items)
    wrong = Call(operator.ne, (count.expr, number(missing)), (), BOOL, "op")
    error = Call(TypeError, (Const(f"{missing} positional arguments are needed"),), (), OPAQUE)
    b.emit(If(wrong, (Raise(error, b.line),), (), b.line))
    return [*args[:at], *(index(b, spread.items, [Known(k)], True) for k in range(missing))]


def _normal(b: Builder, tree: Any, source: FunctionSource) -> ast.FunctionDef:
    key = id(tree)
    if key not in b.facts.trees:
        if isinstance(tree, ast.Lambda):
            ret = ast.Return(tree.body)
            ast.copy_location(ret, tree.body)
            made = ast.FunctionDef(name="lambda_", args=tree.args, body=[ret], decorator_list=[], returns=None)
            ast.copy_location(made, tree)
            b.facts.trees[key] = (made, tree)
        else:
            b.facts.trees[key] = (normalise(tree, source), tree)
    normal: ast.FunctionDef = b.facts.trees[key][0]
    return normal


def bind_parameters(
    b: Builder, function: FunctionSource | Closure, tree: ast.FunctionDef, args: list[Abs], kwargs: dict[str, Abs]
) -> dict[str, Abs]:
    """Parameters and their values, as Python binds them."""
    a = tree.args
    positional = [p.arg for p in [*a.posonlyargs, *a.args]]
    keyword_only = [p.arg for p in a.kwonlyargs]
    if any(isinstance(v, Spread) for v in args):
        args = _bound_spread(b, args, positional, _required(function, positional), a.vararg is not None)
    values: dict[str, Abs] = dict(zip(positional, args, strict=False))
    extra = args[len(positional) :]
    name = tree.name
    if extra and a.vararg is None:
        raise b.fail(f"`{name}` takes {len(positional)} positional arguments, {len(args)} are given")
    if a.vararg is not None:
        whole = extra[0] if extra else None
        values[a.vararg.arg] = whole.items if isinstance(whole, Spread) else Tup(tuple(extra))
    rest: dict[str, Abs] = {}
    only_positional = {p.arg for p in a.posonlyargs}
    for key, value in kwargs.items():
        if (
            key in values
            and key not in rest
            and (key in positional or key in keyword_only)
            and key not in only_positional
        ):
            raise b.fail(f"`{name}` is given its argument `{key}` twice")
        if (key in positional and key not in only_positional) or key in keyword_only:
            values[key] = value
        elif a.kwarg is not None:
            rest[key] = value
        else:
            raise b.fail(f"`{name}` has no parameter `{key}`")
    if a.kwarg is not None:
        site = b.site(b.node, "kwargs")
        parts = tuple(b.container_item(v, b.node, k) for k, v in rest.items())
        values[a.kwarg.arg] = b.allocate(site, DictObject(tuple(rest), parts))
    defaults = _defaults(b, function, positional, keyword_only)
    for parameter in [*positional, *keyword_only]:
        if parameter in values:
            continue
        if parameter not in defaults:
            raise b.fail(f"`{name}` is not given its argument `{parameter}`")
        values[parameter] = defaults[parameter]()
    return values


def _required(function: FunctionSource | Closure, positional: list[str]) -> int:
    """How many positional parameters have no default."""
    given = function.defaults if isinstance(function, Closure) else getattr(function.function, "__defaults__", None)
    return len(positional) - len(given or ())


def _defaults(
    b: Builder, function: FunctionSource | Closure, positional: list[str], keyword_only: list[str]
) -> dict[str, Callable[[], Abs]]:
    from s2s_ad.build.free_names import lift

    if isinstance(function, Closure):
        found: dict[str, Callable[[], Abs]] = {}
        for key, value in zip(positional[len(positional) - len(function.defaults) :], function.defaults, strict=True):
            found[key] = lambda value=value: value  # type: ignore[misc]
        for key, value in function.kw_defaults:
            found[key] = lambda value=value: value  # type: ignore[misc]
        return found
    live = function.function
    objects = live.__defaults__ or ()
    out: dict[str, Callable[[], Abs]] = {}
    for k, key in enumerate(positional[len(positional) - len(objects) :]):
        read = lambda k=k: (live.__defaults__ or ())[k]  # noqa: E731
        out[key] = lambda read=read, key=key: _default(b, lift, read, key, live)  # type: ignore[misc]
    for key in live.__kwdefaults__ or {}:
        read = lambda key=key: (live.__kwdefaults__ or {})[key]  # noqa: E731
        out[key] = lambda read=read, key=key: _default(b, lift, read, key, live)  # type: ignore[misc]
    return out


def _default(b: Builder, lift: Any, read: Callable[[], Any], key: str, live: Any) -> Abs:
    value = read()
    if isinstance(value, int | float | complex) and not isinstance(value, bool):
        b.guards[id(live), f"default {key}"] = _guard(read, value)
        return Known(value)
    found: Abs = lift(b, value, read, key, (id(live), f"default {key}"))
    return found


def _guard(read: Callable[[], Any], value: Any) -> Any:
    from s2s_ad.build.builder import Guard

    return Guard(read, value)

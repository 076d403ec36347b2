"""The builder's front door: one function and one signature, as an IR program.

Enters: a `FunctionSource`, the `Spec` of each parameter, the names to differentiate by.  Leaves: a `Built` program.
"""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from s2s_ad.build.arguments import argument
from s2s_ad.build.bound_names import names_assigned
from s2s_ad.build.builder import Builder, Capture, Facts, Frame, Guard, Restart
from s2s_ad.build.holes import hole
from s2s_ad.build.statements import run_body
from s2s_ad.build.values import Abs, is_number
from s2s_ad.errors import AliasingError, CertainError, S2SError, UnsupportedSyntax, internal
from s2s_ad.frontend.normalise import normalise
from s2s_ad.frontend.source import FunctionSource, place_of
from s2s_ad.ir.names import Names
from s2s_ad.ir.nodes import Assign, Block, Const, Expr, Parameter, Var, number
from s2s_ad.ir.spec import Spec
from s2s_ad.ir.types import OPAQUE, Type

_WALKS = 400
_STACK = 10_000


@dataclass(frozen=True)
class Built:
    """A primal program: its parameters, its statements, and the abstract value of its result."""

    name: str
    parameters: tuple[Parameter, ...]
    body: Block
    result: Abs
    builder: Builder
    arguments: dict[str, Abs]
    captures: tuple[Capture, ...]
    guards: tuple[Guard, ...]


def parameter_names(tree: ast.FunctionDef) -> list[str]:
    """The parameters in the order in which the emitted program takes them."""
    a = tree.args
    names = [p.arg for p in [*a.posonlyargs, *a.args]]
    if a.vararg is not None:
        names.append(a.vararg.arg)
    names += [p.arg for p in a.kwonlyargs]
    if a.kwarg is not None:
        names.append(a.kwarg.arg)
    return names


def build(source: FunctionSource, specs: dict[str, Spec], wrt: tuple[str, ...]) -> Built:
    """Walk the function until nothing new is learnt."""
    with deep_recursion():
        return _settled(source, specs, wrt)


_deep = threading.Lock()
_depth = 0
_limit = 0


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Functions that are written out in each other, and deep expressions, need a deep stack.

    The limit is the process's: the first to need it sets it, the last to need it sets it back."""
    global _depth, _limit
    with _deep:
        if _depth == 0:
            _limit = sys.getrecursionlimit()
            sys.setrecursionlimit(max(_limit, _STACK))
        _depth += 1
    try:
        yield
    finally:
        with _deep:
            _depth -= 1
            if _depth == 0:
                sys.setrecursionlimit(_limit)


def _settled(source: FunctionSource, specs: dict[str, Spec], wrt: tuple[str, ...]) -> Built:
    tree = normalise(source.tree, source)
    facts = Facts()
    try:
        return _walked(source, tree, facts, specs, wrt)
    except (UnsupportedSyntax, AliasingError) as error:
        if isinstance(error, CertainError) or not facts.loops:
            raise
        # A loop of few iterations may have hidden what must be known: every one of them is written out.
        patient = Facts(unrolled=set(facts.loops), unrolls=True)
        try:
            return _walked(source, tree, patient, specs, wrt)
        except S2SError:
            raise error from None


def _walked(
    source: FunctionSource, tree: ast.FunctionDef, facts: Facts, specs: dict[str, Spec], wrt: tuple[str, ...]
) -> Built:
    reserved = set(_every_name(source.tree))
    for _ in range(_WALKS):
        builder = Builder(source, facts, Names(reserved))
        try:
            return _walk(builder, tree, specs, wrt)
        except Restart:
            continue
        except S2SError:
            raise
        except RecursionError as error:
            raise internal(error, place_of(source, builder.node), _construct(builder.node)) from error
        except Exception as error:
            raise internal(error, place_of(builder.frame.source, builder.node), _construct(builder.node)) from error
    raise S2SError("this program's memory could not be understood", "Simplify how its arrays share memory.")


def _construct(node: ast.AST) -> str:
    try:
        return ast.unparse(node).splitlines()[0]
    except Exception:
        return type(node).__name__


def _every_name(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(name) | ast.arg(name):
                yield name
            case ast.FunctionDef(name):
                yield name


def _walk(b: Builder, tree: ast.FunctionDef, specs: dict[str, Spec], wrt: tuple[str, ...]) -> Built:
    assigned, nonlocals = names_assigned(tree)
    b.parameters = frozenset(parameter_names(b.source.tree))
    b.frame = Frame((), b.source, None, assigned, nonlocals)
    b.frames[()] = b.frame
    arguments: dict[str, Abs] = {}
    parameters: list[Parameter] = []
    defaults = _defaults(b.source)
    for name in parameter_names(b.source.tree):
        b.wrt_argument = name in wrt
        b.local((), name)
        spec = specs[name]
        value = argument(b, Var(name, OPAQUE), spec, f"argument {name}")
        arguments[name] = b.state.env[(), name] = value
        parameters.append(Parameter(name, _parameter_type(value), *defaults.get(name, (None, False))))
    b.wrt_argument = False
    result = run_body(b, tree)
    for capture in b.captures:
        parameters.append(Parameter(capture, b.types.get(capture, OPAQUE)))
    given = {p.name for p in parameters}
    return Built(
        b.source.name,
        tuple(parameters),
        (*(Assign((n,), (hole(b.types.get(n, OPAQUE)),), 0, "join") for n in b.initial if n not in given), *b.block),
        result,
        b,
        arguments,
        tuple(b.captures.values()),
        tuple(b.guards.values()),
    )


def _defaults(source: FunctionSource) -> dict[str, tuple[Expr, bool]]:
    """The defaults of the last parameters, where each of them is a plain constant."""
    tree, function = source.tree, source.function
    names = parameter_names(tree)
    values = dict(getattr(function, "__kwdefaults__", None) or {})
    positional = [p.arg for p in [*tree.args.posonlyargs, *tree.args.args]]
    given = getattr(function, "__defaults__", None) or ()
    values |= dict(zip(positional[len(positional) - len(given) :], given, strict=True)) if given else {}
    found: dict[str, tuple[Expr, bool]] = {}
    for name in reversed(names):
        value = values.get(name, names)
        if not (value is None or type(value) in (bool, int, float, complex, str)):
            break
        found[name] = (number(value) if is_number(value) else Const(value), True)
    return found


def _parameter_type(value: Any) -> Type:
    expr = getattr(value, "expr", None)
    return OPAQUE if expr is None else expr.type

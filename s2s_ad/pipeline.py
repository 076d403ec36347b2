"""The way of the data, from a function's source to a compiled derivative.

Enters: a `FunctionSource`, the spec of each parameter, a `Request`.  Leaves: a `Program`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from s2s_ad.backends.numpy_backend import compile_module
from s2s_ad.build.builder import Capture, Guard
from s2s_ad.build.program import Built, build, deep_recursion
from s2s_ad.differentiate.forward import primal as as_understood
from s2s_ad.differentiate.forward import tangent
from s2s_ad.differentiate.gradient import Adjoint, gradient, vjp
from s2s_ad.emit.module import emit_module
from s2s_ad.emit.result_spec import result_spec
from s2s_ad.frontend.source import FunctionSource
from s2s_ad.ir.spec import Spec
from s2s_ad.simplify.clean import clean

Mode = Literal["primal", "gradient", "vjp", "jvp"]


@dataclass(frozen=True)
class Request:
    """What is asked for: which derivative, with respect to which parameters, for which backend."""

    mode: Mode
    wrt: tuple[str, ...]
    has_aux: bool = False
    optimize: bool = True
    backend: str = "numpy"


@dataclass(frozen=True)
class Program:
    """A compiled derivative. What `text` says is what `function` runs."""

    text: str
    name: str
    function: Callable[..., Any]
    reverse: Callable[..., Any] | None
    captures: tuple[Capture, ...]
    guards: tuple[Guard, ...]
    result_spec: Spec | None


def derive(source: FunctionSource, specs: dict[str, Spec], request: Request) -> Program:
    with deep_recursion():
        return _derived(source, specs, request)


def _derived(source: FunctionSource, specs: dict[str, Spec], request: Request) -> Program:
    primal = build(source, specs, request.wrt)
    adjoint = differentiate(primal, source, request)
    functions = [clean(f, request.optimize) for f in adjoint.functions]
    module = emit_module(functions, adjoint.names, source.comments, source.own_lines, header(primal, request))
    compiled = compile_module(module, source, primal.builder.frames)
    return Program(
        module.text,
        module.entry,
        compiled[module.entry],
        compiled.get(adjoint.reverse) if adjoint.reverse else None,
        primal.captures,
        primal.guards,
        result_spec(primal.result, primal.builder),
    )


def differentiate(primal: Built, source: FunctionSource, request: Request) -> Adjoint:
    def line(number: int) -> str:
        return source_line(source, number)

    match request.mode:
        case "gradient":
            return gradient(primal, request.wrt, request.has_aux, line, request.optimize)
        case "vjp":
            return vjp(primal, request.wrt, request.has_aux, line, request.optimize)
        case "jvp":
            return tangent(primal, request.wrt, request.has_aux)
        case "primal":
            return as_understood(primal)


def header(primal: Built, request: Request) -> str:
    return f"# The {'gradient' if request.mode == 'gradient' else request.mode} of {primal.name}, written by s2s_ad."


def source_line(source: FunctionSource, number: int) -> str:
    """The author's line, for a comment: one line, without control characters and without the author's own comment."""
    from s2s_ad.frontend.comments import escaped

    if not 0 < number <= len(source.lines):
        return ""
    text = source.lines[number - 1].strip()
    comment = source.comments.get(number)
    if comment and text.endswith(comment):
        text = text[: -len(comment)].rstrip()
    return escaped(text)

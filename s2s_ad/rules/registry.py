"""The registry of derivative rules, keyed by function object.

Enters: rules, written as small runnable functions.  Leaves: `rule_for(function)`.

A rule reads like the mathematics. Its parameters are the operands, the result and the result's cotangent, then the options
of the primal with the primal's own defaults; it returns one expression an operand:

    @adjoint_of(np.multiply, multilinear=True, samples=...)
    def multiply(x, y, z, z_bar):
        return z_bar * y, z_bar * x

    derivative(np.tanh, "1 - y * y", samples=...)            # elementwise: x operand, y result
    derivative(np.hypot, "x / z", "y / z", samples=...)      # elementwise, two operands x, y, result z

Broadcasting, dtypes and complex conjugation are the transformation's business; no rule mentions them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from s2s_ad.errors import SignatureError

Kind = Literal["elementwise", "linear", "multilinear", "general"]


@dataclass(frozen=True)
class Sample:
    """One call on which a rule is tested. `wrt` names the positional operands to differentiate (default: every float one)."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    wrt: tuple[int, ...] | None = None
    smooth: bool = True


SampleMaker = Callable[[], Sequence[Sample]]


@dataclass(frozen=True)
class Rule:
    """How a function is differentiated.

    kind: "elementwise" (one expression an operand is the partial derivative times the cotangent, so the tangent follows),
          "linear" (the tangent is the function itself applied to the tangent of its first operand),
          "multilinear" (the tangent is the sum over operands), "general" (a tangent is written beside it, if at all).
    view: the result may be a view of the first operand.
    """

    primal: Callable[..., Any]
    adjoint: Callable[..., Any]
    operands: tuple[str, ...]
    result: str
    cotangent: str
    options: dict[str, Any]
    kind: Kind
    tangent: Callable[..., Any] | None
    samples: SampleMaker
    variadic: bool = False
    view: bool = False


_RULES: dict[Any, Rule] = {}
_PASSIVE: set[Any] = set()
_COMPOSITES: dict[Any, tuple[Callable[..., Any], SampleMaker]] = {}
_REFUSED: dict[Any, str] = {}


def adjoint_of(
    primal: Callable[..., Any],
    *,
    samples: SampleMaker | Sequence[Sample] = (),
    kind: Kind = "general",
    tangent: Callable[..., Any] | None = None,
    view: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as the adjoint of `primal`."""

    def register(adjoint: Callable[..., Any]) -> Callable[..., Any]:
        operands, result, cotangent, options, variadic = _shape_of_rule(adjoint)
        maker = samples if callable(samples) else lambda: samples
        _RULES[primal] = Rule(
            primal, adjoint, operands, result, cotangent, options, kind, tangent, maker, variadic, view
        )
        return adjoint

    return register


def _shape_of_rule(
    adjoint: Callable[..., Any],
) -> tuple[tuple[str, ...], str, str, dict[str, Any], bool]:
    parameters = list(inspect.signature(adjoint).parameters.values())
    positional = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    options = {p.name: p.default for p in parameters if p.default is not p.empty}
    names = [p.name for p in positional]
    if len(names) < 2 or not names[-1].endswith("_bar") or names[-1] != names[-2] + "_bar":
        raise SignatureError(
            f"the rule `{adjoint.__name__}` must take the operands, the result and its cotangent, as in (x, y, z, z_bar); "
            f"it takes ({', '.join(p.name for p in parameters)})"
        )
    return tuple(names[:-2]), names[-2], names[-1], options, variadic


def derivative(primal: Callable[..., Any], *partials: str, samples: SampleMaker | Sequence[Sample] = ()) -> None:
    """Register an elementwise function by its partial derivatives, written over `x` (and `y`), with the result last."""
    names = ("x", "y", "z", "w")[: len(partials) + 1]
    result = names[-1]
    body = ", ".join(f"{result}_bar * ({partial})" for partial in partials)
    text = f"def {primal.__name__}({', '.join(names)}, {result}_bar):\n    return {body}\n"
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    filename = f"<s2s_ad rule {primal.__module__}.{primal.__name__}>"
    adjoint = _function_from_text(text, primal.__name__, filename, frame.f_back.f_globals)
    adjoint_of(primal, samples=samples, kind="elementwise")(adjoint)


def _function_from_text(text: str, name: str, filename: str, globals_: dict[str, Any]) -> Callable[..., Any]:
    import linecache

    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    scope: dict[str, Any] = {}
    exec(compile(text, filename, "exec"), globals_, scope)
    function: Callable[..., Any] = scope[name]
    return function


def composite(primal: Callable[..., Any], *, samples: SampleMaker | Sequence[Sample] = ()) -> Callable[[Any], Any]:
    """Register a definition of `primal` in plain NumPy, which the compiler differentiates in its place."""

    def register(definition: Callable[..., Any]) -> Callable[..., Any]:
        maker = samples if callable(samples) else lambda: samples
        _COMPOSITES[primal] = (definition, maker)
        return definition

    return register


def passive(*functions: Any) -> None:
    """Register functions through which no derivative flows (zero is their derivative, or they give no float)."""
    _PASSIVE.update(functions)


def refused(function: Any, why: str) -> None:
    """Register a function that has no derivative here, with the reason and the remedy."""
    _REFUSED[function] = why


def rule_for(function: Any) -> Rule | None:
    return _RULES.get(function) if _hashable(function) else None


def composite_for(function: Any) -> Callable[..., Any] | None:
    entry = _COMPOSITES.get(function) if _hashable(function) else None
    return entry[0] if entry else None


def is_passive(function: Any) -> bool:
    return _hashable(function) and function in _PASSIVE


def refusal_of(function: Any) -> str | None:
    return _REFUSED.get(function) if _hashable(function) else None


def all_rules() -> dict[Any, Rule]:
    return dict(_RULES)


def all_composites() -> dict[Any, tuple[Callable[..., Any], SampleMaker]]:
    return dict(_COMPOSITES)


def all_passive() -> set[Any]:
    return set(_PASSIVE)


def _hashable(function: Any) -> bool:
    try:
        hash(function)
    except TypeError:
        return False
    return True

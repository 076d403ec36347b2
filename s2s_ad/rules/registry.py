"""The registry of derivative rules, keyed by function object.

Enters: rules, written as small runnable functions.  Leaves: `rule_for(function)`.

A rule reads like the mathematics. Its parameters are the operands, the result and the result's cotangent, then the
options of the primal by the primal's own names and defaults; it returns one expression an operand:

    @adjoint_of(np.multiply, kind="multilinear", samples=...)
    def multiply(x, y, z, z_bar):
        return z_bar * y, z_bar * x

    derivative(np.tanh, "1 - y * y", samples=...)            # elementwise: x operand, y result
    derivative(np.hypot, "x / z", "y / z", samples=...)      # elementwise, two operands x, y, result z
    derivative(np.log, "y_bar / x", samples=...)             # the cotangent written out, where that reads better

What a rule may rely on:
- The cotangent that it receives has the result's shape. An expression may have any shape from which broadcasting leads
  to the operand's or back: the transformation sums it over the axes that the operand lacks (or has with length one),
  and broadcasts it over those that the expression lacks.
- dtypes are cast to the operand's at the end; no rule mentions them.
- Complex numbers: cotangents pair bilinearly, Re(sum(y_bar * y_dot)), as JAX's do, so a holomorphic rule is written as
  if its numbers were real, and needs no conjugate. A real operand takes the real part. Functions that are not
  holomorphic (`abs`, `real`, `imag`, `angle`, `conj`) write what this pairing gives, and say so.
- `None` as an expression: no derivative flows to that operand (an index, a condition).
- A result that is a tuple has a tuple of cotangents; a part that nothing uses arrives as the constant 0. Likewise an
  operand that is inactive has the constant 0 as its tangent.
- `sequence=True`: the first operand is a sequence of arrays, and its expression is a sequence of expressions.
- A `*xs` parameter takes the operands that the primal takes so; its expressions follow the others in one tuple.
- A function marked `@static` is evaluated while compiling when its arguments are known then.
- `refuse("np.linalg.qr with mode='raw'", "Use mode='reduced'.")` where it is reached: MissingRule at the call's place.
- `no_derivative("the order of scipy.special.jv")` as an operand's expression: MissingRule if that operand is active.
- `is_zero(v_bar)` folds: True if that part's cotangent (or that operand's tangent) is the constant 0, which is how one
  that nothing uses arrives. For rules in which `0 * inf` would give NaN, such as eigenvectors of equal eigenvalues.

Rules for SciPy are loaded when one of its functions is first looked up; `lookup.py` says how.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from s2s_ad.errors import SignatureError
from s2s_ad.ir.nodes import Call, Choice, Const, Display, Index, Lazy, Ref, Var
from s2s_ad.rules.lookup import load_family

Kind = Literal["elementwise", "linear", "multilinear", "general"]


@dataclass(frozen=True)
class Sample:
    """One call on which a rule is tested. `wrt` names the operands to differentiate (default: every float one)."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    wrt: tuple[int, ...] | None = None
    smooth: bool = True


SampleMaker = Callable[[], Sequence[Sample]]
Binder = Callable[..., tuple[tuple[Any, ...], dict[str, Any]]]


@dataclass(frozen=True)
class Rule:
    """How a function is differentiated.

    kind: "elementwise" (each expression is a partial derivative times the cotangent, so the tangent follows),
          "linear" (the tangent is the function itself applied to the tangent of its first operand),
          "multilinear" (the tangent is the sum over operands), "general" (a tangent is written beside it, if at all).
    view: the result may be a view of the first operand.
    sequence: the first operand is a sequence of arrays.
    binder: takes a call's arguments as the primal does, gives (operands, options); else the primal's signature does.
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
    sequence: bool = False
    binder: Binder | None = None

    def bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The operands and the options of a call of the primal; options that were not given are absent.

        The arguments are values or expressions of the IR, of which a binder sees the constants; what the primal's
        defaults stand for comes back as what the arguments were.
        """
        in_ir = any(isinstance(a, _EXPRESSIONS) for a in (*args, *kwargs.values()))
        if self.binder is not None:
            args, kwargs = [_plain(a) for a in args], {name: _plain(a) for name, a in kwargs.items()}
            operands, options = self.binder(*args, **kwargs)
        else:
            operands, options = _bind_by_signature(self, args, kwargs)
        return (tuple(map(_expression, operands)) if in_ir else operands), options


_RULES: dict[Any, Rule] = {}
_PASSIVE: set[Any] = set()
_COMPOSITES: dict[Any, tuple[Callable[..., Any], SampleMaker]] = {}
_REFUSED: dict[Any, str] = {}
_STATIC: set[Any] = set()


def adjoint_of(
    primal: Callable[..., Any],
    *,
    samples: SampleMaker | Sequence[Sample] = (),
    kind: Kind = "general",
    tangent: Callable[..., Any] | None = None,
    view: bool = False,
    sequence: bool = False,
    binder: Binder | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as the adjoint of `primal`."""

    def register(adjoint: Callable[..., Any]) -> Callable[..., Any]:
        operands, result, cotangent, options, variadic = _shape_of_rule(adjoint)
        maker = samples if callable(samples) else lambda: samples
        _RULES[primal] = Rule(
            primal,
            adjoint,
            operands,
            result,
            cotangent,
            options,
            kind,
            tangent,
            maker,
            variadic,
            view,
            sequence,
            binder,
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
            f"the rule `{adjoint.__name__}` must take the operands, the result and its cotangent, "
            f"as in (x, y, z, z_bar); it takes ({', '.join(p.name for p in parameters)})"
        )
    return tuple(names[:-2]), names[-2], names[-1], options, variadic


_EXPRESSIONS = (Const, Var, Ref, Call, Index, Display, Choice, Lazy)


def _plain(value: Any) -> Any:
    """A constant's value, the items of a tuple or a list that is written out; anything else as it is."""
    match value:
        case Const(constant) | Ref(_, constant):
            return constant
        case Display("tuple" | "list", items):
            return tuple(map(_plain, items))
    return value


def _expression(value: Any) -> Any:
    return value if isinstance(value, _EXPRESSIONS) else Const(value)


def _bind_by_signature(
    rule: Rule, args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    signature = _signature(rule.primal)
    if signature is None or rule.variadic:
        count = len(args) if rule.variadic else len(rule.operands)
        names = list(rule.options)
        positional = dict(zip(names, args[count:], strict=False))
        return tuple(args[:count]), positional | kwargs
    bound = signature.bind(*args, **kwargs)
    operands: list[Any] = []
    options: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            options |= bound.arguments.get(name, {})
        elif len(operands) < len(rule.operands) and parameter.kind is not parameter.KEYWORD_ONLY:
            if name in bound.arguments or parameter.default is not parameter.empty:
                operands.append(bound.arguments.get(name, parameter.default))
        elif name in bound.arguments:
            options[name] = bound.arguments[name]
    return tuple(operands), options


def unhandled_options(rule: Rule, options: dict[str, Any]) -> list[str]:
    """The options of a call that the rule does not know and that differ from the primal's default: to be refused."""
    signature = _signature(rule.primal)
    defaults = {} if signature is None else {n: p.default for n, p in signature.parameters.items()}
    return [
        n
        for n, v in options.items()
        if n not in rule.options and not _same_constant(defaults.get(n, _UNSET), _plain(v))
    ]


def _same_constant(default: Any, value: Any) -> bool:
    return default is value or (type(default) is type(value) and isinstance(value, _CONSTANTS) and default == value)


_CONSTANTS = (bool, int, float, str, tuple)


_UNSET = object()


def _signature(function: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def derivative(primal: Callable[..., Any], *partials: str, samples: SampleMaker | Sequence[Sample] = ()) -> None:
    """Register an elementwise function by its partial derivatives, written over `x` (and `y`), with the result last."""
    names = ("x", "y", "z", "w")[: len(partials) + 1]
    result = names[-1]
    cotangent = f"{result}_bar"
    body = ", ".join(partial if cotangent in partial else f"{cotangent} * ({partial})" for partial in partials)
    text = f"def {primal.__name__}({', '.join(names)}, {result}_bar):\n    return {body}\n"
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    module = getattr(primal, "__module__", None) or frame.f_back.f_globals["__name__"]
    filename = f"<s2s_ad rule {module}.{primal.__name__}>"
    adjoint = function_from_text(text, primal.__name__, filename, frame.f_back.f_globals)
    adjoint_of(primal, samples=samples, kind="elementwise")(adjoint)


def function_from_text(text: str, name: str, filename: str, globals_: dict[str, Any]) -> Callable[..., Any]:
    """The function that `text` defines; its source stays readable through `inspect`."""
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


def same_as(alias: Any, original: Any) -> None:
    """Register `alias`, another object that computes what `original` does, with the same rule or definition."""
    if original in _RULES:
        _RULES[alias] = replace(_RULES[original], primal=alias)
    else:
        _COMPOSITES[alias] = _COMPOSITES[original]


def static(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a pure function of shapes and options, which the compiler evaluates when all its arguments are known."""
    _STATIC.add(function)
    return function


def is_static(function: Any) -> bool:
    return _hashable(function) and function in _STATIC


def rule_for(function: Any) -> Rule | None:
    key = _look_up(_RULES, function)
    return None if key is None else _RULES[key]


def composite_for(function: Any) -> Callable[..., Any] | None:
    key = _look_up(_COMPOSITES, function)
    return None if key is None else _COMPOSITES[key][0]


def is_passive(function: Any) -> bool:
    return _look_up(_PASSIVE, function) is not None


def refusal_of(function: Any) -> str | None:
    key = _look_up(_REFUSED, function)
    return None if key is None else _REFUSED[key]


def all_rules() -> dict[Any, Rule]:
    return dict(_RULES)


def all_composites() -> dict[Any, tuple[Callable[..., Any], SampleMaker]]:
    return dict(_COMPOSITES)


def all_passive() -> set[Any]:
    return set(_PASSIVE)


def _look_up(table: Any, function: Any) -> Any:
    """The key of `function` if it is in `table`, else None."""
    if not _hashable(function):
        return None
    if function not in table:
        load_family(function)
    return function if function in table else None


def samples_of(function: Any) -> Sequence[Sample]:
    """The samples of a function's rule or definition."""
    rule = rule_for(function)
    return rule.samples() if rule is not None else _COMPOSITES[function][1]()


def name_of(function: Any) -> str:
    """How people write the function: `numpy.add.reduce`, `math.sin`, `abs`."""
    owner = getattr(function, "__self__", None)
    if type(owner).__module__.startswith("scipy.stats"):
        return f"scipy.stats.{type(owner).__name__.removesuffix('_gen')}.{function.__name__}"
    if isinstance(owner, np.ufunc):
        return f"{name_of(owner)}.{function.__name__}"
    name = getattr(function, "__qualname__", None) or function.__name__
    module = getattr(function, "__module__", None) or ""
    if isinstance(function, np.ufunc):
        module, name = (
            ("numpy" if getattr(np, function.__name__, None) is function else "scipy.special"),
            function.__name__,
        )
    if module.startswith("scipy."):
        module = module.split("._")[0]  # the public module: scipy.linalg, not scipy.linalg._basic
    return name if module in ("", "builtins") else f"{module}.{name}"


def _hashable(function: Any) -> bool:
    try:
        hash(function)
    except TypeError:
        return False
    return True

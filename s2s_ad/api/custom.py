"""The user's own derivative rules, checked when they are registered.

Enters: a function and a rule for it, in the registry's form.  Leaves: the registry with this rule in it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

import numpy as np

from s2s_ad.errors import S2SError, SignatureError

if TYPE_CHECKING:
    from s2s_ad.rules.registry import Kind, Rule, Sample, SampleMaker

P = ParamSpec("P")
R = TypeVar("R")
_FORM = "A rule takes the operands, the result, the result's cotangent, then the options by keyword."
RuleFunction = TypeVar("RuleFunction", bound=Callable[..., Any])


def adjoint_of(
    primal: Callable[..., Any],
    *,
    samples: SampleMaker | Sequence[Sample | tuple[Any, ...]] = (),
    kind: Kind = "general",
    tangent: Callable[..., Any] | None = None,
    view: bool = False,
) -> Callable[[RuleFunction], RuleFunction]:
    """Register the decorated function as the adjoint of `primal`.

        @adjoint_of(np.multiply, kind="multilinear", samples=[(2.0, 3.0)])
        def multiply(x, y, z, z_bar):
            return z_bar * y, z_bar * x

    The rule takes the operands, the result and the result's cotangent, then the options of `primal`, and returns one
    expression an operand. Broadcasting is not its business.
    samples: calls on which the rule is tried now, as tuples of arguments: it must return one expression an operand, of
        a shape that broadcasting leads to the operand's.
    """
    if not callable(primal):
        raise SignatureError(f"{primal!r} is not a function", "Write @adjoint_of(np.tanh), with the function itself.")

    def register(rule: RuleFunction) -> RuleFunction:
        from s2s_ad.rules import registry  # all rules of NumPy: not for `import s2s_ad` to load

        made = samples if callable(samples) else functools.partial(_samples, samples)
        try:
            operands, result, cotangent, options, variadic = registry._shape_of_rule(rule)
        except SignatureError as error:
            raise SignatureError(error.fact, _FORM) from None
        candidate = registry.Rule(
            primal, rule, operands, result, cotangent, options, kind, tangent, made, variadic=variadic, view=view
        )
        _check_names(primal, candidate)
        for sample in made():
            _check_sample(candidate, sample)
        registry.adjoint_of(primal, samples=made, kind=kind, tangent=tangent, view=view)(rule)
        return rule

    return register


def _samples(samples: Sequence[Sample | tuple[Any, ...]]) -> list[Sample]:
    from s2s_ad.rules.registry import Sample

    return [sample if isinstance(sample, Sample) else Sample(tuple(sample)) for sample in samples]


def _check_names(primal: Callable[..., Any], rule: Rule) -> None:
    if isinstance(primal, np.ufunc):
        if not rule.variadic and primal.nin != len(rule.operands):
            raise _misfit(primal, rule, f"it has {primal.nin} operand{'s' * (primal.nin != 1)}")
        return
    try:
        parameters = inspect.signature(primal).parameters.values()
    except (TypeError, ValueError):  # a function written in C may have no signature that Python can read
        return
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(p.default is p.empty for p in positional)
    handled = len(rule.operands) + len(rule.options)
    if len(rule.operands) > len(positional) or needed > handled:
        raise _misfit(primal, rule, f"its signature is {inspect.signature(primal)}")


def _misfit(primal: Any, rule: Rule, fact: str) -> SignatureError:
    name = getattr(primal, "__name__", repr(primal))
    return SignatureError(
        f"the rule for `{name}` takes {len(rule.operands)} operands ({', '.join(rule.operands)}), but {fact}",
        _FORM,
    )


def _check_sample(rule: Rule, sample: Sample) -> None:
    name = getattr(rule.primal, "__name__", repr(rule.primal))
    result = rule.primal(*sample.args, **sample.kwargs)
    operands, options = rule.bind(sample.args, sample.kwargs)
    known = {key: value for key, value in options.items() if key in rule.options}
    seed = np.ones_like(result) if isinstance(result, np.ndarray) else type(result)(1)
    found = rule.adjoint(*operands, result, seed, **known)
    expressions = found if isinstance(found, tuple) else (found,)
    if len(expressions) != len(operands):
        raise SignatureError(
            f"the rule for `{name}` returns {len(expressions)} expressions for {len(operands)} operands",
            "Return one expression for each operand, as a tuple if there are several.",
        )
    for k, (operand, expression) in enumerate(zip(operands, expressions, strict=True)):
        if isinstance(operand, np.ndarray | float) and not _leads_to(np.shape(expression), np.shape(operand)):
            raise SignatureError(
                f"the rule for `{name}` gives a cotangent of shape {np.shape(expression)} for operand {k}, "
                f"which has shape {np.shape(operand)}",
                "It must have the operand's shape, or one that the operand is broadcast to.",
            )


def _leads_to(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether an array of `target` is broadcast to `shape`, or the other way round."""
    try:
        return np.broadcast_shapes(shape, target) in (shape, target)
    except ValueError:
        return False


class _WithRule(Generic[P, R]):
    """A function whose derivative its author gives. Calls run the function itself."""

    def __init__(self, fun: Callable[P, R]) -> None:
        if not callable(fun):
            raise SignatureError(f"{fun!r} is not a function", "Pass the function itself.")
        functools.update_wrapper(self, fun)
        self.__signature__ = inspect.signature(fun)
        self._fun = fun
        # The text of the function is not what its derivative is made from: nobody shall follow this to it.
        del self.__wrapped__  # type: ignore[attr-defined]
        self._tangent: Callable[..., Any] | None = None
        self._adjoint: Callable[..., Any] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._fun(*args, **kwargs)

    def defadjoint(self, rule: RuleFunction) -> RuleFunction:
        """The adjoint: `rule(x, y, z, z_bar)` for `z = f(x, y)`, one expression an operand."""
        self._register(rule, self._tangent)
        self._adjoint = rule
        return rule

    def deftangent(self, rule: RuleFunction) -> RuleFunction:
        """The tangent: `rule(x, y, z, x_dot, y_dot)` for `z = f(x, y)`; it returns `z_dot`."""
        _tangent_operands(self, rule)
        self._register(self._adjoint or _only_forward(self, rule), rule)
        self._tangent = rule
        return rule

    def _register(self, adjoint: Callable[..., Any], tangent: Callable[..., Any] | None) -> None:
        adjoint_of(self, tangent=tangent)(adjoint)

    def __repr__(self) -> str:
        return f"<{self.__name__}, with a derivative of its own>"  # type: ignore[attr-defined]

    def __reduce__(self) -> str:
        return str(self.__qualname__)  # type: ignore[attr-defined]

    def __deepcopy__(self, memo: dict[int, Any]) -> _WithRule[P, R]:
        return self


class custom_vjp(_WithRule[P, R]):
    """A function with an adjoint of its own.

    @custom_vjp
    def clipped(x): ...

    @clipped.defadjoint
    def clipped_adjoint(x, y, y_bar):
        return np.clip(y_bar, -1.0, 1.0)
    """


class custom_jvp(_WithRule[P, R]):
    """A function with a tangent of its own; give it an adjoint too (`defadjoint`) for reverse mode.

    @custom_jvp
    def f(x, y): ...

    @f.deftangent
    def f_tangent(x, y, z, x_dot, y_dot): ...
    """


def _tangent_operands(function: Any, rule: Callable[..., Any]) -> list[str]:
    """The operands of a tangent rule; its parameters must be the operands, the result, and a tangent an operand."""
    names = [
        p.name
        for p in inspect.signature(rule).parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    dots = [name for name in names if name.endswith("_dot")]
    operands = names[: len(names) - len(dots) - 1]
    if not dots or [f"{name}_dot" for name in operands if f"{name}_dot" in dots] != dots:
        raise SignatureError(
            f"the tangent rule of `{function.__name__}` must take the operands, the result and the operands' tangents, "
            f"as in (x, y, z, x_dot, y_dot); it takes ({', '.join(names)})",
            "Name a tangent after its operand, with _dot behind it.",
        )
    return operands


def _only_forward(function: Any, rule: Callable[..., Any]) -> Callable[..., Any]:
    """An adjoint that says there is none."""
    operands = _tangent_operands(function, rule)
    result = "result" if "result" not in operands else "result_"
    name = function.__name__

    def refuse(*_: Any) -> Any:
        raise S2SError(
            f"`{name}` has a tangent rule, but no adjoint",
            f"Add one for reverse mode: @{name}.defadjoint over ({', '.join(operands)}, {result}, {result}_bar).",
        )

    parameters = [
        inspect.Parameter(p, inspect.Parameter.POSITIONAL_OR_KEYWORD) for p in (*operands, result, f"{result}_bar")
    ]
    refuse.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    refuse.__name__ = f"{name}_adjoint"
    return refuse

"""A pipeline that differentiates by finite differences, so that the interface can be tested without a compiler.

Enters: what `dispatch.derive` takes.  Leaves: a program that keeps the same conventions.
"""

from __future__ import annotations

import inspect
import types
from typing import Any

import numpy as np

from s2s_ad.api.trees import children, leaves, mapped, rebuilt
from s2s_ad.build.signature import spec_of

STEP = 1e-6


class Derivations(list):
    """A log of what was derived: (name, specs, question)."""

    def __call__(self, source: Any, specs: dict[str, Any], question: Any) -> Any:
        self.append((source.name, specs, question))
        return program(source.function, source.name, specs, question)


def called(function: Any, values: tuple[Any, ...]) -> Any:
    """Call with one value a parameter."""
    args, kwargs = [], {}
    for parameter, value in zip(inspect.signature(function).parameters.values(), values, strict=True):
        if parameter.kind is parameter.VAR_POSITIONAL:
            args += value
        elif parameter.kind is parameter.VAR_KEYWORD:
            kwargs |= value
        elif parameter.kind is parameter.KEYWORD_ONLY:
            kwargs[parameter.name] = value
        else:
            args.append(value)
    return function(*args, **kwargs)


def is_float(leaf: Any) -> bool:
    return isinstance(leaf, float | np.floating) or (isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f")


def moved(value: Any, tangent: Any, step: float) -> Any:
    if is_float(value):
        return np.asarray(value + step * tangent) if isinstance(value, np.ndarray) else value + step * tangent
    parts = children(value)
    if parts is None:
        return value
    others = [t for _, t in children(tangent)] if tangent is not None else [None] * len(parts)
    return rebuilt(value, [p if t is None else moved(p, t, step) for (_, p), t in zip(parts, others, strict=True)])


def difference(function: Any, values: tuple[Any, ...], places: list[int], tangents: tuple[Any, ...]) -> Any:
    def at(step: float) -> Any:
        shifted = list(values)
        for place, tangent in zip(places, tangents, strict=True):
            shifted[place] = moved(values[place], tangent, step)
        return called(function, tuple(shifted))

    ahead, behind = at(STEP), at(-STEP)
    behind_leaves = iter([leaf for _, leaf in leaves(behind)])

    def one(leaf: Any) -> Any:
        other = next(behind_leaves)
        return (leaf - other) / (2 * STEP) if is_float(leaf) else None

    return mapped(one, ahead)


def gradient(function: Any, values: tuple[Any, ...], place: int, cotangent: Any, has_aux: bool) -> Any:
    """The pullback to one argument, a number at a time."""
    flat = [leaf for _, leaf in leaves(values[place])]
    found = []
    for k, leaf in enumerate(flat):
        if not is_float(leaf):
            found.append(None)
            continue
        out = np.zeros(np.shape(leaf))
        for index in np.ndindex(np.shape(leaf)):
            numbers = iter(range(len(flat)))

            def unit(other: Any) -> Any:
                if not is_float(other):
                    next(numbers)
                    return None
                e = np.zeros(np.shape(other))
                if next(numbers) == k:
                    e[index] = 1.0
                return e if isinstance(other, np.ndarray) else float(e)

            tangent = mapped(unit, values[place])
            pushed = difference(function, values, [place], (tangent,))
            pushed = pushed[0] if has_aux else pushed
            pairs = zip(leaves(cotangent), leaves(pushed), strict=True)
            out[index] = sum(np.sum(c * t) for (_, c), (_, t) in pairs if c is not None and t is not None)
        found.append(out if isinstance(leaf, np.ndarray) else np.float64(out))
    answers = iter(found)
    return mapped(lambda _: next(answers), values[place])


def program(function: Any, name: str, specs: dict[str, Any], question: Any) -> Any:
    names = list(specs)
    places = [names.index(name) for name in question.wrt]
    count = len(names)

    def run_gradient(*values: Any) -> Any:
        value = called(function, values)
        seed = 1.0
        return value, tuple(gradient(function, values, p, seed, question.has_aux) for p in places)

    def run_vjp(*values: Any) -> Any:
        return called(function, values), values

    def reverse(values: Any, cotangent: Any) -> Any:
        return tuple(gradient(function, values, p, cotangent, question.has_aux) for p in places)

    def run_jvp(*everything: Any) -> Any:
        values, tangents = everything[:count], everything[count:]
        tangent = difference(function, values, places, tangents)
        return called(function, values), tangent[0] if question.has_aux else tangent

    def run_primal(*values: Any) -> Any:
        return called(function, values)

    runs = {"gradient": run_gradient, "vjp": run_vjp, "jvp": run_jvp, "primal": run_primal}
    return types.SimpleNamespace(
        text=f'"""s2s_ad: {question.mode} of {name}"""\n',
        name=f"{name}_adjoint",
        function=runs[question.mode],
        reverse=reverse,
        captures=(),
        guards=(),
        result_spec=ResultSpec(specs, function),
    )


def ResultSpec(specs: dict[str, Any], function: Any) -> Any:
    """The spec of the result at sample values of these specs."""
    from s2s_ad.ir.spec import Fields, Items, Leaf, Mapping, Static
    from s2s_ad.ir.types import Array, Scalar, Unknown

    def sample(spec: Any) -> Any:
        match spec:
            case Leaf(Scalar(dtype, weak)):
                number = dtype.type(0.7) if dtype.kind == "f" else dtype.type(2)
                return number.item() if weak else number
            case Leaf(Array(dtype, dims)):
                return np.full([1 if d == 1 else 3 for d in dims], 0.7).astype(dtype)
            case Leaf(Unknown()):
                return 0.7
            case Items(kind, items):
                return [sample(i) for i in items] if kind == "list" else tuple(sample(i) for i in items)
            case Mapping(keys, items):
                return {k: sample(i) for k, i in zip(keys, items, strict=True)}
            case Fields(cls, names, items):
                made = object.__new__(cls) if not issubclass(cls, tuple) else cls(*map(sample, items))
                if not issubclass(cls, tuple):
                    for n, i in zip(names, items, strict=True):
                        object.__setattr__(made, n, sample(i))
                return made
            case Static():
                return spec.value

    try:
        return spec_of(called(function, tuple(map(sample, specs.values()))))
    except Exception:
        return Leaf(Unknown())

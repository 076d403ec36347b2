"""Oracles for derivative rules, which need no compiler: a rule is run on numbers and compared with what cannot share
its error.

Enters: a rule and a sample.  Leaves: an AssertionError that says which oracle disagreed, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from s2s_ad.rules.registry import Rule, Sample

Path = tuple[int, ...]


class Call:
    """One sample of a rule, taken apart into the numbers that vary and the rest."""

    def __init__(self, rule: Rule, sample: Sample, dtype: Any = None) -> None:
        self.rule = rule
        self.kwargs = sample.kwargs
        operands, self.options = rule.bind(sample.args, sample.kwargs)
        self.args: list[Any] = list(sample.args)
        self.paths = list(_paths(self.args, sample.wrt, len(operands)))
        if dtype is not None:
            for path in self.paths:
                self.put(path, np.asarray(self.at(path)).astype(dtype))

    def at(self, path: Path, args: list[Any] | None = None) -> Any:
        value: Any = self.args if args is None else args
        for key in path:
            value = value[key]
        return value

    def put(self, path: Path, value: Any) -> None:
        self.args = self._replaced(path, value, self.args)

    @staticmethod
    def _replaced(path: Path, value: Any, args: Any) -> Any:
        head, *rest = path
        copy = list(args)
        copy[head] = Call._replaced(tuple(rest), value, args[head]) if rest else value
        return copy

    def moved(self, directions: dict[Path, Any], step: float) -> list[Any]:
        args = self.args
        for path, d in directions.items():
            args = self._replaced(path, self.at(path) + step * d, args)
        return args

    def value(self, args: list[Any] | None = None) -> Any:
        return self.rule.primal(*(self.args if args is None else args), **self.kwargs)

    def operands(self) -> list[Any]:
        """The operands as the rule sees them: numbers and arrays have rank and dtype."""
        bound, _ = self.rule.bind(self.args, self.kwargs)
        first = _nested(bound[0]) if self.rule.sequence else _ranked(bound[0])
        return [first] + [_ranked(x) for x in bound[1:]]

    def known_options(self) -> dict[str, Any]:
        return {name: value for name, value in self.options.items() if name in self.rule.options}

    def cotangents(self, y: Any, y_bar: Any) -> dict[Path, Any]:
        """What the rule gives each varying operand, made to fit it."""
        expressions = self._expressions(y, y_bar)
        return {path: fit(self._pick(expressions, path), self.at(path)) for path in self.paths}

    def _expressions(self, y: Any, y_bar: Any) -> Any:
        rule = self.rule
        if rule.variadic:
            found = rule.adjoint(*self.operands(), **{rule.result: y, rule.cotangent: y_bar}, **self.known_options())
        else:
            found = rule.adjoint(*self.operands(), y, y_bar, **self.known_options())
        single = not rule.variadic and len(rule.operands) == 1
        return (found,) if single else found

    def _pick(self, expressions: Any, path: Path) -> Any:
        value = expressions
        for key in path:
            value = value[key] if value is not None else None
        return value

    def tangent(self, y: Any, dots: dict[Path, Any]) -> Any:
        """The tangent, as the forward mode derives it from the kind of the rule; None where there is none."""
        rule = self.rule
        if rule.tangent is not None:
            given = [self._dot(i, dots) for i in range(len(self.operands()))]
            return rule.tangent(*self.operands(), y, *given, **self.known_options())
        if rule.kind == "linear":
            return self.value(self._at_dots(dots))
        if rule.kind == "multilinear":
            return _total([self.value(self._replaced(path, d, self.args)) for path, d in dots.items()])
        if rule.kind == "elementwise":
            shape = np.shape(y)
            return _total([self._pick(self._expressions(y, np.broadcast_to(d, shape)), p) for p, d in dots.items()])
        return None

    def _dot(self, index: int, dots: dict[Path, Any]) -> Any:
        if self.rule.sequence and index == 0:
            return self._dots_within((0,), dots)
        return dots.get((index,), 0.0)

    def _dots_within(self, path: Path, dots: dict[Path, Any]) -> Any:
        value = self.at(path)
        if isinstance(value, list | tuple):
            return tuple(self._dots_within((*path, k), dots) for k in range(len(value)))
        return dots.get(path, np.zeros_like(value, dtype=float))

    def _at_dots(self, dots: dict[Path, Any]) -> list[Any]:
        args = self.args
        if self.rule.sequence:
            args = [self._dot(0, dots), *args[1:]]
        for path, d in dots.items():
            args = self._replaced(path, d, args)
        return args


def _paths(args: list[Any], wrt: tuple[int, ...] | None, operand_count: int) -> Iterator[Path]:
    chosen = range(min(operand_count, len(args))) if wrt is None else wrt
    for i in chosen:
        yield from _leaves(args[i], (i,))


def _leaves(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, list | tuple):
        for k, item in enumerate(value):
            yield from _leaves(item, (*path, k))
    elif _inexact(value):
        yield path


def _inexact(value: Any) -> bool:
    return isinstance(value, float | complex | np.ndarray | np.generic) and np.asarray(value).dtype.kind in "fc"


def _ranked(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, bool | int | float | complex | list) else value


def _nested(value: Any) -> Any:
    return tuple(map(_nested, value)) if isinstance(value, list | tuple) else _ranked(value)


def _total(parts: list[Any]) -> Any:
    total = 0.0
    for part in parts:
        total = total + (0.0 if part is None else part)
    return total


def fit(expression: Any, operand: Any) -> Any:
    """The contract of an expression: summed over axes that the operand lacks, broadcast over those that it lacks
    itself."""
    shape = np.shape(operand)
    if expression is None:
        return np.zeros(shape)
    value = np.asarray(expression)
    if value.ndim > len(shape):
        value = value.sum(axis=tuple(range(value.ndim - len(shape))))
    shared = shape[len(shape) - value.ndim :]
    axes = tuple(k for k, n in enumerate(shared) if n == 1 and value.shape[k] != 1)
    if axes:
        value = value.sum(axis=axes, keepdims=True)
    value = np.broadcast_to(value, shape)
    return value if np.iscomplexobj(operand) else np.real(value)


# ---- structures of arrays: results may be tuples ---------------------------------------------------------------------


def parts(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]


def leaves(value: Any) -> list[Any]:
    """The arrays of a result, however its tuples are nested."""
    if isinstance(value, tuple | list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def pairing(a: Any, b: Any) -> float:
    """The real bilinear pairing of cotangents and tangents."""
    return float(sum(np.sum(np.real(np.asarray(p) * np.asarray(q))) for p, q in zip(parts(a), parts(b), strict=True)))


def random_like(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, tuple | list):
        return tuple(random_like(item, rng) for item in value)
    array = np.asarray(value)
    if array.dtype.kind not in "fc":
        return np.zeros(array.shape)
    drawn = rng.uniform(0.5, 1.5, array.shape) * rng.choice([-1.0, 1.0], array.shape)
    if array.dtype.kind == "c":
        drawn = drawn + 1j * rng.uniform(0.5, 1.5, array.shape)
    return drawn.astype(array.dtype) if array.ndim else array.dtype.type(drawn)


# ---- the oracles -----------------------------------------------------------------------------------------------------


def _setting(rule: Rule, sample: Sample) -> tuple[Call, Any, Any, dict[Path, Any]]:
    rng = np.random.default_rng(7)
    with np.errstate(all="ignore"):
        call = Call(rule, sample)
        y = call.value()
    assert call.paths, "the sample has nothing to differentiate"
    return call, y, random_like(y, rng), {path: random_like(call.at(path), rng) for path in call.paths}


def central_difference(f: Callable[[float], Any], weight: Any) -> float:
    """d/dt of the pairing of f(t) and `weight` at 0: two step sizes, extrapolated to zero."""

    def slope(h: float) -> float:
        ahead, behind = f(h), f(-h)
        change = [1 * np.asarray(a) - np.asarray(b) for a, b in zip(parts(ahead), parts(behind), strict=True)]
        return pairing(parts(weight), change) / (2 * h)

    return (4 * slope(1e-4) - slope(2e-4)) / 3


def check_adjoint_by_differences(rule: Rule, sample: Sample) -> None:
    call, y, y_bar, dots = _setting(rule, sample)
    x_bars = call.cotangents(y, y_bar)
    for path, dot in dots.items():  # one operand at a time, or errors could cancel
        numeric = central_difference(lambda t, p=path, d=dot: call.value(call.moved({p: d}, t)), y_bar)
        exact = pairing(x_bars[path], dot)
        scale = max(1.0, abs(numeric), float(np.sum(np.abs(x_bars[path]))))
        assert abs(exact - numeric) <= 1e-6 * scale, f"adjoint of operand {path}: {exact}, differences: {numeric}"


def check_tangent_by_differences(rule: Rule, sample: Sample) -> bool:
    call, y, y_bar, dots = _setting(rule, sample)
    y_dot = call.tangent(y, dots)
    if y_dot is None:
        return False
    numeric = central_difference(lambda t: call.value(call.moved(dots, t)), y_bar)
    exact = pairing(y_bar, _as_result(y_dot, y))
    assert abs(exact - numeric) <= 1e-6 * max(1.0, abs(numeric)), f"tangent: {exact}, differences: {numeric}"
    return True


def check_dot_product(rule: Rule, sample: Sample) -> bool:
    """sum(y_bar * y_dot) = sum(x_bar * x_dot): forward against reverse, to rounding."""
    call, y, y_bar, dots = _setting(rule, sample)
    y_dot = call.tangent(y, dots)
    if y_dot is None:
        return False
    x_bars = call.cotangents(y, y_bar)
    forward = pairing(y_bar, _as_result(y_dot, y))
    reverse = sum(pairing(x_bars[path], dot) for path, dot in dots.items())
    scale = max(1.0, abs(forward), sum(float(np.sum(np.abs(x_bars[p] * d))) for p, d in dots.items()))
    assert abs(forward - reverse) <= 1e-9 * scale, f"forward {forward}, reverse {reverse}"
    return True


def _as_result(y_dot: Any, y: Any) -> Any:
    if isinstance(y, tuple | list):
        return [np.broadcast_to(np.asarray(d), np.shape(v)) for d, v in zip(y_dot, y, strict=True)]
    assert np.shape(y_dot) in (np.shape(y), ()), f"the tangent has shape {np.shape(y_dot)}, the result {np.shape(y)}"
    return np.broadcast_to(np.asarray(y_dot), np.shape(y))


def check_float32(rule: Rule, sample: Sample) -> None:
    """In single precision the rule gives the same numbers, to single precision."""
    call, y, y_bar, _ = _setting(rule, sample)
    if any(np.iscomplexobj(call.at(path)) for path in call.paths):
        return
    single = Call(rule, sample, np.float32)
    expected = call.cotangents(y, y_bar)
    found = single.cotangents(single.value(), y_bar)
    for path in call.paths:
        size = 1 + float(np.max(np.abs(expected[path]), initial=0.0))
        np.testing.assert_allclose(found[path] / size, expected[path] / size, atol=2e-3)


def check_layouts(rule: Rule, sample: Sample) -> None:
    """Strided, reversed and read-only operands give what contiguous ones give, and are left as they were."""
    call, y, y_bar, _ = _setting(rule, sample)
    expected = call.cotangents(y, y_bar)
    other = Call(rule, sample)
    for path in call.paths:
        other.put(path, _strided(call.at(path)))
    found = other.cotangents(other.value(), y_bar)
    for path in call.paths:
        np.testing.assert_allclose(found[path], expected[path], rtol=1e-9, atol=1e-12)


def _strided(value: Any) -> Any:
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        return value
    wide = np.repeat(value[..., ::-1], 2, axis=-1)[..., ::-2]
    assert np.array_equal(wide, value, equal_nan=True)
    wide.flags.writeable = False
    return wide

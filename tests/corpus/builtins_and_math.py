"""Builtins and the math module on active numbers; passive statements run along."""

import logging
import math
from math import exp as e_to_the
from math import sqrt

import numpy as np

from corpus.registry import array, number, positive, program

log = logging.getLogger(__name__)


@program(number(0.2, 0.8))
def math_functions(x):
    y = math.sin(x) + math.cos(x) * math.tan(x) + math.exp(x) + math.log(x) + math.sqrt(x)
    y += math.sinh(x) + math.cosh(x) + math.tanh(x) + math.asin(x) + math.acos(x) + math.atan(x)
    y += math.log1p(x) + math.expm1(x) + math.log2(x) + math.log10(x) + math.pow(x, 3)
    return y + math.pi * math.radians(x) + math.degrees(x)


@program(positive(), positive())
def math_of_two(x, y):
    return math.hypot(x, y) + math.atan2(y, x) + e_to_the(-x) * sqrt(y) + math.fabs(x - y)


@program(number(0.2, 0.8), jax=False)
def math_special(x):
    return math.erf(x) * math.gamma(1.0 + x) + math.lgamma(x) + math.erfc(x) + math.cbrt(x) + math.exp2(x)


@program(number(1.2, 1.8), number(0.3, 0.7), jax=False)
def numbers_of_builtins(x, y):
    return abs(-x) + max(x, y) * min(x, y, 5.0) + pow(x, 3) + round(x) * y + sum([x, y, x * y]) + float(y)


@program(array(4))
def builtins_on_arrays(x):
    return sum(x) + max(x) * 2.0 + min(x) + abs(x).sum() + len(x)


@program(number(2.2, 2.8))
def divmod_and_floor(x):
    q, r = divmod(x, 0.7)
    return q * r + x % 0.6 + x // 0.9 + math.floor(x) * x + int(x) * x


@program(array(3, 2))
def sorted_by_key(m):
    order = sorted(range(3), key=lambda i: m[i, 0])
    return sum((k + 1) * m[i, 1] for k, i in enumerate(order)) + sum(m[:, 0] ** 2)


@program(array(4))
def argmax_indexing(x):
    i = int(np.argmax(x))
    j = np.argsort(x)[0]
    return x[i] * x[j] ** 2


@program(array(3))
def range_and_len_arithmetic(x):
    n = x.shape[0]
    (m,) = x.shape
    return np.sum(x) / n + x.size * x[m // 2] + x.ndim * x[-1]


@program(number(0.3, 0.9), jax=False)
def conversions(x):
    y = float(np.sum(np.array([x, 2.0])))
    return y * float(x) + np.array([x]).item()


@program(number())
def bool_arithmetic(x):
    positive_part = (x > 0) * x
    return positive_part + 2.0 * (x < 0) * x + 0.5 * x


@program(array(3))
def prints_and_logs(x):
    total = 0.0
    for i, v in enumerate(x):
        if i == 99:
            print("step", i, v, f"{v:.3f}")
        log.debug("value %s", v)
        total += v**2
    message = f"total={total} of {len(x)} values"
    assert len(message) > 3
    return total


@program(array(3))
def asserts_and_raises(x):
    assert x.ndim == 1, "one axis, please"
    if len(x) != 3:
        raise ValueError(f"expected 3 values, got {len(x)}")
    if np.sum(x) > 1e6:
        raise OverflowError
    return np.sum(x**2)


@program(number(0.5, 1.0))
def try_except(x):
    table = {"a": 2.0}
    try:
        scale = table["b"]
    except KeyError:
        scale = 3.0
    return x * scale


@program(number(0.5, 1.0))
def try_finally(x):
    try:
        y = x * x
    finally:
        z = x + 1.0
    return y * z


@program(array(3))
def try_import(x):
    try:
        import math as m
    except ImportError:
        m = None
    return np.sum(x) * m.sqrt(2.0)


@program(array(3))
def error_state(x):
    with np.errstate(divide="ignore", invalid="ignore"):
        y = 1.0 / x
    with np.errstate(all="raise"):
        z = y * y
    return np.sum(z)


@program(array(3))
def docstring_and_hints(x: np.ndarray, scale: float = 2.0) -> float:
    """Has a docstring."""
    weights: list[float] = [1.0, 2.0, scale]
    result: float = 0.0
    for w, v in zip(weights, x):
        result += w * v**2
    return result


@program(array(3))
def strings_and_counters(x):
    names = ["a", "b", "c"]
    counts = {}
    for n in names + ["a"]:
        counts[n] = counts.get(n, 0) + 1
    total = 0.0
    for n, v in zip(names, x):
        total += counts[n] * v * v
    label = ",".join(names).upper() + str(len(names))
    return total * len(label)


@program(number(), jax=False)
def isinstance_checks(x):
    if isinstance(x, (int, float)):
        return x * x
    return np.sum(x)


@program(array(3))
def numpy_bookkeeping(x):
    idx = np.arange(3)[::-1]
    mask = np.array([True, False, True])
    weights = np.linspace(0.0, 1.0, 3)
    return np.sum(x[idx] * weights) + np.sum(x[mask] ** 2)


@program(array(4), number())
def stop_and_go(x, s):
    norm = np.sqrt(np.sum(x * x))
    n_iterations = 0
    while norm > 0.5:
        x = x * 0.6
        norm = np.sqrt(np.sum(x * x))
        n_iterations += 1
    return s * norm * n_iterations

"""Definitions in plain NumPy of scipy.optimize's roots and minima, differentiated implicitly.

Enters: the user's function, from which the solution is found.  Leaves: the solution, as two Newton steps from itself.
At a root the steps change nothing, but their derivatives are those of the implicit function theorem: one step gives the
first order, two the second. Jacobians are fourth-order central differences of the user's function.

The solution is found here, by a damped Newton method: where a function has several, it may be another than the one
that SciPy finds from the same point.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.optimize

from s2s_ad.ir.markers import stop_gradient
from s2s_ad.rules.lookup import refuse
from s2s_ad.rules.matrix_samples import call
from s2s_ad.rules.registry import composite


class Result(NamedTuple):
    """What `root` and `minimize` return, as far as it is known here."""

    x: Any
    fun: Any
    success: bool = True
    status: int = 1


def jacobian(f, x, step=1e-3):
    """The derivatives by each component of x, along the last axis; `f` stands here once, as calls are written out."""
    offsets = np.array([-2.0, -1.0, 1.0, 2.0])
    weights = np.array([1.0, -8.0, 8.0, -1.0]) / 12
    columns = []
    for j in range(len(x)):
        h = step * max(1.0, abs(stop_gradient(x[j])))
        move = np.zeros(len(x))
        move[j] = h
        column = 0.0 * x[0]
        for k in range(4):
            column = column + weights[k] * f(x + offsets[k] * move)
        columns.append(column / h)
    return np.stack(columns, axis=-1)


def polished(f, x):
    """Two Newton steps."""
    for _ in range(2):
        x = x - np.linalg.solve(jacobian(f, x), f(x))
    return x


def found_root(f, x):
    """Newton's method; a step that does not bring the residual down is halved."""
    value = f(x)
    size = np.sqrt(np.sum(value * value))
    for _ in range(200):
        step = np.linalg.pinv(jacobian(f, x, 1e-4)) @ value
        fraction = 2.0
        moved = 2.0 * value + 1.0
        while np.sum(moved * moved) > size * size and fraction > 1e-8:
            fraction = 0.5 * fraction
            moved = f(x - fraction * step)
        x = x - fraction * step
        value = moved
        size = np.sqrt(np.sum(value * value))
        if np.sqrt(np.sum(step * step)) <= 1e-12 * (1 + np.sqrt(np.sum(x * x))) or size == 0:
            break
    if not size < 1e-6 * (1 + np.sqrt(np.sum(x * x))):
        raise ArithmeticError("no root was found: try another starting point")
    return x


def _circle_and_line(x, r):
    return np.array([x[0] ** 2 + x[1] ** 2 - r, x[0] - 0.5 * x[1]])


def _exponentials(x, a, b):
    return np.exp(a * x) - b + 0.1 * np.sum(x)


def _systems():
    return [
        call(_circle_and_line, np.array([1.0, 1.0]), args=(2.0,)),
        call(_circle_and_line, np.array([-1.0, -1.0]), (3.0,)),
        call(_exponentials, np.array([0.3, 0.2, 0.1]), (0.7, np.array([1.5, 1.2, 2.0]))),
        call(lambda x: x**3 + x - 1, np.array([0.5])),
    ]


@composite(scipy.optimize.root, samples=_systems)
def root(fun, x0, args=(), method="hybr", jac=None, tol=None, callback=None, options=None):
    if callback is not None:
        refuse("scipy.optimize.root with callback", "Leave it out.")

    def f(x):
        return np.asarray(fun(x, *args) if isinstance(args, tuple) else fun(x, args)) + 0.0

    x = stop_gradient(found_root(f, np.atleast_1d(stop_gradient(x0)) + 0.0))
    x = polished(f, x)
    return Result(x, f(x))


@composite(scipy.optimize.fsolve, samples=_systems)
def fsolve(func, x0, args=(), fprime=None, full_output=0, xtol=1.49012e-08, maxfev=0):
    if full_output:
        refuse("scipy.optimize.fsolve with full_output", "Use scipy.optimize.root.")

    def f(x):
        return np.asarray(func(x, *args) if isinstance(args, tuple) else func(x, args)) + 0.0

    x = stop_gradient(found_root(f, np.atleast_1d(stop_gradient(x0)) + 0.0))
    return polished(f, x)


def slope(f, x):
    h = 1e-3 * max(1.0, abs(stop_gradient(x)))
    offsets = np.array([-2.0, -1.0, 1.0, 2.0])
    weights = np.array([1.0, -8.0, 8.0, -1.0]) / 12
    total = 0.0 * x
    for k in range(4):
        total = total + weights[k] * f(x + offsets[k] * h)
    return total / h


def bisected(f, a, b):
    """The zero between `a` and `b`, where the signs differ."""
    left, right = a + 0.0, b + 0.0
    at_left = f(left)
    if at_left * f(right) > 0:
        raise ValueError("f(a) and f(b) must have different signs")
    for _ in range(80):
        middle = 0.5 * (left + right)
        value = f(middle)
        if at_left * value <= 0:
            right = middle
        else:
            left = middle
            at_left = value
    return 0.5 * (left + right)


@composite(
    scipy.optimize.brentq,
    samples=lambda: [
        call(_cubic, 0.0, 2.0, args=(3.0,)),
        call(_cubic, -1.0, 4.0, (5.0,)),
        call(np.cos, 1.0, 2.0),
        call(lambda x: np.exp(x) - 3, 0.0, 2.0),
    ],
)
def brentq(f, a, b, args=(), xtol=2e-12, rtol=8.881784197001252e-16, maxiter=100, full_output=False, disp=True):
    if full_output:
        refuse("scipy.optimize.brentq with full_output", "Leave it out.")

    def g(x):
        return f(x, *args) if isinstance(args, tuple) else f(x, args)

    x = stop_gradient(bisected(g, stop_gradient(a), stop_gradient(b)))
    for _ in range(2):
        x = x - g(x) / slope(g, x)
    return x


def _cubic(x, c):
    return x**3 + x - c


def found_minimum(f, g, x):
    """Newton's method on a Hessian that is made positive; a step that does not go down is shortened."""
    value = f(x)
    for _ in range(200):
        slopes = g(x)
        hessian = jacobian(g, x)
        w, v = np.linalg.eigh(0.5 * (hessian + hessian.T))
        w = np.maximum(np.abs(w), 1e-8 * np.max(np.abs(w)) + 1e-12)
        step = v @ ((v.T @ slopes) / w)
        fraction = 2.0
        moved = value + 1.0
        while moved > value and fraction > 1e-10:
            fraction = 0.5 * fraction
            moved = f(x - fraction * step)
        if moved > value:
            break
        x = x - fraction * step
        value = moved
        if np.sqrt(np.sum(step * step)) <= 1e-9 * (1 + np.sqrt(np.sum(x * x))):
            break
    return x


def _rosenbrock(x, a, b):
    return (a - x[0]) ** 2 + b * (x[1] - x[0] ** 2) ** 2


def _bowl(x, centre):
    return np.sum((x - centre) ** 2) + 0.1 * np.sum((x - centre) ** 4) + 0.3 * np.prod(x)


def _bowl_slope(x, centre):
    return 2 * (x - centre) + 0.4 * (x - centre) ** 3 + 0.3 * np.prod(x) / x


@composite(
    scipy.optimize.minimize,
    samples=lambda: [
        call(_rosenbrock, np.array([0.5, 0.5]), args=(1.0, 10.0), tol=1e-10),
        call(_bowl, np.array([0.5, 0.2, 0.3]), (np.array([0.4, 0.8, 0.6]),), tol=1e-10),
        call(_bowl, np.array([0.5, 0.2]), (np.array([0.4, 0.8]),), None, _bowl_slope),
        call(lambda x: np.sum((x - 1.5) ** 2), np.array([0.5])),
    ],
)
def minimize(
    fun,
    x0,
    args=(),
    method=None,
    jac=None,
    hess=None,
    hessp=None,
    bounds=None,
    constraints=(),
    tol=None,
    callback=None,
    options=None,
):
    if bounds is not None or constraints != () or callback is not None or jac is True:
        refuse("scipy.optimize.minimize with bounds, constraints, callback or jac=True", "Minimise without them.")

    def f(x):
        return fun(x, *args) if isinstance(args, tuple) else fun(x, args)

    def g(x):
        if jac is None:
            return jacobian(f, x, 3e-3)
        return np.asarray(jac(x, *args) if isinstance(args, tuple) else jac(x, args)) + 0.0

    x = stop_gradient(found_minimum(f, g, np.atleast_1d(stop_gradient(x0)) + 0.0))
    x = polished(g, x)
    return Result(x, f(x), True, 0)

"""Rules of the elementwise functions of real analysis: arithmetic, powers, exponentials, trigonometry.

Enters: nothing.  Leaves: rules in the registry.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from s2s_ad.rules.registry import adjoint_of, derivative
from s2s_ad.rules.samples import binary, call, calls, numbers, unary

# ---- arithmetic ------------------------------------------------------------------------------------------------------

derivative(np.add, "z_bar", "z_bar", samples=binary(-2, 2, holomorphic=True))
derivative(np.subtract, "z_bar", "-z_bar", samples=binary(-2, 2, holomorphic=True))
derivative(np.multiply, "z_bar * y", "z_bar * x", samples=binary(-2, 2, holomorphic=True))
derivative(np.divide, "z_bar / y", "-z_bar * z / y", samples=binary(-2, 2, (0.3, 2), holomorphic=True))
derivative(np.negative, "-y_bar", samples=unary(-2, 2, holomorphic=True))
derivative(np.positive, "y_bar", samples=unary(-2, 2, holomorphic=True))
derivative(np.reciprocal, "-y_bar * y * y", samples=unary(holomorphic=True))
derivative(np.square, "y_bar * (2 * x)", samples=unary(-2, 2, holomorphic=True))
derivative(np.remainder, "z_bar", "-z_bar * (x // y)", samples=binary(0.2, 3, (0.7, 0.9)))
derivative(np.fmod, "z_bar", "-z_bar * np.trunc(x / y)", samples=binary(-3, -0.2, (0.7, 0.9)))


# `y - (y != 0)` lowers the exponent by one, but leaves 0: the derivative of x**0 is 0 everywhere, also at x = 0.
# `x + (x == 0)` guards the logarithm: 0**y has the derivative 0 with respect to y > 0.
@adjoint_of(
    np.power,
    kind="elementwise",
    samples=lambda: (
        *binary(0.3, 2, (-2, 2), holomorphic=True)(),
        call(np.array([-1.5, 0.0, 2.5]), 2, wrt=(0,)),
        call(np.array([-1.5, 0.5, 2.5]), 3.0, wrt=(0,)),
        call(np.array([0.0, -1.0, 2.0]), 0, wrt=(0,)),
        call(np.array([0.0, 1.0, 2.0]), 0.0, wrt=(0,), smooth=False),
        call(np.array([[-1.5], [2.5]]), np.array([0, 1, 2, 3]), wrt=(0,)),
        call(-1.3, 3, wrt=(0,)),
        call(2, np.array([-1.0, 0.5]), wrt=(1,)),
        call(np.array([0.0, 2.0]), np.array([1.5, 2.5]), wrt=(1,)),
    ),
)
def power(x: Any, y: Any, z: Any, z_bar: Any) -> Any:
    if x.ndim == 0 and y.dtype.kind == "f":
        # Python's own 0.0 ** -0.5 raises; the slope of a root at zero is infinite.
        return z_bar * y * np.float_power(x, y - (y != 0)), z_bar * z * np.log(x + (x == 0))
    return z_bar * y * x ** (y - (y != 0)), z_bar * z * np.log(x + (x == 0))


for _power in (np.float_power, math.pow, pow):
    derivative(
        _power,
        "z_bar * y * np.float_power(x, y - (y != 0))",
        "z_bar * z * np.log(x + (x == 0))",
        samples=numbers(0.3, 2, arity=2) if _power is not np.float_power else binary(0.3, 2, (-2, 2)),
    )

# ---- roots, exponentials, logarithms ---------------------------------------------------------------------------------

derivative(np.sqrt, "y_bar / (2 * y)", samples=unary(holomorphic=True))
derivative(np.cbrt, "y_bar / (3 * y * y)", samples=unary())
derivative(np.exp, "y_bar * y", samples=unary(-2, 2, holomorphic=True))
derivative(np.exp2, "y_bar * y * math.log(2)", samples=unary(-2, 2, holomorphic=True))
derivative(np.expm1, "y_bar * (y + 1)", samples=unary(-2, 2, holomorphic=True))
derivative(np.log, "y_bar / x", samples=unary(holomorphic=True))
derivative(np.log2, "y_bar / (x * math.log(2))", samples=unary(holomorphic=True))
derivative(np.log10, "y_bar / (x * math.log(10))", samples=unary(holomorphic=True))
derivative(np.log1p, "y_bar / (1 + x)", samples=unary(-0.5, 2, holomorphic=True))
derivative(np.logaddexp, "z_bar * np.exp(x - z)", "z_bar * np.exp(y - z)", samples=binary(-2, 2))
derivative(np.logaddexp2, "z_bar * np.exp2(x - z)", "z_bar * np.exp2(y - z)", samples=binary(-2, 2))
# `z + (z == 0)`: the norm of (0, 0) has the subgradient 0.
derivative(np.hypot, "z_bar * x / (z + (z == 0))", "z_bar * y / (z + (z == 0))", samples=binary(-2, 2))

# ---- trigonometry ----------------------------------------------------------------------------------------------------

derivative(np.sin, "y_bar * np.cos(x)", samples=unary(-2, 2, holomorphic=True))
derivative(np.cos, "-y_bar * np.sin(x)", samples=unary(-2, 2, holomorphic=True))
derivative(np.tan, "y_bar * (1 + y * y)", samples=unary(-1.2, 1.2, holomorphic=True))
derivative(np.arcsin, "y_bar / np.sqrt(1 - x * x)", samples=unary(-0.9, 0.9, holomorphic=True))
derivative(np.arccos, "-y_bar / np.sqrt(1 - x * x)", samples=unary(-0.9, 0.9, holomorphic=True))
derivative(np.arctan, "y_bar / (1 + x * x)", samples=unary(-2, 2, holomorphic=True))
derivative(np.arctan2, "z_bar * y / (x * x + y * y)", "-z_bar * x / (x * x + y * y)", samples=binary(-2, 2, (0.2, 2)))
derivative(np.sinh, "y_bar * np.cosh(x)", samples=unary(-2, 2, holomorphic=True))
derivative(np.cosh, "y_bar * np.sinh(x)", samples=unary(-2, 2, holomorphic=True))
derivative(np.tanh, "y_bar * (1 - y * y)", samples=unary(-2, 2, holomorphic=True))
derivative(np.arcsinh, "y_bar / np.sqrt(x * x + 1)", samples=unary(-2, 2, holomorphic=True))
# Two roots, not the root of the product: the branch cuts of the complex function.
derivative(np.arccosh, "y_bar / (np.sqrt(x - 1) * np.sqrt(x + 1))", samples=unary(1.2, 3, holomorphic=True))
derivative(np.arctanh, "y_bar / (1 - x * x)", samples=unary(-0.9, 0.9, holomorphic=True))
derivative(np.deg2rad, "np.deg2rad(y_bar)", samples=unary(-90, 90))
derivative(np.rad2deg, "np.rad2deg(y_bar)", samples=unary(-2, 2))
derivative(np.radians, "np.radians(y_bar)", samples=unary(-90, 90))
derivative(np.degrees, "np.degrees(y_bar)", samples=unary(-2, 2))

# ---- special functions of NumPy --------------------------------------------------------------------------------------


def sinc_slope(x: Any) -> Any:
    """The derivative of sin(pi x) / (pi x): by its series near 0, where the quotient cancels."""
    near = np.abs(x) < 0.03
    far_x = np.where(near, 1.0, x)
    s = np.pi * np.where(near, x, 0.0)
    series = -np.pi * s * (1 / 3 - s * s * (1 / 30 - s * s * (1 / 840 - s * s / 45360)))
    return np.where(near, series, (np.cos(np.pi * far_x) - np.sinc(far_x)) / far_x)


derivative(
    np.sinc,
    "y_bar * sinc_slope(x)",
    samples=lambda: (*unary(-3, 3)(), call(np.array([0.0, 1e-6, -0.02, 0.029, 0.031]))),
)


def bessel_i1(x: Any) -> Any:
    """The modified Bessel function I1, the derivative of I0.

    The midpoint rule for (2/pi) int_0^(pi/2) sinh(x cos t) cos t dt is exact to rounding wherever I0 is finite.
    """
    total = x * 0.0
    for k in range(64):
        c = math.cos((k + 0.5) * math.pi / 128)
        total = total + c * np.sinh(x * c)
    return total / 64


derivative(np.i0, "y_bar * bessel_i1(x)", samples=lambda: (*unary(-3, 3)(), call(np.array([30.0, -40.0, 9.0]))))

# ---- the math module: Python numbers stay Python numbers -------------------------------------------------------------

derivative(math.sin, "y_bar * math.cos(x)", samples=numbers(-2, 2))
derivative(math.cos, "-y_bar * math.sin(x)", samples=numbers(-2, 2))
derivative(math.tan, "y_bar * (1 + y * y)", samples=numbers(-1.2, 1.2))
derivative(math.asin, "y_bar / math.sqrt(1 - x * x)", samples=numbers(-0.9, 0.9))
derivative(math.acos, "-y_bar / math.sqrt(1 - x * x)", samples=numbers(-0.9, 0.9))
derivative(math.atan, "y_bar / (1 + x * x)", samples=numbers(-2, 2))
derivative(
    math.atan2,
    "z_bar * y / (x * x + y * y)",
    "-z_bar * x / (x * x + y * y)",
    samples=numbers(arity=2),
)
derivative(math.sinh, "y_bar * math.cosh(x)", samples=numbers(-2, 2))
derivative(math.cosh, "y_bar * math.sinh(x)", samples=numbers(-2, 2))
derivative(math.tanh, "y_bar * (1 - y * y)", samples=numbers(-2, 2))
derivative(math.asinh, "y_bar / math.sqrt(x * x + 1)", samples=numbers(-2, 2))
derivative(math.acosh, "y_bar / math.sqrt((x - 1) * (x + 1))", samples=numbers(1.2, 3))
derivative(math.atanh, "y_bar / (1 - x * x)", samples=numbers(-0.9, 0.9))
derivative(math.exp, "y_bar * y", samples=numbers(-2, 2))
derivative(math.exp2, "y_bar * y * math.log(2)", samples=numbers(-2, 2))
derivative(math.expm1, "y_bar * (y + 1)", samples=numbers(-2, 2))
derivative(math.log2, "y_bar / (x * math.log(2))", samples=numbers())
derivative(math.log10, "y_bar / (x * math.log(10))", samples=numbers())
derivative(math.log1p, "y_bar / (1 + x)", samples=numbers(-0.5, 2))
# `np.reciprocal`: the slope at zero is infinite, where Python's own division would raise.
derivative(math.sqrt, "y_bar * 0.5 * np.reciprocal(y)", samples=numbers())
derivative(math.cbrt, "y_bar / 3 * np.reciprocal(y * y)", samples=numbers())
derivative(math.degrees, "math.degrees(y_bar)", samples=numbers(-2, 2))
derivative(math.radians, "math.radians(y_bar)", samples=numbers(-90, 90))
derivative(math.fmod, "z_bar", "-z_bar * int(x / y)", samples=numbers(arity=2))
derivative(math.remainder, "z_bar", "-z_bar * round(x / y)", samples=numbers(arity=2))
derivative(math.erf, "y_bar * (2 / math.sqrt(math.pi)) * math.exp(-x * x)", samples=numbers(-2, 2))
derivative(math.erfc, "-y_bar * (2 / math.sqrt(math.pi)) * math.exp(-x * x)", samples=numbers(-2, 2))


@adjoint_of(
    math.log,
    kind="elementwise",
    samples=calls(lambda d: [call(d.number()), call(d.number()), call(d.number(), 3), call(d.number(), 0.5, wrt=(0,))]),
)
def log(x: Any, y: Any, y_bar: Any, base: Any = None) -> Any:
    if base is None:
        return y_bar / x
    return y_bar / (x * math.log(base))


def digamma(x: float) -> float:
    """The derivative of log-gamma: by recurrence up to 10, then its asymptotic series; by reflection below zero."""
    shift = 0.0
    if x < 0.5:
        shift = -math.pi / math.tan(math.pi * x)
        x = 1.0 - x
    while x < 10.0:
        shift = shift - 1.0 / x
        x = x + 1.0
    r = 1.0 / (x * x)
    tail = r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r * (1 / 132)))))
    return shift + math.log(x) - 0.5 / x - tail


derivative(math.gamma, "y_bar * y * digamma(x)", samples=numbers(0.3, 3))
derivative(math.lgamma, "y_bar * digamma(x)", samples=numbers(-3.8, -3.1))


@adjoint_of(
    math.hypot,
    kind="elementwise",
    samples=calls(
        lambda d: [
            call(d.number()),
            call(d.number(), d.number()),
            call(d.number(), -d.number(), d.number()),
            call(0.0, 0.0, smooth=False),
        ]
    ),
)
def hypot(*xs: Any, y: Any, y_bar: Any) -> Any:
    return tuple([y_bar * x / (y + (y == 0)) for x in xs])

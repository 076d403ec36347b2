"""Rules of elementwise functions with kinks, jumps or choices, and of the parts of complex numbers.

Enters: nothing.  Leaves: rules in the registry.

Where a slope jumps, the rule gives a subgradient: 0 for `abs` at 0, an even share for `maximum` at a tie, 1 for `clip`
at its bound. Step functions (`floor`, `sign` of a real number ...) have the derivative zero.
"""

from __future__ import annotations

import math

import numpy as np

from s2s_ad.rules.registry import adjoint_of, composite, derivative, passive, same_as
from s2s_ad.rules.samples import binary, call, calls, numbers, unary

KINK = np.array([-1.5, 0.0, 2.5])

# ---- absolute value, sign, steps -------------------------------------------------------------------------------------


def absolute_tangent(x, y, x_dot):
    if x.dtype.kind == "c":
        return np.real(np.conj(np.sign(x)) * x_dot)
    return np.sign(x) * x_dot


@adjoint_of(
    np.absolute,
    kind="elementwise",
    tangent=absolute_tangent,
    samples=lambda: (*unary(-2, 2, holomorphic=True)(), call(KINK, smooth=False), call(0j * KINK, smooth=False)),
)
def absolute(x, y, y_bar):
    """Not holomorphic: the slope of |x| is the conjugate of x / |x|."""
    if x.dtype.kind == "c":
        return y_bar * np.conj(np.sign(x))
    return y_bar * np.sign(x)


derivative(math.fabs, "y_bar * (1.0 * (x > 0) - (x < 0))", samples=numbers(-2, 2))
derivative(abs, "y_bar * (1.0 * (x > 0) - (x < 0))", samples=lambda: (*numbers(-2, 2)(), call(0.0, smooth=False)))
derivative(np.fabs, "y_bar * np.sign(x)", samples=lambda: (*unary(-2, 2)(), call(KINK, smooth=False)))


def sign_tangent(x, y, x_dot):
    if x.dtype.kind != "c":
        return 0.0
    return (x_dot - y * np.real(np.conj(y) * x_dot)) / np.abs(x)


@adjoint_of(np.sign, tangent=sign_tangent, samples=unary(-2, 2, holomorphic=True))
def sign(x, y, y_bar):
    """Zero for a real number; x / |x| for a complex one, not holomorphic."""
    if x.dtype.kind != "c":
        return None
    return (y_bar - np.conj(y) * np.real(y_bar * y)) / np.abs(x)


passive(np.floor, np.ceil, np.trunc, np.rint, np.fix, np.round, np.around, np.floor_divide, np.spacing, round)

derivative(np.copysign, "z_bar * np.sign(x) * np.copysign(1, y)", "0 * z_bar", samples=binary(-2, 2))
derivative(np.nextafter, "z_bar", "0 * z_bar", samples=binary(0.3, 2))
derivative(np.heaviside, "0 * z_bar", "z_bar * (x == 0)", samples=lambda: (
    *binary(-2, 2)(), call(KINK, 0.5, wrt=(1,)), call(KINK, np.array([[0.3], [0.7]]), wrt=(1,))
))  # fmt: skip
derivative(
    np.nan_to_num,
    "y_bar * np.isfinite(x)",
    samples=lambda: (*unary(-2, 2, holomorphic=True)(), call(np.array([1.5, np.nan, -np.inf, np.inf]), smooth=False)),
)


@adjoint_of(
    np.ldexp,
    kind="elementwise",
    samples=calls(
        lambda d: [
            call(d.floats(3), 2),
            call(d.floats(3), np.array([-1, 0, 3])),
            call(d.floats(2, 1), np.array([1, 2])),
            call(d.number(), 3),
        ]
    ),
)
def ldexp(x, n, y, y_bar):
    return np.ldexp(y_bar, n), None


def frexp_tangent(x, y, x_dot):
    return np.ldexp(x_dot, -y[1]), 0


@adjoint_of(np.frexp, tangent=frexp_tangent, samples=unary(0.3, 3))
def frexp(x, y, y_bar):
    return np.ldexp(y_bar[0], -y[1])


def modf_tangent(x, y, x_dot):
    return x_dot, 0


@adjoint_of(np.modf, tangent=modf_tangent, samples=unary(0.1, 0.9))
def modf(x, y, y_bar):
    return y_bar[0]


def divmod_tangent(x, y, z, x_dot, y_dot):
    return 0, x_dot - z[0] * y_dot


def divmod_adjoint(x, y, z, z_bar):
    return z_bar[1], -z_bar[1] * z[0]


adjoint_of(np.divmod, tangent=divmod_tangent, samples=binary(0.2, 3, (0.7, 0.9)))(divmod_adjoint)
adjoint_of(divmod, tangent=divmod_tangent, samples=numbers(0.2, 3, arity=2))(divmod_adjoint)


# ---- the larger, the smaller, the one between ------------------------------------------------------------------------

TIES = (np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0]))
derivative(
    np.maximum,
    "z_bar * ((x > y) + 0.5 * (x == y))",
    "z_bar * ((y > x) + 0.5 * (x == y))",
    samples=lambda: (*binary(-2, 2)(), call(*TIES, smooth=False)),
)
derivative(
    np.minimum,
    "z_bar * ((x < y) + 0.5 * (x == y))",
    "z_bar * ((y < x) + 0.5 * (x == y))",
    samples=lambda: (*binary(-2, 2)(), call(*TIES, smooth=False)),
)
HOLES = (np.array([1.0, np.nan, 3.0, 2.0]), np.array([2.0, 2.0, np.nan, 2.0]))
derivative(
    np.fmax,
    "z_bar * ((x > y) + 0.5 * (x == y) + np.isnan(y))",
    "z_bar * ((y > x) + 0.5 * (x == y) + np.isnan(x))",
    samples=lambda: (*binary(-2, 2)(), call(*HOLES, smooth=False)),
)
derivative(
    np.fmin,
    "z_bar * ((x < y) + 0.5 * (x == y) + np.isnan(y))",
    "z_bar * ((y < x) + 0.5 * (x == y) + np.isnan(x))",
    samples=lambda: (*binary(-2, 2)(), call(*HOLES, smooth=False)),
)


def _values(*values):
    """`max(a, b, c)` and `max([a, b, c])` alike."""
    return (values if len(values) > 1 else tuple(values[0])), {}


def _extreme(*xs, y, y_bar):
    # `1.0 *`: NumPy's booleans add up to a boolean.
    attained = [1.0 * (x == y) for x in xs]
    return tuple([y_bar * best / sum(attained) for best in attained])


for _function in (max, min):
    adjoint_of(
        _function,
        kind="elementwise",
        binder=_values,
        samples=calls(
            lambda d: [
                call(d.number(), d.number()),
                call(d.number(), 1, d.number()),
                call(1.5, 1.5, smooth=False),
                call(-d.number(), d.number()),
            ]
        ),
    )(_extreme)


def _bounds(a, a_min=None, a_max=None, *, min=None, max=None):
    """`np.clip` names each bound twice."""
    low = min if a_min is None or a_min is np._NoValue else a_min
    high = max if a_max is None or a_max is np._NoValue else a_max
    return (a, low, high), {}


@adjoint_of(
    np.clip,
    kind="elementwise",
    binder=_bounds,
    samples=calls(
        lambda d: [
            call(d.floats(5), 0.7, 1.4),
            call(d.floats(2, 3), np.array([0.5, 0.9, 1.1]), None, wrt=(0, 1)),
            call(d.floats(4), None, 1.1, wrt=(0, 2)),
            call(d.floats(2, 3), d.floats(2, 1), 1.5),
            call(d.floats(4), min=0.5, max=1.0, wrt=(0,)),
            call(d.floats(4), max=1.0, wrt=(0,)),
            call(np.array([0.0, 1.0, 2.0]), 0.0, 2.0, smooth=False),
        ]
    ),
)
def clip(x, low, high, y, y_bar):
    if low is None:
        return y_bar * (x <= high), None, y_bar * (x > high)
    if high is None:
        return y_bar * (x >= low), y_bar * (x < low), None
    inside = (low <= x) & (x <= high)
    return y_bar * inside, y_bar * ((x < low) & (low <= high)), y_bar * (np.maximum(x, low) > high)


@adjoint_of(
    np.where,
    kind="elementwise",
    samples=calls(
        lambda d: [
            call(d.bools(3), d.floats(3), d.floats(3)),
            call(d.bools(2, 3), d.floats(3), d.number()),
            call(d.bools(3), d.floats(2, 1), d.floats(2, 3)),
            call(d.signed(3) > 0, 0.0, d.complexes(3)),
            call(True, d.floats(2), d.floats(2)),
        ]
    ),
)
def where(condition, x, y, z, z_bar):
    return None, np.where(condition, z_bar, 0), np.where(condition, 0, z_bar)


@composite(
    np.select,
    samples=calls(
        lambda d: [
            call([d.bools(4), d.bools(4)], [d.floats(4), d.floats(4)]),
            call([d.bools(4), d.bools(4)], [d.floats(4), d.floats(4)], 2.5),
            call([d.bools(2, 3)], [d.floats(3)], default=d.floats(2, 3)),
            call((d.bools(3), d.bools(3), d.bools(3)), (d.floats(3), d.floats(2, 3), d.floats(3)), 0.0),
        ]
    ),
)
def select(condlist, choicelist, default=0):
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = np.where(condition, choice, result)
    return result


def _square(v):
    return v * v


@composite(
    np.piecewise,
    samples=lambda: (
        call(KINK, [KINK < 0, KINK >= 0], [np.negative, _square]),
        call(KINK, [KINK < 0], [1.5, np.sin]),
        call(KINK, [KINK < 0, KINK > 1], [_square, np.exp]),
        call(KINK, [KINK > 1], [lambda v, k: k * v], 3.0),
    ),
)
def piecewise(x, condlist, funclist, *args):
    y = np.zeros_like(x)
    covered = np.zeros_like(x, dtype=bool)
    for condition in condlist:
        covered = covered | condition
    conditions = condlist if len(condlist) == len(funclist) else [*condlist, ~covered]
    for condition, piece in zip(conditions, funclist, strict=True):
        y[condition] = piece(x[condition], *args) if callable(piece) else piece
    return y


# ---- complex numbers and their parts ---------------------------------------------------------------------------------


def real_tangent(x, y, x_dot):
    return np.real(x_dot)


def imag_tangent(x, y, x_dot):
    return np.imag(x_dot)


@adjoint_of(np.real, kind="elementwise", tangent=real_tangent, view=True, samples=unary(-2, 2, holomorphic=True))
def real(x, y, y_bar):
    """Not holomorphic: the pairing gives the cotangent as it is."""
    return y_bar


@adjoint_of(np.imag, kind="elementwise", tangent=imag_tangent, view=True, samples=unary(-2, 2, holomorphic=True))
def imag(x, y, y_bar):
    """Not holomorphic: Im(x) is the real part of -1j * x."""
    if x.dtype.kind != "c":
        return None
    return -1j * y_bar


derivative(np.conjugate, "np.conj(y_bar)", samples=unary(-2, 2, holomorphic=True))
derivative(np.real_if_close, "y_bar", samples=unary(-2, 2))


@adjoint_of(
    np.angle,
    kind="elementwise",
    samples=calls(
        lambda d: [
            call(d.complexes(3)),
            call(d.complexes(2, 2), deg=True),
            call(1.5 - 0.5j),
            call(d.signed(3)),
        ]
    ),
)
def angle(z, y, y_bar, deg=False):
    """Not holomorphic: the imaginary part of the logarithm."""
    if z.dtype.kind != "c":
        return None
    return -1j * y_bar / z * (180 / math.pi if deg else 1)


@adjoint_of(
    float,
    kind="elementwise",
    samples=lambda: [call(1.5), call(np.float64(0.3)), call(np.array(2.5)), call(-0.7)],
)
def float_of(x, y, y_bar):
    return y_bar


@adjoint_of(
    complex,
    kind="elementwise",
    samples=lambda: [call(1.5), call(0.3, 2.0), call(1.5 - 2j), call(-0.7, 1.0)],
)
def complex_of(x, y, z, z_bar):
    return z_bar, 1j * z_bar


same_as(np.abs, np.absolute)

"""Rules of reductions and running totals: sums, products, extremes.

Enters: nothing.  Leaves: rules in the registry.

A cotangent that is smaller than the operand is broadcast by the transformation, so the cotangent of a sum is written as
it is, or with the reduced axes put back by `expand`.
"""

from __future__ import annotations

import math

import numpy as np

from s2s_ad.rules.registry import adjoint_of, composite
from s2s_ad.rules.samples import call, calls, reduction


def expand(z, x, axis, keepdims):
    """`z`, reduced from `x` over `axis`, with the reduced axes put back as axes of length one."""
    if axis is None or keepdims or np.ndim(z) == 0:
        return z
    return np.expand_dims(z, axis)


def everywhere(where):
    """Whether a reduction leaves no entry out."""
    return isinstance(where, bool) and where


def count_along(x, axis):
    """How many entries of x lie along the axes."""
    if not isinstance(axis, tuple):
        return x.shape[axis]
    if len(axis) == 0:
        return 1
    return x.shape[axis[0]] if len(axis) == 1 else x.shape[axis[0]] * count_along(x, axis[1:])


def count_of(x, axis, where):
    """How many entries a mean over `axis` takes; the axes are kept if `where` leaves some out."""
    if not everywhere(where):
        return np.sum(np.broadcast_to(where, x.shape), axis=axis, keepdims=True)
    return x.size if axis is None else count_along(x, axis)


# ---- sums and means --------------------------------------------------------------------------------------------------

MASK = np.array([[True, False, True], [True, True, False]])


@adjoint_of(
    np.sum,
    kind="linear",
    samples=lambda: (
        *reduction(-2, 2)(),
        *calls(
            lambda d: [
                call(d.floats(2, 3), axis=1, where=MASK),
                call(d.floats(2, 3), where=MASK, keepdims=True),
                call(d.floats(0)),
                call(d.floats(2, 0), axis=1),
                call(np.float64(1.5)),
                call(d.complexes(2, 3), axis=0),
                call(d.floats(2, 3), axis=0, dtype=np.float64),
            ]
        )(),
    ),
)
def sum(x, y, y_bar, axis=None, dtype=None, keepdims=False, where=True):
    if not everywhere(where):
        return expand(y_bar, x, axis, keepdims) * where
    return expand(y_bar, x, axis, keepdims)


def nansum_tangent(x, y, x_dot, axis=None, keepdims=False):
    return np.sum(np.where(np.isnan(x), 0, x_dot), axis=axis, keepdims=keepdims)


HOLES = np.array([[1.0, np.nan, 3.0], [0.5, 2.5, np.nan]])


@adjoint_of(
    np.nansum,
    tangent=nansum_tangent,
    samples=lambda: (*reduction(-2, 2)(), call(HOLES, axis=1, smooth=False), call(HOLES, smooth=False)),
)
def nansum(x, y, y_bar, axis=None, keepdims=False):
    return expand(y_bar, x, axis, keepdims) * ~np.isnan(x)


@adjoint_of(
    np.mean,
    kind="linear",
    samples=lambda: (
        *reduction(-2, 2)(),
        *calls(
            lambda d: [
                call(d.floats(2, 3), axis=1, where=MASK),
                call(d.floats(2, 3), where=MASK),
                call(np.float64(1.5)),
                call(d.complexes(2, 3), axis=0),
            ]
        )(),
    ),
)
def mean(x, y, y_bar, axis=None, dtype=None, keepdims=False, where=True):
    if not everywhere(where):
        return expand(y_bar, x, axis, keepdims) / count_of(x, axis, where) * where
    return expand(y_bar / count_of(x, axis, where), x, axis, keepdims)


# ---- products --------------------------------------------------------------------------------------------------------


def products_of_others(x):
    """For each entry of the last axis the product of all the others, without a division that a zero would spoil."""
    ones = np.ones_like(x[..., :1])
    before = np.cumprod(np.concatenate([ones, x[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([ones, x[..., :0:-1]], axis=-1), axis=-1)
    return before * after[..., ::-1]


def prod_slope(x, axis):
    """The derivative of `np.prod(x, axis)` with respect to each entry of `x`."""
    if x.ndim == 1:
        return products_of_others(x)
    if axis is None:
        return products_of_others(x.reshape(-1)).reshape(x.shape)
    if not isinstance(axis, tuple):
        return np.moveaxis(products_of_others(np.moveaxis(x, axis, -1)), -1, axis)
    last = tuple(range(-len(axis), 0))
    moved = np.moveaxis(x, axis, last)
    flat = moved.reshape((*moved.shape[: x.ndim - len(axis)], -1))
    return np.moveaxis(products_of_others(flat).reshape(moved.shape), last, axis)


ZERO = np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 1.5]])


def prod_tangent(x, y, x_dot, axis=None, dtype=None, keepdims=False, initial=1, where=True):
    slope = prod_slope(np.where(where, x, 1), axis) * np.where(where, initial, 0)
    return np.sum(slope * x_dot, axis=axis, keepdims=keepdims)


@adjoint_of(
    np.prod,
    tangent=prod_tangent,
    samples=lambda: (
        *reduction()(),
        *calls(
            lambda d: [
                call(ZERO),
                call(ZERO, axis=1),
                call(d.floats(2, 3), axis=1, where=MASK),
                call(d.floats(2, 3), axis=0, initial=2.5),
                call(d.complexes(2, 3), axis=0),
                call(d.floats(0)),
            ]
        )(),
    ),
)
def prod(x, y, y_bar, axis=None, dtype=None, keepdims=False, initial=1, where=True):
    if not everywhere(where):
        return expand(y_bar, x, axis, keepdims) * prod_slope(np.where(where, x, 1), axis) * np.where(where, initial, 0)
    if isinstance(initial, int) and initial == 1:
        return expand(y_bar, x, axis, keepdims) * prod_slope(x, axis)
    return expand(y_bar, x, axis, keepdims) * prod_slope(x, axis) * initial


@composite(np.nanprod, samples=lambda: (*reduction()(), call(HOLES, axis=1), call(HOLES)))
def nanprod(a, axis=None, dtype=None, out=None, keepdims=False):
    return np.prod(np.where(np.isnan(a), 1, a), axis=axis, dtype=dtype, keepdims=keepdims)


# ---- running totals --------------------------------------------------------------------------------------------------


def running(low=-2.0, high=2.0):
    """Samples of a running total."""
    return calls(
        lambda d: [
            call(d.floats(5, low=low, high=high)),
            call(d.floats(2, 3, low=low, high=high)),
            call(d.floats(2, 3, low=low, high=high), 1),
            call(d.floats(2, 3, 2, low=low, high=high), axis=-2),
            call(d.floats(1, 3, low=low, high=high), axis=0),
            call(d.floats(0)),
        ]
    )


@adjoint_of(np.cumsum, kind="linear", samples=running())
def cumsum(x, y, y_bar, axis=None, dtype=None):
    if axis is None:
        return np.cumsum(y_bar[::-1])[::-1].reshape(x.shape)
    return np.flip(np.cumsum(np.flip(y_bar, axis), axis), axis)


def cumprod_adjoint(x, y, y_bar):
    """The adjoint of `y = np.cumprod(x, -1)`.

    Without zeros a sum over the later results is divided by x. With zeros the recurrence
    s[k] = y_bar[k] + x[k + 1] s[k + 1] is solved by doubling, in log(n) vectorised steps and without a division; then
    x_bar[k] = y[k - 1] s[k].
    """
    if np.all(x != 0):
        return np.cumsum((y_bar * y)[..., ::-1], axis=-1)[..., ::-1] / x
    n = x.shape[-1]
    nothing = np.zeros_like(x)
    s = y_bar
    factor = np.concatenate([x[..., 1:], nothing[..., :1]], axis=-1)
    step = 1
    while step < n:
        s = s + factor * np.concatenate([s[..., step:], nothing[..., :step]], axis=-1)
        factor = factor * np.concatenate([factor[..., step:], nothing[..., :step]], axis=-1)
        step = 2 * step
    return np.concatenate([np.ones_like(x[..., :1]), y[..., :-1]], axis=-1) * s


def cumprod_tangent(x, y, x_dot, axis=None, dtype=None):
    """The product rule, one step after the other."""
    at = 0 if axis is None else axis
    xs = np.moveaxis(np.reshape(x, -1) if axis is None else x, at, 0)
    x_dots = np.moveaxis(np.reshape(x_dot, -1) if axis is None else x_dot, at, 0)
    ys = np.moveaxis(y, at, 0)
    y_dot = np.zeros_like(ys)
    for k in range(len(xs)):
        y_dot[k] = x_dots[k] if k == 0 else y_dot[k - 1] * xs[k] + ys[k - 1] * x_dots[k]
    return np.moveaxis(y_dot, 0, at)


@adjoint_of(
    np.cumprod,
    tangent=cumprod_tangent,
    samples=lambda: (
        *running(0.3)(),
        call(np.array([2.0, 0.0, 3.0, 4.0])),
        call(ZERO, axis=1),
        call(np.array([0.0, 2.0, 0.0, 1.5, -2.0]), axis=0),
        call(np.array([1j, 2.0 - 1j, 0.5])),
    ),
)
def cumprod(x, y, y_bar, axis=None, dtype=None):
    if axis is None:
        return cumprod_adjoint(x.reshape(-1), y, y_bar).reshape(x.shape)
    moved = cumprod_adjoint(np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1), np.moveaxis(y_bar, axis, -1))
    return np.moveaxis(moved, -1, axis)


@composite(np.nancumsum, samples=lambda: (*running()(), call(HOLES, axis=1)))
def nancumsum(a, axis=None, dtype=None, out=None):
    return np.cumsum(np.where(np.isnan(a), 0, a), axis=axis, dtype=dtype)


@composite(np.nancumprod, samples=lambda: (*running(0.3)(), call(HOLES, axis=1)))
def nancumprod(a, axis=None, dtype=None, out=None):
    return np.cumprod(np.where(np.isnan(a), 1, a), axis=axis, dtype=dtype)


def from_initial():
    """Samples of `cumulative_sum` and `cumulative_prod`."""
    return calls(
        lambda d: [
            call(d.floats(4)),
            call(d.floats(4), include_initial=True),
            call(d.floats(2, 3), axis=1),
            call(d.floats(2, 3), axis=-2, include_initial=True),
        ]
    )()


@composite(np.cumulative_sum, samples=from_initial)
def cumulative_sum(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    total = np.cumsum(x, axis=axis, dtype=dtype)
    if include_initial:
        at = 0 if axis is None else axis
        return np.concatenate([np.zeros_like(np.take(total, [0], axis=at)), total], axis=at)
    return total


@composite(np.cumulative_prod, samples=from_initial)
def cumulative_prod(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    total = np.cumprod(x, axis=axis, dtype=dtype)
    if include_initial:
        at = 0 if axis is None else axis
        return np.concatenate([np.ones_like(np.take(total, [0], axis=at)), total], axis=at)
    return total


# ---- extremes: ties share evenly -------------------------------------------------------------------------------------


def shares(x, y, axis, keepdims, where):
    """The weight of each entry in the extreme that `y` holds: 1 for the winner, an even share for those that tie."""
    attained = (x == expand(y, x, axis, keepdims)) & where
    count = np.sum(attained, axis=axis, keepdims=True)
    return attained / np.maximum(count, 1)


def extreme_tangent(x, y, x_dot, axis=None, keepdims=False, initial=None, where=True):
    return np.sum(shares(x, y, axis, keepdims, where) * x_dot, axis=axis, keepdims=keepdims)


def extreme(x, y, y_bar, axis=None, keepdims=False, initial=None, where=True):
    if initial is not None or not everywhere(where):
        return expand(y_bar, x, axis, keepdims) * shares(x, y, axis, keepdims, where)
    attained = x == expand(y, x, axis, keepdims)
    return attained * (expand(y_bar, x, axis, keepdims) / np.sum(attained, axis=axis, keepdims=True))


TIED = np.array([[2.0, 1.0, 2.0], [1.0, 2.0, 0.5]])


def extremes():
    return (
        *reduction(-2, 2)(),
        call(TIED, smooth=False),
        call(TIED, axis=0, smooth=False),
        call(TIED, axis=1, keepdims=True, smooth=False),
        call(TIED, axis=1, where=MASK, initial=1.5, smooth=False),
        call(TIED, axis=1, initial=5.0, smooth=False),
        call(TIED, axis=1, initial=-5.0, smooth=False),
    )


for _extreme in (np.max, np.min, np.amax, np.amin):
    adjoint_of(_extreme, tangent=extreme_tangent, samples=extremes)(extreme)


def nan_extreme_tangent(x, y, x_dot, axis=None, keepdims=False):
    return np.sum(shares(x, y, axis, keepdims, True) * np.where(np.isnan(x), 0, x_dot), axis=axis, keepdims=keepdims)


def nan_extreme(x, y, y_bar, axis=None, keepdims=False):
    attained = x == expand(y, x, axis, keepdims)
    return attained * (expand(y_bar, x, axis, keepdims) / np.sum(attained, axis=axis, keepdims=True))


for _extreme in (np.nanmax, np.nanmin):
    adjoint_of(
        _extreme,
        tangent=nan_extreme_tangent,
        samples=lambda: (*reduction(-2, 2)(), call(HOLES, axis=1, smooth=False), call(HOLES, smooth=False)),
    )(nan_extreme)


@composite(np.ptp, samples=reduction(-2, 2))
def ptp(a, axis=None, out=None, keepdims=False):
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


# ---- the math module and the builtins --------------------------------------------------------------------------------


def several():
    """Samples of a function of one sequence of numbers."""
    return calls(
        lambda d: [
            call([d.number(), d.number(), d.number()]),
            call((d.number(), 2, -d.number())),
            call([d.number()]),
            call([d.number(), -d.number()]),
        ]
    )()


@adjoint_of(math.fsum, kind="linear", sequence=True, samples=several)
def fsum(xs, y, y_bar):
    return tuple([y_bar for x in xs])


@composite(math.prod, samples=several)
def math_prod(values, *, start=1):
    total = start
    for value in values:
        total = total * value
    return total


@composite(
    math.dist,
    samples=calls(
        lambda d: [
            call([d.number(), d.number()], [d.number(), -d.number()]),
            call((d.number(), 1.5), (d.number(), 0.5)),
            call([d.number()], [-d.number()]),
            call((d.number(), d.number(), d.number()), (0.0, -1.0, 2.0)),
        ]
    ),
)
def dist(p, q):
    return math.hypot(*[a - b for a, b in zip(p, q, strict=True)])

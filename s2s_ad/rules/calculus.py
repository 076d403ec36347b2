"""Definitions of differences, integrals and interpolation.

Enters: nothing.  Leaves: rules and definitions in the registry.
"""

from __future__ import annotations

import numpy as np

from s2s_ad.rules.axes import sides, span
from s2s_ad.rules.joins import first_of, rest_of
from s2s_ad.rules.registry import adjoint_of, composite
from s2s_ad.rules.samples import call, calls

# ---- differences -----------------------------------------------------------------------------------------------------


def beside(extra, a, axis):
    """`prepend` or `append` of np.diff, as an array that joins to `a`."""
    if np.ndim(extra) > 0:
        return extra
    at = axis % a.ndim
    return np.broadcast_to(extra, (*a.shape[:at], 1, *a.shape[at + 1 :]))


@composite(
    np.diff,
    samples=calls(
        lambda d: [
            call(d.floats(5)),
            call(d.floats(5), 2),
            call(d.floats(2, 4), axis=0),
            call(d.floats(2, 4), n=3, axis=-1),
            call(d.floats(2, 4, 3), axis=1),
            call(d.floats(3), prepend=d.number()),
            call(d.floats(2, 3), prepend=d.floats(2, 1), append=d.floats(2, 2)),
            call(d.floats(2, 3), axis=0, append=1.5),
            call(d.floats(3), 0),
        ]
    ),
)
def diff(a, n=1, axis=-1, prepend=np._NoValue, append=np._NoValue):
    if n == 0:
        return a
    if prepend is not np._NoValue:
        a = np.concatenate([beside(prepend, a, axis), a], axis=axis)
    if append is not np._NoValue:
        a = np.concatenate([a, beside(append, a, axis)], axis=axis)
    for _ in span(0, n):
        a = rest_of(a, 1, axis) - first_of(a, -1, axis)
    return a


@composite(
    np.ediff1d,
    samples=calls(
        lambda d: [
            call(d.floats(4)),
            call(d.floats(2, 3)),
            call(d.floats(4), to_end=d.floats(2)),
            call(d.floats(4), to_end=d.number(), to_begin=d.floats(2)),
        ]
    ),
)
def ediff1d(ary, to_end=None, to_begin=None):
    flat = np.ravel(ary)
    result = flat[1:] - flat[:-1]
    if to_begin is not None:
        result = np.concatenate([np.ravel(to_begin), result])
    if to_end is not None:
        result = np.concatenate([result, np.ravel(to_end)])
    return result


def slope_along(f, spacing, axis, edge_order):
    """Central differences along one axis, one-sided at its ends; `spacing` is a number or the places themselves."""
    rows = np.moveaxis(f, axis, -1)
    n = rows.shape[-1]
    h = np.full(n - 1, spacing) if isinstance(spacing, int | float) or spacing.ndim == 0 else spacing[1:] - spacing[:-1]
    step = (rows[..., 1:] - rows[..., :-1]) / h
    before, after = h[:-1], h[1:]
    inner = (step[..., :-1] * after + step[..., 1:] * before) / (before + after)
    first, last = step[..., :1], step[..., -1:]
    if edge_order == 2:
        first = first + (step[..., :1] - step[..., 1:2]) * h[0] / (h[0] + h[1])
        last = last + (step[..., -1:] - step[..., -2:-1]) * h[-1] / (h[-1] + h[-2])
    return np.moveaxis(np.concatenate([first, inner, last], axis=-1), -1, axis)


@composite(
    np.gradient,
    samples=calls(
        lambda d: [
            call(d.floats(5)),
            call(d.floats(5), 0.5),
            call(d.floats(5), np.array([0.0, 0.3, 1.1, 1.5, 2.6])),
            call(d.floats(3, 4)),
            call(d.floats(3, 4), 0.5, np.array([0.0, 0.3, 1.1, 1.5])),
            call(d.floats(3, 4), axis=1),
            call(d.floats(3, 4), 2.0, axis=(0, 1)),
            call(d.floats(5), np.array([0.0, 0.3, 1.1, 1.5, 2.6]), edge_order=2),
            call(d.floats(3, 2, 4), axis=-1, edge_order=2),
        ]
    ),
)
def gradient(f, *varargs, axis=None, edge_order=1):
    ndim = np.ndim(f)
    if axis is None:
        axes = span(0, ndim)
    else:
        axes = axis if isinstance(axis, tuple) else (axis,)
    spacings = varargs if len(varargs) == len(axes) else tuple([varargs[0] if varargs else 1.0 for _ in axes])
    slopes = [slope_along(f, spacings[k], axes[k], edge_order) for k in span(0, len(axes))]
    if len(axes) == 1:
        return slopes[0]
    return tuple(slopes)


# ---- integrals -------------------------------------------------------------------------------------------------------


@composite(
    np.trapezoid,
    samples=calls(
        lambda d: [
            call(d.floats(5)),
            call(d.floats(5), dx=0.5),
            call(d.floats(5), np.array([0.0, 0.3, 1.1, 1.5, 2.6])),
            call(d.floats(2, 4), axis=0),
            call(d.floats(2, 4), d.floats(2, 4)),
            call(d.floats(4, 3), x=d.floats(4), axis=0),
        ]
    ),
)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    middle = 0.5 * (rest_of(y, 1, axis) + first_of(y, -1, axis))
    if x is None:
        return dx * np.sum(middle, axis=axis)
    if x.ndim == 1:
        step = np.reshape(x[1:] - x[:-1], sides(axis, y.ndim))
    else:
        step = rest_of(x, 1, axis) - first_of(x, -1, axis)
    return np.sum(step * middle, axis=axis)


# ---- interpolation, phases -------------------------------------------------------------------------------------------

PLACES = np.array([0.0, 0.4, 1.1, 1.5, 2.6])


@composite(
    np.interp,
    samples=calls(
        lambda d: [
            call(d.floats(4), PLACES, d.floats(5)),
            call(d.number(), PLACES, d.floats(5)),
            call(d.signed(2, 3, scale=4.0), PLACES, d.floats(5)),
            call(d.signed(6, scale=4.0), PLACES, d.floats(5), left=-1.5, right=0.5),
            call(d.signed(6, scale=6.0), PLACES, d.floats(5), period=3.0),
            call(d.floats(3), PLACES, d.complexes(5)),
        ]
    ),
)
def interp(x, xp, fp, left=None, right=None, period=None):
    if period is not None:
        x = np.remainder(x, period)
        order = np.argsort(np.remainder(xp, period))
        places, values = np.remainder(xp, period)[order], fp[order]
        xp = np.concatenate([places[-1:] - period, places, places[:1] + period])
        fp = np.concatenate([values[-1:], values, values[:1]])
    k = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, len(xp) - 2)
    result = fp[k] + (x - xp[k]) / (xp[k + 1] - xp[k]) * (fp[k + 1] - fp[k])
    if period is not None:
        return result
    result = np.where(x < xp[0], fp[0] if left is None else left, result)
    return np.where(x > xp[-1], fp[-1] if right is None else right, result)


def unwrap_tangent(x, y, x_dot, discont=None, axis=-1, period=2 * np.pi):
    return x_dot


@adjoint_of(
    np.unwrap,
    tangent=unwrap_tangent,
    samples=calls(
        lambda d: [
            call(np.array([0.3, 1.0, 5.5, 9.0, 1.2])),
            call(d.signed(2, 4, scale=6.0)),
            call(d.signed(4, 2, scale=6.0), axis=0),
            call(d.signed(5, scale=3.0), period=1.5),
        ]
    ),
)
def unwrap(x, y, y_bar, discont=None, axis=-1, period=2 * np.pi):
    """Whole periods are added; they do not depend on x."""
    return y_bar


# ---- windows, functions along axes -----------------------------------------------------------------------------------


def add_windows(y_bar, shape, axes):
    """Adds up the windows of a sliding view: one shifted slice for each place within the window."""
    total = np.zeros(shape, y_bar.dtype)
    for offset in np.ndindex(*y_bar.shape[len(shape) :]):
        starts = [0] * len(shape)
        for axis, shift in zip(axes, offset, strict=True):
            starts[axis] += shift
        part = tuple([slice(starts[k], starts[k] + y_bar.shape[k]) for k in range(len(shape))])
        total[part] += y_bar[(..., *offset)]
    return total


@adjoint_of(
    add_windows,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(3, 3), (5,), (0,), wrt=(0,)),
            call(d.floats(2, 3, 2, 2), (3, 4), (0, 1), wrt=(0,)),
            call(d.floats(3, 3, 2), (3, 4), (1,), wrt=(0,)),
            call(d.floats(3, 2, 2), (5,), (0, 0), wrt=(0,)),
        ]
    ),
)
def windows_again(y_bar, shape, axes, z, z_bar):
    return np.lib.stride_tricks.sliding_window_view(z_bar, np.shape(y_bar)[len(shape) :], axis=axes), None, None


@adjoint_of(
    np.lib.stride_tricks.sliding_window_view,
    kind="linear",
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(5), 3),
            call(d.floats(3, 4), (2, 2)),
            call(d.floats(3, 4), 2, axis=1),
            call(d.floats(3, 4), 2, axis=0),
            call(d.floats(5), (2, 2), axis=(0, 0)),
        ]
    ),
)
def sliding_window_view(x, y, y_bar, window_shape=1, axis=None):
    if axis is None:
        return add_windows(y_bar, x.shape, span(0, x.ndim))
    return add_windows(y_bar, x.shape, axis if isinstance(axis, tuple) else (axis,))


def _norm_and_double(row):
    return np.stack([np.sum(row * row), 2.0 * row[0]])


@composite(
    np.apply_along_axis,
    samples=calls(
        lambda d: [
            call(np.sum, 0, d.floats(2, 3)),
            call(np.cumsum, 1, d.floats(2, 3)),
            call(_norm_and_double, -1, d.floats(2, 2, 3)),
            call(_norm_and_double, 0, d.floats(3, 2)),
            call(np.multiply, 0, d.floats(3, 2), 2.0),
        ]
    ),
)
def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    at = axis % arr.ndim
    moved = np.moveaxis(arr, at, -1)
    rows = moved.reshape(-1, moved.shape[-1])
    first = func1d(rows[0], *args, **kwargs)
    results = np.zeros((len(rows), *np.shape(first)))
    results[0] = first
    for k in range(1, len(rows)):
        results[k] = func1d(rows[k], *args, **kwargs)
    results = results.reshape((*moved.shape[:-1], *np.shape(first)))
    if np.ndim(first) == 0:
        return results
    return np.moveaxis(results, span(arr.ndim - 1, results.ndim), span(at, at + np.ndim(first)))


@composite(
    np.apply_over_axes,
    samples=calls(
        lambda d: [
            call(np.sum, d.floats(2, 3), 0),
            call(np.sum, d.floats(2, 3, 4), (0, 2)),
            call(np.mean, d.floats(2, 3, 4), [1]),
            call(np.cumsum, d.floats(2, 3), (0, 1)),
        ]
    ),
)
def apply_over_axes(func, a, axes):
    result = a
    for axis in axes if isinstance(axes, tuple | list) else (axes,):
        at = axis % a.ndim
        found = func(result, at)
        result = found if found.ndim == result.ndim else np.expand_dims(found, at)
    return result

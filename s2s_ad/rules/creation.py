"""Rules of functions that make arrays: of numbers, of other arrays, of a range.

Enters: nothing.  Leaves: rules in the registry. Arrays of constants (`zeros`, `arange` ...) are in `passive`.
"""

from __future__ import annotations

import numpy as np

from s2s_ad.rules.axes import sides
from s2s_ad.rules.lookup import is_zero, refuse
from s2s_ad.rules.registry import adjoint_of, composite, derivative
from s2s_ad.rules.samples import call, calls

# ---- copies and casts ------------------------------------------------------------------------------------------------


def spread(xs, z):
    """`z` taken apart as the nested sequence `xs` is."""
    if isinstance(xs, tuple | list):
        return tuple([spread(x, z[k]) for k, x in enumerate(xs)])
    return z


def array_tangent(x, y, x_dot, dtype=None, copy=True, order="K", ndmin=0):
    return np.array(x_dot, ndmin=ndmin)


@adjoint_of(
    np.array,
    tangent=array_tangent,
    sequence=True,
    samples=calls(
        lambda d: [
            call(d.floats(2, 3)),
            call(d.number()),
            call([d.number(), 2.0, d.number()]),
            call([[d.number(), d.number()], [1.5, d.number()]]),
            call([d.floats(3), d.floats(3)]),
            call(d.floats(3), ndmin=2),
            call(d.floats(3), dtype=np.float64, copy=True),
        ]
    ),
)
def array(x, y, y_bar, dtype=None, copy=True, order="K", ndmin=0):
    if not isinstance(x, tuple | list):
        return y_bar
    if ndmin:
        return refuse("np.array of a list with ndmin", "Use np.reshape.")
    return spread(x, y_bar)


@adjoint_of(
    np.asarray,
    tangent=lambda x, y, x_dot, dtype=None, order=None, copy=None: np.asarray(x_dot),
    sequence=True,
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(2, 3)),
            call(d.number()),
            call([d.number(), d.number()]),
            call(d.floats(3), dtype=np.float64),
            call((d.floats(2), d.floats(2))),
        ]
    ),
)
def asarray(x, y, y_bar, dtype=None, order=None, copy=None):
    return spread(x, y_bar)


copies = calls(lambda d: [call(d.floats(2, 3)), call(d.floats(3)), call(d.floats(1, 2)), call(d.complexes(2))])
derivative(np.asanyarray, "y_bar", samples=copies)
derivative(np.ascontiguousarray, "y_bar", samples=copies)
derivative(np.asfortranarray, "y_bar", samples=copies)


@adjoint_of(np.copy, kind="linear", samples=copies)
def copy(x, y, y_bar, order="K", subok=False):
    return y_bar


def astype_tangent(x, y, x_dot, dtype=None, order="K", casting="unsafe", subok=True, copy=True):
    return x_dot


@adjoint_of(
    np.astype,
    tangent=astype_tangent,
    samples=calls(
        lambda d: [
            call(d.floats(2, 3), np.float64),
            call(d.floats(3), float, copy=False),
            call(d.floats(2), complex),
            call(d.floats(2, 0), np.float64),
        ]
    ),
)
def astype(x, y, y_bar, dtype=None, order="K", casting="unsafe", subok=True, copy=True):
    return y_bar


# ---- filled arrays ---------------------------------------------------------------------------------------------------


def full_tangent(shape, fill, y, shape_dot, fill_dot, dtype=None, order="C"):
    return np.full(shape, fill_dot)


@adjoint_of(
    np.full,
    tangent=full_tangent,
    samples=calls(
        lambda d: [
            call(3, d.number(), wrt=(1,)),
            call((2, 3), d.number(), wrt=(1,)),
            call((2, 3), d.floats(3), wrt=(1,)),
            call((2, 3), d.floats(2, 1), dtype=np.float64, wrt=(1,)),
        ]
    ),
)
def full(shape, fill, y, y_bar, dtype=None, order="C"):
    return None, y_bar


def full_like_tangent(x, fill, y, x_dot, fill_dot, dtype=None, order="K", subok=True, shape=None):
    return np.full_like(y, fill_dot)


@adjoint_of(
    np.full_like,
    tangent=full_like_tangent,
    samples=calls(
        lambda d: [
            call(d.floats(3), d.number()),
            call(d.floats(2, 3), d.number()),
            call(d.floats(2, 3), d.floats(3)),
            call(d.floats(2, 3), d.floats(2, 1), dtype=np.float64),
            call(d.floats(3), d.number(), shape=(2, 2)),
        ]
    ),
)
def full_like(x, fill, y, y_bar, dtype=None, order="K", subok=True, shape=None):
    return None, y_bar


# ---- ranges ----------------------------------------------------------------------------------------------------------


def linspace_tangent(start, stop, y, start_dot, stop_dot, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    shape = np.broadcast_shapes(np.shape(start), np.shape(stop))
    ends = np.broadcast_to(start_dot, shape), np.broadcast_to(stop_dot, shape)
    return np.linspace(*ends, num, endpoint=endpoint, retstep=retstep, axis=axis)


def weighted(y_bar, w, axis):
    """The sum of `y_bar` over `axis`, weighted by w."""
    return np.tensordot(w, np.moveaxis(y_bar, axis, 0), 1)


@adjoint_of(
    np.linspace,
    tangent=linspace_tangent,
    samples=calls(
        lambda d: [
            call(d.number(), d.number(), 5),
            call(d.number(), d.number(), num=4, endpoint=False),
            call(d.floats(3), d.floats(3), 4),
            call(d.floats(3), d.number(), 4, axis=-1),
            call(d.floats(2, 1), d.floats(3), 4, axis=1),
            call(d.number(), d.number(), 1),
            call(d.number(), d.number(), 4, retstep=True),
        ]
    ),
)
def linspace(start, stop, y, y_bar, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    w = np.linspace(0.0, 1.0, num, endpoint=endpoint)
    if retstep:
        per_step = y_bar[1] / (num - 1 if endpoint else num)
        if is_zero(y_bar[0]):
            return -per_step, per_step
        return weighted(y_bar[0], 1 - w, axis) - per_step, weighted(y_bar[0], w, axis) + per_step
    if y.ndim == 1:
        return y_bar @ (1 - w), y_bar @ w
    return weighted(y_bar, 1 - w, axis), weighted(y_bar, w, axis)


@composite(
    np.logspace,
    samples=calls(
        lambda d: [
            call(d.number(), d.number(), 5),
            call(d.number(), d.number(), num=4, endpoint=False, base=2.0),
            call(d.floats(3), d.floats(3), 4),
            call(d.floats(3), d.number(), 4, axis=-1),
        ]
    ),
)
def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    return base ** np.linspace(start, stop, num, endpoint=endpoint, axis=axis)


@composite(
    np.geomspace,
    samples=calls(
        lambda d: [
            call(d.number(), d.number(), 5),
            call(-d.number(), -d.number(), num=4, endpoint=False),
            call(d.floats(3), d.floats(3), 4),
            call(d.floats(3), d.number(), 4, axis=-1),
        ]
    ),
)
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    if np.asarray(start).dtype.kind == "c" or np.asarray(stop).dtype.kind == "c":
        return refuse("np.geomspace between complex numbers", "Use np.exp of np.linspace between their logarithms.")
    size = np.exp(np.linspace(np.log(np.abs(start)), np.log(np.abs(stop)), num, endpoint=endpoint, axis=axis))
    return np.linspace(np.sign(start), np.sign(stop), num, axis=axis) * size


@composite(
    np.meshgrid,
    samples=calls(
        lambda d: [
            call(d.floats(2), d.floats(3)),
            call(d.floats(2), d.floats(3), indexing="ij"),
            call(d.floats(2), d.floats(3), d.floats(4)),
            call(d.floats(2), d.floats(3), sparse=True),
            call(d.floats(2), d.number()),
        ]
    ),
)
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    k = len(xi)
    places = [1, 0, *range(2, k)] if indexing == "xy" and k > 1 else [*range(k)]
    wide = [np.reshape(x, sides(place, k)) for x, place in zip(xi, places, strict=True)]
    if sparse:
        return tuple(wide)
    shape = tuple([np.size(xi[place]) for place in places])
    return tuple([np.copy(np.broadcast_to(x, shape)) for x in wide])

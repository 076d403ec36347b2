"""Rules of functions that pick, place and order entries: take, choose, compress, insert, sort.

Enters: nothing.  Leaves: rules in the registry.

What an index names twice receives both cotangents: `np.add.at` adds them up.
"""

from __future__ import annotations

import math

import numpy as np

from s2s_ad.rules.registry import adjoint_of, composite
from s2s_ad.rules.samples import call, calls

# ---- picking by index ------------------------------------------------------------------------------------------------


def within(indices, n, mode):
    """The indices as `mode` reads them."""
    if mode == "wrap":
        return np.remainder(indices, n)
    if mode == "clip":
        return np.clip(indices, 0, n - 1)
    return indices


def put_back(y_bar, x, indices, axis, mode):
    """Adds what `np.take` took from x back to where it was."""
    if axis is None:
        total = np.zeros_like(x.reshape(-1))
        np.add.at(total, within(indices, x.size, mode), y_bar)
        return total.reshape(x.shape)
    places = within(indices, x.shape[axis], mode)
    if x.ndim > 2 and axis != 0 and axis != 1:
        return put_at(y_bar, x.shape, places, axis)
    total = np.zeros_like(x)
    if axis == 0 or x.ndim == 1:
        np.add.at(total, places, y_bar)
    else:
        np.add.at(total, (slice(None), places), y_bar)  # type: ignore[arg-type]
    return total


def put_at(y_bar, shape, indices, axis):
    """Adds what `np.take` took at `indices` along `axis` into zeros."""
    total = np.zeros(shape, y_bar.dtype)
    lead = [slice(None) for _ in range(axis % len(shape))]
    np.add.at(total, (*lead, indices), y_bar)
    return total


PLACES = np.array([[2, 0], [2, 1]])


@adjoint_of(
    put_at,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(2, 2, 2, 2), (2, 3, 2), PLACES, 1, wrt=(0,)),
            call(d.floats(2, 3, 2, 2), (2, 3, 3), PLACES, -1, wrt=(0,)),
            call(d.floats(2, 2, 2, 2), (2, 3, 2), PLACES, -2, wrt=(0,)),
            call(d.floats(2, 3), (2, 3, 4), 1, -1, wrt=(0,)),
        ]
    ),
)
def take_at(y_bar, shape, indices, axis, z, z_bar):
    return np.take(z_bar, indices, axis=axis), None, None, None


@adjoint_of(
    np.take,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(4), np.array([2, 0, 2, -1])),
            call(d.floats(2, 3), np.array([[0, 5], [5, 1]])),
            call(d.floats(2, 3), [2, 2], axis=1),
            call(d.floats(2, 3, 2), np.array([[1, 0], [2, 1]]), axis=-2),
            call(d.floats(2, 3), 1, 0),
            call(d.floats(4), np.array([5, -6]), mode="wrap"),
            call(d.floats(2, 3), np.array([7, -1]), axis=1, mode="clip"),
        ]
    ),
)
def take(x, indices, y, y_bar, axis=None, mode="raise"):
    return put_back(y_bar, x, indices, axis, mode), None


def put_back_along(y_bar, shape, indices, axis):
    """Adds what `np.take_along_axis` took at `indices` into zeros."""
    if axis is None:
        total = np.zeros(math.prod(shape), y_bar.dtype)
        np.add.at(total, indices, y_bar)
        return total.reshape(shape)
    total = np.zeros(shape, y_bar.dtype)
    places = list(np.ogrid[tuple([slice(n) for n in y_bar.shape])])
    for k, n in enumerate(shape):
        if n == 1:
            places[k] = places[k] * 0
    places[axis] = indices
    np.add.at(total, tuple(places), y_bar)
    return total


ALONG = (
    (((2, 4), (2, 3), np.array([[0, 2, 2, 1], [1, 1, 0, -1]]), 1)),
    (((1, 3), (2, 3), np.array([[1, 0, 1]]), 0)),
    (((3,), (2, 3), np.array([0, 5, 5]), None)),
    (((2, 2), (2, 3), np.array([[1, 1]]), -1)),
)


@adjoint_of(
    put_back_along,
    kind="linear",
    samples=calls(lambda d: [call(d.floats(*z), shape, index, axis, wrt=(0,)) for z, shape, index, axis in ALONG]),
)
def take_from(y_bar, shape, indices, axis, z, z_bar):
    return np.take_along_axis(z_bar, indices, axis), None, None, None


@adjoint_of(
    np.take_along_axis,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(2, 3), np.array([[0, 2, 2, 1], [1, 1, 0, -1]]), 1),
            call(d.floats(2, 3), np.array([[1, 0, 1]]), axis=0),
            call(d.floats(2, 3), np.array([0, 5, 5]), axis=None),
            call(d.floats(2, 1, 3), np.array([[[0, 2, 2]], [[1, 1, 0]]]), axis=-1),
            call(d.floats(2, 3), np.array([[1, 1]]), axis=-1),
        ]
    ),
)
def take_along_axis(x, indices, y, y_bar, axis=-1):
    return put_back_along(y_bar, x.shape, indices, axis), None


@composite(
    np.choose,
    samples=calls(
        lambda d: [
            call(np.array([1, 0, 1]), [d.floats(3), d.floats(3)]),
            call(np.array([[1, 0, 2], [0, 2, 1]]), (d.floats(3), d.floats(2, 1), d.floats(2, 3))),
            call(np.array([3, -1]), [d.floats(2), d.floats(2)], mode="wrap"),
            call(np.array([3, -1]), [d.floats(2), d.floats(2)], mode="clip"),
        ]
    ),
)
def choose(a, choices, out=None, mode="raise"):
    which = within(np.asarray(a), len(choices), mode)
    result = choices[0]
    for k, choice in enumerate(choices):
        result = np.where(which == k, choice, result)
    return result


@composite(
    np.compress,
    samples=calls(
        lambda d: [
            call(np.array([True, False, True]), d.floats(3)),
            call([False, True], d.floats(2, 3), axis=0),
            call(np.array([True, False, True]), d.floats(2, 3), axis=1),
            call(np.array([True, False, True]), d.floats(2, 3)),
        ]
    ),
)
def compress(condition, a, axis=None, out=None):
    return np.take(a, np.flatnonzero(condition), axis=axis)


@composite(
    np.extract,
    samples=calls(
        lambda d: [
            call(np.array([True, False, True]), d.floats(3)),
            call(d.bools(2, 3), d.floats(2, 3)),
            call(np.array([[1, 0], [0, 2]]), d.floats(2, 2)),
            call(np.array([True, True]), d.floats(2)),
        ]
    ),
)
def extract(condition, arr):
    return np.take(np.ravel(arr), np.flatnonzero(condition))


@composite(
    np.delete,
    samples=calls(
        lambda d: [
            call(d.floats(4), 1),
            call(d.floats(4), [0, -1]),
            call(d.floats(2, 3), 1, axis=1),
            call(d.floats(2, 3), slice(0, 2), axis=-1),
            call(d.floats(2, 3), np.array([True, False]), axis=0),
            call(d.floats(2, 3), [1, 4]),
        ]
    ),
)
def delete(arr, obj, axis=None):
    n = np.size(arr) if axis is None else np.shape(arr)[axis]
    return np.take(arr, np.delete(np.arange(n), obj), axis=axis)


@composite(
    np.insert,
    samples=calls(
        lambda d: [
            call(d.floats(4), 1, d.number()),
            call(d.floats(4), [0, 2], d.floats(2)),
            call(d.floats(2, 3), 1, d.floats(2), axis=1),
            call(d.floats(2, 3), 1, d.floats(3), axis=0),
            call(d.floats(2, 3), [0, 2, 2], d.floats(2, 3), axis=-1),
            call(d.floats(2, 3), 4, d.number()),
            call(d.floats(4), 2, d.floats(3)),
        ]
    ),
)
def insert(arr, obj, values, axis=None):
    flat = np.ravel(arr) if axis is None else arr
    at = 0 if axis is None else axis % flat.ndim
    n = flat.shape[at]
    single = np.ndim(obj) == 0
    if axis is None:
        added = np.ravel(values)
    elif single and np.ndim(values) > 0:
        # A single index takes a block whose missing axes are the leading ones, and where the axis itself is last.
        block = np.reshape(values, (1,) * (flat.ndim - np.ndim(values)) + np.shape(values))
        added = np.moveaxis(block, 0, at)
    else:
        added = np.reshape(values, (1,) * (flat.ndim - np.ndim(values)) + np.shape(values))
    count = max(added.shape[at] if single else np.size(obj), 1)
    shape = (*flat.shape[:at], count, *flat.shape[at + 1 :])
    # Which entry of [arr, values] each entry of the result is: the same insertion, of positions.
    order = np.insert(np.arange(n), obj, np.arange(n, n + count))
    return np.take(np.concatenate([flat, np.broadcast_to(added, shape)], axis=at), order, axis=at)


# ---- order -----------------------------------------------------------------------------------------------------------


def sort_tangent(x, y, x_dot, axis=-1, kind=None, stable=None):
    if axis is None:
        return np.ravel(x_dot)[np.argsort(np.ravel(x), kind="stable")]
    return np.take_along_axis(x_dot, np.argsort(x, axis=axis, kind="stable"), axis=axis)


def sorts():
    """Samples of a sort."""
    return calls(
        lambda d: [
            call(d.floats(5)),
            call(d.floats(2, 3)),
            call(d.floats(2, 3), axis=0),
            call(d.floats(2, 3), axis=None),
            call(d.floats(2, 3, 2), -2),
            call(np.array([2.0, 1.0, 2.0, 1.0]), smooth=False),
        ]
    )()


@adjoint_of(
    np.sort, tangent=sort_tangent, samples=lambda: (*sorts(), *calls(lambda d: [call(d.floats(4), kind="stable")])())
)
def sort(x, y, y_bar, axis=-1, kind=None, stable=None):
    if axis is None:
        order = np.argsort(np.ravel(x), kind="stable")
        return y_bar[np.argsort(order)].reshape(x.shape)
    order = np.argsort(x, axis=axis, kind="stable")
    return np.take_along_axis(y_bar, np.argsort(order, axis=axis), axis=axis)


@composite(np.sort_complex, samples=calls(lambda d: [call(d.floats(k)) for k in (2, 3, 4, 5)]))
def sort_complex(a):
    return np.sort(a, axis=-1) + 0j


def partition_tangent(x, y, x_dot, kth=0, axis=-1, kind="introselect"):
    if axis is None:
        return np.ravel(x_dot)[np.argpartition(np.ravel(x), kth)]
    return np.take_along_axis(x_dot, np.argpartition(x, kth, axis=axis), axis=axis)


@adjoint_of(
    np.partition,
    tangent=partition_tangent,
    samples=calls(
        lambda d: [
            call(d.floats(5), 2),
            call(d.floats(2, 4), 1),
            call(d.floats(4, 3), (0, 2), axis=0),
            call(d.floats(2, 3), 3, axis=None),
        ]
    ),
)
def partition(x, y, y_bar, kth=0, axis=-1, kind="introselect"):
    if axis is None:
        order = np.argpartition(np.ravel(x), kth)
        return y_bar[np.argsort(order)].reshape(x.shape)
    order = np.argpartition(x, kth, axis=axis)
    return np.take_along_axis(y_bar, np.argsort(order, axis=axis), axis=axis)

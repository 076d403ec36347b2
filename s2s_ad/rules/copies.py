"""Rules of functions that hold several copies of an entry: repeat, tile, pad, resize.

Enters: nothing.  Leaves: rules in the registry. The cotangents of all copies add up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from s2s_ad.rules.lookup import refuse
from s2s_ad.rules.registry import adjoint_of, composite, static
from s2s_ad.rules.samples import call, calls


def add_up(z, index, shape, axis):
    """Adds the slices of `z` along `axis` into those slices of an array of zeros that `index` names."""
    total = np.zeros(shape, z.dtype)
    np.add.at(np.moveaxis(total, axis, 0), index, np.moveaxis(z, axis, 0))
    return total


@adjoint_of(
    add_up,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(4), np.array([0, 0, 2, 1]), (3,), 0, wrt=(0,)),
            call(d.floats(2, 4), np.array([0, 0, 2, 1]), (2, 3), 1, wrt=(0,)),
            call(d.floats(2, 3), np.array([1, 1]), (2, 3), 0, wrt=(0,)),
            call(d.floats(2, 2, 3), np.array([2, 0]), (2, 3, 3), -2, wrt=(0,)),
        ]
    ),
)
def pick_up(z, index, shape, axis, total, total_bar):
    return np.take(total_bar, index, axis=axis), None, None, None


@adjoint_of(
    np.repeat,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(3), 2),
            call(d.floats(2, 3), 2),
            call(d.floats(2, 3), 3, axis=1),
            call(d.floats(2, 3), 2, axis=-2),
            call(d.floats(3), np.array([2, 0, 1])),
            call(d.floats(2, 3), [1, 3], axis=0),
            call(d.number(), 3),
        ]
    ),
)
def repeat(x, y, y_bar, repeats=1, axis=None):
    if axis is None:
        if isinstance(repeats, int):
            return y_bar.reshape((*x.shape, repeats)).sum(axis=-1)
        return add_up(y_bar, np.repeat(np.arange(x.size), repeats), (x.size,), 0).reshape(x.shape)
    if isinstance(repeats, int):
        at = axis % x.ndim
        return y_bar.reshape((*x.shape[: at + 1], repeats, *x.shape[at + 1 :])).sum(axis=at + 1)
    return add_up(y_bar, np.repeat(np.arange(x.shape[axis]), repeats), x.shape, axis)


def untile(y_bar, before, reps):
    """The sum of the copies that `np.tile` made of an array with the shape `before`."""
    counts = tuple(reps) if isinstance(reps, tuple | list) else (reps,)
    ndim = max(len(before), len(counts))
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - len(before)) + before
    apart: tuple[Any, ...] = ()
    for count, n in zip(counts, shape, strict=True):
        apart = (*apart, count, n)
    return y_bar.reshape(apart).sum(axis=tuple(range(0, 2 * ndim, 2))).reshape(before)


@adjoint_of(
    untile,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(6), (3,), 2, wrt=(0,)),
            call(d.floats(4, 3), (2, 3), (2, 1), wrt=(0,)),
            call(d.floats(2, 6), (3,), (2, 2), wrt=(0,)),
            call(d.floats(2, 3), (2, 1), 3, wrt=(0,)),
        ]
    ),
)
def tile_again(y_bar, before, reps, z, z_bar):
    return np.tile(z_bar, reps), None, None


@adjoint_of(
    np.tile,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(3), 2),
            call(d.floats(2, 3), (2, 1)),
            call(d.floats(3), (2, 2)),
            call(d.floats(2, 1, 2), 3),
            call(d.number(), 3),
        ]
    ),
)
def tile(x, y, y_bar, reps=1):
    return untile(y_bar, np.shape(x), reps)


@static
def pad_pairs(pad_width, ndim):
    """The widths before and after, one pair an axis, of any of the short forms."""
    if isinstance(pad_width, dict):
        pairs = {axis % ndim: width for axis, width in pad_width.items()}
        return tuple(
            (pairs.get(k, 0),) * 2 if isinstance(pairs.get(k, 0), int) else tuple(pairs[k]) for k in range(ndim)
        )
    return tuple((int(a), int(b)) for a, b in np.broadcast_to(np.asarray(pad_width), (ndim, 2)))


def unpad(y_bar, before, pairs, mode):
    """The adjoint of padding by copies of entries: each copy's cotangent goes back to the entry."""
    for axis, n in enumerate(before):
        index = np.pad(np.arange(n), pairs[axis], mode=mode)
        total = np.zeros((*y_bar.shape[:axis], n, *y_bar.shape[axis + 1 :]), y_bar.dtype)
        np.add.at(np.moveaxis(total, axis, 0), index, np.moveaxis(y_bar, axis, 0))
        y_bar = total
    return y_bar


@adjoint_of(
    unpad,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(8), (4,), ((1, 3),), "edge", wrt=(0,)),
            call(d.floats(4, 5), (2, 3), ((1, 1), (1, 1)), "reflect", wrt=(0,)),
            call(d.floats(6), (3,), ((1, 2),), "symmetric", wrt=(0,)),
            call(d.floats(4, 7), (2, 4), ((1, 1), (0, 3)), "wrap", wrt=(0,)),
        ]
    ),
)
def pad_again(y_bar, before, pairs, mode, z, z_bar):
    return np.pad(z_bar, pairs, mode=mode), None, None, None


def pad_tangent(x, y, x_dot, pad_width=0, mode="constant", constant_values=0):
    if mode == "constant":
        return np.pad(x_dot, pad_width)
    return np.pad(x_dot, pad_width, mode=mode)


@adjoint_of(
    np.pad,
    tangent=pad_tangent,
    samples=calls(
        lambda d: [
            call(d.floats(3), 2),
            call(d.floats(2, 3), (1, 2)),
            call(d.floats(2, 3), ((1, 0), (2, 1)), constant_values=1.5),
            call(d.floats(4), ((1, 3),), "edge"),
            call(d.floats(2, 3), 1, mode="reflect"),
            call(d.floats(3), (1, 2), mode="symmetric"),
            call(d.floats(2, 4), ((1, 1), (0, 3)), mode="wrap"),
        ]
    ),
)
def pad(x, y, y_bar, pad_width=0, mode="constant", constant_values=0):
    pairs = pad_pairs(pad_width, x.ndim)
    if mode == "constant":
        return y_bar[tuple([slice(pairs[k][0], pairs[k][0] + n) for k, n in enumerate(x.shape)])]
    if mode in ("edge", "reflect", "symmetric", "wrap"):
        return unpad(y_bar, x.shape, pairs, mode)
    return refuse(f"np.pad with mode={mode!r}", "Use 'constant', 'edge', 'reflect', 'symmetric' or 'wrap'.")


@composite(
    np.resize,
    samples=calls(
        lambda d: [
            call(d.floats(3), 5),
            call(d.floats(2, 3), (3, 4)),
            call(d.floats(4), (2, 1)),
            call(d.floats(2, 2), (2, 2)),
        ]
    ),
)
def resize(a, new_shape):
    count = int(np.prod(new_shape))
    return np.take(np.ravel(a), np.arange(count) % np.size(a)).reshape(new_shape)

"""Rules of functions that join arrays or take them apart: concatenate, stack, block, split.

Enters: nothing.  Leaves: rules in the registry.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from s2s_ad.rules.axes import span
from s2s_ad.rules.registry import adjoint_of, composite, same_as
from s2s_ad.rules.samples import call, calls


def portion(z, start, stop, axis):
    """The entries from `start` to `stop` along `axis`."""
    if axis == 0:
        return z[start:stop]
    if axis == 1:
        return z[:, start:stop]
    if axis == -1:
        return z[..., start:stop]
    return np.moveaxis(np.moveaxis(z, axis, 0)[start:stop], 0, axis)


def first_of(z, stop, axis):
    """The entries up to `stop` along `axis`."""
    if axis == 0:
        return z[:stop]
    if axis == 1:
        return z[:, :stop]
    if axis == -1:
        return z[..., :stop]
    return np.moveaxis(np.moveaxis(z, axis, 0)[:stop], 0, axis)


def rest_of(z, start, axis):
    """The entries from `start` along `axis`."""
    if axis == 0:
        return z[start:]
    if axis == 1:
        return z[:, start:]
    if axis == -1:
        return z[..., start:]
    return np.moveaxis(np.moveaxis(z, axis, 0)[start:], 0, axis)


def cut(z, bounds, axis):
    """`z` between its start, the bounds, and its end: one part more than bounds."""
    if len(bounds) == 0:
        return (z,)
    parts: tuple[Any, ...] = (first_of(z, bounds[0], axis),)
    for k in span(1, len(bounds)):
        parts = (*parts, portion(z, bounds[k - 1], bounds[k], axis))
    return (*parts, rest_of(z, bounds[-1], axis))


def layer(z, k, axis):
    """The entries at `k` along `axis`."""
    if axis == 0:
        return z[k]
    if axis == 1:
        return z[:, k]
    if axis == -1:
        return z[..., k]
    return np.moveaxis(z, axis, 0)[k]


def sums_of(sizes):
    """The running sums."""
    if len(sizes) < 2:
        return sizes
    if len(sizes) > 4:
        return np.cumsum(sizes)
    before = sums_of(sizes[:-1])
    return (*before, before[-1] + sizes[-1])


@adjoint_of(
    np.concatenate,
    kind="linear",
    sequence=True,
    samples=calls(
        lambda d: [
            call([d.floats(2), d.floats(3)]),
            call((d.floats(2, 2), d.floats(2, 3), d.floats(2, 1)), axis=1),
            call([d.floats(2, 2, 2), d.floats(2, 2, 3)], -1),
            call([d.floats(2, 1), d.floats(3)], axis=None),
            call([d.floats(1, 3), np.ones((2, 3))], axis=0),
            call([d.floats(2, 2, 2), d.floats(2, 3, 2)], axis=-2),
            call([d.floats(0), d.floats(3)]),
        ]
    ),
)
def concatenate(xs, y, y_bar, axis=0, dtype=None):
    at = 0 if axis is None else axis
    if isinstance(xs, list):  # of a length that is known only at run time
        sizes = [x.size if axis is None else x.shape[axis] for x in xs]
        bounds = np.cumsum(sizes)
        rows = [portion(y_bar, bounds[k] - sizes[k], bounds[k], at) for k, _ in enumerate(xs)]
        return [row.reshape(x.shape) for row, x in zip(rows, xs, strict=True)] if axis is None else rows
    if len(xs) == 1:
        return (y_bar.reshape(xs[0].shape),)
    ends = sums_of(tuple([x.size if axis is None else x.shape[axis] for x in xs[:-1]]))
    parts: tuple[Any, ...] = (first_of(y_bar, ends[0], at),)
    for k in span(1, len(xs) - 1):
        parts = (*parts, portion(y_bar, ends[k - 1], ends[k], at))
    parts = (*parts, rest_of(y_bar, ends[-1], at))
    if axis is None:
        return tuple([part.reshape(x.shape) for part, x in zip(parts, xs, strict=True)])
    return parts


same_as(np.concat, np.concatenate)


@adjoint_of(
    np.stack,
    kind="linear",
    sequence=True,
    samples=calls(
        lambda d: [
            call([d.floats(3), d.floats(3)]),
            call((d.floats(2, 3), d.floats(2, 3), d.floats(2, 3)), axis=1),
            call([d.floats(2, 3), d.floats(2, 3)], -1),
            call([d.number(), 2.0, d.number()]),
            call([d.floats(2, 3), d.floats(2, 3)], axis=-2),
        ]
    ),
)
def stack(xs, y, y_bar, axis=0, dtype=None):
    return tuple([layer(y_bar, k, axis) for k, _ in enumerate(xs)])


def pieces(*shapes):
    """One sample for each list of shapes: the call of a function that takes a list of arrays."""
    return calls(lambda d: [call([d.floats(*shape) for shape in group]) for group in shapes])


@composite(
    np.hstack,
    samples=pieces([(2,), (3,)], [(2, 1), (2, 3)], [(), (2,)], [(2, 1, 2), (2, 2, 2), (2, 1, 2)]),
)
def hstack(tup, *, dtype=None, casting="same_kind"):
    arrays = [np.atleast_1d(a) for a in tup]
    return np.concatenate(arrays, axis=0 if arrays[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@composite(np.vstack, samples=pieces([(3,), (3,)], [(2, 3), (1, 3)], [(), ()], [(3,), (2, 3), (3,)]))
def vstack(tup, *, dtype=None, casting="same_kind"):
    return np.concatenate([np.atleast_2d(a) for a in tup], axis=0, dtype=dtype, casting=casting)


@composite(np.dstack, samples=pieces([(3,), (3,)], [(2, 3), (2, 3)], [(2, 3, 1), (2, 3)], [(), ()]))
def dstack(tup):
    return np.concatenate([np.atleast_3d(a) for a in tup], axis=2)


@composite(np.column_stack, samples=pieces([(3,), (3,)], [(2, 3), (2,)], [(2, 1), (2, 3)], [(3,), (3,), (3, 2)]))
def column_stack(tup):
    columns = [np.atleast_1d(a)[:, np.newaxis] if np.ndim(a) < 2 else a for a in tup]
    return np.concatenate(columns, axis=1)


@composite(
    np.append,
    samples=calls(
        lambda d: [
            call(d.floats(2), d.floats(3)),
            call(d.floats(2, 3), d.floats(1, 3), axis=0),
            call(d.floats(2, 3), d.floats(2, 1), axis=-1),
            call(d.floats(2, 3), 2.0),
        ]
    ),
)
def append(arr, values, axis=None):
    if axis is None:
        return np.concatenate([np.ravel(arr), np.ravel(values)])
    return np.concatenate([arr, values], axis=axis)


def depth_of(blocks):
    """How deep the lists are nested."""
    return 1 + depth_of(blocks[0]) if isinstance(blocks, list) else 0


def rank_of(blocks):
    """The largest rank among the blocks."""
    if not isinstance(blocks, list):
        return np.ndim(blocks)
    rank = 0
    for block in blocks:
        rank = max(rank, rank_of(block))
    return rank


def joined(blocks, axis, ndim):
    """The innermost lists are joined along the last axis, the next along the one before it, and so on."""
    if not isinstance(blocks, list):
        return np.reshape(blocks, (1,) * (ndim - np.ndim(blocks)) + np.shape(blocks))
    return np.concatenate([joined(b, axis + 1, ndim) for b in blocks], axis=axis)


@composite(
    np.block,
    samples=calls(
        lambda d: [
            call([d.floats(2), d.floats(3)]),
            call([[d.floats(2, 2), d.floats(2, 1)], [d.floats(1, 2), d.floats(1, 1)]]),
            call([[d.floats(2, 3)], [np.ones((1, 3))]]),
            call([d.floats(2, 2), d.floats(2, 3)]),
            call([[d.number(), 2.0], [3.0, d.number()]]),
        ]
    ),
)
def block(arrays):
    depth = depth_of(arrays)
    return joined(arrays, -depth, max(depth, rank_of(arrays)))


# ---- taking apart ----------------------------------------------------------------------------------------------------


@composite(
    np.split,
    samples=calls(
        lambda d: [
            call(d.floats(6), 3),
            call(d.floats(6), [1, 4]),
            call(d.floats(2, 4), 2, axis=1),
            call(d.floats(2, 3, 4), (1,), axis=-1),
            call(d.floats(4, 2), [1, 3], 0),
        ]
    ),
)
def split(ary, indices_or_sections, axis=0):
    if isinstance(indices_or_sections, int):
        size = ary.shape[axis] // indices_or_sections
        return list(cut(ary, tuple([k * size for k in span(1, indices_or_sections)]), axis))
    return list(cut(ary, indices_or_sections, axis))


@composite(
    np.array_split,
    samples=calls(
        lambda d: [
            call(d.floats(7), 3),
            call(d.floats(6), [1, 4]),
            call(d.floats(2, 5), 2, axis=1),
            call(d.floats(3), 4),
        ]
    ),
)
def array_split(ary, indices_or_sections, axis=0):
    n = ary.shape[axis]
    if not isinstance(indices_or_sections, int):
        return np.split(ary, indices_or_sections, axis)
    size = n // indices_or_sections
    longer = n % indices_or_sections
    bounds = [k * size + min(k, longer) for k in span(0, indices_or_sections + 1)]
    return [portion(ary, bounds[k], bounds[k + 1], axis) for k in span(0, indices_or_sections)]


@composite(
    np.hsplit,
    samples=calls(
        lambda d: [
            call(d.floats(4), 2),
            call(d.floats(2, 4), 2),
            call(d.floats(2, 4), [1]),
            call(d.floats(2, 3, 2), 3),
        ]
    ),
)
def hsplit(ary, indices_or_sections):
    return np.split(ary, indices_or_sections, axis=0 if ary.ndim == 1 else 1)


@composite(
    np.vsplit,
    samples=calls(
        lambda d: [
            call(d.floats(4, 2), 2),
            call(d.floats(4, 2), [1]),
            call(d.floats(3, 1), 3),
            call(d.floats(2, 3, 2), 2),
        ]
    ),
)
def vsplit(ary, indices_or_sections):
    return np.split(ary, indices_or_sections, axis=0)


@composite(
    np.dsplit,
    samples=calls(
        lambda d: [
            call(d.floats(2, 1, 4), 2),
            call(d.floats(2, 2, 4), [1, 2]),
            call(d.floats(1, 1, 3), 3),
            call(d.floats(2, 1, 2), 1),
        ]
    ),
)
def dsplit(ary, indices_or_sections):
    return np.split(ary, indices_or_sections, axis=2)


@composite(
    np.unstack,
    samples=calls(
        lambda d: [
            call(d.floats(3)),
            call(d.floats(2, 3)),
            call(d.floats(2, 3), axis=1),
            call(d.floats(2, 3, 2), axis=-1),
        ]
    ),
)
def unstack(x, /, *, axis=0):
    return tuple([layer(x, k, axis) for k in range(x.shape[axis])])

"""Counts with weights: bincount and the histograms.

Enters: nothing.  Leaves: rules and definitions in the registry.

Which bin a number falls into does not change with it; the weights flow, and so do edges that are found from the data.
"""

from __future__ import annotations

import numpy as np

from s2s_ad.rules.axes import sides
from s2s_ad.rules.lookup import refuse
from s2s_ad.rules.registry import adjoint_of, composite
from s2s_ad.rules.samples import call, calls


def bincount_tangent(x, weights, y, x_dot, weights_dot, minlength=0):
    return np.bincount(x, np.broadcast_to(weights_dot, x.shape), minlength)


@adjoint_of(
    np.bincount,
    tangent=bincount_tangent,
    samples=calls(
        lambda d: [
            call(np.array([1, 0, 2, 1]), d.floats(4)),
            call(np.array([3, 3]), d.floats(2), 6),
            call(np.array([0, 1, 1]), d.floats(3), minlength=1),
            call(np.array([5]), d.floats(1)),
        ]
    ),
)
def bincount(x, weights, y, y_bar, minlength=0):
    return None, y_bar[x]


def bounds_of(a, range):
    """Where the first bin begins and the last one ends."""
    if range is not None:
        return range
    low, high = np.min(a), np.max(a)
    if low == high:
        return low - 0.5, high + 0.5
    return low, high


@composite(
    np.histogram_bin_edges,
    samples=calls(
        lambda d: [
            call(d.floats(5)),
            call(d.floats(5), 4),
            call(d.floats(2, 3), 3, (0.0, 2.0)),
            call(d.floats(6), 2, (0.1, 2.5), wrt=(0,)),
            call(np.full(3, 1.5), 2, smooth=False),
        ]
    ),
)
def histogram_bin_edges(a, bins=10, range=None, weights=None):
    if isinstance(bins, str):
        return refuse(f"np.histogram_bin_edges with bins={bins!r}", "Give the number of bins, or their edges.")
    if not isinstance(bins, int):
        return np.asarray(bins)
    low, high = bounds_of(a, range)
    return np.linspace(low, high, bins + 1)


def bins_of(values, edges):
    """The bin of each value; -1 and len(edges) - 1 are outside. The last bin holds its end."""
    inside = np.searchsorted(edges, values, side="right") - 1
    return np.where(values == edges[-1], len(edges) - 2, inside)


def counts(where, within, weights, size):
    """The sum of the weights, or the number of entries, in each bin."""
    if weights is None:
        return np.bincount(where[within], minlength=size)
    return np.bincount(where[within], weights=np.ravel(weights)[within], minlength=size)


@composite(
    np.histogram,
    samples=calls(
        lambda d: [
            call(d.floats(6), 3),
            call(d.floats(6), 3, (0.0, 1.5)),
            call(d.floats(6), 3, weights=d.floats(6)),
            call(d.floats(6), np.array([0.0, 1.0, 3.0]), weights=d.floats(6), density=True),
            call(d.floats(2, 3), 2, density=True),
        ]
    ),
)
def histogram(a, bins=10, range=None, density=None, weights=None):
    edges = np.histogram_bin_edges(a, bins, range)
    where = bins_of(np.ravel(a), edges)
    within = (where >= 0) & (where < len(edges) - 1)
    count = counts(where, within, weights, len(edges) - 1)
    if density:
        return count / (edges[1:] - edges[:-1]) / np.sum(count), edges
    return count, edges


@composite(
    np.histogramdd,
    samples=calls(
        lambda d: [
            call(d.floats(6, 2), [3, 2]),
            call(d.floats(6, 2), (2, 3), weights=d.floats(6)),
            call([d.floats(5), d.floats(5)], 2, range=((0.0, 1.5), (0.0, 3.0)), weights=d.floats(5)),
            call(d.floats(6, 3), (2, 2, 1), density=True),
        ]
    ),
)
def histogramdd(sample, bins=10, range=None, density=None, weights=None):
    if isinstance(sample, list | tuple):
        columns = tuple(sample)
    elif isinstance(bins, list | tuple):
        columns = tuple([sample[:, k] for k, _ in enumerate(bins)])
    else:
        return refuse("np.histogramdd of an array of points with one `bins`", "Give `bins` for each coordinate.")
    by_axis = bins if isinstance(bins, list | tuple) else tuple([bins for _ in columns])
    ranges = tuple([None for _ in columns]) if range is None else range
    edges = [np.histogram_bin_edges(x, n, r) for x, n, r in zip(columns, by_axis, ranges, strict=True)]
    shape = tuple([len(e) - 1 for e in edges])
    where = [bins_of(x, e) for x, e in zip(columns, edges, strict=True)]
    within = np.all([(w >= 0) & (w < n) for w, n in zip(where, shape, strict=True)], axis=0)
    place = np.ravel_multi_index(tuple([np.clip(w, 0, n - 1) for w, n in zip(where, shape, strict=True)]), shape)
    # The primal counts in floats.
    count = counts(place, within, weights, int(np.prod(shape))).reshape(shape) * 1.0
    if density:
        count = count / np.sum(count)
        for axis, e in enumerate(edges):
            count = count / np.reshape(e[1:] - e[:-1], sides(axis, len(edges)))
    return count, tuple(edges)


@composite(
    np.histogram2d,
    samples=calls(
        lambda d: [
            call(d.floats(6), d.floats(6), 3),
            call(d.floats(6), d.floats(6), (2, 3), weights=d.floats(6)),
            call(d.floats(6), d.floats(6), [2, np.array([0.0, 1.0, 3.0])]),
            call(d.floats(5), d.floats(5), 2, density=True),
        ]
    ),
)
def histogram2d(x, y, bins=10, range=None, density=None, weights=None):
    count, edges = np.histogramdd([x, y], bins, range, density, weights)
    return count, edges[0], edges[1]

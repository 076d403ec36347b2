"""Definitions of the set functions: the entries of what they give are entries of their operands.

Enters: nothing.  Leaves: definitions in the registry.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from s2s_ad.rules.lookup import refuse
from s2s_ad.rules.registry import composite
from s2s_ad.rules.samples import call, calls

SETS = calls(
    lambda d: [
        call(np.array([3.0, 1.0, 2.5, 1.0]), smooth=False),
        call(np.array([[0.5, 2.0], [1.5, 0.7]])),
        call(d.floats(4)),
        call(np.array([2.0])),
    ]
)


@composite(
    np.unique,
    samples=lambda: (
        *SETS(),
        call(np.array([3.0, 1.0, 1.0]), return_index=True, return_inverse=True, return_counts=True, smooth=False),
        call(np.array([3.0, 1.0, 2.0]), return_counts=True),
        call(np.array([3.0, np.nan, 1.0, np.nan]), smooth=False),
    ),
)
def unique(
    ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True, sorted=True
):
    if axis is not None:
        return refuse("np.unique along an axis", "Pick the rows by an index that is computed from a constant.")
    flat = np.ravel(ar)
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    first = np.ones(flat.size, dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    if equal_nan:
        first[1:] = first[1:] & ~(np.isnan(ordered[1:]) & np.isnan(ordered[:-1]))
    starts = np.flatnonzero(first)
    values = ordered[starts]
    if not (return_index or return_inverse or return_counts):
        return values
    parts: tuple[Any, ...] = (values,)
    if return_index:
        parts = (*parts, order[starts])
    if return_inverse:
        inverse = np.zeros(flat.size, dtype=int)
        inverse[order] = np.cumsum(first) - 1
        parts = (*parts, inverse.reshape(ar.shape))
    if return_counts:
        ends = np.zeros(starts.size, dtype=int)
        ends[:-1] = starts[1:]
        ends[-1:] = flat.size
        parts = (*parts, ends - starts)
    return parts


@composite(np.unique_values, samples=lambda: (*SETS()[1:], call(np.array([1.5]))))
def unique_values(x):
    return np.unique(x)


@composite(np.unique_counts, samples=SETS)
def unique_counts(x):
    return np.unique(x, return_counts=True)


@composite(np.unique_inverse, samples=SETS)
def unique_inverse(x):
    return np.unique(x, return_inverse=True)


@composite(np.unique_all, samples=SETS)
def unique_all(x):
    return np.unique(x, return_index=True, return_inverse=True, return_counts=True)


TWO_SETS = calls(
    lambda d: [
        call(np.array([3.0, 1.0, 2.5, 1.0]), np.array([1.0, 2.5, 4.0]), smooth=False),
        call(np.array([3.0, 1.0]), np.array([2.0])),
        call(np.array([[0.5, 2.0], [1.5, 0.5]]), np.array([0.5, 3.0]), smooth=False),
        call(d.floats(3), d.floats(2)),
    ]
)


@composite(np.union1d, samples=TWO_SETS)
def union1d(ar1, ar2):
    return np.unique(np.concatenate([np.ravel(ar1), np.ravel(ar2)]))


@composite(np.intersect1d, samples=TWO_SETS)
def intersect1d(ar1, ar2, assume_unique=False, return_indices=False):
    first = np.unique(ar1)
    return first[np.isin(first, ar2)]


@composite(np.setdiff1d, samples=TWO_SETS)
def setdiff1d(ar1, ar2, assume_unique=False):
    first = np.unique(ar1)
    return first[np.isin(first, ar2, invert=True)]


@composite(np.setxor1d, samples=TWO_SETS)
def setxor1d(ar1, ar2, assume_unique=False):
    first, second = np.unique(ar1), np.unique(ar2)
    return np.sort(np.concatenate([first[~np.isin(first, second)], second[~np.isin(second, first)]]))


@composite(
    np.trim_zeros,
    samples=lambda: (
        call(np.array([0.0, 0.0, 1.5, 0.0, 2.0, 0.0]), smooth=False),
        call(np.array([0.0, 1.5, 0.0, 2.0, 0.0]), "f", smooth=False),
        call(np.array([0.0, 1.5, 0.0, 2.0, 0.0]), trim="b", smooth=False),
        call(np.array([1.5, 2.0])),
    ),
)
def trim_zeros(filt, trim="fb", axis=None):
    if filt.ndim != 1:
        return refuse("np.trim_zeros of more than one axis", "Slice the array.")
    kept = np.flatnonzero(filt)
    if len(kept) == 0:
        return filt[:0]
    start = kept[0] if "f" in trim.lower() else 0
    stop = kept[-1] + 1 if "b" in trim.lower() else len(filt)
    return filt[start:stop]

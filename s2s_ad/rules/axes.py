"""Axes and shapes as tuples that are known while compiling, so that loops over them are written out.

Enters: ranks and options.  Leaves: tuples.
"""

from __future__ import annotations

from s2s_ad.rules.registry import static


@static
def span(start, stop):
    """The whole numbers from `start` up to `stop`."""
    return tuple(range(start, stop))


@static
def is_among(k, axis, ndim):
    """Whether a reduction over `axis` takes the k-th of the axes."""
    if axis is None:
        return True
    return k in [int(a) % ndim for a in (axis if isinstance(axis, tuple) else (axis,))]


@static
def sides(axis, ndim):
    """The shape that lays one axis along `axis` of an array: -1 there, 1 elsewhere."""
    return tuple(-1 if k == axis % ndim else 1 for k in range(ndim))

"""Rules of functions on the diagonal and the triangles of a matrix.

Enters: nothing.  Leaves: rules in the registry.
"""

from __future__ import annotations

import numpy as np

from s2s_ad.rules.registry import adjoint_of, composite
from s2s_ad.rules.samples import call, calls


def on_diagonal(y_bar, x, offset, axis1, axis2):
    """An array like x that is zero but for its diagonal, which is `y_bar`."""
    total = np.zeros(x.shape, y_bar.dtype)
    moved = np.moveaxis(total, (axis1, axis2), (-2, -1))
    k = np.arange(y_bar.shape[-1])
    moved[..., k + max(-offset, 0), k + max(offset, 0)] = y_bar
    return total


@adjoint_of(
    np.diagonal,
    kind="linear",
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(3, 3)),
            call(d.floats(2, 4), 1),
            call(d.floats(4, 2), offset=-1),
            call(d.floats(2, 3, 4), 0, 1, 2),
            call(d.floats(2, 3, 4), offset=-1, axis1=2, axis2=0),
        ]
    ),
)
def diagonal(x, y, y_bar, offset=0, axis1=0, axis2=1):
    return on_diagonal(y_bar, x, offset, axis1, axis2)


@adjoint_of(
    np.diag,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(3)),
            call(d.floats(3), 1),
            call(d.floats(2), k=-2),
            call(d.floats(3, 3)),
            call(d.floats(2, 4), 1),
            call(d.floats(4, 2), -1),
        ]
    ),
)
def diag(x, y, y_bar, k=0):
    if x.ndim == 1:
        return np.diagonal(y_bar, k)
    return on_diagonal(y_bar, x, k, 0, 1)


@composite(
    np.diagflat,
    samples=calls(
        lambda d: [call(d.floats(3)), call(d.floats(2, 2), 1), call(d.floats(2), k=-2), call(d.floats(1, 3))]
    ),
)
def diagflat(v, k=0):
    return np.diag(np.ravel(v), k)


def trace_cotangent(y_bar, x, offset, axis1, axis2):
    """The cotangent of the trace: `y_bar` on the diagonal."""
    eye = np.eye(x.shape[axis1], x.shape[axis2], offset)
    if x.ndim == 2:
        return y_bar * (eye if axis1 % 2 < axis2 % 2 else np.eye(x.shape[axis2], x.shape[axis1], offset).T)
    return np.moveaxis(y_bar[..., np.newaxis, np.newaxis] * eye, (-2, -1), (axis1, axis2))


@adjoint_of(
    np.trace,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(3, 3)),
            call(d.floats(2, 4), 1),
            call(d.floats(4, 2), offset=-1),
            call(d.floats(2, 3, 4), 0, 1, 2),
            call(d.floats(2, 3, 4), offset=-1, axis1=2, axis2=0),
        ]
    ),
)
def trace(x, y, y_bar, offset=0, axis1=0, axis2=1):
    if x.ndim == 2 and axis1 == 0 and axis2 == 1:
        return y_bar * np.eye(x.shape[0], x.shape[1], offset)
    return trace_cotangent(y_bar, x, offset, axis1, axis2)


triangles = calls(
    lambda d: [
        call(d.floats(3, 3)),
        call(d.floats(2, 4), 1),
        call(d.floats(4, 2), k=-1),
        call(d.floats(2, 3, 3)),
    ]
)


@adjoint_of(np.tril, kind="linear", samples=triangles)
def tril(x, y, y_bar, k=0):
    return np.tril(y_bar, k)


@adjoint_of(np.triu, kind="linear", samples=triangles)
def triu(x, y, y_bar, k=0):
    return np.triu(y_bar, k)

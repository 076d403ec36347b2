"""Rules of products of arrays: matmul and its kin, dot, inner, outer, tensordot, cross, kron, convolve, correlate.

Enters: nothing.  Leaves: rules in the registry. `einsum` has a file of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from s2s_ad.rules.axes import span
from s2s_ad.rules.registry import adjoint_of, composite, static
from s2s_ad.rules.samples import call, calls


def pairs(*shapes):
    """One sample for each pair of shapes, and a complex one of the first pair."""
    first = shapes[0]
    return calls(
        lambda d: [
            *[call(d.signed(*a), d.floats(*b)) for a, b in shapes],
            call(d.complexes(*first[0]), d.complexes(*first[1])),
            call(d.floats(*first[0]), d.complexes(*first[1])),
        ]
    )


def mT(x):
    """The transpose of a matrix, or of each matrix in a stack."""
    return x.T if x.ndim == 2 else np.swapaxes(x, -1, -2)


# ---- matrix products -------------------------------------------------------------------------------------------------


def matmul(x, y, z, z_bar):
    if x.ndim == 2 and y.ndim == 2:
        return z_bar @ y.T, x.T @ z_bar
    if x.ndim == 1 and y.ndim == 1:
        return z_bar * y, z_bar * x
    if x.ndim == 2 and y.ndim == 1:
        return np.outer(z_bar, y), x.T @ z_bar
    if x.ndim == 1 and y.ndim == 2:
        return y @ z_bar, np.outer(x, z_bar)
    if y.ndim == 1:
        return z_bar[..., np.newaxis] * y, np.tensordot(z_bar, x, z_bar.ndim)
    if x.ndim == 1:
        return (y @ z_bar[..., np.newaxis])[..., 0], x[:, np.newaxis] * z_bar[..., np.newaxis, :]
    if y.ndim == 2:
        # One matrix for the whole stack: its cotangent is one product over all rows of the stack.
        rows = span(0, x.ndim - 1)
        return z_bar @ y.T, np.tensordot(x, z_bar, (rows, rows))
    return z_bar @ mT(y), mT(x) @ z_bar


matmul_samples = pairs(
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((4, 2, 3), (3,)),
    ((3,), (4, 3, 2)),
    ((4, 2, 3), (3, 2)),
    ((2, 3), (4, 3, 2)),
    ((4, 2, 3), (4, 3, 2)),
    ((4, 1, 2, 3), (5, 3, 2)),
    ((1, 2, 3), (4, 3, 1)),
    ((1, 1), (1, 1)),
    ((2, 0), (0, 3)),
)
adjoint_of(np.matmul, kind="multilinear", samples=matmul_samples)(matmul)


@adjoint_of(
    np.dot,
    kind="multilinear",
    samples=pairs(
        ((2, 3), (3, 4)),
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((), (2, 3)),
        ((3,), ()),
        ((2, 2, 3), (3,)),
        ((2, 3), (4, 3, 2)),
        ((3,), (4, 3, 2)),
        ((2, 2, 3), (3, 2)),
        ((2, 2, 3), (2, 3, 4)),
    ),
)
def dot(x, y, z, z_bar):
    if x.ndim == 0 or y.ndim == 0:
        return z_bar * y, z_bar * x
    if y.ndim <= 2 and (x.ndim <= 2 or y.ndim == 1):
        return matmul(x, y, z, z_bar)
    free_x, free_y = span(0, x.ndim - 1), (*span(0, y.ndim - 2), y.ndim - 1)
    x_bar = np.tensordot(z_bar, y, (span(x.ndim - 1, z.ndim), free_y))
    y_bar = np.tensordot(x, z_bar, (free_x, free_x))
    return x_bar, np.moveaxis(y_bar, 0, -2)


@adjoint_of(
    np.inner,
    kind="multilinear",
    samples=pairs(((3,), (3,)), ((2, 3), (3,)), ((3,), (4, 3)), ((2, 3), (4, 3)), ((), (2, 3)), ((2, 2, 3), (4, 1, 3))),
)
def inner(x, y, z, z_bar):
    if x.ndim == 0 or y.ndim == 0 or (x.ndim == 1 and y.ndim == 1):
        return z_bar * y, z_bar * x
    if x.ndim == 2 and y.ndim == 2:
        return z_bar @ y, z_bar.T @ x
    free_x, free_y = span(0, x.ndim - 1), span(0, y.ndim - 1)
    x_bar = np.tensordot(z_bar, y, (span(x.ndim - 1, z.ndim), free_y))
    return x_bar, np.tensordot(z_bar, x, (free_x, free_x))


@adjoint_of(
    np.outer, kind="multilinear", samples=pairs(((2,), (3,)), ((2, 2), (3,)), ((), (3,)), ((3,), (2, 1)), ((0,), (3,)))
)
def outer(x, y, z, z_bar):
    if x.ndim == 1 and y.ndim == 1:
        return z_bar @ y, x @ z_bar
    return (z_bar @ np.ravel(y)).reshape(x.shape), (np.ravel(x) @ z_bar).reshape(y.shape)


@adjoint_of(np.vdot, kind="multilinear", samples=pairs(((3,), (3,)), ((2, 3), (2, 3)), ((), ()), ((6,), (2, 3))))
def vdot(x, y, z, z_bar):
    """Not holomorphic in x, which it conjugates."""
    if x.dtype.kind == "c":
        return np.conj(z_bar * y.reshape(x.shape)), z_bar * np.conj(x).reshape(y.shape)
    return z_bar * y.reshape(x.shape), z_bar * x.reshape(y.shape)


@adjoint_of(
    np.vecdot,
    kind="multilinear",
    samples=lambda: (
        *pairs(((3,), (3,)), ((2, 3), (3,)), ((4, 1, 3), (2, 3)))(),
        *calls(
            lambda d: [call(d.floats(3, 2), d.floats(3, 2), axis=0), call(d.floats(2, 3, 2), d.floats(3, 2), axis=-2)]
        )(),
    ),
)
def vecdot(x, y, z, z_bar, axis=-1):
    """Not holomorphic in x, which it conjugates."""
    g = np.expand_dims(z_bar, axis)
    if x.dtype.kind == "c":
        return np.conj(g * y), g * np.conj(x)
    return g * y, g * x


@adjoint_of(
    np.matvec,
    kind="multilinear",
    samples=pairs(((2, 3), (3,)), ((4, 2, 3), (3,)), ((2, 3), (4, 3)), ((4, 2, 3), (4, 3))),
)
def matvec(x, y, z, z_bar):
    return z_bar[..., np.newaxis] * y[..., np.newaxis, :], (mT(x) @ z_bar[..., np.newaxis])[..., 0]


@adjoint_of(
    np.vecmat,
    kind="multilinear",
    samples=pairs(((3,), (3, 2)), ((4, 3), (3, 2)), ((3,), (4, 3, 2)), ((4, 3), (4, 3, 2))),
)
def vecmat(x, y, z, z_bar):
    """Not holomorphic in x, which it conjugates."""
    x_bar = (y @ z_bar[..., np.newaxis])[..., 0]
    if x.dtype.kind == "c":
        return np.conj(x_bar), np.conj(x)[..., np.newaxis] * z_bar[..., np.newaxis, :]
    return x_bar, x[..., np.newaxis] * z_bar[..., np.newaxis, :]


# ---- tensor products -------------------------------------------------------------------------------------------------


@static
def contraction(axes, x_ndim, y_ndim):
    """The axes of `np.tensordot(x, y, axes)`: contracted and free ones of x, then of y, none negative."""
    of_x: Any
    of_y: Any
    if isinstance(axes, int):
        of_x, of_y = range(x_ndim - axes, x_ndim), range(axes)
    else:
        of_x, of_y = ((a,) if isinstance(a, int) else a for a in axes)
    summed_x = tuple(int(a) % x_ndim for a in of_x)
    summed_y = tuple(int(a) % y_ndim for a in of_y)
    free_x = tuple(a for a in range(x_ndim) if a not in summed_x)
    free_y = tuple(a for a in range(y_ndim) if a not in summed_y)
    return summed_x, free_x, summed_y, free_y


@static
def order_of(free, summed, partners):
    """How to transpose the product over the free axes of the partner: first `free`, then `summed` as `partners` lie."""
    given = [*free, *(axis for _, axis in sorted(zip(partners, summed, strict=True)))]
    return tuple(given.index(axis) for axis in range(len(given)))


@adjoint_of(
    np.tensordot,
    kind="multilinear",
    samples=calls(
        lambda d: [
            call(d.signed(2, 3), d.floats(3, 4), 1),
            call(d.signed(2, 3, 4), d.floats(3, 4, 5)),
            call(d.signed(2, 3), d.floats(4, 5), 0),
            call(d.signed(2, 3, 4), d.floats(4, 3, 2), axes=([1, 0], [1, 2])),
            call(d.signed(2, 3, 4), d.floats(5, 3), axes=(1, -1)),
            call(d.signed(2, 3, 4), d.floats(4, 2, 3), axes=((-1, -2), (0, 2))),
            call(d.signed(3), d.floats(3), 1),
            call(d.complexes(2, 3), d.complexes(3, 2), 1),
        ]
    ),
)
def tensordot(x, y, z, z_bar, axes=2):
    summed_x, free_x, summed_y, free_y = contraction(axes, x.ndim, y.ndim)
    x_bar = np.tensordot(z_bar, y, (span(len(free_x), z.ndim), free_y))
    y_bar = np.tensordot(z_bar, x, (span(0, len(free_x)), free_x))
    order_x, order_y = order_of(free_x, summed_x, summed_y), order_of(free_y, summed_y, summed_x)
    x_bar = x_bar if order_x == span(0, x.ndim) else np.transpose(x_bar, order_x)
    y_bar = y_bar if order_y == span(0, y.ndim) else np.transpose(y_bar, order_y)
    return x_bar, y_bar


def cross_cotangent(u, v, axis_u, axis_v, x, axis_x):
    """np.cross(u, v) summed to x, whose vectors lie along `axis_x`."""
    g = np.cross(u, v, axisa=axis_u, axisb=axis_v)
    more = max(u.ndim, v.ndim) - x.ndim
    if more > 0:
        g = np.sum(g, axis=span(0, more))
    return np.moveaxis(g, -1, axis_x)


@adjoint_of(
    np.cross,
    kind="multilinear",
    samples=lambda: (
        *pairs(((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3)))(),
        *calls(
            lambda d: [
                call(d.signed(3, 2), d.floats(3, 2), axis=0),
                call(d.signed(3, 2), d.floats(2, 3), axisa=0),
                call(d.signed(3, 2), d.floats(3), axisa=0, axisb=0, axisc=0),
                call(d.signed(2, 3, 2), d.floats(3, 2), axis=-2),
                call(d.signed(2, 3), d.floats(2, 3), axisc=0),
            ]
        )(),
    ),
)
def cross(x, y, z, z_bar, axisa=-1, axisb=-1, axisc=-1, axis=None):
    a, b, c = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    if a == -1 and b == -1 and c == -1:
        return np.cross(y, z_bar), np.cross(z_bar, x)
    return cross_cotangent(y, z_bar, b, c, x, a), cross_cotangent(z_bar, x, c, a, y, b)


@composite(np.kron, samples=pairs(((2,), (3,)), ((2, 2), (3, 1)), ((2, 3), (2,)), ((), (2, 3)), ((2, 1, 2), (2, 2, 3))))
def kron(a, b):
    ndim = max(np.ndim(a), np.ndim(b))
    of_a = (1,) * (ndim - np.ndim(a)) + np.shape(a)
    of_b = (1,) * (ndim - np.ndim(b)) + np.shape(b)
    wide_a: tuple[int, ...] = ()
    wide_b: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    for n, m in zip(of_a, of_b, strict=True):
        wide_a, wide_b, shape = (*wide_a, n, 1), (*wide_b, 1, m), (*shape, n * m)
    return np.reshape(np.reshape(a, wide_a) * np.reshape(b, wide_b), shape)


# ---- convolution -----------------------------------------------------------------------------------------------------


def widened(z_bar, n, m, mode):
    """The cotangent of the full convolution of n with m entries, of which `mode` kept a part."""
    if mode == "full":
        return z_bar
    before = (min(n, m) - 1) // 2 if mode == "same" else min(n, m) - 1
    return np.pad(z_bar, (before, n + m - 1 - before - len(z_bar)))


@adjoint_of(
    np.convolve,
    kind="multilinear",
    samples=calls(
        lambda d: [
            call(d.signed(5), d.floats(3)),
            call(d.signed(5), d.floats(3), "same"),
            call(d.signed(5), d.floats(4), mode="same"),
            call(d.signed(3), d.floats(5), mode="valid"),
            call(d.signed(2), d.floats(5), "same"),
            call(d.signed(5), d.floats(2), "valid"),
            call(d.complexes(3), d.complexes(2)),
        ]
    ),
)
def convolve(x, y, z, z_bar, mode="full"):
    full_bar = widened(z_bar, x.shape[0], y.shape[0], mode)
    return np.convolve(full_bar, y[::-1], "valid"), np.convolve(full_bar, x[::-1], "valid")


@composite(
    np.correlate,
    samples=calls(
        lambda d: [
            call(d.signed(5), d.floats(3)),
            call(d.signed(5), d.floats(4), "same"),
            call(d.signed(4), d.floats(5), "same"),
            call(d.signed(2), d.floats(5), mode="full"),
            call(d.signed(3), d.floats(5), "valid"),
            call(d.signed(5), d.floats(2), "full"),
            call(d.complexes(3), d.complexes(2), "full"),
        ]
    ),
)
def correlate(a, v, mode="valid"):
    if len(a) < len(v):
        return np.convolve(np.conj(v), a[::-1], mode)[::-1]
    return np.convolve(a, np.conj(v)[::-1], mode)

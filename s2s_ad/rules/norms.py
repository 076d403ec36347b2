"""Rules for the norms of numpy.linalg, every `ord`, `axis` and `keepdims`.

Enters: vectors and matrices, also complex.  Leaves: subgradients that are zero at zero and that ties share evenly.
"""

from __future__ import annotations

import numpy as np

from s2s_ad.rules.matrix_samples import call, cplx, csquare, real, square
from s2s_ad.rules.registry import adjoint_of, composite, static


@static
def norm_kind(ord, axis, ndim):
    """'euclidean', 'vector', 'matrix' or 'spectral': which formula np.linalg.norm uses."""
    pair = (isinstance(axis, tuple) and len(axis) == 2) or (axis is None and ord is not None and ndim == 2)
    if ord is None or (ord == "fro" and pair) or (ord == 2 and not pair):
        return "euclidean"
    if not pair:
        return "vector"
    return "spectral" if ord in (2, -2, "nuc") else "matrix"


@static
def matrix_axes(axis, ndim):
    """The axes of rows and columns, as two non-negative numbers."""
    return (0, 1) if axis is None else (axis[0] % ndim, axis[1] % ndim)


def _norms():
    vector = [call(real(4), ord, wrt=(0,)) for ord in (None, 1, 2, 3, 2.5, np.inf, -np.inf, -2, 0)]
    matrix = [call(real(3, 4), ord, wrt=(0,)) for ord in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)]
    return [
        *vector,
        *matrix,
        call(real(2, 3, 4)),
        call(np.zeros(3), smooth=False),
        call(real(3, 4), axis=1),
        call(real(3, 4), axis=0, keepdims=True),
        call(real(3, 4), keepdims=True),
        call(real(3, 4), 3, -1),
        call(real(2, 3, 4), axis=(0, 2)),
        call(real(2, 3, 4), 2, (2, 1), True),
        call(real(2, 3, 4), "nuc", axis=(0, -1)),
        call(real(2, 3, 4), 1, axis=(2, 0)),
        call(real(2, 3, 4), np.inf, axis=(0, 2), keepdims=True, wrt=(0,)),
        call(cplx(4)),
        call(cplx(4), 3),
        call(cplx(3, 2), 1),
        call(cplx(3, 2), "nuc"),
    ]


def spectral_gradient(x, ord):
    """The gradient of a norm of the singular values of (..., m, n) matrices; equal singular values share evenly."""
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    if ord == "nuc":
        return np.conj(u @ vh)
    chosen = s == (s[..., :1] if ord == 2 else s[..., -1:])
    weights = chosen / np.sum(chosen, axis=-1, keepdims=True)
    return np.conj((u * weights[..., None, :]) @ vh)


def sums_gradient(x, ord, rows, columns):
    """The gradient of the largest or smallest sum of absolute values of a row or column; ties share evenly."""
    sums = np.sum(np.abs(x), axis=rows if ord in (1, -1) else columns, keepdims=True)
    if ord > 0:
        chosen = sums == np.max(sums, axis=(rows, columns), keepdims=True)
    else:
        chosen = sums == np.min(sums, axis=(rows, columns), keepdims=True)
    return np.conj(np.sign(x)) * (chosen / np.sum(chosen, axis=(rows, columns), keepdims=True))


def norm_gradient(x, z, ord, axis, kind):
    """d norm / d x, where `z` is the norm with its axes kept."""
    if kind == "euclidean":
        return np.conj(x) / np.where(z == 0, 1, z)
    if kind == "vector":
        if ord == 0:
            return np.zeros_like(x)
        if ord == 1:
            return np.conj(np.sign(x))
        if ord in (np.inf, -np.inf):
            chosen = np.abs(x) == z
            return np.conj(np.sign(x)) * (chosen / np.sum(chosen, axis=axis, keepdims=True))
        return np.conj(np.sign(x)) * (np.abs(x) / np.where(z == 0, 1, z)) ** (ord - 1)
    rows, columns = matrix_axes(axis, x.ndim)
    if kind == "matrix":
        return sums_gradient(x, ord, rows, columns)
    stacked = np.moveaxis(x, (rows, columns), (-2, -1))
    return np.moveaxis(spectral_gradient(stacked, ord), (-2, -1), (rows, columns))


def norm_tangent(x, z, x_dot, ord=None, axis=None, keepdims=False):
    kind = norm_kind(ord, axis, x.ndim)
    if axis is not None and not keepdims:
        z = np.expand_dims(z, axis)
    return np.sum(np.real(norm_gradient(x, z, ord, axis, kind) * x_dot), axis=axis, keepdims=keepdims)


@adjoint_of(np.linalg.norm, tangent=norm_tangent, samples=_norms)
def norm(x, z, z_bar, ord=None, axis=None, keepdims=False):
    """Zero at zero (a subgradient), where the quotient would be NaN."""
    kind = norm_kind(ord, axis, x.ndim)
    if axis is not None and not keepdims:
        z_bar = np.expand_dims(z_bar, axis)
        z = np.expand_dims(z, axis)
    if kind == "euclidean":
        return z_bar * np.conj(x) / np.where(z == 0, 1, z)
    return z_bar * norm_gradient(x, z, ord, axis, kind)


@static
def axis_tuple(axis, ndim):
    """`axis` as a tuple of non-negative numbers."""
    return tuple(range(ndim)) if axis is None else tuple(k % ndim for k in axis)


@composite(
    np.linalg.matrix_norm,
    samples=lambda: [
        call(real(3, 4)),
        call(real(2, 3, 4), ord=1),
        call(real(2, 3, 4), ord="nuc", keepdims=True),
        call(cplx(3, 3), ord=2),
    ],
)
def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    return np.linalg.norm(x, ord, (-2, -1), keepdims)


@composite(
    np.linalg.vector_norm,
    samples=lambda: [
        call(real(5)),
        call(real(3, 4)),
        call(real(3, 4), axis=0, ord=3),
        call(real(2, 3, 4), axis=(0, 2), keepdims=True),
        call(real(2, 3), ord=np.inf, wrt=(0,)),
        call(cplx(2, 3), keepdims=True),
    ],
)
def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """Over several axes one after the other, which gives the same but for the number of non-zeros."""
    if axis is not None and not isinstance(axis, tuple):
        return np.linalg.norm(x, ord, axis, keepdims)
    if ord == 0:
        return np.sum(x != 0, axis=axis, keepdims=keepdims) + 0.0
    axes = axis_tuple(axis, x.ndim)
    for k in axes:
        x = np.linalg.norm(x, ord, k, True)
    return x if keepdims else np.squeeze(x, axes)


@composite(
    np.linalg.cond,
    samples=lambda: [
        call(square(3, 3)),
        call(real(4, 3)),
        call(square(2, 3, 3), -2),
        call(square(3, 3), 1),
        call(square(2, 3, 3), "fro"),
        call(csquare(3, 3), np.inf, wrt=(0,)),
    ],
)
def cond(x, p=None):
    if p is None or p == 2:
        s = np.linalg.svd(x, compute_uv=False)
        return s[..., 0] / s[..., -1]
    if p == -2:
        s = np.linalg.svd(x, compute_uv=False)
        return s[..., -1] / s[..., 0]
    return np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(np.linalg.inv(x), p, (-2, -1))

"""Rules for numpy.linalg: inverses, determinants, linear systems, products.

Enters: matrices `(..., m, n)`.  Leaves: adjoints and tangents after Giles, "Collected matrix derivative results for
forward and reverse mode algorithmic differentiation" (2008), unless a rule says otherwise.
"""

from __future__ import annotations

import math

import numpy as np

from s2s_ad.rules.lookup import is_zero, refuse
from s2s_ad.rules.matrix_samples import call, cplx, csquare, real, square
from s2s_ad.rules.registry import adjoint_of, composite, passive, static

passive(np.linalg.matrix_rank)

EPSILON = float(np.finfo(float).eps)


# Inverse, determinants ------------------------------------------------------------------------------------------------


def inv_tangent(a, y, a_dot):
    return -y @ a_dot @ y


@adjoint_of(
    np.linalg.inv,
    tangent=inv_tangent,
    samples=lambda: [call(square(3, 3)), call(square(2, 3, 3)), call(square(1, 1)), call(csquare(3, 3))],
)
def inv(a, y, y_bar):
    return -y.mT @ y_bar @ y.mT


def cofactors(a, det):
    """The derivative of the determinant: det(a) * inv(a).T if `a` is regular, else the adjugate by SVD."""
    if np.all(det != 0):
        return np.expand_dims(det, (-2, -1)) * np.linalg.inv(a).mT
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    columns = [np.prod(s[..., :i], axis=-1) * np.prod(s[..., i + 1 :], axis=-1) for i in range(s.shape[-1])]
    others = np.stack(columns, axis=-1)
    sign = np.conj(np.linalg.det(u) * np.linalg.det(vh))
    return np.conj(np.expand_dims(sign, (-2, -1)) * ((u * others[..., None, :]) @ vh))


def det_tangent(a, z, a_dot):
    return np.sum(cofactors(a, z) * a_dot, axis=(-2, -1))


@adjoint_of(
    np.linalg.det,
    tangent=det_tangent,
    samples=lambda: [
        call(square(3, 3)),
        call(square(2, 2, 4, 4)),
        call(csquare(3, 3)),
        call(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.5, -1.0, 0.5]])),
    ],
)
def det(a, z, z_bar):
    """Right for singular matrices too."""
    if a.ndim == 2:
        return z_bar * cofactors(a, z)
    return z_bar[..., None, None] * cofactors(a, z)


def slogdet_tangent(a, out, a_dot):
    sign, _ = out
    rate = np.trace(np.linalg.solve(a, a_dot), axis1=-2, axis2=-1)
    if np.iscomplexobj(a):
        return 1j * np.imag(rate) * sign, np.real(rate)
    return 0.0 * sign, rate


@adjoint_of(
    np.linalg.slogdet,
    tangent=slogdet_tangent,
    samples=lambda: [call(square(3, 3)), call(-square(3, 3, key=1)), call(square(2, 4, 4)), call(csquare(3, 3))],
)
def slogdet(a, out, out_bar):
    """The sign of a complex determinant turns with it: d sign = i sign Im(tr(inv(a) da))."""
    sign, _ = out
    sign_bar, logdet_bar = out_bar
    if is_zero(logdet_bar) and not np.iscomplexobj(a):
        return None
    if np.iscomplexobj(a) and not is_zero(sign_bar):
        logdet_bar = logdet_bar + 1j * np.imag(sign_bar * sign)
    if a.ndim == 2:
        return logdet_bar * np.linalg.inv(a).T
    return logdet_bar[..., None, None] * np.linalg.inv(a).mT


# Linear systems -------------------------------------------------------------------------------------------------------


def solve_tangent(a, b, x, a_dot, b_dot):
    if b.ndim == 1:
        if is_zero(a_dot):
            return np.linalg.solve(a, b_dot)
        rate = (a_dot @ x[..., None])[..., 0]
        return np.linalg.solve(a, (b_dot - rate)[..., None])[..., 0]
    if is_zero(a_dot):
        return np.linalg.solve(a, b_dot)
    return np.linalg.solve(a, b_dot - a_dot @ x)


def _systems():
    return [
        call(square(3, 3), real(3)),
        call(square(3, 3), real(3, 2)),
        call(square(2, 3, 3), real(2, 3, 2)),
        call(square(2, 3, 3), real(3)),
        call(square(2, 3, 3), real(3, 1)),
        call(square(3, 3), real(2, 3, 2)),
        call(csquare(3, 3), cplx(3)),
    ]


@adjoint_of(np.linalg.solve, tangent=solve_tangent, samples=_systems)
def solve(a, b, x, x_bar):
    """`b` is a vector if it has one axis, else a stack of matrices (NumPy 2)."""
    if b.ndim == 1:
        if a.ndim == 2:
            b_bar = np.linalg.solve(a.T, x_bar)
            return -b_bar[:, None] * x, b_bar
        b_bar = np.linalg.solve(a.mT, x_bar[..., None])[..., 0]
        return -b_bar[..., :, None] * x[..., None, :], b_bar
    b_bar = np.linalg.solve(a.mT, x_bar)
    return -b_bar @ x.mT, b_bar


def pinv_adjoint(a, y, y_bar):
    """Golub & Pereyra (1973), for matrices of constant rank."""
    g = np.conj(y_bar)
    yh = np.conj(y.mT)
    gh = np.conj(g.mT)
    rest = (gh - a @ (y @ gh)) @ y @ yh
    other = yh @ y @ (gh - (gh @ y) @ a)
    return np.conj(-yh @ g @ yh + rest + other)


def pinv_tangent(a, y, a_dot, rcond=None, hermitian=False, *, rtol=None):
    yh = np.conj(y.mT)
    ah_dot = np.conj(a_dot.mT)
    left = y @ (yh @ (ah_dot - (ah_dot @ a) @ y))
    right = (ah_dot - y @ (a @ ah_dot)) @ yh @ y
    return -y @ a_dot @ y + left + right


@adjoint_of(
    np.linalg.pinv,
    tangent=pinv_tangent,
    samples=lambda: [
        call(real(3, 3)),
        call(real(4, 3)),
        call(real(2, 3, 5)),
        call(cplx(4, 2)),
        call(real(4, 3), rcond=1e-12),
    ],
)
def pinv(a, y, y_bar, rcond=None, hermitian=False, *, rtol=None):
    if hermitian:
        refuse("np.linalg.pinv with hermitian=True", "Leave hermitian out: the result is the same.")
    return pinv_adjoint(a, y, y_bar)


@composite(
    np.linalg.lstsq,
    samples=lambda: [
        call(real(5, 3), real(5), rcond=None),
        call(real(5, 3), real(5, 2), rcond=None),
        call(real(3, 3), real(3), rcond=None),
        call(real(3, 5), real(3), rcond=None),
    ],
)
def lstsq(a, b, rcond=None):
    """The minimum-norm solution through the pseudo-inverse; its rank is taken to be constant around `a`."""
    cutoff = max(a.shape) * EPSILON if rcond is None else rcond
    s = np.linalg.svd(a, compute_uv=False)
    x = np.linalg.pinv(a, cutoff) @ b
    rank = np.linalg.matrix_rank(a)
    if a.shape[0] > a.shape[1]:
        residuals = np.atleast_1d(np.sum(np.abs(b - a @ x) ** 2, axis=0))
        return x, residuals, rank, s
    return x, np.empty(0), rank, s


@composite(
    np.linalg.tensorinv,
    samples=lambda: [
        call(square(4, 4).reshape(2, 2, 4), ind=2),
        call(square(6, 6).reshape(2, 3, 6)),
        call(square(6, 6).reshape(6, 3, 2), ind=1),
        call(square(4, 4), 1),
    ],
)
def tensorinv(a, ind=2):
    size = int(math.prod(a.shape[ind:]))
    return np.linalg.inv(a.reshape(size, size)).reshape(a.shape[ind:] + a.shape[:ind])


@composite(
    np.linalg.tensorsolve,
    samples=lambda: [
        call(square(6, 6).reshape(2, 3, 6), real(2, 3)),
        call(square(4, 4).reshape(4, 2, 2), real(4)),
        call(square(6, 6).reshape(2, 3, 3, 2), real(2, 3)),
        call(square(6, 6).reshape(2, 6, 3), real(2, 3), axes=(1,), wrt=(0, 1)),
    ],
)
def tensorsolve(a, b, axes=None):
    if axes is not None:
        a = np.transpose(a, moved_last(axes, a.ndim))
    size = int(math.prod(b.shape))
    return np.linalg.solve(a.reshape(size, size), b.reshape(size)).reshape(a.shape[b.ndim :])


@static
def moved_last(axes, ndim):
    """The permutation that moves `axes` to the end."""
    last = tuple(axis % ndim for axis in axes)
    return tuple(axis for axis in range(ndim) if axis not in last) + last


# Products -------------------------------------------------------------------------------------------------------------


@composite(
    np.linalg.multi_dot,
    samples=lambda: [
        call([real(2, 3), real(3, 4)]),
        call([real(2, 3), real(3, 4), real(4, 2)]),
        call([real(3), real(3, 4), real(4, 2), real(2)]),
        call([real(4, 3), real(3, 5), real(5)]),
    ],
)
def multi_dot(arrays):
    """From the left: the order of the products is not optimised."""
    result = arrays[0]
    for factor in arrays[1:]:
        result = np.dot(result, factor)
    return result


@composite(
    np.linalg.matrix_power,
    samples=lambda: [
        call(square(3, 3), 1),
        call(square(3, 3), 2),
        call(square(2, 3, 3), 5),
        call(square(3, 3), -3),
        call(csquare(3, 3), 6),
        call(square(3, 3), 0),
    ],
)
def matrix_power(a, n):
    """By repeated squaring."""
    if n == 0:
        return np.zeros_like(a) + np.eye(a.shape[-1])
    if n < 0:
        return positive_power(np.linalg.inv(a), -n)
    return positive_power(a, n)


def positive_power(a, n):
    while n % 2 == 0:
        a = a @ a
        n = n // 2
    result = a
    n = n // 2
    while n > 0:
        a = a @ a
        if n % 2 == 1:
            result = result @ a
        n = n // 2
    return result


@composite(
    np.linalg.matmul,
    samples=lambda: [
        call(real(2, 3), real(3, 4)),
        call(real(3), real(3)),
        call(real(2, 2, 3), real(3)),
        call(cplx(2, 2), cplx(2, 2)),
    ],
)
def matmul(x1, x2, /):
    return np.matmul(x1, x2)


@composite(
    np.linalg.outer,
    samples=lambda: [call(real(3), real(4)), call(real(1), real(2)), call(cplx(3), cplx(2)), call(real(2), cplx(2))],
)
def outer(x1, x2, /):
    return np.outer(x1, x2)


@composite(
    np.linalg.vecdot,
    samples=lambda: [
        call(real(3), real(3)),
        call(real(2, 3), real(3)),
        call(real(3, 2), real(3, 1), axis=0),
        call(cplx(2, 3), cplx(2, 3)),
    ],
)
def vecdot(x1, x2, /, *, axis=-1):
    return np.sum(np.conj(x1) * x2, axis=axis)


@composite(
    np.linalg.tensordot,
    samples=lambda: [
        call(real(2, 3, 4), real(3, 4, 2)),
        call(real(2, 3), real(3, 2), axes=1),
        call(real(2, 3, 4), real(4, 3), axes=([1, 2], [1, 0])),
        call(real(2), real(3), axes=0),
    ],
)
def tensordot(x1, x2, /, *, axes=2):
    return np.tensordot(x1, x2, axes=axes)


@composite(
    np.linalg.cross,
    samples=lambda: [
        call(real(3), real(3, key=1)),
        call(real(2, 3), real(3)),
        call(real(3, 2), real(3, 2, key=1), axis=0),
        call(cplx(3), cplx(3, key=1)),
    ],
)
def cross(x1, x2, /, *, axis=-1):
    return np.cross(x1, x2, axis=axis)


@composite(
    np.linalg.trace,
    samples=lambda: [call(real(3, 3)), call(real(2, 3, 4)), call(real(3, 4), offset=1), call(real(3, 3), offset=-1)],
)
def trace(x, /, *, offset=0, dtype=None):
    return np.trace(x, offset, axis1=-2, axis2=-1, dtype=dtype)


@composite(
    np.linalg.diagonal,
    samples=lambda: [call(real(3, 3)), call(real(2, 3, 4)), call(real(3, 4), offset=1), call(real(3, 3), offset=-1)],
)
def diagonal(x, /, *, offset=0):
    return np.diagonal(x, offset, axis1=-2, axis2=-1)


@composite(
    np.linalg.matrix_transpose,
    samples=lambda: [call(real(2, 3)), call(real(2, 3, 4)), call(cplx(2, 2)), call(real(1, 1))],
)
def matrix_transpose(x, /):
    return np.swapaxes(x, -1, -2)

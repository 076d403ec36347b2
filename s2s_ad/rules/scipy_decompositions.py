"""Rules for the factorisations of scipy.linalg: Cholesky, LU, QR, eigenvalues, singular values.

Enters: matrices `(..., m, n)`.  Leaves: adjoints from `decompositions`; LU after de Hoog, Anderssen & Lukas,
"Differentiation of matrix functionals using triangular factorization" (2011).
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from s2s_ad.rules.decompositions import (
    cholesky_adjoint,
    from_triangle,
    half_lower,
    inverse_gaps,
    qr_adjoint,
    svd_adjoint,
    svd_rates,
    thin_columns,
    triangle_read,
)
from s2s_ad.rules.lookup import is_zero, refuse
from s2s_ad.rules.matrix_samples import call, cplx, csquare, hpd, real, spd, square
from s2s_ad.rules.registry import adjoint_of, composite

# Cholesky -------------------------------------------------------------------------------------------------------------


def lower_cholesky_tangent(c, a_dot):
    inverse = np.linalg.inv(c)
    return c @ half_lower(inverse @ a_dot @ np.conj(inverse.mT))


def cholesky_tangent(a, c, a_dot, lower=False, check_finite=True):
    if lower:
        return lower_cholesky_tangent(c, from_triangle(a_dot, False))
    return np.conj(lower_cholesky_tangent(np.conj(c.mT), from_triangle(a_dot, True)).mT)


def _definite():
    return [call(spd(3, 3)), call(spd(2, 3, 3)), call(spd(4, 4), lower=True), call(hpd(3, 3)), call(hpd(3, 3), True)]


@adjoint_of(scipy.linalg.cholesky, tangent=cholesky_tangent, samples=_definite)
def cholesky(a, c, c_bar, lower=False, check_finite=True):
    if lower:
        return triangle_read(cholesky_adjoint(c, c_bar), False)
    return triangle_read(cholesky_adjoint(np.conj(c.mT), np.conj(c_bar.mT)), True)


def cho_factor_tangent(a, out, a_dot, lower=False, check_finite=True):
    c, _ = out
    if lower:
        return lower_cholesky_tangent(np.tril(c), from_triangle(a_dot, False)) + np.triu(a_dot, 1), 0
    rate = lower_cholesky_tangent(np.conj(np.triu(c).mT), from_triangle(a_dot, True))
    return np.conj(rate.mT) + np.tril(a_dot, -1), 0


@adjoint_of(scipy.linalg.cho_factor, tangent=cho_factor_tangent, samples=_definite)
def cho_factor(a, out, out_bar, lower=False, check_finite=True):
    """The other triangle of the result is the argument's, untouched."""
    c, _ = out
    c_bar, _ = out_bar
    if lower:
        return triangle_read(cholesky_adjoint(np.tril(c), np.tril(c_bar)), False) + np.triu(c_bar, 1)
    lower_bar = np.conj(np.triu(c_bar).mT)
    return triangle_read(cholesky_adjoint(np.conj(np.triu(c).mT), lower_bar), True) + np.tril(c_bar, -1)


# LU -------------------------------------------------------------------------------------------------------------------


def lu_adjoint(lower, upper, lower_bar, upper_bar):
    """The gradient of L U; rows below or columns beside the square part follow from it."""
    k = lower.shape[-1]
    l1, u1 = lower[..., :k, :], upper[..., :k]
    l1_bar, u1_bar = lower_bar[..., :k, :], upper_bar[..., :k]
    inverse_l, inverse_u = np.linalg.inv(l1).mT, np.linalg.inv(u1).mT
    below = lower_bar[..., k:, :] @ inverse_u
    beside = inverse_l @ upper_bar[..., k:]
    u1_bar = u1_bar - lower[..., k:, :].mT @ below
    l1_bar = l1_bar - beside @ upper[..., k:].mT
    middle = np.tril(l1.mT @ l1_bar, -1) + np.triu(u1_bar @ u1.mT)
    top = np.concatenate([inverse_l @ middle @ inverse_u, beside], axis=-1)
    bottom = np.concatenate([below, np.zeros(below.shape[:-1] + beside.shape[-1:])], axis=-1)
    return np.concatenate([top, bottom], axis=-2)


def lu_rates(lower, upper, rate):
    """The tangents of L and U from that of their product."""
    k = lower.shape[-1]
    l1, u1 = lower[..., :k, :], upper[..., :k]
    inverse_l, inverse_u = np.linalg.inv(l1), np.linalg.inv(u1)
    middle = inverse_l @ rate[..., :k, :k] @ inverse_u
    l1_dot, u1_dot = l1 @ np.tril(middle, -1), np.triu(middle) @ u1
    below = (rate[..., k:, :k] - lower[..., k:, :] @ u1_dot) @ inverse_u
    beside = inverse_l @ (rate[..., :k, k:] - l1_dot @ upper[..., k:])
    return np.concatenate([l1_dot, below], axis=-2), np.concatenate([u1_dot, beside], axis=-1)


def _general():
    return [call(square(3, 3)), call(real(4, 3)), call(real(3, 5)), call(real(2, 3, 3)), call(csquare(3, 3))]


def lu_tangent(a, out, a_dot, permute_l=False, check_finite=True, p_indices=False):
    if permute_l or p_indices:
        refuse("scipy.linalg.lu with permute_l or p_indices", "Leave them out.")
    p, lower, upper = out
    lower_dot, upper_dot = lu_rates(lower, upper, p.mT @ a_dot)
    return 0 * p, lower_dot, upper_dot


@adjoint_of(scipy.linalg.lu, tangent=lu_tangent, samples=_general)
def lu(a, out, out_bar, permute_l=False, check_finite=True, p_indices=False):
    if permute_l or p_indices:
        refuse("scipy.linalg.lu with permute_l or p_indices", "Leave them out.")
    p, lower, upper = out
    _, lower_bar, upper_bar = out_bar
    lower_bar = np.zeros_like(lower) if is_zero(lower_bar) else lower_bar
    upper_bar = np.zeros_like(upper) if is_zero(upper_bar) else upper_bar
    return p @ lu_adjoint(lower, upper, lower_bar, upper_bar)


def permutation(pivots):
    """The order of rows that LAPACK's exchanges lead to."""
    order = np.arange(len(pivots))
    for i in range(len(pivots)):
        moved = order[i]
        order[i] = order[pivots[i]]
        order[pivots[i]] = moved
    return order


def _squares():
    return [call(square(3, 3)), call(real(4, 4)), call(square(1, 1)), call(csquare(3, 3))]


def lu_factor_tangent(a, out, a_dot, check_finite=True):
    packed, pivots = out
    lower = np.tril(packed, -1) + np.eye(len(packed), dtype=packed.dtype)
    lower_dot, upper_dot = lu_rates(lower, np.triu(packed), a_dot[permutation(pivots)])
    return np.tril(lower_dot, -1) + upper_dot, 0


@adjoint_of(scipy.linalg.lu_factor, tangent=lu_factor_tangent, samples=_squares)
def lu_factor(a, out, out_bar, check_finite=True):
    if a.ndim != 2:
        refuse("scipy.linalg.lu_factor of a stack of matrices", "Factor them one at a time.")
    packed, pivots = out
    packed_bar, _ = out_bar
    lower = np.tril(packed, -1) + np.eye(len(packed), dtype=packed.dtype)
    rows_bar = lu_adjoint(lower, np.triu(packed), np.tril(packed_bar, -1), np.triu(packed_bar))
    return rows_bar[np.argsort(permutation(pivots))]


# QR -------------------------------------------------------------------------------------------------------------------


def qr_tangent(a, out, a_dot, lwork=None, mode="full", pivoting=False, check_finite=True):
    if pivoting or mode != "economic":
        refuse(f"scipy.linalg.qr with mode={mode!r} in forward mode", "Use mode='economic' and no pivoting.")
    q, r = out
    u = r[..., : r.shape[-2]]
    x_dot = np.linalg.solve(u.mT, a_dot[..., : r.shape[-2]].mT).mT
    rate = np.conj(q.mT) @ x_dot
    strict = np.tril(rate, -1)
    skew = strict - np.conj(strict.mT)
    if np.iscomplexobj(a):
        skew = skew + 1j * np.imag(rate) * np.eye(r.shape[-2])
    return x_dot - q @ rate + q @ skew, np.conj(q.mT) @ a_dot - skew @ r


@adjoint_of(
    scipy.linalg.qr,
    tangent=qr_tangent,
    samples=lambda: [
        call(real(3, 3), mode="economic"),
        call(real(4, 3), mode="economic"),
        call(real(3, 5), mode="economic"),
        call(cplx(4, 3), mode="economic"),
    ],
)
def qr(a, out, out_bar, lwork=None, mode="full", pivoting=False, check_finite=True):
    if pivoting or mode not in ("full", "economic"):
        refuse(f"scipy.linalg.qr with mode={mode!r}, pivoting={pivoting}", "Use mode='economic' and no pivoting.")
    q, r = out
    q_bar, r_bar = out_bar
    q_bar = np.zeros_like(q) if is_zero(q_bar) else q_bar
    r_bar = np.zeros_like(r) if is_zero(r_bar) else r_bar
    if mode == "full":
        k = min(a.shape[-2:])
        return qr_adjoint(a, q[..., :k], r[..., :k, :], thin_columns(q_bar, k), r_bar[..., :k, :])
    return qr_adjoint(a, q, r, q_bar, r_bar)


# Singular values ------------------------------------------------------------------------------------------------------


def svd_tangent(a, out, a_dot, full_matrices=True, compute_uv=True, check_finite=True, lapack_driver="gesdd"):
    if not compute_uv:
        u, _, vh = np.linalg.svd(a, full_matrices=False)
        return np.real(np.diagonal(np.conj(u.mT) @ a_dot @ np.conj(vh.mT), axis1=-2, axis2=-1))
    if full_matrices:
        refuse("scipy.linalg.svd with full_matrices=True in forward mode", "Use full_matrices=False.")
    u, s, vh = out
    return svd_rates(u, s, vh, a_dot)


@adjoint_of(
    scipy.linalg.svd,
    tangent=svd_tangent,
    samples=lambda: [
        call(square(3, 3), full_matrices=False),
        call(real(4, 3), full_matrices=False),
        call(real(3, 5), False),
        call(real(3, 4), compute_uv=False),
        call(cplx(4, 3), compute_uv=False),
    ],
)
def svd(a, out, out_bar, full_matrices=True, compute_uv=True, check_finite=True, lapack_driver="gesdd"):
    if not compute_uv:
        u, _, vh = np.linalg.svd(a, full_matrices=False)
        return np.conj((u * out_bar[..., None, :]) @ vh)
    u, s, vh = out
    u_bar, s_bar, vh_bar = out_bar
    if full_matrices:
        k = s.shape[-1]
        u, vh = u[..., :k], vh[..., :k, :]
        u_bar = 0 if is_zero(u_bar) else thin_columns(u_bar, k)
        vh_bar = 0 if is_zero(vh_bar) else thin_columns(vh_bar.mT, k).mT
    if is_zero(u_bar) and is_zero(vh_bar):
        return np.conj((u * s_bar[..., None, :]) @ vh)
    u_bar = np.zeros_like(u) if is_zero(u_bar) else u_bar
    vh_bar = np.zeros_like(vh) if is_zero(vh_bar) else vh_bar
    s_bar = np.zeros_like(s) if is_zero(s_bar) else s_bar
    return svd_adjoint(u, s, vh, u_bar, s_bar, vh_bar)


@composite(
    scipy.linalg.svdvals,
    samples=lambda: [call(real(3, 3)), call(real(2, 3, 4)), call(cplx(4, 3)), call(real(1, 4))],
)
def svdvals(a, overwrite_a=False, check_finite=True):
    return np.linalg.svd(a, compute_uv=False)


# Eigenvalues ----------------------------------------------------------------------------------------------------------


def eigh_tangent(a, out, a_dot, b=None, *, lower=True, eigvals_only=False, type=1, check_finite=True, driver=None):
    if eigvals_only:
        w, v = np.linalg.eigh(a, "L" if lower else "U")
        return np.real(np.sum(np.conj(v) * (from_triangle(a_dot, not lower) @ v), axis=-2))
    w, v = out
    rate = np.conj(v.mT) @ from_triangle(a_dot, not lower) @ v
    return np.real(np.diagonal(rate, axis1=-2, axis2=-1)), v @ (inverse_gaps(w) * rate)


@adjoint_of(
    scipy.linalg.eigh,
    tangent=eigh_tangent,
    samples=lambda: [
        # The default driver chooses the signs of the vectors anew at every call.
        call(spd(3, 3), driver="ev"),
        call(spd(4, 4), lower=False, driver="ev"),
        call(spd(3, 3), eigvals_only=True),
        call(hpd(3, 3), eigvals_only=True, lower=False),
    ],
)
def eigh(a, out, out_bar, b=None, *, lower=True, eigvals_only=False, type=1, check_finite=True, driver=None):
    if b is not None:
        refuse("scipy.linalg.eigh of a pair of matrices", "Reduce it with a Cholesky factor of b.")
    if eigvals_only:
        _, v = np.linalg.eigh(a, "L" if lower else "U")
        return triangle_read((np.conj(v) * out_bar[..., None, :]) @ v.mT, not lower)
    w, v = out
    w_bar, v_bar = out_bar
    if is_zero(v_bar):
        return triangle_read((np.conj(v) * w_bar[..., None, :]) @ v.mT, not lower)
    rate = inverse_gaps(w) * (v.mT @ v_bar)
    if is_zero(w_bar):
        return triangle_read(np.conj(v) @ rate @ v.mT, not lower)
    return triangle_read(np.conj(v) @ (rate + w_bar[..., None, :] * np.eye(w.shape[-1])) @ v.mT, not lower)


@composite(
    scipy.linalg.eigvalsh,
    samples=lambda: [call(spd(3, 3)), call(spd(4, 4), lower=False), call(hpd(3, 3)), call(spd(2, 3, 3))],
)
def eigvalsh(a, b=None, *, lower=True, type=1, check_finite=True, driver=None):
    if b is not None:
        refuse("scipy.linalg.eigvalsh of a pair of matrices", "Reduce it with a Cholesky factor of b.")
    return np.linalg.eigh(a, "L" if lower else "U")[0]


@composite(
    scipy.linalg.eig,
    samples=lambda: [
        call(np.diag([1.0, 3.0, 6.0]) + 0.3 * real(3, 3)),
        call(np.diag([1.0, 3.0, 6.0, 9.0]) + 0.3 * real(4, 4)),
        call(np.diag([1.0, 3.0]) + 0.3 * real(2, 2)),
        call(np.diag([5.0, 3.0, 1.0]) + 0.3 * real(3, 3, key=1)),
    ],
)
def eig(a, b=None, left=False, right=True, check_finite=True, homogeneous_eigvals=False):
    if b is not None or left or not right or homogeneous_eigvals:
        refuse("scipy.linalg.eig but for the right eigenvectors of one matrix", "Use np.linalg.eig.")
    w, v = np.linalg.eig(a)
    return w + 0j, v


@composite(
    scipy.linalg.eigvals,
    samples=lambda: [call(real(4, 4)), call(square(3, 3)), call(csquare(3, 3)), call(square(2, 2))],
)
def eigvals(a, b=None, check_finite=True, homogeneous_eigvals=False):
    if b is not None or homogeneous_eigvals:
        refuse("scipy.linalg.eigvals but for the eigenvalues of one matrix", "Use np.linalg.eigvals.")
    return np.linalg.eig(a)[0] + 0j

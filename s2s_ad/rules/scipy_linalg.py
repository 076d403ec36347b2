"""Rules for scipy.linalg: systems and functions of matrices; `scipy_decompositions` has the factorisations.

Enters: matrices.  Leaves: adjoints; those of functions of matrices by the Fréchet derivative at the transpose (Al-Mohy
& Higham, "Computing the Fréchet derivative of the matrix exponential", 2009), from functions of block matrices.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from s2s_ad.rules import scipy_matrices  # noqa: F401  (registers its rules)
from s2s_ad.rules.decompositions import from_triangle, triangle_read
from s2s_ad.rules.linalg import cofactors, pinv_adjoint
from s2s_ad.rules.lookup import refuse
from s2s_ad.rules.matrix_samples import call, cplx, csquare, hpd, real, spd, square
from s2s_ad.rules.registry import adjoint_of, composite, static
from s2s_ad.rules.scipy_decompositions import permutation

GENERAL = (None, "gen", "general", "diagonal", "tridiagonal", "banded")
SYMMETRIC = ("sym", "symmetric", "her", "hermitian", "pos", "positive definite")


@static
def reads_triangle(assume_a):
    return assume_a in SYMMETRIC


# Inverse, determinant, systems ----------------------------------------------------------------------------------------


def inv_tangent(a, y, a_dot, check_finite=True, *, assume_a=None, lower=False):
    return -y @ (from_triangle(a_dot, not lower) if reads_triangle(assume_a) else a_dot) @ y


@adjoint_of(
    scipy.linalg.inv,
    tangent=inv_tangent,
    samples=lambda: [
        call(square(3, 3)),
        call(square(2, 3, 3)),
        call(csquare(3, 3)),
        call(spd(3, 3), assume_a="pos"),
        call(spd(3, 3), assume_a="sym", lower=True),
    ],
)
def inv(a, y, y_bar, check_finite=True, *, assume_a=None, lower=False):
    if reads_triangle(assume_a):
        return triangle_read(-y.mT @ y_bar @ y.mT, not lower)
    if assume_a not in GENERAL:
        refuse(f"scipy.linalg.inv with assume_a={assume_a!r}", "Leave assume_a out.")
    return -y.mT @ y_bar @ y.mT


def det_tangent(a, z, a_dot, check_finite=True):
    return np.sum(cofactors(a, z) * a_dot, axis=(-2, -1))


@adjoint_of(
    scipy.linalg.det,
    tangent=det_tangent,
    samples=lambda: [
        call(square(3, 3)),
        call(square(2, 4, 4)),
        call(csquare(3, 3)),
        call(np.array([[1.0, 2.0], [2.0, 4.0]])),
    ],
)
def det(a, z, z_bar, check_finite=True):
    if a.ndim == 2:
        return z_bar * cofactors(a, z)
    return z_bar[..., None, None] * cofactors(a, z)


def solve_tangent(a, b, x, a_dot, b_dot, lower=False, check_finite=True, assume_a=None, transposed=False):
    rate = from_triangle(a_dot, not lower) if reads_triangle(assume_a) else a_dot
    full = from_triangle(a, not lower) if reads_triangle(assume_a) else a
    return np.linalg.solve(full.T, b_dot - rate.T @ x) if transposed else np.linalg.solve(full, b_dot - rate @ x)


@adjoint_of(
    scipy.linalg.solve,
    tangent=solve_tangent,
    samples=lambda: [
        call(square(3, 3), real(3)),
        call(square(3, 3), real(3, 2)),
        call(square(3, 3), real(3), transposed=True),
        call(spd(3, 3), real(3, 2), assume_a="pos"),
        call(spd(3, 3), real(3), assume_a="sym", lower=True),
        call(csquare(3, 3), cplx(3)),
    ],
)
def solve(a, b, x, x_bar, lower=False, check_finite=True, assume_a=None, transposed=False):
    if a.ndim != 2:
        refuse("scipy.linalg.solve of a stack of matrices", "Use np.linalg.solve.")
    if reads_triangle(assume_a):
        b_bar = np.linalg.solve(from_triangle(a, not lower).T, x_bar)
        rows = np.outer(b_bar, x) if b.ndim == 1 else b_bar @ x.T
        return triangle_read(-rows, not lower), b_bar
    if assume_a not in GENERAL:
        refuse(f"scipy.linalg.solve with assume_a={assume_a!r}", "Use scipy.linalg.solve_triangular.")
    if transposed:
        b_bar = np.linalg.solve(a, x_bar)
        return -np.outer(x, b_bar) if b.ndim == 1 else -x @ b_bar.T, b_bar
    b_bar = np.linalg.solve(a.T, x_bar)
    return -np.outer(b_bar, x) if b.ndim == 1 else -b_bar @ x.T, b_bar


def triangle(a, lower, unit_diagonal):
    """What solve_triangular reads, without a unit diagonal."""
    return np.tril(a, -1 if unit_diagonal else 0) if lower else np.triu(a, 1 if unit_diagonal else 0)


def solve_triangular_tangent(a, b, x, a_dot, b_dot, trans=0, lower=False, unit_diagonal=False, check_finite=True):
    rate = triangle(a_dot, lower, unit_diagonal)
    moved = (rate if trans in (0, "N") else rate.T) @ x
    return scipy.linalg.solve_triangular(a, b_dot - moved, trans, lower, unit_diagonal)


@adjoint_of(
    scipy.linalg.solve_triangular,
    tangent=solve_triangular_tangent,
    samples=lambda: [
        call(square(3, 3), real(3)),
        call(square(3, 3), real(3, 2), lower=True),
        call(square(3, 3), real(3), 1),
        call(square(3, 3), real(3, 2), trans="T", lower=True, unit_diagonal=True),
        call(csquare(3, 3), cplx(3)),
    ],
)
def solve_triangular(a, b, x, x_bar, trans=0, lower=False, unit_diagonal=False, check_finite=True):
    if a.ndim != 2:
        refuse("scipy.linalg.solve_triangular of a stack of matrices", "Use np.linalg.solve.")
    if trans in (2, "C") and np.iscomplexobj(a):
        refuse("scipy.linalg.solve_triangular with trans='C'", "Solve with np.conj(a).T instead.")
    if trans in (0, "N"):
        b_bar = scipy.linalg.solve_triangular(a, x_bar, trans=1, lower=lower, unit_diagonal=unit_diagonal)
        rows = np.outer(b_bar, x) if b.ndim == 1 else b_bar @ x.T
        return -triangle(rows, lower, unit_diagonal), b_bar
    b_bar = scipy.linalg.solve_triangular(a, x_bar, lower=lower, unit_diagonal=unit_diagonal)
    rows = np.outer(x, b_bar) if b.ndim == 1 else x @ b_bar.T
    return -triangle(rows, lower, unit_diagonal), b_bar


def _factored(lower):
    c, flag = scipy.linalg.cho_factor(spd(3, 3), lower=lower)
    return c, flag


@composite(
    scipy.linalg.cho_solve,
    samples=lambda: [
        call(_factored(True), real(3)),
        call(_factored(False), real(3)),
        call(_factored(True), real(3, 2)),
        call(scipy.linalg.cho_factor(hpd(3, 3)), cplx(3)),
    ],
)
def cho_solve(c_and_lower, b, check_finite=True):
    c, lower = c_and_lower
    conjugate = np.conj(c).T
    if lower:
        return scipy.linalg.solve_triangular(conjugate, scipy.linalg.solve_triangular(c, b, lower=True))
    return scipy.linalg.solve_triangular(c, scipy.linalg.solve_triangular(conjugate, b, lower=True))


@composite(
    scipy.linalg.lu_solve,
    samples=lambda: [
        call(scipy.linalg.lu_factor(real(4, 4)), real(4)),
        call(scipy.linalg.lu_factor(real(4, 4)), real(4, 2)),
        call(scipy.linalg.lu_factor(real(4, 4)), real(4), 1),
        call(scipy.linalg.lu_factor(csquare(3, 3)), cplx(3)),
    ],
)
def lu_solve(lu_and_piv, b, trans=0, check_finite=True):
    lu, pivots = lu_and_piv
    order = permutation(pivots)
    if trans == 0:
        y = scipy.linalg.solve_triangular(lu, b[order], lower=True, unit_diagonal=True)
        return scipy.linalg.solve_triangular(lu, y)
    if trans == 2 and np.iscomplexobj(lu):
        refuse("scipy.linalg.lu_solve with trans=2", "Solve with the factors of np.conj(a) and trans=1.")
    y = scipy.linalg.solve_triangular(lu, b, trans=1)
    z = scipy.linalg.solve_triangular(lu, y, trans=1, lower=True, unit_diagonal=True)
    return z[np.argsort(order)]


def band_products(lower, upper, left, right):
    """The diagonals of `left @ right.T` in the layout of banded matrices."""
    n = len(left)
    left, right = left.reshape(n, -1), right.reshape(n, -1)
    rows = []
    for k in range(upper, -lower - 1, -1):
        values = np.sum(left[max(-k, 0) : n - max(k, 0)] * right[max(k, 0) : n - max(-k, 0)], axis=1)
        rows.append(np.concatenate([np.zeros(max(k, 0)), values, np.zeros(max(-k, 0))]))
    return np.stack(rows)


def band_transposed(lower, upper, ab):
    """The transpose of a banded matrix, in the same layout."""
    n = ab.shape[1]
    rows = []
    for k in range(lower, -upper - 1, -1):
        values = ab[upper + k, max(-k, 0) : n - max(k, 0)]
        rows.append(np.concatenate([np.zeros(max(k, 0)), values, np.zeros(max(-k, 0))]))
    return np.stack(rows)


def band_times(lower, upper, ab, x):
    """A banded matrix times a vector or a matrix."""
    n = ab.shape[1]
    columns = x.reshape(n, -1)
    total = np.zeros_like(columns)
    for k in range(-lower, upper + 1):
        ahead, behind = max(k, 0), max(-k, 0)
        part = ab[upper - k, ahead : n - behind, None] * columns[ahead : n - behind]
        total = total + np.concatenate(
            [np.zeros((behind, columns.shape[1])), part, np.zeros((ahead, columns.shape[1]))]
        )
    return total.reshape(x.shape)


def solve_banded_tangent(l_and_u, ab, b, x, _, ab_dot, b_dot, check_finite=True):
    return scipy.linalg.solve_banded(l_and_u, ab, b_dot - band_times(l_and_u[0], l_and_u[1], ab_dot, x))


@adjoint_of(
    scipy.linalg.solve_banded,
    tangent=solve_banded_tangent,
    samples=lambda: [
        call((1, 1), real(3, 5) + np.array([[0.0], [4.0], [0.0]]), real(5), wrt=(1, 2)),
        call((2, 1), real(4, 5) + np.array([[0.0], [4.0], [0.0], [0.0]]), real(5, 2), wrt=(1, 2)),
        call((0, 1), real(2, 4) + np.array([[0.0], [3.0]]), real(4), wrt=(1, 2)),
        call((1, 0), real(2, 4) + np.array([[3.0], [0.0]]), real(4, 1), wrt=(1, 2)),
    ],
)
def solve_banded(l_and_u, ab, b, x, x_bar, check_finite=True):
    lower, upper = l_and_u
    b_bar = scipy.linalg.solve_banded((upper, lower), band_transposed(lower, upper, ab), x_bar)
    return None, -band_products(lower, upper, b_bar, x), b_bar


def solve_sylvester_tangent(a, b, q, x, a_dot, b_dot, q_dot):
    return scipy.linalg.solve_sylvester(a, b, q_dot - a_dot @ x - x @ b_dot)


@adjoint_of(
    scipy.linalg.solve_sylvester,
    tangent=solve_sylvester_tangent,
    samples=lambda: [
        call(square(3, 3), square(2, 2), real(3, 2)),
        call(square(2, 2), square(3, 3), real(2, 3)),
        call(square(1, 1), square(2, 2), real(1, 2)),
        call(csquare(2, 2), csquare(3, 3), cplx(2, 3)),
    ],
)
def solve_sylvester(a, b, q, x, x_bar):
    """a x + x b = q"""
    q_bar = scipy.linalg.solve_sylvester(a.T, b.T, x_bar)
    return -q_bar @ x.T, -x.T @ q_bar, q_bar


def pinv_tangent(a, y, a_dot, *, atol=None, rtol=None, return_rank=False, check_finite=True):
    yh, ah_dot = np.conj(y.mT), np.conj(a_dot.mT)
    left = y @ (yh @ (ah_dot - (ah_dot @ a) @ y))
    return -y @ a_dot @ y + left + (ah_dot - y @ (a @ ah_dot)) @ yh @ y


@adjoint_of(
    scipy.linalg.pinv,
    tangent=pinv_tangent,
    samples=lambda: [call(real(3, 3)), call(real(4, 3)), call(real(3, 5), rtol=1e-12), call(cplx(4, 2))],
)
def pinv(a, y, y_bar, *, atol=None, rtol=None, return_rank=False, check_finite=True):
    if return_rank:
        refuse("scipy.linalg.pinv with return_rank=True", "Ask np.linalg.matrix_rank for the rank.")
    return pinv_adjoint(a, y, y_bar)


# Functions of matrices ------------------------------------------------------------------------------------------------


def upper_block(a, e):
    """[[a, e], [0, a]], of which a function has the Fréchet derivative at `a` in direction `e` in its corner."""
    top = np.concatenate([a, e], axis=-1)
    return np.concatenate([top, np.concatenate([np.zeros_like(a), a], axis=-1)], axis=-2)


def expm_tangent(A, Y, A_dot):
    n = A.shape[-1]
    return scipy.linalg.expm(upper_block(A, A_dot))[..., :n, n:]


@adjoint_of(
    scipy.linalg.expm,
    tangent=expm_tangent,
    samples=lambda: [call(real(3, 3)), call(0.3 * real(4, 4)), call(real(2, 3, 3)), call(cplx(3, 3)), call(real(1, 1))],
)
def expm(A, Y, Y_bar):
    if A.ndim == 2 and not np.iscomplexobj(A):
        return scipy.linalg.expm_frechet(A.T, Y_bar, compute_expm=False)
    n = A.shape[-1]
    return scipy.linalg.expm(upper_block(A.mT, Y_bar))[..., :n, n:]


@composite(
    scipy.linalg.expm_frechet,
    samples=lambda: [
        call(real(3, 3), real(3, 3, key=1)),
        call(real(3, 3), real(3, 3, key=1), compute_expm=False),
        call(real(2, 2), real(2, 2, key=1), None, False),
        call(0.2 * real(4, 4), real(4, 4, key=1), compute_expm=False),
    ],
)
def expm_frechet(A, E, method=None, compute_expm=True, check_finite=True):
    n = A.shape[0]
    both = scipy.linalg.expm(upper_block(A, E))
    if compute_expm:
        return both[:n, :n], both[:n, n:]
    return both[:n, n:]


def sqrtm_tangent(A, X, A_dot):
    return scipy.linalg.solve_sylvester(X, X, A_dot)


@adjoint_of(
    scipy.linalg.sqrtm,
    tangent=sqrtm_tangent,
    samples=lambda: [call(spd(3, 3)), call(square(3, 3) @ square(3, 3)), call(hpd(3, 3)), call(spd(1, 1))],
)
def sqrtm(A, X, X_bar):
    """X dX + dX X = dA"""
    if A.ndim != 2:
        refuse("scipy.linalg.sqrtm of a stack of matrices", "Take their roots one at a time.")
    return scipy.linalg.solve_sylvester(X.T, X.T, X_bar)


def logm_tangent(A, Y, A_dot):
    n = A.shape[-1]
    return scipy.linalg.logm(upper_block(A, A_dot))[..., :n, n:]


@adjoint_of(
    scipy.linalg.logm,
    tangent=logm_tangent,
    samples=lambda: [call(spd(3, 3)), call(0.3 * real(3, 3) + 2 * np.eye(3)), call(hpd(3, 3)), call(spd(2, 2))],
)
def logm(A, Y, Y_bar):
    n = A.shape[-1]
    return scipy.linalg.logm(upper_block(A.mT, Y_bar))[..., :n, n:]

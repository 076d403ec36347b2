"""Rules for Cholesky, QR, the eigenvalue and the singular value decompositions of numpy.linalg.

Enters: matrices `(..., m, n)`.  Leaves: published adjoints.
- Cholesky: Murray, "Differentiation of the Cholesky decomposition" (2016).
- QR: Walter & Lehmann, "Algorithmic differentiation of linear algebra functions" (2010); Seeger et al., "Auto-
  differentiating linear algebra" (2017); wide: Roberts & Roberts, "QR and LQ decomposition backpropagation" (2020).
- SVD: Giles (2008); Wan & Zhang, "Automatic differentiation for complex valued SVD" (2019).
- eig: Boeddeker et al., "On the computation of complex-valued gradients" (2017).

Equal eigenvalues or singular values: the values' derivatives are right, the vectors' are NaN, with NumPy's warning.
A function that reads one triangle of its matrix has a gradient in that triangle.
"""

from __future__ import annotations

import numpy as np

from s2s_ad.rules.lookup import is_zero, refuse
from s2s_ad.rules.matrix_samples import call, cplx, csquare, hpd, real, spd, square
from s2s_ad.rules.registry import adjoint_of, composite


def half_lower(x):
    """The lower triangle, half of the diagonal."""
    return np.tril(x) * (1 - 0.5 * np.eye(x.shape[-1], dtype=x.dtype))


def triangle_read(s, upper):
    """The gradient in the triangle that is read, from the gradient `s` of the full matrix."""
    folded = s + np.conj(s.mT)
    return np.conj(half_lower(np.conj(folded.mT)).mT) if upper else half_lower(folded)


def from_triangle(a_dot, upper):
    """The full Hermitian tangent, of which one triangle is read."""
    if upper:
        a_dot = np.conj(a_dot.mT)
    strict = np.tril(a_dot, -1)
    return strict + np.conj(strict.mT) + np.real(a_dot) * np.eye(a_dot.shape[-1], dtype=a_dot.dtype)


# Cholesky -------------------------------------------------------------------------------------------------------------


def cholesky_tangent(a, c, a_dot, *, upper=False):
    lower = np.conj(c.mT) if upper else c
    inverse = np.linalg.inv(lower)
    c_dot = lower @ half_lower(inverse @ from_triangle(a_dot, upper) @ np.conj(inverse.mT))
    return np.conj(c_dot.mT) if upper else c_dot


@adjoint_of(
    np.linalg.cholesky,
    tangent=cholesky_tangent,
    samples=lambda: [
        call(spd(3, 3)),
        call(spd(2, 4, 4)),
        call(spd(1, 1)),
        call(hpd(3, 3)),
        call(spd(3, 3), upper=True),
        call(hpd(2, 3, 3), upper=True),
    ],
)
def cholesky(a, c, c_bar, *, upper=False):
    if upper:
        return triangle_read(cholesky_adjoint(np.conj(c.mT), np.conj(c_bar.mT)), True)
    return triangle_read(cholesky_adjoint(c, c_bar), False)


def cholesky_adjoint(c, c_bar):
    """The gradient of the full matrix c c^H."""
    inverse = np.linalg.inv(c)
    return inverse.mT @ half_lower(c.mT @ c_bar) @ np.conj(inverse)


# Eigenvalues ----------------------------------------------------------------------------------------------------------


def inverse_gaps(w):
    """1 / (w_j - w_i), zero on the diagonal; NaN with NumPy's warning for equal values."""
    one = np.eye(w.shape[-1], dtype=w.dtype)
    gaps = w[..., None, :] - w[..., :, None] + one
    return gaps / (gaps * gaps) - one


def eigh_tangent(a, out, a_dot, UPLO="L"):
    w, v = out
    rate = np.conj(v.mT) @ from_triangle(a_dot, UPLO in ("U", "u")) @ v
    return np.real(np.diagonal(rate, axis1=-2, axis2=-1)), v @ (inverse_gaps(w) * rate)


@adjoint_of(
    np.linalg.eigh,
    tangent=eigh_tangent,
    samples=lambda: [
        call(spd(3, 3)),
        call(spd(2, 4, 4)),
        call(spd(3, 3), UPLO="U"),
        call(spd(3, 3), "L"),
        call(square(3, 3)),
    ],
)
def eigh(a, out, out_bar, UPLO="L"):
    w, v = out
    w_bar, v_bar = out_bar
    if is_zero(v_bar):
        return triangle_read((np.conj(v) * w_bar[..., None, :]) @ v.mT, UPLO in ("U", "u"))
    rate = inverse_gaps(w) * (v.mT @ v_bar)
    if is_zero(w_bar):
        return triangle_read(np.conj(v) @ rate @ v.mT, UPLO in ("U", "u"))
    return triangle_read(np.conj(v) @ (rate + w_bar[..., None, :] * np.eye(w.shape[-1])) @ v.mT, UPLO in ("U", "u"))


@composite(
    np.linalg.eigvalsh,
    samples=lambda: [call(spd(3, 3)), call(spd(2, 4, 4)), call(hpd(3, 3)), call(square(3, 3), UPLO="U")],
)
def eigvalsh(a, UPLO="L"):
    return np.linalg.eigh(a, UPLO)[0]


def largest_component(v):
    """One in the place of each column's largest component, which LAPACK makes real."""
    size = np.abs(v)
    return (np.cumsum(size == np.max(size, axis=-2, keepdims=True), axis=-2) == 1) & (
        size == np.max(size, axis=-2, keepdims=True)
    )


def eig_adjoint(w, v, w_bar, v_bar):
    """The eigenvectors have length one and a real largest component."""
    g = np.conj(v_bar)
    if np.iscomplexobj(v):
        turn = np.real(np.sum(np.conj(g) * (-1j) * v, axis=-2, keepdims=True))
        g = g + 1j * largest_component(v) * turn / np.real(v)
    vh = np.conj(v.mT)
    pull = vh @ g
    length = np.real(np.sum(np.conj(v) * g, axis=-2))
    rate = np.conj(inverse_gaps(w)) * (pull - vh @ (v * length[..., None, :]))
    middle = rate + np.conj(w_bar)[..., None, :] * np.eye(w.shape[-1])
    return np.conj(np.linalg.solve(vh, middle @ vh))


def eig_tangent(a, out, a_dot):
    w, v = out
    rate = np.linalg.solve(v, a_dot @ v)
    v_dot = v @ (inverse_gaps(w) * rate)
    v_dot = v_dot - v * np.real(np.sum(np.conj(v) * v_dot, axis=-2, keepdims=True))
    if np.iscomplexobj(v):
        turn = np.sum(largest_component(v) * np.imag(v_dot) / np.where(v == 0, 1, np.real(v)), axis=-2, keepdims=True)
        v_dot = v_dot - 1j * turn * v
    return np.sum(rate * np.eye(w.shape[-1]), axis=-1), v_dot


@adjoint_of(
    np.linalg.eig,
    tangent=eig_tangent,
    samples=lambda: [
        call(np.diag([1.0, 3.0, 6.0]) + 0.3 * real(3, 3)),
        call(real(4, 4)),
        call(np.diag([1.0, 3.0, 6.0]) + 0.3 * real(2, 3, 3)),
        call(csquare(3, 3)),
    ],
)
def eig(a, out, out_bar):
    w, v = out
    w_bar, v_bar = out_bar
    if is_zero(v_bar):
        return np.linalg.solve(v.mT, w_bar[..., :, None] * v.mT)
    w_bar = np.zeros_like(w) if is_zero(w_bar) else w_bar
    return eig_adjoint(w, v, w_bar, v_bar)


@composite(
    np.linalg.eigvals,
    samples=lambda: [
        call(np.diag([1.0, 3.0, 6.0]) + 0.3 * real(3, 3)),
        call(real(4, 4)),
        call(csquare(2, 3, 3)),
        call(square(1, 1)),
    ],
)
def eigvals(a):
    return np.linalg.eig(a)[0]


# Singular values ------------------------------------------------------------------------------------------------------


def svd_adjoint(u, s, vh, u_bar, s_bar, vh_bar):
    """The thin decomposition, real or complex."""
    k = s.shape[-1]
    v = np.conj(vh.mT)
    uh = np.conj(u.mT)
    gu = np.conj(u_bar)
    gv = vh_bar.mT
    squares = inverse_gaps(s) / (s[..., None, :] + s[..., :, None])
    left = squares * (uh @ gu)
    right = squares * (vh @ gv)
    middle = (left + np.conj(left.mT)) * s[..., None, :] + s[..., :, None] * (right + np.conj(right.mT))
    middle = middle + s_bar[..., None, :] * np.eye(k, dtype=s.dtype)
    if np.iscomplexobj(u):
        turn = np.imag(np.diagonal(uh @ gu, axis1=-2, axis2=-1))
        middle = middle + (1j * turn / s)[..., None, :] * np.eye(k)
    result = u @ middle @ vh
    if u.shape[-2] > k:
        result = result + ((gu - u @ (uh @ gu)) / s[..., None, :]) @ vh
    if v.shape[-2] > k:
        result = result + (u / s[..., None, :]) @ np.conj((gv - v @ (vh @ gv)).mT)
    return np.conj(result)


def thin_columns(bar, k):
    """The first k columns; the others span a null space, and have no derivative of their own."""
    if np.any(bar[..., k:] != 0):
        raise NotImplementedError("the extra vectors of full_matrices=True have no derivative; use full_matrices=False")
    return bar[..., :k]


def svd_tangent(a, out, a_dot, full_matrices=True, compute_uv=True, hermitian=False):
    if hermitian:
        refuse("np.linalg.svd with hermitian=True", "Use np.linalg.eigh.")
    if not compute_uv:
        u, _, vh = np.linalg.svd(a, full_matrices=False)
        return np.real(np.diagonal(np.conj(u.mT) @ a_dot @ np.conj(vh.mT), axis1=-2, axis2=-1))
    if full_matrices:
        refuse("np.linalg.svd with full_matrices=True in forward mode", "Use full_matrices=False.")
    u, s, vh = out
    return svd_rates(u, s, vh, a_dot)


def svd_rates(u, s, vh, a_dot):
    """The tangents of the thin decomposition; what leaves the span of the vectors is scaled by 1 / s."""
    uh, v = np.conj(u.mT), np.conj(vh.mT)
    rate = uh @ a_dot @ v
    rate_h = np.conj(rate.mT)
    squares = inverse_gaps(s) / (s[..., None, :] + s[..., :, None])
    s_row, s_column = s[..., None, :], s[..., :, None]
    u_dot = u @ (squares * (rate * s_row + s_column * rate_h))
    v_dot = v @ (squares * (s_column * rate + rate_h * s_row))
    if u.shape[-2] > s.shape[-1]:
        u_dot = u_dot + (a_dot @ v - u @ rate) / s_row
    if v.shape[-2] > s.shape[-1]:
        v_dot = v_dot + (np.conj(a_dot.mT) @ u - v @ rate_h) / s_row
    if np.iscomplexobj(u):
        u_dot = u_dot + u * (1j * np.imag(np.diagonal(rate, axis1=-2, axis2=-1)) / s)[..., None, :]
    return u_dot, np.real(np.diagonal(rate, axis1=-2, axis2=-1)), np.conj(v_dot.mT)


@adjoint_of(
    np.linalg.svd,
    tangent=svd_tangent,
    samples=lambda: [
        call(square(3, 3), full_matrices=False),
        call(real(4, 3), full_matrices=False),
        call(real(2, 3, 5), False),
        call(real(3, 4), compute_uv=False),
        call(cplx(4, 3), compute_uv=False),
    ],
)
def svd(a, out, out_bar, full_matrices=True, compute_uv=True, hermitian=False):
    if hermitian:
        refuse("np.linalg.svd with hermitian=True", "Use np.linalg.eigh.")
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
    np.linalg.svdvals,
    samples=lambda: [call(real(3, 3)), call(real(2, 3, 4)), call(cplx(4, 3)), call(real(1, 4))],
)
def svdvals(x, /):
    return np.linalg.svd(x, compute_uv=False)


# QR -------------------------------------------------------------------------------------------------------------------


def square_qr_adjoint(q, r, q_bar, r_bar):
    """`r` is square and regular (Walter & Lehmann)."""
    m = r @ np.conj(r_bar.mT) - np.conj(q_bar.mT) @ q
    strict = np.tril(m, -1)
    symmetric = strict + np.conj(strict.mT) + np.real(m) * np.eye(m.shape[-1], dtype=m.dtype)
    return np.conj(np.linalg.solve(r, np.conj((q_bar + q @ symmetric).mT)).mT)


def qr_adjoint(a, q, r, q_bar, r_bar):
    """A wide matrix is [X Y] with X = Q U and Y = Q V."""
    q_bar, r_bar = np.conj(q_bar), np.conj(r_bar)
    k = r.shape[-2]
    if r.shape[-1] == k:
        return np.conj(square_qr_adjoint(q, r, q_bar, r_bar))
    v_bar = r_bar[..., k:]
    y = a[..., k:]
    x_bar = square_qr_adjoint(q, r[..., :k], q_bar + y @ np.conj(v_bar.mT), r_bar[..., :k])
    return np.conj(np.concatenate([x_bar, q @ v_bar], axis=-1))


def qr_tangent(a, out, a_dot, mode="reduced"):
    if mode != "reduced":
        refuse(f"np.linalg.qr with mode={mode!r} in forward mode", "Use mode='reduced'.")
    q, r = out
    k = r.shape[-2]
    u = r[..., :k]
    qh = np.conj(q.mT)
    x_dot = np.linalg.solve(u.mT, a_dot[..., :k].mT).mT
    rate = qh @ x_dot
    lower = np.tril(rate, -1)
    skew = lower - np.conj(lower.mT) + 1j * np.imag(rate) * np.eye(k) if np.iscomplexobj(a) else lower - lower.mT
    q_dot = x_dot - q @ rate + q @ skew
    return q_dot, qh @ a_dot - skew @ r


@adjoint_of(
    np.linalg.qr,
    tangent=qr_tangent,
    samples=lambda: [
        call(real(3, 3)),
        call(real(4, 3)),
        call(real(2, 3, 5)),
        call(cplx(4, 3)),
        call(cplx(2, 4)),
    ],
)
def qr(a, out, out_bar, mode="reduced"):
    if mode == "r":
        q, _ = np.linalg.qr(a)
        return qr_adjoint(a, q, out, np.zeros_like(q), out_bar)
    if mode not in ("reduced", "complete"):
        refuse(f"np.linalg.qr with mode={mode!r}", "Use mode='reduced'.")
    q, r = out
    q_bar, r_bar = out_bar
    k = min(a.shape[-2:])
    q_bar = np.zeros_like(q) if is_zero(q_bar) else q_bar
    r_bar = np.zeros_like(r) if is_zero(r_bar) else r_bar
    if mode == "complete":
        return qr_adjoint(a, q[..., :k], r[..., :k, :], thin_columns(q_bar, k), r_bar[..., :k, :])
    return qr_adjoint(a, q, r, q_bar, r_bar)

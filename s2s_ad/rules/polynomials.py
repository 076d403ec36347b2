"""Rules for NumPy's polynomial functions, coefficients from the highest power down.

Enters: coefficient vectors.  Leaves: definitions in plain NumPy, and the implicit derivative of the roots.
"""

from __future__ import annotations

import numpy as np

from s2s_ad.rules.linalg import EPSILON
from s2s_ad.rules.lookup import refuse
from s2s_ad.rules.matrix_samples import call, cplx, positive, real, square
from s2s_ad.rules.registry import adjoint_of, composite


@composite(
    np.polyval,
    samples=lambda: [
        call(real(4), real(5)),
        call(real(4), 1.5),
        call(real(3), real(2, 3)),
        call(cplx(4), cplx(3)),
        call(real(1), real(2)),
    ],
)
def polyval(p, x):
    """Horner's scheme."""
    y = np.zeros_like(x)
    for coefficient in p:
        y = y * x + coefficient
    return y


@composite(
    np.polyadd,
    samples=lambda: [call(real(3), real(3)), call(real(4), real(2)), call(real(2), real(5)), call(cplx(3), real(1))],
)
def polyadd(a1, a2):
    a1 = np.atleast_1d(a1)
    a2 = np.atleast_1d(a2)
    if len(a1) < len(a2):
        return np.concatenate([np.zeros(len(a2) - len(a1)), a1]) + a2
    return a1 + np.concatenate([np.zeros(len(a1) - len(a2)), a2])


@composite(
    np.polysub,
    samples=lambda: [
        call(real(3), real(3, key=1)),
        call(real(4), real(2)),
        call(real(2), real(5)),
        call(cplx(3), real(1)),
    ],
)
def polysub(a1, a2):
    return polyadd(a1, -np.asarray(a2))


@composite(
    np.polymul,
    samples=lambda: [call(real(3), real(3)), call(real(4), real(2)), call(real(1), real(3)), call(cplx(3), real(2))],
)
def polymul(a1, a2):
    return np.convolve(a1, a2)


@composite(
    np.polydiv,
    samples=lambda: [
        call(real(5), real(2)),
        call(real(4), real(4, key=1)),
        call(real(6), real(3)),
        call(cplx(4), real(2)),
    ],
)
def polydiv(u, v):
    """Long division; leading coefficients of the remainder that are nearly zero are dropped, as NumPy does."""
    u = np.atleast_1d(u) + 0.0
    v = np.atleast_1d(v) + 0.0
    m = len(u) - 1
    n = len(v) - 1
    q = np.zeros(max(m - n + 1, 1), dtype=np.result_type(u, v))
    r = u + 0 * v[0]
    for k in range(m - n + 1):
        factor = r[k] / v[0]
        q[k] = factor
        r[k : k + n + 1] -= factor * v
    first = 0
    while first < len(r) - 1 and np.allclose(r[first], 0, rtol=1e-14):
        first += 1
    return q, r[first:]


@composite(
    np.polyder,
    samples=lambda: [call(real(4)), call(real(5), 2), call(real(4), m=0), call(cplx(3)), call(real(2), 3)],
)
def polyder(p, m=1):
    p = np.asarray(p)
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


@composite(
    np.polyint,
    samples=lambda: [call(real(3)), call(real(3), 2), call(real(4), m=1, k=3.0), call(cplx(2), 2, [1.0, 2.0])],
)
def polyint(p, m=1, k=None):
    p = np.asarray(p)
    divisors = np.ones(len(p))
    for order in range(1, m + 1):
        divisors = divisors * (np.arange(len(p) - 1, -1, -1) + order)
    if k is None:
        return np.concatenate([p / divisors, np.zeros(m)])
    factorials = np.cumprod(np.maximum(np.arange(m), 1))[::-1]
    return np.concatenate([p / divisors, k / factorials])


@composite(
    np.poly,
    samples=lambda: [call(real(3)), call(real(1)), call(cplx(3)), call(np.diag([1.0, 2.0, 4.0]) + 0.1 * square(3, 3))],
)
def poly(seq_of_zeros):
    """The roots of a real polynomial may be complex; NumPy then drops the coefficients' imaginary parts."""
    zeros = np.asarray(seq_of_zeros)
    return from_roots(np.linalg.eigvals(zeros) if zeros.ndim == 2 else zeros)


def from_roots(zeros):
    """The coefficients of the product of all x - zero."""
    a = np.concatenate([np.ones(1), 0 * zeros])
    for k in range(len(zeros)):
        a[1 : k + 2] -= zeros[k] * a[: k + 1]
    return a


def power_columns(x, n):
    """x**(n-1), ..., x, 1 as columns."""
    return np.stack([x**k for k in range(n - 1, -1, -1)], axis=-1)


def derivative_at(p, x):
    """p'(x)."""
    return np.polyval(p[:-1] * np.arange(len(p) - 1, 0, -1), x)


def roots_tangent(p, y, p_dot):
    return -np.polyval(p_dot, y) / derivative_at(p, y)


@adjoint_of(
    np.roots,
    tangent=roots_tangent,
    samples=lambda: [
        call(np.array([1.0, -6.0, 11.0, -5.5])),
        call(np.array([2.0, 1.0, 3.0])),
        call(cplx(4)),
        call(np.array([1.5, -4.0, 1.0])),
        call(real(5)),
    ],
)
def roots(p, y, y_bar):
    """Implicitly: p'(r) dr = -sum(dp[k] r**(n - 1 - k)); infinite at a repeated root."""
    return -(y_bar / derivative_at(p, y)) @ power_columns(y, len(p))


@adjoint_of(
    np.vander,
    kind="general",
    tangent=lambda x, y, x_dot, N=None, increasing=False: vander_rate(x, y, increasing) * x_dot[:, None],
    samples=lambda: [
        call(real(4)),
        call(real(4), 3),
        call(real(3), N=5, increasing=True),
        call(cplx(3)),
        call(real(3), 1),
    ],
)
def vander(x, y, y_bar, N=None, increasing=False):
    return np.sum(y_bar * vander_rate(x, y, increasing), axis=-1)


def vander_rate(x, y, increasing):
    """The powers' derivatives, k * x**(k - 1), from the powers."""
    n = y.shape[1]
    if increasing:
        return np.concatenate([np.zeros((len(x), min(n, 1))), y[:, : n - 1] * np.arange(1, n)], axis=1)
    return np.concatenate([y[:, 1:] * np.arange(n - 1, 0, -1), np.zeros((len(x), min(n, 1)))], axis=1)


@composite(
    np.polyfit,
    samples=lambda: [
        call(np.linspace(-1, 2, 7), real(7), 2, wrt=(0, 1)),
        call(np.linspace(-1, 2, 7), real(7, 2), 1, wrt=(0, 1)),
        call(np.linspace(-1, 2, 7), real(7), 3, w=positive(7), wrt=(0, 1)),
        call(np.linspace(0.5, 2, 5), real(5), deg=0, wrt=(0, 1)),
    ],
)
def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    if full or cov:
        refuse("np.polyfit with full=True or cov=True", "Use np.linalg.lstsq on np.vander(x, deg + 1).")
    if w is not None:
        columns = np.vander(x, deg + 1) * w[:, None]
        values = y * w if y.ndim == 1 else y * w[:, None]
    else:
        columns = np.vander(x, deg + 1)
        values = y
    scale = np.sqrt(np.sum(columns * columns, axis=0))
    cutoff = len(x) * EPSILON if rcond is None else rcond
    solution = np.linalg.pinv(columns / scale, cutoff) @ values
    return solution / scale if y.ndim == 1 else solution / scale[:, None]

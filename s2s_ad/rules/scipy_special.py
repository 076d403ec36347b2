"""Rules for scipy.special, after NIST's Digital Library of Mathematical Functions (dlmf.nist.gov).

Enters: real arguments (complex where SciPy takes them and the function is holomorphic).  Leaves: partial derivatives.
The order of a Bessel function has none here, and is refused when it is active.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from s2s_ad.rules.lookup import no_derivative, refuse
from s2s_ad.rules.matrix_samples import call, positive, real
from s2s_ad.rules.registry import adjoint_of, composite, derivative, passive

TWO_OVER_ROOT_PI = float(2 / np.sqrt(np.pi))
ROOT_TWO_PI = float(np.sqrt(2 * np.pi))


def _over(low=0.2, high=2.0):
    """Samples of one argument between two bounds."""

    def samples():
        return [
            call(positive(5, low=low, high=high)),
            call(positive(2, 3, low=low, high=high)),
            call(float(positive(1, low=low, high=high, key=2)[0])),
            call(np.asarray(positive(2, 1, low=low, high=high, key=3))),
        ]

    return samples


def _pairs(low=0.2, high=2.0, wrt=None, first=None):
    """Samples of two broadcast arguments; `first` replaces the first one where it is an order."""

    def one(*shape, key=0):
        return positive(*shape, key=key, low=low, high=high)

    def samples():
        if first is not None:
            return [call(order, one(4), wrt=wrt) for order in first] + [call(first[0], one(2, 3), wrt=wrt)]
        return [
            call(one(4), one(4, key=1), wrt=wrt),
            call(one(2, 3), one(3, key=1), wrt=wrt),
            call(one(3, 1), one(1, 2, key=1), wrt=wrt),
            call(float(one(1)[0]), one(3), wrt=wrt),
        ]

    return samples


# Error function and its relatives -------------------------------------------------------------------------------------

derivative(special.erf, f"{TWO_OVER_ROOT_PI!r} * np.exp(-x * x)", samples=_over(-2, 2))
derivative(special.erfc, f"-{TWO_OVER_ROOT_PI!r} * np.exp(-x * x)", samples=_over(-2, 2))
derivative(special.erfi, f"{TWO_OVER_ROOT_PI!r} * np.exp(x * x)", samples=_over(-1, 1))
derivative(special.erfcx, f"2 * x * y - {TWO_OVER_ROOT_PI!r}", samples=_over(-2, 3))
derivative(special.erfinv, f"np.exp(y * y) / {TWO_OVER_ROOT_PI!r}", samples=_over(-0.9, 0.9))
derivative(special.erfcinv, f"-np.exp(y * y) / {TWO_OVER_ROOT_PI!r}", samples=_over(0.1, 1.9))
derivative(special.dawsn, "1 - 2 * x * y", samples=_over(-2, 2))
derivative(special.ndtr, f"np.exp(-0.5 * x * x) / {ROOT_TWO_PI!r}", samples=_over(-3, 3))
derivative(special.ndtri, f"{ROOT_TWO_PI!r} * np.exp(0.5 * y * y)", samples=_over(0.05, 0.95))
# The quotient of density and distribution, one exponential: right in both tails.
derivative(special.log_ndtr, f"np.exp(-0.5 * x * x - y) / {ROOT_TWO_PI!r}", samples=_over(-30, 3))

# Exponentials, logistic -----------------------------------------------------------------------------------------------

derivative(special.expit, "y * (1 - y)", samples=_over(-3, 3))
derivative(special.log_expit, "special.expit(-x)", samples=_over(-30, 3))
derivative(special.logit, "y_bar / (x * (1 - x))", samples=_over(0.1, 0.9))
derivative(special.softplus, "special.expit(x)", samples=_over(-30, 3))
derivative(special.expm1, "y + 1", samples=_over(-2, 2))
derivative(special.log1p, "y_bar / (1 + x)", samples=_over(-0.5, 2))
derivative(special.exp2, f"{float(np.log(2))!r} * y", samples=_over(-2, 2))
derivative(special.exp10, f"{float(np.log(10))!r} * y", samples=_over(-1, 1))
derivative(special.cbrt, "y_bar / (3 * y * y)", samples=_over(0.1, 3))
derivative(special.cosm1, "-np.sin(x)", samples=_over(-2, 2))
derivative(special.expi, "np.exp(x) / x", samples=_over(0.2, 3))
derivative(special.exp1, "-np.exp(-x) / x", samples=_over(0.2, 3))
derivative(special.spence, "np.log(x) / (1 - x)", samples=_over(0.1, 0.9))
derivative(special.exprel, "exprel_slope(x, y)", samples=_over(-3, 3))


def exprel_slope(x, y):
    """(exp(x) - y) / x, by its series near zero, where the difference cancels."""
    series = 1.0 + 0 * x
    for k in range(10, 0, -1):
        series = 1.0 + series * x * (k + 1) / (k * (k + 2))
    near = np.abs(x) < 0.3
    return np.where(near, 0.5 * series, (np.exp(x) - y) / np.where(near, 1.0, x))


# Entropies, losses ----------------------------------------------------------------------------------------------------

derivative(special.xlogy, "np.log(y)", "x / y", samples=_pairs())
derivative(special.xlog1py, "np.log1p(y)", "x / (1 + y)", samples=_pairs())
derivative(special.entr, "-np.log(x) - 1", samples=_over())
derivative(special.rel_entr, "np.log(x / y) + 1", "-x / y", samples=_pairs())
derivative(special.kl_div, "np.log(x / y)", "1 - x / y", samples=_pairs())
derivative(special.huber, "np.maximum(np.abs(y) - x, 0)", "np.clip(y, -x, x)", samples=_pairs())
derivative(
    special.pseudo_huber,
    "2 * z / x - (y / x) * y / np.sqrt(1 + (y / x) ** 2)",
    "y / np.sqrt(1 + (y / x) ** 2)",
    samples=_pairs(),
)
derivative(special.boxcox, "x ** (y - 1)", "(x**y * np.log(x) - z) / y", samples=_pairs())

# Gamma and beta -------------------------------------------------------------------------------------------------------

derivative(special.gamma, "y * special.digamma(x)", samples=_over(0.5, 4))
derivative(special.gammaln, "special.digamma(x)", samples=_over(0.5, 4))
derivative(special.loggamma, "special.digamma(x)", samples=_over(0.5, 4))
derivative(special.rgamma, "-y * special.digamma(x)", samples=_over(0.5, 4))
derivative(special.digamma, "special.polygamma(1, x)", samples=_over(0.5, 4))
derivative(
    special.beta,
    "z * (special.digamma(x) - special.digamma(x + y))",
    "z * (special.digamma(y) - special.digamma(x + y))",
    samples=_pairs(),
)
derivative(
    special.betaln,
    "special.digamma(x) - special.digamma(x + y)",
    "special.digamma(y) - special.digamma(x + y)",
    samples=_pairs(),
)
derivative(
    special.binom,
    "z * (special.digamma(x + 1) - special.digamma(x - y + 1))",
    "z * (special.digamma(x - y + 1) - special.digamma(y + 1))",
    samples=lambda: [
        call(positive(3, low=3, high=5), positive(3, low=0.5, high=2)),
        call(positive(2, 3, low=3, high=5), positive(3, low=0.5, high=2)),
        call(6.5, positive(3)),
        call(positive(3, low=3, high=5), 2.0),
    ],
)
derivative(
    special.gammainc,
    "gammainc_slope(x, y)",
    "np.exp((x - 1) * np.log(y) - y - special.gammaln(x))",
    samples=_pairs(0.3, 4.0),
)
derivative(
    special.gammaincc,
    "-gammainc_slope(x, y)",
    "-np.exp((x - 1) * np.log(y) - y - special.gammaln(x))",
    samples=_pairs(0.3, 4.0),
)
derivative(
    special.betainc,
    "betainc_slopes(x, y, z)[0]",
    "betainc_slopes(x, y, z)[1]",
    "np.exp((x - 1) * np.log(z) + (y - 1) * np.log1p(-z) - special.betaln(x, y))",
    samples=lambda: [
        call(positive(3), positive(3, key=1), positive(3, low=0.1, high=0.9)),
        call(positive(2, 3), positive(3, key=1), positive(2, 1, low=0.1, high=0.9)),
        call(5.5, 0.7, positive(3, low=0.1, high=0.9)),
        call(positive(2, high=6), 3.0, 0.8),
    ],
)
derivative(
    special.stdtr,
    "stdtr_slope(x, y)",
    "np.exp(special.gammaln(0.5 * (x + 1)) - special.gammaln(0.5 * x) - 0.5 * (x + 1) * np.log1p(y * y / x))"
    " / np.sqrt(np.pi * x)",
    samples=lambda: [
        call(3.5, real(4)),
        call(positive(3), real(3)),
        call(positive(2, 1), real(3)),
        call(positive(3), -0.5),
    ],
)
passive(special.gammasgn)


def stdtr_slope(df, t):
    """d F(t; df) / d df of Student's t distribution, from its tail 0.5 * I(df / (df + t**2); df / 2, 1 / 2)."""
    moved = np.where(t == 0, 1.0, t)
    share = df / (df + moved * moved)
    by_a, _ = betainc_slopes(0.5 * df, 0.5, share)
    by_share = np.exp((0.5 * df - 1) * np.log(share) - 0.5 * np.log1p(-share) - special.betaln(0.5 * df, 0.5))
    return -np.sign(t) * 0.5 * (0.5 * by_a + by_share * (moved / (df + moved * moved)) ** 2)


def gammainc_slope(a, x):
    """d P(a, x) / d a from the series x**a exp(-x) sum(x**n / gamma(a + n + 1)) (DLMF 8.7.1)."""
    term = np.exp(a * np.log(x) - x - special.gammaln(a + 1))
    rate = np.log(x) - special.digamma(a + 1)
    total = term * rate
    n = 1
    while np.any(np.abs(term) * (1 + np.abs(rate)) > 1e-17) or np.any(n < x):
        term = term * x / (a + n)
        rate = rate - 1 / (a + n)
        total = total + term * rate
        n += 1
    return total


def betainc_series(a, b, x):
    """d I(x; a, b) by a and by b from x**a (1-x)**b / (a B) sum((a+b)_n / (a+1)_n x**n) (DLMF 8.17.8)."""
    term = np.exp(a * np.log(x) + b * np.log1p(-x) - special.betaln(a, b)) / a
    by_a = np.log(x) - 1 / a - special.digamma(a) + special.digamma(a + b)
    by_b = np.log1p(-x) - special.digamma(b) + special.digamma(a + b)
    total_a = term * by_a
    total_b = term * by_b
    n = 0
    while np.any(np.abs(term) * (1 + np.abs(by_a) + np.abs(by_b)) > 1e-17 * (1 - x)):
        term = term * x * (a + b + n) / (a + 1 + n)
        by_a = by_a + 1 / (a + b + n) - 1 / (a + 1 + n)
        by_b = by_b + 1 / (a + b + n)
        total_a = total_a + term * by_a
        total_b = total_b + term * by_b
        n += 1
    return total_a, total_b


def betainc_slopes(a, b, x):
    """The series converges fast below the mean; above it I(x; a, b) = 1 - I(1 - x; b, a) is used."""
    below = x <= (a + 1) / (a + b + 2)
    first, second = betainc_series(np.where(below, a, b), np.where(below, b, a), np.where(below, x, 1 - x))
    return np.where(below, first, -second), np.where(below, second, -first)


@adjoint_of(
    special.polygamma,
    kind="elementwise",
    samples=_pairs(0.5, 3.0, wrt=(1,), first=(1, 2, 3)),
)
def polygamma(n, x, y, y_bar):
    return no_derivative("the order of scipy.special.polygamma"), y_bar * special.polygamma(n + 1, x)


@composite(
    special.multigammaln,
    samples=lambda: [
        call(positive(3, low=2, high=4), 2),
        call(3.5, 3),
        call(positive(2, 2, low=2, high=4), 1),
        call(positive(2, low=3, high=4), 4),
    ],
)
def multigammaln(a, d):
    total = 0.25 * d * (d - 1) * np.log(np.pi) + special.gammaln(a)
    for k in range(1, d):
        total = total + special.gammaln(a - 0.5 * k)
    return total


@composite(
    special.factorial,
    samples=lambda: [call(positive(3)), call(2.5), call(positive(2, 2)), call(np.array([1.5, 3.0]))],
)
def factorial(n, exact=False, extend="zero"):
    return special.gamma(n + 1)


@composite(
    special.zeta,
    samples=lambda: [
        call(positive(3, low=1.5, high=4)),
        call(2.0),
        call(2.5, positive(3)),
        call(positive(2, 1, low=1.5, high=4), positive(3)),
    ],
)
def zeta(x, q=None, out=None):
    """Euler and Maclaurin's summation (DLMF 25.11.5), so that both arguments have derivatives."""
    q = 1.0 if q is None else q
    total = q ** (-x)
    for k in range(1, 12):
        total = total + (q + k) ** (-x)
    a = q + 12
    total = total + a ** (1 - x) / (x - 1) + 0.5 * a ** (-x)
    factor = x / a ** (x + 1)
    for k, bernoulli in enumerate((1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000)):
        total = total + bernoulli * factor
        factor = factor * (x + 2 * k + 1) * (x + 2 * k + 2) / (a * a)
    return total


# Bessel and elliptic functions ----------------------------------------------------------------------------------------

derivative(special.j0, "-special.j1(x)", samples=_over(0.2, 5))
derivative(special.j1, "0.5 * (special.j0(x) - special.jv(2, x))", samples=_over(-5, 5))
derivative(special.y0, "-special.y1(x)", samples=_over(0.2, 5))
derivative(special.y1, "0.5 * (special.y0(x) - special.yv(2, x))", samples=_over(0.2, 5))
derivative(special.i0, "special.i1(x)", samples=_over(-3, 3))
derivative(special.i0e, "special.i1e(x) - np.sign(x) * y", samples=_over(-3, 3))
derivative(special.i1, "0.5 * (special.i0(x) + special.iv(2, x))", samples=_over(-3, 3))
derivative(special.i1e, "0.5 * (special.i0e(x) + special.ive(2, x)) - np.sign(x) * y", samples=_over(-3, 3))
derivative(special.k0, "-special.k1(x)", samples=_over(0.2, 3))
derivative(special.k1, "-0.5 * (special.k0(x) + special.kv(2, x))", samples=_over(0.2, 3))
derivative(special.k0e, "y - special.k1e(x)", samples=_over(0.2, 3))
derivative(special.k1e, "y - 0.5 * (special.k0e(x) + special.kve(2, x))", samples=_over(0.2, 3))


def _bessel(function, partial, orders=(0, 1, 2.5)):
    order = f'no_derivative("the order of scipy.special.{function.__name__}")'
    derivative(function, order, partial, samples=_pairs(0.3, 4.0, wrt=(1,), first=orders))


_bessel(special.jv, "0.5 * (special.jv(x - 1, y) - special.jv(x + 1, y))")
_bessel(special.yv, "0.5 * (special.yv(x - 1, y) - special.yv(x + 1, y))")
_bessel(special.yn, "0.5 * (special.yv(x - 1, y) - special.yv(x + 1, y))", (0, 1, 3))
_bessel(special.iv, "0.5 * (special.iv(x - 1, y) + special.iv(x + 1, y))")
_bessel(special.ive, "0.5 * (special.ive(x - 1, y) + special.ive(x + 1, y)) - np.sign(y) * z")
_bessel(special.kv, "-0.5 * (special.kv(x - 1, y) + special.kv(x + 1, y))")
_bessel(special.kve, "z - 0.5 * (special.kve(x - 1, y) + special.kve(x + 1, y))")
derivative(
    special.hyp0f1,
    'no_derivative("the parameter of scipy.special.hyp0f1")',
    "special.hyp0f1(x + 1, y) / x",
    samples=_pairs(0.3, 3.0, wrt=(1,), first=(0.5, 1.5, 3.0)),
)
derivative(special.ellipk, "(special.ellipe(x) / (1 - x) - y) / (2 * x)", samples=_over(0.1, 0.9))
derivative(special.ellipe, "(y - special.ellipk(x)) / (2 * x)", samples=_over(0.1, 0.9))


# Softmax and its kin --------------------------------------------------------------------------------------------------


def _reductions():
    return [
        call(real(4)),
        call(real(3, 4), axis=1),
        call(real(3, 4), 0),
        call(real(2, 3, 4), axis=(0, 2)),
        call(real(3, 4)),
        call(100 * real(3)),
    ]


def softmax_tangent(x, y, x_dot, axis=None):
    return y * (x_dot - np.sum(y * x_dot, axis=axis, keepdims=True))


@adjoint_of(special.softmax, tangent=softmax_tangent, samples=_reductions)
def softmax(x, y, y_bar, axis=None):
    return y * (y_bar - np.sum(y * y_bar, axis=axis, keepdims=True))


def log_softmax_tangent(x, y, x_dot, axis=None):
    return x_dot - np.sum(np.exp(y) * x_dot, axis=axis, keepdims=True)


@adjoint_of(special.log_softmax, tangent=log_softmax_tangent, samples=_reductions)
def log_softmax(x, y, y_bar, axis=None):
    return y_bar - np.exp(y) * np.sum(y_bar, axis=axis, keepdims=True)


def _with_weights(a, axis=None, b=None, keepdims=False, return_sign=False):
    """The weights `b` are an operand too."""
    return (a, b), {"axis": axis, "keepdims": keepdims, "return_sign": return_sign}


def logsumexp_tangent(a, b, z, a_dot, b_dot, axis=None, keepdims=False, return_sign=False):
    kept = z if axis is None or keepdims else np.expand_dims(z, axis)
    if b is None:
        return np.sum(np.exp(a - kept) * a_dot, axis=axis, keepdims=keepdims)
    return np.sum(np.exp(a - kept) * (b * a_dot + b_dot), axis=axis, keepdims=keepdims)


@adjoint_of(
    special.logsumexp,
    tangent=logsumexp_tangent,
    binder=_with_weights,
    samples=lambda: [
        *_reductions(),
        call(real(3, 4), axis=1, keepdims=True),
        call(real(3, 4), 1, positive(3, 4)),
        call(real(3, 4), b=positive(4), keepdims=True),
    ],
)
def logsumexp(a, b, z, z_bar, axis=None, keepdims=False, return_sign=False):
    if return_sign:
        refuse("scipy.special.logsumexp with return_sign=True", "Leave return_sign out.")
    if axis is not None and not keepdims:
        z_bar = np.expand_dims(z_bar, axis)
        z = np.expand_dims(z, axis)
    if b is None:
        return z_bar * np.exp(a - z), None
    return z_bar * b * np.exp(a - z), z_bar * np.exp(a - z)

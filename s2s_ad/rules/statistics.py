"""Rules of statistics: variance, median, quantiles, averages, covariance.

Enters: nothing.  Leaves: rules in the registry. `mean` is with the sums, in `reductions`; counts are in `histograms`.

The median and the quantiles are, for given order, linear in the data: the order is the stable one.
"""

from __future__ import annotations

import numpy as np

from s2s_ad.rules.axes import is_among
from s2s_ad.rules.lookup import refuse
from s2s_ad.rules.reductions import HOLES, MASK, count_of, everywhere, expand
from s2s_ad.rules.registry import adjoint_of, composite
from s2s_ad.rules.samples import call, calls, reduction

# ---- variance --------------------------------------------------------------------------------------------------------


def deviation(x, axis, where):
    """x less its mean; for complex numbers the conjugate, which pairs with a change of x to that of the variance."""
    if not everywhere(where):
        centred = (x - np.mean(x, axis=axis, keepdims=True, where=where)) * where
    else:
        centred = x - np.mean(x, axis=axis, keepdims=True)
    return np.conj(centred) if x.dtype.kind == "c" else centred


def degrees(x, axis, where, ddof, correction):
    """What the sum of squares is divided by."""
    n = count_of(x, axis, where)
    lost = ddof if correction is None else correction
    return n if isinstance(lost, int) and lost == 0 else n - lost


def var_tangent(x, y, x_dot, axis=None, dtype=None, ddof=0, keepdims=False, where=True, correction=None):
    slope = 2 * deviation(x, axis, where) / degrees(x, axis, where, ddof, correction)
    return np.sum(np.real(slope * x_dot), axis=axis, keepdims=keepdims)


def spreads():
    """Samples of variance and standard deviation."""
    return (
        *reduction(-2, 2)()[:-1],
        *calls(
            lambda d: [
                call(d.floats(2, 3), axis=1, ddof=1),
                call(d.floats(2, 3), axis=1, correction=1),
                call(d.floats(3, 4), axis=(0, 1), ddof=2.5),
                call(d.floats(2, 3), axis=1, where=MASK),
                call(d.complexes(2, 3), axis=0),
            ]
        )(),
    )


@adjoint_of(np.var, tangent=var_tangent, samples=lambda: (*spreads(), call(np.full(3, 1.5))))
def var(x, y, y_bar, axis=None, dtype=None, ddof=0, keepdims=False, where=True, correction=None):
    """Not holomorphic: the variance of complex numbers is real."""
    slope = 2 * deviation(x, axis, where) / degrees(x, axis, where, ddof, correction)
    return expand(y_bar, x, axis, keepdims) * slope


def std_tangent(x, y, x_dot, axis=None, dtype=None, ddof=0, keepdims=False, where=True, correction=None):
    slope = deviation(x, axis, where) / degrees(x, axis, where, ddof, correction)
    return np.sum(np.real(slope * x_dot), axis=axis, keepdims=keepdims) / (y + (y == 0))


@adjoint_of(
    np.std,
    tangent=std_tangent,
    samples=lambda: (
        *[s for s in spreads() if 1 not in np.shape(s.args[0])],
        call(np.full(3, 1.5), smooth=False),
        call(np.array([[1.5, 1.5], [0.5, 2.0]]), axis=1, smooth=False),
    ),
)
def std(x, y, y_bar, axis=None, dtype=None, ddof=0, keepdims=False, where=True, correction=None):
    """`y + (y == 0)`: the spread of a constant has the subgradient 0. Not holomorphic."""
    slope = deviation(x, axis, where) / degrees(x, axis, where, ddof, correction)
    return expand(y_bar / (y + (y == 0)), x, axis, keepdims) * slope


# ---- averages --------------------------------------------------------------------------------------------------------


@composite(
    np.average,
    samples=calls(
        lambda d: [
            call(d.floats(4)),
            call(d.floats(4), weights=d.floats(4)),
            call(d.floats(2, 3), axis=1, weights=d.floats(3)),
            call(d.floats(2, 3), axis=0, weights=d.floats(2, 3)),
            call(d.floats(2, 3), 1, d.floats(3), True),
            call(d.floats(2, 3), axis=1, weights=d.floats(3), keepdims=True),
            call(d.floats(2, 3), weights=d.floats(2, 3)),
            call(d.floats(2, 3, 4), axis=(0, 2), weights=d.floats(2, 4)),
        ]
    ),
)
def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    if weights is None:
        mean = np.mean(a, axis=axis, keepdims=keepdims)
        return (mean, np.full_like(mean, np.size(a) / np.size(mean))) if returned else mean
    w = weights
    if np.ndim(w) < np.ndim(a):
        w = np.reshape(w, tuple([n if is_among(k, axis, np.ndim(a)) else 1 for k, n in enumerate(np.shape(a))]))
        w = np.broadcast_to(w, np.shape(a))
    total = np.sum(w, axis=axis, keepdims=keepdims)
    mean = np.sum(a * w, axis=axis, keepdims=keepdims) / total
    return (mean, total) if returned else mean


holed = (call(HOLES, axis=1), call(HOLES, axis=0), call(HOLES), call(HOLES, axis=1, keepdims=True))


@composite(np.nanmean, samples=lambda: (*reduction(-2, 2)(), *holed))
def nanmean(a, axis=None, dtype=None, out=None, keepdims=False):
    present = ~np.isnan(a)
    return np.nansum(a, axis=axis, keepdims=keepdims) / np.sum(present, axis=axis, keepdims=keepdims)


@composite(np.nanvar, samples=lambda: (*reduction(-2, 2)(), *holed, call(HOLES, axis=1, ddof=1)))
def nanvar(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    present = ~np.isnan(a)
    count = np.sum(present, axis=axis, keepdims=True)
    centred = np.where(present, a - np.nansum(a, axis=axis, keepdims=True) / count, 0)
    return np.sum(centred * centred, axis=axis, keepdims=keepdims) / (
        np.sum(present, axis=axis, keepdims=keepdims) - ddof
    )


@composite(np.nanstd, samples=lambda: (*reduction(-2, 2)()[:-1], *holed, call(HOLES, axis=1, ddof=1)))
def nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    variance = np.nanvar(a, axis=axis, ddof=ddof, keepdims=keepdims)
    # The root's slope at zero is infinite; the spread of a constant has the subgradient 0.
    zero = variance == 0
    return np.where(zero, 0, np.sqrt(np.where(zero, 1, variance)))


# ---- median and quantiles --------------------------------------------------------------------------------------------


def axes_last(x, axis):
    """x with the axes of `axis` made one, the last."""
    if x.ndim == 1:
        return x
    if axis is None:
        return x.reshape(-1)
    if not isinstance(axis, tuple):
        return np.moveaxis(x, axis, -1)
    moved = np.moveaxis(x, axis, tuple(range(-len(axis), 0)))
    return moved.reshape((*moved.shape[: x.ndim - len(axis)], -1))


def axes_back(z, x, axis):
    """The inverse of `axes_last`: z in the shape of x."""
    if x.ndim == 1:
        return z
    if axis is None:
        return z.reshape(x.shape)
    if not isinstance(axis, tuple):
        return np.moveaxis(z, -1, axis)
    last = tuple(range(-len(axis), 0))
    return np.moveaxis(z.reshape(np.moveaxis(x, axis, last).shape), last, axis)


def median_weights(x, axis):
    """The derivative of the median: 1 at the middle entry, or a half at each of the two. NaNs are sorted last."""
    rows = axes_last(x, axis)
    order = np.argsort(rows, axis=-1, kind="stable")
    count = np.sum(~np.isnan(rows), axis=-1, keepdims=True)
    rank = np.arange(rows.shape[-1])
    by_rank = 0.5 * (rank == (count - 1) // 2) + 0.5 * (rank == count // 2)
    weights = np.zeros(rows.shape)
    np.put_along_axis(weights, order, by_rank, axis=-1)
    return axes_back(weights, x, axis)


def median_tangent(x, y, x_dot, axis=None, keepdims=False):
    return np.sum(median_weights(x, axis) * x_dot, axis=axis, keepdims=keepdims)


def median(x, y, y_bar, axis=None, keepdims=False):
    return expand(y_bar, x, axis, keepdims) * median_weights(x, axis)


adjoint_of(np.median, tangent=median_tangent, samples=lambda: (*reduction(-2, 2)(), call(np.array([2.0, 1.0, 5.0]))))(
    median
)
adjoint_of(
    np.nanmedian,
    tangent=median_tangent,
    samples=lambda: (
        *reduction(-2, 2)(),
        call(HOLES, axis=1, smooth=False),
        call(np.array([[1.0, np.nan, 3.0], [np.nan, 0.5, np.nan]]), axis=1, smooth=False),
    ),
)(median)

_PLOTTING = {
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
    "interpolated_inverted_cdf": (0.0, 1.0),
}


def place_among(n, q, method):
    """The place (from 0, not whole) of the q-quantile among n sorted numbers."""
    if method == "lower":
        return np.floor((n - 1) * q)
    if method == "higher":
        return np.ceil((n - 1) * q)
    if method == "nearest":
        return np.rint((n - 1) * q)
    if method == "midpoint":
        return 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q))
    if method not in _PLOTTING:
        return refuse(f"a quantile with method={method!r}", "Use method='linear'.")
    alpha, beta = _PLOTTING[method]
    return np.minimum(np.maximum(n * q + (alpha + q * (1 - alpha - beta)) - 1, 0.0), n - 1)


def quantile_of(a, q, axis, method, keepdims, ignore_nan):
    """The quantile by sorting and interpolation, also where q is an array: its axes come first."""
    rows = np.sort(axes_last(a, axis), axis=-1, kind="stable")
    missing = np.isnan(rows)
    count = np.sum(~missing, axis=-1, keepdims=True)
    qs = np.ravel(np.asarray(q))
    place = place_among(count, qs, method)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, count - 1)
    at_low = np.take_along_axis(rows, low, axis=-1)
    at_high = np.take_along_axis(rows, np.maximum(high, 0), axis=-1)
    result = at_low + (place - low) * (at_high - at_low)
    lost = count == 0 if ignore_nan else np.any(missing, axis=-1, keepdims=True)
    result = np.moveaxis(np.where(lost, np.nan, result), -1, 0)
    if keepdims:
        kept = tuple([1 if is_among(k, axis, a.ndim) else n for k, n in enumerate(a.shape)])
        return result.reshape((*np.shape(q), *kept))
    return result.reshape((*np.shape(q), *result.shape[1:]))


def quantiles(scale, missing=False):
    """Samples of a quantile, of q between 0 and `scale`."""
    extra = [call(HOLES, 0.3 * scale, axis=1, wrt=(0,)), call(HOLES, 0.6 * scale)] if missing else []
    return calls(
        lambda d: [
            call(d.floats(5), 0.3 * scale),
            call(d.floats(2, 4), 0.7 * scale, axis=1),
            call(d.floats(2, 4), np.array([0.2, 0.6]) * scale, axis=0),
            call(d.floats(2, 4), [0.1 * scale, 0.9 * scale]),
            call(d.floats(2, 4), 0.45 * scale, axis=-1, keepdims=True),
            call(d.floats(2, 3, 4), 0.45 * scale, axis=(0, 2)),
            call(d.floats(5), 0.45 * scale, method="lower", wrt=(0,)),
            call(d.floats(5), 0.45 * scale, method="midpoint", wrt=(0,)),
            call(d.floats(5), 0.45 * scale, method="median_unbiased"),
            call(d.floats(5), 0.05 * scale, method="hazen"),
            *extra,
        ]
    )


@composite(np.quantile, samples=quantiles(1))
def quantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False):
    return quantile_of(a, q, axis, method, keepdims, False)


@composite(np.percentile, samples=quantiles(100))
def percentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False):
    return quantile_of(a, np.asarray(q) / 100, axis, method, keepdims, False)


@composite(np.nanquantile, samples=quantiles(1, missing=True))
def nanquantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False):
    return quantile_of(a, q, axis, method, keepdims, True)


@composite(np.nanpercentile, samples=quantiles(100, missing=True))
def nanpercentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False):
    return quantile_of(a, np.asarray(q) / 100, axis, method, keepdims, True)


# ---- covariance ------------------------------------------------------------------------------------------------------


@composite(
    np.cov,
    samples=calls(
        lambda d: [
            call(d.floats(3, 5)),
            call(d.floats(5)),
            call(d.floats(5, 2), rowvar=False),
            call(d.floats(2, 5), d.floats(5)),
            call(d.floats(2, 5), bias=True),
            call(d.floats(2, 5), ddof=0),
            call(d.floats(2, 4), fweights=np.array([1, 2, 1, 3])),
            call(d.floats(2, 4), aweights=d.floats(4)),
            call(d.floats(2, 4), fweights=np.array([1, 2, 1, 3]), aweights=d.floats(4), ddof=1),
            call(d.complexes(2, 4)),
        ]
    ),
)
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    single = y is None and (np.ndim(m) == 1 or np.shape(m)[0 if rowvar else 1] == 1)
    matrix = covariance(m, y, rowvar, (0 if bias else 1) if ddof is None else ddof, fweights, aweights)
    return matrix[0, 0] if single else matrix


def conjugate_transpose(x):
    """The conjugate transpose."""
    return np.conj(x.T) if x.dtype.kind == "c" else x.T


def covariance(m, y, rowvar, lost, fweights, aweights):
    """The matrix of covariances, of one variable too."""
    x = np.atleast_2d(m)
    if not rowvar and np.ndim(m) != 1:
        x = x.T
    if y is not None:
        other = np.atleast_2d(y)
        x = np.concatenate([x, other.T if not rowvar and other.shape[0] != 1 else other], axis=0)
    if fweights is None and aweights is None:
        centred = x - np.mean(x, axis=1, keepdims=True)
        return centred @ conjugate_transpose(centred) / (x.shape[1] - lost)
    w = aweights if fweights is None else (fweights if aweights is None else fweights * aweights)
    total = np.sum(w)
    if lost == 0 or aweights is None:
        divisor = total - lost
    else:
        divisor = total - lost * np.sum(w * aweights) / total
    centred = x - np.sum(x * w, axis=1, keepdims=True) / total
    return (centred * w) @ conjugate_transpose(centred) / divisor


@composite(
    np.corrcoef,
    samples=calls(
        lambda d: [
            call(d.floats(3, 5)),
            call(d.floats(5)),
            call(d.floats(5, 2), rowvar=False),
            call(d.floats(2, 5), d.floats(5)),
        ]
    ),
)
def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    c = covariance(x, y, rowvar, 1, None, None)
    spread = np.sqrt(np.real(np.diagonal(c)))
    # The primal clips what rounding took beyond one; no derivative is lost by that inside.
    matrix = c / spread[:, np.newaxis] / spread
    return matrix[0, 0] if y is None and np.ndim(x) == 1 else matrix

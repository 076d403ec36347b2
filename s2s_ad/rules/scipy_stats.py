"""Definitions in plain NumPy of the densities and distribution functions of scipy.stats.

Enters: the methods of distribution objects (`scipy.stats.norm.logpdf`), not of frozen ones.  Leaves: their formulas,
differentiable in the argument, the shape parameters, `loc` and `scale`.

Each distribution is one table of expressions over the standard variable `z` and its shape parameters, made into
functions whose text can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special, stats

from s2s_ad.rules.lookup import refuse
from s2s_ad.rules.matrix_samples import call, positive, real, spd
from s2s_ad.rules.registry import Sample, composite, function_from_text, refused

HALF_LOG_TWO_PI = float(0.5 * np.log(2 * np.pi))
LOG_TWO = float(np.log(2))


def _define(distribution: Any, method: str, text: str, samples: Callable[[], Sequence[Sample]]) -> None:
    name = f"{distribution.name}_{method}"
    function = function_from_text(text, name, f"<s2s_ad rule scipy.stats.{distribution.name}.{method}>", globals())
    composite(getattr(distribution, method), samples=samples)(function)


def _methods(
    log_density: str, cdf: str, sf: str, log_cdf: str | None, log_sf: str | None, density: str
) -> dict[str, str]:
    return {
        "log" + density: log_density,
        density: f"np.exp({log_density})",
        "cdf": cdf,
        "sf": sf,
        "logcdf": log_cdf or f"np.log({cdf})",
        "logsf": log_sf or f"np.log({sf})",
    }


OUTSIDE = {"logpdf": ("-np.inf", "-np.inf"), "pdf": ("0.0", "0.0"), "cdf": ("0.0", "1.0"), "sf": ("1.0", "0.0")}
OUTSIDE |= {
    "logcdf": ("-np.inf", "0.0"),
    "logsf": ("0.0", "-np.inf"),
    "logpmf": OUTSIDE["logpdf"],
    "pmf": OUTSIDE["pdf"],
}


def _continuous(
    distribution: Any,
    shapes: Sequence[str],
    samples: Callable[[], Sequence[Sample]],
    logpdf: str,
    cdf: str,
    sf: str,
    logcdf: str | None = None,
    logsf: str | None = None,
    lowest: str | None = None,
    highest: str | None = None,
) -> None:
    """Outside of the support the variable is replaced by a point inside, so that no NaN enters the gradient."""
    parameters = ", ".join(("x", *shapes, "loc=0", "scale=1"))
    inside = " & ".join(test for test in (lowest and f"(z >= {lowest})", highest and f"(z <= {highest})") if test)
    for method, formula in _methods(logpdf, cdf, sf, logcdf, logsf, "pdf").items():
        lines = [f"def {distribution.name}_{method}({parameters}):", "    z = (x - loc) / scale"]
        after = {"logpdf": " - np.log(scale)", "pdf": " / scale"}.get(method, "")
        if inside:
            below, above = OUTSIDE[method]
            outside = f"np.where(z > {highest}, {above}, {below})" if highest else below
            lines += [
                f"    inside = {inside}",
                "    outside = " + outside,
                "    z = np.where(inside, z, 0.5)",
                f"    return np.where(inside, ({formula}){after}, outside)",
            ]
        else:
            lines.append(f"    return ({formula}){after}")
        _define(distribution, method, "\n".join(lines) + "\n", samples)


def _discrete(
    distribution: Any,
    shapes: Sequence[str],
    samples: Callable[[], Sequence[Sample]],
    logpmf: str,
    cdf: str,
    sf: str,
    highest: str | None = None,
) -> None:
    """Between the whole numbers the mass is zero and the distribution function constant."""
    parameters = ", ".join(("k", *shapes, "loc=0"))
    for method, formula in _methods(logpmf, cdf, sf, None, None, "pmf").items():
        below, above = OUTSIDE[method]
        mass = method in ("pmf", "logpmf")
        inside = "(z >= 0)" + (" & (z == np.floor(z))" if mass else "")
        limit = f"(z {'<=' if mass else '<'} {highest})" if highest else ""
        lines = [
            f"def {distribution.name}_{method}({parameters}):",
            "    z = np.asarray(k) - loc" if mass else "    z = np.floor(np.asarray(k) - loc)",
            f"    inside = {inside}" + (f" & {limit}" if limit else ""),
            "    outside = " + (f"np.where(z >= {highest}, {above}, {below})" if highest else below),
            "    z = np.where(inside, z, 0.0)",
            f"    return np.where(inside, {formula}, outside)",
        ]
        _define(distribution, method, "\n".join(lines) + "\n", samples)


def _on(low: float, high: float, *shapes: float) -> Callable[[], Sequence[Sample]]:
    """Samples whose standard variable lies within the bounds."""

    def inside(*shape: int) -> Any:
        return positive(*shape, low=low, high=high)

    def samples() -> Sequence[Sample]:
        several = [value * positive(3, low=0.9, high=1.1) for value in shapes]
        return [
            call(inside(5), *shapes),
            call(0.3 + 1.5 * inside(2, 3), *shapes, 0.3, 1.5),
            call(float(inside(1)[0]), *shapes),
            call(2.0 * inside(2, 3), *several, scale=2.0 * np.ones(3)),
            call(inside(4) - 1.0, *shapes, loc=-1.0),
        ]

    return samples


def _counts(*shapes: float) -> Callable[[], Sequence[Sample]]:
    def samples() -> Sequence[Sample]:
        wrt = tuple(range(1, 1 + len(shapes)))
        several = [np.full(3, value) for value in shapes]
        return [
            call(np.array([0, 1, 2, 3]), *shapes, wrt=wrt),
            call(1, *shapes, wrt=wrt),
            call(np.array([[0], [2]]), *several, wrt=wrt),
            call(np.array([4, 1]), *shapes, 1, wrt=wrt),
        ]

    return samples


def _trials() -> Sequence[Sample]:
    return [
        call(np.array([0, 0, 0]), 0.3, wrt=(1,)),
        call(0, 0.6, wrt=(1,)),
        call(np.array([[0], [0]]), np.full(3, 0.4), wrt=(1,)),
        call(np.array([1, 1]), 0.7, 1, wrt=(1,)),
    ]


_continuous(
    stats.norm,
    (),
    _on(-2, 2),
    logpdf="-0.5 * z * z - HALF_LOG_TWO_PI",
    cdf="special.ndtr(z)",
    sf="special.ndtr(-z)",
    logcdf="special.log_ndtr(z)",
    logsf="special.log_ndtr(-z)",
)
_continuous(
    stats.laplace,
    (),
    _on(-2, 2),
    logpdf="-np.abs(z) - LOG_TWO",
    cdf="np.where(z < 0, 0.5 * np.exp(-np.abs(z)), 1 - 0.5 * np.exp(-np.abs(z)))",
    sf="np.where(z < 0, 1 - 0.5 * np.exp(-np.abs(z)), 0.5 * np.exp(-np.abs(z)))",
)
_continuous(
    stats.t,
    ("df",),
    _on(-2, 2, 3.5),
    logpdf="special.gammaln(0.5 * (df + 1)) - special.gammaln(0.5 * df) - 0.5 * np.log(np.pi * df)"
    " - 0.5 * (df + 1) * np.log1p(z * z / df)",
    cdf="special.stdtr(df, z)",
    sf="special.stdtr(df, -z)",
)
_continuous(
    stats.expon,
    (),
    _on(0.1, 3),
    logpdf="-z",
    cdf="-np.expm1(-z)",
    sf="np.exp(-z)",
    logsf="-z",
    lowest="0",
)
_continuous(stats.uniform, (), _on(0.1, 0.9), logpdf="0 * z", cdf="z", sf="1 - z", lowest="0", highest="1")
_continuous(
    stats.gamma,
    ("a",),
    _on(0.1, 3, 2.5),
    logpdf="special.xlogy(a - 1, z) - z - special.gammaln(a)",
    cdf="special.gammainc(a, z)",
    sf="special.gammaincc(a, z)",
    lowest="0",
)
_continuous(
    stats.chi2,
    ("df",),
    _on(0.1, 5, 3.5),
    logpdf="special.xlogy(0.5 * df - 1, z) - 0.5 * z - special.gammaln(0.5 * df) - 0.5 * df * LOG_TWO",
    cdf="special.gammainc(0.5 * df, 0.5 * z)",
    sf="special.gammaincc(0.5 * df, 0.5 * z)",
    lowest="0",
)
_continuous(
    stats.beta,
    ("a", "b"),
    _on(0.1, 0.9, 2.5, 1.5),
    logpdf="special.xlogy(a - 1, z) + special.xlog1py(b - 1, -z) - special.betaln(a, b)",
    cdf="special.betainc(a, b, z)",
    sf="special.betainc(b, a, 1 - z)",
    lowest="0",
    highest="1",
)
_continuous(
    stats.lognorm,
    ("s",),
    _on(0.2, 3, 0.8),
    logpdf="-0.5 * (np.log(z) / s) ** 2 - np.log(s * z) - HALF_LOG_TWO_PI",
    cdf="special.ndtr(np.log(z) / s)",
    sf="special.ndtr(-np.log(z) / s)",
    logcdf="special.log_ndtr(np.log(z) / s)",
    logsf="special.log_ndtr(-np.log(z) / s)",
    lowest="0",
)
_discrete(
    stats.poisson,
    ("mu",),
    _counts(2.5),
    logpmf="special.xlogy(z, mu) - special.gammaln(z + 1) - mu",
    cdf="special.gammaincc(z + 1, mu)",
    sf="special.gammainc(z + 1, mu)",
)
_discrete(
    stats.binom,
    ("n", "p"),
    _counts(5, 0.3),
    logpmf="special.gammaln(n + 1) - special.gammaln(z + 1) - special.gammaln(n - z + 1)"
    " + special.xlogy(z, p) + special.xlog1py(n - z, -p)",
    cdf="special.betainc(n - z, z + 1, 1 - p)",
    sf="special.betainc(z + 1, n - z, p)",
    highest="n",
)
_discrete(
    stats.bernoulli,
    ("p",),
    _trials,
    logpmf="special.xlogy(z, p) + special.xlog1py(1 - z, -p)",
    cdf="1 - p + 0 * z",
    sf="p + 0 * z",
    highest="1",
)


def _clouds() -> Sequence[Sample]:
    return [
        call(real(3), real(3, key=1), spd(3, 3)),
        call(real(4, 3), real(3, key=1), spd(3, 3)),
        call(real(2, 4, 3), cov=spd(3, 3)),
        call(real(5)),
        call(real(4, 2), real(2, key=1), 1.5),
        call(real(4, 2), real(2, key=1), np.array([1.5, 0.7])),
        call(0.7, 0.2, 1.5),
    ]


@composite(stats.multivariate_normal.logpdf, samples=_clouds)
def multivariate_normal_logpdf(x, mean=None, cov=1, allow_singular=False):
    """By Cholesky factorisation: the covariance is regular, its lower triangle is read."""
    if allow_singular:
        refuse("scipy.stats.multivariate_normal with allow_singular=True", "Project to the range of the covariance.")
    x = np.asarray(x)
    cov = np.asarray(cov)
    if mean is not None:
        dim = np.size(mean)
    elif cov.ndim < 2:
        dim = 1
    else:
        dim = cov.shape[0]
    centred = x - (0.0 if mean is None else mean)
    if dim == 1 and (x.ndim < 2 or x.shape[-1] != 1):
        variance = np.reshape(cov, ())
        return -0.5 * centred * centred / variance - 0.5 * np.log(variance) - HALF_LOG_TWO_PI
    if cov.ndim < 2:
        scales = np.sqrt(cov) * np.ones(dim)
        white = centred / scales
        return -0.5 * np.sum(white * white, axis=-1) - np.sum(np.log(scales)) - dim * HALF_LOG_TWO_PI
    root = np.linalg.cholesky(cov)
    white = np.linalg.solve(root, centred.reshape(-1, dim).T)
    squares = np.sum(white * white, axis=0).reshape(x.shape[:-1])
    return -0.5 * squares - np.sum(np.log(np.diagonal(root))) - dim * HALF_LOG_TWO_PI


@composite(stats.multivariate_normal.pdf, samples=_clouds)
def multivariate_normal_pdf(x, mean=None, cov=1, allow_singular=False):
    return np.exp(multivariate_normal_logpdf(x, mean, cov, allow_singular))


def _simplex() -> Sequence[Sample]:
    points = positive(3, 4)
    points = points / points.sum(axis=0)
    return [
        call(points[:, 0], positive(3, key=1), wrt=(1,)),
        call(points, positive(3, key=1), wrt=(1,)),
        call(points[:2, 1], positive(3, key=1)),
        call(points[:2], positive(3, key=1)),
    ]


@composite(stats.dirichlet.logpdf, samples=_simplex)
def dirichlet_logpdf(x, alpha):
    """One coordinate fewer than parameters: the last is what is missing to one."""
    if x.shape[0] + 1 == alpha.shape[0]:
        x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
    norm = np.sum(special.gammaln(alpha)) - special.gammaln(np.sum(alpha))
    return np.sum(special.xlogy(alpha - 1, x.T), axis=-1) - norm


@composite(stats.dirichlet.pdf, samples=_simplex)
def dirichlet_pdf(x, alpha):
    return np.exp(dirichlet_logpdf(x, alpha))


for _method in (stats.multivariate_normal.cdf, stats.multivariate_normal.logcdf):
    refused(_method, "it is integrated numerically, by random points; for one dimension use scipy.stats.norm.cdf")

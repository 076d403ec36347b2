"""The page of what is differentiated says what the registry says."""

from __future__ import annotations

import pytest

pytest.importorskip("scipy")

from rules import coverage

# Must be differentiated: what users of these libraries meet first.
EXPECTED = {
    "numpy.linalg": "cholesky cond det eig eigh eigvals eigvalsh inv lstsq matrix_power norm pinv qr slogdet solve svd",
    "numpy.fft": "fft fft2 fftn fftshift hfft ifft ifft2 ifftn ifftshift ihfft irfft irfft2 irfftn rfft rfft2 rfftn",
    "scipy.special": "betainc digamma erf expit gammainc gammaln iv jv kv log_softmax logsumexp softmax xlogy yv zeta",
    "scipy.linalg": "cho_factor cho_solve expm logm lu lu_factor lu_solve solve_banded solve_sylvester sqrtm toeplitz",
    "scipy.stats": "norm.logpdf t.cdf beta.logcdf gamma.sf poisson.logpmf binom.cdf dirichlet.logpdf",
    "scipy.integrate": "cumulative_trapezoid odeint simpson solve_ivp trapezoid",
}


def test_the_page_is_what_the_registry_says() -> None:
    page = coverage.PAGE.read_text(encoding="utf-8")
    if coverage.VERSIONS not in page:
        pytest.skip("the page is of other versions")
    assert page == coverage.text(), "run `python tests/rules/coverage.py`"


def test_the_functions_people_use_are_differentiated() -> None:
    found = coverage.table()
    for module, names in EXPECTED.items():
        differentiated = {*found[module].get("rule", ()), *found[module].get("definition", ())}
        assert set(names.split()) <= differentiated, module

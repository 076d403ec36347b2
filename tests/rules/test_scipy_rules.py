"""The rules for SciPy, which are loaded on demand, against the same oracles as NumPy's."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")

import scipy.integrate
import scipy.interpolate
import scipy.optimize
import scipy.stats

from s2s_ad.rules import registry
from s2s_ad.rules.lookup import load_all_families
from s2s_ad.rules.registry import Rule, Sample
from tests.rules import oracles

load_all_families()


def _of_scipy(definition: Any) -> bool:
    return ".scipy_" in definition.__globals__["__name__"]


RULES = {registry.name_of(f): r for f, r in registry.all_rules().items() if _of_scipy(r.adjoint)}
COMPOSITES = {registry.name_of(f): f for f, (d, _) in registry.all_composites().items() if _of_scipy(d)}
CASES = [pytest.param(r, s, id=f"{n}-{k}") for n, r in RULES.items() for k, s in enumerate(r.samples())]

# Their numbers are found by another method than SciPy's.
APPROXIMATE = {"odeint", "root", "fsolve", "minimize"}


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_has_at_least_four_samples(name: str) -> None:
    assert len(RULES[name].samples()) >= 4


def _comparable(value: Any) -> list[Any]:
    """The fields of SciPy's result objects that the definitions give too; a spline by its values."""
    if hasattr(value, "t") and hasattr(value, "y"):
        return [value.t, value.y]
    if hasattr(value, "x") and hasattr(value, "fun"):
        return [value.x, value.fun]
    if callable(value):
        points = np.array([[0.1, 0.7, 1.3], [2.2, 3.1, 5.0]])
        return [value(points), value(0.9), value(points, 1), value(points, 2), value(points, 3)]
    return oracles.parts(value)


@pytest.mark.parametrize("name", sorted(COMPOSITES))
def test_a_composite_computes_what_its_primal_computes(name: str) -> None:
    definition, samples = registry.all_composites()[COMPOSITES[name]]
    assert len(samples()) >= 4
    tolerance = 2e-6 if name.split(".")[-1] in APPROXIMATE else 1e-10
    for sample in samples():
        expected = _comparable(COMPOSITES[name](*sample.args, **sample.kwargs))
        found = _comparable(definition(*sample.args, **sample.kwargs))
        for a, b in zip(found, expected, strict=True):
            assert np.shape(a) == np.shape(b)
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * 1e-2)


@pytest.mark.parametrize(("rule", "sample"), CASES)
def test_adjoint_agrees_with_central_differences(rule: Rule, sample: Sample) -> None:
    oracles.check_adjoint_by_differences(rule, sample)


@pytest.mark.parametrize(("rule", "sample"), CASES)
def test_tangent_agrees_with_central_differences(rule: Rule, sample: Sample) -> None:
    assert oracles.check_tangent_by_differences(rule, sample), "the rule has no tangent"


@pytest.mark.parametrize(("rule", "sample"), CASES)
def test_forward_and_reverse_pair_alike(rule: Rule, sample: Sample) -> None:
    assert oracles.check_dot_product(rule, sample), "the rule has no tangent"


@pytest.mark.parametrize(("rule", "sample"), CASES)
def test_any_memory_layout(rule: Rule, sample: Sample) -> None:
    oracles.check_layouts(rule, sample)


@pytest.mark.parametrize(("rule", "sample"), CASES)
def test_options_are_known_to_the_rule(rule: Rule, sample: Sample) -> None:
    _, options = rule.bind(sample.args, sample.kwargs)
    assert not registry.unhandled_options(rule, options)


def test_scipy_is_not_imported_by_the_rules_for_numpy() -> None:
    probe = "import sys, s2s_ad.rules; print(any(m.split('.')[0] == 'scipy' for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_family_is_loaded_when_one_of_its_functions_is_looked_up() -> None:
    probe = (
        "import scipy.special, scipy.stats, sys; from s2s_ad.rules.registry import rule_for, composite_for;"
        "print('s2s_ad.rules.scipy_special' in sys.modules, rule_for(scipy.special.erf) is not None,"
        "composite_for(scipy.stats.norm.logpdf) is not None, 's2s_ad.rules.scipy_optimize' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True", "False"]


@pytest.mark.parametrize(
    ("method", "names"),
    [("logpdf", ("norm", "t", "beta", "gamma", "chi2", "expon", "laplace", "uniform", "lognorm"))]
    + [(m, ("norm", "t", "beta", "gamma", "poisson", "binom", "bernoulli")) for m in ("cdf", "logcdf", "sf", "logsf")],
)
def test_outside_of_the_support_distributions_agree_with_scipy(method: str, names: tuple[str, ...]) -> None:
    shapes = {"t": (3.0,), "beta": (2.0, 3.0), "gamma": (2.0,), "chi2": (3.0,), "lognorm": (0.5,)}
    shapes |= {"poisson": (2.0,), "binom": (4, 0.3), "bernoulli": (0.3,)}
    points = np.array([-3.0, -0.5, 0.25, 0.5, 1.0, 1.5, 4.0, 7.0])
    for name in names:
        function = getattr(getattr(scipy.stats, name), method)
        definition = registry.composite_for(function)
        assert definition is not None
        np.testing.assert_allclose(
            definition(points, *shapes.get(name, ())), function(points, *shapes.get(name, ())), rtol=1e-9, atol=1e-14
        )

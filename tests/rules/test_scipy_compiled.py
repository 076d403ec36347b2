"""Every rule and definition for SciPy, on every sample, through the compiler: reverse, forward, second order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")

from rules import oracles
from rules.compiled import Program

import s2s_ad
from s2s_ad.rules import registry
from s2s_ad.rules.lookup import load_all_families
from s2s_ad.rules.registry import Sample

load_all_families()

FUNCTIONS = [f for f in (*registry.all_rules(), *registry.all_composites()) if "scipy" in registry.name_of(f)]
# Their searches are loops within loops, which take the compiler long.
SLOW = {"scipy.optimize.minimize"}


def _marks(name: str) -> Any:
    return [pytest.mark.fuzz] if name in SLOW else []


SMOOTH = [
    pytest.param(f, s, id=f"{registry.name_of(f)}-{k}", marks=_marks(registry.name_of(f)))
    for f in FUNCTIONS
    for k, s in enumerate(registry.samples_of(f))
    if s.smooth
]
FEW = [p for p in SMOOTH if int(p.id.rsplit("-", 1)[1]) < 4]  # type: ignore[union-attr]
# Twice, what the user's function gives is a list of unknown depth, and is refused.
ONCE = ("scipy.optimize.root-", "scipy.optimize.fsolve-", "scipy.optimize.minimize-")
TWICE = [p for p in FEW if not str(p.id).startswith(ONCE)]
# Their values are found by another method than SciPy's, to which differences of SciPy's own values are too coarse.
OWN_VALUES = {"odeint", "solve_ivp", "root", "fsolve", "minimize", "dirichlet.logpdf", "dirichlet.pdf"}


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with np.errstate(all="ignore"):
        yield


class ScipyProgram(Program):
    """Results are taken from the fields of SciPy's result objects, and splines are evaluated."""

    def __init__(self, primal: Callable[..., Any], sample: Sample) -> None:
        super().__init__(primal, sample)
        self.primal = primal

    def _terms(self, value: Any, path: str, rng: np.random.Generator) -> Any:
        if hasattr(value, "t") and hasattr(value, "y"):
            return super()._terms(value.y, f"{path}.y", rng)
        if hasattr(value, "x") and hasattr(value, "fun"):
            return super()._terms(value.x, f"{path}.x", rng)
        if callable(value):
            self.scope["points"] = np.array([0.4, 1.3, 2.9])
            return super()._terms(value(self.scope["points"]), f"{path}(points)", rng)
        return super()._terms(value, path, rng)

    def numeric(self, directions: list[Any]) -> float:
        name = registry.name_of(self.primal)
        if any(name.endswith(own) for own in OWN_VALUES):
            self.scope["primal"] = registry.composite_for(self.primal)
        try:
            return super().numeric(directions)
        finally:
            self.scope["primal"] = self.primal


@pytest.mark.parametrize(("primal", "sample"), SMOOTH)
def test_the_compiled_gradient_agrees_with_central_differences(primal: Callable[..., Any], sample: Sample) -> None:
    program = ScipyProgram(primal, sample)
    count = len(program.leaves)
    found = s2s_ad.grad(program.function, argnums=tuple(range(count)))(*program.leaves)
    rng = np.random.default_rng(5)
    directions = [oracles.random_like(x, rng) for x in program.leaves]
    for k in range(count):
        assert np.shape(found[k]) == np.shape(program.leaves[k])
        numeric = program.numeric([d if j == k else 0.0 * d for j, d in enumerate(directions)])
        exact = oracles.pairing(found[k], directions[k])
        scale = max(1.0, abs(numeric), float(np.sum(np.abs(found[k]))))
        assert abs(exact - numeric) <= 1e-6 * scale, f"operand {k}: {exact}, differences: {numeric}\n{program.text}"


@pytest.mark.parametrize(("primal", "sample"), FEW)
def test_the_compiled_tangent_pairs_with_the_compiled_gradient(primal: Callable[..., Any], sample: Sample) -> None:
    program = ScipyProgram(primal, sample)
    count = len(program.leaves)
    rng = np.random.default_rng(5)
    directions = tuple(oracles.random_like(x, rng) for x in program.leaves)
    gradients = s2s_ad.grad(program.function, argnums=tuple(range(count)))(*program.leaves)
    _, tangent = s2s_ad.jvp(program.function, tuple(program.leaves), directions)
    expected = sum(oracles.pairing(g, d) for g, d in zip(gradients, directions, strict=True))
    scale = max(1.0, sum(float(np.sum(np.abs(g))) for g in gradients))
    assert abs(float(tangent) - expected) <= 1e-9 * scale, f"{tangent}, {expected}\n{program.text}"


@pytest.mark.parametrize(("primal", "sample"), TWICE)
def test_the_gradient_is_differentiable_again(primal: Callable[..., Any], sample: Sample) -> None:
    program = ScipyProgram(primal, sample)
    count = len(program.leaves)
    gradient = s2s_ad.grad(program.function, argnums=tuple(range(count)))
    rng = np.random.default_rng(5)
    directions = tuple(oracles.random_like(x, rng) for x in program.leaves)
    product = s2s_ad.hvp(program.function, tuple(program.leaves), directions)
    weights = [oracles.random_like(x, rng) for x in program.leaves]

    def along(t: float) -> Any:
        return gradient(*[x + t * d for x, d in zip(program.leaves, directions, strict=True)])

    numeric = oracles.central_difference(along, weights)
    products = product if isinstance(product, tuple) else (product,)
    exact = sum(oracles.pairing(p, w) for p, w in zip(products, weights, strict=True))
    scale = max(1.0, abs(numeric), sum(float(np.sum(np.abs(p))) for p in products))
    assert abs(exact - numeric) <= 1e-5 * scale, f"{exact}, differences: {numeric}\n{program.text}"

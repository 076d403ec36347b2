"""Every rule and every definition, on every sample, through the compiler: the emitted gradient against central
differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rules import oracles
from rules.compiled import Program

import s2s_ad
from s2s_ad.rules import registry
from s2s_ad.rules.registry import Sample

_NUMPY = [f for f in (*registry.all_rules(), *registry.all_composites()) if not isinstance(f, tuple)]
SAMPLES = {f: registry.samples_of(f) for f in _NUMPY if "scipy" not in registry.name_of(f)}
SMOOTH = [
    pytest.param(f, s, id=f"{registry.name_of(f)}-{k}")
    for f, samples in SAMPLES.items()
    for k, s in enumerate(samples)
    if s.smooth
]


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize(("primal", "sample"), SMOOTH)
def test_the_compiled_gradient_agrees_with_central_differences(primal: Callable[..., Any], sample: Sample) -> None:
    program = Program(primal, sample)
    count = len(program.leaves)
    found = s2s_ad.grad(program.function, argnums=tuple(range(count)))(*program.leaves)
    rng = np.random.default_rng(5)
    directions = [oracles.random_like(x, rng) for x in program.leaves]
    for k in range(count):
        assert np.shape(found[k]) == np.shape(program.leaves[k])
        along = [d if j == k else 0.0 * d for j, d in enumerate(directions)]
        numeric = program.numeric(along)
        exact = oracles.pairing(found[k], directions[k])
        scale = max(1.0, abs(numeric), float(np.sum(np.abs(found[k]))))
        assert abs(exact - numeric) <= 1e-6 * scale, f"operand {k}: {exact}, differences: {numeric}\n{program.text}"


FEW = [p for p in SMOOTH if int(p.id.rsplit("-", 1)[1]) < 2]  # type: ignore[union-attr]


@pytest.mark.parametrize(("primal", "sample"), FEW)
def test_the_compiled_tangent_pairs_with_the_compiled_gradient(primal: Callable[..., Any], sample: Sample) -> None:
    program = Program(primal, sample)
    count = len(program.leaves)
    rng = np.random.default_rng(5)
    directions = tuple(oracles.random_like(x, rng) for x in program.leaves)
    gradients = s2s_ad.grad(program.function, argnums=tuple(range(count)))(*program.leaves)
    _, tangent = s2s_ad.jvp(program.function, tuple(program.leaves), directions)
    expected = sum(oracles.pairing(g, d) for g, d in zip(gradients, directions, strict=True))
    scale = max(1.0, sum(float(np.sum(np.abs(g))) for g in gradients))
    assert abs(float(tangent) - expected) <= 1e-9 * scale, f"{tangent}, {expected}\n{program.text}"


@pytest.mark.parametrize(("primal", "sample"), FEW)
def test_the_gradient_is_differentiable_again(primal: Callable[..., Any], sample: Sample) -> None:
    """A Hessian-vector product against differences of the gradient."""
    program = Program(primal, sample)
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


@pytest.mark.parametrize(("primal", "sample"), FEW)
def test_single_precision_stays_single(primal: Callable[..., Any], sample: Sample) -> None:
    program = Program(primal, sample, np.float32)
    arrays = [k for k, x in enumerate(program.leaves) if np.ndim(x) > 0]
    if not arrays:
        pytest.skip("the sample has no arrays")
    found = s2s_ad.grad(program.function, argnums=tuple(arrays))(*program.leaves)
    for k, g in zip(arrays, found, strict=True):
        assert g.dtype == np.float32
        assert g.shape == program.leaves[k].shape

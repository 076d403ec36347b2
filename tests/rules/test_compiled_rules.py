"""Every rule and every definition, on every sample, through the compiler: the emitted gradient against central differences."""

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

"""Forward mode against reverse mode, and against differences, over the whole corpus."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import oracles
import pytest
from checking import default_wrt
from corpus.registry import PROGRAMS, Program

import s2s_ad

for _file in sorted((Path(__file__).parents[1] / "corpus").glob("*.py")):
    if _file.stem not in ("__init__", "registry", "other_module"):
        importlib.import_module(f"corpus.{_file.stem}")


def along(args: list, seed: int = 3) -> list:
    """A random tangent for each argument."""
    rng = np.random.default_rng(seed)
    zeros = [oracles.map_leaves(lambda leaf: leaf * 0.0, arg) for arg in args]
    return [oracles.moved(zero, oracles.random_direction(zero, rng), 1.0) for zero in zeros]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_forward_is_the_transpose_of_reverse(program: Program) -> None:
    args = program.arguments()
    wrt = default_wrt(args)
    tangents = along(args)
    before = oracles.copied(args)
    expected, gradients = s2s_ad.value_and_grad(program.function, argnums=wrt)(*args)
    value, rate = s2s_ad.jvp(program.function, args, tangents)
    oracles.assert_unchanged(args, before)
    oracles.assert_close(value, expected, rtol=1e-12, what="the value beside the tangent")
    pairing = sum(
        oracles.paired(gradient, oracles.leaves(tangents[position]))
        for position, gradient in zip(wrt, gradients, strict=True)
    )
    scale = sum(float(np.sum(np.abs(leaf))) for gradient in gradients for leaf in oracles.leaves(gradient))
    assert np.ndim(rate) == 0
    assert abs(float(np.real(rate)) - pairing) <= 1e-9 * (1.0 + scale)

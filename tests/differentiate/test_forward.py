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
    try:
        expected, gradients = s2s_ad.value_and_grad(program.function, argnums=wrt)(*args)
    except s2s_ad.S2SError:
        pytest.skip("refused in reverse mode, which the corpus's own test judges")
    value, rate = s2s_ad.jvp(program.function, args, tangents)
    oracles.assert_unchanged(args, before)
    oracles.assert_close(value, expected, rtol=1e-12, what="the value beside the tangent")
    pairing = sum(
        oracles.paired(gradient, oracles.leaves(tangents[position]))
        for position, gradient in zip(wrt, gradients, strict=True)
    )
    scale = sum(float(np.sum(np.abs(leaf))) for gradient in gradients for leaf in oracles.leaves(gradient))
    assert np.ndim(rate) == 0
    slack = 1e-9 * (1.0 + scale) if np.isfinite(scale) else 0.0
    np.testing.assert_allclose(float(np.real(rate)), pairing, rtol=0.0, atol=slack)


# ---- against JAX -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("program", [p for p in PROGRAMS if p.jax][::3], ids=lambda program: program.name)
def test_forward_is_jax_s(program: Program) -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    args = program.arguments()
    wrt = default_wrt(args)
    tangents = along(args)
    swapped = oracles.on_jax(program.function)

    def of_leaves(*values):
        rest = iter(values)
        full = [oracles.map_leaves(lambda _: next(rest), a) if k in wrt else a for k, a in enumerate(args)]
        return jax.numpy.real(swapped(*full))

    primals = tuple(jax.numpy.asarray(leaf) for k in wrt for leaf in oracles.leaves(args[k]))
    dots = tuple(jax.numpy.asarray(leaf) for k in wrt for leaf in oracles.leaves(tangents[k]))
    _, theirs = jax.jvp(of_leaves, primals, dots)
    try:
        _, ours = s2s_ad.jvp(program.function, args, tangents)
    except s2s_ad.S2SError:
        pytest.skip("refused")
    np.testing.assert_allclose(np.real(ours), float(theirs), rtol=1e-8, atol=1e-10)


# ---- what the program looks like -------------------------------------------------------------------------------------


def body_of(function, *args) -> list[str]:
    """The statements of the printed program, without its docstring."""
    text = str(s2s_ad.source(function, *args, mode="forward"))
    lines = text.split('"""')[2].strip("\n").splitlines()
    return [line[4:] for line in lines]


def network(params, x):
    h = x
    for W, b in params:
        h = np.tanh(h @ W + b)  # one layer
    return np.sum(h)


def smoothed(x):
    y = np.zeros_like(x)
    for i in range(1, x.shape[0]):
        y[i] = 0.5 * y[i - 1] + np.sin(x[i])
    return np.sum(y**2)


def test_loops_run_over_values_and_tangents() -> None:
    rng = np.random.default_rng(0)
    params = [(rng.normal(size=(3, 4)), rng.normal(size=4)), (rng.normal(size=(4, 2)), rng.normal(size=2))]
    lines = body_of(network, params, rng.normal(size=(5, 3)))
    assert "for (W, b), (W_dot, b_dot) in zip(params, params_dot, strict=True):" in lines
    at = next(k for k, line in enumerate(lines) if "# one layer" in line)
    assert lines[at].startswith("    h = np.tanh(h @ W + b)")
    assert lines[at + 1].startswith("    h_dot = ") and lines[at + 1].endswith("(1 - h * h)")


def test_stores_are_stored_in_the_tangent() -> None:
    lines = body_of(smoothed, np.array([0.3, 1.1, -0.4]))
    assert lines[:2] == ["y = np.zeros_like(x)", "y_dot = np.zeros_like(y)"]
    assert "    y_dot[i] = 0.5 * y_dot[i - 1] + x_dot[i] * np.cos(x[i])" in lines


def test_what_is_overwritten_is_differentiated_first() -> None:
    def halved(x):
        while x > 1.0:
            x = 0.5 * x + np.sin(x)
        return x

    lines = body_of(halved, 3.0)
    assert lines.index("    x_dot = 0.5 * x_dot + x_dot * np.cos(x)") < lines.index("    x = 0.5 * x + np.sin(x)")


def test_zero_tangents_are_not_written() -> None:
    def mostly_constant(x):
        weights = np.linspace(0.0, 1.0, 3)
        weights = weights / np.sum(weights)
        return np.sum(weights * x)

    assert not any("weights_dot" in line for line in body_of(mostly_constant, np.array([0.3, 1.1, -0.4])))


# ---- conventions -----------------------------------------------------------------------------------------------------

X, DOT = np.array([0.3, -0.7, 1.2]), np.array([1.0, 2.0, -0.5])


def test_the_tangent_has_the_results_structure() -> None:
    value, rate = s2s_ad.jvp(lambda x: {"a": x * x, "n": 3, "pair": (np.sum(x), [x[0]])}, (X,), (DOT,))
    assert list(rate) == ["a", "n", "pair"] and rate["n"] is None
    np.testing.assert_allclose(rate["a"], 2 * X * DOT)
    np.testing.assert_allclose(rate["pair"][0], np.sum(DOT))
    np.testing.assert_allclose(rate["pair"][1][0], DOT[0])
    assert isinstance(rate["pair"], tuple) and isinstance(rate["pair"][1], list)


@pytest.mark.parametrize("function", [lambda x: x, lambda x: x[1:], lambda x: x.reshape(1, 3), lambda x: (x, x.T)])
def test_results_share_no_memory_with_the_callers_arrays(function) -> None:
    value, rate = s2s_ad.jvp(function, (X,), (DOT,))
    for mine in [*oracles.leaves(value), *oracles.leaves(rate)]:
        assert not np.shares_memory(mine, X) and not np.shares_memory(mine, DOT)


def test_a_sum_written_in_place_leaves_the_tangent_of_its_operand() -> None:
    def shifted(x):
        y = 1.0 + x  # y_dot is x_dot, and would be written through it
        y[0] = 5.0
        return np.sum(y * x)

    _, rate = s2s_ad.jvp(shifted, (X,), (DOT,))
    expected = 5.0 * DOT[0] + np.sum((1.0 + 2.0 * X[1:]) * DOT[1:])
    np.testing.assert_allclose(rate, expected, rtol=1e-12)
    np.testing.assert_array_equal(DOT, [1.0, 2.0, -0.5])


def test_single_precision_stays() -> None:
    x = X.astype(np.float32)
    value, rate = s2s_ad.jvp(lambda x: np.tanh(x) * 2.0 + x[0], (x,), (DOT.astype(np.float32),))
    assert value.dtype == rate.dtype == np.float32


def test_zero_where_nothing_varies() -> None:
    _, rate = s2s_ad.jvp(lambda x: x.astype(int) * 1.0, (X,), (DOT,))
    np.testing.assert_array_equal(rate, np.zeros(3))
    _, rate = s2s_ad.jvp(lambda x: s2s_ad.stop_gradient(x) * x, (X,), (DOT,))
    np.testing.assert_allclose(rate, X * DOT)


def test_branches_with_a_tangent_on_one_side() -> None:
    def one_sided(x, k):
        y = np.ones(3)
        if k > 0:
            y = y * x
        for _ in range(k):
            y = y + 0.5
        return np.sum(y * y)

    for k, expected in ((0, 0.0), (2, np.sum(2.0 * (X + 1.0) * DOT))):
        np.testing.assert_allclose(s2s_ad.jvp(one_sided, (X, k), (DOT, None))[1], expected, rtol=1e-12)


def test_names_set_to_constants_in_a_loop() -> None:
    def resets(x):
        carry = x[0]
        total = 0.0
        for i in range(3):
            total = total + carry * x[i]
            carry = 1.0 if i == 0 else carry * x[i]
        return total

    _, rate = s2s_ad.jvp(resets, (X,), (DOT,))
    np.testing.assert_allclose(rate, s2s_ad.grad(resets)(X) @ DOT, rtol=1e-12)
    np.testing.assert_allclose(rate, 2 * X[0] * DOT[0] + DOT[1] + X[1] * DOT[2] + X[2] * DOT[1], rtol=1e-12)

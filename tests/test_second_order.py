"""Derivatives of derivatives: over the corpus, to higher orders, and inside functions that are differentiated.

The judges: central differences of the gradient, JAX, and symmetry (forward over reverse against reverse over reverse).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import oracles
import pytest
from checking import default_wrt
from corpus.registry import PROGRAMS, Program

import s2s_ad
from s2s_ad import grad, hessian, hvp, jacfwd, jacrev, jvp, value_and_grad, vjp

for _file in sorted((Path(__file__).parent / "corpus").glob("*.py")):
    if _file.stem not in ("__init__", "registry", "other_module"):
        importlib.import_module(f"corpus.{_file.stem}")

# Programs whose derivative's text is not understood yet: name -> what is missing.
NOT_TWICE = {
    "numerics-cross_and_triple": "the shape of np.cross is not known, so its adjoint asks for ranks at run time",
    "rebinding-loop_changes_type_before": "a tape holds a number first and an array afterwards",
}
NOT_REVERSED_TWICE = {
    **NOT_TWICE,
}
STEP = 1e-5


def tangents(tree: Any, seed: int = 3) -> Any:
    """A random tangent; None for what is no float."""
    rng = np.random.default_rng(seed)
    zero = oracles.map_leaves(lambda leaf: leaf * 0.0, tree)
    return without_constants(oracles.moved(zero, oracles.random_direction(zero, rng), 1.0))


def without_constants(tree: Any) -> Any:
    if oracles.is_leaf(tree):
        return tree
    if isinstance(tree, dict):
        return {key: without_constants(item) for key, item in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*map(without_constants, tree))
    if isinstance(tree, list | tuple):
        return type(tree)(map(without_constants, tree))
    return None if isinstance(tree, str | int | bool) else tree


def flat(tree: Any) -> np.ndarray:
    found = [np.ravel(np.asarray(leaf)) for leaf in oracles.leaves(tree)]
    return np.concatenate(found) if found else np.zeros(0)


def product_by_differences(gradient: Callable[..., Any], args: list[Any], wrt: tuple[int, ...], dots: Any) -> Any:
    """The Hessian times a direction, as a difference of gradients."""

    def at(step: float) -> np.ndarray:
        shifted = oracles.copied(args)
        for k in wrt:
            shifted[k] = oracles.moved(args[k], oracles.leaves(dots[k]), step)
        return flat(gradient(*shifted))

    return (at(STEP) - at(-STEP)) / (2 * STEP)


def judged(program: Program, product: Callable[..., Any]) -> None:
    args = program.arguments()
    wrt = default_wrt(args)
    try:
        gradient = grad(program.function, argnums=wrt)
        gradient(*args)
    except s2s_ad.S2SError:
        pytest.skip("refused at first order")
    dots = tangents(args)
    before = oracles.copied(args)
    expected = product_by_differences(gradient, args, wrt, dots)
    found = flat(product(gradient, args, wrt, dots))
    oracles.assert_unchanged(args, before)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * (1 + np.max(np.abs(expected), initial=0.0)))


def named(program: Program) -> str:
    return program.name


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("program", [p for p in PROGRAMS if p.name not in NOT_TWICE], ids=named)
def test_forward_over_reverse(program: Program) -> None:
    judged(program, lambda gradient, args, wrt, dots: jvp(gradient, args, dots)[1])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("program", [p for p in PROGRAMS if p.name not in NOT_REVERSED_TWICE], ids=named)
def test_reverse_over_reverse(program: Program) -> None:
    def product(gradient: Any, args: list[Any], wrt: tuple[int, ...], dots: Any) -> Any:
        _, pullback = vjp(gradient, *args)
        cotangent = tuple(dots[k] for k in wrt)
        first = pullback(cotangent)
        oracles.assert_close(pullback(cotangent), first, rtol=0.0, atol=0.0, what="the second pullback")
        return [first[k] for k in wrt]

    judged(program, product)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("program", [p for p in PROGRAMS if p.name not in NOT_TWICE], ids=named)
def test_third_order(program: Program) -> None:
    """Reverse over forward is forward over reverse; forward over both is the slope of both."""
    args = program.arguments()
    wrt = default_wrt(args)
    dots = tuple(tangents(args))
    function = program.function

    def slope(*primals):
        return jvp(function, primals, dots)[1]

    try:
        expected = flat(jvp(grad(function, argnums=wrt), args, dots)[1])
    except s2s_ad.S2SError:
        pytest.skip("refused at first order")
    second = grad(slope, argnums=wrt)
    scale = 1 + np.max(np.abs(expected), initial=0.0)
    np.testing.assert_allclose(flat(second(*args)), expected, rtol=1e-8, atol=1e-9 * scale)
    third = product_by_differences(second, args, wrt, dots)
    scale = 1 + np.max(np.abs(third), initial=0.0)
    np.testing.assert_allclose(flat(jvp(second, args, dots)[1]), third, rtol=1e-4, atol=1e-4 * scale)


def test_what_is_not_understood_is_known() -> None:
    names = {program.name for program in PROGRAMS}
    assert set(NOT_REVERSED_TWICE) <= names and len(NOT_REVERSED_TWICE) <= 4


# ---- whole Hessians, against JAX ------------------------------------------------------------------------------------


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def recurrence(x):
    y = np.zeros_like(x)
    y[0] = x[0]
    for i in range(1, x.shape[0]):
        y[i] = 0.5 * y[i - 1] * x[i] + np.sin(x[i])
    return np.sum(y**2)


def settling(x):
    y = x[0]
    while y * y > 0.1:
        y = 0.5 * y + 0.1 * np.sin(y) * x[1]
    return y * x[2] + y**2


def windows(x):
    a = 2.0 * x
    b = a[1:]
    b *= b
    a[0] = b[0] * x[0]
    return np.sum(a * x)


def mixed(x):
    total = 0.0
    for i in range(x.shape[0]):
        if x[i] > 0.0:
            total = total * x[i] + np.exp(x[i])
        else:
            total = total - x[i] ** 3
    return total * np.log(1.0 + np.sum(x**2))


def stacked(x):
    history = [x]
    for _ in range(3):
        history.append(np.tanh(history[-1] * x))
    return np.sum(np.stack(history) ** 2)


def solved(x):
    a = np.outer(x, x) + np.eye(3) * 2.0
    return np.sum(np.linalg.solve(a, x) ** 2)


X = np.array([0.3, -0.7, 1.2])


def on_jax_hessian(function: Callable[..., Any], x: np.ndarray) -> np.ndarray:
    """Written out for JAX where a program stores in place."""
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    return np.asarray(jax.hessian(oracles.on_jax(function))(jax.numpy.asarray(x)))


@pytest.mark.parametrize("function", [rosenbrock, mixed, stacked, solved])
def test_hessian_is_jax_s(function: Callable[..., Any]) -> None:
    np.testing.assert_allclose(hessian(function)(X), on_jax_hessian(function, X), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("function", [rosenbrock, recurrence, settling, windows, mixed, stacked, solved])
def test_hessians_agree(function: Callable[..., Any]) -> None:
    h = hessian(function)(X)
    np.testing.assert_allclose(h, h.T, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(jacrev(grad(function))(X), h, rtol=1e-11, atol=1e-11)
    v = np.array([0.4, 1.1, -0.2])
    np.testing.assert_allclose(hvp(function, (X,), (v,)), h @ v, rtol=1e-10, atol=1e-11)
    differences = [(grad(function)(X + e) - grad(function)(X - e)) / 2e-6 for e in np.eye(3) * 1e-6]
    np.testing.assert_allclose(h, differences, rtol=1e-5, atol=1e-6)


def test_homogeneous_functions_obey_euler() -> None:
    """f(tx) = t^3 f(x): then H(x) x = 2 grad f(x)."""

    def cubic(x):
        total = 0.0
        for i in range(x.shape[0]):
            for j in range(i + 1):
                total += x[i] * x[j] * (x[i] - 2.0 * x[j])
        return total

    np.testing.assert_allclose(hessian(cubic)(X) @ X, 2.0 * grad(cubic)(X), rtol=1e-11)


def test_mixed_argnums() -> None:
    def f(w, x, k):
        return np.sum(np.tanh(w @ x) ** k)

    w = np.array([[0.5, 0.2, -0.3], [0.8, 0.1, -0.9]])
    blocks = hessian(f, argnums=(0, 1))(w, X, 3)
    assert blocks[0][1].shape == (2, 3, 3) and blocks[1][0].shape == (3, 2, 3)
    np.testing.assert_allclose(blocks[0][1], np.moveaxis(blocks[1][0], 0, -1), rtol=1e-10)


# ---- higher orders -------------------------------------------------------------------------------------------------


def polynomial(x):
    return x**5 - 2.0 * x**3 + x


def looped(x):
    y = x
    for k in range(4):
        y = y * x + np.sin(x * k)
    return y


def with_tape(x):
    y = x
    while y < 3.0:
        y = y * (1.0 + 0.5 * np.sin(x)) + 0.3
    return y


def branched(x):
    if x > 0.0:
        y = np.exp(0.3 * x)
    else:
        y = x * x
    return y * y * np.sin(x)


def in_place(x):
    a = np.zeros(4)
    a[0] = x
    for i in range(1, 4):
        a[i] = a[i - 1] * x + np.cos(x)
    return a[3] * a[1]


def halved(x):
    def half(y):
        return 0.5 * y * np.exp(x * 0.1)

    return half(half(x) * x)


def jax_order(function: Callable[..., Any], order: int, x: float) -> float:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    derivative = oracles.on_jax(function)
    for _ in range(order):
        derivative = jax.grad(derivative)
    return float(derivative(x))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("function", [polynomial, looped, with_tape, branched, halved])
def test_orders_are_jax_s(function: Callable[..., Any], order: int) -> None:
    derivative: Any = function
    for _ in range(order):
        derivative = grad(derivative)
    np.testing.assert_allclose(derivative(1.3), jax_order(function, order, 1.3), rtol=1e-10)


@pytest.mark.parametrize("function", [polynomial, looped, with_tape, branched, in_place, halved])
def test_each_order_is_the_slope_of_the_one_before(function: Callable[..., Any]) -> None:
    derivative: Any = function
    for _ in range(3):
        inner, derivative = derivative, grad(derivative)
        slope = (inner(1.3 + 1e-5) - inner(1.3 - 1e-5)) / 2e-5
        np.testing.assert_allclose(derivative(1.3), slope, rtol=1e-6)


def test_sixth_order() -> None:
    derivative: Any = looped
    for _ in range(6):
        derivative = grad(derivative)
    np.testing.assert_allclose(derivative(1.3), jax_order(looped, 6, 1.3), rtol=1e-9)


def test_forward_over_forward() -> None:
    def slope(x):
        return jvp(recurrence, (x,), (np.cos(x),))[1]

    value, rate = jvp(slope, (X,), (X * X,))
    h = hessian(recurrence)(X)
    expected = np.cos(X) @ h @ (X * X) - grad(recurrence)(X) @ (np.sin(X) * X * X)
    np.testing.assert_allclose(value, grad(recurrence)(X) @ np.cos(X), rtol=1e-11)
    np.testing.assert_allclose(rate, expected, rtol=1e-10)


def test_reverse_over_forward() -> None:
    def slope(x):
        return jvp(windows, (x,), (np.array([1.0, -2.0, 0.5]),))[1]

    np.testing.assert_allclose(grad(slope)(X), hessian(windows)(X) @ np.array([1.0, -2.0, 0.5]), rtol=1e-11)


def test_jacobian_of_a_jacobian_product() -> None:
    def curve(x):
        return np.array([x[0] * x[1], np.sin(x[2]) * x[0], x[1] ** 3])

    second = jacfwd(lambda x: jvp(curve, (x,), (X,))[1])(X)
    columns = [(jacrev(curve)(X + e) @ X - jacrev(curve)(X - e) @ X) / 2e-6 for e in np.eye(3) * 1e-6]
    np.testing.assert_allclose(second, np.stack(columns, axis=-1), rtol=1e-6, atol=1e-8)


# ---- derivatives inside functions -----------------------------------------------------------------------------------


def energy(x):
    return np.sum(np.sin(x) * x**2)


slope_of_energy = grad(energy)


def made_outside(x):
    return np.sum(slope_of_energy(x) ** 2)


def made_inside(x):
    value, slope = value_and_grad(energy)(x)
    return value * np.sum(slope * x)


def of_a_closure(x):
    scale = np.exp(x[0])

    def stretched(y):
        return energy(y * scale)

    return np.sum(grad(stretched)(x) ** 2)


def of_a_lambda_in_a_loop(x):
    total = 0.0
    for k in range(3):
        total = total + np.sum(grad(lambda y: energy(y * x))(x * (k + 1.0)))
    return total


def by_steps(x):
    y = x
    for _ in range(3):
        y = y - 0.1 * grad(energy)(y)
    return energy(y)


def of_one_argument(x):
    def pair(a, b):
        return np.sum(a * a * np.sin(b))

    first, second = grad(pair, argnums=(0, 1))(x, 2.0 * x)
    return np.sum(first * second) + np.sum(grad(pair, argnums=1)(x, x))


def along_itself(x):
    return jvp(energy, (x,), (np.cos(x),))[1]


def curvature(x):
    return np.sum(hvp(energy, (x,), (x,)) ** 2)


def twice_inside(x):
    return np.sum(grad(lambda y: np.sum(grad(energy)(y) ** 2))(x))


INSIDE = [
    made_outside,
    made_inside,
    of_a_closure,
    of_a_lambda_in_a_loop,
    by_steps,
    of_one_argument,
    along_itself,
    curvature,
    twice_inside,
]


@pytest.mark.parametrize("function", INSIDE, ids=lambda f: f.__name__)
def test_derivatives_inside(function: Callable[..., Any]) -> None:
    """The functions run as they stand, too: their values give the differences."""
    found = grad(function)(X)
    differences = [(function(X + e) - function(X - e)) / 2e-6 for e in np.eye(3) * 1e-6]
    np.testing.assert_allclose(found, differences, rtol=2e-6, atol=1e-6)
    _, rate = jvp(function, (X,), (X,))
    np.testing.assert_allclose(rate, found @ X, rtol=1e-10)


def test_a_list_of_unknown_length_inside() -> None:
    def net(params, x):
        for w in params:
            x = np.tanh(w @ x)
        return np.sum(x)

    def penalised(params, x):
        slopes = grad(net)(params, x)
        total = 0.0
        for slope in slopes:
            total = total + np.sum(slope**2)
        return total

    rng = np.random.default_rng(0)
    params = [rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 3))]
    found = grad(penalised)(params, X)
    direction = [rng.normal(size=(3, 3)) for _ in params]

    def at(step: float) -> float:
        return penalised([p + step * d for p, d in zip(params, direction, strict=True)], X)

    pairing = sum(np.sum(f * d) for f, d in zip(found, direction, strict=True))
    np.testing.assert_allclose(pairing, (at(1e-6) - at(-1e-6)) / 2e-6, rtol=1e-6)


def test_what_is_not_understood_inside_is_refused() -> None:
    with pytest.raises(s2s_ad.UnsupportedSyntax, match="vjp"):
        grad(lambda x: vjp(energy, x)[0])(X)
    counts = np.zeros(3)

    def writes(x):
        box = np.zeros(3)

        def inner(y):
            box[0] = y[0]
            return np.sum(y * counts)

        return np.sum(grad(inner)(x)) + box[0]

    with pytest.raises(s2s_ad.UnsupportedSyntax, match="changes a value of the function around it"):
        grad(writes)(X)

"""EDGE CASES A, B, G as far as they concern the core: special values, dtypes, shapes, code generation."""

from __future__ import annotations

import dataclasses
import sys
import warnings
from typing import Any

import numpy as np
import oracles
import pytest
from checking import check
from programs import load

import s2s_ad
from s2s_ad import S2SError, grad, value_and_grad, vjp

X = np.array([0.7, -1.3, 0.4, 1.9, -0.6])


# A: kinks and special values ---------------------------------------------------------------------------------


def overwritten_infinity(x, d):
    with np.errstate(all="ignore"):
        y = x / d
    y[d == 0] = 0.0
    return np.sum(y * y)


def test_a2_an_overwritten_infinity_leaves_zero() -> None:
    got = grad(overwritten_infinity)(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    np.testing.assert_allclose(got, [0.0, 0.25])


KINKS = [
    ("abs", lambda x: np.abs(x), 0.0, 0.0),
    ("abs of minus zero", lambda x: np.abs(x), -0.0, 0.0),
    ("sqrt", lambda x: np.sqrt(x), 0.0, np.inf),
    ("square root by power", lambda x: x**0.5, 0.0, np.inf),
    ("maximum tie", lambda x: np.maximum(x, 1.0), 1.0, 0.5),
    ("maximum of itself", lambda x: np.maximum(x, x), 1.0, 1.0),
    ("zeroth power", lambda x: x**0, 0.0, 0.0),
    ("zeroth float power", lambda x: x**0.0, 0.0, 0.0),
    ("cube of a negative", lambda x: x**3, -2.0, 12.0),
    ("square of zero", lambda x: x**2, 0.0, 0.0),
    ("sign", lambda x: np.sign(x) * 3.0, 0.4, 0.0),
    ("floor", lambda x: np.floor(x) * x, 2.3, 2.0),
    ("builtin abs", lambda x: abs(x), 0.0, 0.0),
]


@pytest.mark.parametrize(("function", "x", "expected"), [row[1:] for row in KINKS], ids=[row[0] for row in KINKS])
@pytest.mark.parametrize("kind", [float, np.float64, lambda v: np.array([v])], ids=["float", "np.float64", "array"])
def test_a_conventions_at_kinks(function: Any, x: float, expected: float, kind: Any) -> None:
    argument = kind(x)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        (got,) = vjp(function, argument)[1](np.ones_like(argument) if isinstance(argument, np.ndarray) else 1.0)
    np.testing.assert_allclose(np.ravel(got), [expected])


def test_a10_ties_of_max_share_evenly() -> None:
    np.testing.assert_allclose(grad(lambda x: np.max(x))(np.array([2.0, 1.0, 2.0])), [0.5, 0.0, 0.5])


def test_a15_no_spurious_warnings_with_an_inactive_exponent() -> None:
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(grad(lambda x: np.sum(x**3))(np.array([-2.0, 0.0])), [12.0, 0.0])
        assert grad(lambda x: x**2)(0.0) == 0.0


def test_a16_derivative_by_the_exponent() -> None:
    assert grad(lambda y: 0.0**y)(2.0) == 0.0


def test_a18_product_with_zeros() -> None:
    np.testing.assert_allclose(grad(lambda x: np.prod(x))(np.array([2.0, 0.0, 3.0])), [0.0, 6.0, 0.0])


def test_a23_mod_by_both_operands() -> None:
    got = grad(lambda x, y: x % y, argnums=(0, 1))(7.3, 2.0)
    assert got == (pytest.approx(1.0), pytest.approx(-3.0))


def test_a25_stable_where_the_primal_is() -> None:
    sigmoid = lambda x: 1.0 / (1.0 + np.exp(-x))  # noqa: E731
    with np.errstate(over="ignore"):
        assert grad(lambda x: np.tanh(x))(800.0) == 0.0
        assert np.isfinite(grad(sigmoid)(-300.0))


def test_a29_nan_propagates() -> None:
    got = grad(lambda x: np.sum(x * x * 0.0 + x))(np.array([np.nan, 1.0]))
    np.testing.assert_array_equal(np.isnan(got), [True, False])
    with np.errstate(invalid="ignore"):
        value, _ = value_and_grad(lambda x: np.sum(0.0 * x))(np.array([np.inf, 1.0]))
    assert np.isnan(value)


# B: dtypes, shapes, broadcasting -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x", [3, True, np.arange(3), np.array([True, False])], ids=["int", "bool", "int array", "bool array"]
)
def test_b1_integers_are_refused_with_name_and_cure(x: Any) -> None:
    def f(weights):
        return np.sum(weights * 2.0)

    with pytest.raises(TypeError, match="weights") as caught:
        grad(f)(x)
    assert isinstance(caught.value, S2SError) and "float" in str(caught.value)


def test_b3_integer_arguments_beside_floats() -> None:
    def f(x, n, axis, index):
        return np.sum(x.sum(axis=axis) * n) + x[index, 0]

    np.testing.assert_allclose(grad(f)(np.ones((2, 3)), 2, 0, 1), [[2, 2, 2], [3, 2, 2]])


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_b4_float32_stays_float32(shape: tuple[int, ...]) -> None:
    def f(x):
        y = 2.0 * x + 1.0
        z = np.zeros_like(x)
        z = z + y * np.pi
        for _ in range(3):
            z = np.tanh(z * 0.3) / 1.7
        return np.mean(z * z)

    x = np.random.default_rng(0).normal(size=shape)
    value, got = value_and_grad(f)(x.astype(np.float32))
    assert got.dtype == np.float32 and np.asarray(value).dtype == np.float32
    np.testing.assert_allclose(got, grad(f)(x), rtol=2e-5)


def test_b6_mixed_float32_and_float64() -> None:
    def f(a, b, s):
        return np.sum(a * b * s) + np.sum(a @ b)

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=3).astype(np.float32), rng.normal(size=3)
    got = grad(f, argnums=(0, 1, 2))(a, b, 0.7)
    assert (got[0].dtype, got[1].dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(got[0], 1.7 * b, rtol=1e-6)
    np.testing.assert_allclose(got[1], 1.7 * a, rtol=1e-6)
    assert isinstance(got[2], float)


@pytest.mark.parametrize("x", [0.7, np.float64(0.7), np.array(0.7)], ids=["float", "np.float64", "0-d"])
def test_b7_numbers_of_every_kind(x: Any) -> None:
    def f(x):
        y = x
        for _ in range(3):
            y += np.sin(x)
            y *= 0.9
        return y

    _, got = check(f, x, jax=not isinstance(x, np.ndarray))
    assert np.shape(got[0]) == ()
    if type(x) is float:
        assert isinstance(got[0], float)


SHAPES = [
    ((1,), (3,)),
    ((4, 1), (1, 4)),
    ((), (2, 3)),
    ((3,), (2, 3)),
    ((2, 1, 3), (4, 1)),
    ((1, 1), (1,)),
    ((1, 3), (2, 3)),
    ((2, 3), (1, 1, 1)),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "**"])
def test_b8_broadcasting(shapes: Any, operator: str) -> None:
    operations = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "**": lambda a, b: a**b,
    }
    f = operations[operator]
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(0.5, 1.5, size=shape) for shape in shapes)
    seed = rng.normal(size=np.broadcast_shapes(*shapes))
    value, pullback = vjp(f, a, b)
    oracles.assert_close(np.asarray(value), np.asarray(f(a, b)))
    oracles.assert_derivative(lambda a, b: np.sum(f(a, b) * seed), [a, b], [0, 1], pullback(seed))


def test_b8_one_compiled_program_for_a_dimension_that_may_be_one() -> None:
    def f(x, y):
        return np.sum(x[1:] * y)

    derivative = grad(f, argnums=(0, 1))
    for n in (2, 3, 4):
        x, y = np.random.default_rng(n).normal(size=n), np.random.default_rng(1).normal(size=3)
        if n == 3:
            continue
        got = derivative(x, y)
        oracles.assert_derivative(f, [x, y], [0, 1], got)
        assert (got[0].shape, got[1].shape) == (x.shape, y.shape)


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (-1, 0)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "prod"])
def test_b10_reductions(name: str, axis: Any, keepdims: bool) -> None:
    reduce_ = getattr(np, name)

    def f(x, seed, axis, keepdims):
        return np.sum(reduce_(x, axis=axis, keepdims=keepdims) * seed)

    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4))
    seed = rng.normal(size=np.shape(reduce_(x, axis=axis, keepdims=keepdims)))
    seed = seed if np.ndim(seed) else float(seed)
    got = grad(f)(x, seed, axis, keepdims)
    oracles.assert_derivative(f, [x, seed, axis, keepdims], [0], [got])


@pytest.mark.parametrize(
    "shapes",
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (5, 3, 1)),
        ((2, 3), (5, 3, 4)),
        ((3,), (5, 3, 2)),
    ],
    ids=str,
)
def test_b11_matmul_of_every_rank(shapes: Any) -> None:
    def f(a, b):
        return np.sum(np.sin(a @ b))

    rng = np.random.default_rng(0)
    check(f, *(rng.normal(size=shape) for shape in shapes))


def test_b16_empty_arrays() -> None:
    def f(x):
        y = x * 2.0
        for v in y:
            y = y + v
        return np.sum(y) + np.prod(x) * 3.0

    assert grad(f)(np.zeros(0)).shape == (0,)


def test_b17_axes_of_length_one() -> None:
    def f(x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return np.sum(p * x) + np.sum(np.squeeze(x) ** 2)

    check(f, np.array([[0.7], [-0.3]]))
    check(f, np.array([[0.7, -0.3]]))


@pytest.mark.parametrize("layout", ["fortran", "strided", "negative", "transposed", "read-only"])
def test_b18_memory_layouts(layout: str) -> None:
    base = np.random.default_rng(0).normal(size=(6, 8))
    x = {
        "fortran": np.asfortranarray(base[:3, :4]),
        "strided": base[::2, ::2],
        "negative": base[::-2, ::-2],
        "transposed": base[:4, :3].T,
        "read-only": base[:3, :4].copy(),
    }[layout]
    if layout == "read-only":
        x.flags.writeable = False

    def f(x):
        y = x.copy()
        y[1:] *= x[:-1]
        return np.sum(y * y.sum(axis=0)) + np.sum(x.T @ x)

    check(f, x, jax=False)


def test_b20_float_and_item_of_active_values() -> None:
    def f(x):
        return float(x[0]) * x[1].item() + float(np.sum(x)) ** 2

    check(f, X, jax=False)


def test_b21_a_result_that_is_no_number() -> None:
    with pytest.raises(TypeError, match=r"\((5|n),\)") as caught:
        grad(lambda x: x * 2.0)(X)
    assert "vjp" in str(caught.value) or "jacobian" in str(caught.value)


@dataclasses.dataclass
class Result:
    total: Any
    parts: Any


def test_b22_pytree_results() -> None:
    def f(x, s):
        return Result(np.sum(x) * s, {"a": x * s, "b": [x[0], None]})

    value, pullback = vjp(f, X, 0.7)
    assert isinstance(value, Result) and value.parts["b"][1] is None
    seed = Result(2.0, {"a": np.arange(5.0), "b": [10.0, None]})
    x_bar, s_bar = pullback(seed)
    np.testing.assert_allclose(x_bar, 1.4 + 0.7 * np.arange(5.0) + np.array([10.0, 0, 0, 0, 0]))
    assert s_bar == pytest.approx(2 * X.sum() + X @ np.arange(5.0))


def test_b22_has_aux() -> None:
    (value, aux), got = value_and_grad(lambda x: (np.sum(x * x), {"n": len(x), "y": x * 2.0}), has_aux=True)(X)
    assert value == pytest.approx(X @ X) and aux["n"] == 5
    np.testing.assert_allclose(aux["y"], 2 * X)
    np.testing.assert_allclose(got, 2 * X)


# G: code generation ------------------------------------------------------------------------------------------


def test_g1_g2_unused_arguments_and_independent_results() -> None:
    got = grad(lambda a, b, c: a * 3.0, argnums=(0, 1, 2))(0.5, X, {"w": np.ones((2, 2), np.float32), "n": [1.5]})
    assert got[0] == 3.0
    np.testing.assert_array_equal(got[1], np.zeros(5))
    assert got[2]["w"].dtype == np.float32 and got[2]["w"].shape == (2, 2) and got[2]["n"] == [0.0]
    np.testing.assert_array_equal(grad(lambda x: 2.5)(X), np.zeros(5))


def test_g7_both_polarities_and_empty_branches() -> None:
    def f(x):
        if not x > 0:
            pass
        else:
            x = x * 2.0
        if x > 100:
            x = x * 3.0
        elif not x < -100:
            x = x * x
        return x

    assert grad(f)(0.5) == pytest.approx(4.0)
    assert grad(f)(-0.5) == pytest.approx(-1.0)


def test_g12_deep_expressions_and_long_functions(tmp_path: Any) -> None:
    deep = "x" + " + 0.1 * x" * 400
    long = "\n".join(f"    y = y * 0.99 + np.sin(x * {k}.0) * 0.01" for k in range(400))
    f = load(f"import numpy as np\n\n\ndef f(x):\n    y = {deep}\n{long}\n    return y\n", tmp_path)
    assert sys.getrecursionlimit() <= 3000
    value, gradient = value_and_grad(f)(0.3)
    assert value == pytest.approx(f(0.3))
    oracles.assert_derivative(f, [0.3], [0], [gradient])


def test_h6_a_pullback_may_be_called_twice() -> None:
    def f(x):
        y = x * 1.0
        for i in range(1, 5):
            y[i] = y[i] * y[i - 1]
        return y

    _, pullback = s2s_ad.vjp(f, X)
    seed = np.arange(1.0, 6.0)
    first, second = pullback(seed)[0], pullback(seed)[0]
    np.testing.assert_array_equal(first, second)
    oracles.assert_derivative(lambda x: np.sum(f(x) * seed), [X], [0], [first])

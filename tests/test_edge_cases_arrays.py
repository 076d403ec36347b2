"""EDGE CASES C: indexing, views, aliases, mutation; each row that went wrong elsewhere is a test here.

Expected numbers are worked out by hand or by the oracles, never copied from our own output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
from checking import check
from programs import define

import s2s_ad
from s2s_ad import AliasingError, grad, value_and_grad

X = np.array([0.7, -1.3, 0.4, 1.9, -0.6])


def gradient(function: Any, *args: Any, argnums: Any = 0) -> Any:
    return grad(function, argnums=argnums)(*args)


# C1, C2, C3: gathers -----------------------------------------------------------------------------------------


def gather_twice(x):
    return np.sum(x[[0, 0]] * np.array([1.0, 10.0]))


def test_c1_repeated_gather_accumulates() -> None:
    np.testing.assert_allclose(gradient(gather_twice, X), [11.0, 0, 0, 0, 0])


def gather_by_argument(x, indices):
    return np.sum(x[indices] ** 2)


@pytest.mark.parametrize("indices", [[0, 0, 0], [4, 1, 4], [-1, 4, -5, 0]])
def test_c2_repeated_indices_known_at_run_time_only(indices: list[int]) -> None:
    check(gather_by_argument, X, np.array(indices))


def unique_indices(x):
    y = x[1:4] * x[::2]
    return np.sum(y) + x[2] * x[np.array([True, False, True, False, False])].sum()


def test_c2_unique_indices() -> None:
    check(unique_indices, X)


def negative_and_positive(x):
    return np.sum(x[[-1, 4]] * np.array([1.0, 10.0])) + x[-2] * x[3]


def test_c3_negative_and_positive_index_of_one_slot() -> None:
    np.testing.assert_allclose(gradient(negative_and_positive, X), [0, 0, 0, 2 * X[3], 11.0])


def gather_two_dimensional(m):
    return np.sum(m[[0, 1, 0], [1, 1, 1]] * np.array([1.0, 2.0, 4.0])) + np.sum(
        m[np.array([[0], [1]]), np.array([0, 0])]
    )


def test_c3_gather_in_two_dimensions() -> None:
    np.testing.assert_allclose(gradient(gather_two_dimensional, np.ones((2, 2))), [[2.0, 5.0], [2.0, 2.0]])


# C4: scatters ------------------------------------------------------------------------------------------------


def scatter_last_wins(v):
    y = np.zeros(3)
    y[[0, 0, 1]] = v
    return np.sum(y * np.array([2.0, 3.0, 5.0]))


def test_c4_only_the_last_store_of_a_repeated_index_counts() -> None:
    np.testing.assert_allclose(gradient(scatter_last_wins, np.array([0.3, 0.7, 1.1])), [0.0, 2.0, 3.0])


def scatter_augmented(v):
    y = np.ones(3)
    y[[0, 0, 1]] += v
    return np.sum(y * np.array([2.0, 3.0, 5.0]))


def test_c4_augmented_scatter_buffers_like_numpy() -> None:
    np.testing.assert_allclose(gradient(scatter_augmented, np.array([0.3, 0.7, 1.1])), [0.0, 2.0, 3.0])


def scatter_negative_and_positive(v):
    y = np.zeros(3)
    y[[-1, 2]] = v
    return np.sum(y * y)


def test_c4_scatter_with_a_negative_alias_of_an_index() -> None:
    np.testing.assert_allclose(gradient(scatter_negative_and_positive, np.array([0.3, 0.7])), [0.0, 1.4])


# C5 - C8: stores ---------------------------------------------------------------------------------------------


def store_kills_what_was_there(x):
    y = np.sin(x)
    before = y[1] * 2.0
    y[1] = x[0] * x[0]
    return before + np.sum(y * y)


def test_c5_a_store_kills_the_old_cotangent_and_restores_the_old_value() -> None:
    check(store_kills_what_was_there, X, jax=False)


def store_in_every_iteration(x):
    y = np.zeros(2)
    total = 0.0
    for v in x:
        y[0] = v
        total += y[0] * y[1]
        y[1] = np.sin(v)
    return total


def test_c5_a_store_in_every_iteration() -> None:
    check(store_in_every_iteration, X, jax=False)


@pytest.mark.parametrize("operator", ["+=", "-=", "*=", "/=", "**="])
@pytest.mark.parametrize("place", ["[1]", "[1:3]", "[...]", "[::2]", "[[0, 2]]", "[x > 0.5]", ""])
def test_c6_augmented_stores(operator: str, place: str, tmp_path: Any) -> None:
    value = {
        "[1]": "x[2]",
        "[1:3]": "x[3:]",
        "[...]": "x",
        "[::2]": "x[0]",
        "[[0, 2]]": "x[1:3]",
        "[x > 0.5]": "x[1]",
        "": "x",
    }[place]
    store = f"y{place} {operator} 1.2 + 0.3 * {value}"
    check(define(tmp_path, "y = 1.5 + x * x", store, "return np.sum(y * y * x)"), X, jax=False)


def matrix_augmented(a, b):
    c = a.copy()
    c @= b
    return np.sum(c * c)


def test_c6_augmented_matrix_product() -> None:
    rng = np.random.default_rng(0)
    check(matrix_augmented, rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), jax=False)


def recurrence(x, a):
    y = np.zeros_like(x)
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = y[i - 1] * a + x[i]
        y[i] = np.sin(y[i]) * y[i - 1]
    return np.sum(y * y)


def test_c7_loop_carried_reads_and_writes() -> None:
    check(recurrence, X, 0.8, jax=False)


def read_and_write_one_slot(x):
    y = x * 1.0
    y[1] = y[1] + 1.0
    y[2] = y[2] * y[2]
    return np.sum(y)


def test_c8_one_slot_read_and_written() -> None:
    np.testing.assert_allclose(gradient(read_and_write_one_slot, X), [1, 1, 2 * X[2], 1, 1])


# C9: values changed between use and reverse sweep ------------------------------------------------------------


def squares(x):
    return np.sum(x * x)


def test_c9_argument_changed_by_the_caller_before_the_pullback() -> None:
    x = X.copy()
    _, pullback = s2s_ad.vjp(squares, x)
    x[:] = 100.0
    np.testing.assert_allclose(pullback(1.0)[0], 2 * X)


def overwritten_after_use(x):
    y = x * x
    z = y * x
    y[:] = 0.0
    z *= 2.0
    return np.sum(z)


def test_c9_operand_overwritten_after_use() -> None:
    check(overwritten_after_use, X, jax=False)


# C16 - C20: arguments ----------------------------------------------------------------------------------------


def writes_its_argument(x, y):
    x *= y
    x[0] += y[1]
    y[:] = 0.5 * y
    return np.sum(x * x * y)


@pytest.mark.parametrize("layout", ["plain", "reversed", "strided", "column"])
def test_c16_written_arguments_stay_the_callers(layout: str) -> None:
    base = np.random.default_rng(1).normal(size=(10, 10))
    x = {"plain": base[0].copy()[:5], "reversed": base[0, ::-1][:5], "strided": base[0, ::2], "column": base[:5, 3]}[
        layout
    ]
    check(writes_its_argument, x, X, jax=False)


def test_c16_read_only_arguments() -> None:
    x = X.copy()
    x.flags.writeable = False
    check(squares, x)
    expected = value_and_grad(writes_its_argument, argnums=(0, 1))(X.copy(), X + 1.0)
    oracles.assert_close(value_and_grad(writes_its_argument, argnums=(0, 1))(x, X + 1.0), expected)


def returns_its_input(x):
    return x


def returns_a_view(x):
    return x[1:]


@pytest.mark.parametrize("function", [returns_its_input, returns_a_view])
def test_c17_a_returned_input_does_not_share_with_its_cotangent(function: Any) -> None:
    x = X.copy()
    value, pullback = s2s_ad.vjp(function, x)
    seed = np.arange(1.0, 1.0 + len(value))
    held = seed.copy()
    (first,) = pullback(seed)
    first += 100.0
    np.testing.assert_array_equal(seed, held)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_allclose(pullback(held)[0][-len(held) :], held)


def of_two(a, b):
    return np.sum(a * np.sin(b))


def test_c18_one_array_as_two_arguments() -> None:
    first, second = gradient(of_two, X, X, argnums=(0, 1))
    np.testing.assert_allclose(first, np.sin(X))
    np.testing.assert_allclose(second, X * np.cos(X))
    assert not np.shares_memory(first, second)


def sum_of_two(a, b):
    return np.sum(a + b)


def test_c18_equal_gradients_are_two_arrays() -> None:
    first, second = gradient(sum_of_two, X, X, argnums=(0, 1))
    first += 1.0
    np.testing.assert_array_equal(second, np.ones(5))


def writes_the_first(a, b):
    a *= 2.0
    return np.sum(a * b)


@pytest.mark.parametrize("overlap", ["same", "view"])
def test_c19_overlapping_arguments_are_refused_when_one_is_written(overlap: str) -> None:
    x = X.copy()
    pair = (x, x) if overlap == "same" else (x[1:], x[:-1])
    with pytest.raises(AliasingError):
        gradient(writes_the_first, *pair)
    np.testing.assert_array_equal(x, X)


def test_c19_overlapping_arguments_that_are_only_read() -> None:
    x = X.copy()
    np.testing.assert_allclose(gradient(of_two, x[1:], x[:-1]), np.sin(X[:-1]))


def identity_sum(x):
    y = x
    return np.sum(y)


def test_c20_the_gradient_is_fresh_memory() -> None:
    x = np.ones(4)
    got = gradient(identity_sum, x)
    got += 5.0
    np.testing.assert_array_equal(x, np.ones(4))
    again = gradient(identity_sum, x)
    np.testing.assert_array_equal(again, np.ones(4))


# C21, C22: cotangents ----------------------------------------------------------------------------------------


def shared_cotangent(a, b):
    t = a + b
    u = a * 3.0
    w = t - b
    return np.sum(t * t) + np.sum(u * w) + np.sum(b * w)


def test_c21_two_cotangents_do_not_share_a_buffer() -> None:
    check(shared_cotangent, X, X[::-1].copy())


def shared_in_loop(a, b):
    for _ in range(3):
        a, b = a + b, b + a
        a[0] *= 2.0
        b[1:] -= a[:-1]
    return np.sum(a * b)


def test_c21_shared_cotangents_in_a_loop() -> None:
    check(shared_in_loop, X, X[::-1].copy(), jax=False)


def many_uses(x):
    y = np.sin(x)
    total = np.sum(y) + np.sum(y * y)
    for k in range(3):
        total += np.sum(y[k:]) * y[k]
    return total + np.sum(y.reshape(1, -1) @ y)


def test_c22_uses_accumulate() -> None:
    check(many_uses, X)

"""EDGE CASES C23 - C30: swaps, in-place functions, buffers, index expressions.

Expected numbers are worked out by hand or by the oracles, never copied from our own output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from checking import check
from programs import define

import s2s_ad
from s2s_ad import grad

X = np.array([0.7, -1.3, 0.4, 1.9, -0.6])


def gradient(function: Any, *args: Any, argnums: Any = 0) -> Any:
    return grad(function, argnums=argnums)(*args)


# C23 - C30 ---------------------------------------------------------------------------------------------------


def rotating_buffers(x):
    v0, v1, v2 = x.copy(), x * 0.5, np.zeros(5)
    for k in range(4):
        v2[1:-1] = v1[2:] - v0[:-2] * v1[1:-1]
        v2[0] = x[k]
        v0, v1, v2 = v1, v2, v0
    return np.sum(v0 * v1) + v2[0] * v2[3]


def test_c23_rotating_buffers() -> None:
    check(rotating_buffers, X, jax=False)


def swap_in_a_branch(x, y):
    a, b = x * 2.0, y * 3.0
    for i in range(4):
        a[i] += b[i + 1] * b[i]
        if x[i] > 0:
            a, b = b, a
    return np.sum(a) + 2.0 * np.sum(b * b)


def test_c23_swap_in_a_branch() -> None:
    check(swap_in_a_branch, X, X[::-1] * 0.7, jax=False)


def chained_and_starred(x):
    a = b = np.zeros(3)
    a[0] = x[0]
    b[1] = x[1]
    c, (d, *e) = x[2], (x[3], x[4], a)
    e[1][2] = c * d
    return np.sum(a * b) * e[0]


def test_c24_chained_starred_nested() -> None:
    check(chained_and_starred, X, jax=False)


IN_PLACE = {
    "add_out": "np.add(x, y, out=y)",
    "multiply_out_positional": "np.multiply(y, x, y)",
    "out_slice": "np.sin(x[:3], out=y[2:])",
    "copyto": "np.copyto(y, x)",
    "copyto_where": "np.copyto(y, x, where=x > 0.5)",
    "fill": "y[1:3].fill(x[0])",
    "sort": "y.sort()",
    "put": "np.put(y, [0, 3], x[1:3])",
    "place": "np.place(y, x > 0.5, x[:2])",
    "add_at": "np.add.at(y, [1, 1, 4], x[:3])",
    "subtract_at": "np.subtract.at(y, [1, 1], x[3])",
    "put_along_axis": "np.put_along_axis(y, np.array([2, 0]), x[:2], axis=0)",
    "where_out": "np.multiply(y, x, out=y, where=x > 0.5)",
    "fill_diagonal": "np.fill_diagonal(y[:4].reshape(2, 2), x[0])",
    "putmask": "np.putmask(y, x > 0.5, x)",
    "negative_out": "np.negative(y, out=y)",
    "dot_out": "np.dot(np.outer(x, x), x, out=y)",
    "flat": "y.flat[1] = x[0] * x[1]",
    "partition": "y.sort(kind='stable')",
}


@pytest.mark.parametrize("name", IN_PLACE, ids=list(IN_PLACE))
def test_c25_in_place_functions(name: str, tmp_path: Any) -> None:
    before, after = ("y = 1.0 + x * x", "z = np.sin(y)"), "return np.sum(y * z * np.arange(1.0, 6.0))"
    check(define(tmp_path, *before, IN_PLACE[name], after), X, jax=False)


def unknown_call(x):
    y = x * 2.0
    np.random.default_rng(0).shuffle(y)
    return y[0]


def test_c25_an_unknown_call_on_an_active_array_is_refused() -> None:
    with pytest.raises(s2s_ad.S2SError) as caught:
        gradient(unknown_call, X)
    assert caught.value.place is not None and "shuffle" in str(caught.value)


def list_building(x):
    rows = []
    table = {}
    for i in range(3):
        rows.append(x * i)
        table[i] = x[i] ** 2
    m = np.array(rows)
    v = np.array([table[0], table[1], x[0]])
    return np.sum(m * m) + v @ v


def test_c26_lists_and_dicts_filled_in_a_loop() -> None:
    check(list_building, X)


BUFFERS = [
    "np.zeros(5)",
    "np.empty(5)",
    "np.ones(5)",
    "np.full(5, 0.3)",
    "np.zeros_like(x)",
    "np.empty_like(x)",
    "np.full_like(x, 2.0)",
    "np.zeros((5,), dtype=float)",
    "np.zeros(x.shape)",
    "np.zeros(len(x), np.float64)",
    "np.ndarray(5)",
    "np.zeros(shape=5)",
]


@pytest.mark.parametrize("buffer", BUFFERS)
def test_c27_buffers_of_any_spelling(buffer: str, tmp_path: Any) -> None:
    loop = ("for i in range(5):", "    y[i] = x[i] ** 2 + (y[i - 1] if i else 0.0)")
    check(define(tmp_path, f"y = {buffer}", *loop, "return np.sum(y * x)"), X, jax=False)


def index_with_side_effect(x):
    i = 0
    y = x * 1.0
    y[i := i + 1] *= x[i]
    y[i := i + 1] = x[i] * y[i - 1]
    return np.sum(y * y) + i


def test_c28_index_expression_evaluated_once() -> None:
    check(index_with_side_effect, X, jax=False)


def index_mutated_after(x):
    i = 1
    total = 0.0
    y = x * x
    for k in range(3):
        total += y[i] * x[k]
        y[i] = x[i] * total
        i = (i + 2) % 5
    return total + y[i]


def test_c28_index_variable_changed_later() -> None:
    check(index_mutated_after, X, jax=False)


def out_of_range(x, i):
    y = x * 2.0
    y[i] = x[0]
    return y[i] * y[0]


def test_c29_out_of_range_raises_as_numpy_does() -> None:
    with pytest.raises(IndexError):
        gradient(out_of_range, X, 7)
    assert gradient(out_of_range, X, -1)[0] == pytest.approx(4 * X[0])


def float_index(x, index):
    return x[index]


def test_c30_a_float_as_an_index_is_an_error() -> None:
    with pytest.raises((IndexError, s2s_ad.S2SError)):
        gradient(float_index, X, 1.0)


def mask_argument(x, mask):
    y = x * x
    y[mask] = x[mask] * 3.0
    return np.sum(y)


def test_c30_boolean_index_argument() -> None:
    check(mask_argument, X, X > 0.5, jax=False)

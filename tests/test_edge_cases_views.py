"""EDGE CASES C10 - C15: views and aliases: what is written through one name is read through the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
from checking import check
from programs import define

from s2s_ad import AliasingError, value_and_grad

X = np.array([0.7, -1.3, 0.4, 1.9, -0.6])

# C10 - C15: views and aliases --------------------------------------------------------------------------------


def slice_view_written(x):
    a = x * 2.0
    y = a[1:]
    y += x[0]
    y *= y
    return np.sum(a)


def test_c10_a_slice_is_a_view() -> None:
    check(slice_view_written, X, jax=False)


VIEWS = {
    "T": "m.T",
    "transpose": "np.transpose(m)",
    "transpose_method": "m.transpose(1, 0)",
    "reshape": "m.reshape(-1)",
    "reshape_function": "np.reshape(m, (3, 2))",
    "ravel": "m.ravel()",
    "ravel_function": "np.ravel(m)",
    "row": "m[1]",
    "column": "m[:, 1]",
    "newaxis": "m[:, None]",
    "expand_dims": "np.expand_dims(m, 0)",
    "squeeze": "np.squeeze(m[None])",
    "swapaxes": "m.swapaxes(0, 1)",
    "moveaxis": "np.moveaxis(m, 0, 1)",
    "asarray": "np.asarray(m)",
    "atleast_2d": "np.atleast_2d(m[0])",
    "astype": "m.astype(float, copy=False)",
    "real": "m.real",
    "ellipsis": "m[..., 0]",
    "step": "m[::-1, ::2]",
    "split": "np.split(m, 2)[1]",
    "hsplit": "np.hsplit(m, 3)[1]",
    "flipped": "np.flip(m, 1)",
    "rot": "m[::-1].T[1:]",
}


@pytest.mark.parametrize("view", VIEWS, ids=list(VIEWS))
def test_c11_writing_through_a_view_writes_the_base(view: str, tmp_path: Any) -> None:
    through = ("m = x * x", f"v = {VIEWS[view]}", "v *= v + 1.0", "w = np.sum(v)")
    function = define(tmp_path, *through, "m[0, 0] += x[1, 1]", "m *= 0.7", "return np.sum(m * x) + w * np.sum(v)")
    check(function, np.random.default_rng(4).uniform(0.3, 1.4, size=(2, 3)), jax=False)


COPIES = {
    "flatten": "m.flatten()",
    "copy": "m.copy()",
    "fancy": "m[[0, 1]]",
    "mask": "m[m > 0.0]",
    "array": "np.array(m)",
    "arithmetic": "m * 1.0",
    "astype": "m.astype(float)",
    "ravel_T": "m.T.ravel()",
}


@pytest.mark.parametrize("copy", COPIES, ids=list(COPIES))
def test_c14_writing_into_a_copy_leaves_the_base(copy: str, tmp_path: Any) -> None:
    function = define(tmp_path, "m = x * x", f"v = {COPIES[copy]}", "v *= v", "return np.sum(m * x) + np.sum(v)")
    right_or_refused(function, np.random.default_rng(4).uniform(0.3, 1.4, size=(2, 3)))


def diagonal_read(m):
    d = np.diagonal(m)
    return np.sum(d * d) + np.trace(m) + np.sum(np.diag(m) * m[0])


def test_c11_diagonals() -> None:
    check(diagonal_read, np.random.default_rng(0).normal(size=(3, 3)))


def reshape_of_transpose(x):
    m = x * x
    v = m.T.reshape(-1)
    v *= 2.0
    w = m.reshape(-1)
    w *= 3.0
    return np.sum(m * x) + np.sum(v * v)


def test_c12_reshape_that_copies_and_reshape_that_does_not() -> None:
    right_or_refused(reshape_of_transpose, np.random.default_rng(0).normal(size=(2, 3)))


def right_or_refused(function: Any, x: Any) -> None:
    """Whether a reshape copies may be known at run time only: then a write through it is refused, never guessed."""
    try:
        check(function, x, jax=False)
    except AliasingError as error:
        assert "copy" in str(error) and error.remedy


def reshape_of_argument(x):
    v = x.reshape(-1)
    v *= v
    return np.sum(x * x * x) + np.sum(v)


@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_c12_reshape_of_an_argument_in_any_memory_order(order: str) -> None:
    """Right, or refused with a place: never guessed."""
    base = np.random.default_rng(0).normal(size=(4, 6))
    x = {"C": base.copy(), "F": np.asfortranarray(base), "strided": base[::2, ::3]}[order]
    try:
        value, got = value_and_grad(reshape_of_argument)(x)
    except AliasingError as error:
        assert error.remedy
        return
    copy = base[::2, ::3].copy() if order == "strided" else x.copy(order="K")
    primal = reshape_of_argument if order == "C" else reshape_copies
    assert value == pytest.approx(primal(copy))
    oracles.assert_derivative(primal, [x], [0], [got])


def reshape_copies(x):
    v = x.flatten()
    v = v * v
    return np.sum(x * x * x) + np.sum(v)


def chained_views(x):
    a = x.reshape(2, 3) * 1.5
    b = a[:, 1:]
    c = b.T
    d = c[0]
    d *= x[0]
    c[1] += d
    b[0, 0] = b[1, 1] * a[0, 0]
    return np.sum(a * a)


def test_c13_chained_views() -> None:
    check(chained_views, np.random.default_rng(0).normal(size=6), jax=False)


def views_of_split(x):
    y = x * x
    a, b = np.split(y, 2)
    a += b
    b *= a
    return np.sum(y * x)


def test_c13_views_of_split() -> None:
    check(views_of_split, np.random.default_rng(0).normal(size=6), jax=False)


def alias_by_name(a):
    b = a
    b += 1.0
    b *= a
    return np.sum(a * b) if isinstance(a, np.ndarray) else a * b


@pytest.mark.parametrize("x", [X, 0.7, np.float64(0.7)], ids=["array", "float", "np.float64"])
def test_c15_alias_of_an_array_and_of_a_number(x: Any) -> None:
    check(alias_by_name, x, jax=False)


def zero_dimensional(x):
    y = x * 2.0
    z = y
    z += x
    return y * z


def test_c15_zero_dimensional_argument() -> None:
    check(zero_dimensional, np.array(0.7), jax=False)

"""EDGE CASES C: indexing, views, aliases, mutation; each row that went wrong elsewhere is a test here.

Expected numbers are worked out by hand or by the oracles, never copied from our own output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
from checking import check

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
    return np.sum(m[[0, 1, 0], [1, 1, 1]] * np.array([1.0, 2.0, 4.0])) + np.sum(m[np.array([[0], [1]]), np.array([0, 0])])


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
    value = {"[1]": "x[2]", "[1:3]": "x[3:]", "[...]": "x", "[::2]": "x[0]", "[[0, 2]]": "x[1:3]", "[x > 0.5]": "x[1]", "": "x"}[place]
    text = f"import numpy as np\n\n\ndef f(x):\n    y = 1.5 + x * x\n    y{place} {operator} 1.2 + 0.3 * {value}\n    return np.sum(y * y * x)\n"
    check(load(text, tmp_path), X, jax=False)


def load(text: str, folder: Any) -> Any:
    """The function `f` of a module written to `folder`."""
    import importlib.util

    path = folder / "program.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("program", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.f


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
    "T": "m.T", "transpose": "np.transpose(m)", "transpose_method": "m.transpose(1, 0)", "reshape": "m.reshape(-1)", "reshape_function": "np.reshape(m, (3, 2))",
    "ravel": "m.ravel()", "ravel_function": "np.ravel(m)", "row": "m[1]", "column": "m[:, 1]", "newaxis": "m[:, None]", "expand_dims": "np.expand_dims(m, 0)",
    "squeeze": "np.squeeze(m[None])", "swapaxes": "m.swapaxes(0, 1)", "moveaxis": "np.moveaxis(m, 0, 1)", "asarray": "np.asarray(m)", "atleast_2d": "np.atleast_2d(m[0])",
    "astype": "m.astype(float, copy=False)", "real": "m.real", "ellipsis": "m[..., 0]", "step": "m[::-1, ::2]", "split": "np.split(m, 2)[1]", "hsplit": "np.hsplit(m, 3)[1]",
    "flipped": "np.flip(m, 1)", "rot": "m[::-1].T[1:]",
}  # fmt: skip


@pytest.mark.parametrize("view", VIEWS, ids=list(VIEWS))
def test_c11_writing_through_a_view_writes_the_base(view: str, tmp_path: Any) -> None:
    lines = ["import numpy as np", "", "", "def f(x):", "    m = x * x", f"    v = {VIEWS[view]}", "    v *= v + 1.0", "    w = np.sum(v)"]
    text = "\n".join([*lines, "    m[0, 0] += x[1, 1]", "    m *= 0.7", "    return np.sum(m * x) + w * np.sum(v)", ""])
    function = load(text, tmp_path)
    check(function, np.random.default_rng(4).uniform(0.3, 1.4, size=(2, 3)), jax=False)


COPIES = {"flatten": "m.flatten()", "copy": "m.copy()", "fancy": "m[[0, 1]]", "mask": "m[m > 0.0]", "array": "np.array(m)", "arithmetic": "m * 1.0", "astype": "m.astype(float)", "ravel_T": "m.T.ravel()"}


@pytest.mark.parametrize("copy", COPIES, ids=list(COPIES))
def test_c14_writing_into_a_copy_leaves_the_base(copy: str, tmp_path: Any) -> None:
    text = f"import numpy as np\n\n\ndef f(x):\n    m = x * x\n    v = {COPIES[copy]}\n    v *= v\n    return np.sum(m * x) + np.sum(v)\n"
    check(load(text, tmp_path), np.random.default_rng(4).uniform(0.3, 1.4, size=(2, 3)), jax=False)


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
    check(reshape_of_transpose, np.random.default_rng(0).normal(size=(2, 3)), jax=False)


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
        assert error.place is not None
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


# C16 - C20: arguments ----------------------------------------------------------------------------------------


def writes_its_argument(x, y):
    x *= y
    x[0] += y[1]
    y[:] = 0.5 * y
    return np.sum(x * x * y)


@pytest.mark.parametrize("layout", ["plain", "reversed", "strided", "column"])
def test_c16_written_arguments_stay_the_callers(layout: str) -> None:
    base = np.random.default_rng(1).normal(size=(10, 10))
    x = {"plain": base[0].copy()[:5], "reversed": base[0, ::-1][:5], "strided": base[0, ::2], "column": base[:5, 3]}[layout]
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
    "add_out": "np.add(x, y, out=y)", "multiply_out_positional": "np.multiply(y, x, y)", "out_slice": "np.sin(x[:3], out=y[2:])", "copyto": "np.copyto(y, x)",
    "copyto_where": "np.copyto(y, x, where=x > 0.5)", "fill": "y[1:3].fill(x[0])", "sort": "y.sort()", "put": "np.put(y, [0, 3], x[1:3])", "place": "np.place(y, x > 0.5, x[:2])",
    "add_at": "np.add.at(y, [1, 1, 4], x[:3])", "subtract_at": "np.subtract.at(y, [1, 1], x[3])", "put_along_axis": "np.put_along_axis(y, np.array([2, 0]), x[:2], axis=0)",
    "where_out": "np.multiply(y, x, out=y, where=x > 0.5)", "fill_diagonal": "np.fill_diagonal(y[:4].reshape(2, 2), x[0])", "putmask": "np.putmask(y, x > 0.5, x)",
    "negative_out": "np.negative(y, out=y)", "dot_out": "np.dot(np.outer(x, x), x, out=y)", "flat": "y.flat[1] = x[0] * x[1]", "partition": "y.sort(kind='stable')",
}  # fmt: skip


@pytest.mark.parametrize("name", IN_PLACE, ids=list(IN_PLACE))
def test_c25_in_place_functions(name: str, tmp_path: Any) -> None:
    text = f"import numpy as np\n\n\ndef f(x):\n    y = 1.0 + x * x\n    z = np.sin(y)\n    {IN_PLACE[name]}\n    return np.sum(y * z * np.arange(1.0, 6.0))\n"
    check(load(text, tmp_path), X, jax=False)


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


BUFFERS = ["np.zeros(5)", "np.empty(5)", "np.ones(5)", "np.full(5, 0.3)", "np.zeros_like(x)", "np.empty_like(x)", "np.full_like(x, 2.0)", "np.zeros((5,), dtype=float)", "np.zeros(x.shape)", "np.zeros(len(x), np.float64)", "np.ndarray(5)", "np.zeros(shape=5)"]  # fmt: skip


@pytest.mark.parametrize("buffer", BUFFERS)
def test_c27_buffers_of_any_spelling(buffer: str, tmp_path: Any) -> None:
    text = f"import numpy as np\n\n\ndef f(x):\n    y = {buffer}\n    for i in range(5):\n        y[i] = x[i] ** 2 + (y[i - 1] if i else 0.0)\n    return np.sum(y * x)\n"
    check(load(text, tmp_path), X, jax=False)


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

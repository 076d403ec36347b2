"""EDGE CASES D: control flow."""

from __future__ import annotations

import numpy as np
import pytest
from checking import check

from s2s_ad import S2SError, grad

X = np.array([0.7, -1.3, 0.4, 1.9, -0.6])


def no_turns(x, n):
    y = x * 3.0
    for i in range(n):
        y = np.sin(y) * x
        extra = y[0]
    while n > 100:
        y = y * y
        n -= 1
    return np.sum(y)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_d1_loops_without_turns(n: int) -> None:
    check(no_turns, X, n)


def undefined_after_no_turns(x, n):
    for i in range(n):
        y = x * i
    return np.sum(y)


def test_d1_a_name_first_bound_in_a_loop_without_turns_is_undefined() -> None:
    np.testing.assert_allclose(grad(undefined_after_no_turns)(X, 3), np.full(5, 2.0))
    with pytest.raises((NameError, S2SError)):
        grad(undefined_after_no_turns)(X, 0)


def loop_variable_after_loop(x):
    for i in range(4):
        t = x[i] * x[i]
    for v in x:
        pass
    return t * x[i] + i * v


def test_d2_loop_variable_and_temporary_after_the_loop() -> None:
    check(loop_variable_after_loop, X)


def range_arguments_changed(x, n):
    total = 1.0
    for i in range(n):
        n = n + 2
        total = total * x[i] + n
        i = i + 10
        total += i * x[0]
    return total * n


def test_d3_trip_count_is_that_of_the_entry() -> None:
    check(range_arguments_changed, X, 3)


def dynamic_trip_count(x):
    total = 0.0
    for i in range(3):
        k = 0
        y = x[i]
        while abs(y) > 0.2 and k < 6:
            y = 0.6 * np.sin(y) + 0.1 * y * y
            k += 1
        for j in range(k):
            total = total + y * x[j % 5] ** 2
    return total


def test_d3_nested_dynamic_trip_counts() -> None:
    check(dynamic_trip_count, X)


def nested_with_state(x):
    s = 0.3
    t = 1.0
    for i in range(3):
        r = s * t
        for j in range(i + 1):
            r = np.sin(r) * x[j] + s
            for k in range(2):
                t = t * 0.9 + r * r
        s = s * r
        if i == 1:
            continue
        t = t * s
    return s + t


def test_d4_nested_loops_record_in_their_own_scopes() -> None:
    check(nested_with_state, X)


def loops_over_things(m, d):
    total = 0.0
    for row in m:
        for v in row:
            total += v**3
    for i, row in enumerate(m):
        total += i * row[0]
    for a, b in zip(m, m[::-1]):
        total += a @ b
    for row in reversed(m):
        total = total * 0.5 + row[1]
    for key, value in d.items():
        total += value * len(key)
    return total


def test_d5_loops_over_arrays_zip_enumerate_reversed_dicts() -> None:
    check(loops_over_things, np.random.default_rng(0).normal(size=(3, 2)), {"a": 0.7, "bb": -0.3})


def grows_while_looped_over(x):
    values = [x[0]]
    for v in values:
        if len(values) < 4:
            values.append(v * x[1])
    return sum(values)


def test_d6_a_list_that_grows_while_it_is_looped_over_is_refused_or_right() -> None:
    try:
        check(grows_while_looped_over, X, jax=False)
    except S2SError as error:
        assert error.place is not None


def array_written_while_looped_over(x):
    y = x.copy()
    total = 0.0
    for v in y:
        y[2] = v * v
        total += v
    return total


def test_d6_an_array_written_while_it_is_looped_over_is_refused_or_right() -> None:
    try:
        check(array_written_while_looped_over, X, jax=False)
    except S2SError as error:
        assert error.place is not None


def exits(x, limit):
    total = 0.0
    for i, v in enumerate(x):
        if v < -1.0:
            continue
        if total > limit:
            break
        total += v * v
    else:
        total *= 3.0
    k = 0
    while k < 4:
        k += 1
        if k == 2:
            continue
        total += np.sin(total)
    else:
        total *= 2.0
    return total


@pytest.mark.parametrize("limit", [0.1, 0.6, 100.0])
def test_d7_break_continue_else(limit: float) -> None:
    check(exits, X, limit, wrt=(0,))


def returns_everywhere(x, mode):
    if mode == 0:
        return x[0]
    for v in x:
        if mode == 1 and v < 0:
            return v * x[0]
        with np.errstate(all="ignore"):
            if mode == 2:
                return np.sin(v)
    try:
        if mode == 3:
            return x[2] * x[3]
    finally:
        mode += 1
    return np.sum(x) * mode


@pytest.mark.parametrize("mode", range(5))
def test_d8_early_returns(mode: int) -> None:
    check(returns_everywhere, X, mode)


def one_sided(x, s):
    if s > 0:
        extra = x * s
        x = extra + 1.0
    else:
        s = s * 2.0
    if s > 0:
        x = x * extra
    return np.sum(x) * s


@pytest.mark.parametrize("s", [0.7, -0.7])
def test_d9_names_defined_on_one_side(s: float) -> None:
    check(one_sided, X, s)


def empty_sides(x):
    if x[0] > 0:
        pass
    else:
        x = x * 2.0
    if x[1] > 0:
        x = x * 3.0
    else:
        pass
    return np.sum(x * x)


def test_d10_empty_sides() -> None:
    check(empty_sides, X)
    check(empty_sides, -X)


def branch_on_active(x, tol):
    err = 1.0
    y = x
    while abs(err) > tol:
        new = 0.5 * (y + x * x / y)
        err = new - y
        y = new
    if y > x:
        return y * tol
    return y


def test_d11_branch_on_an_active_number() -> None:
    check(branch_on_active, 0.7, 1e-9, wrt=(0,))


def forever(x):
    n = 0
    while True:
        x = x * 0.9 + 0.01 * x * x
        n += 1
        if n > 30 or x < 0.05:
            break
    return x * n


def test_d12_while_true() -> None:
    check(forever, 0.7)

"""EDGE CASES D13 - D22: evaluation order, effects, exceptions, recursion, dead code."""

from __future__ import annotations

import io
import logging
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest
from checking import check

import s2s_ad
from s2s_ad import S2SError, grad, value_and_grad

X = np.array([0.7, -1.3, 0.4, 1.9, -0.6])


CALLS: list[str] = []


def seen(name, value):
    CALLS.append(name)
    return value


def evaluated_once(x):
    y = x if seen("test", True) else x * 2.0
    if seen("a", 1) < seen("b", 2) < seen("c", 0) < seen("never", 5):
        y = y * 3.0
    z = seen("left", 0) or seen("right", 3.0)
    w = seen("no", 0) and seen("skipped", 1)
    return y * z + w


def test_d13_operands_are_evaluated_once_and_only_if_python_would() -> None:
    CALLS.clear()
    evaluated_once(0.7)
    expected = list(CALLS)
    CALLS.clear()
    try:
        got = grad(evaluated_once)(0.7)
    except S2SError as error:
        assert error.place is not None
        return
    assert got == pytest.approx(3.0)
    assert CALLS == expected == ["test", "a", "b", "c", "left", "right", "no"]


def lazy_guard(x, i):
    y = x[i] if i < len(x) else x[0] * 2.0
    if i < len(x) and x[i] > 0:
        y = y * x[i]
    assert i >= 0 and (n := len(x)) > 2, "never"
    return y * n


@pytest.mark.parametrize("i", [3, 99])
def test_d13_lazy_operands(i: int) -> None:
    check(lazy_guard, X, i)


COUNTER = {"n": 0}


def side_effects(x):
    y = x
    for i in range(3):
        y = y * y * 0.7
        print("turn", i)
        logging.getLogger("edge").warning("y=%s", i)
    return y


def test_d14_prints_and_logging_run_once(caplog: pytest.LogCaptureFixture) -> None:
    stream = io.StringIO()
    with redirect_stdout(stream), caplog.at_level(logging.WARNING):
        got = grad(side_effects)(0.9)
    assert stream.getvalue() == "turn 0\nturn 1\nturn 2\n"
    assert [record.getMessage() for record in caplog.records] == ["y=0", "y=1", "y=2"]
    assert got == pytest.approx(8 * 0.9**7 * 0.7**7, rel=1e-12)


def random_inside(x, rng):
    y = x
    for _ in range(3):
        noise = rng.normal(size=x.shape)
        y = np.sin(y * noise) + noise
    return np.sum(y)


def test_d15_random_numbers_are_drawn_once() -> None:
    value, gradient = value_and_grad(random_inside)(X, np.random.default_rng(3))
    assert value == pytest.approx(random_inside(X, np.random.default_rng(3)), rel=1e-12)
    direction = np.array([0.3, -0.2, 0.9, 0.4, -0.7])
    h = 1e-6
    slope = (
        random_inside(X + h * direction, np.random.default_rng(3))
        - random_inside(X - h * direction, np.random.default_rng(3))
    ) / (2 * h)
    assert gradient @ direction == pytest.approx(slope, rel=1e-7)


def errstate_around(x):
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log(x)
    return np.sum(np.where(x > 0.5, y, 0.0))


def test_d16_errstate_covers_the_sweep_too() -> None:
    with np.errstate(all="raise"):
        got = grad(errstate_around)(np.array([0.7, 2.0, 0.0]))
    np.testing.assert_allclose(got[:2], [1 / 0.7, 0.5])


def try_paths(x, key):
    table = {"a": 2.0}
    try:
        s = table[key] * x
    except KeyError:
        s = x * x
    else:
        s = s + 1.0
    finally:
        x = x * 3.0
    return s * x


@pytest.mark.parametrize("key", ["a", "b"])
def test_d16_try_is_right_or_refused(key: str) -> None:
    try:
        check(try_paths, 0.7, key, jax=False)
    except S2SError as error:
        assert error.place is not None


def comprehension_scopes(x):
    i = 3
    rows = [[x[i] * j for i in range(3) if i != j] for j in range(3)]
    table = {k: v for k, v in zip("abc", [r[0] for r in rows])}
    return sum(sum(r) for r in rows) + table["c"] * x[i]


def test_d17_comprehensions_with_conditions_and_scopes() -> None:
    check(comprehension_scopes, X)


def a_generator(x):
    yield x


async def a_coroutine(x):
    return x


@pytest.mark.parametrize("function", [a_generator, a_coroutine])
def test_d17_generators_and_coroutines_are_refused(function: Any) -> None:
    with pytest.raises(S2SError):
        grad(function)(0.7)


def ackermann_like(x, m, n):
    if m == 0:
        return np.sin(x) + n
    if n == 0:
        return ackermann_like(x * 0.9, m - 1, 1)
    return x * ackermann_like(ackermann_like(x, m, n - 1), m - 1, 0)


def test_d18_recursion_within_recursion() -> None:
    check(ackermann_like, 0.7, 2, 2)


def recursion_on_data(x):
    if x > 1.0:
        return recursion_on_data(0.7 * x) * np.sin(x)
    return x * x


def test_d18_recursion_that_ends_on_data() -> None:
    check(recursion_on_data, 3.3)


def squares_of_squares(s):
    for _ in range(4):
        s = s * s
        s = s * s + 0.1
    return s


def test_d19_nonlinear_state_is_recorded_each_time() -> None:
    check(squares_of_squares, 0.83)


def dead_code(x):
    unused = np.log(x) * 1e9
    y = x * x
    z = y * 100.0
    z = x
    list_of_unused = [unused, z]
    return np.sum(y) + 0.0 * len(list_of_unused)


def test_d20_dead_code_is_not_differentiated() -> None:
    check(dead_code, np.abs(X))


def dead_but_raises(x, n):
    unused = 1 // n
    return x * x


def test_d20_dead_code_may_still_raise() -> None:
    assert grad(dead_but_raises)(0.7, 1) == pytest.approx(1.4)
    with pytest.raises(ZeroDivisionError):
        grad(dead_but_raises)(0.7, 0)


def truncated_series(a, z):
    term = total = 1.0
    for n in range(200):
        term = term * (a + n) / (n + 1.5) * z / (n + 1)
        total += term
        if abs(term) < 1e-15 * abs(total):
            break
    return total


def test_d21_series_with_break_on_convergence() -> None:
    check(truncated_series, 0.6, 0.8)


def hints_and_deletes(x: np.ndarray) -> float:
    y: np.ndarray = x * 2.0
    z: float
    z = y[0]
    del y
    match z:
        case 0.0:
            return z
        case _:
            return z * z


def test_d22_match_hints_del() -> None:
    check(hints_and_deletes, X)


STATE = 0.0


def writes_a_global(x):
    global STATE
    STATE = x * x
    return STATE * x


def test_d22_global_stores_of_active_values_are_refused() -> None:
    with pytest.raises(S2SError) as caught:
        grad(writes_a_global)(0.7)
    assert caught.value.place is not None


def test_every_refusal_has_a_remedy() -> None:
    with pytest.raises(S2SError) as caught:
        s2s_ad.grad(writes_a_global)(0.7)
    assert caught.value.remedy

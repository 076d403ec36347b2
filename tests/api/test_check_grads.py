"""`check_grads`: it accepts right derivatives, and finds each kind of wrong one.

Enters: derivatives that are made wrong on purpose.  Leaves: assertion errors that say where.
"""

from __future__ import annotations

import numpy as np
import pytest

from s2s_ad import SignatureError
from s2s_ad.api import dispatch
from s2s_ad.testing import check_grads

pytestmark = pytest.mark.quick

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.5]])
LOOSE = {"rtol": 1e-4, "atol": 1e-4}  # the derivative under test is a difference itself


def f(p, n, y):
    return {"s": np.sin(p["w"]) * y * n, "t": np.sum(p["w"]) * p["b"][0], "name": "f"}


ARGS = ({"w": X, "b": [3.0, 0.25]}, 2, np.float64(1.5))


@pytest.fixture
def spoiled(derivations, monkeypatch):
    """A pipeline whose programs are changed by a function."""

    def spoil(change):
        right = dispatch.derive

        def derive(source, specs, question):
            program = right(source, specs, question)
            change(program, question)
            return program

        monkeypatch.setattr(dispatch, "derive", derive)

    return spoil


@pytest.mark.parametrize("modes", [("rev",), ("fwd",), ("fwd", "rev")])
def test_right_derivatives_pass(derivations, modes) -> None:
    check_grads(f, ARGS, order=1, modes=modes, **LOOSE)
    assert {question.mode for _, _, question in derivations} == {"vjp" if m == "rev" else "jvp" for m in modes}


def test_second_order(derivations) -> None:
    check_grads(lambda x: np.sum(x**3), (X[0],), order=2, modes=("rev",), rtol=1e-2, atol=1e-2)


def test_arguments_stay_as_they_are(derivations) -> None:
    x = X.copy()

    def g(x):
        x *= 2.0
        return np.sum(x)

    check_grads(g, (x,), order=1, **LOOSE)
    np.testing.assert_array_equal(x, X)


def test_a_wrong_pullback_is_found_where_it_is(spoiled) -> None:
    def change(program, question):
        right = program.reverse

        def reverse(record, cotangent):
            gradients = right(record, cotangent)
            gradients[0]["w"][1, 2] *= 1.01
            return gradients

        program.reverse = reverse

    spoiled(change)
    with pytest.raises(AssertionError) as error:
        check_grads(f, ARGS, order=1, modes=("rev",), **LOOSE)
    message = str(error.value)
    assert "vjp of `f` at argument 0['w']" in message and "central differences" in message


def test_a_wrong_tangent_is_found_where_it_is(spoiled) -> None:
    def change(program, question):
        right = program.function

        def function(*arguments):
            value, tangent = right(*arguments)
            tangent["s"][0, 1] += 0.01
            return value, tangent

        program.function = function

    spoiled(change)
    with pytest.raises(AssertionError) as error:
        check_grads(f, ARGS, order=1, modes=("fwd",), **LOOSE)
    message = str(error.value)
    assert "jvp of `f` along argument 0['w']" in message and "result['s'] at index (0, 1)" in message


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0])
def test_nan_infinity_and_zero_are_not_let_through(spoiled, wrong) -> None:
    def change(program, question):
        program.reverse = lambda record, cotangent: (wrong,)

    spoiled(change)
    with pytest.raises(AssertionError):
        check_grads(lambda x: x * x, (3.0,), order=1, modes=("rev",))


def test_nan_on_both_sides_is_no_agreement(spoiled) -> None:
    def change(program, question):
        program.reverse = lambda record, cotangent: (np.nan,)

    spoiled(change)
    with pytest.raises(AssertionError):
        check_grads(lambda x: x * np.nan, (3.0,), order=1, modes=("rev",))


def test_a_cut_derivative_is_found(spoiled) -> None:
    def change(program, question):
        program.function = lambda x, x_dot: (x * x, 0.0)

    spoiled(change)
    with pytest.raises(AssertionError, match="derivative 0"):
        check_grads(lambda x: x * x, (3.0,), order=1, modes=("fwd",))


def test_nothing_to_check_is_no_success(derivations) -> None:
    with pytest.raises(SignatureError, match="holds a float"):
        check_grads(lambda n: n, (3,))
    with pytest.raises(SignatureError):
        check_grads(lambda x: x, (3.0,), modes=())

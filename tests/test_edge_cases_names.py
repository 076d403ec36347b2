"""EDGE CASES E: names, scope, closures, globals."""

from __future__ import annotations

import functools
import math as m
import os
import subprocess
import sys
from typing import Any

import numpy
import numpy as foo
import numpy as np
import pytest
from checking import check
from numpy import linalg
from numpy import sin as s

from s2s_ad import S2SError, grad, value_and_grad

X = np.array([0.7, -1.3, 0.4, 1.9, -0.6])


def names_like_ours(x, x_bar, value):
    h_tape = [x * x_bar]
    h = h_tape[0]
    h_bar = h * h
    _stack = h_bar
    x_dot = np.sin(_stack) * value
    forward_sweep = x_dot
    h_tape.append(forward_sweep)
    g = _t0 = h_tape[1]
    y_saved = g * _t0
    return np.sum(y_saved)


def test_e1_the_authors_names_may_be_ours() -> None:
    check(names_like_ours, X, 0.7, 1.3)


def test_e1_the_name_of_the_function_may_be_ours(tmp_path: Any) -> None:
    def value(x):
        x_bar = x * x
        return x_bar * x

    def value_adjoint(x, value_bar=1.0):
        return value(x) * value_bar

    check(value, 0.7)
    check(value_adjoint, 0.7, 1.1)


def builtins_shadowed(x, len):
    sum = 0.0
    for list in x:
        sum = sum + list * len
    range = abs(sum)
    getattr = range * sum
    return getattr


def test_e3_e4_builtins_shadowed() -> None:
    check(builtins_shadowed, X, 1.7)


def other_spellings(x):
    local = foo.sin
    xp = numpy
    return foo.sum(s(x) * local(x)) + xp.linalg.norm(x) + linalg.norm(x) * m.exp(0.3) + x.dot(x)


def test_e5_other_spellings() -> None:
    check(other_spellings, X, jax=False)


def not_numpy(x):
    np = FakeNumpy()
    return np.sin(x)


class FakeNumpy:
    def sin(self, x):
        return 3.0 * x


def test_e4_a_local_np_is_not_numpy() -> None:
    assert grad(not_numpy)(0.7) == pytest.approx(3.0)


RATE = 2.0
TABLE = {"k": 3.0}
WEIGHTS = np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def reads_globals(x):
    return RATE * np.sum(x * x * WEIGHTS) * TABLE["k"]


def test_e7_globals_are_read_live(monkeypatch: pytest.MonkeyPatch) -> None:
    derivative = value_and_grad(reads_globals)
    np.testing.assert_allclose(derivative(X)[1], 12.0 * X * WEIGHTS)
    monkeypatch.setitem(globals(), "RATE", 5.0)
    monkeypatch.setitem(TABLE, "k", 1.0)
    value, gradient = derivative(X)
    np.testing.assert_allclose(gradient, 10.0 * X * WEIGHTS)
    assert value == pytest.approx(reads_globals(X))
    WEIGHTS[0] = 7.0
    try:
        assert derivative(X)[1][0] == pytest.approx(70.0 * X[0])
    finally:
        WEIGHTS[0] = 1.0


def test_e7_closures_are_read_live() -> None:
    k = 2.0

    def f(x):
        return k * x * x

    derivative = grad(f)
    assert derivative(0.5) == pytest.approx(2.0)
    k = 3.0
    assert derivative(0.5) == pytest.approx(3.0)


def callee(x):
    return x * x


def calls_a_global(x):
    return callee(x) * 2.0


def test_e6_a_rebound_callee_never_mixes_old_and_new(monkeypatch: pytest.MonkeyPatch) -> None:
    derivative = value_and_grad(calls_a_global)
    assert derivative(0.7)[1] == pytest.approx(2.8)
    monkeypatch.setitem(globals(), "callee", np.sin)
    value, gradient = derivative(0.7)
    old, new = (2 * 0.49, 2.8), (2 * np.sin(0.7), 2 * np.cos(0.7))
    assert (value, gradient) in [(pytest.approx(v), pytest.approx(g)) for v, g in (old, new)]


def late_binding(x):
    fs = []
    for k in range(3):
        fs.append(lambda v: v**k)
    return sum(f(x) for f in fs)


def test_e8_late_binding() -> None:
    check(late_binding, 0.7)


def test_e9_writes_of_active_values_to_an_outer_function_are_refused_or_seen() -> None:
    held = 0.0

    def f(x):
        nonlocal held
        held = x * x
        return held * x

    with pytest.raises(S2SError) as caught:
        grad(f)(0.7)
    assert caught.value.place is not None


def test_e10_captured_arrays_that_are_written_are_refused_or_right() -> None:
    buffer = np.zeros(3)

    def f(x):
        buffer[0] = x * x
        buffer[1] = buffer[0] * x
        return buffer[1]

    try:
        got = grad(f)(0.7)
    except S2SError as error:
        assert error.place is not None
        return
    assert got == pytest.approx(3 * 0.49)
    np.testing.assert_array_equal(buffer[2:], 0.0)


def signature(a, /, b, c=2.0, *rest, d, e=3.0, **more):
    total = a * b + c * d * e
    for r in rest:
        total = total + r * a
    for key in more:
        total = total + more[key] * b
    return total


def test_e12_every_kind_of_parameter() -> None:
    got = grad(signature, argnums=(0, 1))(0.5, 0.7, 1.1, 1.3, 1.7, d=0.3, z=0.9)
    assert got == (pytest.approx(0.7 + 1.3 + 1.7), pytest.approx(0.5 + 0.9))
    assert grad(signature, argnames="d")(0.5, 0.7, d=0.3) == pytest.approx(6.0)
    assert grad(signature, argnames=("b", "e"))(0.5, b=0.7, d=0.3) == (pytest.approx(0.5), pytest.approx(0.6))


DEFAULTS = [2.0]


def mutable_default(x, table=DEFAULTS, scale=RATE * 2.0):
    return x * x * table[0] * scale


def test_e13_defaults_are_the_objects_of_the_definition() -> None:
    assert grad(mutable_default)(0.5) == pytest.approx(8.0)


EVALUATED: list[int] = []


def annotation() -> type:
    EVALUATED.append(1)
    return float


def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


@logged
def annotated(x: annotation()) -> annotation():
    y: annotation() = x * x
    return y


def test_e14_annotations_and_decorators_are_not_run_again() -> None:
    before = len(EVALUATED)
    assert grad(annotated)(0.7) == pytest.approx(1.4)
    assert len(EVALUATED) == before


class Regressor:
    scale = 2.0

    def __init__(self, w):
        self.w = w
        self.__hidden = 1.5

    @property
    def norm(self):
        return np.sum(self.w * self.w)

    def predict(self, x):
        return self.scale * np.sum(self.w * x) * self.__hidden + self.norm

    @staticmethod
    def square(x):
        return x * x

    @classmethod
    def scaled(cls, x):
        return cls.scale * cls.square(x)


def test_e15_e16_methods_properties_and_mangled_names() -> None:
    model = Regressor(np.array([0.3, -0.8]))
    np.testing.assert_allclose(grad(model.predict)(np.array([0.7, 1.1])), 3.0 * model.w)
    assert grad(Regressor.scaled)(0.7) == pytest.approx(2.8)
    assert grad(Regressor.square)(0.7) == pytest.approx(1.4)


def ligature(ﬁ):
    Å = fi * 2.0  # noqa: F821
    return Å * fi  # noqa: F821


def test_e17_identifiers_are_normalised() -> None:
    assert grad(ligature)(0.7) == pytest.approx(2.8)


def test_e18_nothing_is_written_into_the_users_module() -> None:
    before = set(globals())
    grad(other_spellings)(X)
    assert set(globals()) == before


def test_e19_two_functions_of_one_name() -> None:
    def make(n):
        if n == 1:

            def f(x):
                return x * x

        else:

            def f(x):
                return np.sin(x)

        return f

    first, second = grad(make(1)), grad(make(2))
    assert (first(0.7), second(0.7), first(0.7)) == (pytest.approx(1.4), pytest.approx(np.cos(0.7)), pytest.approx(1.4))


def test_e20_future_flags(tmp_path: Any) -> None:
    path = tmp_path / "flags.py"
    path.write_text(
        "from __future__ import annotations\nfrom s2s_ad import grad\n\n\ndef f(x: Undefined) -> Nothing:\n"
        "    y: Missing = x * x\n    return y\n\n\nprint(grad(f)(1.5))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.strip() == "3.0", done.stderr

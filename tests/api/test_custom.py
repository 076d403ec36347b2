"""The user's own rules: registered in one form, refused when they do not fit.

Enters: functions and rules.  Leaves: the registry as it should be.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from s2s_ad import S2SError, SignatureError, adjoint_of, custom_jvp, custom_vjp
from s2s_ad.rules.registry import rule_for

pytestmark = pytest.mark.quick


def cube(x, power=3):
    return x**power


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    from s2s_ad.rules import registry

    monkeypatch.setattr(registry, "_RULES", dict(registry._RULES))


def test_adjoint_of_registers_and_returns_the_rule() -> None:
    def rule(x, y, y_bar, power=3):
        return power * x ** (power - 1) * y_bar

    assert adjoint_of(cube, samples=[(2.0,), (np.ones(3),)])(rule) is rule
    found = rule_for(cube)
    assert found.adjoint is rule and found.operands == ("x",) and found.options == {"power": 3}
    assert [sample.args[0] is not None for sample in found.samples()] == [True, True]


def test_a_refused_rule_changes_nothing() -> None:
    before = rule_for(np.sin)
    for rule in (lambda x, y: y, lambda x, z, y, y_bar: (y, y)):
        with pytest.raises(SignatureError):
            adjoint_of(np.sin)(rule)
    assert rule_for(np.sin) is before


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda x, w, z, z_bar: z_bar, "1 expressions for 2 operands"),
        (lambda x, w, z, z_bar: (z_bar, z_bar, z_bar), "3 expressions for 2 operands"),
        (lambda x, w, z, z_bar: (z_bar * w, np.ones(4)), "shape (4,) for operand 1"),
    ],
)
def test_rules_are_tried_on_their_samples(rule, words) -> None:
    def product(x, w):
        return x * w

    with pytest.raises(SignatureError) as error:
        adjoint_of(product, samples=[(np.ones((2, 3)), np.ones(3))])(rule)
    assert words in str(error.value) and error.value.remedy
    assert rule_for(product) is None


def test_too_many_operands() -> None:
    with pytest.raises(SignatureError, match=r"takes 3 operands .* its signature is \(x, power=3\)"):
        adjoint_of(cube)(lambda x, a, b, y, y_bar: (y, y, y))


def test_star_args_take_any_number() -> None:
    def total(*xs):
        return sum(xs)

    adjoint_of(total)(lambda x, y, z, z_bar: (z_bar, z_bar))
    assert rule_for(total).operands == ("x", "y")


@custom_vjp
def clipped(x):
    """Clipped."""
    return np.tanh(x)


def test_custom_vjp() -> None:
    assert clipped(0.0) == 0.0 and clipped.__name__ == "clipped" and clipped.__doc__ == "Clipped."
    assert not hasattr(clipped, "__wrapped__")

    @clipped.defadjoint
    def rule(x, y, y_bar):
        return np.clip(y_bar, -1.0, 1.0)

    assert rule_for(clipped).adjoint is rule
    assert copy.deepcopy(clipped) is clipped and pickle.loads(pickle.dumps(clipped)) is clipped


def test_custom_jvp_and_its_adjoint() -> None:
    @custom_jvp
    def f(x, y):
        return x * y

    @f.deftangent
    def tangent(x, y, z, x_dot, y_dot):
        return x_dot * y + x * y_dot

    assert rule_for(f).tangent is tangent
    with pytest.raises(S2SError, match="no adjoint"):
        rule_for(f).adjoint(1.0, 2.0, 2.0, 1.0)

    @f.defadjoint
    def rule(x, y, z, z_bar):
        return z_bar * y, z_bar * x

    assert rule_for(f).tangent is tangent and rule_for(f).adjoint is rule


@pytest.mark.parametrize("rule", [lambda x, y: y, lambda x, z, y_dot: y_dot, lambda x, y, z, y_dot, x_dot: z])
def test_tangent_rules_of_another_form_are_refused(rule) -> None:
    f = custom_jvp(lambda x, y: x * y)
    with pytest.raises(SignatureError, match="x_dot"):
        f.deftangent(rule)
    assert rule_for(f) is None

"""Every rule in the registry, on every one of its samples, against oracles that cannot share its error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import s2s_ad.rules  # noqa: F401  (registers every family)
from s2s_ad.rules import registry
from s2s_ad.rules.registry import Rule, Sample
from tests.rules import oracles

RULES = {registry.name_of(f): r for f, r in registry.all_rules().items()}
COMPOSITES = {registry.name_of(f): f for f in registry.all_composites()}
CASES = [pytest.param(r, s, id=f"{n}-{k}") for n, r in RULES.items() for k, s in enumerate(r.samples())]
SMOOTH = [p for p in CASES if p.values[1].smooth]  # type: ignore[union-attr]


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_has_at_least_four_samples(name: str) -> None:
    assert len(RULES[name].samples()) >= 4


@pytest.mark.parametrize("name", sorted(COMPOSITES))
def test_a_composite_has_samples_and_computes_what_its_primal_computes(name: str) -> None:
    definition, samples = registry.all_composites()[COMPOSITES[name]]
    assert len(samples()) >= 4
    for sample in samples():
        expected = COMPOSITES[name](*sample.args, **sample.kwargs)
        found = definition(*sample.args, **sample.kwargs)
        for a, b in zip(oracles.leaves(found), oracles.leaves(expected), strict=True):
            assert np.shape(a) == np.shape(b)
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(("rule", "sample"), SMOOTH)
def test_adjoint_agrees_with_central_differences(rule: Rule, sample: Sample) -> None:
    oracles.check_adjoint_by_differences(rule, sample)


@pytest.mark.parametrize(("rule", "sample"), SMOOTH)
def test_tangent_agrees_with_central_differences(rule: Rule, sample: Sample) -> None:
    assert oracles.check_tangent_by_differences(rule, sample), "the rule has no tangent"


@pytest.mark.parametrize(("rule", "sample"), CASES)
def test_forward_and_reverse_pair_alike(rule: Rule, sample: Sample) -> None:
    assert oracles.check_dot_product(rule, sample), "the rule has no tangent"


@pytest.mark.parametrize(("rule", "sample"), SMOOTH)
def test_single_precision(rule: Rule, sample: Sample) -> None:
    oracles.check_float32(rule, sample)


@pytest.mark.parametrize(("rule", "sample"), CASES)
def test_any_memory_layout(rule: Rule, sample: Sample) -> None:
    oracles.check_layouts(rule, sample)


@pytest.mark.parametrize(("rule", "sample"), CASES)
def test_options_are_known_to_the_rule(rule: Rule, sample: Sample) -> None:
    _, options = rule.bind(sample.args, sample.kwargs)
    assert not registry.unhandled_options(rule, options)


# ---- the oracles themselves ------------------------------------------------------------------------------------------


def _wrong(adjoint: Callable[..., Any], tangent: Callable[..., Any] | None = None) -> Rule:
    right = registry.all_rules()[np.multiply]
    kind = "multilinear" if tangent is None else "general"
    return Rule(
        np.multiply,
        adjoint,
        right.operands,
        "z",
        "z_bar",
        {},
        kind,
        tangent,
        lambda: (),  # type: ignore[arg-type]
    )


def _swapped(x: Any, y: Any, z: Any, z_bar: Any) -> Any:
    return z_bar * x, z_bar * y


def _sign(x: Any, y: Any, z: Any, z_bar: Any) -> Any:
    return z_bar * y, -z_bar * x


def _right(x: Any, y: Any, z: Any, z_bar: Any) -> Any:
    return z_bar * y, z_bar * x


def _half_tangent(x: Any, y: Any, z: Any, x_dot: Any, y_dot: Any) -> Any:
    return x_dot * y


PAIR = Sample((np.array([0.3, 1.7]), np.array([[2.1, 0.4], [1.1, 0.9]])))


@pytest.mark.parametrize("adjoint", [_swapped, _sign])
def test_wrong_adjoints_are_caught_by_differences_and_by_the_dot_product(adjoint: Callable[..., Any]) -> None:
    with pytest.raises(AssertionError):
        oracles.check_adjoint_by_differences(_wrong(adjoint), PAIR)
    with pytest.raises(AssertionError):
        oracles.check_dot_product(_wrong(adjoint), PAIR)


def test_a_wrong_tangent_is_caught_by_differences_and_by_the_dot_product() -> None:
    rule = _wrong(_right, _half_tangent)
    with pytest.raises(AssertionError):
        oracles.check_tangent_by_differences(rule, PAIR)
    with pytest.raises(AssertionError):
        oracles.check_dot_product(rule, PAIR)


def test_a_rule_that_depends_on_the_layout_is_caught() -> None:
    def layout(x: Any, y: Any, z: Any, z_bar: Any) -> Any:
        return z_bar * y * (1 if y.flags.c_contiguous else 2), z_bar * x

    with pytest.raises(AssertionError):
        oracles.check_layouts(_wrong(layout), PAIR)


def test_a_rule_that_fails_in_single_precision_is_caught() -> None:
    def single(x: Any, y: Any, z: Any, z_bar: Any) -> Any:
        return z_bar * (y if x.dtype == float else 0 * y), z_bar * x

    with pytest.raises(AssertionError):
        oracles.check_float32(_wrong(single), PAIR)

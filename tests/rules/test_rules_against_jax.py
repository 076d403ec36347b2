"""The adjoint of every rule against JAX's, where `jax.numpy` has the function: another derivation by other people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rules import oracles

import s2s_ad.rules  # noqa: F401
from s2s_ad.rules import registry
from s2s_ad.rules.registry import Rule, Sample

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy

_SPACES = ((np, jnp), (np.linalg, jnp.linalg), (np.fft, jnp.fft))


def _twin(primal: Any) -> Callable[..., Any] | None:
    for ours, theirs in _SPACES:
        name = getattr(primal, "__name__", "")
        if getattr(ours, name, None) is primal and hasattr(theirs, name):
            return getattr(theirs, name)
    return None


# What JAX does not take, or means otherwise: NumPy decides.
_OTHER = {"resize", "eig", "eigvals", "partition"}
# JAX symmetrises the matrix; here the triangle that is read has the cotangent. On Hermitian changes the two agree.
_HERMITIAN = {"cholesky", "eigh"}
CASES = [
    pytest.param(rule, sample, twin, id=f"{registry.name_of(primal)}-{k}")
    for primal, rule in registry.all_rules().items()
    if (twin := _twin(primal)) is not None and twin.__name__ not in _OTHER
    for k, sample in enumerate(rule.samples()[:3])
    if sample.smooth
]


@pytest.mark.parametrize(("rule", "sample", "twin"), CASES)
def test_adjoint_agrees_with_jax(rule: Rule, sample: Sample, twin: Callable[..., Any]) -> None:
    with np.errstate(all="ignore"):
        call = oracles.Call(rule, sample)
        y = call.value()
        y_bar = oracles.random_like(y, np.random.default_rng(3))
        ours = call.cotangents(y, y_bar)
    values = [call.at(path) for path in call.paths]

    def moved(*xs: Any) -> Any:
        args = call.args
        for path, x in zip(call.paths, xs, strict=True):
            args = call._replaced(path, x, args)
        return twin(*args, **call.kwargs)

    try:
        value, pullback = jax.vjp(moved, *[jnp.asarray(v) for v in values])
        theirs = pullback(jax.tree.map(lambda v, g: jnp.asarray(g, v.dtype), value, _like(value, y_bar)))
    except (TypeError, ValueError, NotImplementedError, IndexError, AttributeError) as error:
        pytest.skip(f"JAX takes another spelling: {error}")
    for path, expected in zip(call.paths, theirs, strict=True):
        if twin.__name__ in _HERMITIAN:
            ours[path], expected = _hermitian(ours[path]), _hermitian(np.asarray(expected))
        scale = 1 + float(np.max(np.abs(expected), initial=0.0))
        np.testing.assert_allclose(ours[path] / scale, np.asarray(expected) / scale, atol=1e-9)


def _hermitian(x_bar: Any) -> Any:
    return (x_bar + np.conj(np.swapaxes(x_bar, -1, -2))) / 2


def _like(value: Any, y_bar: Any) -> Any:
    leaves, tree = jax.tree.flatten(value)
    return jax.tree.unflatten(tree, oracles.leaves(y_bar)) if len(leaves) > 1 else y_bar

"""Rules for matrices, transforms and special functions against JAX's own derivatives, where JAX has the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from s2s_ad.rules import registry
from s2s_ad.rules.lookup import load_all_families
from s2s_ad.rules.registry import Sample
from tests.rules import oracles

jax = pytest.importorskip("jax")
scipy = pytest.importorskip("scipy")
jnp = pytest.importorskip("jax.numpy")
jsp = pytest.importorskip("jax.scipy")
for _name in ("linalg", "signal", "special"):
    pytest.importorskip(f"scipy.{_name}")
    pytest.importorskip(f"jax.scipy.{_name}")
load_all_families()

SYMMETRIC = {np.linalg.cholesky, np.linalg.eigh, scipy.linalg.cholesky, scipy.linalg.eigh}
FAMILIES = [
    (np.linalg, jnp.linalg, "inv det slogdet solve pinv eigh svd qr cholesky norm"),
    (np.fft, jnp.fft, "fft ifft rfft irfft fftn ifftn fft2 ifft2 fftshift ifftshift"),
    (scipy.linalg, jsp.linalg, "inv det cholesky expm"),
    (scipy.signal, jsp.signal, "convolve"),
    (
        scipy.special,
        jsp.special,
        "erf erfc erfinv ndtr ndtri log_ndtr expit logit gammaln digamma betaln gammainc",
    ),
    (scipy.special, jsp.special, "gammaincc entr rel_entr kl_div xlogy xlog1py i0 i0e i1 i1e spence logsumexp softmax"),
    (scipy.special, jsp.special, "log_softmax polygamma gamma beta"),
]
CASES = [
    pytest.param(getattr(ours, name), getattr(theirs, name), sample, id=f"{ours.__name__}.{name}-{k}")
    for ours, theirs, names in FAMILIES
    for name in names.split()
    for k, sample in enumerate(registry.all_rules()[getattr(ours, name)].samples())
    if sample.smooth and (ours is np.linalg or k < 2)
]


@pytest.mark.parametrize(("function", "reference", "sample"), CASES)
def test_the_adjoint_is_jax_s(function: Any, reference: Callable[..., Any], sample: Sample) -> None:
    rule = registry.all_rules()[function]
    call = oracles.Call(rule, sample)
    y = call.value()
    y_bar = oracles.random_like(y, np.random.default_rng(3))
    with jax.enable_x64(True):

        def on_jax(*values: Any) -> Any:
            args = list(call.args)
            for path, value in zip(call.paths, values, strict=True):
                args[path[0]] = value
            return reference(*args, **sample.kwargs)

        try:
            value, pull = jax.vjp(on_jax, *(jnp.asarray(call.at(path)) for path in call.paths))
        except (NotImplementedError, TypeError, ValueError) as error:
            pytest.skip(f"JAX does not take this call: {error}"[:120])
        for a, b in zip(jax.tree.leaves(value), oracles.parts(y), strict=True):
            if not np.allclose(a, b, rtol=1e-6, atol=1e-8):
                pytest.skip("JAX's value is another one (the sign or phase of a vector)")
        leaves = [jnp.asarray(b, a.dtype) for a, b in zip(jax.tree.leaves(value), oracles.parts(y_bar), strict=True)]
        expected = pull(jax.tree.unflatten(jax.tree.structure(value), leaves))
    with np.errstate(all="ignore"):
        found = call.cotangents(y, y_bar)
    for path, reference_bar in zip(call.paths, expected, strict=True):
        bar = found[path]
        if function in SYMMETRIC:  # JAX takes the mean of both triangles, NumPy reads one
            bar, reference_bar = (0.5 * (g + np.conj(g).mT) for g in (bar, np.asarray(reference_bar)))
        np.testing.assert_allclose(bar, reference_bar, rtol=2e-6, atol=1e-8)

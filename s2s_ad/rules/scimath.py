"""Rules for numpy.lib.scimath, whose results are complex where the real function is not defined.

Enters: real and complex arguments.  Leaves: the holomorphic derivatives; a real argument takes their real part.
"""

from __future__ import annotations

import numpy as np
from numpy.lib import scimath

from s2s_ad.rules.matrix_samples import call, cplx, real
from s2s_ad.rules.registry import adjoint_of, composite, derivative


def _everywhere():
    return [call(real(5)), call(-2.5), call(real(2, 3)), call(cplx(4)), call(np.array([0.3, 0.5, 0.9]))]


def _inside_and_out():
    return [call(np.array([0.5, -0.3, 2.5])), call(0.4), call(cplx(4)), call(np.array([[-1.5], [3.0]]))]


derivative(scimath.sqrt, "y_bar / (2 * y)", samples=_everywhere)
derivative(scimath.log, "y_bar / x", samples=_everywhere)
derivative(scimath.log2, f"y_bar / (x * {float(np.log(2))!r})", samples=_everywhere)
derivative(scimath.log10, f"y_bar / (x * {float(np.log(10))!r})", samples=_everywhere)
derivative(scimath.arcsin, "y_bar / np.cos(y)", samples=_inside_and_out)
derivative(scimath.arccos, "-y_bar / np.sin(y)", samples=_inside_and_out)
derivative(scimath.arctanh, "y_bar / (1 - x * x)", samples=_inside_and_out)


@composite(scimath.logn, samples=lambda: [call(2.0, real(4)), call(3.0, cplx(3)), call(-2.0, real(3)), call(2.5, 0.5)])
def logn(n, x):
    return scimath.log(x) / scimath.log(n)


@adjoint_of(
    scimath.power,
    kind="elementwise",
    samples=lambda: [
        call(real(4), 2, wrt=(0,)),
        call(real(4), 0.5, wrt=(0,)),
        call(real(2, 3), real(3)),
        call(cplx(3), 1.5),
        call(2.5, real(3)),
        call(real(3), -2, wrt=(0,)),
    ],
)
def power(x, p, z, z_bar):
    return z_bar * p * scimath.power(x, p - 1), z_bar * z * scimath.log(x)

"""Definitions in plain NumPy of scipy.linalg's special matrices and norms.

Enters: vectors and blocks.  Leaves: matrices made of them.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from s2s_ad.rules.matrix_samples import call, cplx, real
from s2s_ad.rules.registry import composite


@composite(
    scipy.linalg.block_diag,
    samples=lambda: [
        call(real(2, 3), real(1, 2)),
        call(real(2, 2), real(3), real(1, 1)),
        call(real(2, 3)),
        call(cplx(2, 2), real(2, 1)),
    ],
)
def block_diag(*arrs):
    blocks = [np.atleast_2d(block) for block in arrs]
    width = sum(block.shape[1] for block in blocks)
    rows = []
    start = 0
    for block in blocks:
        left = np.zeros((block.shape[0], start))
        right = np.zeros((block.shape[0], width - start - block.shape[1]))
        rows.append(np.concatenate([left, block, right], axis=1))
        start = start + block.shape[1]
    return np.concatenate(rows, axis=0)


@composite(
    scipy.linalg.norm,
    samples=lambda: [
        call(real(4)),
        call(real(3, 4), 1),
        call(real(3, 4), "fro", keepdims=True),
        call(real(3, 4), axis=0),
        call(cplx(3, 3), "nuc"),
    ],
)
def norm(a, ord=None, axis=None, keepdims=False, check_finite=True):
    return np.linalg.norm(a, ord, axis, keepdims)


@composite(
    scipy.linalg.toeplitz,
    samples=lambda: [call(real(4)), call(real(3), real(5)), call(real(4), real(2)), call(cplx(3))],
)
def toeplitz(c, r=None):
    first_row = np.conj(c) if r is None else r
    values = np.concatenate([c[::-1], first_row[1:]])
    offsets = len(c) - 1 - np.arange(len(c))[:, None] + np.arange(len(first_row))
    return values[offsets]


@composite(scipy.linalg.circulant, samples=lambda: [call(real(4)), call(real(1)), call(cplx(3)), call(real(5))])
def circulant(c):
    n = len(c)
    return c[(np.arange(n)[:, None] - np.arange(n)) % n]


@composite(
    scipy.linalg.hankel,
    samples=lambda: [call(real(4)), call(real(3), real(5)), call(real(4), real(2)), call(cplx(3))],
)
def hankel(c, r=None):
    last_row = np.zeros_like(c) if r is None else r
    values = np.concatenate([c, last_row[1:]])
    return values[np.arange(len(c))[:, None] + np.arange(len(last_row))]

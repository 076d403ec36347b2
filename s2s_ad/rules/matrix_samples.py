"""Inputs on which the rules for matrices are tested.

Enters: shapes.  Leaves: arrays from a fixed stream (no zeros, no symmetry but where it is asked for) and `Sample`s.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from s2s_ad.rules.registry import Sample


def call(*args: Any, wrt: tuple[int, ...] | None = None, smooth: bool = True, **kwargs: Any) -> Sample:
    """The sample `f(*args, **kwargs)`."""
    return Sample(args, kwargs, wrt, smooth)


def _stream(*key: Any) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def real(*shape: int, key: int = 0) -> np.ndarray:
    """Normal numbers, none of them near zero."""
    values = _stream(shape, key).normal(size=shape)
    return np.asarray(np.sign(values) * (np.abs(values) + 0.1))


def cplx(*shape: int, key: int = 0) -> np.ndarray:
    return real(*shape, key=key) + 1j * real(*shape, key=key + 1000)


def positive(*shape: int, key: int = 0, low: float = 0.2, high: float = 2.0) -> np.ndarray:
    return np.asarray(_stream(shape, key).uniform(low, high, size=shape))


def square(*shape: int, key: int = 0) -> np.ndarray:
    """Well-conditioned general matrices, shape (..., n, n)."""
    return np.asarray(real(*shape, key=key) + 2.5 * np.eye(shape[-1]))


def csquare(*shape: int, key: int = 0) -> np.ndarray:
    return np.asarray(cplx(*shape, key=key) + 2.5 * np.eye(shape[-1]))


def spd(*shape: int, key: int = 0) -> np.ndarray:
    """Symmetric positive definite matrices with distinct eigenvalues."""
    root = real(*shape, key=key)
    return np.asarray(root @ root.mT + np.diag(0.5 + np.arange(shape[-1])))


def hpd(*shape: int, key: int = 0) -> np.ndarray:
    root = cplx(*shape, key=key)
    return np.asarray(root @ np.conj(root.mT) + np.diag(0.5 + np.arange(shape[-1])))

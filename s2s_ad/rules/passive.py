"""Functions through which no derivative flows: comparisons, tests, indices, counts, and arrays made of constants.

Enters: nothing.  Leaves: entries in the registry.

Zero is the derivative of what they give, or what they give is no real number. Step functions are in `kinks`.
"""

from __future__ import annotations

import math

import numpy as np

from s2s_ad.rules.registry import passive

# Comparisons, logic, bits
passive(
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_xor, np.logical_not),
    *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.bitwise_count, np.invert, np.left_shift, np.right_shift),
    *(np.all, np.any, np.allclose, np.isclose, np.array_equal, np.array_equiv, np.isin, np.gcd, np.lcm),
)

# Tests of numbers and of types
passive(
    *(np.isfinite, np.isinf, np.isnan, np.isneginf, np.isposinf, np.signbit, np.isnat),
    *(np.isreal, np.iscomplex, np.isrealobj, np.iscomplexobj, np.isscalar, np.isfortran, np.shares_memory),
    *(np.can_cast, np.common_type, np.result_type, np.promote_types, np.min_scalar_type, np.may_share_memory),
    *(np.finfo, np.iinfo, np.dtype, np.issubdtype),
)

# Indices, orders, counts
passive(
    *(np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition, np.argwhere, np.lexsort),
    *(np.nonzero, np.flatnonzero, np.count_nonzero, np.searchsorted, np.digitize),
    *(np.unravel_index, np.ravel_multi_index, np.ix_, np.indices, np.diag_indices, np.diag_indices_from),
    *(np.tril_indices, np.tril_indices_from, np.triu_indices, np.triu_indices_from, np.mask_indices),
    *(np.ndim, np.shape, np.size, np.broadcast_shapes, np.linalg.matrix_rank, np.einsum_path),
)

# Arrays of constants
passive(
    *(np.zeros, np.ones, np.empty, np.zeros_like, np.ones_like, np.empty_like, np.eye, np.identity, np.tri),
    *(np.arange, np.hanning, np.hamming, np.blackman, np.bartlett),
)

# Python's own
passive(
    *(len, range, int, bool, str, repr, print, isinstance, callable, type, id, hash, format),
    *(math.isfinite, math.isinf, math.isnan, math.isclose, math.floor, math.ceil, math.trunc),
    *(math.gcd, math.lcm, math.factorial, math.comb, math.perm, math.isqrt, math.nextafter, math.ulp),
)


def _methods(*ufuncs: np.ufunc) -> None:
    for ufunc in ufuncs:
        passive(ufunc.outer, ufunc.reduce, ufunc.accumulate)


_methods(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
_methods(np.logical_and, np.logical_or, np.logical_xor, np.bitwise_and, np.bitwise_or, np.bitwise_xor)
_methods(np.left_shift, np.right_shift, np.gcd, np.lcm, np.floor_divide)

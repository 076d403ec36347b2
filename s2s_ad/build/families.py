"""Which functions may be called on samples, and what a sample call tells of the type of the result.

Enters: nothing.  Leaves: sets of functions. A function in none of them is never called.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from s2s_ad.ir.types import FLOAT, INT, TupleOf


def _named(module: Any, names: str) -> set[Any]:
    return {getattr(module, name) for name in names.split() if hasattr(module, name)}


# One result entry an entry of the broadcast operands. Every ufunc without a signature belongs here too.
ELEMENTWISE: Final = (
    _named(
        operator,
        "add sub mul truediv floordiv mod pow neg pos abs invert inv and_ or_ xor lshift rshift lt le eq ne gt ge",
    )
    | _named(
        np,
        "where clip round around round_ fix nan_to_num real imag angle sinc i0 isclose isneginf isposinf "
        "iscomplex isreal astype bool_ int8 int16 int32 int64 intp uint8 uint16 uint32 uint64 float16 float32 "
        "float64 complex64 complex128",
    )
    | _named(np.ndarray, "astype clip round conj conjugate __abs__ __neg__")
    | {abs, divmod, pow, round}
)
BROADCAST_OPTIONS: Final = frozenset(
    {"x", "y", "a", "b", "x1", "x2", "min", "max", "a_min", "a_max", "val", "z", "where"}
)

# The sizes of the result depend on the sizes of the operands and on constant options alone.
SIZED: Final = (
    _named(
        np,
        "sum prod mean std var max min amax amin any all argmax argmin median ptp average percentile quantile "
        "nansum nanprod nanmean nanstd nanvar nanmax nanmin nanargmax nanargmin nanmedian nanpercentile "
        "nanquantile count_nonzero trace trapezoid cumsum cumprod nancumsum nancumprod cumulative_sum "
        "cumulative_prod diff ediff1d gradient sort argsort partition argpartition flip fliplr flipud roll "
        "rot90 transpose permute_dims matrix_transpose swapaxes moveaxis rollaxis squeeze expand_dims "
        "atleast_1d atleast_2d atleast_3d tril triu diag diagflat diagonal vander tri meshgrid outer kron "
        "cross inner dot vdot matmul tensordot convolve correlate interp searchsorted digitize cov corrcoef "
        "polyval unwrap isin array asarray ascontiguousarray asfortranarray asanyarray copy shape ndim size "
        "allclose array_equal array_equiv iscomplexobj isrealobj isscalar take take_along_axis pad resize "
        "tile repeat broadcast_arrays broadcast_to reshape ravel concatenate concat append hstack vstack "
        "dstack column_stack stack block einsum split array_split hsplit vsplit dsplit select choose "
        "histogram hanning hamming bartlett blackman kaiser zeros_like ones_like empty_like full_like "
        "fill_diagonal put_along_axis copyto put place putmask",
    )
    | _named(
        np.linalg,
        "inv pinv solve det slogdet cholesky qr svd svdvals eigh eigvalsh norm vector_norm matrix_norm "
        "matrix_power multi_dot matrix_rank cond tensorinv tensorsolve cross outer trace diagonal matmul "
        "vecdot tensordot matrix_transpose",
    )
    | _named(
        np.fft, "fft ifft fft2 ifft2 fftn ifftn rfft irfft rfft2 irfft2 rfftn irfftn hfft ihfft fftshift ifftshift"
    )
    | _named(
        np.ndarray,
        "sum prod mean std var max min any all argmax argmin trace cumsum cumprod sort argsort partition "
        "argpartition transpose swapaxes squeeze copy diagonal take repeat reshape ravel flatten dot "
        "searchsorted item fill put choose resize",
    )
)

# Sizes that the operands' values decide as well: sample calls tell the rank and the dtype.
RANKED: Final = (
    _named(
        np,
        "nonzero flatnonzero argwhere unique unique_values union1d intersect1d setdiff1d setxor1d extract "
        "compress trim_zeros bincount polyfit histogram2d delete insert ix_ polyadd polysub polymul polyder "
        "polyint arange",
    )
    | _named(np.ndarray, "nonzero compress")
    | _named(np.linalg, "lstsq")
)

# Run-time integers give these their sizes, and sample calls vary them.
SIZED_BY_INTEGERS: Final = _named(
    np, "zeros ones empty full eye identity tri linspace logspace geomspace indices"
) | _named(np.fft, "fftfreq rfftfreq")

# The sizes of these do not depend on any integer among the operands.
FOR_ANY_INTEGER: Final = SIZED_BY_INTEGERS | _named(
    np,
    "roll tril triu interp zeros_like ones_like full_like empty_like searchsorted digitize array asarray "
    "stack concatenate hstack vstack append polyval shape size ndim full_like meshgrid isin copy",
)

# Constant integers may ask these for much memory.
GENEROUS: Final = SIZED_BY_INTEGERS | _named(np, "tile repeat pad resize vander diag diagflat") | {np.ndarray.repeat}

# The dtype of the first operand, in the dimensions that a shape rule gives; samples seldom have fitting sizes.
RESHAPING: Final = {np.reshape, np.ndarray.reshape, np.broadcast_to}

# The dtype of the result depends on the operands' values: nothing is known but that it is a number.
BY_VALUE: Final = _named(np.linalg, "eig eigvals") | _named(np, "roots poly real_if_close")

TO_FLOAT: Final = _named(
    math,
    "acos acosh asin asinh atan atan2 atanh cbrt copysign cos cosh degrees dist erf erfc exp exp2 expm1 fabs "
    "fma fmod fsum gamma hypot ldexp lgamma log log10 log1p log2 nextafter pow radians remainder sin sinh "
    "sqrt tan tanh ulp",
) | {float}
TO_INTEGER: Final = _named(math, "ceil comb factorial floor gcd isqrt lcm perm trunc") | {
    int,
    len,
    operator.index,
    operator.length_hint,
    ord,
    hash,
    id,
}
TO_BOOL: Final = _named(math, "isclose isfinite isinf isnan") | {
    bool,
    isinstance,
    issubclass,
    hasattr,
    callable,
    any,
    all,
    operator.not_,
    operator.truth,
    operator.is_,
    operator.is_not,
    operator.contains,
}
TO_TWO: Final = {math.modf: TupleOf((FLOAT, FLOAT)), math.frexp: TupleOf((FLOAT, INT))}
TO_OBJECT: Final = {str, repr, print, format, type, bytes, vars, iter, object, open, input}

SIZED_SCIPY: Final = {
    "scipy.linalg": "inv pinv solve solve_triangular det cholesky cho_solve cho_factor lu lu_factor lu_solve "
    "qr svd svdvals eigh eigvalsh expm toeplitz circulant block_diag norm solve_banded solveh_banded hankel",
    "scipy.special": "logsumexp softmax log_softmax",
    "scipy.fft": "fft ifft fft2 ifft2 fftn ifftn rfft irfft dct idct dst idst dctn idctn",
    "scipy.integrate": "trapezoid simpson cumulative_trapezoid cumulative_simpson",
}


def is_elementwise(function: Any) -> bool:
    if isinstance(function, np.ufunc):
        return function.signature is None
    return function in ELEMENTWISE


def is_sized(function: Any) -> bool:
    if (
        function in SIZED
        or function in SIZED_BY_INTEGERS
        or function is operator.matmul
        or isinstance(function, np.ufunc)
    ):
        return True
    if isinstance(getattr(function, "__self__", None), np.ufunc):
        return function.__name__ in ("reduce", "accumulate", "outer")
    return _in_scipy(function)


def _in_scipy(function: Any) -> bool:
    name = getattr(function, "__name__", "")
    if not str(getattr(function, "__module__", "")).startswith("scipy."):
        return False
    modules: Iterable[str] = (module for module, names in SIZED_SCIPY.items() if name in names.split())
    return any(getattr(sys.modules.get(module), name, None) is function for module in modules)


def is_numeric_library(function: Any) -> bool:
    """Whether this is NumPy's or SciPy's own, so that its results are numbers and arrays as a rule."""
    module = getattr(function, "__module__", None) or getattr(getattr(function, "__objclass__", None), "__module__", "")
    return str(module).split(".")[0] in ("numpy", "scipy") and "random" not in str(module)


def is_ranked(function: Any) -> bool:
    return function in RANKED or function is np.where

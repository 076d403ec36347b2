"""Whether a value is of a type: the judge of every type rule.

Enters: a type and a run-time value.  Leaves: yes or no.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from s2s_ad.build.inference import FRESH, map_dims
from s2s_ad.ir.types import Array, Dim, ListOf, N, Opaque, Scalar, TupleOf, Type, Unknown


def admits(type_: Type, value: Any, *, exact: bool = True, sizes: dict[str, int] | None = None) -> bool:
    """Whether `value` is of `type_`. `sizes` collects what each "?k" stands for, over several calls.

    A type that joins others says less than it seems to: with `exact=False` a number may be of a narrower dtype.
    """
    sizes = {} if sizes is None else sizes
    match type_:
        case Opaque():
            return True
        case Unknown(dtype):
            found = _numeric_dtype(value)
            return found is not None and (dtype is None or dtype == found)
        case Scalar(dtype, weak):
            return _admits_number(dtype, weak, value, exact)
        case Array(dtype, dims):
            same = isinstance(value, np.ndarray) and (value.dtype == dtype) and value.ndim == len(dims)
            return same and all(_admits_size(dim, n, sizes) for dim, n in zip(dims, value.shape, strict=True))
        case TupleOf(items):
            same = isinstance(value, tuple | list) and len(value) == len(items)
            return same and all(admits(t, v, exact=exact, sizes=sizes) for t, v in zip(items, value, strict=True))
        case ListOf(item):
            return isinstance(value, list) and all(
                item is not None and admits(map_dims(item, _anonymous), entry, exact=exact, sizes={}) for entry in value
            )


def _anonymous(dim: Dim) -> Dim:
    return dim if dim in (1, N) else FRESH


def _numeric_dtype(value: Any) -> np.dtype | None:
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc":
        return value.dtype
    return np.dtype(type(value)) if type(value) in (bool, int, float, complex) else None


def _admits_number(dtype: np.dtype, weak: bool, value: Any, exact: bool) -> bool:
    found = _numeric_dtype(value)
    if found is None or isinstance(value, np.ndarray):
        return False
    if not exact:
        return np.can_cast(found, dtype)
    return found == dtype and weak != isinstance(value, np.generic)


def _admits_size(dim: Dim, size: int, sizes: dict[str, int]) -> bool:
    if dim == 1:
        return size == 1
    if dim == N:
        return size != 1
    return str(dim).startswith(FRESH) or sizes.setdefault(str(dim), size) == size

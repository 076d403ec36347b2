"""Calls whose answer is in the type of their argument.

Enters: a function and its abstract arguments.  Leaves: what the call gives, known without running it, or None.

    np.iscomplexobj(a)   for a: float64[N, N]   ->   False            np.conj(a), in a rule   ->   a
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.build.values import Abs, Known, Num
from s2s_ad.ir.types import Array, Scalar, Unknown

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


def answered_by_type(b: Builder, fn: Any, args: list[Abs], kwargs: dict[str, Abs]) -> Abs | None:
    if len(args) != 1 or kwargs or not isinstance(args[0], Num):
        return None
    type_ = args[0].type
    if fn is np.ndim and isinstance(type_, Array | Scalar):
        return Known(len(type_.dims) if isinstance(type_, Array) else 0)
    dtype = type_.dtype if isinstance(type_, Array | Scalar | Unknown) else None
    if dtype is None:
        return None
    if fn is np.iscomplexobj:
        return Known(dtype.kind == "c")
    if fn is np.isrealobj:
        return Known(dtype.kind != "c")
    # In a user's program these may be copies that are written to; a rule writes to nothing.
    if b.in_rule and fn in (np.conjugate, np.real) and dtype.kind in "biuf":
        return args[0]
    return None

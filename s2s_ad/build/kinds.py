"""Which values may share a name in the emitted program.

Enters: a type.  Leaves: its kind: a cotangent is kept in one form for all values of one kind.
"""

from __future__ import annotations

from typing import Any

from s2s_ad.ir.types import Array, Scalar, Type


def kind_of(type_: Type) -> Any:
    """What decides the shape of a cotangent: values of one kind may share a name."""
    match type_:
        case Array(dtype, dims):
            return ("array", dtype.kind if dtype.kind in "fc" else "i", dtype.itemsize, len(dims))
        case Scalar():
            return "number"
    return type(type_).__name__

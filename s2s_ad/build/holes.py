"""Stand-ins for values that are kept before there is one, and never used.

Enters: a type.  Leaves: an expression of that type.
"""

from __future__ import annotations

import numpy as np

from s2s_ad.ir.nodes import Call, Const, Display, Expr, number
from s2s_ad.ir.types import INT, Array, ListOf, Scalar, TupleOf, Type, Unknown


def hole(type_: Type) -> Expr:
    """What a name holds that is recorded before it has a value: something of its type, which is never used."""
    match type_:
        case Scalar(dtype):
            return number({"b": False, "i": 0, "u": 0, "f": 0.0}.get(dtype.kind, 0j))
        case Array(dtype, dims):
            sizes = Display("tuple", (number(0),) * len(dims), TupleOf((INT,) * len(dims)))
            return Call(np.zeros, (number(0) if len(dims) == 1 else sizes,), (), type_)
        case ListOf():
            return Display("list", (), type_)
        case Unknown():
            return Call(np.zeros, (Display("tuple", (), TupleOf(())),), (), type_)
    return Const(None)

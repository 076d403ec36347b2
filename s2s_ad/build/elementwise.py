"""The type of elementwise calls: the dtype by one small sample call, the dimensions by broadcasting.

Enters: a ufunc, an operator or the like, and operands.  Leaves: `elementwise_type`.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import Any

import numpy as np

from s2s_ad.build import families
from s2s_ad.build.dims import Dims, broadcast_dims
from s2s_ad.build.inference import type_from
from s2s_ad.build.sampled import Options, as_array, sampled_type, type_of
from s2s_ad.build.sampling import Sizes, outcome_of
from s2s_ad.build.shapes import Undecided, dims_of
from s2s_ad.ir.types import INT, Array, Extent, Known, ListOf, N, Operand, Scalar, TupleOf, Type, Unknown


def elementwise_type(function: Any, args: tuple[Operand, ...], kwargs: Options) -> Type | None:
    if isinstance(function, np.ufunc) and len(args) > function.nin:
        outputs = [arg for arg in args[function.nin :] if arg != Known(None)]
        if outputs:
            return type_of_out(outputs[0]) if len(outputs) == 1 else Unknown()
    if any(map(_is_sequence, args)):
        if _of_plain_python(function, args):
            return sampled_type(function, args, kwargs)
        args = tuple(as_array(arg) if _is_sequence(arg) else arg for arg in args)
    broadcast = [*args, *(o for name, o in kwargs.items() if name in families.BROADCAST_OPTIONS)]
    try:
        dims = broadcast_dims(*(dims_of(operand) for operand in broadcast))
    except Undecided:
        return Unknown()
    if function in (operator.pow, pow) and _power_by_value(args):
        return Unknown()
    if function in (operator.pow, pow) and isinstance(args[-1], Scalar) and args[-1].weak:
        # NumPy squares for the exponent 2, which gives another dtype for bools.
        trials = {elementwise_type(function, (args[0], Known(args[-1].dtype.type(n).item())), kwargs) for n in (2, 3)}
        return trials.pop() if len(trials) == 1 else Unknown()
    template = _elementwise_template(
        function, tuple(map(_entry, args)), tuple((name, _entry(operand)) for name, operand in kwargs.items())
    )
    return None if template is None else _with_dims(template, dims)


def _is_sequence(operand: Operand) -> bool:
    return isinstance(operand, tuple | list | TupleOf | ListOf) or (
        isinstance(operand, Known) and isinstance(operand.value, tuple | list)
    )


def _of_plain_python(function: Any, args: tuple[Operand, ...]) -> bool:
    """Whether lists or tuples meet nothing of NumPy's, so that `+` joins them."""
    of_numpy = any(isinstance(arg, Array) or (isinstance(arg, Scalar) and not arg.weak) for arg in args)
    return not of_numpy and not families.is_numeric_library(function) and not isinstance(function, np.ufunc)


def _power_by_value(args: tuple[Operand, ...]) -> bool:
    """Python's `2 ** n` is an int for n >= 0 and a float otherwise."""
    kinds = [type_of(arg) for arg in args[:2]]
    exponent = args[1] if len(args) > 1 else None
    if isinstance(exponent, Known | Extent):
        return False
    return len(args) == 2 and all(isinstance(k, Scalar) and k.weak and k.dtype.kind == "i" for k in kinds)


def _entry(operand: Operand) -> Operand:
    match operand:
        case Array(dtype, dims):
            return Array(dtype, (N,) if dims else ())
        case Extent():
            return INT
    return operand


@lru_cache(maxsize=8192)
def _elementwise_template(
    function: Any, args: tuple[Operand, ...], options: tuple[tuple[str, Operand], ...]
) -> Type | None:
    outcome = outcome_of(function, args, dict(options), Sizes(lambda _: 2, lambda _, __: 2))
    if outcome is None:
        return None if function is divmod or getattr(function, "nout", 1) > 1 else Unknown()
    return type_from([outcome], sizes_tell=False)


def _with_dims(template: Type, dims: Dims) -> Type:
    match template:
        case TupleOf(items):
            return TupleOf(tuple(_with_dims(item, dims) for item in items))
        case Array(dtype, old) if bool(old) == bool(dims):
            return Array(dtype, dims)
        case Scalar() if not dims:
            return template
        case Scalar(dtype) | Array(dtype):
            return Unknown(dtype)
    return template


def type_of_out(out: Operand) -> Type | None:
    match out:
        case Array():
            return out
        case TupleOf((item,)) | (item,) if isinstance(item, Array):
            return item
    return Unknown()

"""The type of a call by its sample calls and its shape rule.

Enters: a function that is known to be safe to call, and operands.  Leaves: `sampled_type`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from s2s_ad.build import families
from s2s_ad.build.dims import Dims
from s2s_ad.build.inference import FRESH, Slots, fresh, type_from
from s2s_ad.build.sampling import Outcome, Unsampled, has_run_time_integer, outcomes_of
from s2s_ad.build.shapes import Call, Undecided, shape_rule
from s2s_ad.ir.types import (
    INT,
    Array,
    Dim,
    Extent,
    Known,
    ListOf,
    N,
    Operand,
    Scalar,
    TupleOf,
    Type,
    Unknown,
    type_of_value,
)

Options = dict[str, Operand]


def sampled_type(function: Any, args: tuple[Operand, ...], kwargs: Options) -> Type | None:
    operands = [*args, *kwargs.values()]
    if function in families.BY_VALUE:
        found = type_from(outcomes_of(function, args, kwargs), sizes_tell=False)
        return Unknown() if found is None else _without_dtypes(found)
    sized, ranked = families.is_sized(function), families.is_ranked(function)
    plain = families.is_elementwise(function)
    if not (sized or ranked or plain):
        return Unknown() if families.is_numeric_library(function) else None
    rule_dims = _dims_by_rule(function, args, kwargs)
    if function in families.RESHAPING:
        return _reshaped(args, kwargs, rule_dims)
    if function in families.GENEROUS:
        args, kwargs = tuple(map(_modest, args)), {name: _modest(operand) for name, operand in kwargs.items()}
    outcomes = outcomes_of(function, args, kwargs)
    sure = function in families.FOR_ANY_INTEGER or not has_run_time_integer(operands)
    telling = sized and sure and not _names_a_method(function, kwargs, args)
    found = type_from(outcomes, sizes_tell=telling)
    if found is None:
        return Unknown() if families.is_numeric_library(function) else None
    if rule_dims is None or not isinstance(found, Array):
        return found
    return Array(found.dtype, _checked(rule_dims, found.dims, outcomes))


def _names_a_method(function: Any, kwargs: Options, args: tuple[Operand, ...]) -> bool:
    """`np.histogram(x, "auto")` counts its bins by the data."""
    return function is np.histogram and any(
        isinstance(o, Known) and isinstance(o.value, str) for o in (*args, *kwargs.values())
    )


def _dims_by_rule(function: Any, args: tuple[Operand, ...], kwargs: Options) -> Dims | None:
    rule = shape_rule(function)
    if rule is None:
        return None
    try:
        dims = rule(Call(args, kwargs))
    except (Undecided, ArithmeticError, ValueError, TypeError, IndexError, KeyError):
        return None
    return tuple(fresh(k) if dim == FRESH else dim for k, dim in enumerate(dims))


def _reshaped(args: tuple[Operand, ...], kwargs: Options, dims: Dims | None) -> Type | None:
    base = type_of(args[0]) if args else None
    if isinstance(base, TupleOf | ListOf):
        base = type_of(as_array(base))
    if not isinstance(base, Scalar | Array):
        return Unknown()
    return Unknown(base.dtype) if dims is None else Array(base.dtype, dims)


def _checked(rule: Dims, found: Dims, outcomes: list[Outcome]) -> Dims:
    """What the rule says, as far as no sample contradicts it."""
    if len(rule) != len(found):
        return tuple(fresh(k) for k in range(len(found)))

    def holds(axis: int, dim: Dim) -> bool:
        return all(_size_holds(dim, outcome.value.shape[axis], outcome.slots) for outcome in outcomes)

    return tuple(dim if holds(k, dim) else fresh(k) for k, dim in enumerate(rule))


def _size_holds(dim: Dim, size: int, slots: Slots) -> bool:
    if dim == 1:
        return size == 1
    if dim == N:
        return size != 1
    return all(size == expected for token, expected in slots if token == dim)


def _modest(operand: Operand) -> Operand:
    """Large constant sizes are made small for a sample call: neither is one."""
    match operand:
        case Known(value) if type(value) is int and 64 < value < 2**62:
            return Known(64)
        case Known(tuple(items)):
            return tuple(_modest(Known(item)) for item in items)
        case tuple(items):
            return tuple(map(_modest, items))
    return operand


def type_of(operand: Operand) -> Type | None:
    if isinstance(operand, Known):
        return type_of_value(operand.value)
    if isinstance(operand, Extent):
        return Scalar(INT.dtype, size=operand.dim)
    if isinstance(operand, tuple | list):
        items = tuple(map(type_of, operand))
        return None if None in items else TupleOf(items)  # type: ignore[arg-type]
    return operand


def as_array(operand: Operand) -> Operand:
    type_ = sampled_type(np.asarray, (operand,), {})
    if not isinstance(type_, Array):
        raise Unsampled
    return type_


def _without_dtypes(type_: Type) -> Type:
    return TupleOf(tuple(map(_without_dtypes, type_.items))) if isinstance(type_, TupleOf) else Unknown()

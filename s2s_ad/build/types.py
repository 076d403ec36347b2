"""The type of what a library function returns, inferred by asking NumPy itself.

Enters: a function of NumPy, SciPy, `math`, `operator` or the builtins; operands: types of run-time values, constants.
Leaves: `result_type`, and `admits`, which says whether a value is of a type.

Sample operands of the operands' types are made, the function is called on them, and what comes back is read. Sizes are
read only off functions that are known to decide them by sizes alone; all others get fresh unknown sizes. A list of
unknown length, and what Python's `sum` goes over, are taken to hold something, and a power of Python floats to be real.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from itertools import product
from typing import Any

import numpy as np

from s2s_ad.build import families
from s2s_ad.build.admission import admits
from s2s_ad.build.elementwise import elementwise_type, type_of_out
from s2s_ad.build.inference import fresh, has_fresh, map_dims, named
from s2s_ad.build.sampled import Options, sampled_type, type_of
from s2s_ad.build.sampling import PYTHON_OPERATORS, Unsampled
from s2s_ad.ir.types import (
    BOOL,
    COMPLEX,
    FLOAT,
    INT,
    OPAQUE,
    Array,
    Dim,
    Extent,
    Known,
    ListOf,
    N,
    Opaque,
    Operand,
    Scalar,
    TupleOf,
    Type,
    Unknown,
    join,
    type_of_value,
)

__all__ = ["admits", "result_type"]

_CACHE: dict[Any, tuple[Type | None, bool]] = {}
_CACHE_LIMIT = 20_000
_WEAK = {FLOAT.dtype: FLOAT, INT.dtype: INT, BOOL.dtype: BOOL, COMPLEX.dtype: COMPLEX}
_ANY_DTYPE = tuple(map(np.dtype, ("f8", "f4", "i8", "c16")))


def result_type(function: Any, args: tuple[Operand, ...], kwargs: Options, hint: str) -> Type | None:
    """The type of `function(*args, **kwargs)`; None where nothing can be said. `hint` names fresh unknown sizes."""
    key: Any = (function, args, *kwargs.items()) if kwargs else (function, args)
    try:
        found = _CACHE.get(key)
    except TypeError:  # a list among the operands
        key = found = None
    if found is None:
        template = _infer(function, tuple(map(_normal, args)), {name: _normal(o) for name, o in kwargs.items()})
        found = template, template is not None and has_fresh(template)
        if key is not None:
            if len(_CACHE) > _CACHE_LIMIT:
                _CACHE.clear()
            _CACHE[key] = found
    template, unnamed = found
    if template is None or not unnamed:
        return template
    return named(template, hint, _used((*args, *kwargs.values())))


def _normal(operand: Operand) -> Operand:
    """The operand as inference takes it. Constant arrays are like any others: they may be written to."""
    match operand:
        case Scalar(size=1):
            return Known(1)
        case Scalar(size=size) if size is not None:
            return Extent(size)
        case TupleOf(items):
            return tuple(map(_normal, items))
        case Known(value) if isinstance(value, np.ndarray | np.generic) and not isinstance(value, np.bool_):
            return type_of_value(value)
        case tuple(items):
            return tuple(map(_normal, items))
        case list(items):
            return list(map(_normal, items))
    return operand


def _used(operands: Iterable[Operand]) -> Iterable[Dim]:
    for operand in operands:
        match operand:
            case Array(_, dims):
                yield from dims
            case Scalar(size=size) if size is not None:
                yield size
            case Extent(dim):
                yield dim
            case TupleOf(items) | tuple(items) | list(items):
                yield from _used(items)
            case ListOf(item) if item is not None:
                yield from _used((item,))


def _infer(function: Any, args: tuple[Operand, ...], kwargs: Options) -> Type | None:
    try:
        hash(function)
    except TypeError:
        return None
    if function in PYTHON_OPERATORS:
        if isinstance(args[0], Array | ListOf):
            return args[0]  # changed in place
        function = PYTHON_OPERATORS[function]
    if (plain := _of_python(function, args, kwargs)) is not None:
        return plain
    if kwargs.get("out", Known(None)) != Known(None):
        return type_of_out(kwargs["out"])
    if _contains(args, kwargs, Opaque):
        return None
    if _contains(args, kwargs, Unknown):
        return _of_unknown(function, args, kwargs)
    try:
        if families.is_elementwise(function) and (function is not np.where or len(args) + len(kwargs) == 3):
            return elementwise_type(function, args, kwargs)
        return sampled_type(function, args, kwargs)
    except Unsampled:
        return Unknown() if families.is_numeric_library(function) else None


def _contains(args: Iterable[Operand], kwargs: Options, kind: type) -> bool:
    stack = [*args, *kwargs.values()]
    while stack:
        match stack.pop():
            case TupleOf(items) | tuple(items) | list(items):
                stack.extend(items)
            case ListOf(item):
                stack.append(OPAQUE if item is None else item)
            case other if isinstance(other, kind):
                return True
    return False


def _of_python(function: Any, args: tuple[Operand, ...], kwargs: Options) -> Type | None:
    if function in families.TO_FLOAT:
        return FLOAT
    if function in (len, np.shape) and len(args) == 1 and isinstance(args[0], Array) and args[0].dims:
        sizes = tuple(Scalar(INT.dtype, size=dim) for dim in args[0].dims)
        return sizes[0] if function is len else TupleOf(sizes)
    if function in families.TO_INTEGER:
        return INT
    if function in families.TO_BOOL:
        return BOOL
    if function in families.TO_OBJECT:
        return OPAQUE
    if function in families.TO_TWO:
        return families.TO_TWO[function]
    if function is complex:
        return COMPLEX
    if function is sum and args:
        return _sum(_normal_items(args[0]), args[1] if len(args) > 1 else kwargs.get("start", INT))
    if function in (min, max) and args:
        return _extreme(args, kwargs)
    return None


def _normal_items(operand: Operand) -> Operand:
    if isinstance(operand, Known) and isinstance(operand.value, tuple | list):
        return tuple(map(Known, operand.value))
    return operand


def _element(iterable: Operand) -> Type | None:
    """The type of every item of an iterable of unknown length."""
    match iterable:
        case Array(dtype, (_,)):
            return Scalar(dtype, weak=False)
        case Array(dtype, (_, *dims)):
            return Array(dtype, tuple(dims))
        case ListOf(item):
            return item
    return None


def _sum(iterable: Operand, start: Operand) -> Type | None:
    total: Any = start
    match iterable:
        case TupleOf(items) | tuple(items) | list(items):
            for item in items:
                total = _infer(operator.add, (total, item), {})
                if total is None:
                    return None
            return type_of(total)
    entry = _element(iterable)
    once = None if entry is None else _infer(operator.add, (total, entry), {})
    if entry is None or once is None:
        return None
    return once if once == _infer(operator.add, (once, entry), {}) else Unknown()


def _extreme(args: tuple[Operand, ...], kwargs: Options) -> Type | None:
    """`min` or `max` of the builtins: one of the items themselves."""
    candidates: tuple[Operand | None, ...] = args
    if len(args) == 1:
        match _normal_items(args[0]):
            case TupleOf(items) | tuple(items) | list(items):
                candidates = tuple(items)
            case iterable:
                candidates = (_element(iterable),)
    if "default" in kwargs:
        candidates = (*candidates, kwargs["default"])
    found: Type | None = None
    for k, candidate in enumerate(candidates):
        type_ = None if candidate is None else type_of(candidate)
        if type_ is None:
            return None
        found = type_ if k == 0 else join(found, type_, "#") if found is not None else None
    return Unknown() if isinstance(found, Array) and found.dims else found


def _of_unknown(function: Any, args: tuple[Operand, ...], kwargs: Options) -> Type | None:
    """Try whatever the unknown operands may be; keep what is true of all of it."""
    unknown = [k for k, arg in enumerate(args) if isinstance(arg, Unknown)]
    sure = len(unknown) <= 2 and not _contains([args[k] for k in range(len(args)) if k not in unknown], kwargs, Unknown)
    found: list[Type] = []
    if sure:
        for choice in product(*(_possible(args[k]) for k in unknown)):  # type: ignore[arg-type]
            trial = list(args)
            for k, type_ in zip(unknown, choice, strict=True):
                trial[k] = type_
            result = _infer(function, tuple(trial), kwargs)
            if result is None:
                return None
            found.append(result)
    return _common(found) if found else Unknown() if families.is_numeric_library(function) else None


def _possible(unknown: Unknown) -> list[Type]:
    kinds: list[Type] = []
    for dtype in _ANY_DTYPE if unknown.dtype is None else (unknown.dtype,):
        kinds += [_WEAK[dtype]] if dtype in _WEAK else []
        kinds += [Scalar(dtype, weak=False), Array(dtype, ()), Array(dtype, ("?u",)), Array(dtype, ("?v", "?w"))]
    return kinds


def _common(found: list[Type]) -> Type | None:
    found = [type_ for type_ in found if type_ != Unknown()] or [Unknown()]
    if all(type_ == found[0] for type_ in found) and not isinstance(found[0], Array):
        return map_dims(found[0], lambda dim: dim if dim in (1, N) else fresh())
    if all(isinstance(type_, TupleOf) and len(type_.items) == len(found[0].items) for type_ in found):  # type: ignore[union-attr]
        columns = zip(*(type_.items for type_ in found), strict=True)  # type: ignore[union-attr]
        items = [_common(list(column)) for column in columns]
        return None if None in items else TupleOf(tuple(items))  # type: ignore[arg-type]
    if not all(isinstance(type_, Scalar | Array | Unknown) for type_ in found):
        return None
    dtypes = {type_.dtype for type_ in found}  # type: ignore[union-attr]
    return Unknown(dtypes.pop() if len(dtypes) == 1 else None)

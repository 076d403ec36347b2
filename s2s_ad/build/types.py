"""The type of what a library function returns, inferred by asking NumPy itself.

Enters: a function of NumPy, SciPy, `math`, `operator` or the builtins, and operands: types of run-time values, constants.
Leaves: `result_type`, and `admits`, which says whether a value is of a type.

Sample operands of the operands' types are made, the function is called on them, and what comes back is read. Sizes are read
only off functions that are known to decide them by sizes alone; all others get fresh unknown sizes. A list of unknown length is
taken to hold something, and a power of Python floats to be real.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from s2s_ad.build import families
from s2s_ad.build.dims import Dims, broadcast_dims
from s2s_ad.build.inference import FRESH, Slots, fresh, has_fresh, map_dims, named, type_from
from s2s_ad.build.sampling import (
    PYTHON_OPERATORS,
    Outcome,
    Sizes,
    Unsampled,
    has_run_time_integer,
    outcome_of,
    outcomes_of,
)
from s2s_ad.build.shapes import Call, Undecided, dims_of, shape_rule
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

_CACHE: dict[Any, tuple[Type | None, bool]] = {}
_CACHE_LIMIT = 20_000
_WEAK = {FLOAT.dtype: FLOAT, INT.dtype: INT, BOOL.dtype: BOOL, COMPLEX.dtype: COMPLEX}
_ANY_DTYPE = tuple(map(np.dtype, ("f8", "f4", "i8", "c16")))
Options = dict[str, Operand]


def result_type(function: Any, args: tuple[Operand, ...], kwargs: Options, hint: str) -> Type | None:
    """The type of `function(*args, **kwargs)`; None where nothing can be said. `hint` names fresh unknown sizes."""
    try:
        key = (function, args, *kwargs.items()) if kwargs else (function, args)
        found = _CACHE.get(key)
    except TypeError:
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
    """Arrays and NumPy numbers that are constants of the program are like any others: they may be written to, or vary."""
    match operand:
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
        return _of_out(kwargs["out"])
    if _contains(args, kwargs, Opaque):
        return None
    if _contains(args, kwargs, Unknown):
        return _of_unknown(function, args, kwargs)
    try:
        if families.is_elementwise(function) and (function is not np.where or len(args) + len(kwargs) == 3):
            return _elementwise(function, args, kwargs)
        return _called(function, args, kwargs)
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


def _of_out(out: Operand) -> Type | None:
    match out:
        case Array():
            return out
        case TupleOf((item,)) | (item,) if isinstance(item, Array):
            return item
    return Unknown()


def _of_python(function: Any, args: tuple[Operand, ...], kwargs: Options) -> Type | None:
    if function in families.TO_FLOAT:
        return FLOAT
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
                total = _infer(operator.add, (total, item), {}) if total is not None else None
            return _type_of(total)
    item = _element(iterable)
    if item is None:
        return None
    once = _infer(operator.add, (total, item), {})
    twice = None if once is None else _infer(operator.add, (once, item), {})
    return once if once == twice else Unknown()


def _type_of(operand: Operand | None) -> Type | None:
    if isinstance(operand, Known):
        return type_of_value(operand.value)
    if isinstance(operand, Extent):
        return INT
    if isinstance(operand, tuple | list):
        items = tuple(map(_type_of, operand))
        return None if None in items else TupleOf(items)  # type: ignore[arg-type]
    return operand


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
    types = [_type_of(candidate) for candidate in candidates]
    if not types or None in types:
        return None
    found = types[0]
    for other in types[1:]:
        found = None if found is None else join(found, other, FRESH)  # type: ignore[arg-type]
    return Unknown() if isinstance(found, Array) and found.dims else found


def _elementwise(function: Any, args: tuple[Operand, ...], kwargs: Options) -> Type | None:
    if isinstance(function, np.ufunc) and len(args) > function.nin:
        outputs = [arg for arg in args[function.nin :] if arg != Known(None)]
        if outputs:
            return _of_out(outputs[0]) if len(outputs) == 1 else Unknown()
    if any(map(_is_sequence, args)):
        if _of_plain_python(function, args):
            return _called(function, args, kwargs)
        args = tuple(_as_array(arg) if _is_sequence(arg) else arg for arg in args)
    broadcast = [*args, *(o for name, o in kwargs.items() if name in families.BROADCAST_OPTIONS)]
    try:
        dims = broadcast_dims(*(dims_of(operand) for operand in broadcast))
    except Undecided:
        return Unknown()
    if function in (operator.pow, pow) and _power_by_value(args):
        return Unknown()
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


def _as_array(operand: Operand) -> Operand:
    type_ = _called(np.asarray, (operand,), {})
    if not isinstance(type_, Array):
        raise Unsampled
    return type_


def _power_by_value(args: tuple[Operand, ...]) -> bool:
    """Python's `2 ** n` is an int for n >= 0 and a float otherwise."""
    kinds = [_type_of(arg) for arg in args[:2]]
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
        return Unknown()
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


def _called(function: Any, args: tuple[Operand, ...], kwargs: Options) -> Type | None:
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
    except (Undecided, ValueError, TypeError, IndexError, KeyError):
        return None
    return tuple(fresh(k) if dim == FRESH else dim for k, dim in enumerate(dims))


def _reshaped(args: tuple[Operand, ...], kwargs: Options, dims: Dims | None) -> Type | None:
    base = _type_of(args[0]) if args else None
    if isinstance(base, TupleOf | ListOf):
        base = _type_of(_as_array(base))
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
        case Known(value) if type(value) is int and 64 < value < 2**31:
            return Known(64)
        case Known(tuple(items)):
            return tuple(_modest(Known(item)) for item in items)
        case tuple(items):
            return tuple(map(_modest, items))
    return operand


def _without_dtypes(type_: Type) -> Type:
    return TupleOf(tuple(map(_without_dtypes, type_.items))) if isinstance(type_, TupleOf) else Unknown()


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

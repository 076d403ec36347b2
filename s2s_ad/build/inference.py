"""From sample calls to a type: what all of them agree on.

Enters: `Outcome`s.  Leaves: a type whose fresh unknown sizes are named "?#.axis", for `named` to rename.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from s2s_ad.build.sampling import LENGTH, Outcome
from s2s_ad.ir.types import BOOL, COMPLEX, FLOAT, INT, OPAQUE, Array, Dim, ListOf, N, Scalar, TupleOf, Type, Unknown

FRESH = "?#"
_PYTHON_NUMBERS: dict[type, Type] = {bool: BOOL, int: INT, float: FLOAT, complex: COMPLEX}
Slots = tuple[tuple[Dim, int], ...]


def fresh(*path: int) -> str:
    return ".".join((FRESH, *map(str, path)))


def type_from(outcomes: Sequence[Outcome], *, sizes_tell: bool) -> Type | None:
    """The type that every outcome has. Sizes are read off only where `sizes_tell` something of the function."""
    if not outcomes:
        return None
    values, slots = [outcome.value for outcome in outcomes], [outcome.slots for outcome in outcomes]
    return _agreed(values, slots if sizes_tell and _telling(slots) else None, ())


def _telling(slots: Sequence[Slots]) -> bool:
    """One call tells nothing of sizes that may vary."""
    return len({tuple(size for _, size in sample) for sample in slots}) > 1 or not any(slots)


def _agreed(values: Sequence[Any], slots: Sequence[Slots] | None, path: tuple[int, ...]) -> Type | None:
    first = values[0]
    if isinstance(first, tuple | list):
        if not all(isinstance(value, type(first)) and len(value) == len(first) for value in values):
            return None
        columns = zip(*values, strict=True)
        items = [_agreed(column, slots, (*path, k)) for k, column in enumerate(columns)]
        return None if None in items else TupleOf(tuple(items))  # type: ignore[arg-type]
    kinds = [_kind(value) for value in values]
    kind = kinds[0]
    if any(other != kind for other in kinds):
        return _in_common(kinds)
    if not isinstance(kind, tuple):
        return kind
    dtype, rank = kind
    return Array(dtype, tuple(_dim([value.shape[k] for value in values], slots, (*path, k)) for k in range(rank)))


def _in_common(kinds: Sequence[Type | tuple[np.dtype, int]]) -> Type | None:
    dtypes = set()
    for kind in kinds:
        if isinstance(kind, tuple):
            dtypes.add(kind[0])
        elif isinstance(kind, Scalar):
            dtypes.add(kind.dtype)
        else:
            return None
    return Unknown(dtypes.pop() if len(dtypes) == 1 else None)


def _kind(value: Any) -> Type | tuple[np.dtype, int]:
    """(dtype, ndim) of an array, else a type."""
    if type(value) in _PYTHON_NUMBERS:
        return _PYTHON_NUMBERS[type(value)]
    if isinstance(value, np.generic) and value.dtype.kind in "biufc":
        return Scalar(value.dtype, weak=False)
    if type(value) is np.ndarray and value.dtype.kind in "biufc":
        return value.dtype, value.ndim
    return OPAQUE


def _dim(sizes: Sequence[int], slots: Sequence[Slots] | None, path: tuple[int, ...]) -> Dim:
    if slots is None:
        return fresh(*path)
    if all(size == 1 for size in sizes):
        return 1
    shared = zip(*slots, strict=True) if len({len(sample) for sample in slots}) == 1 else ()
    tokens = {column[0][0] for column in shared if all(d == n for (_, d), n in zip(column, sizes, strict=True))}
    if len(tokens) == 1:
        token = tokens.pop()
        return fresh(*path) if str(token).startswith(LENGTH) else token
    if len(tokens) > 1:
        return fresh(*path)
    if all(any(dim == N and d == n for dim, d in sample) for sample, n in zip(slots, sizes, strict=True)):
        return N  # one or another of the sizes that are not one, as the least of two
    constant = len(set(sizes)) == 1
    return N if constant else fresh(*path)


def map_dims(type_: Type, rename: Callable[[Dim], Dim]) -> Type:
    match type_:
        case Array(dtype, dims):
            return Array(dtype, tuple(map(rename, dims)))
        case TupleOf(items):
            return TupleOf(tuple(map_dims(item, rename) for item in items))
        case ListOf(item) if item is not None:
            return ListOf(map_dims(item, rename))
    return type_


def has_fresh(type_: Type) -> bool:
    found = []
    map_dims(type_, lambda dim: found.append(str(dim).startswith(FRESH)) or dim)  # type: ignore[func-returns-value]
    return any(found)


def named(type_: Type, hint: str, used: Iterable[Dim]) -> Type:
    """`type_` with its fresh sizes named for `hint`; a name that an operand has already is another size's."""
    taken = {part for dim in used if isinstance(dim, str) for part in dim[1:].split("&")}

    def rename(dim: Dim) -> Dim:
        if not str(dim).startswith(FRESH):
            return dim
        name = hint + str(dim)[len(FRESH) :]
        while name in taken:
            name += "'"
        return f"?{name}"

    return map_dims(type_, rename)

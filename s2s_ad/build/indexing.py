"""What indexing gives: its type, and whether it is a view.

Enters: the type of what is indexed and the index, item by item.  Leaves: a type and True (it shares memory), False (a
copy) or None (only the run can tell). The algebra of broadcasting is at hand here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2s_ad.build.dims import Dims, broadcast, broadcast_dims, sum_axes
from s2s_ad.build.inference import FRESH, fresh, map_dims, named
from s2s_ad.build.shapes import known_dim
from s2s_ad.ir.types import (
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
    join,
    type_of_value,
)

__all__ = ["IndexItem", "SliceItem", "broadcast", "index_type", "sum_axes"]

_LEFT_OUT = Known(None)
_LARGEST = 256  # constants of a slice up to which its size is worked out


@dataclass(frozen=True)
class SliceItem:
    """`start:stop:step`; what is left out is Known(None)."""

    start: Operand = _LEFT_OUT
    stop: Operand = _LEFT_OUT
    step: Operand = _LEFT_OUT


IndexItem = Operand | SliceItem
_FULL = SliceItem()


class _Undecided(Exception):
    """An index whose type is not known well enough."""


@dataclass(frozen=True)
class _Advanced:
    """An index that is an array: the dimensions it has, and how many dimensions of the base it takes."""

    dims: Dims
    takes: int
    array: bool = True  # an integer, which is an array only beside arrays


def index_type(base: Type, items: tuple[IndexItem, ...], hint: str) -> tuple[Type, bool | None]:
    """The type of `base[items]` and whether it is a view. `hint` names fresh unknown sizes."""
    match base:
        case Array(dtype, dims):
            pass
        case Scalar(dtype, False):
            dims = ()
        case Unknown(dtype):
            return Unknown(dtype), None
        case TupleOf() | ListOf():
            return _of_container(base, items, hint)
        case _:
            return Unknown(), None
    try:
        found, view = _index_array(dtype, dims, items)
    except (_Undecided, ValueError):
        return Unknown(dtype), None
    used = [*dims, *(dim for item in items if isinstance(item, Array) for dim in item.dims)]
    return named(found, hint, used), view and not isinstance(base, Scalar)


def _of_container(base: TupleOf | ListOf, items: tuple[IndexItem, ...], hint: str) -> tuple[Type, bool | None]:
    if len(items) != 1:
        return Unknown(), None
    item = items[0]
    if isinstance(item, SliceItem):
        return _sliced(base, item), False
    if isinstance(base, ListOf):
        return (Unknown() if base.item is None else named(map_dims(base.item, _renewed), hint, ())), True
    if isinstance(item, Known) and isinstance(item.value, int) and -len(base.items) <= item.value < len(base.items):
        return base.items[item.value], True
    joined: Type | None = base.items[0] if base.items else None
    for other in base.items[1:]:
        joined = None if joined is None else join(joined, other, hint)
    return Unknown() if joined is None else joined, True


def _renewed(dim: Dim) -> Dim:
    """The items of a list need not be of one size, though they have one type."""
    return dim if dim in (1, N) else f"{FRESH}.{dim[1:] if isinstance(dim, str) else dim}"


def _sliced(base: TupleOf | ListOf, item: SliceItem) -> Type:
    bounds = (item.start, item.stop, item.step)
    if isinstance(base, ListOf):
        return base
    if all(isinstance(bound, Known) for bound in bounds):
        return TupleOf(base.items[slice(*(bound.value for bound in bounds))])  # type: ignore[union-attr]
    return Unknown()


def _index_array(dtype: np.dtype, dims: Dims, items: Sequence[IndexItem]) -> tuple[Type, bool]:
    prepared = [_prepared(item) for item in items]
    taken = sum(_takes(item) for item in prepared)
    if taken > len(dims):
        raise _Undecided
    ellipses = [k for k, item in enumerate(prepared) if item is Ellipsis]
    if len(ellipses) > 1:
        raise _Undecided
    at = ellipses[0] if ellipses else len(prepared)
    rest = [_FULL] * (len(dims) - taken)
    expanded = [*prepared[:at], *rest, *prepared[at + 1 :]]
    advanced = any(isinstance(item, _Advanced) and item.array for item in expanded)
    result, remaining, gathered, places = _walk(dims, expanded, advanced)
    if remaining:
        raise _Undecided
    if not advanced:
        whole = bool(ellipses) or bool(result) or not items or any(item is None for item in prepared)
        scalar = not result and not whole
        if not items or (not dims and not result and not ellipses):
            scalar = not dims  # x[()] of a 0-d array is a number
        return (Scalar(dtype, weak=False), False) if scalar else (Array(dtype, _numbered(result)), True)
    front = places[0] if _adjacent(expanded) else 0
    dims_out = (*result[:front], *gathered, *result[front:])
    if not dims_out and not ellipses:
        return Scalar(dtype, weak=False), False
    return Array(dtype, _numbered(dims_out)), False


def _walk(dims: Dims, expanded: Sequence[Any], advanced: bool) -> tuple[list[Dim], Dims, Dims, list[int]]:
    """The dims that basic items give, those left over, those of the gathered arrays, and where the arrays stood."""
    result: list[Dim] = []
    arrays: list[Dims] = []
    places: list[int] = []
    for item in expanded:
        if item is None:
            result.append(1)
            continue
        if isinstance(item, SliceItem):
            result.append(_slice_dim(dims[0], item))
            dims = dims[1:]
            continue
        dims = dims[item.takes :]
        if advanced:
            arrays.append(item.dims)
            places.append(len(result))
    return result, dims, broadcast_dims(*arrays), places


def _adjacent(expanded: Sequence[Any]) -> bool:
    """Whether the arrays stand side by side, so that their dimensions take their place; else they come first."""
    stand = [k for k, item in enumerate(expanded) if isinstance(item, _Advanced)]
    return stand[-1] - stand[0] == len(stand) - 1


def _numbered(dims: Sequence[Dim]) -> Dims:
    return tuple(fresh(k) if dim == FRESH else dim for k, dim in enumerate(dims))


def _takes(item: Any) -> int:
    if isinstance(item, _Advanced):
        return item.takes
    return 1 if isinstance(item, SliceItem) else 0


def _prepared(item: IndexItem) -> Any:
    """A slice, None, Ellipsis, or an array."""
    match item:
        case SliceItem():
            return item
        case Known(value) if value is None or value is Ellipsis:
            return value
        case Known(value) if isinstance(value, slice):
            return SliceItem(Known(value.start), Known(value.stop), Known(value.step))
        case Known(value) if isinstance(value, bool | np.bool_):
            raise _Undecided
        case Known(value) if isinstance(value, int | np.integer):
            return _Advanced((), 1, array=False)
        case Extent():
            return _Advanced((), 1, array=False)
        case Scalar(dtype) if dtype.kind in "iu":
            return _Advanced((), 1, array=False)
        case Array(dtype, dims) if dtype.kind in "iu":
            return _Advanced(dims, 1)
        case Array(dtype, dims) if dtype.kind == "b" and dims:
            return _Advanced((FRESH,), len(dims))
        case TupleOf(items) | tuple(items) | list(items):
            return _sequence(tuple(items))
        case Known(value) if isinstance(value, list | tuple):
            return _sequence(tuple(map(Known, value)))
        case Known(value) if isinstance(value, np.ndarray):
            return _prepared(type_of_value(value))
        case ListOf(Scalar(dtype)) if dtype.kind in "iu":
            return _Advanced((FRESH,), 1)
    raise _Undecided


def _sequence(items: tuple[Operand, ...]) -> _Advanced:
    """A list of integers, of lists of them, or a mask."""
    if items and all(isinstance(item, Known) and isinstance(item.value, bool) for item in items):
        return _Advanced((known_dim(sum(item.value for item in items)),), 1)  # type: ignore[union-attr]
    parts = [_prepared(item) for item in items]
    if not all(isinstance(part, _Advanced) and part.takes == 1 and FRESH not in part.dims for part in parts):
        raise _Undecided
    if len({len(part.dims) for part in parts}) > 1:
        raise _Undecided
    inner = broadcast_dims(*(part.dims for part in parts))
    return _Advanced((known_dim(len(items)), *inner), 1)


def _slice_dim(dim: Dim, item: SliceItem) -> Dim:
    start, stop, step = (_bound(bound) for bound in (item.start, item.stop, item.step))
    if start in (None, 0) and step in (None, 1) and isinstance(stop, Extent):
        return dim if stop.dim == dim and dim != N else FRESH
    bounds = (start, stop, step)
    if start is None and stop is None and step in (None, 1, -1):
        return dim
    if not all(bound is None or (isinstance(bound, int) and abs(bound) <= _LARGEST) for bound in bounds):
        return FRESH
    return _constant_slice(dim, slice(*bounds))


def _bound(operand: Operand) -> Any:
    if isinstance(operand, Known):
        value = operand.value
        return int(value) if isinstance(value, np.integer) else value
    if isinstance(operand, Scalar) and operand.size is not None:
        return Extent(operand.size)
    return operand


def _constant_slice(dim: Dim, part: slice) -> Dim:
    """Beyond the slice's own constants its size is constant or grows, so a finite number of sizes proves it for all."""
    if dim == 1:
        return known_dim(len(range(*part.indices(1))))
    bounds = (part.start or 0, part.stop or 0, part.step or 1)
    tried = [n for n in range(sum(map(abs, bounds)) + 2 * abs(bounds[2]) + 4) if n != 1 or dim != N]
    sizes = [len(range(*part.indices(n))) for n in tried]
    if sizes == tried:
        return dim
    if 1 not in sizes:
        return N
    return 1 if set(sizes) == {1} else FRESH

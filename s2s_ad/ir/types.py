"""The abstract types of values: what the compiler knows of a value before the program runs.

Enters: nothing.  Leaves: frozen type objects, and the join of two of them.

A dimension is `1` (exactly one), `"N"` (known not to be one) or `"?k"` (unknown; equal names are equal sizes).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Dim = int | str
N: Final = "N"


@dataclass(frozen=True)
class Scalar:
    """An immutable number. `weak` is a Python number, which never widens an array's dtype.

    `size` is the dimension that an integer is known to be the size of, as `n` after `n, m = x.shape`.
    """

    dtype: np.dtype
    weak: bool = True
    size: Dim | None = None

    def __str__(self) -> str:
        if self.weak:
            return {"b": "bool", "i": "int", "f": "float", "c": "complex"}[self.dtype.kind]
        return str(self.dtype)


@dataclass(frozen=True)
class Array:
    """A NumPy array: a reference to a mutable object."""

    dtype: np.dtype
    dims: tuple[Dim, ...]

    @property
    def ndim(self) -> int:
        return len(self.dims)

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(str(d) if d in (1, N) else '?' for d in self.dims)}]"


@dataclass(frozen=True)
class Unknown:
    """A number or an array of which shape, and perhaps dtype, is not known: run-time helpers serve it."""

    dtype: np.dtype | None = None

    def __str__(self) -> str:
        return "unknown" if self.dtype is None else f"unknown {self.dtype}"


@dataclass(frozen=True)
class TupleOf:
    """A tuple of known structure."""

    items: tuple[Type, ...]

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.items))})"


@dataclass(frozen=True)
class ListOf:
    """A list whose length is known only at run time; all items have one type."""

    item: Type | None

    def __str__(self) -> str:
        return f"list[{self.item}]"


@dataclass(frozen=True)
class Opaque:
    """A passive Python object: a string, a generator of random numbers, a file ..."""

    def __str__(self) -> str:
        return "object"


Type = Scalar | Array | Unknown | TupleOf | ListOf | Opaque


@dataclass(frozen=True, eq=False)
class Known:
    """An operand that is a constant of the program, equal only to one of the same kind and value: 1 is not True."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Known) and _exactly(self.value) == _exactly(other.value)

    def __hash__(self) -> int:
        return hash(_exactly(self.value))


@dataclass(frozen=True)
class Extent:
    """An operand that is a run-time integer equal to the size of a dimension: how inference sees a `Scalar.size`."""

    dim: Dim


Operand = Type | Known | Extent | tuple["Operand", ...] | list["Operand"]


def _exactly(value: Any) -> Any:
    if isinstance(value, tuple):
        return (tuple, *map(_exactly, value))
    if isinstance(value, float):
        return float, repr(value)
    return type(value), value


FLOAT: Final = Scalar(np.dtype(float))
INT: Final = Scalar(np.dtype(int))
BOOL: Final = Scalar(np.dtype(bool))
COMPLEX: Final = Scalar(np.dtype(complex))
OPAQUE: Final = Opaque()


def is_numeric(type_: Type) -> bool:
    return isinstance(type_, Scalar | Array | Unknown)


def is_inexact(type_: Type) -> bool:
    """Whether a derivative can flow through a value of this type."""
    match type_:
        case Scalar(dtype) | Array(dtype):
            return dtype.kind in "fc"
        case Unknown(dtype):
            return dtype is None or dtype.kind in "fc"
        case TupleOf(items):
            return any(is_inexact(item) for item in items)
        case ListOf(item):
            return item is None or is_inexact(item)
        case Opaque():
            return False


def join_dims(a: Iterable[Dim], b: Iterable[Dim], hint: str) -> tuple[Dim, ...]:
    return tuple(p if p == q else f"?{hint}.{k}" for k, (p, q) in enumerate(zip(a, b, strict=True)))


def join(a: Type, b: Type, hint: str) -> Type | None:
    """The least type that covers both, or None where there is none. `hint` names fresh unknown sizes."""
    if a == b:
        return a
    match a, b:
        case Scalar(da, wa), Scalar(db, wb):
            return Scalar(np.promote_types(da, db), wa and wb)
        case Array(da, dims_a), Array(db, dims_b) if len(dims_a) == len(dims_b):
            dtype = np.promote_types(da, db)
            return Array(dtype, join_dims(dims_a, dims_b, hint))
        case ((Scalar() | Array() | Unknown()), (Scalar() | Array() | Unknown())):
            known = a.dtype is not None and b.dtype is not None
            return Unknown(np.promote_types(a.dtype, b.dtype) if known else None)  # type: ignore[arg-type]
        case TupleOf(xs), TupleOf(ys) if len(xs) == len(ys):
            joined = tuple(join(x, y, f"{hint}.{k}") for k, (x, y) in enumerate(zip(xs, ys, strict=True)))
            return None if any(t is None for t in joined) else TupleOf(joined)  # type: ignore[arg-type]
        case ListOf(None), ListOf():
            return b
        case ListOf(), ListOf(None):
            return a
        case ListOf(x), ListOf(y) if x is not None and y is not None:
            item = join(x, y, hint)
            return None if item is None else ListOf(item)
        case Opaque(), _:
            return OPAQUE if not is_inexact(b) else None
        case _, Opaque():
            return OPAQUE if not is_inexact(a) else None
    return None


def type_of_value(value: object) -> Type:
    """The type of a run-time value, as a signature sees it: sizes are dropped, except where they are one."""
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return INT
    if isinstance(value, float) and not isinstance(value, np.floating):
        return FLOAT
    if isinstance(value, complex) and not isinstance(value, np.complexfloating):
        return COMPLEX
    if isinstance(value, np.generic) and value.dtype.kind in "biufc":
        return Scalar(value.dtype, weak=False)
    if type(value) is np.ndarray and value.dtype.kind in "biufc":
        return Array(value.dtype, tuple(1 if n == 1 else N for n in value.shape))
    if isinstance(value, tuple):
        return TupleOf(tuple(type_of_value(item) for item in value))
    return OPAQUE

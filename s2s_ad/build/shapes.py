"""Dimension rules for the functions whose result sizes a sample call cannot tell well enough.

Enters: the operands of a call.  Leaves: `shape_rule(function)`, which gives the dimensions of the result; "?#" is a
fresh unknown size, numbered afterwards. A rule may be silent (`Undecided`); sample calls check whatever it says.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2s_ad.build.dims import (
    Dims,
    broadcast_dim,
    broadcast_dims,
    product_dim,
    same_dim,
    same_dims,
    total_dim,
)
from s2s_ad.build.inference import FRESH
from s2s_ad.ir.types import Array, Dim, Extent, Known, ListOf, N, Operand, Scalar, TupleOf
from s2s_ad.rules import runtime


class Undecided(Exception):
    """The rule does not know."""


@dataclass(frozen=True)
class Call:
    args: tuple[Operand, ...]
    kwargs: dict[str, Operand]

    def operand(self, position: int, *names: str) -> Operand:
        if position < len(self.args):
            return self.args[position]
        for name in names:
            if name in self.kwargs:
                return self.kwargs[name]
        raise Undecided

    def constant(self, default: Any, position: int, *names: str) -> Any:
        try:
            found = self.operand(position, *names)
        except Undecided:
            return default
        return constant_of(found)

    def dims(self, position: int, *names: str) -> Dims:
        return dims_of(self.operand(position, *names))


def constant_of(operand: Operand) -> Any:
    if isinstance(operand, Known):
        return operand.value
    if isinstance(operand, tuple | list):
        return tuple(map(constant_of, operand))
    raise Undecided


def dims_of(operand: Operand) -> Dims:
    """The dimensions of `np.asarray(operand)`."""
    match operand:
        case Array(_, dims):
            return dims
        case Scalar() | Extent():
            return ()
        case Known(value):
            return _dims_of_constant(value)
        case TupleOf(items) | tuple(items) | list(items):
            inner = same_dims([dims_of(item) for item in items]) if items else ()
            if inner is None:
                raise Undecided
            return known_dim(len(items)), *inner
        case ListOf(item) if item is not None:
            return FRESH, *(dim if dim in (1, N) else FRESH for dim in dims_of(item))
    raise Undecided


def _dims_of_constant(value: Any) -> Dims:
    if isinstance(value, type | np.dtype):
        return ()
    try:
        return tuple(map(known_dim, np.shape(value)))
    except ValueError:
        raise Undecided from None


def known_dim(size: int) -> Dim:
    return 1 if size == 1 else N


def _or_fresh(dim: Dim | None) -> Dim:
    return FRESH if dim is None else dim


def size_dim(operand: Operand) -> Dim:
    """The dimension that an integer operand asks for."""
    match operand:
        case Extent(dim):
            return dim
        case Known(value) if isinstance(value, int | np.integer):
            return known_dim(int(value)) if value >= 0 else FRESH
        case Scalar():
            return FRESH
    raise Undecided


def items_of(operand: Operand) -> tuple[Operand, ...]:
    match operand:
        case TupleOf(items) | tuple(items) | list(items):
            return tuple(items)
        case Known(value) if isinstance(value, tuple | list):
            return tuple(map(Known, value))
        case Known() | Scalar() | Extent():
            return (operand,)
    raise Undecided


def sequence_dims(operand: Operand) -> tuple[Dims, ...]:
    """The dimensions of each array of a sequence of known length."""
    match operand:
        case TupleOf(items) | tuple(items) | list(items):
            return tuple(map(dims_of, items))
    raise Undecided


def _axis(axis: Any, rank: int) -> int:
    try:
        axis = int(operator.index(axis))
    except TypeError:
        raise Undecided from None
    if not -rank <= axis < rank:
        raise Undecided
    return int(axis) % rank


def _replaced(dims: Dims, axis: int, dim: Dim) -> Dims:
    return (*dims[:axis], dim, *dims[axis + 1 :])


def _shape_operands(call: Call) -> tuple[Operand, ...]:
    """`reshape(x, (2, 3))` and the method's `x.reshape(2, 3)` alike."""
    if len(call.args) > 2:
        return call.args[1:]
    return items_of(call.operand(1, "shape", "newshape"))


def reshape(call: Call) -> Dims:
    asked = _shape_operands(call)
    dims = [size_dim(item) for item in asked]
    inferred = [k for k, item in enumerate(asked) if item == Known(-1)]
    if len(inferred) == 1 and all(dim == 1 for k, dim in enumerate(dims) if k != inferred[0]):
        dims[inferred[0]] = _or_fresh(product_dim(call.dims(0, "a")))
    return tuple(dims)


def ravel(call: Call) -> Dims:
    return (_or_fresh(product_dim(call.dims(0, "a"))),)


def along(call: Call) -> Dims:
    """As many entries as the operand has, along one of its axes or, without an axis, in a row."""
    dims = call.dims(0, "a", "x")
    return ravel(call) if call.constant(None, 1, "axis") is None else dims


def broadcast_to(call: Call) -> Dims:
    dims, asked = call.dims(0, "array"), [size_dim(item) for item in items_of(call.operand(1, "shape"))]
    padded = (1,) * (len(asked) - len(dims)) + dims
    return tuple(N if d == N else a for d, a in zip(padded, asked, strict=True))


def unbroadcast(call: Call) -> Dims:
    return tuple(size_dim(item) for item in items_of(call.operand(1, "shape")))


def tile(call: Call) -> Dims:
    dims, repeats = call.dims(0, "A"), [size_dim(item) for item in items_of(call.operand(1, "reps"))]
    rank = max(len(dims), len(repeats))
    padded = (1,) * (rank - len(dims)) + dims, [1] * (rank - len(repeats)) + repeats
    return tuple(_or_fresh(product_dim(pair)) for pair in zip(*padded, strict=True))


def repeat(call: Call) -> Dims:
    dims, times = call.dims(0, "a"), size_dim(call.operand(1, "repeats"))
    axis = call.constant(None, 2, "axis")
    if axis is None:
        return (_or_fresh(product_dim((*dims, times))),)
    axis = _axis(axis, len(dims))
    return _replaced(dims, axis, _or_fresh(product_dim((dims[axis], times))))


def _joined(arrays: Sequence[Dims], axis: Any) -> Dims:
    if not arrays or len({len(dims) for dims in arrays}) != 1:
        raise Undecided
    axis = _axis(axis, len(arrays[0]))
    columns = list(zip(*arrays, strict=True))
    return tuple(_or_fresh(total_dim(column) if k == axis else same_dim(column)) for k, column in enumerate(columns))


def concatenate(call: Call) -> Dims:
    operand = call.operand(0, "arrays")
    axis = call.constant(0, 1, "axis")
    if isinstance(operand, ListOf):
        dims = dims_of(operand)[1:]
        return (FRESH,) if axis is None else _replaced(dims, _axis(axis, len(dims)), FRESH)
    arrays = sequence_dims(operand)
    if axis is None:
        return _joined([(_or_fresh(product_dim(dims)),) for dims in arrays], 0)
    return _joined(arrays, axis)


def append(call: Call) -> Dims:
    arrays = [call.dims(0, "arr"), call.dims(1, "values")]
    axis = call.constant(None, 2, "axis")
    if axis is None:
        return _joined([(_or_fresh(product_dim(dims)),) for dims in arrays], 0)
    return _joined(arrays, axis)


def hstack(call: Call) -> Dims:
    arrays = [dims or (1,) for dims in sequence_dims(call.operand(0, "tup"))]
    return _joined(arrays, 0 if len(arrays[0]) == 1 else 1)


def vstack(call: Call) -> Dims:
    return _joined([(1,) * (2 - len(dims)) + dims for dims in sequence_dims(call.operand(0, "tup"))], 0)


def column_stack(call: Call) -> Dims:
    arrays = sequence_dims(call.operand(0, "tup"))
    return _joined([(dims or (1,)) + (1,) if len(dims) < 2 else dims for dims in arrays], 1)


def stack(call: Call) -> Dims:
    dims = dims_of(call.operand(0, "arrays"))
    axis = _axis(call.constant(0, 1, "axis"), len(dims))
    return (*dims[1 : axis + 1], dims[0], *dims[axis + 1 :])


def array(call: Call) -> Dims:
    return call.dims(0, "a", "object")


def arange(call: Call) -> Dims:
    numbers = [constant_of(operand) for operand in (*call.args, *call.kwargs.values())]
    if len(call.kwargs) or not all(isinstance(number, int | float) for number in numbers):
        raise Undecided
    start, stop, step = (0, numbers[0], 1) if len(numbers) == 1 else (*numbers, 1)[:3]
    return (known_dim(max(0, math.ceil((stop - start) / step))),)


def matmul(call: Call) -> Dims:
    a, b = call.dims(0, "x1"), call.dims(1, "x2")
    batch = broadcast_dims(a[:-2], b[:-2])
    return (*batch, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


def dot(call: Call) -> Dims:
    a, b = call.dims(0, "a"), call.dims(1, "b")
    if not a or not b:
        return a or b
    return (*a[:-1], *b[:-2], *(b[-1:] if len(b) > 1 else ()))


def inner(call: Call) -> Dims:
    a, b = call.dims(0, "a"), call.dims(1, "b")
    return (*a[:-1], *b[:-1]) if a and b else a or b


def outer(call: Call) -> Dims:
    return _or_fresh(product_dim(call.dims(0, "a"))), _or_fresh(product_dim(call.dims(1, "b")))


def tensordot(call: Call) -> Dims:
    a, b = call.dims(0, "a"), call.dims(1, "b")
    axes = call.constant(2, 2, "axes")
    if isinstance(axes, int):
        return (*a[: len(a) - axes], *b[axes:])
    of_a, of_b = (np.atleast_1d(np.asarray(part, dtype=int)).tolist() for part in axes)
    gone_a, gone_b = {_axis(k, len(a)) for k in of_a}, {_axis(k, len(b)) for k in of_b}
    kept = [dim for k, dim in enumerate(a) if k not in gone_a]
    return (*kept, *(dim for k, dim in enumerate(b) if k not in gone_b))


def einsum(call: Call) -> Dims:
    text = call.constant(None, 0)
    if not isinstance(text, str) or "." in text:
        raise Undecided
    terms, _, output = text.replace(" ", "").partition("->")
    sizes: dict[str, Dim] = {}
    for term, operand in zip(terms.split(","), call.args[1:], strict=True):
        for label, dim in zip(term, dims_of(operand), strict=True):
            sizes[label] = broadcast_dim(sizes.get(label, 1), dim)
    if "->" not in text:
        output = "".join(sorted(label for label in sizes if terms.count(label) == 1))
    return tuple(sizes[label] for label in output)


def kron(call: Call) -> Dims:
    a, b = call.dims(0, "a"), call.dims(1, "b")
    rank = max(len(a), len(b))
    padded = ((1,) * (rank - len(dims)) + dims for dims in (a, b))
    return tuple(_or_fresh(product_dim(pair)) for pair in zip(*padded, strict=True))


def first_operand(call: Call) -> Dims:
    return dims_of(call.args[0])


def square(call: Call) -> Dims:
    """A square matrix, or a stack of them, made of one: what is known of one side is known of the other."""
    dims = dims_of(call.args[0])
    if len(dims) < 2:
        raise Undecided
    side = same_dim(dims[-2:])
    return (*dims[:-2], _or_fresh(side), _or_fresh(side))


def solve(call: Call) -> Dims:
    a, b = call.dims(0, "a"), call.dims(1, "b")
    if len(a) != 2 or len(b) not in (1, 2):
        raise Undecided
    return (_or_fresh(same_dim((*a, b[0]))), *b[1:])


_RULES: dict[Any, Callable[[Call], Dims]] = {
    np.reshape: reshape,
    np.ndarray.reshape: reshape,
    np.ravel: ravel,
    np.ndarray.ravel: ravel,
    np.ndarray.flatten: ravel,
    np.cumsum: along,
    np.cumprod: along,
    np.nancumsum: along,
    np.nancumprod: along,
    np.ndarray.cumsum: along,
    np.ndarray.cumprod: along,
    np.broadcast_to: broadcast_to,
    runtime.unbroadcast: unbroadcast,
    np.tile: tile,
    np.repeat: repeat,
    np.ndarray.repeat: repeat,
    np.concatenate: concatenate,
    np.append: append,
    np.hstack: hstack,
    np.vstack: vstack,
    np.column_stack: column_stack,
    np.stack: stack,
    np.array: array,
    np.asarray: array,
    np.arange: arange,
    np.matmul: matmul,
    operator.matmul: matmul,
    np.dot: dot,
    np.ndarray.dot: dot,
    np.inner: inner,
    np.outer: outer,
    np.tensordot: tensordot,
    np.einsum: einsum,
    np.kron: kron,
    np.interp: first_operand,
    np.linalg.inv: square,
    np.linalg.cholesky: square,
    np.linalg.matrix_power: square,
    np.linalg.solve: solve,
}


def shape_rule(function: Any) -> Callable[[Call], Dims] | None:
    return _RULES.get(function)

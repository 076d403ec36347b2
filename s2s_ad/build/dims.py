"""The algebra of dimensions: 1, "N" (not one), "?k" (unknown; equal names are equal sizes).

Enters: dimensions.  Leaves: the dimensions of what broadcasting, joining, stacking or flattening makes of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from s2s_ad.ir.types import Array, Dim, N, Scalar

Dims = tuple[Dim, ...]


def broadcast_dim(p: Dim, q: Dim) -> Dim:
    """The size where `p` meets `q`: sizes that differ, neither being one, raise in NumPy."""
    if p == 1 or p == q:
        return q
    if q == 1:
        return p
    if N in (p, q):
        return N
    # What two unknown sizes broadcast to is a function of both: the pair is its name.
    return "?" + "&".join(sorted({*str(p)[1:].split("&"), *str(q)[1:].split("&")}))


def broadcast_dims(*operands: Dims) -> Dims:
    rank = max(map(len, operands), default=0)
    result: list[Dim] = [1] * rank
    for dims in operands:
        offset = rank - len(dims)
        for k, dim in enumerate(dims):
            result[offset + k] = broadcast_dim(result[offset + k], dim)
    return tuple(result)


def same_dim(dims: Iterable[Dim]) -> Dim | None:
    """The size of dimensions that NumPy requires to be equal: what is known of one is known of all."""
    found = list(dict.fromkeys(dims))
    for certain in (1, N):
        if certain in found:
            return certain
    return found[0] if found else None


def same_dims(operands: Sequence[Dims]) -> Dims | None:
    if not operands or len({len(dims) for dims in operands}) != 1:
        return None
    return tuple(same_dim(column) or N for column in zip(*operands, strict=True))


def product_dim(dims: Iterable[Dim]) -> Dim | None:
    """The size of `dims` flattened into one; None where it may or may not be one."""
    others = [dim for dim in dims if dim != 1]
    if not others:
        return 1
    if all(dim == N for dim in others):
        return N  # a product of naturals is one only if each of them is
    return others[0] if len(others) == 1 else None


def total_dim(dims: Sequence[Dim]) -> Dim | None:
    """The size of `dims` laid end to end; None where it may or may not be one."""
    if len(dims) == 1:
        return dims[0]
    ones = dims.count(1)
    if ones >= 2 or (ones == 0 and dims and all(dim == N for dim in dims)):
        return N  # zero, or at least two: 1 + N is one where N is zero
    return None


def operand_dims(type_: Array | Scalar) -> Dims:
    return type_.dims if isinstance(type_, Array) else ()


def broadcast(a: Array | Scalar, b: Array | Scalar) -> Dims:
    """The dimensions of an elementwise operation on `a` and `b`."""
    return broadcast_dims(operand_dims(a), operand_dims(b))


def sum_axes(from_dims: Dims, to_dims: Dims) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """How a cotangent of dims `to_dims` is summed to that of an operand of dims `from_dims`.

    Leaves the axes that the operand lacks, counted in the cotangent, and then the axes to sum with keepdims, counted in
    the operand; None where only the run-time shapes can tell.

    >>> sum_axes((1, "N"), ("N", "N", "N"))
    ((0,), (0,))
    """
    lacking = len(to_dims) - len(from_dims)
    if lacking < 0:
        return None
    kept: list[int] = []
    for k, (dim, result) in enumerate(zip(from_dims, to_dims[lacking:], strict=True)):
        if dim in (result, N) or result == 1:
            continue  # an operand that is not one long is as long as the result
        if dim != 1:
            return None
        kept.append(k)
    return tuple(range(lacking)), tuple(kept)

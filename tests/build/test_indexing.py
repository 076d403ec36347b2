"""The types of indexing, and views, against NumPy; the algebra of broadcasting against NumPy's own."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from s2s_ad.build.dims import broadcast_dim, broadcast_dims, product_dim, same_dim, total_dim
from s2s_ad.build.indexing import SliceItem, broadcast, index_type, sum_axes
from s2s_ad.build.types import admits
from s2s_ad.ir.types import FLOAT, INT, Array, Extent, Known, ListOf, N, Scalar, TupleOf, Unknown

F8, I8, B1 = np.dtype(float), np.dtype(int), np.dtype(bool)
K = Known
FULL, NEW, DOTS = SliceItem(), K(None), K(...)


class Draw:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def one_of(self, choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def dims(self, rank: int) -> tuple[Any, ...]:
        return tuple(self.one_of((1, N, N, "?a", "?b")) for _ in range(rank))

    def bound(self) -> Any:
        return self.one_of([K(None), K(None), K(0), K(1), K(2), K(-1), K(-2), K(7), INT, Extent("?a")])

    def item(self) -> Any:
        kinds = [FULL, FULL, NEW, DOTS, K(0), K(-1), K(1), INT, Scalar(I8, weak=False), Extent("?a")]
        arrays = [Array(I8, self.dims(self.one_of((0, 1, 2)))), Array(B1, self.dims(self.one_of((1, 2))))]
        sequences = [[K(0), K(1)], K((0,)), [INT, K(0)], [K(True), K(False)], K([0, 0, 1]), TupleOf((INT, INT, INT))]
        if self.rng.random() < 0.35:
            return SliceItem(self.bound(), self.bound(), self.one_of([K(None), K(None), K(2), K(-1), K(1), INT]))
        return self.one_of(arrays + sequences) if self.rng.random() < 0.3 else self.one_of(kinds)

    def sizes(self) -> None:
        common = int(self.one_of((0, 2, 3, 4)))
        together = self.rng.random() < 0.6
        self.known = lambda: common if together else int(self.one_of((0, 2, 3, 4)))
        self.tokens = {f"?{name}": int(self.one_of((0, 1, 2, 3, common))) for name in "ab"}

    def value(self, operand: Any) -> Any:
        match operand:
            case Known(value):
                return value
            case Extent(dim):
                return self.tokens[dim]
            case SliceItem(start, stop, step):
                return slice(self.value(start), self.value(stop), self.value(step))
            case Scalar(_, weak):
                number = int(self.one_of((0, 1, -1, 2)))
                return number if weak else np.int64(number)
            case Array(dtype, dims):
                shape = [d if isinstance(d, int) else self.known() if d == N else self.tokens[d] for d in dims]
                if dtype == B1:
                    return np.asarray(self.rng.random(shape) < 0.5)
                return np.asarray(self.rng.integers(0, 2, shape))
            case TupleOf(items):
                return tuple(map(self.value, items))
            case list(items):
                return list(map(self.value, items))
        raise AssertionError(operand)


@pytest.mark.parametrize("seed", range(8))
def test_what_indexing_returns_is_of_the_inferred_type(seed: int) -> None:
    ran = told = 0
    for k in range(250):
        draw = Draw(1000 * seed + k)
        base = Array(F8, draw.dims(draw.one_of((0, 1, 2, 3))))
        items = tuple(draw.item() for _ in range(draw.one_of((1, 1, 2, 3))))
        type_, view = index_type(base, items, "h")
        for _ in range(8):
            draw.sizes()
            x = np.asarray(np.random.default_rng(k).normal(size=draw.value(base).shape))
            index = tuple(map(draw.value, items))
            try:
                y = x[index]
            except (IndexError, ValueError, TypeError):
                continue
            ran += 1
            told += not isinstance(type_, Unknown)
            where = f"{base}[{items}] is said to be {type_!r}, and is {y!r} of shape {y.shape} for {x.shape} {index}"
            sizes = dict(draw.tokens)
            if 1 in sizes.values() or sizes["?a"] == sizes["?b"]:
                sizes["?a&b"] = max(sizes.values()) if 0 not in sizes.values() else 0
            assert admits(type_, y, sizes=sizes), where
            if y.size and isinstance(y, np.ndarray) and view is not None:
                assert view == np.shares_memory(x, y), where
    assert ran > 300
    assert told > 0.9 * ran


A = Array(F8, (N, "?k", 1))
x1, x2 = Array(F8, (N,)), Array(F8, (N, N))
NUMBER = Scalar(F8, weak=False)


@pytest.mark.parametrize(
    ("base", "items", "type_", "view"),
    [
        (x1, (INT,), NUMBER, False),
        (x1, (K(0),), NUMBER, False),
        (x2, (INT,), x1, True),
        (x2, (INT, K(-1)), NUMBER, False),
        (x1, (K(0), DOTS), Array(F8, ()), True),
        (Array(F8, ()), (), NUMBER, False),
        (Array(F8, ()), (DOTS,), Array(F8, ()), True),
        (A, (FULL, FULL, K(0)), Array(F8, (N, "?k")), True),
        (A, (NEW,), Array(F8, (1, N, "?k", 1)), True),
        (A, (DOTS, NEW), Array(F8, (N, "?k", 1, 1)), True),
        (A, (SliceItem(step=K(-1)),), A, True),
        (A, (SliceItem(start=K(1)),), Array(F8, ("?h.0", "?k", 1)), True),
        (A, (FULL, SliceItem(stop=Extent("?k"))), A, True),
        (A, (FULL, FULL, SliceItem(stop=K(1))), A, True),
        (x1, (SliceItem(stop=K(2)),), x1, True),
        (x1, (SliceItem(stop=K(1)),), Array(F8, ("?h.0",)), True),
        (x1, (SliceItem(stop=K(-1)),), Array(F8, ("?h.0",)), True),
        (x1, (Array(I8, ("?j",)),), Array(F8, ("?j",)), False),
        (x1, ([INT, INT],), x1, False),
        (x1, ([INT],), Array(F8, (1,)), False),
        (x1, (Array(B1, (N,)),), Array(F8, ("?h.0",)), False),
        (x2, (Array(B1, (N, N)),), Array(F8, ("?h.0",)), False),
        (x2, (FULL, Array(I8, (N, 1))), Array(F8, (N, N, 1)), False),
        (x2, (Array(I8, (N,)), Array(I8, ("?j", 1))), Array(F8, ("?j", N)), False),
        (Array(F8, (N, 1, "?k")), (K(0), FULL, Array(I8, ("?j",))), Array(F8, ("?j", 1)), False),
        (Array(F8, (1, N, "?k")), (FULL, K(0), Array(I8, ("?j",))), Array(F8, (1, "?j")), False),
        (ListOf(x1), (INT,), x1, True),
        (ListOf(Array(F8, ("?k",))), (INT,), Array(F8, ("?h.k",)), True),
        (TupleOf((FLOAT, x1)), (K(1),), x1, True),
        (Unknown(F8), (INT,), Unknown(F8), None),
        (x1, (FLOAT,), Unknown(F8), None),
    ],
)
def test_indexing(base: Any, items: Any, type_: Any, view: bool | None) -> None:
    assert index_type(base, items, "h") == (type_, view)


def test_a_fresh_size_is_not_one_of_the_operand() -> None:
    """In a loop the same statement names its result's size again, which is another size than its operand's."""
    grown = Array(F8, ("?h.0",))
    assert index_type(grown, (SliceItem(start=K(1)),), "h") == (Array(F8, ("?h.0'",)), True)


SIZES = {1: (1,), N: (0, 2, 3), "?a": (0, 1, 2, 3), "?b": (0, 1, 2, 3)}


@pytest.mark.parametrize(("p", "q"), list(product(SIZES, repeat=2)))
def test_broadcasting_of_dimensions(p: Any, q: Any) -> None:
    dim = broadcast_dim(p, q)
    assert dim == broadcast_dim(q, p)
    for m, n in product(SIZES[p], SIZES[q]):
        if p == q and str(p).startswith("?") and m != n:
            continue
        try:
            (size,) = np.broadcast_shapes((m,), (n,))
        except ValueError:
            continue
        expected = {1: size == 1, N: size != 1, "?a": m == size if p == "?a" else n == size, "?b": True}
        assert expected.get(dim, True), (m, n)
    assert dim != "?b" or "?b" in (p, q)


def test_unknown_sizes_that_meet_are_named_by_both() -> None:
    assert broadcast_dims(("?a", 1), ("?b", "?a"), (1,)) == ("?a&b", "?a")
    assert broadcast_dims(("?a&b",), ("?c",), ("?a",)) == ("?a&b&c",)
    assert broadcast(Array(F8, (N, 1)), FLOAT) == (N, 1)


@pytest.mark.parametrize(("dims", "product_", "total"), [
    ((N, N), N, N),
    ((1, 1), 1, N),
    ((1, N), N, None),
    ((1, "?a"), "?a", None),
    (("?a",), "?a", "?a"),
    (("?a", N), None, None),
    ((1, 1, N), N, N),
    ((1,), 1, 1),
])  # fmt: skip
def test_products_and_totals(dims: Any, product_: Any, total: Any) -> None:
    assert (product_dim(dims), total_dim(dims)) == (product_, total)
    for sizes in product(*(SIZES[dim] for dim in dims)):
        for dim, size in ((product_, int(np.prod(sizes))), (total, sum(sizes))):
            assert size == 1 if dim == 1 else size != 1 if dim == N else True


def test_sizes_required_to_be_equal_share_what_is_known() -> None:
    assert same_dim(["?a", N]) == N
    assert same_dim([N, 1]) == 1
    assert same_dim(["?a", "?b"]) == "?a"
    assert same_dim([]) is None


@pytest.mark.parametrize("seed", range(200))
def test_sum_axes_undoes_broadcasting(seed: int) -> None:
    draw = Draw(seed)
    a, b = draw.dims(draw.one_of((0, 1, 2, 3))), draw.dims(draw.one_of((0, 1, 2, 3)))
    result = broadcast_dims(a, b)
    axes = sum_axes(a, result)
    if axes is None:
        assert any(str(dim).startswith("?") for dim in a)
        return
    for _ in range(10):
        draw.sizes()
        x, y = draw.value(Array(I8, a)), draw.value(Array(I8, b))
        try:
            g = np.ones(np.broadcast_shapes(x.shape, y.shape))
        except ValueError:
            continue
        assert g.sum(axis=axes[0]).sum(axis=axes[1], keepdims=True).shape == x.shape


@pytest.mark.parametrize(("operand", "result", "axes"), [
    ((N,), (N, N), ((0,), ())),
    ((1, N), (N, N, N), ((0,), (0,))),
    ((), ("?a", N), ((0, 1), ())),
    (("?a",), ("?a",), ((), ())),
    ((N,), ("?a",), ((), ())),
    ((1,), (1,), ((), ())),
    ((1,), ("?a",), ((), (0,))),
    (("?a",), (N,), None),
    (("?a",), ("?a&b",), None),
    (("?a",), (1,), ((), ())),
    ((N, N), (N,), None),
])  # fmt: skip
def test_sum_axes(operand: Any, result: Any, axes: Any) -> None:
    assert sum_axes(operand, result) == axes

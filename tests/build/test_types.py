"""Inferred types against what NumPy returns: over random operand types, and over random values of each."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from s2s_ad.build.types import admits, result_type
from s2s_ad.ir.types import (
    BOOL,
    COMPLEX,
    FLOAT,
    INT,
    OPAQUE,
    Array,
    Extent,
    Known,
    ListOf,
    N,
    Scalar,
    TupleOf,
    Unknown,
)

F8, F4, I8, B1, C16 = (np.dtype(name) for name in ("f8", "f4", "i8", "?", "c16"))
FLOATS, ANY, REAL = (F8, F8, F4), (F8, F4, I8, B1, C16), (F8, F4, I8, B1)


class Draw:
    """Random operand types, and random values of them."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def one_of(self, choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def dims(self, rank: int) -> tuple[Any, ...]:
        return tuple(self.one_of((1, N, N, "?a", "?b")) for _ in range(rank))

    def array(self, ranks: Any = (0, 1, 2, 3), dtypes: Any = ANY) -> Array:
        return Array(self.one_of(dtypes), self.dims(self.one_of(ranks)))

    def scalar(self, dtypes: Any = ANY) -> Any:
        if self.rng.random() < 0.5:
            return self.one_of([Scalar(self.one_of(dtypes), weak=False), Known(self.one_of([2, 0.5, -1.5, 3.0]))])
        return self.one_of([FLOAT, INT, BOOL, FLOAT] if B1 in dtypes else [FLOAT])

    def operand(self, ranks: Any = (0, 1, 2, 3), dtypes: Any = ANY) -> Any:
        return self.scalar(dtypes) if self.rng.random() < 0.3 else self.array(ranks, dtypes)

    def axis(self, rank: int) -> Known:
        return Known(int(self.rng.integers(-rank, rank))) if rank else Known(None)

    # Values -----------------------------------------------------------------------------------------------------------
    def sizes(self) -> None:
        common = int(self.one_of((0, 2, 3, 4, 5)))
        together = self.rng.random() < 0.6
        self.known: Callable[[], int] = lambda: common if together else int(self.one_of((0, 2, 3, 4, 5)))
        unknown = (0, 1, 1, 2, 3, common, common, common)
        self.tokens = {f"?{name}": int(self.one_of(unknown)) for name in "ab"}

    def size(self, dim: Any) -> int:
        return dim if isinstance(dim, int) else self.known() if dim == N else self.tokens[dim]

    def value(self, operand: Any) -> Any:
        match operand:
            case Known(value):
                return value
            case Extent(dim):
                return self.size(dim)
            case Scalar(dtype, weak):
                number = self.numbers(dtype, ())
                return number.item() if weak else dtype.type(number.item())
            case Array(dtype, dims):
                return self.numbers(dtype, tuple(map(self.size, dims)))
            case TupleOf(items):
                return tuple(map(self.value, items))
            case tuple(items):
                return tuple(map(self.value, items))
            case list(items):
                return list(map(self.value, items))
            case ListOf(item):
                length = int(self.rng.integers(1, 4))
                fixed = [self.size(d) for d in item.dims] if isinstance(item, Array) else None
                return [
                    self.value(item) if fixed is None else self.numbers(item.dtype, tuple(fixed)) for _ in range(length)
                ]
        raise AssertionError(operand)

    def numbers(self, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        if dtype.kind == "b":
            return np.asarray(self.rng.random(shape) < 0.5)
        if dtype.kind in "iu":
            return np.asarray(self.rng.integers(-2, 5, shape)).astype(dtype)
        real = np.asarray(self.rng.normal(size=shape))
        if dtype.kind == "c":
            return np.asarray(real + 1j * self.rng.normal(size=shape)).astype(dtype)
        return np.asarray(np.abs(real) if self.rng.random() < 0.3 else real).astype(dtype)

    def broadcast_tokens(self) -> dict[str, int]:
        a, b = self.tokens["?a"], self.tokens["?b"]
        found = dict(self.tokens)
        if a == b or 1 in (a, b):
            found["?a&b"] = b if a == 1 else a
        return found


def called(function: Any, args: Any, kwargs: Any) -> Any:
    if getattr(function, "__objclass__", None) is np.ndarray:
        return getattr(args[0], function.__name__)(*args[1:], **kwargs)
    return function(*args, **kwargs)


def check(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], draw: Draw, tries: int = 12) -> tuple[Any, int]:
    """Every value that the call returns is of the inferred type. Gives the type and the number of calls that ran."""
    type_ = result_type(function, args, kwargs, "h")
    ran = 0
    for _ in range(tries):
        draw.sizes()
        values = tuple(map(draw.value, args))
        options = {name: draw.value(operand) for name, operand in kwargs.items()}
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                value = called(function, values, options)
        except Exception:
            continue
        ran += 1
        if type_ is not None:
            assert admits(type_, value, sizes=draw.broadcast_tokens()), (
                f"{function}({args}, {kwargs}) is said to be {type_!r}, and is {value!r} for {values} {options}"
            )
    return type_, ran


Operands = tuple[tuple[Any, ...], dict[str, Any]]
Maker = Callable[[Draw], Operands]


def one(ranks: Any = (0, 1, 2, 3), dtypes: Any = ANY, **kwargs: Any) -> Maker:
    return lambda d: ((d.array(ranks, dtypes),), {name: Known(value) for name, value in kwargs.items()})


def with_axis(ranks: Any = (1, 2, 3), dtypes: Any = REAL, keepdims: bool = False) -> Maker:
    def make(d: Draw) -> Operands:
        x = d.array(ranks, dtypes)
        kwargs: dict[str, Any] = {"axis": d.axis(x.ndim)} if d.rng.random() < 0.8 else {}
        if keepdims and d.rng.random() < 0.5:
            kwargs["keepdims"] = Known(bool(d.rng.random() < 0.7))
        if x.ndim == 3 and keepdims and d.rng.random() < 0.3:
            kwargs["axis"] = Known((0, -1))
        return (x,), kwargs

    return make


def two(ranks: Any = (1, 2, 3), dtypes: Any = FLOATS, **kwargs: Any) -> Maker:
    return lambda d: (
        (d.array(ranks, dtypes), d.array(ranks, dtypes)),
        {name: Known(value) for name, value in kwargs.items()},
    )


def sequence(ranks: Any = (1, 2), axis: bool = False) -> Maker:
    def make(d: Draw) -> Operands:
        rank = d.one_of(ranks)
        items = [d.array((rank,), FLOATS) for _ in range(d.one_of((1, 2, 3)))]
        kind = list if d.rng.random() < 0.5 else tuple
        many = d.rng.random() < 0.2
        operand: Any = ListOf(items[0]) if many else kind(items)
        return (operand,), {"axis": d.axis(rank)} if axis and rank and d.rng.random() < 0.7 else {}

    return make


def shaped(d: Draw) -> tuple[Any, ...]:
    entry = [Known(1), Known(3), INT, Extent(N), Extent("?a"), Extent(1), Scalar(I8, weak=False), Known(0)]
    return tuple(d.one_of(entry) for _ in range(d.one_of((1, 2, 3))))


def creating(d: Draw) -> Operands:
    shape = shaped(d)
    args: tuple[Any, ...] = (shape[0] if len(shape) == 1 and d.rng.random() < 0.7 else shape,)
    return args, {"dtype": Known(np.float32)} if d.rng.random() < 0.3 else {}


def reshaping(d: Draw) -> Operands:
    shape = tuple(
        d.one_of([Known(1), Known(-1), INT, Extent(N), Extent("?a"), Known(4)]) for _ in range(d.one_of((1, 2)))
    )
    return (d.array((0, 1, 2)), shape), {}


def broadcasting(d: Draw) -> Operands:
    return (d.array((0, 1, 2), FLOATS), (Known(3), *shaped(d), d.one_of([Extent(N), Extent("?a")]))), {}


def counted(d: Draw) -> Operands:
    return (d.array((1, 2), FLOATS), d.one_of([Known(1), Known(2), INT, Known(0), (Known(2), Known(1))])), {}


def repeating(d: Draw) -> Operands:
    x = d.array((1, 2), FLOATS)
    times = d.one_of([Known(1), Known(2), Known(0), INT, Array(I8, (N,))])
    return (x, times), {"axis": d.axis(x.ndim)} if d.rng.random() < 0.6 else {}


def square_matrix(stacks: bool = False, dtypes: Any = FLOATS) -> Maker:
    def make(d: Draw) -> Operands:
        n = d.one_of([N, N, 1, "?a"])
        batch = d.dims(1) if stacks and d.rng.random() < 0.4 else ()
        return (Array(d.one_of(dtypes), (*batch, n, d.one_of([n, n, N, "?b"]))),), {}

    return make


def solving(d: Draw) -> Operands:
    n = d.one_of([N, N, 1, "?a"])
    return (Array(F8, (n, n)), Array(d.one_of(FLOATS), (n, *d.dims(d.one_of((0, 1)))))), {}


def contracting(d: Draw) -> Operands:
    n = d.one_of([N, 1, "?a"])
    left = (*d.dims(d.one_of((0, 1, 2))), n)
    right = d.dims(d.one_of((0, 1)))
    right = (n,) if not right else (*d.dims(d.one_of((0, 0, 1))), n, *right)
    return (Array(d.one_of(ANY), left), Array(d.one_of(ANY), right)), {}


def axes_of(*choices: Any) -> Maker:
    return lambda d: ((d.array((2,), FLOATS), *map(Known, d.one_of(choices))), {})


def any_numbers(count: int) -> Maker:
    return lambda d: (tuple(d.one_of([FLOAT, INT, Known(3), Known(1.5), Known(0)]) for _ in range(count)), {})


def where_operands(d: Draw) -> Operands:
    return (d.one_of([d.array((0, 1, 2), (B1,)), BOOL]), d.operand(), d.operand()), {}


def taking(d: Draw) -> Operands:
    x = d.array((1, 2), FLOATS)
    indices = d.one_of([d.array((0, 1, 2), (I8,)), Known((0, 1)), Known(0), [INT, INT], INT])
    return (x, indices), {"axis": d.axis(x.ndim)} if d.rng.random() < 0.6 else {}


def quantiles(d: Draw) -> Operands:
    x = d.array((1, 2), FLOATS)
    q = d.one_of([Known(0.25), FLOAT, Known((0.1, 0.9)), Known((0.5,)), [FLOAT, Known(0.5)]])
    return (x, q), {"axis": d.axis(x.ndim)} if d.rng.random() < 0.5 else {}


def clipping(d: Draw) -> Operands:
    bounds = [d.one_of([Known(None), Known(0), FLOAT, d.array((0, 1, 2), REAL)]) for _ in range(2)]
    return (d.array(dtypes=REAL), *bounds), {}


def splitting(d: Draw) -> Operands:
    return (d.array((1, 2), FLOATS), d.one_of([Known(1), Known(2), Known(3), Known((1, 2)), Known((2,))])), {}


def nested(d: Draw) -> Operands:
    item = d.one_of([d.array((0, 1, 2), FLOATS), FLOAT, INT, Scalar(F4, weak=False)])
    operand = d.one_of([[item, item], [item], (item, item, item), [[item], [item]], [item, Known(0)], ListOf(item)])
    return (operand,), {}


def einsum_of(text: str) -> Maker:
    def make(d: Draw) -> Operands:
        sizes = {label: d.one_of([N, N, 1, "?a", "?b"]) for label in "ijk"}
        terms = text.split("->")[0].split(",")
        arrays = (Array(F8, tuple(d.one_of([sizes[label], sizes[label], 1]) for label in term)) for term in terms)
        return (Known(text), *arrays), {}

    return make


def named(module: Any, names: str) -> list[Any]:
    return [getattr(module, name) for name in names.split() if hasattr(module, name)]


FAMILIES: dict[str, tuple[list[Any], list[Maker]]] = {
    "unary ufuncs": (
        named(
            np,
            "sin exp log sqrt tanh abs sign floor negative isnan square reciprocal conj rint logical_not cbrt invert",
        ),
        [one(), lambda d: ((d.scalar(),), {})],
    ),
    "binary ufuncs": (
        named(
            np,
            "add subtract multiply divide power maximum fmin arctan2 hypot mod floor_divide greater equal logical_and "
            "copysign logaddexp float_power nextafter heaviside divmod",
        ),
        [lambda d: ((d.operand(), d.operand()), {})],
    ),
    "binary operators": (
        named(operator, "add sub mul truediv floordiv mod lt eq ge") + [divmod],
        [lambda d: ((d.operand(), d.operand()), {})],
    ),
    "bits": (
        [np.left_shift, np.bitwise_and, operator.and_, operator.xor, operator.lshift, operator.rshift],
        [lambda d: ((d.one_of([d.array(dtypes=(I8, B1)), INT, BOOL]), d.one_of([d.array(dtypes=(I8, B1)), INT])), {})],
    ),
    "powers": (
        [operator.pow, pow],
        [
            lambda d: ((d.array(), d.operand()), {}),
            lambda d: ((d.operand(), Known(d.one_of([2, -1, 0, 3, 1]))), {}),
            lambda d: ((INT, INT), {}),
        ],
    ),
    "unary operators": (named(operator, "neg pos invert") + [abs, round], [lambda d: ((d.operand(),), {})]),
    "rounding": ([round, np.round], [lambda d: ((d.operand(dtypes=(F8, F4, I8)), Known(1)), {})]),
    "several results": (named(np, "modf frexp"), [one(dtypes=FLOATS), lambda d: ((d.scalar(FLOATS),), {})]),
    "elementwise functions": (
        named(
            np, "real imag angle nan_to_num sinc iscomplex isreal isposinf fix i0 copy float32 float64 bool_ zeros_like"
        ),
        [one(), lambda d: ((d.scalar(),), {})],
    ),
    "isclose": ([np.isclose, np.allclose, np.array_equal], [lambda d: ((d.operand(), d.operand()), {})]),
    "where": ([np.where], [where_operands, one(dtypes=(B1, I8))]),
    "clip": ([np.clip], [clipping]),
    "casts": (
        [np.ndarray.astype],
        [lambda d: ((d.array(), Known(d.one_of([np.float32, float, "f4", int, np.dtype(bool)]))), {})],
    ),
    "reductions": (
        named(
            np,
            "sum prod mean std var max min any all argmax argmin ptp nansum nanmax nanmean "
            "count_nonzero median average",
        ),
        [with_axis(keepdims=True), one()],
    ),
    "reduction methods": (named(np.ndarray, "sum mean max any argmin prod std"), [with_axis(keepdims=True)]),
    "ufunc methods": ([np.add.reduce, np.maximum.reduce, np.multiply.accumulate, np.add.accumulate], [with_axis()]),
    "ufunc outer": ([np.subtract.outer, np.multiply.outer], [two((0, 1, 2))]),
    "run-time axes": (
        [np.sum, np.cumsum, np.sort, np.take, np.flip],
        [lambda d: ((d.array((1, 2, 3), REAL), INT), {})],
    ),
    "along an axis": (
        named(np, "cumsum cumprod sort argsort diff flip gradient roll trapezoid expand_dims squeeze nancumsum unwrap"),
        [with_axis((1, 2, 3), FLOATS), lambda d: ((d.array((1, 2), FLOATS), Known(1)), {})],
    ),
    "quantiles": ([np.quantile, np.percentile, np.nanquantile], [quantiles]),
    "arrangements": (
        named(
            np,
            "transpose ravel squeeze atleast_1d atleast_2d atleast_3d fliplr flipud rot90 "
            "matrix_transpose tril triu diag"
            "diagonal trace diagflat ascontiguousarray asarray array shape ndim size cov corrcoef ediff1d vander",
        ),
        [one((0, 1, 2, 3), FLOATS)],
    ),
    "array methods": (
        named(np.ndarray, "transpose ravel flatten squeeze copy diagonal trace item conj cumsum sort"),
        [one()],
    ),
    "axes": ([np.swapaxes, np.moveaxis, np.rollaxis], [axes_of((0, 1), (1, 0), (-1, 0), (0, 0))]),
    "shifts": (
        [np.roll, np.diag, np.tril, np.expand_dims, np.rot90],
        [axes_of((0,), (1,), (-1,)), lambda d: ((d.array((2,), FLOATS), INT), {})],
    ),
    "creation": ([np.zeros, np.ones, np.empty], [creating]),
    "full": (
        [np.full],
        [lambda d: ((shaped(d), d.one_of([FLOAT, INT, Known(1000), Known(0.0), Scalar(F4, weak=False)])), {})],
    ),
    "likes": (
        [np.zeros_like, np.ones_like, np.empty_like],
        [one(), lambda d: ((d.scalar(),), {}), one(dtype=np.float32)],
    ),
    "ranges": ([np.arange], [any_numbers(1), any_numbers(2), any_numbers(3)]),
    "spaces": (
        [np.linspace, np.logspace],
        [lambda d: ((FLOAT, d.one_of([FLOAT, INT]), d.one_of([Known(1), Known(50), INT])), {}), any_numbers(2)],
    ),
    "identity": (
        [np.eye, np.identity, np.tri],
        [lambda d: ((d.one_of([INT, Known(1), Known(3), Extent(N), Extent("?a")]),), {})],
    ),
    "reshape": ([np.reshape, np.ndarray.reshape], [reshaping]),
    "broadcast_to": ([np.broadcast_to], [broadcasting]),
    "tile": ([np.tile], [counted]),
    "repeat": ([np.repeat, np.ndarray.repeat], [repeating]),
    "join": ([np.concatenate, np.stack], [sequence((0, 1, 2), axis=True)]),
    "stack": ([np.hstack, np.vstack, np.column_stack, np.dstack, np.block], [sequence((0, 1, 2))]),
    "append": ([np.append], [two((0, 1, 2)), lambda d: ((d.array((1,), FLOATS), FLOAT), {}), two((2,), axis=0)]),
    "split": ([np.split, np.array_split], [splitting]),
    "displays": ([np.array, np.asarray, np.sum, np.max, np.mean, np.float64], [nested]),
    "products": ([np.matmul, operator.matmul, np.dot, np.inner, np.vdot, np.vecdot], [contracting, two((1, 2, 3))]),
    "other products": (
        [np.outer, np.kron, np.cross, np.convolve, np.correlate],
        [two((1,)), two((2,)), two((0, 1, 2))],
    ),
    "convolution": ([np.convolve], [two((1,), mode="valid"), two((1,), mode="same")]),
    "tensordot": (
        [np.tensordot],
        [two((1, 2, 3), axes=1), two((2, 3), axes=0), two((2, 3), axes=((0,), (1,))), two((2,), axes=(-1, -2))],
    ),
    "einsum": (
        [np.einsum],
        [einsum_of(t) for t in ("ij,jk->ik", "ij,jk", "ii->i", "ii", "ij->ji", "i,i", "ij,kj->ik", "i,j->ij", "ij,j")],
    ),
    "matrices": (
        named(np.linalg, "inv pinv det slogdet matrix_rank cond eig eigvals eigh eigvalsh"),
        [square_matrix(stacks=True, dtypes=(F8, F4, C16))],
    ),
    "cholesky": (
        [np.linalg.cholesky],
        [lambda d: ((Array(F8, d.one_of([(1, 1), ("?a", 1), (N, 1, 1), (N, 1, "?a")])),), {})],
    ),
    "matrix powers": ([np.linalg.matrix_power], [lambda d: ((Array(F8, ("?a", "?a")), Known(2)), {})]),
    "solve": ([np.linalg.solve, np.linalg.lstsq], [solving]),
    "decompositions": (
        [np.linalg.svd, np.linalg.qr, np.linalg.svdvals],
        [one((2, 3), FLOATS), lambda d: ((d.array((2,), FLOATS),), {"full_matrices": Known(False)})],
    ),
    "norms": (
        [np.linalg.norm],
        [with_axis((1, 2), FLOATS, keepdims=True), one((0, 1, 2), FLOATS, ord=1), one((1, 2), FLOATS, ord=np.inf)],
    ),
    "interpolation": (
        [np.interp],
        [
            lambda d: ((d.operand((0, 1, 2), FLOATS), Array(F8, ("?a",)), Array(F8, ("?a",))), {}),
            two((1,), xp=(0.0, 1.0), fp=(1.0, 2.0)),
        ],
    ),
    "searches": (
        [np.searchsorted, np.digitize],
        [lambda d: ((d.array((1,), FLOATS), d.operand((0, 1, 2), FLOATS)), {})],
    ),
    "by data": (
        named(
            np,
            "nonzero flatnonzero argwhere union1d intersect1d setdiff1d trim_zeros compress extract "
            "isin bincount roots",
        ),
        [one((0, 1, 2), REAL), two((1,), REAL), lambda d: ((d.array((1,), (B1,)), d.array((1,), FLOATS)), {})],
    ),
    "unique": ([np.unique], [one((0, 1, 2), REAL), one((1, 2), REAL, axis=0), one((1,), REAL, return_inverse=True)]),
    "flags": ([np.sum, np.median], [lambda d: ((d.array((1, 2), FLOATS),), {"keepdims": BOOL, "axis": Known(0)})]),
    "deletion": (
        [np.delete],
        [
            lambda d: (
                (d.array((1, 2), FLOATS), d.one_of([Known(0), INT, Known((0, 1)), d.array((1,), (I8,))])),
                {"axis": Known(0)},
            )
        ],
    ),
    "insertion": ([np.insert], [lambda d: ((d.array((1,), FLOATS), d.one_of([Known(0), INT]), FLOAT), {})]),
    "take": ([np.take], [taking]),
    "pad": ([np.pad], [lambda d: ((d.array((1, 2), FLOATS), d.one_of([Known(0), Known(1), Known((0, 1)), INT])), {})]),
    "meshgrid": ([np.meshgrid], [two((1,)), two((1,), indexing="ij"), two((1,), sparse=True)]),
    "broadcast_arrays": ([np.broadcast_arrays], [two((0, 1, 2))]),
    "fft": (
        named(np.fft, "fft ifft rfft irfft fft2 fftshift"),
        [one((1, 2), (F8, F4, C16)), lambda d: ((d.array((1,), FLOATS), d.one_of([Known(1), Known(4), INT])), {})],
    ),
    "histogram": (
        [np.histogram],
        [one((1,), FLOATS, bins=4), one((1,), FLOATS, bins="auto"), lambda d: ((d.array((1,), FLOATS), INT), {})],
    ),
    "polynomials": ([np.polyval, np.polyadd, np.polymul], [two((1,))]),
    "fits": ([np.polyfit], [lambda d: ((Array(F8, ("?a",)), Array(F8, ("?a",)), d.one_of([Known(1), Known(0)])), {})]),
    "math": (
        named(math, "sin sqrt exp floor ceil isnan frexp modf fabs erf"),
        [lambda d: ((d.one_of([FLOAT, INT, Scalar(F8, False), Scalar(F4, False), Array(F8, ()), Known(2)]),), {})],
    ),
    "conversions": ([float, int, bool, complex, len], [lambda d: ((d.operand(dtypes=(F8, I8, B1)),), {})]),
    "Python sums": ([sum], [nested, lambda d: ((Array(d.one_of(ANY), (1, *d.dims(d.one_of((0, 1))))),), {})]),
    "sequences": (
        [operator.add],
        [
            lambda d: (([FLOAT, INT], [INT]), {}),
            lambda d: (((FLOAT, INT), TupleOf((INT,))), {}),
            lambda d: (([FLOAT, FLOAT], d.array((0, 1, 2))), {}),
        ],
    ),
}


def cases() -> Iterator[Any]:
    for family, (functions, makers) in FAMILIES.items():
        for function in functions:
            yield pytest.param(function, makers, id=f"{family}-{getattr(function, '__name__', function)}")


@pytest.mark.parametrize(("function", "makers"), list(cases()))
def test_what_numpy_returns_is_of_the_inferred_type(function: Any, makers: list[Maker]) -> None:
    ran = 0
    for seed in range(12):
        draw = Draw(seed)
        for make in makers:
            ran += check(function, *make(draw), draw)[1]
    assert ran > 20, "the operands hardly ever fit the function"


V, M = Array(F8, (N,)), Array(F8, (N, N))
Q = Array(F4, ("?a", 1))
Z = Array(F8, ())
X = Scalar(F8, weak=False)
K = Known


@pytest.mark.parametrize(("function", "args", "kwargs", "type_"), [
    # Python numbers are weak; 0-d arrays and NumPy numbers are not (NumPy 2)
    (operator.mul, (FLOAT, INT), {}, FLOAT),
    (operator.truediv, (INT, INT), {}, FLOAT),
    (operator.add, (BOOL, BOOL), {}, INT),
    (operator.mul, (Q, FLOAT), {}, Q),
    (operator.mul, (Q, K(2.0)), {}, Q),
    (operator.mul, (Q, X), {}, Array(F8, ("?a", 1))),
    (operator.mul, (Q, Z), {}, Array(F8, ("?a", 1))),
    (operator.mul, (Scalar(F4, False), FLOAT), {}, Scalar(F4, False)),
    (operator.mul, (Z, K(2)), {}, X),
    (np.sin, (FLOAT,), {}, X),
    (np.sin, (Z,), {}, X),
    (operator.pow, (FLOAT, K(2)), {}, FLOAT),
    (operator.pow, (INT, INT), {}, Unknown()),
    (operator.pow, (INT, K(-1)), {}, FLOAT),
    (operator.pow, (INT, K(2)), {}, INT),
    (operator.add, (FLOAT, COMPLEX), {}, COMPLEX),
    (operator.lt, (V, FLOAT), {}, Array(B1, (N,))),
    (operator.lt, (FLOAT, INT), {}, BOOL),
    (operator.not_, (V,), {}, BOOL),
    # broadcasting
    (np.add, (Array(F8, (N, 1)), Array(F8, (1, "?a"))), {}, Array(F8, (N, "?a"))),
    (np.add, (Array(F8, ("?a",)), Array(F8, ("?b",))), {}, Array(F8, ("?a&b",))),
    (np.add, (Array(F8, ("?a",)), V), {}, V),
    (operator.iadd, (Array(F8, ("?a",)), V), {}, Array(F8, ("?a",))),
    (operator.iadd, (FLOAT, X), {}, X),
    (np.add, (V, V), {"out": M}, M),
    (np.add, (V, V, M), {}, M),
    (np.where, (Array(B1, (N, 1)), V, K(0.0)), {}, M),
    (np.clip, (Q, K(0), K(None)), {}, Q),
    (divmod, (V, FLOAT), {}, TupleOf((V, V))),
    (np.modf, (FLOAT,), {}, TupleOf((X, X))),
    # reductions
    (np.sum, (M,), {}, X),
    (np.sum, (M,), {"axis": K(0)}, V),
    (np.sum, (Q,), {"axis": K(-1)}, Array(F4, ("?a",))),
    (np.sum, (Q,), {"axis": K((0, 1)), "keepdims": K(True)}, Array(F4, (1, 1))),
    (np.sum, (Q,), {"axis": INT}, Array(F4, ("?h.0",))),
    (np.sum, (Q,), {"keepdims": BOOL}, Unknown(F4)),
    (np.mean, (Array(I8, (N,)),), {}, X),
    (np.mean, (Array(np.dtype("f2"), (N,)),), {}, Scalar(np.dtype("f2"), False)),
    (np.argmax, (V,), {}, Scalar(I8, False)),
    (np.ndarray.sum, (M, K(1)), {}, V),
    (np.linalg.norm, (V,), {}, X),
    (np.quantile, (V, K((0.1, 0.9))), {}, V),
    (np.cumsum, (M,), {"axis": K(0)}, M),
    (np.cumsum, (M,), {}, V),
    # shapes
    (np.shape, (Q,), {}, TupleOf((Scalar(I8, size="?a"), Scalar(I8, size=1)))),
    (np.zeros, ((Scalar(I8, size="?a"), Scalar(I8, size=1), Scalar(I8, size=N)),), {}, Array(F8, ("?a", 1, N))),
    (operator.mul, (Scalar(I8, size="?a"), INT), {}, INT),
    (max, (Scalar(I8, size="?a"), Scalar(I8, size="?b")), {}, INT),
    (len, (M,), {}, Scalar(I8, size=N)),
    (np.reshape, (M, (K(-1), K(1))), {}, Array(F8, (N, 1))),
    (np.reshape, (M, (Extent("?a"), K(-1))), {}, Array(F8, ("?a", "?h.1"))),
    (np.reshape, (Q, K(-1)), {}, Array(F4, ("?a",))),
    (np.reshape, (V, INT), {}, Array(F8, ("?h.0",))),
    (np.transpose, (Array(F8, (1, N, "?a")),), {}, Array(F8, ("?a", N, 1))),
    (np.squeeze, (Q,), {"axis": K(1)}, Array(F4, ("?a",))),
    (np.squeeze, (Q,), {}, Unknown(F4)),
    (np.expand_dims, (Q, K(0)), {}, Array(F4, (1, "?a", 1))),
    (np.diff, (V,), {}, Array(F8, ("?h.0",))),
    (np.concatenate, ((V, V),), {}, V),
    (np.concatenate, ([V, Array(F8, (1,))],), {}, Array(F8, ("?h.0",))),
    (np.concatenate, ([M, Array(F8, (1, "?a"))],), {}, Array(F8, ("?h.0", N))),
    (np.stack, ([V, Array(F8, ("?a",))],), {"axis": K(-1)}, M),
    (np.stack, ([V],), {}, Array(F8, (1, N))),
    (np.array, ([FLOAT, X],), {}, V),
    (np.array, (ListOf(V),), {}, Array(F8, ("?h.0", N))),
    (np.broadcast_to, (V, (K(3), Extent("?a"))), {}, M),
    (np.tile, (V, K(2)), {}, V),
    (np.split, (V, K(2)), {}, TupleOf((Array(F8, ("?h.0.0",)), Array(F8, ("?h.1.0",))))),
    # creation
    (np.zeros, ((INT, K(3), K(1)),), {}, Array(F8, ("?h.0", N, 1))),
    (np.zeros, (K(10**12),), {}, V),
    (np.zeros, ((Extent(N), Extent("?a")),), {}, Array(F8, (N, "?a"))),
    (np.zeros_like, (Q,), {}, Q),
    (np.full, (K(2), INT), {}, Array(I8, (N,))),
    (np.eye, (Extent(N),), {}, M),
    (np.arange, (INT,), {}, Array(I8, ("?h.0",))),
    (np.arange, (K(0.0), K(1.0), K(0.1)), {}, V),
    (np.linspace, (FLOAT, FLOAT, K(50)), {}, V),
    # products
    (operator.matmul, (M, Array(F8, (N, "?a"))), {}, Array(F8, (N, "?a"))),
    (operator.matmul, (M, V), {}, V),
    (np.dot, (V, V), {}, X),
    (np.einsum, (K("ij,kj->ik"), M, Array(F8, ("?a", N))), {}, Array(F8, (N, "?a"))),
    (np.outer, (V, Array(F8, ("?a",))), {}, Array(F8, (N, "?a"))),
    (np.convolve, (V, V), {"mode": K("valid")}, Array(F8, ("?h.0",))),
    (np.linalg.solve, (M, V), {}, V),
    (np.linalg.inv, (Array(F4, (N, "?a")),), {}, Array(F4, (N, N))),
    (np.linalg.slogdet, (M,), {}, TupleOf((X, X))),
    (np.linalg.eigh, (M,), {}, TupleOf((V, M))),
    (np.linalg.eig, (M,), {}, TupleOf((Unknown(), Unknown()))),
    # by data
    (np.nonzero, (M,), {}, TupleOf((Array(I8, ("?h.0.0",)), Array(I8, ("?h.1.0",))))),
    (np.unique, (M,), {}, Array(F8, ("?h.0",))),
    (np.histogram, (V,), {"bins": K("auto")}, TupleOf((Array(I8, ("?h.0.0",)), Array(F8, ("?h.1.0",))))),
    # what may be anything
    (np.sum, (Unknown(F8),), {}, X),
    (operator.add, (Unknown(F8), V), {}, Unknown(F8)),
    (operator.add, (Unknown(F8), Q), {}, Unknown()),
    (operator.lt, (Unknown(), V), {}, Unknown(B1)),
    (len, (Unknown(),), {}, INT),
    (float, (Unknown(),), {}, FLOAT),
    # Python's own
    (math.sin, (Z,), {}, FLOAT),
    (math.floor, (X,), {}, INT),
    (max, (FLOAT, FLOAT), {}, FLOAT),
    (max, (FLOAT, INT), {}, FLOAT),
    (sum, ([FLOAT, X],), {}, X),
    (sum, (V,), {}, X),
    (round, (FLOAT,), {}, INT),
    (round, (X, K(2)), {}, X),
    (operator.add, ([FLOAT], [INT]), {}, TupleOf((FLOAT, INT))),
    # nothing is called that may do more than calculate
    (print, (V,), {}, OPAQUE),
    (np.random.normal, (), {}, None),
    (np.random.seed, (K(0),), {}, None),
    (np.seterr, (), {"all": K("raise")}, Unknown()),
    (np.save, (K("x"), V), {}, Unknown()),
    (lambda x: x, (V,), {}, None),
    (np.asarray, (OPAQUE,), {}, None),
])  # fmt: skip
def test_inferred_types(function: Any, args: Any, kwargs: Any, type_: Any) -> None:
    for _ in range(2):  # the second answer is remembered
        assert result_type(function, args, kwargs, "h") == type_


def test_a_fresh_size_is_not_one_of_an_operand() -> None:
    """In a loop the same statement names its result's size again, which is another size than its operand's."""
    grown = Array(F8, ("?h.0",))
    assert result_type(np.concatenate, ([grown, grown],), {}, "h") == Array(F8, ("?h.0'",))


def test_inference_leaves_no_trace() -> None:
    state = np.random.get_state()[1].copy()
    with np.errstate(all="raise"), warnings.catch_warnings(record=True) as seen:
        before = np.geterr()
        assert result_type(np.arccosh, (Array(F8, (N, 1, 1, N)),), {}, "h") == Array(F8, (N, 1, 1, N))
        assert np.geterr() == before
    assert not seen
    assert np.array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize(
    ("type_", "value", "is_of"),
    [
        (V, np.ones(3), True),
        (V, np.ones(1), False),
        (V, np.ones(0), True),
        (V, np.ones(3, "f4"), False),
        (V, np.ones((3, 3)), False),
        (Array(F8, (1,)), np.ones(1), True),
        (Array(F8, (1,)), np.ones(2), False),
        (Array(F8, ("?a", "?a")), np.ones((2, 2)), True),
        (Array(F8, ("?a", "?a")), np.ones((2, 3)), False),
        (Array(F8, ("?a", "?b")), np.ones((2, 3)), True),
        (Z, np.float64(1), False),
        (X, np.float64(1), True),
        (X, 1.0, False),
        (FLOAT, 1.0, True),
        (FLOAT, np.float64(1), False),
        (FLOAT, 1, False),
        (INT, True, False),
        (BOOL, True, True),
        (BOOL, np.bool_(True), False),
        (X, np.array(1.0), False),
        (Unknown(), "a", False),
        (Unknown(), 1.0, True),
        (Unknown(F8), np.ones(2), True),
        (Unknown(F8), np.ones(2, "f4"), False),
        (TupleOf((INT, V)), (1, np.ones(2)), True),
        (TupleOf((INT, V)), (1, np.ones(1)), False),
        (TupleOf((INT,)), (1, 2), False),
        (ListOf(FLOAT), [1.0, 2.0], True),
        (ListOf(FLOAT), [1.0, 2], False),
        (ListOf(Array(F8, ("?a",))), [np.ones(1), np.ones(2)], True),
        (OPAQUE, "a", True),
    ],
)
def test_admission(type_: Any, value: Any, is_of: bool) -> None:
    assert admits(type_, value) == is_of


def test_joined_numbers_admit_narrower_ones() -> None:
    assert admits(X, 1, exact=False)
    assert admits(FLOAT, np.float32(1), exact=False)
    assert not admits(X, 1j, exact=False)


def scipy_cases() -> list[Any]:
    linalg, special, fft, integrate = (
        pytest.importorskip(f"scipy.{name}") for name in ("linalg", "special", "fft", "integrate")
    )
    matrices = named(linalg, "inv pinv det expm lu_factor eigvalsh norm lu eigh sqrtm")
    families: list[tuple[list[Any], list[Maker]]] = [
        (named(special, "expit gammaln erf ndtr"), [lambda d: ((d.operand(dtypes=REAL),), {})]),
        (named(special, "xlogy betaln xlog1py"), [lambda d: ((d.operand(dtypes=REAL), d.operand(dtypes=REAL)), {})]),
        (named(special, "logsumexp softmax log_softmax"), [with_axis(dtypes=FLOATS)]),
        (matrices, [square_matrix()]),
        (named(linalg, "solve solve_triangular"), [solving]),
        (named(linalg, "qr svd svdvals"), [one((2,), FLOATS)]),
        (named(linalg, "toeplitz circulant"), [one((1,), FLOATS)]),
        (named(fft, "fft rfft dct"), [one((1, 2), FLOATS)]),
        (named(integrate, "trapezoid simpson cumulative_trapezoid"), [with_axis((1, 2), FLOATS)]),
    ]
    return [(function, makers) for functions, makers in families for function in functions]


def test_what_scipy_returns_is_of_the_inferred_type() -> None:
    told = 0
    for function, makers in scipy_cases():
        ran = 0
        for seed in range(16):
            draw = Draw(seed)
            for make in makers:
                args, kwargs = make(draw)
                type_, calls = check(function, args, kwargs, draw, tries=8)
                ran += calls
                told += type_ is not None and type_ != Unknown()
        assert ran > 10, f"the operands hardly ever fit {function}"
    assert told > 200

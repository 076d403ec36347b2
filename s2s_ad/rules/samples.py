"""Sample calls on which rules are tested, made from a seed.

Enters: shapes and ranges.  Leaves: `SampleMaker`s, to be given to a rule as `samples=`.

Random values have no zeros, no ties and no symmetry, so that a wrong rule cannot pass by luck; kinks are samples of
their own with `smooth=False` where a convention, and not a limit, decides.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2s_ad.rules.registry import Sample, SampleMaker

Shape = tuple[int, ...]


class Draw:
    """Arrays drawn one after the other; the numbers depend on the name alone."""

    def __init__(self, name: str = "sample") -> None:
        self._rng = np.random.default_rng(zlib.crc32(name.encode()))

    def floats(self, *shape: int, low: float = 0.2, high: float = 2.0) -> NDArray[np.float64]:
        """Floats within the range, spread evenly and shuffled: no two are equal or nearly so."""
        count = int(np.prod(shape))
        if count == 0:
            return np.zeros(shape)
        steps = self._rng.permutation(count) + self._rng.uniform(0.25, 0.75, count)
        return np.asarray((low + (high - low) * steps / count).reshape(shape))

    def number(self, low: float = 0.2, high: float = 2.0) -> float:
        return float(self._rng.uniform(low, high))

    def signed(self, *shape: int, scale: float = 2.0) -> NDArray[np.float64]:
        """Floats of both signs, away from zero."""
        magnitudes = self.floats(*shape, low=0.2 * scale, high=scale)
        return np.asarray(magnitudes * self._rng.choice([-1.0, 1.0], shape))

    def complexes(self, *shape: int, low: float = 0.2, high: float = 1.5) -> NDArray[np.complex128]:
        return np.asarray(self.floats(*shape, low=low, high=high) + 1j * self.floats(*shape, low=low, high=high))

    def integers(self, *shape: int, low: int = 0, high: int = 5) -> NDArray[np.int64]:
        return np.asarray(self._rng.integers(low, high, shape))

    def bools(self, *shape: int) -> NDArray[np.bool_]:
        return np.asarray(self.signed(*shape) > 0)


UNARY_SHAPES: tuple[Shape, ...] = ((3,), (2, 3), (1, 4), (2, 1, 3), (0,), ())
BINARY_SHAPES: tuple[tuple[Shape, Shape], ...] = (
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((), (2, 3)),
    ((4, 1), (1, 4)),
    ((1,), (3,)),
    ((2, 3), (2, 1)),
    ((2, 0), (1, 1)),
)


def unary(low: float = 0.2, high: float = 2.0, *, holomorphic: bool = False) -> SampleMaker:
    """Samples of a function of one array whose argument lies between `low` and `high`."""

    def make() -> Sequence[Sample]:
        draw = Draw(f"unary {low} {high}")
        found = [Sample((draw.number(low, high),))]
        found += [Sample((draw.floats(*shape, low=low, high=high),)) for shape in UNARY_SHAPES]
        if holomorphic:
            found += [Sample((draw.complexes(3),)), Sample((draw.complexes(2, 2) - 1.0j,))]
        return found

    return make


def numbers(low: float = 0.2, high: float = 2.0, arity: int = 1) -> SampleMaker:
    """Samples of a function that takes Python numbers only, as those of `math` do."""

    def make() -> Sequence[Sample]:
        draw = Draw(f"numbers {low} {high}")
        return [Sample(tuple(draw.number(low, high) for _ in range(arity))) for _ in range(5)]

    return make


def binary(
    low: float = 0.2,
    high: float = 2.0,
    second: tuple[float, float] | None = None,
    *,
    holomorphic: bool = False,
    wrt: tuple[int, ...] | None = None,
) -> SampleMaker:
    """Samples of a function of two arrays that broadcast; `second` is the range of the second one."""

    def make() -> Sequence[Sample]:
        draw = Draw(f"binary {low} {high} {second}")
        low_2, high_2 = second or (low, high)
        found = [Sample((draw.number(low, high), draw.floats(3, low=low_2, high=high_2)), wrt=wrt)]
        found.append(Sample((draw.number(low, high), draw.number(low_2, high_2)), wrt=wrt))
        for a, b in BINARY_SHAPES:
            found.append(
                Sample((draw.floats(*a, low=low, high=high), draw.floats(*b, low=low_2, high=high_2)), wrt=wrt)
            )
        if holomorphic:
            found.append(Sample((draw.complexes(3), draw.complexes(2, 3)), wrt=wrt))
            found.append(Sample((draw.floats(3, low=low, high=high), draw.complexes(3)), wrt=wrt))
        return found

    return make


def calls(build: Callable[[Draw], Sequence[Sample]]) -> SampleMaker:
    """Samples written out by hand over a `Draw`: `calls(lambda d: [call(d.floats(3), axis=0), ...])`."""

    def make() -> Sequence[Sample]:
        return build(Draw("calls"))

    return make


def call(*args: Any, wrt: tuple[int, ...] | None = None, smooth: bool = True, **kwargs: Any) -> Sample:
    """One sample, spelled as the call is."""
    return Sample(args, kwargs, wrt, smooth)


def reduction(low: float = 0.3, high: float = 2.0, *, smooth: bool = True) -> SampleMaker:
    """Every spelling of axis and keepdims that a reduction takes."""

    def make() -> Sequence[Sample]:
        d = Draw(f"reduction {low} {high}")

        def x(*shape: int) -> NDArray[np.float64]:
            return d.floats(*shape, low=low, high=high)

        return [
            call(x(4), smooth=smooth),
            call(x(2, 3), smooth=smooth),
            call(x(2, 3), 1, smooth=smooth),
            call(x(2, 3), axis=0, smooth=smooth),
            call(x(2, 3), axis=-1, keepdims=True, smooth=smooth),
            call(x(2, 3, 4), axis=(0, 2), smooth=smooth),
            call(x(2, 3, 4), axis=(-1, 0), keepdims=True, smooth=smooth),
            call(x(2, 3), keepdims=True, smooth=smooth),
            call(x(1, 3), axis=0, smooth=smooth),
            call(x(3, 1), axis=(0, 1), smooth=smooth),
        ]

    return make

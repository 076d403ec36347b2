"""Sample calls: what NumPy itself makes of operands of given types.

Enters: a function and operands.  Leaves: `Outcome`s, each a real result with the sizes its operands had.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from s2s_ad.ir.types import Array, Dim, Extent, Known, ListOf, N, Operand, Scalar, TupleOf

ASCENDING = (5, 7, 11, 13, 17, 19, 23, 29)
DESCENDING = (31, 26, 22, 16, 14, 10, 9, 6)
MIXED = (8, 4, 15, 12, 25, 21, 18, 27)
LENGTH = "?length "
RUN_TIME_INTEGERS = (2, 3, 1, 0, 5, 4, -1)


class Unsampled(Exception):
    """An operand of which no sample can be made: its type is not known well enough."""


@dataclass
class Sizes:
    """The sizes of one sample call. Every "N" and every list has a slot of its own, every "?k" has one by its name."""

    known: Callable[[int], int]
    unknown: Callable[[str, int], int]
    integer: int = 0
    slots: list[tuple[Dim, int]] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)
    integers: int = 0
    flags: int = 0

    def of(self, dim: Dim) -> int:
        if isinstance(dim, int):
            return dim
        if dim == N:
            size = self.known(len(self.slots))
        elif dim in self.tokens:
            return self.tokens[dim]
        else:
            size = self.tokens[dim] = self.unknown(dim, len(self.slots))
        self.slots.append((dim, size))
        return size

    def next_integer(self) -> int:
        self.integers += 1
        return RUN_TIME_INTEGERS[self.integer * (self.integers % 6 + 1) % len(RUN_TIME_INTEGERS)]

    def next_flag(self) -> bool:
        self.flags += 1
        return not (self.integer >> (self.flags - 1) % 2) & 1


@dataclass(frozen=True)
class Outcome:
    value: Any
    slots: tuple[tuple[Dim, int], ...]


def sample(operand: Operand, sizes: Sizes, draw: Draw) -> Any:
    match operand:
        case Known(value):
            return value
        case Extent(dim):
            return sizes.of(dim)
        case Scalar(dtype, weak) if dtype.kind in "biu":
            integer = sizes.next_flag() if dtype.kind == "b" else sizes.next_integer()
            return integer if weak else dtype.type(abs(integer) if dtype.kind == "u" else integer)
        case Scalar(dtype, weak):
            number = _numbers(dtype, (), draw)
            return number.item() if weak else dtype.type(number[()])
        case Array(dtype, dims):
            return _numbers(dtype, tuple(map(sizes.of, dims)), draw)
        case TupleOf(items) | tuple(items):
            return tuple(sample(item, sizes, draw) for item in items)
        case list(items):
            return [sample(item, sizes, draw) for item in items]
        case ListOf(item) if item is not None:
            length = max(1, sizes.of(f"{LENGTH}{len(sizes.slots)}"))
            slots = sizes.slots[:]
            made = []
            for _ in range(length):  # every item has the first one's sizes
                sizes.slots[:] = slots
                made.append(sample(item, sizes, draw))
            return made
    raise Unsampled


class Draw:
    """A fixed stream of numbers between 0 and 1: the type of a program does not vary from run to run."""

    def __init__(self, start: int = 0) -> None:
        self.at = 97 * start

    def __call__(self, shape: tuple[int, ...]) -> np.ndarray:
        size = math.prod(shape)
        first = self.at % _STREAM_USED
        self.at += size + 1
        if size > len(_STREAM) - first:
            return np.resize(_STREAM, shape)
        return _STREAM[first : first + size].reshape(shape)


_STREAM = np.random.default_rng(20).random(8192)
_STREAM_USED = 1024


def _numbers(dtype: np.dtype, shape: tuple[int, ...], draw: Draw) -> np.ndarray:
    """Values inside the domain of most functions; matrices are well conditioned."""
    values = draw(shape)
    if dtype.kind == "b":
        return np.asarray(values > 0.4)
    if dtype.kind in "iu":
        values = values > 0.5
    else:
        values = 0.2 + 0.6 * values
    if dtype.kind == "c":
        values = values + 1j * (0.2 + 0.6 * draw(shape))
    if len(shape) >= 2:
        values = values + 3 * np.eye(shape[-2], shape[-1], dtype=int)
    return np.asarray(values).astype(dtype)


def call(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call quietly. A method of arrays is looked up on the operand, which may be a NumPy scalar."""
    if getattr(function, "__objclass__", None) is np.ndarray:
        function, args = getattr(args[0], function.__name__), args[1:]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def outcome_of(function: Any, args: Sequence[Operand], kwargs: dict[str, Operand], sizes: Sizes) -> Outcome | None:
    """What one call gives, or None where it raises."""
    draw = Draw(sizes.integer)
    values = [sample(operand, sizes, draw) for operand in args]
    options = {name: sample(operand, sizes, draw) for name, operand in kwargs.items()}
    try:
        value = call(function, values, options)
    except Exception:
        return None
    return Outcome(value, tuple(sizes.slots))


def outcomes_of(function: Any, args: Sequence[Operand], kwargs: dict[str, Operand]) -> list[Outcome]:
    """What sample calls of different sizes give: all sizes distinct where the function permits it, else all equal."""
    tokens, has_sizes, has_integers = _census([*args, *kwargs.values()])
    if not has_sizes and not has_integers:
        only = outcome_of(function, args, kwargs, Sizes(lambda _: 0, lambda _, __: 0))
        return [] if only is None else [only]
    patterns = _which_are_one(tokens)
    rounds = range(7) if has_integers else range(1)
    pools = [pool.__getitem__ for pool in (ASCENDING, DESCENDING, MIXED)]
    equal = [lambda _, n=n: n for n in (3, 5, 4)]
    found: list[Outcome] = []
    for attempt in (pools, equal):
        in_general = len(found)
        for ones in patterns:
            for pool in attempt:
                found += _attempts(function, args, kwargs, pool, ones, rounds)
            if not ones:
                in_general = len(found) - in_general
        if in_general >= 2:
            break  # if the sizes only fit where some are one, they may fit where some are equal too
    for edge in _edges(max((len(outcome.slots) for outcome in found), default=0)):
        found += _attempts(function, args, kwargs, edge, frozenset(), rounds)
    return found


def _edges(slots: int) -> list[Callable[[int], int]]:
    """The least sizes that are not one, and nothing at all along each dimension alone."""
    alone = [lambda slot, empty=empty: 0 if slot == empty else ASCENDING[slot] for empty in range(slots)]
    return [lambda _: 2, lambda _: 0, *(alone if slots > 1 else ())]


def _which_are_one(tokens: Sequence[str]) -> list[frozenset[str]]:
    """Which of the unknown sizes to make one: none, then every choice, or each alone and all where there are many."""
    counts = range(len(tokens) + 1) if len(tokens) <= 3 else (0, 1, len(tokens))
    return [frozenset(ones) for count in counts for ones in combinations(tokens, count)]


def _attempts(
    function: Any,
    args: Sequence[Operand],
    kwargs: dict[str, Operand],
    pool: Callable[[int], int],
    ones: frozenset[str],
    rounds: range,
) -> list[Outcome]:
    def unknown(token: str, slot: int) -> int:
        return 1 if token in ones else pool(slot)

    found = []
    for integer in rounds:
        try:
            outcome = outcome_of(function, args, kwargs, Sizes(pool, unknown, integer))
        except IndexError:  # more dimensions than a pool has sizes
            continue
        if outcome is not None:
            found.append(outcome)
    return found


def _census(operands: Sequence[Operand]) -> tuple[list[str], bool, bool]:
    """The unknown sizes among the operands; is any size free; is any integer or flag known only at run time?"""
    tokens: dict[str, None] = {}
    has_sizes = has_integers = False
    stack: list[Operand] = list(operands)
    while stack:
        match stack.pop():
            case Array(_, dims):
                has_sizes |= any(dim != 1 for dim in dims)
                tokens.update(dict.fromkeys(dim for dim in dims if isinstance(dim, str) and dim != N))
            case Extent(dim):
                has_sizes |= dim != 1
                if isinstance(dim, str) and dim != N:
                    tokens[dim] = None
            case Scalar(dtype) if dtype.kind in "biu":
                has_integers = True
            case TupleOf(items) | tuple(items) | list(items):
                stack.extend(items)
            case ListOf(item) if item is not None:
                has_sizes = True
                stack.append(item)
    return list(tokens), has_sizes, has_integers


def has_run_time_integer(operands: Sequence[Operand]) -> bool:
    return _census(operands)[2]


PYTHON_OPERATORS: dict[Any, Any] = {
    getattr(operator, f"i{name}"): getattr(operator, name)
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lshift", "rshift")
} | {operator.iand: operator.and_, operator.ior: operator.or_, operator.ixor: operator.xor}

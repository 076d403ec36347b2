"""Specs and keys of arguments: what they hold, that they agree with each other, and what is refused."""

from __future__ import annotations

import enum
import math
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from s2s_ad.build.signature import args_key, key_of, spec_of
from s2s_ad.errors import SignatureError
from s2s_ad.ir.spec import Fields, Items, Leaf, Mapping, Static
from s2s_ad.ir.types import BOOL, COMPLEX, FLOAT, INT, Array, N, Scalar

F8 = np.dtype(float)
Point = namedtuple("Point", "x y")


@dataclass
class Body:
    mass: float
    position: np.ndarray


class Layer:
    def __init__(self, w: Any, activation: Any = np.tanh) -> None:
        self.w = w
        self.activation = activation

    def __call__(self, x: Any) -> Any:
        return self.activation(self.w * x)


class Slotted:
    __slots__ = ("x",)

    def __init__(self) -> None:
        self.x = 1.0


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


RNG, OPEN = np.random.default_rng(0), Slotted()


@pytest.mark.parametrize(
    ("value", "spec"),
    [
        (2.0, Leaf(FLOAT)),
        (2, Leaf(INT)),
        (2j, Leaf(COMPLEX)),
        (True, Static(True)),
        (None, Static(None)),
        ("sum", Static("sum")),
        (np.float64(2), Leaf(Scalar(F8, weak=False))),
        (np.bool_(True), Leaf(Scalar(BOOL.dtype, weak=False))),
        (np.array(2.0), Leaf(Array(F8, ()))),
        (np.ones((3, 1, 0), "f4"), Leaf(Array(np.dtype("f4"), (N, 1, N)))),
        (np.ones(2, np.longdouble), Leaf(Array(np.dtype(np.longdouble), (N,)))),
        (np.ones(2, np.float16), Leaf(Array(np.dtype("f2"), (N,)))),
        ([1.0, 2], Items("list", (Leaf(FLOAT), Leaf(INT)))),
        ((1.0, (2,)), Items("tuple", (Leaf(FLOAT), Items("tuple", (Leaf(INT),))))),
        ({"b": 1.0, "a": None}, Mapping(("b", "a"), (Leaf(FLOAT), Static(None)))),
        (Point(1.0, 2), Fields(Point, ("x", "y"), (Leaf(FLOAT), Leaf(INT)))),
        (Body(1.0, np.ones(2)), Fields(Body, ("mass", "position"), (Leaf(FLOAT), Leaf(Array(F8, (N,)))))),
        (Layer(1.0), Fields(Layer, ("w", "activation"), (Leaf(FLOAT), Static(np.tanh)))),
        (math.sin, Static(math.sin)),
        (np, Static(np)),
        (RNG, Static(RNG)),
        (OPEN, Static(OPEN)),
        (Layer, Static(Layer)),
        (Colour.RED, Static(Colour.RED)),
        (Level.LOW, Static(Level.LOW)),
    ],
)
def test_specs(value: Any, spec: Any) -> None:
    assert spec_of(value) == spec


def test_an_object_that_holds_more_than_data_is_passed_through_as_it_is() -> None:
    layer = Layer(1.0, activation=RNG)
    assert spec_of(layer) == Static(layer)


def test_methods_are_equal_if_they_are_bound_to_the_same_object() -> None:
    layer = Layer(1.0)
    assert spec_of(layer.__call__) == spec_of(layer.__call__) != spec_of(Layer(1.0).__call__)
    assert spec_of(np.add.reduce) == spec_of(np.add.reduce) != spec_of(np.add.accumulate)
    assert key_of(RNG.normal) == key_of(RNG.normal)


def test_unset_fields_of_a_dataclass_are_left_out() -> None:
    body = Body(1.0, np.ones(2))
    del body.mass
    assert spec_of(body) == Fields(Body, ("position",), (Leaf(Array(F8, (N,))),))


VALUES = [
    0,
    1,
    1.0,
    -2.5,
    True,
    False,
    None,
    "",
    "a",
    b"a",
    1j,
    np.float64(1),
    np.float32(1),
    np.int64(1),
    np.longlong(1),
    np.bool_(True),
    np.array(1.0),
    np.ones(1),
    np.ones(2),
    np.ones(5),
    np.ones(0),
    np.ones((1, 2)),
    np.ones((2, 1)),
    np.ones((2, 2)),
    np.ones((3, 4)),
    np.ones((2, 2), "f4"),
    np.ones((2, 2), int),
    np.ones((2, 2), bool),
    np.ones((2, 2), ">f8"),
    np.ones(3, np.longlong),
    np.ones(3, np.int64),
    np.ones((4, 4)).T,
    np.ones(8)[::2],
    [],
    (),
    {},
    [1],
    [1.0],
    (1,),
    (1.0,),
    ([1], 2.0),
    (True,),
    (1, True),
    [None],
    [np.ones(3)],
    [np.ones(1)],
    {"a": 1},
    {"a": 1.0},
    {"b": 1.0},
    {"a": 1.0, "b": 1},
    {"b": 1, "a": 1.0},
    {0: 1.0},
    {(0, 1): 1.0},
    Point(1, 2),
    Point(3, 4),
    Point(1.0, 2),
    Body(1.0, np.ones(2)),
    Body(2.0, np.ones(7)),
    Body(1.0, np.ones(1)),
    Layer(1.0),
    Layer(2.0),
    Layer(1.0, np.sin),
    Layer(np.ones(3)),
    Layer(1.0, RNG),
    Layer(1.0, RNG),
    RNG,
    OPEN,
    Slotted(),
    math.sin,
    math.cos,
    float,
    int,
    np.float64,
    np.dtype(float),
    "float64",
    Colour.RED,
    Colour.BLUE,
    Level.LOW,
    OrderedDict(a=1.0),
    {1.0},
    range(3),
    slice(1),
]


def test_keys_are_equal_exactly_where_specs_are() -> None:
    for a, b in combinations(VALUES, 2):
        same = spec_of(a) == spec_of(b)
        assert (key_of(a) == key_of(b)) == same, (a, b)
        assert (key_of([a, 1.0]) == key_of([b, 1.0])) == same, (a, b)
        assert (key_of({"k": (a,)}) == key_of({"k": (b,)})) == same, (a, b)
        if same:
            assert hash(key_of(a)) == hash(key_of(b)), (a, b)


def test_keys_of_all_arguments() -> None:
    assert args_key((1.0, np.ones(3))) == args_key((2.0, np.ones(4)))
    assert args_key((1.0, np.ones(3))) != args_key((2, np.ones(3)))
    assert args_key((1.0,)) != args_key((1.0, 1.0))
    for value in VALUES:
        assert args_key((value,)) == (key_of(value),)


def test_a_key_keeps_alive_what_it_knows_by_identity() -> None:
    key = key_of(Layer(1.0, Slotted()))
    others = [Layer(1.0, Slotted()) for _ in range(50)]  # one of them would take a freed object's address
    assert all(key_of(other) != key for other in others)


class Sub(np.ndarray):
    pass


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "fact", "remedy"),
    [
        (lambda: np.matrix([[1.0]]), "matrix", "np.asarray"),
        (lambda: np.ma.masked_array([1.0], [True]), "masked", "filled"),
        (lambda: np.ones(2).view(Sub), "Sub", "np.asarray"),
        (lambda: np.array([1.0, None], dtype=object), "object", "astype"),
        (lambda: np.zeros(2, [("a", float)]), "structured", "fields"),
        (lambda: np.zeros(2, "M8[s]"), "datetime64", "numbers"),
    ],
)
def test_arrays_that_are_refused(make: Any, fact: str, remedy: str) -> None:
    for value in (make(), [make()], {"a": make()}, Body(1.0, make())):
        with pytest.raises(SignatureError) as caught:
            spec_of(value)
        assert fact in caught.value.fact
        assert remedy in caught.value.remedy


def test_pandas_is_refused() -> None:
    frame = type("DataFrame", (), {"__module__": "pandas.core.frame"})()
    with pytest.raises(SignatureError, match="pandas DataFrame") as caught:
        spec_of([frame])
    assert "to_numpy" in caught.value.remedy


def test_cycles_are_refused() -> None:
    items: list[Any] = [1.0]
    items.append(items)
    for ask in (spec_of, key_of):
        with pytest.raises(SignatureError, match="holds itself"):
            ask(items)
    shared = [1.0]
    assert spec_of([shared, shared]) == Items("list", (Items("list", (Leaf(FLOAT),)),) * 2)


def test_an_object_that_holds_itself_is_passed_through() -> None:
    layer = Layer(1.0)
    layer.activation = layer
    assert spec_of(layer) == Static(layer)

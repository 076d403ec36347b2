"""Tuples, dicts, named tuples, dataclasses and simple objects: built, taken apart, passed along."""

from collections import namedtuple
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from corpus.registry import array, number, program, tree

Point = namedtuple("Point", ["x", "y"])


class Layer(NamedTuple):
    weight: np.ndarray
    bias: np.ndarray
    name: str = "layer"


@dataclass
class Spring:
    stiffness: float
    length: float = 1.0

    def force(self, x):
        return -self.stiffness * (x - self.length)

    @property
    def energy_at_rest(self):
        return 0.5 * self.stiffness * self.length**2


@dataclass(frozen=True)
class Model:
    w: np.ndarray
    b: np.ndarray
    layers: list = field(default_factory=list)


class Accumulator:
    def __init__(self, start):
        self.total = start
        self.count = 0

    def add(self, value):
        self.total = self.total + value * value
        self.count += 1
        return self

    def mean(self):
        return self.total / self.count


class Polynomial:
    degree = 2

    def __init__(self, coefficients):
        self.coefficients = coefficients

    def __call__(self, x):
        y = 0.0
        for c in self.coefficients:
            y = y * x + c
        return y

    def __add__(self, other):
        return Polynomial([a + b for a, b in zip(self.coefficients, other.coefficients)])

    @staticmethod
    def scale(x):
        return 2.0 * x

    @classmethod
    def of_degree(cls, x):
        return cls([x, x * x, 1.0])


@program(array(3))
def tuples_returned(x):
    def split(v):
        return v[0], v[1:]

    head, tail = split(x)
    return head * np.sum(tail**2)


@program(number(), number())
def namedtuple_inside(a, b):
    p = Point(a, y=b * b)
    q = p._replace(x=p.y)
    return p.x * q.x + q[1]


@program(tree(lambda rng: Point(rng.normal(), rng.normal(size=3))))
def namedtuple_argument(p):
    return p.x * np.sum(np.sin(p.y))


@program(
    tree(
        lambda rng: [
            Layer(rng.normal(size=(3, 3)), rng.normal(size=3)),
            Layer(rng.normal(size=(3, 2)), rng.normal(size=2)),
        ]
    ),
    array(3),
)
def typed_namedtuples(layers, h):
    for layer in layers:
        h = np.tanh(h @ layer.weight + layer.bias)
    return h.sum()


@program(number(0.5, 1.0), number())
def dataclass_inside(k, x):
    spring = Spring(k)
    stiffer = replace(spring, stiffness=k * 2.0)
    return spring.force(x) * stiffer.force(x) + spring.energy_at_rest


@program(tree(lambda rng: Model(rng.normal(size=(2, 3)), rng.normal(size=2), [rng.normal(size=2)])), array(3))
def dataclass_argument(model, x):
    h = model.w @ x + model.b
    return np.sum(np.sin(h) * model.layers[0])


@program(array(4))
def object_with_state(x):
    acc = Accumulator(0.5)
    for v in x:
        acc.add(v)
    return acc.mean() * acc.total


@program(array(3), number())
def callable_object(c, x):
    p = Polynomial(c)
    q = p + Polynomial([1.0, x, 2.0])
    return p(x) * q(0.5) + Polynomial.scale(x) + Polynomial.of_degree(x)(0.3) + p.degree


@program(number(), number())
def attributes_written(a, b):
    spring = Spring(a, b)
    spring.length = spring.length * a
    spring.stiffness += b
    return spring.force(2.0) * spring.length


@program(tree(lambda rng: {"w": rng.normal(size=3), "nested": {"b": rng.normal(), "c": [rng.normal(size=2)]}}))
def nested_dict(params):
    inner = params["nested"]
    return np.sum(params["w"]) * inner["b"] + np.sum(inner["c"][0] ** 2)


@program(array(3))
def dict_built(x):
    state = {"pos": x, "vel": np.zeros(3)}
    for _ in range(3):
        state["vel"] = state["vel"] - 0.1 * np.sin(state["pos"])
        state["pos"] = state["pos"] + 0.1 * state["vel"]
    return np.sum(state["pos"] * state["vel"])


@program(array(2))
def dict_methods(x):
    d = dict(a=x[0], b=x[1])
    d.update(c=x[0] * x[1])
    d.setdefault("e", 2.0)
    value = d.get("b", 0.0) * d.get("missing", 3.0)
    e = d.pop("e")
    merged = {**d, "a": 1.0} | {"z": x[1]}
    return value * e + merged["c"] + merged["a"] * merged["z"] + len(d)


@program(array(4))
def tuple_state_in_loop(x):
    state = (x[0], x[1])
    for k in range(3):
        a, b = state
        state = (b, a * b + x[k])
    return state[0] * state[1]


@program(array(3))
def tuple_concatenation(x):
    t = (x[0],) + (x[1] * 2.0, x[2])
    u = t + t[:1]
    return u[0] * u[1] + u[3] * u[-2]


@program(array(2, 2), jax=False)
def dict_of_buffers(m):
    grads = {name: np.zeros(2) for name in ("a", "b")}
    grads["a"] += m[0]
    grads["b"][0] = m[1, 0] ** 2
    grads["a"][1] *= grads["b"][0]
    return np.sum(grads["a"]) + np.sum(grads["b"])


@program(tree(lambda rng: (rng.normal(), [rng.normal(size=2), (rng.normal(), rng.normal(size=(2, 2)))])))
def mixed_tree(tree_):
    a, (v, (b, m)) = tree_
    return a * b * np.sum(m @ v)


@program(tree(lambda rng: {"x": rng.normal(size=3), "unused": rng.normal(size=2)}), array(2))
def unused_parts(params, unused):
    return np.sum(params["x"] ** 3)

"""Names that hold things of different kinds, which one being known only at run time."""

import numpy as np

from corpus.registry import array, number, program


class Line:
    def __init__(self, slope):
        self.slope = slope

    def at(self, x):
        return self.slope * x


class Parabola(Line):
    def at(self, x):
        return super().at(x) ** 2


@program(number(0.6, 0.9), number(0.1, 0.4))
@program(number(0.1, 0.4), number(0.6, 0.9))
def one_of_two_functions(x, y):
    f = np.sin if x > y else np.exp
    g = lambda v: v * y  # noqa: E731
    if y > 0.5:
        g = np.tanh
    return f(x) * g(y)


@program(number(0.6, 0.9))
@program(number(-0.9, -0.6))
def function_changes_in_a_loop(x):
    act = np.tanh
    t = 0.0
    for k in range(4):
        t = act(x * (k + 1)) + 0.5 * t
        if t > 0.3:
            act = lambda v: v * t  # noqa: E731
        elif t < -1:
            act = np.sin
    return act(t)


@program(number(0.6, 0.9))
@program(number(0.1, 0.4))
def one_of_two_strings(x):
    mode = "a" if x > 0.5 else "bb"
    if mode == "a":
        y = x * x
    else:
        y = x * 3.0
    table = {"a": 2.0, "bb": x}
    return y * table[mode] + len(f"{mode}")


@program(array(2), number(0.8, 0.9))
@program(array(2), number(0.2, 0.4))
@program(array(2), number(-0.4, -0.2))
def array_or_dict(x, s):
    t = x * 2.0
    if s > 0:
        if s > 0.7:
            return np.sum(t)
        else:
            t = {"p": s}
    return np.sum(x)


@program(number(0.6, 0.9))
@program(number(0.35, 0.45))
@program(number(0.1, 0.2))
def one_of_two_objects(x):
    p = Line(2.0) if x > 0.5 else Parabola(x)
    p.slope = p.slope * x
    q = None
    if x > 0.3:
        q = Line(x)
    r = p.at(x)
    if q is not None:
        r = r + q.at(x)
    return r


@program(array(6, low=0.1))
@program(array(6, low=-1.5, high=-0.1))
def one_of_two_shapes(x):
    shape = (2, 3) if np.sum(x) > 0 else (6,)
    y = np.reshape(x, shape)
    return np.sum(y * y)


@program(number(0.2, 0.9))
@program(number(-0.9, -0.2))
def list_or_tuple(x):
    items = [1.0, 2.0] if x > 0 else (x, x * x, 3.0)
    t = 0.0
    for v in items:
        t += v * x
    first, *_ = items
    return t * first

"""Assignments of every form."""

import numpy as np

from corpus.registry import array, number, program


@program(array(4))
def chained(x):
    a = b = np.sin(x)
    return np.sum(a * b)


@program(array(4), jax=False)
def chained_alias_written(x):
    a = b = np.zeros(4)
    a += x
    b *= x
    return np.sum(a * a)


@program(array(5))
def starred_middle(x):
    first, *middle, last = x
    total = first * last
    for m in middle:
        total = total + np.cos(m)
    return total


@program(array(3), number())
def starred_head(x, s):
    *head, last = [x[0] * s, x[1], x[2], s]
    return head[0] * head[2] + last**2


@program(array(4))
def nested_unpacking(x):
    (a, (b, c)), d = (x[0], (x[1], x[2])), x[3]
    return a * b + np.exp(c) * d


@program(array(2, 3))
def unpack_rows(m):
    top, bottom = m
    return np.dot(top, np.sin(bottom))


@program(number(), number())
def swap(a, b):
    a, b = b, a
    a, b = a * b, np.sin(b)
    return a - 2.0 * b


@program(number(), number(), number())
def rotate(a, b, c):
    for _ in range(4):
        a, b, c = b, c, np.sin(a) * b
    return a + 2 * b - c


@program(array(3), jax=False)
def swap_elements(x):
    y = x.copy()
    y[0], y[2] = y[2], y[0]
    return y[0] * 3.0 + y[1] * y[2]


@program(number())
def annotated(x):
    y: float = x * x
    z: "np.ndarray"
    z = np.array([y, x])
    return z[0] - np.sin(z[1])


@program(array(5))
def walrus(x):
    total = 0.0
    if (n := len(x)) > 3:
        total = total + n * x[0]
    while (s := np.sum(x)) < 4.0:
        x = x + 0.7
        total = total + s
    return total * (last := x[-1]) + last


@program(array(4), number(0.5, 1.5))
def augmented_number(x, s):
    t = x[0]
    t += s
    t *= x[1]
    t -= x[2] ** 2
    t /= s
    t **= 2
    return t


@program(array(3, 3), array(3, 3))
def augmented_array(a, b):
    c = a.copy()
    c += b
    c *= a
    c -= 0.5
    c /= 2.0 + b * b
    c @= b
    return np.sum(c * c)


@program(array(3), array(3))
def augmented_power(a, p):
    c = a * a + 1.0
    c **= p
    return np.sum(c)


@program(array(6), jax=False)
def augmented_slice(x):
    y = x * 1.0
    y[1:4] += y[2:5]
    y[::2] *= x[::2]
    y[-1] -= y[0]
    return np.sum(y**2)


@program(array(4))
def attribute_of_module(x):
    half = np.pi / 2
    return np.sum(np.sin(x + half)) * np.e


@program(array(4))
def tuple_then_index(x):
    pair = x[0] * x[1], x[2]
    triple = (*pair, x[3])
    return triple[0] * triple[-1] + triple[1]


@program(array(3))
def same_name_many_values(x):
    x = x * x
    x = np.sin(x)
    x = x.sum()
    x = x * x
    return x


@program(array(4), jax=False)
def index_evaluated_once(x):
    calls = []

    def where():
        calls.append(1)
        return len(calls)

    y = x.copy()
    y[where()] *= 2.0 + x[0]
    return y[1] * 3.0 + y[2]


@program(array(3))
def deleted_name(x):
    y = x * 2.0
    z = y * x
    del y
    return np.sum(z)

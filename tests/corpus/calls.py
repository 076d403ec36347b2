"""Calls: defaults, keywords, *args, **kwargs, other modules, recursion, functions that write into their arguments."""

import numpy as np

from corpus import other_module
from corpus.other_module import both, fill_with_squares, softplus
from corpus.other_module import wave as w
from corpus.registry import array, number, program


def scale(x, factor=2.0, *, shift=0.0):
    return factor * x + shift


def total_of(*values):
    total = 0.0
    for v in values:
        total = total + v * v
    return total


def weighted(**parts):
    return sum(k * v for k, v in enumerate(parts.values(), start=1))


def positional_only(a, b, /, c=3.0):
    return a * b + c


def early(x):
    if x > 0:
        return x * x
    return -x


def two_results(x):
    return np.sin(x), np.cos(x) * 2.0


def power(x, n):
    if n == 0:
        return 1.0
    half = power(x, n // 2)
    return half * half * (x if n % 2 else 1.0)


def is_even(x, n):
    return x if n == 0 else is_odd(x * 1.5, n - 1)


def is_odd(x, n):
    return -x if n == 0 else is_even(np.sin(x), n - 1)


def sum_tree(node):
    if isinstance(node, (list, tuple)):
        return sum(sum_tree(child) for child in node)
    return np.sum(node * node)


def fibonacci(n, a, b):
    return a if n <= 0 else fibonacci(n - 1, b, a + 0.5 * b)


def normalise(v):
    v /= np.sqrt(np.sum(v * v))


def add_into(target, values, scale=1.0):
    target[:] += scale * values
    return target


def outer_writer(a, x):
    normalise(a[1:])
    add_into(a, x, scale=x[0])


@program(array(3))
def defaults_and_keywords(x):
    return np.sum(scale(x) * scale(x, shift=1.0) + scale(factor=x, x=0.5))


@program(array(3))
def star_arguments(x):
    values = [x[1], x[2]]
    return total_of(x[0], *values) + total_of(*x) + total_of()


@program(array(2))
def keyword_dict(x):
    options = {"a": x[0], "b": x[1] ** 2}
    return weighted(**options) + weighted(b=x[0] * x[1])


@program(number(), number())
def positional_only_call(a, b):
    return positional_only(a, b) * positional_only(b, a, c=a)


@program(array(4))
def helper_with_exits(x):
    return early(x[0]) + early(x[1]) * early(-x[1]) + sum(early(v) for v in x)


@program(number())
def several_results(x):
    s, c = two_results(x)
    pair = two_results(s)
    return c * pair[0] + pair[1]


@program(array(3), jax=False)
def other_modules(x):
    return np.sum(softplus(x, beta=2.0) + w(x) + other_module.wave(x, amplitude=0.5)) * other_module.SCALE


@program(number(0.5, 1.0))
def everything_in_a_signature(x):
    return both(x) + both(x, x, x * x, 1.0, factor=x)


@program(number(0.5, 1.5), 5)
@program(number(0.5, 1.5), 0)
def self_recursion(x, n):
    return power(x, n)


@program(number(0.5, 1.0), 3)
@program(number(0.5, 1.0), 4)
def mutual_recursion(x, n):
    return is_even(x, n) ** 2


@program(array(2), number())
def recursion_over_structure(x, s):
    return sum_tree([x, (s, [x * 2.0, s * s])])


@program(number(), number())
def recursion_with_accumulators(a, b):
    return fibonacci(6, a, b)


@program(array(3), jax=False)
def callee_writes(x):
    y = x.copy()
    normalise(y)
    return np.sum(y * np.arange(1.0, 4.0))


@program(array(4), jax=False)
def callee_writes_through_view(x):
    y = x * x
    normalise(y[:2])
    normalise(y[2:])
    return y[0] * y[3] + y[1] * 2.0


@program(array(4), array(4), jax=False)
def callees_write_in_levels(x, y):
    a = x + 0.1
    outer_writer(a, y)
    b = add_into(a, y)
    b *= 2.0
    return np.sum(a * x)


@program(array(4), jax=False)
def callee_in_other_module_writes(x):
    out = np.zeros(4)
    fill_with_squares(out, x)
    fill_with_squares(out[1:], out[:-1])
    return np.sum(out * x)


@program(array(3), array(3), jax=False)
def argument_written(x, y):
    x += y
    x[0] = y[1] * x[2]
    return np.sum(x * y)


@program(array(3))
def helper_called_in_loop(x):
    def step(state, v):
        return np.tanh(state * v + 0.3)

    state = 0.1
    for v in x:
        state = step(state, v)
    return state


@program(array(3))
def result_of_call_in_subscript(x):
    def pick(n):
        return n % 3

    return x[pick(4)] * x[pick(5)] + x[pick(-1)]


@program(array(4))
def same_helper_twice_and_nested(x):
    return np.sum(scale(scale(np.sin(x)), factor=scale(0.5)))


@program(number(0.2, 0.9))
def runge_kutta(x):
    def f(t, y):
        return -y * t + np.sin(y)

    def rk4(f, t, y, h):
        k1 = f(t, y)
        k2 = f(t + h / 2, y + h / 2 * k1)
        k3 = f(t + h / 2, y + h / 2 * k2)
        k4 = f(t + h, y + h * k3)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    t = 0.0
    for _ in range(5):
        x = rk4(f, t, x, 0.1)
        t += 0.1
    return x

"""Functions as values: nested def, lambda, closures, partial, in containers, as arguments, under decorators."""

import functools
from functools import partial, reduce

import numpy as np

from corpus.registry import array, number, program


def apply(f, x):
    return f(x)


def compose(*functions):
    def composed(x):
        for f in functions:
            x = f(x)
        return x

    return composed


def make_adder(n):
    return lambda x: x + n


def make_power(p):
    def raised(x):
        return x**p

    return raised


def integrate(f, a, b, n=8):
    h = (b - a) / n
    return h * sum(f(a + (i + 0.5) * h) for i in range(n))


def newton(f, df, x):
    for _ in range(6):
        x = x - f(x) / df(x)
    return x


def logged(f):
    @functools.wraps(f)
    def wrapper(*args, **kwargs):
        return f(*args, **kwargs)

    return wrapper


@logged
def cube(x):
    return x**3


FACTOR = 1.7
ACTIVATIONS = {"tanh": np.tanh, "square": lambda x: x * x, "sin": np.sin}
SQUARE = lambda x: x * x  # noqa: E731


@program(number())
def nested_def(x):
    def inner(y):
        return y * x + FACTOR

    return inner(x) * inner(2.0)


@program(number())
def closure_sees_rebinding(x):
    y = x

    def inner():
        return y * y

    y = np.sin(x)
    return inner()


@program(number())
def lambdas(x):
    double = lambda v: 2.0 * v  # noqa: E731
    return double(x) * (lambda a, b=3.0: a * b)(x) + SQUARE(x)


@program(number(), number())
def function_as_argument(x, y):
    return apply(np.sin, x) * apply(lambda v: v * y, x) + apply(SQUARE, y)


@program(array(3), "tanh", jax=False)
@program(array(3), "square")
def functions_in_a_dict(x, name):
    return ACTIVATIONS[name](x).sum()


@program(array(3))
def functions_in_a_list(x):
    for f in [np.sin, SQUARE, np.tanh, abs]:
        x = f(x) + 0.1
    return x.sum()


@program(number(0.3, 0.9))
def composed(x):
    f = compose(np.sin, lambda v: v * 2.0, np.exp)
    return f(x) * f(x * x)


@program(number(), number())
def returned_closures(x, y):
    add = make_adder(y)
    square = make_power(2)
    return add(x) * square(add(y))


@program(number(0.5, 1.0), number(0.5, 1.0))
def partials(x, y):
    f = partial(np.power, x)
    g = partial(newton, lambda v: v * v - y, df=lambda v: 2 * v)
    return f(2.0) + g(x=x) + partial(integrate, b=y, n=4)(np.sin, 0.0)


@program(number(0.5, 1.0), number(1.5, 2.0))
def quadrature(a, b):
    return integrate(lambda t: np.exp(-t * a), 0.0, b)


@program(number(0.5, 1.5))
def root_finder(c):
    return newton(lambda x: x**3 - c, lambda x: 3 * x**2, 1.0)


@program(number())
def decorated_helper(x):
    return cube(x) + cube(x=0.5 * x)


@program(array(4))
def map_filter_reduce(x):
    squares = list(map(lambda v: v * v, x))
    kept = list(filter(lambda v: v > 0.01, squares))
    return reduce(lambda a, b: a + 0.5 * b, squares) + sum(kept)


@program(array(3))
def late_binding(x):
    fs = [lambda v: v * k for k in range(3)]
    return sum(f(x[i]) for i, f in enumerate(fs))


@program(array(3))
def default_binds_early(x):
    fs = [lambda v, k=k: v**k for k in range(3)]
    return sum(f(v) for f, v in zip(fs, x))


@program(number())
def nonlocal_state(x):
    total = 0.0

    def add(v):
        nonlocal total
        total = total + v * v

    add(x)
    add(np.sin(x))
    return total * x


@program(number())
def shadowed_names(x):
    sum = x * x
    len = np.sin(x)
    x_bar = sum * len
    value = x_bar + 1.0
    return value * x


@program(array(3))
def local_alias_of_numpy(x):
    s = np.sin
    xp = np
    return xp.sum(s(x) * xp.cos(x))


@program(number())
def recursive_closure(x):
    def depth(y, n):
        if n == 0:
            return y
        return depth(np.sin(y) + x, n - 1)

    return depth(x, 3)


@program(number(0.2, 0.8), number(0.2, 0.8))
def conditional_function(x, y):
    f = np.sin if x > y else np.exp
    if x > 10:
        g = make_adder(x)
    else:
        g = make_adder(y)
    return f(x) * g(y)

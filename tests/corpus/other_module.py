"""Functions that the corpus calls in another module, by other names."""

import numpy
from numpy import sin as sine

SCALE = 1.25


def softplus(x, beta=1.0):
    """log(1 + exp(beta x)) / beta"""
    return numpy.log1p(numpy.exp(beta * x)) / beta


def wave(x, *, amplitude=SCALE):
    return amplitude * sine(x)


def fill_with_squares(out, x):
    """Write the squares of `x` into `out`."""
    for i in range(len(x)):
        out[i] = x[i] ** 2


def both(x, y=2.0, *rest, **options):
    total = x * y
    for r in rest:
        total = total + r
    return total * options.get("factor", 1.0)

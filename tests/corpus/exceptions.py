"""`try`: handlers, `else`, `finally`; exceptions of NumPy, of Python, and raised by hand; loops."""

import math

import numpy as np

from corpus.registry import number, positive, program, tree

POSITIVE = tree(lambda rng: np.array([[2.0, 0.3], [0.3, 1.5]]) + rng.uniform(0.0, 0.1))
NEGATIVE = tree(lambda rng: np.array([[-2.0, 0.3], [0.3, -1.5]]) + rng.uniform(0.0, 0.1))


@program(positive(), jax=False)
@program(number(-0.9, -0.2), jax=False)
def logarithm_or_line(x):
    try:
        y = math.log(x)
    except ValueError:
        y = x * 3.0
    return y * x


@program(positive(), jax=False)
@program(number(-0.9, -0.2), jax=False)
def returns_from_both(x):
    try:
        return math.sqrt(x)
    except ValueError as error:
        return x * len(str(error))


@program(number(0.3, 0.9), POSITIVE, jax=False)
@program(number(0.3, 0.9), NEGATIVE, jax=False)
def factor_or_not(x, A):
    try:
        L = np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        L = A * 2.0
    else:
        L = L * x
    finally:
        z = x * x
    return np.sum(L) * z


@program(number(), "12x")
def parsed_numbers(x, text):
    total = 0.0
    for k in range(4):
        try:
            n = int(text[k])
        except (ValueError, IndexError):
            n = 7
        total += x * n
    return total


@program(positive(), jax=False)
def failures_of_two_kinds(x):
    total = 0.0
    for k in range(-1, 3):
        try:
            y = x / k
            total += math.sqrt(y)
        except ZeroDivisionError:
            total = total + 1.0 * x
        except ValueError:
            total = total * 2.0 + x
    return total * x


@program(number(0.2, 0.9))
@program(number(6.0, 7.0))
def raised_by_hand(x):
    try:
        y = x * x
        if x > 5.0:
            raise ValueError("too big")
    except ValueError:
        y = x
    return y


@program(number(0.2, 0.9), tree(lambda rng: {"k": 2.0}))
def raises_on_the_other_path(x, d):
    if x > 100.0:
        y = d["no such key"]
    else:
        y = x * d["k"]
    return y


def refuses(x):
    raise ValueError("no")


@program(number(0.2, 0.9))
def callee_raises_on_the_other_path(x):
    if x > 10.0:
        y = refuses(x)
    else:
        y = x * x
    return y * 2.0


@program(number(0.2, 0.9))
def module_that_is_not_there(x):
    try:
        import a_module_that_is_not_there as other
    except ImportError:
        other = None
    if other is None:
        return x * x
    return other.f(x)


@program(number(0.2, 0.9))
@program(number(12.0, 13.0))
def bound_on_one_path(x):
    if x > 10.0:
        y = x
    if x > 20.0:
        return y * 2.0
    return x * 3.0

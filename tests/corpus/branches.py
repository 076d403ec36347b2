"""if, elif, else, ternaries, short-circuit operators, chained comparisons, `in`, `is`, match."""

import numpy as np

from corpus.registry import array, number, program


@program(number(1.1, 2.0))
@program(number(-2.0, -1.1))
@program(number(-0.9, 0.9))
def piecewise(x):
    if x > 1.0:
        y = x * x
    elif x < -1.0:
        y = -np.sin(x)
    else:
        y = 0.5 * x**3
    return y


@program(number(0.2, 1.0), number())
@program(number(-1.0, -0.2), number())
def one_sided(x, y):
    if x > 0:
        y = y * x
    return y * y + x


@program(number(0.2, 1.0))
@program(number(-1.0, -0.2))
def leaky_relu(x):
    return x if x > 0 else 0.1 * x


@program(number(0.2, 1.0), number())
@program(number(-1.0, -0.2), number())
def nested_ternary(x, y):
    z = np.sin(x) if x > 0 else (x * y if y > 0 else np.exp(y))
    return z * z


@program(array(4))
def ternary_arrays(x):
    scale = x if x.sum() > 100.0 else np.cos(x)
    return np.sum(scale * x)


@program(number(0.5, 1.5), 0)
@program(number(0.5, 1.5), 3)
def default_by_or(x, n):
    n = n or 2
    return x**n


@program(number(0.5, 1.5), None)
@program(number(0.5, 1.5), number(1.0, 2.0))
def none_means_default(x, scale):
    if scale is None:
        scale = 2.0
    return x * scale


@program(array(3))
def short_circuit_guards(x):
    i = 3
    total = 0.0
    if i < len(x) and x[i] > 0:
        total = x[i]
    elif not (i < len(x)) or x[i] < 0:
        total = x[0] * x[1]
    return total


@program(number(0.1, 0.9))
@program(number(2.1, 2.9))
def chained_comparison(x):
    if 0.0 < x <= 1.0 < 2.0:
        return x**3
    return np.log(x)


@program(array(3), "sin")
@program(array(3), "exp")
@program(array(3), "cube")
def by_name(x, kind):
    if kind == "sin":
        y = np.sin(x)
    elif kind in ("exp", "expm1"):
        y = np.exp(x)
    else:
        y = x**3
    return y.sum()


@program(array(4), {1: "a", 3: "b"})
def membership(x, chosen):
    total = 0.0
    for i in range(4):
        if i in chosen:
            total = total + x[i] ** 2
        elif i not in (0,):
            total = total - x[i]
    return total


@program(array(2, 2), True)
@program(array(2, 2), False)
def flag(x, transpose):
    if transpose:
        x = x.T
    return np.sum(x[0] * np.sin(x[1]))


@program(number(0.4, 1.0))
def empty_side(x):
    if x > 2.0:
        pass
    else:
        x = x * 3.0
    if x < 0:
        x = -x
    else:
        pass
    return x * x


@program(array(5), jax=False)
def branch_on_elements(x):
    y = np.zeros_like(x)
    for i in range(len(x)):
        if x[i] > 0.5:
            y[i] = 2 * x[i]
        elif x[i] > -0.5:
            y[i] = x[i] ** 2
    return np.sum(y * x)


@program(number(0.3, 1.0))
def defined_on_one_side(x):
    if x > 0:
        extra = x * 2.0
        bonus = extra * x
    else:
        bonus = x
    return bonus + x


@program(number(0.3, 1.0), number(0.3, 1.0))
def any_all(a, b):
    if all(v > 0 for v in (a, b)) and any([a > 5, b < 5]):
        return a * b
    return a - b


@program(number(0.5, 0.9), 2)
@program(number(0.5, 0.9), 0)
def match_statement(x, mode):
    match mode:
        case 0:
            y = x
        case 1 | 2:
            y = x * x
        case _:
            y = 0.0 * x
    return y * np.sin(x)


@program(array(4))
def where_and_masks(x):
    y = np.where(x > 0.2, x**2, np.where(x < -0.2, -x, 0.3 * x))
    return np.sum(y)


@program(number(0.2, 0.8), number(1.2, 1.8))
def boolean_names(a, b):
    bigger = a > b
    close = abs(a - b) < 0.1
    if not bigger and not close:
        return b / a
    return a / b


@program(number(0.2, 0.8))
def truthiness(x):
    values = []
    if not values:
        values.append(x)
    if values:
        values.append(x * x)
    return values[0] + values[-1]

"""`for` over ranges, arrays, lists, tuples, dict items, zip, enumerate, reversed; with else; nested; with no turns."""

import numpy as np

from corpus.registry import array, number, positive, program, tree


@program(array(5))
def sum_of_products(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += x[i] * x[i + 1]
    return total


@program(array(5), 2)
@program(array(5), 0)
def range_with_step(x, start):
    total = x[0] * 0.5
    for i in range(start, 5, 2):
        total = total * x[i] + 1.0
    return total


@program(array(5))
def range_down(x):
    acc = 0.0
    for i in range(len(x) - 1, -1, -1):
        acc = acc * 0.7 + np.sin(x[i])
    return acc


@program(array(4))
def horner(coefficients):
    y = 0.0
    for c in reversed(coefficients):
        y = y * 0.3 + c
    return y**2


@program(array(3, 4), array(4))
def over_rows(m, v):
    total = 0.0
    for row in m:
        total += np.tanh(row @ v)
    return total


@program(array(4), array(4))
def over_zip(x, y):
    total = 0.0
    for a, b in zip(x, y):
        total += a * b**2
    return total


@program(array(3, 2))
def over_enumerate(m):
    total = 0.0
    for i, row in enumerate(m, start=1):
        total += i * np.sum(row * row)
    return total


@program(tree(lambda rng: [rng.normal(size=3), rng.normal(size=3), rng.normal(size=3)]))
def over_list(parts):
    product = np.ones(3)
    for part in parts:
        product = product * np.cos(part)
    return product.sum()


@program(tree(lambda rng: {"w": rng.normal(size=(2, 2)), "b": rng.normal(size=2)}))
def over_dict_items(params):
    total = 0.0
    for name, value in params.items():
        total += np.sum(value**2) * (1.0 if name == "w" else 0.5)
    for key in params:
        total += params[key].sum()
    for value in params.values():
        total += value.mean()
    return total


@program(
    tree(lambda rng: [(rng.normal(size=(3, 4)), rng.normal(size=4)), (rng.normal(size=(4, 2)), rng.normal(size=2))]),
    array(5, 3),
)
def network(params, x):
    for W, b in params:
        x = np.tanh(x @ W + b)
    return np.mean(x**2)


@program(tree(lambda rng: [(rng.normal(size=(2, 2)), rng.normal(size=2)) for _ in range(3)]), array(2))
def network_backwards(params, h):
    for k, (W, b) in reversed(list(enumerate(params))):
        h = np.sin(W @ h + b) / (k + 1)
    return h.sum()


@program(array(3))
def for_else(x):
    total = 0.0
    for v in x:
        if v > 10.0:
            break
        total += v * v
    else:
        total *= 2.0
    return total


@program(array(4))
def loop_variable_after(x):
    for i in range(3):
        t = x[i] * x[i + 1]
    return t * i + x[i]


@program(array(4))
def loop_variable_reassigned(x):
    total = 0.0
    for i in range(3):
        total += x[i]
        i = i + 1
        total += x[i] ** 2
    return total


@program(array(4))
def range_bound_changed(x):
    n = 2
    total = 0.0
    for i in range(n):
        n = 4
        total += n * x[i] ** 2
    return total * n


@program(array(3, 3))
def nested_triangle(m):
    total = 0.0
    for i in range(3):
        for j in range(i):
            total += m[i, j] * m[j, i]
            for k in range(j, i):
                total *= 1.0 + 0.1 * m[k, k]
    return total


@program(array(4), number())
def nested_state(x, s):
    for i in range(3):
        r = s
        for j in range(i, 4):
            r = np.sin(r) + x[j] * r
        s = s + 0.5 * r
    return s


@program(array(3), 0)
@program(array(3), 4)
def maybe_no_turns(x, n):
    y = x * 1.5
    for _ in range(n):
        y = np.sin(y) + x
    return y.sum()


@program(array(4))
def over_slices(x):
    total = 0.0
    for v in x[1:]:
        total += v * x[0]
    for v in x[::-1]:
        total = total * 0.5 + v
    return total


@program(array(6))
def over_tuples(x):
    total = 0.0
    for i, j, w in ((0, 3, 1.0), (1, 4, 0.5), (2, 5, -2.0)):
        total += w * x[i] * x[j]
    return total


@program(array(2, 3, 2))
def over_nested_rows(t):
    total = 0.0
    for plane in t:
        for row in plane:
            total += row[0] * np.exp(row[1])
    return total


@program(array(5))
def nonlinear_state(x):
    s = 0.3
    for v in x:
        s = s * s + v
        s = np.tanh(s)
    return s


@program(positive(5))
def product_and_power(x):
    p = 1.0
    for k, v in enumerate(x):
        p *= v**k
    return np.log(p)


@program(array(3), array(3), array(3))
def zip_of_three(a, b, c):
    total = 0.0
    for k, (p, q, r) in enumerate(zip(a, b, c)):
        total += p * q * r * (k + 0.5)
    return total


@program(array(4, 2), jax=False)
def ndindex(m):
    total = 0.0
    for i, j in np.ndindex(4, 2):
        total += m[i, j] ** 2 * (i + j)
    return total


@program(array(3))
def moving_window(x):
    previous = x[0]
    total = 0.0
    for current in x[1:]:
        total += (current - previous) ** 2
        previous = current
    return total + previous


@program(array(4), jax=False)
def prefix_sums(x):
    y = np.empty(4)
    y[0] = x[0]
    for i in range(1, 4):
        y[i] = y[i - 1] + x[i] * x[i]
    return np.sum(np.sin(y))


@program(array(3, 3), jax=False)
def rows_doubled_in_place(m):
    a = m.copy()
    for row in a:
        row *= row
    return np.sum(a * m)

"""Lists whose length is known only at run time: every method, slices, sums, order."""

import itertools

import numpy as np

from corpus.registry import array, number, positive, program


@program(array(5))
def pop_and_insert_anywhere(x):
    q = list(x)
    a = q.pop(0)
    b = q.pop(1)
    q.insert(1, a * b)
    q.insert(0, b * b)
    q.insert(-1, a)
    c = q.pop(-2)
    t = 0.0
    for k, v in enumerate(q):
        t += (k + 1) * v
    return t + c * a


@program(array(4))
def sorted_in_every_way(x):
    q = [v * v for v in x]
    r = q.copy()
    r.append(x[0])
    r.sort()
    q.sort(reverse=True)
    s = sorted(q, key=lambda v: -v)
    q.extend(r)
    q += s
    return q[0] * q[-1] + q[3] * q[5] + r[1] * q[-3] + len(q)


@program(array(4), 2)
@program(array(4), -1)
def slices_and_sums(x, n):
    q = [v * 2.0 for v in x]
    z = q[n:] + q[:-1] + q[1:3] + [1.0, x[0]] + q[::-1]
    t = 1.0
    for k in range(len(z)):
        t = t * 0.7 + z[k] * z[-k - 1]
    return t


@program(array(3))
def greatest_by_key(x):
    q = [1.0, x[0], x[1] * x[2]]
    q.sort()
    best = max([v * 2.0 for v in x], key=lambda v: -v)
    return q[0] + 2.0 * q[1] + 3.0 * q[2] + q.index(max(q)) + best


@program(positive(3))
def cleared_and_repeated(x):
    q = [v for v in x if v > 0]
    q.clear()
    q.append(x[0] * x[1])
    q = q * 3
    q.remove(q[0])
    return sum(q) * len(q)


@program(array(4, 3))
def rows_in_lists(A):
    rows = [r * 2.0 for r in A]
    first = rows.pop(0)
    rest = rows[1:] + [first]
    return sum(np.sum(r * r * (k + 1)) for k, r in enumerate(rest))


@program(array(3), jax=False)
def queue_that_grows(x):
    q = list(x)
    t = 0.0
    while q:
        v = q.pop(0)
        t = 0.5 * t + v * v
        if v > 0.3 and len(q) < 9:
            q.append(v * 0.3)
    return t


@program(number(0.2, 0.9))
def products_and_pairs(x):
    t = 0.0
    for i, j in itertools.product(range(2), range(3)):
        t += x ** (i + j)
    for a, b in itertools.combinations([x, 2.0, x * x], 2):
        t += a * b
    for a, b in itertools.pairwise([x, 2.0, x * x]):
        t += a - b
    return t


def weighted(a, b, c):
    return a * b + np.sin(c)


@program(array(3))
def argument_for_each_item(x):
    return weighted(*x) + weighted(*[v * 2.0 for v in x])

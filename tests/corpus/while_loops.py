"""`while`, with else, on data and on counters; break, continue, early and multiple returns."""

import numpy as np

from corpus.registry import array, number, positive, program


@program(number(5.0, 9.0), number(0.05, 0.2))
def settle(x, k):
    while np.abs(x) > 1.0:
        x = 0.5 * x + k * np.sin(x)
    return x * x


@program(positive())
def newton_sqrt(a):
    x = a
    while True:
        step = 0.5 * (a / x - x)
        x = x + step
        if abs(step) < 1e-12:
            break
    return x


@program(number(0.5, 1.5), 0)
@program(number(0.5, 1.5), 3)
def countdown(x, n):
    y = x
    while n > 0:
        y = y * np.cos(x)
        n -= 1
    return y


@program(number(0.5, 0.9))
def while_else(x):
    k = 0
    while k < 3:
        x = np.sin(x)
        k += 1
    else:
        x = x * 2.0
    return x


@program(array(6))
def skip_negative(x):
    total = 0.0
    for v in x:
        if v < 0:
            continue
        total += v * v
    return total


@program(array(6))
def stop_early(x):
    total = 1.0
    for i in range(len(x)):
        total *= 1.0 + 0.5 * x[i]
        if i == 3:
            break
    return total


@program(array(6), number(0.5, 1.0))
def first_above(x, limit):
    for i in range(len(x)):
        if x[i] * x[i] > limit:
            return x[i] * limit
    return np.sum(x)


@program(array(4), 0)
@program(array(4), 1)
@program(array(4), 2)
def several_returns(x, mode):
    if mode == 0:
        return x[0] * x[1]
    y = np.sin(x)
    if mode == 1:
        return y.sum()
    for v in y:
        if v > 5:
            return v
    return np.sum(y * x)


@program(array(3, 4))
def break_inner(m):
    total = 0.0
    for row in m:
        for v in row:
            if v > 0.9:
                break
            if v < -0.9:
                continue
            total += v**3
        else:
            total *= 1.5
    return total


@program(array(3, 4))
def return_from_nested(m):
    s = 0.2
    for i in range(3):
        for j in range(4):
            s = s + m[i, j] ** 2
            if s > 2.0:
                return s * m[i, j]
    return s


@program(number(0.1, 0.4))
def series_until_small(x):
    term = 1.0
    total = 0.0
    n = 0
    while abs(term) > 1e-14:
        total += term
        n += 1
        term = term * x * (n + 0.5) / n
    return total


@program(number(2.0, 3.0), number(0.1, 0.3))
def two_states(x, v):
    t = 0.0
    while t < 1.0:
        a = -np.sin(x)
        x, v = x + 0.13 * v, v + 0.13 * a
        t += 0.13
    return x * v


@program(array(4))
def bisection(c):
    lo, hi = 0.0, 3.0
    scale = np.sum(c * c)
    for _ in range(30):
        mid = 0.5 * (lo + hi)
        if mid * mid > 2.0:
            hi = mid
        else:
            lo = mid
    return scale * mid


@program(number(1.0, 2.0))
def continue_in_while(x):
    k = 0
    y = x
    while k < 6:
        k += 1
        if k % 2 == 0:
            continue
        y = y + np.sin(y) / k
        if k == 5:
            break
    return y


@program(array(3))
def fixed_point_in_function_of_array(x):
    z = np.zeros(3)
    for k in range(50):
        new = np.tanh(0.3 * z + x)
        if np.max(np.abs(new - z)) < 1e-13:
            break
        z = new
    return np.sum(z * x)


@program(number(0.3, 0.7))
def collatz_like(x):
    n = 6
    while n != 1:
        if n % 2 == 0:
            n //= 2
            x = x * 1.1
        else:
            n = 3 * n + 1
            x = x * x + 0.1
    return x


@program(number(0.2, 0.6))
def nested_while(x):
    i = 0
    total = 0.0
    while i < 3:
        j = i
        y = x
        while j < 4:
            y = y * y + x
            j += 1
        total += y
        i += 1
    return total


@program(number(0.4, 0.9), 3)
@program(number(0.4, 0.9), -1)
def guard_clauses(x, n):
    if n < 0:
        return x * 0.5
    if n == 0:
        return x
    result = 1.0
    for k in range(n):
        result = result * (x + k)
    return result

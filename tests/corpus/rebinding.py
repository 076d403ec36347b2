"""Names re-bound to other types, leaking out of blocks, reused; buffers swapped and rotated; views kept too long."""

import numpy as np

from corpus.registry import array, number, program


@program(array(4))
def number_then_array(x):
    a = 2.0
    a = a * x
    a = a.sum()
    a = [a, a * a]
    a = a[1]
    return a


@program(array(3))
def loop_changes_type_before(x):
    t = None
    for v in x:
        t = v if t is None else t * v
    return t


@program(array(4), 1)
@program(array(4), 0)
def leaks_from_loop(x, n):
    y = x[0]
    for i in range(n):
        y = x[i] * 3.0
        z = y * y
    w = y + 1.0
    if n:
        w = w * z
    return w


@program(array(4))
def leaks_from_branch(x):
    if x.sum() < 100.0:
        temporary = x * x
    else:
        temporary = np.zeros(4)
    result = temporary + x
    for temporary in result:
        pass
    return temporary * 2.0 + result[0]


@program(array(3))
def reused_in_next_loop(x):
    total = 0.0
    t = x[0]
    for i in range(3):
        total += t * x[i]
        t = np.sin(t)
    for t in x:
        total *= 1.0 + 0.1 * t
    return total * t


@program(array(5), jax=False)
def double_buffer(x):
    a = x.copy()
    b = np.zeros(5)
    for _ in range(4):
        for i in range(1, 4):
            b[i] = 0.3 * (a[i - 1] + a[i] * a[i] + a[i + 1])
        a, b = b, a
    return np.sum(a * x) + b[2]


@program(array(4), jax=False)
def three_buffers(x):
    old, now, new = x.copy(), x * 0.9, np.zeros(4)
    for k in range(3):
        new[1:-1] = 2 * now[1:-1] - old[1:-1] + 0.1 * (now[2:] - now[1:-1] * now[:-2])
        old, now, new = now, new, old
    return np.sum(now * old) + new[1]


@program(array(4))
def three_buffers_functional(x):
    old, now = x, x * 0.9
    for k in range(3):
        new = 2 * now - old + 0.1 * np.sin(now)
        old, now = now, new
    return np.sum(now * old)


@program(array(4), jax=False)
def alias_then_write(x):
    a = x * 2.0
    b = a
    b += x
    a[1] = 3.0 * x[0]
    return np.sum(a * b)


@program(number(), number())
def alias_of_floats(x, y):
    a = x
    b = a
    b += y
    return a * b


@program(array(5), jax=False)
def view_read_after_base_written(x):
    a = x * x
    v = a[1:4]
    a[2] = x[0]
    return np.sum(v * v)


@program(array(5), jax=False)
def base_read_after_view_written(x):
    a = 2.0 * x
    v = a[::2]
    v *= v
    w = v[1:]
    w += x[0]
    return np.sum(a * x)


@program(array(5))
def stale_view(x):
    k = 1
    a = x * 3.0
    v = a[k:]
    k = 3
    a = np.sin(x)
    v += 1.0
    return np.sum(v * v) + np.sum(a[k:])


@program(array(2, 3), jax=False)
def view_of_view(m):
    a = m * m
    t = a.T
    r = t[1]
    r *= m[0, 0]
    flat = a.reshape(-1)
    flat[0] += 2.0 * flat[-1]
    return np.sum(a * a) + np.sum(t[0])


@program(array(3, 3), jax=False)
def rows_and_columns(m):
    a = m.copy()
    for i in range(3):
        row = a[i]
        row *= 1.0 + m[i, i]
        col = a[:, i]
        col += row
    return np.sum(a**2)


@program(array(4), jax=False)
def own_element(x):
    h = x.copy()
    for _ in range(2):
        h[:] = h[-1] - h
        h *= h[0]
    return np.sum(h)


@program(array(4))
def own_element_functional(h):
    h = h[-1] - h
    h = h * h[0]
    return np.sum(h * h)


@program(array(4), jax=False)
def passive_overwrite(x):
    b = np.arange(4.0)
    q = x.sum()
    y = q * x[1]
    q = b[0]
    a = x * 2.0
    a[1] = b[2]
    return y + q * x[0] + np.sum(a * a)


@program(array(4), jax=False)
def store_value_then_change_it(x):
    y = np.zeros((3, 4))
    state = x.copy()
    for k in range(3):
        y[k] = state
        state *= x
    return np.sum(y**2)


@program(array(4), jax=False)
def repeated_scatter(x):
    y = np.zeros(3)
    y[[0, 0, 2]] = x[:3]
    y[[1, 1]] += x[2:]
    np.add.at(y, [2, 2, 0], x[1:])
    return np.sum(y * np.array([1.0, 2.0, 3.0]))


@program(array(4), jax=False)
def gather_repeated(x):
    return np.sum(x[[0, 0, -1, 3]] * np.arange(1.0, 5.0)) + x[np.array([[1, 2], [2, 1]])].sum()


@program(array(5), jax=False)
def masks_written(x):
    y = x * x
    y[x > 0.3] *= 2.0
    y[y < 0.1] = x[0]
    return np.sum(y)


@program(array(4), array(4), jax=False)
def out_arguments(x, y):
    z = np.empty(4)
    np.multiply(x, y, out=z)
    np.add(z, x, out=z)
    np.copyto(z[1:2], y[:1])
    z[0:1].fill(2.0)
    return np.sum(z * z)


@program(array(3, 3), jax=False)
def diagonal_written(m):
    a = m @ m
    np.fill_diagonal(a, m[0])
    return np.sum(a * a)


@program(array(6), jax=False)
def reshaped_and_split(x):
    a = x.copy().reshape(2, 3)
    left, right = np.split(a, [1], axis=1)
    right *= left
    a[1] += a[0]
    return np.sum(a.ravel() * x)


@program(array(3), number(), jax=False)
def scalars_into_arrays(x, s):
    y = np.empty((2, 3))
    y[0] = x
    y[1] = s
    y[:, 1] = s * s
    y[0, ...] *= 2.0
    y[None, 1, 2] = x[0]
    return np.sum(y**2)

"""Lists built and taken apart; comprehensions of every kind."""

import numpy as np

from corpus.registry import array, number, program, tree


@program(array(4))
def append_and_sum(x):
    out = []
    for v in x:
        out.append(v * v)
    return sum(out) + out[0] * out[-1]


@program(array(4), array(4, 4))
def append_rows_and_stack(x, A):
    history = [x]
    for _ in range(3):
        history.append(np.tanh(A @ history[-1]))
    return np.sum(np.stack(history) ** 2)


@program(array(4))
def append_then_array(x):
    out = []
    for i in range(4):
        out.append(np.sin(x[i]) * i)
    y = np.array(out)
    return y @ x


@program(array(4))
def stack_machine(x):
    stack = [x[0]]
    for v in x[1:]:
        stack.append(v)
        if len(stack) > 2:
            b = stack.pop()
            a = stack.pop()
            stack.append(a * b)
    while len(stack) > 1:
        stack.append(stack.pop() + stack.pop())
    return stack.pop()


@program(array(4))
def extend_insert(x):
    values = [x[0], x[1]]
    values.extend([x[2], x[3] ** 2])
    values += [x[0] * 2.0]
    values.insert(1, x[3])
    return values[0] * values[1] + values[2] * values[-1] + len(values)


@program(array(3))
def element_replaced(x):
    values = [x[0], x[1], x[2]]
    values[1] = values[0] * values[2]
    values[0] *= 3.0
    return values[0] + values[1] * values[1]


@program(array(3))
def fixed_list_then_loop(x):
    state = [x[0], x[1]]
    for _ in range(3):
        state[0], state[1] = state[1], np.sin(state[0]) + x[2]
    return state[0] * state[1]


@program(array(5))
def list_comprehension(x):
    y = [np.sin(v) * v for v in x]
    return sum(y)


@program(array(5))
def conditional_comprehension(x):
    return sum([v**2 for v in x if v > 0.0]) + sum(v for v in x if not v > 0.0)


@program(array(3, 3))
def nested_comprehension(m):
    squares = [m[i, j] ** 2 for i in range(3) for j in range(3) if i != j]
    rows = [[v * 2.0 for v in row] for row in m]
    return sum(squares) + rows[0][1] * rows[2][2]


@program(array(3))
def dict_comprehension(x):
    table = {k: x[k] * (k + 1) for k in range(3)}
    return table[0] * table[2] + sum(v for v in table.values())


@program(array(4))
def set_comprehension(x):
    chosen = {i % 3 for i in range(4)}
    return sum(x[i] ** 2 for i in sorted(chosen))


@program(array(4))
def generator_to_function(x):
    return max(v * v for v in x) + min(np.sin(v) for v in x)


@program(array(4))
def comprehension_scope(x):
    i = 2
    y = [x[i] * k for k, i in enumerate(range(3))]
    return sum(y) + x[i]


@program(array(3, 2))
def array_of_comprehension(m):
    norms = np.array([np.sqrt(np.sum(row**2)) for row in m])
    return np.prod(norms)


@program(tree(lambda rng: [rng.normal(size=2), rng.normal(size=3)]))
def concatenated(parts):
    flat = np.concatenate([p * p for p in parts])
    return np.sum(flat * np.arange(5.0))


@program(array(4))
def slices_of_lists(x):
    values = list(x)
    head, tail = values[:2], values[2:]
    both = tail + head
    return both[0] * 2.0 + both[3] * both[1] + sum(values[::2])


@program(array(4))
def list_repetition(x):
    zeros = [0.0] * 4
    for i in range(4):
        zeros[i] = zeros[i - 1] + x[i] * x[i]
    return zeros[3] * zeros[1]


@program(array(3))
def reversed_list(x):
    values = [v for v in x]
    values.reverse()
    total = 0.0
    for v in values:
        total = 0.5 * total + v
    return total * values[0]


@program(array(4))
def sorted_values(x):
    ordered = sorted([v for v in x])
    return ordered[0] * 1.0 + ordered[1] * 2.0 + ordered[3] * 4.0


@program(array(2), number())
def list_of_lists(x, s):
    grid = [[s, x[0]], [x[1], s * s]]
    total = 0.0
    for i in range(2):
        for j in range(2):
            total += grid[i][j] * (i + 2 * j + 1)
    return total * grid[1][0]


@program(array(6))
def pop_from_front(x):
    queue = list(x)
    total = 0.0
    while queue:
        v = queue.pop(0)
        total = total * 0.9 + v**2
        if len(queue) > 3:
            queue.pop()
    return total


@program(array(4), jax=False)
def list_of_arrays_written(x):
    buffers = [np.zeros(4), x.copy()]
    for k in range(3):
        buffers[k % 2][1:] += buffers[(k + 1) % 2][:-1] * x[k]
    return np.sum(buffers[0] * buffers[1])


@program(array(3))
def accumulate_by_recursion_of_lists(x):
    pairs = [(v, v * v) for v in x]
    firsts = [a for a, _ in pairs]
    seconds = [b for _, b in pairs]
    return sum(a * b for a, b in zip(firsts, seconds))

"""Target pairs: a function, and the adjoint that an expert would write for it by hand.

The emitted text is held against these: the same tapes, hardly more statements, the same numbers.
"""
# ruff: noqa: E226, E305, E302

import numpy as np


# 1 -- network, straight line ------------------------------------------------
def loss(params, x, t):
    h = x
    for W, b in params:
        h = np.tanh(h @ W + b)  # one layer
    return np.mean((h - t) ** 2)


def loss_adjoint(params, x, t, loss_bar=1.0):
    # forward sweep
    h_tape = []
    h = x
    for W, b in params:
        h_tape.append(h)
        h = np.tanh(h @ W + b)  # one layer
    residual = h - t
    value = np.mean(residual**2)
    # reverse sweep
    h_bar = (2.0 * loss_bar / residual.size) * residual
    params_bar = []
    for W, b in reversed(params):
        # h = np.tanh(h @ W + b)
        a_bar = h_bar * (1.0 - h * h)
        h = h_tape.pop()
        W_bar = h.T @ a_bar
        b_bar = a_bar.sum(axis=0)
        h_bar = a_bar @ W.T
        params_bar.append((W_bar, b_bar))
    params_bar.reverse()
    return value, params_bar


# 2 -- in-place recurrence, no tape -----------------------------------------
def smooth(x):
    y = np.zeros_like(x)
    for i in range(1, x.shape[0]):
        y[i] = 0.5 * y[i - 1] + np.sin(x[i])
    return np.sum(y**2)


def smooth_adjoint(x, smooth_bar=1.0):
    # forward sweep
    y = np.zeros_like(x)
    for i in range(1, x.shape[0]):
        y[i] = 0.5 * y[i - 1] + np.sin(x[i])
    value = np.sum(y**2)
    # reverse sweep
    y_bar = 2.0 * smooth_bar * y
    x_bar = np.zeros_like(x)
    for i in reversed(range(1, x.shape[0])):
        # y[i] = 0.5 * y[i - 1] + np.sin(x[i])
        yi_bar = y_bar[i]
        y_bar[i] = 0.0
        y_bar[i - 1] += 0.5 * yi_bar
        x_bar[i] += np.cos(x[i]) * yi_bar
    return value, x_bar


# 3 -- while, nonlinear state: tape + trip count ------------------------------
def settle(x, k):
    while np.abs(x) > 1.0:
        x = 0.5 * x + k * np.sin(x)
    return x * x


def settle_adjoint(x, k, settle_bar=1.0):
    # forward sweep
    x_tape = []
    while np.abs(x) > 1.0:
        x_tape.append(x)
        x = 0.5 * x + k * np.sin(x)
    value = x * x
    # reverse sweep
    x_bar = 2.0 * x * settle_bar
    k_bar = 0.0
    while x_tape:
        x = x_tape.pop()
        # x = 0.5 * x + k * np.sin(x)
        k_bar += np.sin(x) * x_bar
        x_bar = (0.5 + k * np.cos(x)) * x_bar
    return value, (x_bar, k_bar)


# 4 -- Gauss-Seidel in place: linear, so nothing is recorded ------------------
def seidel(A, steps):
    A = A.copy()
    n = A.shape[0]
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[i, j] = 0.2 * (A[i - 1, j] + A[i, j - 1] + A[i, j] + A[i + 1, j] + A[i, j + 1])
    return np.sum(A * A)


def seidel_adjoint(A, steps, seidel_bar=1.0):
    # forward sweep
    A = A.copy()
    n = A.shape[0]
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[i, j] = 0.2 * (A[i - 1, j] + A[i, j - 1] + A[i, j] + A[i + 1, j] + A[i, j + 1])
    value = np.sum(A * A)
    # reverse sweep
    A_bar = 2.0 * seidel_bar * A
    for _ in range(steps):
        for i in reversed(range(1, n - 1)):
            for j in reversed(range(1, n - 1)):
                # A[i, j] = 0.2 * (A[i-1, j] + A[i, j-1] + A[i, j] + A[i+1, j] + A[i, j+1])
                t_bar = 0.2 * A_bar[i, j]
                A_bar[i, j] = t_bar
                A_bar[i - 1, j] += t_bar
                A_bar[i, j - 1] += t_bar
                A_bar[i + 1, j] += t_bar
                A_bar[i, j + 1] += t_bar
    return value, A_bar


# 5 -- views: b is a window on a, b_bar is the same window on a_bar -----------
def window(x):
    a = 2.0 * x
    b = a[1:]
    b *= b
    return np.sum(a * x)


def window_adjoint(x, window_bar=1.0):
    # forward sweep
    a = 2.0 * x
    b = a[1:]
    b_saved = b.copy()
    b *= b
    value = np.sum(a * x)
    # reverse sweep
    a_bar = window_bar * x
    x_bar = window_bar * a
    b_bar = a_bar[1:]
    # b *= b
    b[...] = b_saved
    b_bar *= 2.0 * b
    # a = 2.0 * x
    x_bar += 2.0 * a_bar
    return value, x_bar


def pairs(rng):
    """Name -> (primal, hand-written adjoint, arguments, argnums)."""
    params = [(rng.normal(size=(3, 4)), rng.normal(size=4)), (rng.normal(size=(4, 2)), rng.normal(size=2))]
    return {
        "loss": (loss, loss_adjoint, (params, rng.normal(size=(5, 3)), rng.normal(size=(5, 2))), 0),
        "smooth": (smooth, smooth_adjoint, (rng.normal(size=7),), 0),
        "settle": (settle, settle_adjoint, (7.3, 0.1), (0, 1)),
        "seidel": (seidel, seidel_adjoint, (rng.normal(size=(5, 6)), 2), 0),
        "window": (window, window_adjoint, (rng.normal(size=6),), 0),
    }

"""Short pieces of real numerical work: statistics, physics, linear algebra, signal processing."""

import numpy as np

from corpus.registry import array, number, positive, program, tree


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


@program(array(3), number(), array(6, 3), tree(lambda rng: (rng.normal(size=6) > 0).astype(int)))
def logistic_regression(w, b, X, y):
    p = sigmoid(X @ w + b)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1.0 - p)) + 0.1 * np.sum(w**2)


@program(array(4, 3), tree(lambda rng: np.array([0, 2, 1, 2])))
def softmax_cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_norm = np.log(np.exp(shifted).sum(axis=1))
    picked = shifted[np.arange(len(labels)), labels]
    return np.mean(log_norm - picked)


@program(array(5), number(-0.5, 0.5), number(0.5, 1.0))
def gaussian_likelihood(x, mu, sigma):
    z = (x - mu) / sigma
    return np.sum(-0.5 * z**2 - np.log(sigma) - 0.5 * np.log(2 * np.pi))


@program(array(5, 2))
def standardise(X):
    mean = X.mean(axis=0)
    std = np.sqrt(((X - mean) ** 2).mean(axis=0))
    Z = (X - mean) / std
    return np.sum(Z[:, 0] * Z[:, 1] ** 2)


@program(number(0.3, 0.9), number(-0.5, 0.5))
def pendulum_leapfrog(theta, omega):
    dt = 0.05
    energy = 0.0
    for step in range(10):
        omega -= 0.5 * dt * np.sin(theta)
        theta += dt * omega
        omega -= 0.5 * dt * np.sin(theta)
        if step % 5 == 0:
            energy += 0.5 * omega**2 - np.cos(theta)
    return energy


@program(array(3, 2), positive(3))
def gravity_energy(positions, masses):
    energy = 0.0
    for i in range(len(masses)):
        for j in range(i + 1, len(masses)):
            d = positions[i] - positions[j]
            energy -= masses[i] * masses[j] / np.sqrt(np.sum(d * d) + 0.1)
    return energy


@program(array(6), jax=False)
def exponential_smoothing(x):
    s = np.zeros_like(x)
    s[0] = x[0]
    for t in range(1, len(x)):
        s[t] = 0.3 * x[t] + 0.7 * s[t - 1]
    return np.mean((s - x) ** 2)


@program(array(3, 3), array(3))
def power_iteration(A, v):
    for _ in range(5):
        v = A @ v
        v = v / np.linalg.norm(v)
    return v @ A @ v


@program(array(5), array(3))
def convolution_by_loops(signal, kernel):
    total = 0.0
    for i in range(len(signal) - len(kernel) + 1):
        acc = 0.0
        for j in range(len(kernel)):
            acc += signal[i + j] * kernel[j]
        total += max(acc, 0.1 * acc)
    return total


@program(array(3, 3), array(3))
def solve_and_norm(A, b):
    A = A + 3.0 * np.eye(3)
    x = np.linalg.solve(A, b)
    return np.linalg.norm(x)


@program(array(4, 3), array(2, 3))
def kernel_matrix(X, Y):
    d = X[:, None, :] - Y[None, :, :]
    K = np.exp(-0.5 * np.sum(d**2, axis=-1))
    return K.sum() + np.trace(K @ K.T)


@program(
    tree(lambda rng: {"Wx": rng.normal(size=(2, 3)), "Wh": rng.normal(size=(3, 3)), "b": rng.normal(size=3)}),
    array(4, 2),
)
def recurrent_network(params, sequence):
    h = np.zeros(3)
    outputs = []
    for x in sequence:
        h = np.tanh(x @ params["Wx"] + h @ params["Wh"] + params["b"])
        outputs.append(h)
    return np.mean(np.array(outputs) ** 2)


@program(array(3), array(3), array(3))
def cross_and_triple(a, b, c):
    return np.dot(np.cross(a, b), c) + np.outer(a, b)[0, 2]


@program(positive(4), number(0.5, 1.5))
def black_scholes_like(s, vol):
    d1 = (np.log(s) + 0.5 * vol**2) / vol
    return np.sum(s * sigmoid(1.6 * d1) - sigmoid(1.6 * (d1 - vol)))


@program(array(4, 4))
def einsum_and_axes(m):
    t = np.einsum("ij,jk->ik", m, m.T)
    return np.sum(t.max(axis=1)) + np.transpose(m)[0] @ m[1] + np.sum(np.swapaxes(m, 0, 1)[2])


@program(array(3, 4), array(4), array(3))
def broadcasting(m, row, col):
    return np.sum(m * row + col[:, np.newaxis] * np.sin(m)) + np.sum(m - col.reshape(3, 1) * row)


@program(array(2, 3), array(4, 3))
def attention(q, k):
    scores = q @ k.T / np.sqrt(k.shape[-1])
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.sum((weights @ k) ** 2)


@program(array(8))
def pooling(x):
    pairs = x.reshape(4, 2)
    return np.sum(pairs.max(axis=1) ** 2) + pairs.mean(axis=0)[1] + np.prod(pairs[0])


@program(array(5), array(5))
def clip_and_select(x, y):
    z = np.clip(x * 1.3, -0.8, 0.8) + np.maximum(x, y) * np.minimum(y, 0.25)
    return np.sum(z * z)


@program(array(4, 2), 3)
def k_means_step(X, steps):
    centres = X[:2] + 0.1
    for _ in range(steps):
        d = ((X[:, None, :] - centres[None]) ** 2).sum(axis=2)
        w = np.exp(-d)
        w = w / w.sum(axis=1, keepdims=True)
        centres = (w.T @ X) / w.sum(axis=0)[:, None]
    return np.sum(centres**2)

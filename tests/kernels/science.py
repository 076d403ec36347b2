"""Physics, signals, statistics, dynamic programming: loops over time, particles, sequences and states."""

import numpy as np

from kernels.registry import array, complex_array, definite, kernel


@kernel(array(4, 4, low=0.2, high=3.0), writes=("path",))
def floyd_warshall(path):
    for k in range(path.shape[0]):
        path[:] = np.minimum(path[:], np.add.outer(path[:, k], path[k, :]))


@kernel(array(4, 4, low=0.2, high=3.0), writes=("d",))
def floyd_warshall_by_elements(d):
    n = d.shape[0]
    for k in range(n):
        for i in range(n):
            for j in range(n):
                if d[i, k] + d[k, j] < d[i, j]:
                    d[i, j] = d[i, k] + d[k, j]


@kernel(0.25, array(4, 5))
def deriche(alpha, img):
    k = (1.0 - np.exp(-alpha)) * (1.0 - np.exp(-alpha)) / (1.0 + alpha * np.exp(-alpha) - np.exp(2.0 * alpha))
    a1 = a5 = k
    a2 = a6 = k * np.exp(-alpha) * (alpha - 1.0)
    a3 = a7 = k * np.exp(-alpha) * (alpha + 1.0)
    a4 = a8 = -k * np.exp(-2.0 * alpha)
    b1 = 2.0 ** (-alpha)
    b2 = -np.exp(-2.0 * alpha)
    c1 = c2 = 1
    y1 = np.empty_like(img)
    y1[:, 0] = a1 * img[:, 0]
    y1[:, 1] = a1 * img[:, 1] + a2 * img[:, 0] + b1 * y1[:, 0]
    for j in range(2, img.shape[1]):
        y1[:, j] = a1 * img[:, j] + a2 * img[:, j - 1] + b1 * y1[:, j - 1] + b2 * y1[:, j - 2]
    y2 = np.empty_like(img)
    y2[:, -1] = 0.0
    y2[:, -2] = a3 * img[:, -1]
    for j in range(img.shape[1] - 3, -1, -1):
        y2[:, j] = a3 * img[:, j + 1] + a4 * img[:, j + 2] + b1 * y2[:, j + 1] + b2 * y2[:, j + 2]
    out = c1 * (y1 + y2)
    y1[0, :] = a5 * out[0, :]
    y1[1, :] = a5 * out[1, :] + a6 * out[0, :] + b1 * y1[0, :]
    for i in range(2, img.shape[0]):
        y1[i, :] = a5 * out[i, :] + a6 * out[i - 1, :] + b1 * y1[i - 1, :] + b2 * y1[i - 2, :]
    y2[-1, :] = 0.0
    y2[-2, :] = a7 * out[-1, :]
    for i in range(img.shape[0] - 3, -1, -1):
        y2[i, :] = a7 * out[i + 1, :] + a8 * out[i + 2, :] + b1 * y2[i + 1, :] + b2 * y2[i + 2, :]
    out[:] = c2 * (y1 + y2)
    return out


def accelerations(pos, mass, G, softening):
    x = pos[:, 0:1]
    y = pos[:, 1:2]
    z = pos[:, 2:3]
    dx = x.T - x
    dy = y.T - y
    dz = z.T - z
    inv_r3 = dx**2 + dy**2 + dz**2 + softening**2
    inv_r3[inv_r3 > 0] = inv_r3[inv_r3 > 0] ** (-1.5)
    ax = G * (dx * inv_r3) @ mass
    ay = G * (dy * inv_r3) @ mass
    az = G * (dz * inv_r3) @ mass
    return np.hstack((ax, ay, az))


def energies(pos, vel, mass, G):
    KE = 0.5 * np.sum(np.sum(mass * vel**2))
    x = pos[:, 0:1]
    y = pos[:, 1:2]
    dx = x.T - x
    dy = y.T - y
    inv_r = np.sqrt(dx**2 + dy**2)
    inv_r[inv_r > 0] = 1.0 / inv_r[inv_r > 0]
    PE = G * np.sum(np.sum(np.triu(-(mass * mass.T) * inv_r, 1)))
    return KE, PE


@kernel(array(4, 1, low=0.5, high=2.0), array(4, 3), array(4, 3), 3, 0.05, 1.1, 0.3, writes=("pos", "vel"))
def nbody(mass, pos, vel, Nt, dt, G, softening):
    vel -= np.mean(mass * vel, axis=0) / np.mean(mass)
    acc = accelerations(pos, mass, G, softening)
    KE = np.ndarray(Nt + 1, dtype=np.float64)
    PE = np.ndarray(Nt + 1, dtype=np.float64)
    KE[0], PE[0] = energies(pos, vel, mass, G)
    t = 0.0
    for i in range(Nt):
        vel += acc * dt / 2.0
        pos += vel * dt
        acc[:] = accelerations(pos, mass, G, softening)
        vel += acc * dt / 2.0
        t += dt
        KE[i + 1], PE[i + 1] = energies(pos, vel, mass, G)
    return KE, PE


@kernel(array(3, 2), array(3, 2), array(3, low=0.5, high=1.5), writes=("pos", "vel"))
def nbody_by_pairs(pos, vel, mass):
    force = np.zeros_like(pos)
    for step in range(3):
        force[:] = 0.0
        for i in range(len(mass)):
            for j in range(i):
                d = pos[j] - pos[i]
                r2 = d[0] ** 2 + d[1] ** 2 + 0.2
                f = mass[i] * mass[j] * d / (r2 * np.sqrt(r2))
                force[i] += f
                force[j] -= f
        for i in range(len(mass)):
            vel[i] += 0.1 * force[i] / mass[i]
            pos[i] += 0.1 * vel[i]


@kernel(array(8), array(3))
def convolution_1d(signal, taps):
    out = np.zeros(len(signal) + len(taps) - 1)
    for i in range(len(signal)):
        for j in range(len(taps)):
            out[i + j] += signal[i] * taps[j]
    return out


@kernel(array(6, low=0.0, high=1.0), array(6), lambda rng: np.linspace(0.0, 1.0, 4))
def weighted_histogram(samples, weights, edges):
    hist = np.zeros(len(edges) - 1)
    for k in range(len(hist)):
        inside = (samples >= edges[k]) & (samples < edges[k + 1])
        hist[k] = np.sum(weights[inside] * samples[inside])
    for s, w in zip(samples, weights):
        b = int(s * 3)
        hist[min(b, 2)] += w**2
    return hist


@kernel(array(4, low=-0.6, high=0.4), array(3, low=-0.8, high=0.8), 6, 1.3)
def mandelbrot_escape(xs, ys, max_iterations, horizon):
    """Smooth escape values: the last modulus before the orbit leaves."""
    out = np.zeros((len(ys), len(xs)))
    for i in range(len(ys)):
        for j in range(len(xs)):
            zr, zi = 0.0, 0.0
            for n in range(max_iterations):
                zr, zi = zr * zr - zi * zi + xs[j], 2.0 * zr * zi + ys[i]
                if zr * zr + zi * zi > horizon:
                    break
            out[i, j] = n + zr * zr + zi * zi
    return out


@kernel(array(3), 0.1, 5, array(3, low=0.5, high=1.5))
def runge_kutta_history(y0, h, steps, params):
    def f(t, y):
        return np.array([params[0] * (y[1] - y[0]), y[0] * (params[1] - y[2]) - y[1], y[0] * y[1] - params[2] * y[2]])

    history = np.empty((steps + 1, 3))
    history[0] = y0
    for n in range(steps):
        t = n * h
        y = history[n]
        k1 = f(t, y)
        k2 = f(t + h / 2, y + h * k1 / 2)
        k3 = f(t + h / 2, y + h * k2 / 2)
        k4 = f(t + h, y + h * k3)
        history[n + 1] = y + h * (k1 + 2 * k2 + 2 * k3 + k4) / 6
    return history


@kernel(array(2), definite(2), array(2, 2), array(1, 2), definite(2), definite(1), array(4, 1))
def kalman_filter(x, P, F, H, Q, R, observations):
    log_likelihood = 0.0
    means = np.zeros((len(observations), len(x)))
    for t, z in enumerate(observations):
        x = F @ x
        P = F @ P @ F.T + Q
        innovation = z - H @ x
        S = H @ P @ H.T + R
        K = P @ H.T @ np.linalg.inv(S)
        x = x + K @ innovation
        P = (np.eye(2) - K @ H) @ P
        means[t] = x
        log_likelihood -= 0.5 * (innovation @ np.linalg.solve(S, innovation) + np.log(np.linalg.det(S)))
    return log_likelihood, means, P


@kernel(array(4), array(5), 0.4, jax=False)
def smith_waterman(a, b, gap):
    """Local alignment of two real sequences with a smooth match score."""
    H = np.zeros((len(a) + 1, len(b) + 1))
    best = 0.0
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            match = H[i - 1, j - 1] + 1.0 - (a[i - 1] - b[j - 1]) ** 2
            H[i, j] = max(0.0, match, H[i - 1, j] - gap, H[i, j - 1] - gap)
            if H[i, j] > best:
                best = H[i, j]
    return best, H


@kernel(array(3), array(4))
def dynamic_time_warping(x, y):
    n, m = len(x), len(y)
    D = np.full((n + 1, m + 1), 1e3)
    D[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = (x[i - 1] - y[j - 1]) ** 2
            D[i, j] = cost + min(D[i - 1, j], D[i, j - 1], D[i - 1, j - 1])
    return D[n, m]


@kernel(complex_array(8))
def stockham_fft(x):
    """Radix-2 Stockham autosort FFT."""
    N = x.shape[0]
    a = x.copy()
    b = np.empty_like(x)
    n, s = N, 1
    while n > 1:
        m = n // 2
        theta = 2.0 * np.pi / n
        for p in range(m):
            w = np.cos(p * theta) - 1j * np.sin(p * theta)
            for q in range(s):
                u = a[q + s * p]
                v = a[q + s * (p + m)]
                b[q + s * 2 * p] = u + v
                b[q + s * (2 * p + 1)] = (u - v) * w
        a, b = b, a
        n, s = m, 2 * s
    return a


@kernel(complex_array(2, 3, 3), array(3, 2), 0.7)
def contour_integral(Ham, Y, radius):
    """Moments of the resolvent on a circle (complex arithmetic)."""
    NR = Ham.shape[1]
    P0 = np.zeros((NR, Y.shape[1]), dtype=np.complex128)
    P1 = np.zeros((NR, Y.shape[1]), dtype=np.complex128)
    for k in range(4):
        z = 5.0 + radius * np.exp(2j * np.pi * (k + 0.5) / 4)
        Tz = np.zeros((NR, NR), dtype=np.complex128)
        for n in range(Ham.shape[0]):
            zz = np.power(z, 1.0 - n)
            Tz += zz * Ham[n]
        X = np.linalg.solve(Tz + 3.0 * np.eye(NR), Y.astype(np.complex128))
        P0 += X
        P1 += z * X
    return P0, P1


@kernel(array(6), array(2, low=0.2, high=0.4))
def iir_filter(x, a):
    y = np.zeros_like(x)
    y[0] = x[0]
    y[1] = a[0] * y[0] + x[1]
    for i in range(2, len(x)):
        y[i] = a[0] * y[i - 1] + a[1] * np.tanh(y[i - 2]) + x[i]
    return y


@kernel(array(3), array(3, 3), array(3, 2), lambda rng: np.array([0, 1, 1, 0]))
def hidden_markov_forward(start, transition, emission, observed):
    p = np.exp(start) / np.sum(np.exp(start))
    T = np.exp(transition) / np.sum(np.exp(transition), axis=1, keepdims=True)
    E = np.exp(emission) / np.sum(np.exp(emission), axis=1, keepdims=True)
    alpha = np.zeros((len(observed), 3))
    alpha[0] = p * E[:, observed[0]]
    scale = 0.0
    for t in range(1, len(observed)):
        alpha[t] = (alpha[t - 1] @ T) * E[:, observed[t]]
        total = alpha[t].sum()
        alpha[t] /= total
        scale += np.log(total)
    return scale, alpha

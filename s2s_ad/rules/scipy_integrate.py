"""Definitions in plain NumPy of scipy.integrate's sums over samples and its initial value problems.

Enters: samples or right-hand sides.  Leaves: the same numbers as SciPy's. The steps of a solver are constants, so what
is differentiated is the Runge-Kutta scheme on the steps that were taken (the discrete adjoint).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.integrate

from s2s_ad.ir.markers import stop_gradient
from s2s_ad.rules.lookup import refuse
from s2s_ad.rules.matrix_samples import call, positive, real
from s2s_ad.rules.registry import composite, static

# Samples of a function ------------------------------------------------------------------------------------------------


def _curves():
    grid = np.cumsum(positive(5))
    return [
        call(real(5)),
        call(real(5), grid),
        call(real(3, 6), dx=0.5),
        call(real(5, 3), grid, axis=0),
        call(real(2, 4, 3), dx=0.3, axis=1),
        call(real(2)),
    ]


@static
def line_shape(axis, ndim):
    """The shape, to be reshaped to, of a line along `axis` of an array of `ndim` axes."""
    return tuple(-1 if k == axis % ndim else 1 for k in range(ndim))


def _cut(y, axis, start, stop):
    return np.moveaxis(np.moveaxis(y, axis, 0)[start:stop], 0, axis)


@composite(scipy.integrate.trapezoid, samples=_curves)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    return np.sum(_strips(y, x, dx, axis), axis=axis)


def _strips(y, x, dx, axis):
    n = y.shape[axis]
    means = 0.5 * (_cut(y, axis, 1, n) + _cut(y, axis, 0, n - 1))
    if x is None:
        return means * dx
    if np.ndim(x) == 1:
        return means * (x[1:] - x[:-1]).reshape(line_shape(axis, y.ndim))
    return means * (_cut(x, axis, 1, n) - _cut(x, axis, 0, n - 1))


@composite(
    scipy.integrate.cumulative_trapezoid,
    samples=lambda: [*_curves(), call(real(5), initial=0), call(real(3, 4), axis=0, initial=0)],
)
def cumulative_trapezoid(y, x=None, dx=1.0, axis=-1, initial=None):
    sums = np.cumsum(_strips(y, x, dx, axis), axis=axis)
    if initial is None:
        return sums
    return np.concatenate([np.zeros_like(_cut(sums, axis, 0, 1)) + initial, sums], axis=axis)


@composite(
    scipy.integrate.simpson, samples=lambda: [*_curves(), call(real(7)), call(real(2, 6), np.cumsum(positive(6)))]
)
def simpson(y, x=None, *, dx=1.0, axis=-1):
    """An even number of points: the last interval by Cartwright's correction, as in SciPy."""
    rows = np.moveaxis(y, axis, -1)
    n = rows.shape[-1]
    if x is None:
        widths = np.full(n - 1, 1.0) * dx
    elif np.ndim(x) == 1:
        widths = x[1:] - x[:-1]
    else:
        points = np.moveaxis(x, axis, -1)
        widths = points[..., 1:] - points[..., :-1]
    if n == 2:
        return 0.5 * widths[..., 0] * (rows[..., 0] + rows[..., 1])
    even = n - 1 + n % 2
    h0, h1 = widths[..., 0 : even - 1 : 2], widths[..., 1 : even - 1 : 2]
    left, middle, right = rows[..., 0 : even - 2 : 2], rows[..., 1 : even - 1 : 2], rows[..., 2:even:2]
    both = h0 + h1
    parts = left * (2 - h1 / h0) + middle * both * both / (h0 * h1) + right * (2 - h0 / h1)
    total = np.sum(both / 6 * parts, axis=-1)
    if n % 2 == 1:
        return total
    a, b = widths[..., -2], widths[..., -1]
    alpha = (2 * b * b + 3 * a * b) / (6 * (b + a))
    beta = (b * b + 3 * a * b) / (6 * a)
    eta = b * b * b / (6 * a * (a + b))
    return total + alpha * rows[..., -1] + beta * rows[..., -2] - eta * rows[..., -3]


# Initial value problems -----------------------------------------------------------------------------------------------

# Dormand & Prince, "A family of embedded Runge-Kutta formulae" (1980); the last row gives the fifth-order solution.
NODES = np.array([0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1])
STAGES = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [1 / 5, 0, 0, 0, 0, 0],
        [3 / 40, 9 / 40, 0, 0, 0, 0],
        [44 / 45, -56 / 15, 32 / 9, 0, 0, 0],
        [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0, 0],
        [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0],
        [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
    ]
)
ERRORS = np.array([-71 / 57600, 0, 71 / 16695, -71 / 1920, 17253 / 339200, -22 / 525, 1 / 40])
# Shampine, "Some practical Runge-Kutta formulas" (1986): the interpolant between two steps.
DENSE = np.array(
    [
        [1, -8048581381 / 2820520608, 8663915743 / 2820520608, -12715105075 / 11282082432],
        [0, 0, 0, 0],
        [0, 131558114200 / 32700410799, -68118460800 / 10900136933, 87487479700 / 32700410799],
        [0, -1754552775 / 470086768, 14199869525 / 1410260304, -10690763975 / 1880347072],
        [0, 127303824393 / 49829197408, -318862633887 / 49829197408, 701980252875 / 199316789632],
        [0, -282668133 / 205662961, 2019193451 / 616988883, -1453857185 / 822651844],
        [0, 40617522 / 29380423, -110615467 / 29380423, 69997945 / 29380423],
    ]
)


class Solution(NamedTuple):
    """What solve_ivp returns, as far as it is known here."""

    t: Any
    y: Any
    success: bool = True
    status: int = 0


def mean_square(x):
    return np.sqrt(np.mean(x * x))


def first_step(fun, t, y, f, span, rtol, atol, longest):
    """Hairer, Norsett & Wanner, "Solving ordinary differential equations I", II.4."""
    scale = atol + np.abs(y) * rtol
    d0, d1 = mean_square(y / scale), mean_square(f / scale)
    h0 = 1e-6 if d0 < 1e-5 or d1 < 1e-5 else 0.01 * d0 / d1
    h0 = min(h0, abs(span))
    direction = 1.0 if span >= 0 else -1.0
    d2 = mean_square((fun(t + h0 * direction, y + h0 * direction * f) - f) / scale) / h0
    h1 = max(1e-6, h0 * 1e-3) if d1 <= 1e-15 and d2 <= 1e-15 else (0.01 / max(d1, d2)) ** 0.2
    return min(100 * h0, h1, abs(span), longest)


def slopes(fun, t, y, f, h):
    """The seven stages of a step; the last is at its end."""
    k = f[None]
    for s in range(1, 7):
        stage = fun(t + NODES[s] * h, y + h * (STAGES[s, :s] @ k))
        k = np.concatenate([k, stage[None]])
    return k


def growth(error, rejected):
    """How the step changes; a refused step may not grow at once."""
    if error == 0:
        return 1.0 if rejected else 10.0
    factor = 0.9 * error**-0.2
    if error < 1:
        return min(1.0 if rejected else 10.0, factor)
    return max(0.2, factor)


_TIMES = np.array([0.0, 0.7, 1.1, 1.5])


@composite(
    scipy.integrate.solve_ivp,
    samples=lambda: [
        # Where the steps lie depends on the values, so derivatives at the steps themselves are not those of a limit.
        call(_oscillator, (0.0, 2.0), np.array([1.0, 0.3]), smooth=False),
        call(_decay, (0.0, 1.5), np.array([1.0, 0.3]), args=(0.7,), smooth=False),
        call(_oscillator, (0.0, 2.0), np.array([1.0, 0.3]), t_eval=_TIMES, rtol=1e-10, atol=1e-10, wrt=(2,)),
        call(
            _decay, (1.5, 0.2), np.array([1.0]), "RK45", _TIMES[3:0:-1], args=(0.7,), rtol=1e-10, atol=1e-10, wrt=(2,)
        ),
    ],
)
def solve_ivp(
    fun,
    t_span,
    y0,
    method="RK45",
    t_eval=None,
    dense_output=False,
    events=None,
    vectorized=False,
    args=None,
    rtol=1e-3,
    atol=1e-6,
    max_step=np.inf,
):
    """SciPy's RK45, step by step."""
    if method != "RK45" or dense_output or events is not None:
        refuse("scipy.integrate.solve_ivp with another method, dense_output or events", "Use RK45 and t_eval.")

    def rhs(t, y):
        return np.asarray(fun(t, y) if args is None else fun(t, y, *args)) + 0.0

    t, end = t_span
    y = np.asarray(y0) + 0.0
    direction = 1.0 if end >= t else -1.0
    f = rhs(t, y)
    h_abs = stop_gradient(first_step(rhs, t, y, f, end - t, rtol, atol, max_step))
    times, states = [], []
    asked = 0
    if t_eval is None:
        times.append(t)
        states.append(y)
    else:
        while asked < len(t_eval) and direction * (t_eval[asked] - t) <= 0:
            times.append(t_eval[asked])
            states.append(y)
            asked += 1
    rejected = False
    while direction * (end - t) > 0:
        h_abs = min(h_abs, max_step)
        if h_abs < 10 * abs(np.spacing(float(t))):
            raise ArithmeticError("the step size of solve_ivp became smaller than the spacing of numbers")
        last = direction * (t + direction * h_abs - end) >= 0
        h = end - t if last else direction * h_abs
        k = slopes(rhs, t, y, f, h)
        y_next = y + h * (STAGES[6] @ k[:6])
        scale = atol + np.maximum(np.abs(y), np.abs(y_next)) * rtol
        error = stop_gradient(mean_square(h * (ERRORS @ k) / scale))
        h_abs = abs(stop_gradient(h)) * growth(error, rejected)
        rejected = error >= 1
        if not rejected:
            t_next = end if last else t + h
            if t_eval is None:
                times.append(t_next)
                states.append(y_next)
            else:
                while asked < len(t_eval) and direction * (t_eval[asked] - t_next) <= 0:
                    x = (t_eval[asked] - t) / h
                    times.append(t_eval[asked])
                    states.append(y + h * (np.array([x, x * x, x**3, x**4]) @ (DENSE.T @ k)))
                    asked += 1
            t, y, f = t_next, y_next, k[6]
    return Solution(np.array(times), np.stack(states, axis=1))


def _oscillator(t, y):
    return np.array([y[1], -y[0] - 0.1 * y[1] ** 3 + np.sin(t)])


def _decay(t, y, rate):
    return -rate * y * (1 + 0.1 * t)


def _turned(y, t):
    return np.array([y[1], -y[0]])


@composite(
    scipy.integrate.odeint,
    samples=lambda: [
        call(_turned, np.array([1.0, 0.3]), np.linspace(0, 2, 5)),
        call(_oscillator, np.array([1.0, 0.3]), np.linspace(0, 2, 4), tfirst=True),
        call(_decay, np.array([1.0, 0.3]), np.array([0.0, 0.4, 1.5]), (0.7,), tfirst=True),
        call(_decay, 1.5, np.array([0.0, 0.4]), (0.7,), tfirst=True, rtol=1e-10, atol=1e-10, wrt=(1, 2, 3)),
    ],
)
def odeint(func, y0, t, args=(), Dfun=None, full_output=0, rtol=None, atol=None, tfirst=False):
    """By Dormand and Prince's steps, not LSODA's: equal within the tolerances, and slow where the problem is stiff."""
    if Dfun is not None or full_output:
        refuse("scipy.integrate.odeint with Dfun or full_output", "Leave them out.")
    relative = 1.49012e-8 if rtol is None else rtol
    absolute = 1.49012e-8 if atol is None else atol

    def rhs(s, y):
        return np.asarray(func(s, y, *args) if tfirst else func(y, s, *args)) + 0.0

    y = np.atleast_1d(y0) + 0.0
    f = rhs(t[0], y)
    h_abs = stop_gradient(first_step(rhs, t[0], y, f, t[-1] - t[0], relative, absolute, np.inf))
    direction = 1.0 if t[-1] >= t[0] else -1.0
    states = [y]
    for i in range(1, len(t)):
        s = t[i - 1]
        while direction * (t[i] - s) > 0:
            last = direction * (s + direction * h_abs - t[i]) >= 0
            h = t[i] - s if last else direction * h_abs
            k = slopes(rhs, s, y, f, h)
            y_next = y + h * (STAGES[6] @ k[:6])
            scale = absolute + np.maximum(np.abs(y), np.abs(y_next)) * relative
            error = stop_gradient(mean_square(h * (ERRORS @ k) / scale))
            if error < 1:
                s = t[i] if last else s + h
                y, f = y_next, k[6]
                h_abs = max(h_abs, abs(stop_gradient(h)) * growth(error, False))
            else:
                h_abs = abs(stop_gradient(h)) * growth(error, True)
        states.append(y)
    return np.stack(states)

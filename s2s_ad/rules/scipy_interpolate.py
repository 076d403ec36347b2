"""Definition in plain NumPy of scipy.interpolate.CubicSpline.

Enters: knots and values.  Leaves: a function of the abscissa, differentiable in it, in the knots and in the values.
"""

from __future__ import annotations

import numpy as np
import scipy.interpolate

from s2s_ad.rules.lookup import refuse
from s2s_ad.rules.matrix_samples import call, positive, real
from s2s_ad.rules.registry import composite


def knot_slopes(h, secants, bc_type):
    """The derivatives at the knots, which make the second derivative continuous; `secants` has one row an interval."""
    n = len(h) + 1
    matrix = np.zeros((n, n))
    right = np.zeros((n, secants.shape[1]))
    for i in range(1, n - 1):
        matrix[i, i - 1] = h[i]
        matrix[i, i] = 2 * (h[i - 1] + h[i])
        matrix[i, i + 1] = h[i - 1]
        right[i] = 3 * (h[i] * secants[i - 1] + h[i - 1] * secants[i])
    if bc_type == "clamped":
        matrix[0, 0] = 1.0
        matrix[n - 1, n - 1] = 1.0
    elif bc_type == "natural":
        matrix[0, 0], matrix[0, 1] = 2.0, 1.0
        matrix[n - 1, n - 1], matrix[n - 1, n - 2] = 2.0, 1.0
        right[0] = 3 * secants[0]
        right[n - 1] = 3 * secants[n - 2]
    elif n == 2:
        return np.stack([secants[0], secants[0]])
    elif n == 3:
        matrix[0, 0], matrix[0, 1] = 1.0, 1.0
        matrix[2, 1], matrix[2, 2] = 1.0, 1.0
        right[0] = 2 * secants[0]
        right[2] = 2 * secants[1]
    else:
        d = h[0] + h[1]
        matrix[0, 0], matrix[0, 1] = h[1], d
        right[0] = ((h[0] + 2 * d) * h[1] * secants[0] + h[0] ** 2 * secants[1]) / d
        e = h[n - 2] + h[n - 3]
        matrix[n - 1, n - 1], matrix[n - 1, n - 2] = h[n - 3], e
        right[n - 1] = (h[n - 2] ** 2 * secants[n - 3] + (2 * e + h[n - 2]) * h[n - 3] * secants[n - 2]) / e
    return np.linalg.solve(matrix, right)


@composite(
    scipy.interpolate.CubicSpline,
    samples=lambda: [
        call(np.cumsum(positive(6)), real(6)),
        call(np.cumsum(positive(5)), real(5, 2), bc_type="natural"),
        call(np.cumsum(positive(4)), real(4), bc_type="clamped"),
        call(np.cumsum(positive(3)), real(3)),
        call(np.cumsum(positive(2)), real(2)),
    ],
)
def CubicSpline(x, y, axis=0, bc_type="not-a-knot", extrapolate=None):
    if bc_type not in ("not-a-knot", "natural", "clamped") or axis != 0 or extrapolate is False:
        refuse("scipy.interpolate.CubicSpline with this bc_type, axis or extrapolate", "Use 'natural' or 'clamped'.")
    x = np.asarray(x)
    y = np.asarray(y)
    rows = y.reshape(y.shape[0], -1)
    h = x[1:] - x[:-1]
    secants = (rows[1:] - rows[:-1]) / h[:, None]
    s = knot_slopes(h, secants, bc_type)

    def evaluate(t, nu=0):
        t = np.asarray(t)
        points = t.reshape(-1)
        i = np.clip(np.searchsorted(x, points, side="right") - 1, 0, len(x) - 2)
        u = (points - x[i])[:, None]
        width = h[i][:, None]
        bend = (s[i] + s[i + 1] - 2 * secants[i]) / width
        square = (secants[i] - s[i]) / width - bend
        cube = bend / width
        if nu == 0:
            values = rows[i] + u * (s[i] + u * (square + u * cube))
        elif nu == 1:
            values = s[i] + u * (2 * square + 3 * u * cube)
        elif nu == 2:
            values = 2 * square + 6 * u * cube
        else:
            values = 6 * cube
        return values.reshape(t.shape + y.shape[1:])

    return evaluate

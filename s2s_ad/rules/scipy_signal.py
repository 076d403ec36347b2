"""Rules for the convolutions and filters of scipy.signal and scipy.ndimage.

Enters: signals, images and kernels, every mode and boundary.  Leaves: correlations with the other operand; the filters
of scipy.ndimage are a padded array and a correlation without borders.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage, signal

from s2s_ad.rules.lookup import is_zero, refuse
from s2s_ad.rules.matrix_samples import call, cplx, positive, real
from s2s_ad.rules.registry import adjoint_of, composite, static


def uncropped(z_bar, shape1, shape2, mode, axes):
    """The cotangent of the full convolution, of which `mode` keeps the middle."""
    if mode == "full":
        return z_bar
    widths = [(0, 0)] * z_bar.ndim
    for axis in axes:
        full = shape1[axis] + shape2[axis] - 1
        start = (shape2[axis] - 1) // 2 if mode == "same" else min(shape1[axis], shape2[axis]) - 1
        widths[axis] = (start, full - start - z_bar.shape[axis])
    return np.pad(z_bar, widths)


def _pairs():
    return [
        call(real(6), real(3)),
        call(real(6), real(4), "same"),
        call(real(6), real(3), mode="valid"),
        call(real(3), real(6), mode="valid"),
        call(real(4, 5), real(2, 3)),
        call(real(4, 5), real(3, 2), "same"),
        call(real(4, 5), real(2, 3), "valid"),
        call(cplx(5), cplx(3)),
        call(real(3), real(5), "same"),
    ]


@adjoint_of(signal.convolve, kind="multilinear", samples=_pairs)
def convolve(in1, in2, z, z_bar, mode="full", method="auto"):
    full_bar = uncropped(z_bar, in1.shape, in2.shape, mode, range(in1.ndim))
    return (
        signal.correlate(full_bar, np.conj(in2), "valid", method),
        signal.correlate(full_bar, np.conj(in1), "valid", method),
    )


@composite(signal.correlate, samples=_pairs)
def correlate(in1, in2, mode="full", method="auto"):
    if mode == "valid" and in2.size > in1.size:
        return np.flip(signal.convolve(np.conj(in2), np.flip(in1), "valid", method))
    return signal.convolve(in1, np.conj(np.flip(in2)), mode, method)


@static
def convolved_axes(axes, ndim):
    if axes is None:
        return tuple(range(ndim))
    return (axes % ndim,) if isinstance(axes, int) else tuple(axis % ndim for axis in axes)


@adjoint_of(
    signal.fftconvolve,
    kind="multilinear",
    samples=lambda: [*_pairs(), call(real(3, 5), real(3, 2), axes=1), call(real(3, 5), real(1, 2), "same", axes=(-1,))],
)
def fftconvolve(in1, in2, z, z_bar, mode="full", axes=None):
    over = convolved_axes(axes, in1.ndim)
    full_bar = uncropped(z_bar, in1.shape, in2.shape, mode, over)
    return (
        signal.fftconvolve(full_bar, np.flip(in2, over), "valid", axes=over),
        signal.fftconvolve(full_bar, np.flip(in1, over), "valid", axes=over),
    )


@composite(signal.oaconvolve, samples=_pairs)
def oaconvolve(in1, in2, mode="full", axes=None):
    return signal.fftconvolve(in1, in2, mode, axes)


def filled(x, widths, value):
    """`x` with a border of one value, which may vary."""
    if is_zero(value):
        return np.pad(x, widths)
    return np.pad(x, widths) + value * np.pad(np.zeros(x.shape), widths, constant_values=1.0)


@composite(
    signal.convolve2d,
    samples=lambda: [
        call(real(4, 5), real(2, 3)),
        call(real(4, 5), real(3, 2), "same"),
        call(real(4, 5), real(3, 3), "same", "wrap"),
        call(real(4, 5), real(2, 3), "full", "symm"),
        call(real(4, 5), real(3, 2), mode="valid"),
        call(real(4, 5), real(3, 2), mode="same", boundary="fill", fillvalue=1.5),
    ],
)
def convolve2d(in1, in2, mode="full", boundary="fill", fillvalue=0):
    if mode == "valid":
        return signal.convolve(in1, in2, "valid")
    rows, columns = in2.shape[0] - 1, in2.shape[1] - 1
    widths = ((rows, rows), (columns, columns))
    if boundary == "fill":
        padded = filled(in1, widths, fillvalue)
    else:
        padded = np.pad(in1, widths, mode="wrap" if boundary == "wrap" else "symmetric")
    full = signal.convolve(padded, in2, "valid")
    if mode == "full":
        return full
    top, left = rows // 2, columns // 2
    return full[top : top + in1.shape[0], left : left + in1.shape[1]]


# scipy.ndimage --------------------------------------------------------------------------------------------------------

PADDING: dict[str, Any] = {
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "nearest": "edge",
    "mirror": "reflect",
    "wrap": "wrap",
    "grid-wrap": "wrap",
    "constant": "constant",
    "grid-constant": "constant",
}


@static
def pad_mode(mode):
    """np.pad's name for it."""
    return PADDING[mode]


def bordered(x, widths, mode, cval):
    """`x` with the borders that scipy.ndimage imagines."""
    if pad_mode(mode) == "constant":
        return filled(x, widths, cval)
    return np.pad(x, widths, mode=pad_mode(mode))


def correlated(x, weights, origins, mode, cval):
    widths = [(n // 2 + o, n - 1 - n // 2 - o) for n, o in zip(weights.shape, origins, strict=True)]
    return signal.convolve(bordered(x, widths, mode, cval), np.flip(weights), "valid")


def convolved(x, weights, origins, mode, cval):
    mirrored = [-o - (1 - n % 2) for n, o in zip(weights.shape, origins, strict=True)]
    return correlated(x, np.flip(weights), mirrored, mode, cval)


@static
def line_shape(axis, ndim):
    """The shape, to be reshaped to, of a line along `axis` of an array of `ndim` axes."""
    return tuple(-1 if k == axis % ndim else 1 for k in range(ndim))


def per_axis(value, ndim):
    return (value,) * ndim if isinstance(value, (int, str)) else tuple(value)


def _images():
    return [
        call(real(6), real(3)),
        call(real(5, 6), real(3, 3)),
        call(real(5, 6), real(2, 4), mode="constant", cval=1.5),
        call(real(5, 6), real(3, 2), mode="nearest"),
        call(real(5, 6), real(3, 3), mode="mirror"),
        call(real(5, 6), real(3, 2), mode="wrap", origin=(1, 0)),
    ]


@composite(ndimage.correlate, samples=_images)
def ndimage_correlate(input, weights, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None):
    if output is not None or axes is not None:
        refuse("scipy.ndimage.correlate with output or axes", "Leave them out, and reshape the weights.")
    return correlated(input, weights, per_axis(origin, input.ndim), mode, cval)


@composite(ndimage.convolve, samples=_images)
def ndimage_convolve(input, weights, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None):
    if output is not None or axes is not None:
        refuse("scipy.ndimage.convolve with output or axes", "Leave them out, and reshape the weights.")
    return convolved(input, weights, per_axis(origin, input.ndim), mode, cval)


def _lines():
    return [
        call(real(6), real(3)),
        call(real(5, 6), real(3), 0),
        call(real(5, 6), real(4), axis=-1, mode="nearest"),
        call(real(5, 6), real(3), axis=1, mode="wrap", origin=1),
    ]


@composite(ndimage.correlate1d, samples=_lines)
def correlate1d(input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0):
    if output is not None:
        refuse("scipy.ndimage.correlate1d with output", "Assign the result instead.")
    line = weights.reshape(line_shape(axis, input.ndim))
    return correlated(input, line, [origin if n > 1 else 0 for n in line.shape], mode, cval)


@composite(ndimage.convolve1d, samples=_lines)
def convolve1d(input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0):
    if output is not None:
        refuse("scipy.ndimage.convolve1d with output", "Assign the result instead.")
    line = weights.reshape(line_shape(axis, input.ndim))
    return convolved(input, line, [origin if n > 1 else 0 for n in line.shape], mode, cval)


def gaussian_weights(sigma, order, radius):
    """A normalised Gaussian, or its first or second derivative, reversed for correlation."""
    x = np.arange(-radius, radius + 1)
    bell = np.exp(-0.5 * (x / sigma) ** 2)
    weights = bell / np.sum(bell)
    if order == 0:
        return weights
    if order == 1:
        return weights * x / sigma**2
    if order == 2:
        return weights * (x * x / sigma**2 - 1) / sigma**2
    raise NotImplementedError("Gaussian derivatives of order 3 and more have no derivative rule")


def smoothed(x, sigma, axis, order, mode, cval, truncate, radius):
    reach = int(truncate * float(sigma) + 0.5) if radius is None else radius
    return correlated(
        x, gaussian_weights(sigma, order, reach).reshape(line_shape(axis, x.ndim)), per_axis(0, x.ndim), mode, cval
    )


@composite(
    ndimage.gaussian_filter1d,
    samples=lambda: [
        call(real(8), 0.8),
        call(real(5, 6), 1.0, 0),
        call(real(5, 6), 0.7, axis=-1, order=1, mode="nearest"),
        call(real(9), 0.7, order=2, truncate=3.0),
    ],
)
def gaussian_filter1d(
    input, sigma, axis=-1, order=0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, radius=None
):
    if output is not None:
        refuse("scipy.ndimage.gaussian_filter1d with output", "Assign the result instead.")
    return smoothed(input, sigma, axis, order, mode, cval, truncate, radius)


@composite(
    ndimage.gaussian_filter,
    samples=lambda: [
        call(real(8), 0.8),
        call(real(5, 6), 1.0),
        call(real(5, 6), (0.7, 1.1), mode="nearest"),
        call(real(5, 6), 0.7, order=(0, 1), mode="wrap"),
        call(real(5, 6), 0.9, mode="constant", cval=0.5, truncate=3.0, wrt=(0,)),
    ],
)
def gaussian_filter(
    input, sigma, order=0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, radius=None, axes=None
):
    if output is not None or axes is not None:
        refuse("scipy.ndimage.gaussian_filter with output or axes", "Leave them out; give a sigma of 0 to an axis.")
    orders, modes = per_axis(order, input.ndim), per_axis(mode, input.ndim)
    result = input
    for axis in convolved_axes(None, input.ndim):
        width = sigma[axis] if isinstance(sigma, (tuple, list)) else sigma
        if width > 1e-15:
            result = smoothed(result, width, axis, orders[axis], modes[axis], cval, truncate, radius)
            result = result.reshape(input.shape)  # the same, known while compiling
    return result


@composite(
    ndimage.uniform_filter,
    samples=lambda: [
        call(real(8)),
        call(real(5, 6), 2),
        call(real(5, 6), (3, 2), mode="nearest"),
        call(positive(5, 6), size=3, mode="constant", cval=1.0),
    ],
)
def uniform_filter(input, size=3, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None):
    if output is not None or axes is not None:
        refuse("scipy.ndimage.uniform_filter with output or axes", "Leave them out; give a size of 1 to an axis.")
    sizes = per_axis(size, input.ndim)
    weights = np.full(sizes, 1.0)
    return correlated(input, weights / weights.size, per_axis(origin, input.ndim), mode, cval)

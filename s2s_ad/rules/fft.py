"""Rules for numpy.fft.

Enters: real and complex arrays, any `n`/`s`, axes and norm.  Leaves: the transposes of the transforms. The matrix of a
discrete Fourier transform is symmetric, so it is its own transpose; padding and cropping are each other's.
"""

from __future__ import annotations

import numpy as np

from s2s_ad.rules.matrix_samples import call, cplx, real
from s2s_ad.rules.registry import adjoint_of, composite, passive, static

passive(np.fft.fftfreq, np.fft.rfftfreq)


@static
def mirrored(norm):
    """The norm under which a transform has the factor that its inverse has under `norm`."""
    return {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}[norm]


@static
def transformed_axes(s, axes, ndim):
    """The axes that an n-dimensional transform runs over, the last one last."""
    if axes is None:
        return tuple(range(ndim)) if s is None else tuple(range(ndim - len(s), ndim))
    return tuple(axis % ndim for axis in axes)


def resized(x, length, axis):
    """`x` cropped or padded with zeros to `length` along `axis`."""
    rows = np.moveaxis(x, axis, 0)[:length]
    missing = np.zeros((max(length - len(rows), 0), *rows.shape[1:]))
    return np.moveaxis(np.concatenate([rows, missing]), 0, axis)


def resized_axes(x, lengths, axes):
    for axis in axes:
        x = resized(x, lengths[axis], axis)
    return x


@static
def line_shape(axis, ndim):
    """The shape, to be reshaped to, of a line along `axis` of an array of `ndim` axes."""
    return tuple(-1 if k == axis % ndim else 1 for k in range(ndim))


def inside_twice(n, axis, ndim):
    """2 for the frequencies of a real signal of length n that stand for two, 1 for the others, along `axis`."""
    twice = np.full(n // 2 + 1, 2.0)
    twice[0] = 1.0
    if n % 2 == 0:
        twice[-1] = 1.0
    return twice.reshape(line_shape(axis, ndim))


def _lines():
    return [
        call(cplx(5)),
        call(real(6)),
        call(cplx(3, 4), axis=0),
        call(cplx(3, 4), 6, 1, "ortho"),
        call(cplx(5), n=3, norm="forward"),
        call(real(2, 5), n=8),
    ]


@adjoint_of(np.fft.fft, kind="linear", samples=_lines)
def fft(a, y, y_bar, n=None, axis=-1, norm=None):
    if n is None:
        return np.fft.fft(y_bar, axis=axis, norm=norm)
    return resized(np.fft.fft(y_bar, axis=axis, norm=norm), a.shape[axis], axis)


@adjoint_of(np.fft.ifft, kind="linear", samples=_lines)
def ifft(a, y, y_bar, n=None, axis=-1, norm=None):
    if n is None:
        return np.fft.ifft(y_bar, axis=axis, norm=norm)
    return resized(np.fft.ifft(y_bar, axis=axis, norm=norm), a.shape[axis], axis)


@adjoint_of(
    np.fft.rfft,
    kind="linear",
    samples=lambda: [
        call(real(5)),
        call(real(6)),
        call(real(3, 4), axis=0),
        call(real(3, 4), 6, 1, "ortho"),
        call(real(5), n=3, norm="forward"),
        call(real(2, 5), n=8),
    ],
)
def rfft(a, y, y_bar, n=None, axis=-1, norm=None):
    """The missing frequencies have no cotangent."""
    if n is None:
        return np.real(np.fft.fft(y_bar, a.shape[axis], axis, norm))
    return np.real(resized(np.fft.fft(y_bar, n, axis, norm), a.shape[axis], axis))


@adjoint_of(
    np.fft.irfft,
    kind="linear",
    samples=lambda: [
        call(cplx(5)),
        call(cplx(5), n=9),
        call(cplx(5), n=7, norm="ortho"),
        call(cplx(3, 4), axis=0),
        call(cplx(3, 4), 9, 1, "forward"),
        call(real(4)),
        call(cplx(3), 8),
    ],
)
def irfft(a, y, y_bar, n=None, axis=-1, norm=None):
    """Frequencies inside count twice, for themselves and for the conjugates that they imply."""
    halves = np.conj(np.fft.rfft(y_bar, axis=axis, norm=mirrored(norm)))
    doubled = halves * inside_twice(y_bar.shape[axis], axis, y_bar.ndim)
    if n is None:
        return doubled
    return resized(doubled, a.shape[axis], axis)


@composite(
    np.fft.hfft,
    samples=lambda: [call(cplx(5)), call(cplx(5), n=9), call(cplx(3, 4), axis=0), call(cplx(3, 4), 7, 1, "ortho")],
)
def hfft(a, n=None, axis=-1, norm=None, out=None):
    return np.fft.irfft(np.conj(a), n, axis, mirrored(norm))


@composite(
    np.fft.ihfft,
    samples=lambda: [call(real(5)), call(real(5), n=8), call(real(3, 4), axis=0), call(real(3, 4), 3, 1, "forward")],
)
def ihfft(a, n=None, axis=-1, norm=None, out=None):
    return np.conj(np.fft.rfft(a, n, axis, mirrored(norm)))


def _boxes():
    return [
        call(cplx(3, 4)),
        call(real(3, 4)),
        call(cplx(2, 3, 4), axes=(0, 2)),
        call(cplx(2, 3, 4), (4, 2), (-1, 0), "ortho"),
        call(cplx(3, 4), s=(5, 2), axes=(0, 1), norm="forward"),
    ]


@adjoint_of(np.fft.fftn, kind="linear", samples=_boxes)
def fftn(a, y, y_bar, s=None, axes=None, norm=None):
    if s is None:
        return np.fft.fftn(y_bar, axes=axes, norm=norm)
    over = transformed_axes(s, axes, a.ndim)
    return resized_axes(np.fft.fftn(y_bar, axes=over, norm=norm), a.shape, over)


@adjoint_of(np.fft.ifftn, kind="linear", samples=_boxes)
def ifftn(a, y, y_bar, s=None, axes=None, norm=None):
    if s is None:
        return np.fft.ifftn(y_bar, axes=axes, norm=norm)
    over = transformed_axes(s, axes, a.ndim)
    return resized_axes(np.fft.ifftn(y_bar, axes=over, norm=norm), a.shape, over)


@adjoint_of(np.fft.fft2, kind="linear", samples=_boxes)
def fft2(a, y, y_bar, s=None, axes=(-2, -1), norm=None):
    if s is None:
        return np.fft.fft2(y_bar, axes=axes, norm=norm)
    return resized_axes(np.fft.fft2(y_bar, axes=axes, norm=norm), a.shape, axes)


@adjoint_of(np.fft.ifft2, kind="linear", samples=_boxes)
def ifft2(a, y, y_bar, s=None, axes=(-2, -1), norm=None):
    if s is None:
        return np.fft.ifft2(y_bar, axes=axes, norm=norm)
    return resized_axes(np.fft.ifft2(y_bar, axes=axes, norm=norm), a.shape, axes)


def _real_boxes():
    return [
        call(real(3, 4)),
        call(real(2, 3, 5)),
        call(real(2, 3, 4), axes=(2, 0)),
        call(real(2, 3, 4), (4, 2), (-1, 0), "ortho"),
        call(real(3, 4), s=(5, 3), axes=(0, 1), norm="forward"),
    ]


def _half_boxes():
    return [
        call(cplx(3, 4)),
        call(cplx(2, 3, 5)),
        call(cplx(2, 3, 4), axes=(2, 0)),
        call(cplx(2, 3, 4), (4, 5), (-1, 0), "ortho"),
        call(cplx(3, 4), s=(5, 7), axes=(0, 1), norm="forward"),
    ]


def real_then_complex(a, s, axes, norm):
    """The real transform runs over the last axis, complex ones over the others."""
    over = transformed_axes(s, axes, a.ndim)
    half = np.fft.rfft(a, None if s is None else s[-1], over[-1], norm)
    if len(over) == 1:
        return half
    return np.fft.fftn(half, None if s is None else s[:-1], over[:-1], norm)


def complex_then_real(a, s, axes, norm):
    over = transformed_axes(s, axes, a.ndim)
    last = None if s is None else s[-1]
    if len(over) == 1:
        return np.fft.irfft(a, last, over[-1], norm)
    return np.fft.irfft(np.fft.ifftn(a, None if s is None else s[:-1], over[:-1], norm), last, over[-1], norm)


@composite(np.fft.rfftn, samples=_real_boxes)
def rfftn(a, s=None, axes=None, norm=None, out=None):
    return real_then_complex(a, s, axes, norm)


@composite(np.fft.rfft2, samples=_real_boxes)
def rfft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    return real_then_complex(a, s, axes, norm)


@composite(np.fft.irfftn, samples=_half_boxes)
def irfftn(a, s=None, axes=None, norm=None, out=None):
    return complex_then_real(a, s, axes, norm)


@composite(np.fft.irfft2, samples=_half_boxes)
def irfft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    return complex_then_real(a, s, axes, norm)


def _shifts():
    return [call(real(5)), call(cplx(3, 4)), call(real(3, 4), axes=1), call(real(2, 3, 4), axes=(0, 2))]


@adjoint_of(np.fft.fftshift, kind="linear", samples=_shifts)
def fftshift(x, y, y_bar, axes=None):
    return np.fft.ifftshift(y_bar, axes=axes)


@adjoint_of(np.fft.ifftshift, kind="linear", samples=_shifts)
def ifftshift(x, y, y_bar, axes=None):
    return np.fft.fftshift(y_bar, axes=axes)

"""Rules of functions that only change the shape: reshape, transpose, broadcast, flip, roll.

Enters: nothing.  Leaves: rules in the registry.
"""

from __future__ import annotations

import numpy as np

from s2s_ad.rules.lookup import is_zero, refuse
from s2s_ad.rules.registry import adjoint_of, composite, same_as, static
from s2s_ad.rules.samples import call, calls

# ---- the same entries in another shape -------------------------------------------------------------------------------


@adjoint_of(
    np.reshape,
    kind="linear",
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(6), (2, 3)),
            call(d.floats(2, 3), -1),
            call(d.floats(2, 3, 4), (4, -1)),
            call(d.floats(2, 3, 2), (3, 4), order="F"),
            call(d.floats(4).reshape(2, 2).T, 4),
            call(d.floats(1, 1), ()),
            call(d.floats(0), (2, 0)),
            call(d.complexes(4), (2, 2)),
        ]
    ),
)
def reshape(x, y, y_bar, shape=None, order="C"):
    if y.ndim == 0:
        return y_bar
    if order == "C":
        return y_bar.reshape(x.shape)
    if order == "F":
        return y_bar.reshape(x.shape, order="F")
    return refuse(f"np.reshape with order={order!r}", "Use order='C' or order='F'.")


@adjoint_of(
    np.ravel,
    kind="linear",
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(2, 3)),
            call(d.floats(2, 3, 2), order="F"),
            call(d.floats(3)),
            call(d.number()),
            call(d.floats(2, 0)),
        ]
    ),
)
def ravel(x, y, y_bar, order="C"):
    if order == "C":
        return y_bar.reshape(x.shape)
    if order == "F":
        return y_bar.reshape(x.shape, order="F")
    return refuse(f"np.ravel with order={order!r}", "Use order='C' or order='F'.")


@static
def inverse_permutation(axes, ndim):
    """The permutation that undoes `axes`."""
    order = [axis % ndim for axis in axes]
    return tuple(order.index(k) for k in range(ndim))


@adjoint_of(
    np.transpose,
    kind="linear",
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(2, 3)),
            call(d.floats(2, 3, 4)),
            call(d.floats(2, 3, 4), (1, 2, 0)),
            call(d.floats(2, 3, 4), axes=(-1, 0, 1)),
            call(d.floats(3)),
            call(d.number()),
        ]
    ),
)
def transpose(x, y, y_bar, axes=None):
    if x.ndim < 2:
        return y_bar
    if axes is None:
        return y_bar.T
    return np.transpose(y_bar, inverse_permutation(axes, x.ndim))


same_as(np.permute_dims, np.transpose)


@adjoint_of(
    np.matrix_transpose,
    kind="linear",
    view=True,
    samples=calls(lambda d: [call(d.floats(*s)) for s in ((2, 3), (2, 3, 4), (1, 3), (2, 1, 2, 3))]),
)
def matrix_transpose(x, y, y_bar):
    return y_bar.T if x.ndim == 2 else np.swapaxes(y_bar, -1, -2)


@adjoint_of(
    np.swapaxes,
    kind="linear",
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(2, 3, 4), 0, 2),
            call(d.floats(2, 3), -1, 0),
            call(d.floats(2, 3), axis1=1, axis2=1),
            call(d.floats(1, 3, 2), 1, -1),
        ]
    ),
)
def swapaxes(x, y, y_bar, axis1=0, axis2=0):
    return np.swapaxes(y_bar, axis1, axis2)


@adjoint_of(
    np.moveaxis,
    kind="linear",
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(2, 3, 4), 0, -1),
            call(d.floats(2, 3, 4), (0, 1), (-1, 0)),
            call(d.floats(2, 3), source=1, destination=0),
            call(d.floats(2, 1, 3, 2), [-1, 0], [0, 1]),
        ]
    ),
)
def moveaxis(x, y, y_bar, source=0, destination=0):
    return np.moveaxis(y_bar, destination, source)


@composite(
    np.rollaxis,
    samples=calls(
        lambda d: [
            call(d.floats(2, 3, 4), 2),
            call(d.floats(2, 3, 4), 0, 3),
            call(d.floats(2, 3, 4), 1, start=2),
            call(d.floats(2, 3, 4), -1, 1),
        ]
    ),
)
def rollaxis(a, axis, start=0):
    source = axis % a.ndim
    target = start + a.ndim if start < 0 else start
    return np.moveaxis(a, source, target - 1 if source < target else target)


@adjoint_of(
    np.squeeze,
    kind="linear",
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(1, 3, 1)),
            call(d.floats(1, 3, 1), axis=0),
            call(d.floats(1, 3, 1), axis=(0, -1)),
            call(d.floats(1, 1)),
            call(d.floats(2, 3)),
        ]
    ),
)
def squeeze(x, y, y_bar, axis=None):
    if y.ndim == 0:
        return y_bar
    return y_bar.reshape(x.shape) if axis is None else np.expand_dims(y_bar, axis)


@adjoint_of(
    np.expand_dims,
    kind="linear",
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(3), 0),
            call(d.floats(2, 3), axis=-1),
            call(d.floats(2, 3), (0, 2)),
            call(d.number(), 0),
        ]
    ),
)
def expand_dims(x, y, y_bar, axis=0):
    return np.squeeze(y_bar, axis=axis)


def ranks():
    """Samples of the functions that raise the rank."""
    return calls(lambda d: [call(d.number()), call(d.floats(3)), call(d.floats(2, 3)), call(d.floats(2, 1, 3, 2))])()


def as_before(z_bar, x):
    """The cotangent of a result that has x's entries, in x's shape."""
    return 0.0 if is_zero(z_bar) else np.reshape(z_bar, x.shape)


def at_least(*xs, y, y_bar):
    if len(xs) == 1:
        return (as_before(y_bar, xs[0]),)
    return tuple([as_before(part, x) for part, x in zip(y_bar, xs, strict=True)])


def at_least_tangent(function):
    """Each raises the rank of the tangents as it does that of the operands."""

    def tangent(*given):
        count = (len(given) - 1) // 2
        dots = [np.broadcast_to(d, x.shape) for x, d in zip(given[:count], given[count + 1 :], strict=True)]
        return function(*dots)

    return tangent


for _function in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    adjoint_of(
        _function,
        view=True,
        tangent=at_least_tangent(_function),
        samples=lambda: (*ranks(), *calls(lambda d: [call(d.number(), d.floats(2))])()),
    )(at_least)


# ---- broadcasting ----------------------------------------------------------------------------------------------------


@adjoint_of(
    np.broadcast_to,
    kind="linear",
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(3), (2, 3)),
            call(d.floats(2, 1), (4, 2, 3)),
            call(d.number(), (3,)),
            call(d.floats(2, 3), (2, 3)),
            call(d.floats(1), 4),
        ]
    ),
)
def broadcast_to(x, y, y_bar, shape=None):
    return y_bar


def broadcast_arrays_tangent(*given):
    count = (len(given) - 1) // 2
    y = given[count]
    return tuple([np.broadcast_to(d, part.shape) for part, d in zip(y, given[count + 1 :], strict=True)])


@adjoint_of(
    np.broadcast_arrays,
    view=True,
    tangent=broadcast_arrays_tangent,
    samples=calls(
        lambda d: [
            call(d.floats(3), d.floats(2, 1)),
            call(d.floats(2, 3), d.number()),
            call(d.floats(1, 3), d.floats(2, 1), d.floats(1)),
            call(d.floats(2)),
        ]
    ),
)
def broadcast_arrays(*xs, y, y_bar):
    return tuple(y_bar)


# ---- order of the entries --------------------------------------------------------------------------------------------


@adjoint_of(
    np.flip,
    kind="linear",
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(3)),
            call(d.floats(2, 3), 1),
            call(d.floats(2, 3, 2), axis=(0, -1)),
            call(d.floats(2, 3)),
        ]
    ),
)
def flip(x, y, y_bar, axis=None):
    return np.flip(y_bar, axis)


matrices = calls(lambda d: [call(d.floats(*s)) for s in ((2, 3), (2, 3, 4), (1, 3), (3, 1))])


@adjoint_of(np.fliplr, kind="linear", view=True, samples=matrices)
def fliplr(x, y, y_bar):
    return np.fliplr(y_bar)


@adjoint_of(np.flipud, kind="linear", view=True, samples=matrices)
def flipud(x, y, y_bar):
    return np.flipud(y_bar)


@adjoint_of(
    np.rot90,
    kind="linear",
    view=True,
    samples=calls(
        lambda d: [
            call(d.floats(2, 3)),
            call(d.floats(2, 3), 2),
            call(d.floats(2, 3, 4), k=3, axes=(1, 2)),
            call(d.floats(2, 3), -1),
        ]
    ),
)
def rot90(x, y, y_bar, k=1, axes=(0, 1)):
    return np.rot90(y_bar, -k, axes)


@adjoint_of(
    np.roll,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(5), 2),
            call(d.floats(2, 3), 1),
            call(d.floats(2, 3), -1, axis=1),
            call(d.floats(2, 3), (1, 2), axis=(0, 1)),
        ]
    ),
)
def roll(x, y, y_bar, shift=0, axis=None):
    if isinstance(shift, tuple | list):
        return np.roll(y_bar, [-s for s in shift], axis)
    return np.roll(y_bar, -shift, axis)

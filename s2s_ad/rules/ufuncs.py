"""Methods of ufuncs: `outer` for every one of two operands, `reduce` and `accumulate` for those with a function of it.

Enters: the rules of the elementwise functions.  Leaves: definitions in the registry.
"""

from __future__ import annotations

import numpy as np

from s2s_ad.rules import elementwise, kinks
from s2s_ad.rules.axes import sides
from s2s_ad.rules.indexing import put_back_along
from s2s_ad.rules.registry import adjoint_of, all_composites, all_rules, composite, function_from_text
from s2s_ad.rules.samples import call, calls

assert elementwise and kinks  # their rules are what the loop below goes through

# ---- outer -----------------------------------------------------------------------------------------------------------

_OUTER = """\
def outer(A, B):
    return np.{name}(np.reshape(A, np.shape(A) + (1,) * np.ndim(B)), B)
"""

_outer_samples = calls(
    lambda d: [
        call(d.floats(2, low=0.3), d.floats(3, low=0.7)),
        call(d.floats(2, 2, low=0.3), d.floats(3, low=0.7)),
        call(d.number(), d.floats(3, low=0.7)),
        call(d.floats(2, low=0.3), d.floats(1, 2, low=0.7)),
    ]
)
_ldexp_samples = calls(
    lambda d: [call(d.floats(*a), np.array(n)) for a, n in (((2,), [1, 2]), ((2, 2), [0]), ((), [1]), ((3,), 2))]
)


def _register_outer(ufunc: np.ufunc) -> None:
    name = ufunc.__name__
    text = _OUTER.format(name=name)
    definition = function_from_text(text, "outer", f"<s2s_ad rule numpy.{name}.outer>", globals())
    composite(ufunc.outer, samples=_ldexp_samples if ufunc is np.ldexp else _outer_samples)(definition)


for _ufunc in [*all_rules(), *all_composites()]:
    if isinstance(_ufunc, np.ufunc) and _ufunc.nin == 2 and _ufunc.signature is None:
        if getattr(np, _ufunc.__name__, None) is _ufunc:
            _register_outer(_ufunc)  # type: ignore[arg-type]
_register_outer(np.floor_divide)

# ---- reduce ----------------------------------------------------------------------------------------------------------

reductions = calls(
    lambda d: [
        call(d.floats(4)),
        call(d.floats(2, 3)),
        call(d.floats(2, 3), axis=1),
        call(d.floats(2, 3), axis=None),
        call(d.floats(2, 3, 2), (0, 2), keepdims=True),
        call(d.floats(2, 3), 0, initial=0.5, wrt=(0,)),
    ]
)


@composite(np.add.reduce, samples=reductions)
def add_reduce(array, /, axis=0, dtype=None, out=None, keepdims=False, initial=0, where=True):
    return initial + np.sum(array, axis=axis, keepdims=keepdims, where=where)


@composite(np.multiply.reduce, samples=reductions)
def multiply_reduce(array, /, axis=0, dtype=None, out=None, keepdims=False, initial=1, where=True):
    return initial * np.prod(array, axis=axis, keepdims=keepdims, where=where)


@composite(np.maximum.reduce, samples=reductions)
def maximum_reduce(array, /, axis=0, dtype=None, out=None, keepdims=False, initial=None, where=True):
    if initial is None:
        return np.max(array, axis=axis, keepdims=keepdims)
    return np.max(array, axis=axis, keepdims=keepdims, initial=initial, where=where)


@composite(np.minimum.reduce, samples=reductions)
def minimum_reduce(array, /, axis=0, dtype=None, out=None, keepdims=False, initial=None, where=True):
    if initial is None:
        return np.min(array, axis=axis, keepdims=keepdims)
    return np.min(array, axis=axis, keepdims=keepdims, initial=initial, where=where)


plain_reductions = calls(
    lambda d: [
        call(d.floats(4)),
        call(d.floats(2, 3)),
        call(d.floats(2, 3), axis=1),
        call(d.floats(2, 3, 2), 1, keepdims=True),
    ]
)


@composite(np.logaddexp.reduce, samples=plain_reductions)
def logaddexp_reduce(array, /, axis=0, dtype=None, out=None, keepdims=False):
    # The largest is a shift that cancels: nothing overflows.
    top = np.max(array, axis=axis, keepdims=True)
    shift = np.where(np.isfinite(top), top, 0)
    total = np.log(np.sum(np.exp(array - shift), axis=axis, keepdims=True)) + shift
    return total if keepdims else np.squeeze(total, axis=axis)


@composite(np.hypot.reduce, samples=plain_reductions)
def hypot_reduce(array, /, axis=0, dtype=None, out=None, keepdims=False):
    return np.linalg.norm(array, axis=axis, keepdims=keepdims)


# ---- accumulate ------------------------------------------------------------------------------------------------------

accumulations = calls(
    lambda d: [call(d.floats(4)), call(d.floats(2, 3)), call(d.floats(2, 3), 1), call(d.floats(2, 3, 2), axis=-2)]
)


@composite(np.add.accumulate, samples=accumulations)
def add_accumulate(array, /, axis=0, dtype=None, out=None):
    return np.cumsum(array, axis=axis)


@composite(np.multiply.accumulate, samples=accumulations)
def multiply_accumulate(array, /, axis=0, dtype=None, out=None):
    return np.cumprod(array, axis=axis)


def best_so_far(array, running, axis):
    """Where the running extreme was first attained."""
    place = np.reshape(np.arange(array.shape[axis]), sides(axis, array.ndim))
    before = np.roll(running, 1, axis=axis)
    return np.maximum.accumulate(np.where((running != before) | (place == 0), place, 0), axis=axis)


def running_extreme_tangent(x, y, x_dot, axis=0, dtype=None):
    return np.take_along_axis(x_dot, best_so_far(x, y, axis), axis=axis)


def running_extreme(x, y, y_bar, axis=0, dtype=None):
    return put_back_along(y_bar, x.shape, best_so_far(x, y, axis), axis)


for _ufunc in (np.maximum, np.minimum):
    adjoint_of(_ufunc.accumulate, tangent=running_extreme_tangent, samples=accumulations)(running_extreme)


# ---- reduceat --------------------------------------------------------------------------------------------------------


def segment_of(x, indices, axis):
    """For each entry along `axis` the matrix row that says which results of `add.reduceat` it counts in."""
    n = x.shape[axis]
    starts = np.asarray(indices)[:, np.newaxis] % n
    stops = np.concatenate([starts[1:], np.full((1, 1), n)])
    stops = np.where(stops > starts, stops, starts + 1)
    place = np.arange(n)
    return ((place >= starts) & (place < stops)) * 1.0


@composite(
    np.add.reduceat,
    samples=calls(
        lambda d: [
            call(d.floats(5), [0, 2, 4]),
            call(d.floats(5), np.array([1, 3])),
            call(d.floats(2, 5), [3, 1, 2], axis=1),
            call(d.floats(4, 2), [0, 2], 0),
        ]
    ),
)
def add_reduceat(array, /, indices, axis=0, dtype=None, out=None):
    return np.moveaxis(np.moveaxis(array, axis, -1) @ segment_of(array, indices, axis).T, -1, axis)

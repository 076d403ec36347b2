"""A gradient has its argument's type to the letter: a Python float's is a float, a 0-d array's a 0-d array.

Enters: the specs of the differentiated parameters.  Leaves: a function on gradients, or None if nothing is to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from s2s_ad.ir.spec import Fields, Items, Leaf, Mapping, Spec, Static
from s2s_ad.ir.types import Array, Scalar

Settle = Callable[[Any], Any]


def settler(specs: Sequence[Spec], backend: str) -> Settle | None:
    """What turns the program's tuple of gradients into one that has the arguments' own types."""
    if backend == "jax":  # JAX knows arrays only, and these may be tracers
        return None
    each = [_settle(spec) for spec in specs]
    if not any(each):
        return None
    return lambda gradients: tuple(
        gradient if settle is None else settle(gradient) for settle, gradient in zip(each, gradients, strict=True)
    )


def _settle(spec: Spec) -> Settle | None:
    match spec:
        case Leaf(Scalar(dtype, weak)):
            return _number(dtype, weak)
        case Leaf(Array(dtype, ())):
            return lambda gradient: gradient if type(gradient) is np.ndarray else np.asarray(gradient, dtype)
        case Items(kind, items):
            return _sequence(kind, items)
        case Mapping(keys, items):
            return _dict(keys, items)
        case Fields(cls, names, items):
            return _fields(cls, names, items)
        case Static() | Leaf():
            return None


def _number(dtype: np.dtype, weak: bool) -> Settle | None:
    if dtype.kind not in "fc":
        return None
    kind: Any = (float if dtype.kind == "f" else complex) if weak else dtype.type
    return lambda gradient: gradient if type(gradient) is kind else kind(gradient)


def _sequence(kind: str, items: Sequence[Spec]) -> Settle | None:
    each = [_settle(item) for item in items]
    if not any(each):
        return None
    make: Any = list if kind == "list" else tuple
    return lambda gradient: make(
        part if settle is None else settle(part) for settle, part in zip(each, gradient, strict=True)
    )


def _dict(keys: Sequence[Any], items: Sequence[Spec]) -> Settle | None:
    each = {key: settle for key, item in zip(keys, items, strict=True) if (settle := _settle(item)) is not None}
    if not each:
        return None
    return lambda gradient: {key: each[key](part) if key in each else part for key, part in gradient.items()}


def _fields(cls: type, names: Sequence[str], items: Sequence[Spec]) -> Settle | None:
    each = {name: settle for name, item in zip(names, items, strict=True) if (settle := _settle(item)) is not None}
    if not each:
        return None
    if issubclass(cls, tuple):
        return lambda gradient: gradient._replace(**{name: f(getattr(gradient, name)) for name, f in each.items()})

    def settled(gradient: Any) -> Any:
        for name, settle in each.items():  # the program made this object for this call; it may be frozen
            object.__setattr__(gradient, name, settle(getattr(gradient, name)))
        return gradient

    return settled

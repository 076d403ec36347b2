"""What emitted code falls back to where a shape is known only at run time.

Enters: cotangents and shapes.  Leaves: plain NumPy functions, whose text is printed in the modules that call them.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def unbroadcast(z_bar: Any, shape: tuple[int, ...]) -> Any:
    """`z_bar`, summed over the axes that broadcasting from `shape` added."""
    if np.shape(z_bar) == shape:
        return z_bar
    whole = np.broadcast_shapes(np.shape(z_bar), shape)
    extra = len(whole) - len(shape)
    axes = tuple(range(extra)) + tuple(extra + k for k, n in enumerate(shape) if n == 1 and whole[extra + k] != 1)
    return np.sum(np.broadcast_to(z_bar, whole), axis=axes).reshape(shape)


def last_writes(shape: tuple[int, ...], index: Any) -> Any:
    """Which entries of `a[index] = v` are still there afterwards: of equal indices the last one wins."""
    order = np.full(shape, -1)
    places = order[index]
    number = np.arange(places.size).reshape(places.shape)
    order[index] = number
    return order[index] == number


def add_lists(a: Any, b: Any) -> Any:
    """The sum of two cotangents of one list, item by item."""
    if isinstance(a, list):
        return [add_lists(x, y) for x, y in zip(a, b, strict=True)]
    if isinstance(a, tuple):
        return tuple(add_lists(x, y) for x, y in zip(a, b, strict=True))
    return a + b


def private(*values: Any) -> tuple[Any, ...]:
    """Copies of the values, whose arrays and lists share memory with one another as the originals do."""
    owners: dict[int, Any] = {}

    def copied(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(copied, value))
        if isinstance(value, list):
            if id(value) not in owners:
                owners[id(value)] = [*map(copied, value)]
            return owners[id(value)]
        if not isinstance(value, np.ndarray):
            return value
        owner = value
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if id(owner) not in owners:
            owners[id(owner)] = owner.ravel(order="K").copy()
        start = value.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        return np.ndarray(value.shape, value.dtype, owners[id(owner)], start, value.strides)

    return tuple(map(copied, values))


def instance(cls: Any, fields: dict[str, Any]) -> Any:
    """An object of class `cls` with the given attributes; its constructor is not run."""
    made = object.__new__(cls)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made

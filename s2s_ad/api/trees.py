"""Pytrees of run-time values: walk them with paths, rebuild them leaf by leaf.

Enters: numbers, arrays, tuples, lists, dicts, named tuples, dataclasses, simple objects.  Leaves: leaves, with paths.
"""

from __future__ import annotations

import copy
import dataclasses
import numbers
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


class Missing:
    """Where two trees differ: the path, and what stands there in each."""

    def __init__(self, path: str, expected: str, found: str) -> None:
        self.path, self.expected, self.found = path, expected, found


def children(value: Any) -> list[tuple[str, Any]] | None:
    """The parts of a container, each with its step of the path; None for a leaf."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [(f".{name}", getattr(value, name)) for name in value._fields]
    if isinstance(value, tuple | list):
        return [(f"[{k}]", item) for k, item in enumerate(value)]
    if isinstance(value, dict):
        return [(f"[{key!r}]", item) for key, item in value.items()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f".{field.name}", getattr(value, field.name)) for field in dataclasses.fields(value)]
    if is_simple_object(value):
        return [(f".{name}", item) for name, item in vars(value).items()]
    return None


def is_simple_object(value: Any) -> bool:
    """An instance of a plain Python class, whose attributes are its `__dict__`."""
    cls = type(value)
    return bool(
        cls.__flags__ & (1 << 9)  # made by a `class` statement
        and hasattr(value, "__dict__")
        and not isinstance(value, type | np.ndarray | np.generic | numbers.Number | str | bytes | Exception)
        and (not callable(value) or isinstance(cls.__call__, types.FunctionType))
        and cls.__module__.partition(".")[0] != "s2s_ad"
        and not hasattr(value, "__array__")
    )


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of `value` with its path, such as `params[0].W`."""
    parts = children(value)
    if parts is None:
        yield path, value
        return
    for step, part in parts:
        yield from leaves(part, path + step)


def rebuilt(value: Any, parts: list[Any]) -> Any:
    """A container like `value` that holds `parts`."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*parts)
    if isinstance(value, tuple | list):
        return type(value)(parts)
    if isinstance(value, dict):
        return dict(zip(value, parts, strict=True))
    # `copy` first and set after: neither `__init__` nor `__post_init__` is to run on cotangents.
    twin = copy.copy(value)
    names = [step[1:] for step, _ in children(value) or ()]
    for name, part in zip(names, parts, strict=True):
        object.__setattr__(twin, name, part)
    return twin


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """`value` with `function` applied to every leaf."""
    parts = children(value)
    if parts is None:
        return function(value)
    return rebuilt(value, [mapped(function, part) for _, part in parts])


def difference(expected: Any, found: Any, path: str = "") -> Missing | None:
    """The first place where the structures differ. Leaves count as equal."""
    ours, theirs = children(expected), children(found)
    if ours is None and theirs is None:
        return None
    if ours is None or theirs is None or type(expected) is not type(found):
        return Missing(path, describe(expected), describe(found))
    if len(ours) != len(theirs) or {step for step, _ in ours} != {step for step, _ in theirs}:
        return Missing(path, describe(expected), describe(found))
    others = dict(theirs)
    for step, part in ours:
        missing = difference(part, others[step], path + step)
        if missing is not None:
            return missing
    return None


def describe(value: Any) -> str:
    """What a value is, in a few words, for an error message."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of shape {value.shape}"
    if isinstance(value, np.generic):
        return f"a NumPy scalar of {value.dtype}"
    if isinstance(value, dict):
        return f"a dict with keys {list(value)!r}"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return f"a named tuple `{type(value).__name__}`"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of length {len(value)}"
    names = {bool: "a bool", int: "a Python int", float: "a Python float", complex: "a Python complex", str: "a string"}
    return names.get(type(value), f"a `{type(value).__name__}`")

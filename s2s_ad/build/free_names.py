"""Names that a function reads but does not own: globals, closure cells, builtins.

Enters: a name, or an object found in a module or class.  Leaves: an abstract value. Numbers, arrays and containers are
read at each call and passed in (captures); modules, functions, classes and strings are part of the program (guards).
"""

from __future__ import annotations

import logging
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.build.arguments import argument
from s2s_ad.build.builder import Capture, Guard
from s2s_ad.build.signature import spec_of
from s2s_ad.build.values import Abs, Known, Num, is_number
from s2s_ad.errors import S2SError
from s2s_ad.frontend.source import FunctionSource, resolve
from s2s_ad.ir.nodes import Var
from s2s_ad.ir.types import OPAQUE

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


_SMALL = 8  # integers up to this one are axes, ranks and the like: part of the program, derived again when they change


def free_name(b: Builder, source: FunctionSource, name: str) -> Abs:
    try:
        value = resolve(source, name)
    except KeyError as error:
        raise b.fail(
            f"the name `{name}` is not defined",
            "Define it before the gradient is asked for, or pass it as an argument.",
        ) from error
    return lift(b, value, lambda: resolve(source, name), name, (id(source.function), name))


def lift(b: Builder, value: Any, read: Callable[[], Any], name: str, key: tuple[int, str] | None = None) -> Abs:
    """A live object as an abstract value."""
    if key is not None and key in b.captured:
        return b.captured[key]
    if b.in_rule and (is_number(value) or isinstance(value, tuple)):
        return Known(value)
    if _is_code(value) or (type(value) is int and abs(value) <= _SMALL):
        if key is not None:
            b.guards[key] = Guard(read, value)
        return Known(value)
    lifted = _captured(b, value, read, name)
    if key is not None:
        b.captured[key] = lifted
    return lifted


def _is_code(value: Any) -> bool:
    if value is None or isinstance(value, bool | str | bytes | type | types.ModuleType | np.dtype | slice):
        return True
    if isinstance(value, np.random.Generator | np.random.RandomState | logging.Logger):
        return True
    if isinstance(value, tuple | list | dict | np.ndarray | np.generic) or is_number(value):
        return False
    return callable(value) or not hasattr(value, "__dict__")


def _captured(b: Builder, value: Any, read: Callable[[], Any], name: str) -> Abs:
    try:
        spec = spec_of(value)
    except S2SError as error:
        raise error.at(b.place())  # noqa: B904
    parameter = b.names.fresh(name if name.isidentifier() else "captured")
    b.captures[parameter] = Capture(name, parameter, read)
    return argument(b, Var(parameter, OPAQUE), spec, f"capture {parameter}")


_ = Num

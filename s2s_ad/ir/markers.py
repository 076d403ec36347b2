"""Functions that mean something to the compiler and nothing to the interpreter.

Enters: values, functions.  Leaves: the same ones; the builder knows these functions by identity.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def stop_gradient(x: T) -> T:
    """`x` itself, which the derivative takes for a constant.

    >>> stop_gradient(3.0)
    3.0
    """
    return x


@overload
def checkpoint(function: F) -> F: ...
@overload
def checkpoint() -> contextlib.nullcontext[None]: ...
def checkpoint(function: F | None = None) -> F | contextlib.nullcontext[None]:
    """Compute again in the reverse sweep what `function`, or the loop under `with checkpoint():`, would have recorded.

    >>> with checkpoint():
    ...     pass
    """
    return contextlib.nullcontext() if function is None else function

"""One function that puts a gradient before every judge.

Enters: a function and arguments.  Leaves: nothing, or an `AssertionError` from the first oracle that disagrees.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import oracles


def default_wrt(args: Sequence[Any]) -> tuple[int, ...]:
    """The positions of the arguments that hold floating-point numbers."""
    return tuple(k for k, arg in enumerate(args) if oracles.leaves(arg))


def run_text(text: str, function: Callable[..., Any], args: Sequence[Any]) -> Any:
    """Execute the emitted text by itself in a fresh module and call what it defines: (value, gradients)."""
    module = types.ModuleType("emitted")
    exec(compile(text, "<emitted>", "exec"), module.__dict__)
    return module.__dict__[entry_name(text)](*oracles.copied(list(args)))


def entry_name(text: str) -> str:
    """The name of the last function that the text defines: the entry."""
    import ast

    return [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)][-1]


def check(
    function: Callable[..., Any],
    *args: Any,
    wrt: Sequence[int] | None = None,
    jax: bool = True,
    text: bool = True,
    seed: int = 0,
    rtol: float = 2e-6,
) -> Any:
    """Value and gradient of `function` at `args` against the primal, differences, JAX, no optimisation and the text."""
    import s2s_ad

    wrt = default_wrt(args) if wrt is None else tuple(wrt)
    before = oracles.copied(list(args))
    expected = function(*oracles.copied(list(args)))
    value, gradients = s2s_ad.value_and_grad(function, argnums=wrt)(*args)
    oracles.assert_unchanged(list(args), before)
    oracles.assert_close(value, expected, rtol=1e-12, what="the value beside the gradient")
    for position, gradient in zip(wrt, gradients, strict=True):
        oracles.assert_structure(gradient, args[position], f"gradient of argument {position}")
    oracles.assert_derivative(function, args, wrt, gradients, seed=seed, rtol=rtol)
    if jax:
        their_value, theirs = oracles.jax_gradients(function, args, wrt)
        oracles.assert_close(float(np.real(expected)), their_value, rtol=1e-9, what="JAX's value")
        oracles.assert_close(list(gradients), theirs, rtol=1e-8, what="gradient against JAX")
    if text:
        check_text(function, args, wrt, value, gradients)
    return value, gradients


def check_text(
    function: Callable[..., Any], args: Sequence[Any], wrt: Sequence[int], value: Any, gradients: Sequence[Any]
) -> None:
    """The printed program, optimised or not, gives the same numbers when it runs alone."""
    import s2s_ad

    for optimize in (True, False):
        text = str(s2s_ad.source(function, *args, argnums=tuple(wrt), optimize=optimize))
        printed_value, printed = run_text(text, function, args)
        what = f"text with optimize={optimize}"
        oracles.assert_close(printed_value, value, rtol=1e-10, what=what)
        oracles.assert_close(printed, tuple(gradients), rtol=1e-9, what=what)

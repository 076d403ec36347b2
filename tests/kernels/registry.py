"""How kernels are collected, and what is differentiated: a random weighting of all a kernel returns or writes.

Enters: kernels with makers of arguments.  Leaves: `KERNELS`, and for each an objective with readable source of its own.
"""

from __future__ import annotations

import atexit
import importlib.util
import inspect
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(tempfile.mkdtemp(prefix="kernel-objectives-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


@dataclass(frozen=True)
class Kernel:
    """A function, makers of its arguments, the names of the arguments that it writes."""

    function: Callable[..., Any]
    makers: tuple[Any, ...]
    writes: tuple[str, ...]
    jax: bool

    @property
    def name(self) -> str:
        return self.function.__name__

    def arguments(self) -> list[Any]:
        rng = np.random.default_rng(sum(map(ord, self.name)))
        return [make(rng) if callable(make) else make for make in self.makers]

    def objective(self) -> tuple[Callable[..., Any], list[Any], tuple[int, ...]]:
        """A scalar function of the kernel's arguments and weights, the arguments for it, and which to differentiate."""
        args = self.arguments()
        names = list(inspect.signature(self.function).parameters)[: len(args)]
        copies = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]
        result = self.function(*copies)
        written = [copies[names.index(name)] for name in self.writes]
        results = list(result) if isinstance(result, tuple) else [] if result is None else [result]
        rng = np.random.default_rng(1)
        weights = [_weight(value, rng) for value in written + results]
        function = _load(_text(self, names, isinstance(result, tuple), len(results)))
        wrt = tuple(k for k, arg in enumerate(args) if np.issubdtype(np.asarray(arg).dtype, np.inexact))
        return function, args + weights, wrt


def _weight(value: Any, rng: np.random.Generator) -> Any:
    weight = rng.normal(size=np.shape(value))
    return weight + 1j * rng.normal(size=np.shape(value)) if np.iscomplexobj(value) else weight


def _text(kernel: Kernel, names: list[str], several: bool, results: int) -> str:
    weights = [f"weight_{k}" for k in range(len(kernel.writes) + results)]
    outputs = [f"result_{k}" for k in range(results)]
    call = f"{kernel.name}({', '.join(names)})"
    lines = ["import numpy as np", f"from {kernel.function.__module__} import {kernel.name}", ""]
    lines += ["", f"def objective_of_{kernel.name}({', '.join(names + weights)}):"]
    if results:
        lines.append(f"    {', '.join(outputs)}{',' if several and results == 1 else ''} = {call}")
    else:
        lines.append(f"    {call}")
    terms = [f"np.sum({weight} * {value})" for weight, value in zip(weights, [*kernel.writes, *outputs], strict=True)]
    lines.append(f"    return np.real({' + '.join(terms)})")
    return "\n".join(lines) + "\n"


def _load(text: str) -> Callable[..., Any]:
    path = FOLDER / f"objective_{len(list(FOLDER.iterdir()))}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return next(value for name, value in vars(module).items() if name.startswith("objective_of_"))


KERNELS: list[Kernel] = []


def kernel(
    *makers: Any, writes: tuple[str, ...] = (), jax: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a function to the kernels; the function itself stays what it is."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        KERNELS.append(Kernel(function, makers, writes, jax))
        return function

    return add


def array(*shape: int, low: float = -1.5, high: float = 1.5) -> Callable[[np.random.Generator], Any]:
    return lambda rng: rng.uniform(low, high, size=shape)


def dominant(n: int) -> Callable[[np.random.Generator], Any]:
    """A diagonally dominant matrix."""
    return lambda rng: rng.uniform(-1.0, 1.0, size=(n, n)) + (n + 1.0) * np.eye(n)


def definite(n: int) -> Callable[[np.random.Generator], Any]:
    """A symmetric positive definite matrix."""

    def make(rng: np.random.Generator) -> Any:
        a = rng.uniform(-1.0, 1.0, size=(n, n))
        return a @ a.T + n * np.eye(n)

    return make


def complex_array(*shape: int) -> Callable[[np.random.Generator], Any]:
    return lambda rng: rng.normal(size=shape) + 1j * rng.normal(size=shape)

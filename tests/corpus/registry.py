"""How the corpus is collected: `@program(arguments...)` above a function adds it.

Enters: functions and makers of arguments.  Leaves: `PROGRAMS`, one entry for each function and set of arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Maker = Callable[[np.random.Generator], Any]


@dataclass(frozen=True)
class Program:
    """A function with makers of its arguments; `jax` says whether JAX can run its source."""

    function: Callable[..., Any]
    makers: tuple[Any, ...]
    jax: bool
    text: bool
    number: int

    @property
    def name(self) -> str:
        file = self.function.__module__.rpartition(".")[2]
        return f"{file}-{self.function.__name__}" + (f"-{self.number}" if self.number else "")

    def arguments(self) -> list[Any]:
        rng = np.random.default_rng(sum(map(ord, self.name)))
        return [make(rng) if callable(make) and getattr(make, "is_maker", False) else make for make in self.makers]


PROGRAMS: list[Program] = []


def program(*makers: Any, jax: bool = True, text: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a function to the corpus; the function itself stays what it is."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        number = sum(entry.function is function for entry in PROGRAMS)
        PROGRAMS.append(Program(function, makers, jax, text, number))
        return function

    return add


def maker(make: Maker) -> Maker:
    make.is_maker = True  # type: ignore[attr-defined]
    return make


def array(*shape: int, low: float = -1.5, high: float = 1.5) -> Maker:
    """Random numbers without zeros or symmetry."""
    return maker(lambda rng: rng.uniform(low, high, size=shape))


def positive(*shape: int) -> Maker:
    return array(*shape, low=0.3, high=2.0)


def number(low: float = -1.5, high: float = 1.5) -> Maker:
    return maker(lambda rng: rng.uniform(low, high))


def tree(make: Maker) -> Maker:
    """Any pytree of random parts: `tree(lambda rng: {...})`."""
    return maker(make)

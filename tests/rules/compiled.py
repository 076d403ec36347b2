"""One sample call as a program of its own: written as text, compiled by s2s_ad, compared with central differences.

Enters: a function that has a rule or a definition, and a sample.  Leaves: a program `sum of weights * primal(...)` and
its arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from rules import oracles

from s2s_ad.rules.registry import Sample, function_from_text, rule_for

_LITERAL = (bool, int, str, float, type(None))
_count = iter(range(1_000_000))


class Program:
    """`text` calls the primal as people write the call; `leaves` are the values of its parameters."""

    def __init__(self, primal: Callable[..., Any], sample: Sample, dtype: Any = None) -> None:
        self.leaves: list[Any] = []
        self.scope: dict[str, Any] = {"np": np, "primal": primal}
        rule = rule_for(primal)
        count = len(sample.args) if rule is None or rule.variadic or rule.binder else len(rule.operands)
        wrt = range(count) if sample.wrt is None else sample.wrt
        self._dtype = dtype
        args = [self._spell(a, i in wrt) for i, a in enumerate(sample.args)]
        vary = sample.wrt is None and rule is None
        args += [f"{k}={self._spell(v, vary)}" for k, v in sample.kwargs.items()]
        value = primal(*sample.args, **sample.kwargs)
        rng = np.random.default_rng(11)
        lines = [f"    y = primal({', '.join(args)})"]
        terms = list(self._terms(value, "y", rng))
        lines.append(f"    return {' + '.join(terms)}")
        self.parameters = [f"x{k}" for k in range(len(self.leaves))]
        self.text = f"def program({', '.join(self.parameters)}):\n" + "\n".join(lines) + "\n"
        filename = f"<sample {next(_count)}>"
        self.function = function_from_text(self.text, "program", filename, self.scope)
        self.function.__module__ = __name__

    def _spell(self, value: Any, varies: bool) -> str:
        if isinstance(value, list | tuple):
            inner = ", ".join(self._spell(v, varies) for v in value)
            return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
        if isinstance(value, slice):
            return repr(value)
        inexact = isinstance(value, float | complex | np.ndarray | np.generic) and np.asarray(value).dtype.kind in "fc"
        if inexact and varies and np.iscomplexobj(value):
            # Complex numbers enter as real and imaginary parts: gradients are of real arguments.
            return f"({self._spell(np.real(value), True)} + 1j * {self._spell(np.imag(value), True)})"
        if inexact and varies:
            self.leaves.append(value if self._dtype is None else np.asarray(value).astype(self._dtype))
            return f"x{len(self.leaves) - 1}"
        if isinstance(value, _LITERAL):
            return repr(value).replace("inf", "np.inf") if isinstance(value, float) else repr(value)
        name = f"c{len(self.scope)}"
        self.scope[name] = value
        return name

    def _terms(self, value: Any, path: str, rng: np.random.Generator) -> Any:
        if isinstance(value, tuple | list):
            for k, item in enumerate(value):
                yield from self._terms(item, f"{path}[{k}]", rng)
            return
        dtype = np.asarray(value).dtype
        if dtype.kind not in "fc":
            return
        name = f"w{len(self.scope)}"
        weights = np.asarray(oracles.random_like(value, rng))
        self.scope[name] = weights if self._dtype is None or dtype.kind == "c" else weights.astype(self._dtype)
        if self.scope[name].ndim == 0:
            self.scope[name] = self.scope[name].item()
        yield f"np.sum(np.real({name} * {path}))" if dtype.kind == "c" else f"np.sum({name} * {path})"

    def numeric(self, directions: list[Any]) -> float:
        def along(t: float) -> Any:
            return self.function(*[x + t * d for x, d in zip(self.leaves, directions, strict=True)])

        return oracles.central_difference(along, 1.0)

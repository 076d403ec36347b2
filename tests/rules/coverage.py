"""The page that says which functions of NumPy and SciPy are differentiated: `python tests/rules/coverage.py` writes it.

Enters: the registry, and the public names of the modules.  Leaves: the text of docs/coverage.md.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from s2s_ad.rules import registry
from s2s_ad.rules.lookup import load_all_families

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"
MODULES = (
    "numpy",
    "numpy.linalg",
    "numpy.fft",
    "numpy.lib.scimath",
    "scipy.special",
    "scipy.linalg",
    "scipy.signal",
    "scipy.ndimage",
    "scipy.integrate",
    "scipy.interpolate",
    "scipy.optimize",
    "scipy.sparse.linalg",
)
DISTRIBUTIONS = (
    "norm multivariate_normal t beta gamma chi2 expon laplace uniform lognorm poisson binom bernoulli dirichlet"
).split()
METHODS = "pdf logpdf pmf logpmf cdf logcdf sf logsf".split()
# Calls that write into an argument: stores, for the builder.
STORES = (np.copyto, np.fill_diagonal, np.put, np.put_along_axis, np.place, np.putmask)
VERSIONS = f"NumPy {np.__version__}, SciPy {scipy.__version__}"
INTRODUCTION = f"""# What has a derivative

Every public function of the modules, by its state, for {VERSIONS}.

- *Rule*: an adjoint is written out.
- *Definition*: it is differentiated through a definition in plain NumPy.
- *Store*: it writes into an argument, and is differentiated as an assignment is.
- *Passive*: it is called as it is, and no derivative flows.
- *Refused*: an active value that reaches it is an error that says so.

An argument of a call that its rule does not know is refused by name. The page is written from the registry by
`python tests/rules/coverage.py`, and a test compares the two.
"""


def state_of(function: Any) -> str:
    if registry.rule_for(function) is not None:
        return "rule"
    if registry.composite_for(function) is not None:
        return "definition"
    if any(function is store for store in STORES):
        return "store"
    return "passive" if registry.is_passive(function) else "refused"


def functions_of(module: str) -> Iterator[tuple[str, Any]]:
    """The public functions of a module; classes and constants are none."""
    found = importlib.import_module(module)
    names = getattr(found, "__all__", None) or [n for n in dir(found) if not n.startswith("_")]
    for name in sorted(set(names)):
        value = getattr(found, name, None)
        if callable(value) and (not isinstance(value, type) or registry.composite_for(value) is not None):
            yield name, value


def table() -> dict[str, dict[str, list[str]]]:
    """Module, then state, then names."""
    load_all_families()
    found: dict[str, dict[str, list[str]]] = {}
    for module in MODULES:
        states = found.setdefault(module, {})
        for name, function in functions_of(module):
            states.setdefault(state_of(function), []).append(name)
    stats = importlib.import_module("scipy.stats")
    states = found.setdefault("scipy.stats", {})
    for distribution in DISTRIBUTIONS:
        for method in METHODS:
            function = getattr(getattr(stats, distribution), method, None)
            if function is not None:
                states.setdefault(state_of(function), []).append(f"{distribution}.{method}")
    return found


def text() -> str:
    lines = [INTRODUCTION]
    for module, states in table().items():
        counts = Counter({state: len(names) for state, names in states.items()})
        lines.append(f"## {module}\n")
        for state in ("rule", "definition", "store", "passive", "refused"):
            if counts[state]:
                lines.append(f"**{state}** ({counts[state]}): {', '.join(states[state])}\n")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")

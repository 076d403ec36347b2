"""How a function object is found in the registry, and how SciPy's families are loaded when they are first needed.

Enters: the function object of a call.  Leaves: the words that rules use to refuse; the function's family, imported.
A bound method such as `scipy.stats.norm.logpdf` is a new object at each access, but equal to the last one: a good key.
"""

from __future__ import annotations

import importlib
import sys
from types import MethodType
from typing import Any, NoReturn

import numpy as np

from s2s_ad.errors import MissingRule

_LAZY = {
    "scipy.special": "s2s_ad.rules.scipy_special",
    "scipy.linalg": "s2s_ad.rules.scipy_linalg",
    "scipy.stats": "s2s_ad.rules.scipy_stats",
    "scipy.signal": "s2s_ad.rules.scipy_signal",
    "scipy.ndimage": "s2s_ad.rules.scipy_signal",
    "scipy.integrate": "s2s_ad.rules.scipy_integrate",
    "scipy.interpolate": "s2s_ad.rules.scipy_interpolate",
    "scipy.optimize": "s2s_ad.rules.scipy_optimize",
    "scipy.sparse": "s2s_ad.rules.scipy_sparse",
}


def refuse(what: str, remedy: str = "") -> NoReturn:
    """In a rule: this spelling of the call has no derivative. Who inlines the rule raises it at the call's place."""
    raise MissingRule(f"cannot differentiate {what}", remedy)


def is_zero(cotangent: Any) -> bool:
    """In a rule: is this cotangent (or tangent) the constant 0, as nothing uses that result? Folds while compiling."""
    return cotangent is None or (isinstance(cotangent, (int, float)) and cotangent == 0)


def no_derivative(what: str) -> float:
    """In a rule, as an operand's expression: it has none. Refused like `refuse` if that operand is active."""
    return float("nan")


def load_family(function: Any) -> bool:
    """Import the rules of the SciPy module that `function` comes from; False if there was nothing to import."""
    module = _module_of(function)
    family = _LAZY.get(".".join(module.split(".")[:2])) if module.startswith("scipy.") else None
    if family is None or family in sys.modules:
        return False
    importlib.import_module(family)
    return True


def load_all_families() -> None:
    """Import every family, SciPy's too (for the tests and the coverage page)."""
    for family in sorted(set(_LAZY.values())):
        importlib.import_module(family)


def _module_of(function: Any) -> str:
    if isinstance(function, MethodType):
        function = type(function.__self__)
    if isinstance(function, np.ufunc):
        special = sys.modules.get("scipy.special")
        return "scipy.special" if special and getattr(special, function.__name__, None) is function else "numpy"
    module = getattr(function, "__module__", None)
    return module if isinstance(module, str) else ""

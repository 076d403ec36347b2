"""Derivative rules for NumPy, `math` and the builtins; SciPy's families are loaded when first needed (`lookup`).

Enters: the import.  Leaves: a full registry.
"""

from s2s_ad.rules import (
    decompositions,
    elementwise,
    fft,
    joins,
    kinks,
    linalg,
    norms,
    polynomials,
    reductions,
    scimath,
    shapes,
)

__all__ = [
    "decompositions",
    "elementwise",
    "fft",
    "joins",
    "kinks",
    "linalg",
    "norms",
    "polynomials",
    "reductions",
    "scimath",
    "shapes",
]

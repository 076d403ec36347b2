"""Derivative rules for NumPy, `math` and the builtins; SciPy's families are loaded when first needed (`lookup`).

Enters: the import.  Leaves: a full registry.
"""

from s2s_ad.rules import (
    decompositions,
    einsum,
    elementwise,
    fft,
    joins,
    kinks,
    linalg,
    norms,
    passive,
    polynomials,
    products,
    reductions,
    scimath,
    shapes,
)

__all__ = [
    "decompositions",
    "einsum",
    "elementwise",
    "fft",
    "joins",
    "kinks",
    "linalg",
    "norms",
    "passive",
    "polynomials",
    "products",
    "reductions",
    "scimath",
    "shapes",
]

"""Derivative rules for NumPy, `math` and the builtins; SciPy's families are loaded when first needed (`lookup`).

Enters: the import.  Leaves: a full registry.
"""

from s2s_ad.rules import (
    decompositions,
    elementwise,
    fft,
    linalg,
    norms,
    polynomials,
    scimath,
)

__all__ = [
    "decompositions",
    "elementwise",
    "fft",
    "linalg",
    "norms",
    "polynomials",
    "scimath",
]

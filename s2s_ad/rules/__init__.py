"""Derivative rules for NumPy, `math` and the builtins; SciPy's families are loaded when first needed (`lookup`).

Enters: the import.  Leaves: a full registry.
"""

from s2s_ad.rules import (
    calculus,
    copies,
    creation,
    decompositions,
    einsum,
    elementwise,
    fft,
    histograms,
    indexing,
    joins,
    kinks,
    linalg,
    norms,
    passive,
    polynomials,
    products,
    reductions,
    scimath,
    sets,
    shapes,
    statistics,
    ufuncs,
)
from s2s_ad.rules.registry import composite_for, is_passive, refusal_of, rule_for

__all__ = [
    "calculus",
    "composite_for",
    "copies",
    "creation",
    "decompositions",
    "einsum",
    "elementwise",
    "fft",
    "histograms",
    "indexing",
    "is_passive",
    "joins",
    "kinks",
    "linalg",
    "norms",
    "passive",
    "polynomials",
    "products",
    "reductions",
    "refusal_of",
    "rule_for",
    "scimath",
    "sets",
    "shapes",
    "statistics",
    "ufuncs",
]

"""What is refused before anything is differentiated, with the argument's name, the fact and the remedy.

Enters: values and what is asked of them.  Leaves: nothing, or a `SignatureError`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from s2s_ad.api.trees import children, describe, difference, leaves
from s2s_ad.errors import SignatureError
from s2s_ad.ir.spec import Items, Leaf, Spec
from s2s_ad.ir.types import Array, Scalar, Unknown

BACKENDS = {"numpy": None, "numba": "Numba", "jax": "JAX"}


def check_backend(backend: object) -> None:
    """The backend exists, and is installed."""
    if not isinstance(backend, str) or backend not in BACKENDS:
        raise SignatureError(f"unknown backend {backend!r}", 'The backends are "numpy", "numba" and "jax".')
    if BACKENDS[backend] is not None and importlib.util.find_spec(backend) is None:
        raise SignatureError(
            f"the backend {backend!r} needs {BACKENDS[backend]}, which is not installed",
            f"Install it with: pip install 's2s_ad[{backend}]'",
        )


def dtype_of(leaf: Any) -> np.dtype | None:
    """The dtype of a number or an array, of NumPy or not; None for anything else."""
    if isinstance(leaf, bool | int | float | complex):
        return np.dtype(type(leaf))
    dtype = getattr(leaf, "dtype", None)
    return dtype if isinstance(dtype, np.dtype) else None


def has_float(value: Any) -> bool:
    """Whether a derivative with respect to `value` says anything."""
    return any((dtype := dtype_of(leaf)) is not None and dtype.kind in "fc" for _, leaf in leaves(value))


def check_differentiable(label: str, value: Any) -> None:
    """Every number in a differentiated argument is a real floating-point number."""
    found = False
    for path, leaf in leaves(value):
        dtype = dtype_of(leaf)
        where = f"`{label}{path}`"
        if dtype is None:
            if path == "" and leaf is not None:
                raise SignatureError(
                    f"argument {where} is {describe(leaf)}, which has no derivative",
                    "Choose the arguments to differentiate with argnums=... or argnames=...",
                )
            continue
        if dtype.kind in "biu":
            kind = "bools" if dtype.kind == "b" else "integers"
            raise SignatureError(
                f"argument {where} is {describe(leaf)}: {kind} cannot be differentiated",
                _integer_remedy(label, path, leaf),
            )
        if dtype.kind not in "fc":
            raise SignatureError(
                f"argument {where} has dtype {dtype}, which has no derivative",
                f"Convert it: {label}{path}.astype(float).",
            )
        found = True
    if not found and value is not None and children(value):
        raise SignatureError(f"argument `{label}` holds no number to differentiate", "Choose another with argnums=...")


def _integer_remedy(label: str, path: str, leaf: Any) -> str:
    cure = f"{label}{path}.astype(float)" if hasattr(leaf, "astype") else f"float({label}{path})"
    return f"Pass {cure}, or choose other arguments with argnums=... or argnames=..."


def check_scalar_result(name: str, spec: Spec | None, has_aux: bool) -> bool:
    """`grad` needs one real number. Returns whether that is still to be checked at run time."""
    if has_aux:
        if not isinstance(spec, Items) or spec.kind != "tuple" or len(spec.items) != 2:
            raise SignatureError(
                f"with has_aux=True `{name}` must return a pair (result, aux); it returns {_spec_words(spec)}",
                "Return exactly two values, or drop has_aux.",
            )
        spec = spec.items[0]
    if not isinstance(spec, Leaf):
        raise not_scalar(name, _spec_words(spec))
    match spec.type:
        case Scalar(dtype):
            check_real_result(name, dtype)
            return False
        case Array(dtype, dims):
            if dims:
                raise not_scalar(name, _spec_words(spec))
            check_real_result(name, dtype)
            return False
        case Unknown():
            return True
    raise not_scalar(name, _spec_words(spec))


def check_scalar_value(name: str, value: Any) -> None:
    """The same at run time, for a result whose type was not known before."""
    if getattr(value, "shape", None) != () and not isinstance(value, int | float | complex):
        raise not_scalar(name, describe(value))
    dtype = dtype_of(value)
    if dtype is not None:
        check_real_result(name, dtype)


def check_real_result(name: str, dtype: np.dtype) -> None:
    if dtype.kind == "c":
        raise SignatureError(
            f"grad needs a function with a real result; `{name}` returns a complex number",
            "Return its real part, its imaginary part or its absolute value.",
        )
    if dtype.kind != "f":
        words = "a bool" if dtype.kind == "b" else "an integer"
        raise SignatureError(
            f"grad needs a function with a floating-point result; `{name}` returns {words}",
            "A result that is no float has no derivative: return a float, or do not differentiate it.",
        )


def not_scalar(name: str, what: str) -> SignatureError:
    return SignatureError(
        f"grad needs a function with a scalar result; `{name}` returns {what}",
        "Sum the result, or use vjp for a chosen weighting, or jacobian for all derivatives; "
        "has_aux=True for (loss, other results).",
    )


def _spec_words(spec: Spec | None) -> str:
    match spec:
        case Leaf(Array(dtype, dims)):
            shape = ", ".join("1" if d == 1 else "n" for d in dims) + ("," if len(dims) == 1 else "")
            return f"an array of {dtype} of shape ({shape})"
        case Leaf(type_):
            return f"a value of type {type_}"
        case Items(kind, items):
            return f"a {kind} of length {len(items)}"
    return f"a {type(spec).__name__.lower()}"


def check_structure(what: str, expected: Any, found: Any, like: str) -> None:
    """Both trees have one structure."""
    missing = difference(expected, found)
    if missing is not None:
        raise SignatureError(
            f"{what}{missing.path} must have the structure of {like}: "
            f"{missing.expected} is expected, {missing.found} is given",
            f"Give one value for each number or array in {like}, in the same containers.",
        )


def fitted(what: str, expected: Any, found: Any, like: str) -> Any:
    """The leaf `found` as a cotangent or tangent of the leaf `expected`: same shape, same dtype, else an error."""
    want = dtype_of(expected)
    have = dtype_of(found)
    if want is None or want.kind not in "fc":
        return _of_passive(what, expected, found, like)
    shape = np.shape(expected)
    if have is None:
        raise SignatureError(
            f"{what} is {describe(found)}, where {like} is {describe(expected)}", "Pass a number or an array."
        )
    if np.shape(found) != shape:
        raise SignatureError(
            f"{what} has shape {np.shape(found)}, where {like} has shape {shape}", "Both must have the same shape."
        )
    if have.kind not in "iufc" or (have.kind == "c" and want.kind != "c"):
        raise SignatureError(f"{what} has dtype {have}, where {like} has dtype {want}", f"Convert it to {want}.")
    if isinstance(expected, float | complex) and not isinstance(expected, np.generic):
        return type(expected)(found)
    if isinstance(expected, np.ndarray):
        return np.asarray(found, dtype=want)
    return want.type(found)


def _of_passive(what: str, expected: Any, found: Any, like: str) -> Any:
    """Something that is no float has no tangent: None, or zeros, may stand in its place."""
    zero = found is None or found is expected
    if not zero:
        dtype = dtype_of(found)
        zero = dtype is not None and ((dtype.names is None and dtype.kind == "V") or not np.any(found))
    if not zero:
        raise SignatureError(
            f"{what} is not zero, but {like} is {describe(expected)}, which has no derivative", "Pass None there."
        )
    return None


def check_pair(what: str, primals: Any, tangents: Any) -> None:
    """`primals` and `tangents` are two sequences of one length."""
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise SignatureError(
                f"{what}: {name} must be a tuple or a list of arguments, not {describe(given)}",
                f"Write {what}(f, (x,), (x_dot,)) for a function of one argument.",
            )
    if len(primals) != len(tangents):
        raise SignatureError(
            f"{what}: {len(primals)} primals and {len(tangents)} tangents are given",
            "Give one tangent for each primal; None for an argument that has none.",
        )

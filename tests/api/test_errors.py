"""Misuses: each is refused with the fact and the remedy, before anything runs.

Enters: wrong calls.  Leaves: messages that name the argument, what it is, and the cure.
"""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest

import s2s_ad
from s2s_ad import SignatureError, SourceNotFound, UnsupportedSyntax, grad, jvp, source, value_and_grad, vjp
from s2s_ad.testing import check_grads

pytestmark = [pytest.mark.quick, pytest.mark.usefixtures("derivations")]

X = np.array([0.5, -1.25, 2.0])


CYCLE: dict = {"a": 1.0, "b": [2.0]}
CYCLE["b"].append(CYCLE)


def scalar(x, y=2.0):
    return np.sum(x) * y


def vector(x):
    return 2.0 * x


def tree(p):
    return p["a"] * p["b"][0]


def generator(x):
    yield x


async def coroutine(x):
    return x


def pullback_of(function, *args):
    return vjp(function, *args)[1]


MISUSES = {
    "integer array": (lambda: grad(scalar)(np.arange(3)), SignatureError, ["`x`", "int64", "(3,)", "x.astype(float)"]),
    "Python int": (lambda: grad(scalar)(3), SignatureError, ["`x`", "a Python int", "float(x)", "argnums"]),
    "bool": (lambda: grad(scalar)(True), SignatureError, ["`x`", "a bool", "bools cannot"]),
    "bool array": (lambda: grad(scalar)(X > 0), SignatureError, ["`x`", "array of bool", "x.astype(float)"]),
    "NumPy int": (lambda: grad(scalar)(np.int32(3)), SignatureError, ["`x`", "int32", "x.astype(float)"]),
    "list of ints": (lambda: grad(lambda xs: xs[0] * 1.0)([1, 2]), SignatureError, ["`xs[0]`", "float(xs[0])"]),
    "int inside a tree": (
        lambda: grad(tree)({"a": 1.0, "b": [2]}),
        SignatureError,
        ["`p['b'][0]`", "a Python int", "float(p['b'][0])"],
    ),
    "second argument an int": (lambda: grad(scalar, 1)(X, 2), SignatureError, ["`y`", "a Python int"]),
    "int among *args": (lambda: grad(lambda *a: a[0], 1)(1.0, 2), SignatureError, ["`a[1]`", "a Python int"]),
    "string": (lambda: grad(lambda x, s: x, 1)(1.0, "relu"), SignatureError, ["`s`", "a string", "argnums"]),
    "function": (lambda: grad(lambda x, f: f(x), 1)(1.0, math.sin), SignatureError, ["`f`", "no derivative"]),
    "no number in the tree": (lambda: grad(lambda x: 1.0)({"a": None}), SignatureError, ["`x`", "no number"]),
    "object array": (
        lambda: grad(scalar)(np.array([1.0, None])),
        SignatureError,
        ["argument `x` has dtype object", "x.astype(float)"],
    ),
    "masked array": (lambda: grad(scalar)(np.ma.array(X)), SignatureError, ["`x` is a masked array", "filled"]),
    "array result": (
        lambda: grad(vector)(X),
        SignatureError,
        ["scalar result", "`vector`", "float64", "vjp", "jacobian"],
    ),
    "tuple result": (
        lambda: grad(lambda x: (x, x))(1.0),
        SignatureError,
        ["scalar result", "a tuple of length 2", "has_aux"],
    ),
    "None result": (lambda: grad(lambda x: None)(1.0), SignatureError, ["scalar result"]),
    "integer result": (lambda: grad(lambda x: 3)(1.0), SignatureError, ["floating-point result", "an integer"]),
    "complex result": (lambda: grad(lambda x: x * 1j)(1.0), SignatureError, ["real result", "real part"]),
    "aux without pair": (
        lambda: grad(scalar, has_aux=True)(X),
        SignatureError,
        ["has_aux=True", "`scalar`", "pair", "drop has_aux"],
    ),
    "argnum too large": (lambda: grad(scalar, 2), SignatureError, ["argnums=2", "2 positional", "scalar(x, y=2.0)"]),
    "argnum too small": (lambda: grad(scalar, (0, -3)), SignatureError, ["argnums=-3", "out of range"]),
    "argnum twice": (lambda: grad(scalar, (0, -2)), SignatureError, ["`x`", "twice"]),
    "argnum and argname twice": (lambda: grad(scalar, 1, argnames="y"), SignatureError, ["`y`", "twice"]),
    "argnum a float": (lambda: grad(scalar, 1.0), SignatureError, ["argnums", "1.0", "int"]),
    "argnum a bool": (lambda: grad(scalar, True), SignatureError, ["argnums", "True"]),
    "argnum a name": (lambda: grad(scalar, "x"), SignatureError, ["argnums", "'x'", "argnames"]),
    "no argnum": (lambda: grad(scalar, ()), SignatureError, ["argnums is empty"]),
    "unhashable argnum": (lambda: grad(scalar, {}), SignatureError, ["argnums", "{}"]),
    "unknown argname": (lambda: grad(scalar, argnames="z"), SignatureError, ["no argument named 'z'", "y=2.0"]),
    "argname a number": (lambda: grad(scalar, argnames=0), SignatureError, ["argnames", "argnums"]),
    "argnum of *args not given": (
        lambda: grad(lambda *a: a[0], 3)(1.0, 2.0),
        SignatureError,
        ["argnums=3", "out of range"],
    ),
    "a result for a function": (lambda: grad(3.0), SignatureError, ["3.0 is not a function", "grad(f)(x)"]),
    "ufunc": (lambda: grad(np.sin), UnsupportedSyntax, ["`sin`", "numpy.ufunc", "lambda x: sin(x)"]),
    "builtin": (lambda: grad(math.exp), UnsupportedSyntax, ["`exp`", "builtin_function_or_method", "lambda"]),
    "generator": (lambda: grad(generator), UnsupportedSyntax, ["`generator`", "generator function"]),
    "async": (lambda: s2s_ad.adjoint(coroutine), UnsupportedSyntax, ["`coroutine`", "async def"]),
    "no source": (lambda: grad(eval("lambda x: x")), SourceNotFound, ["cannot be found"]),
    "missing argument": (lambda: grad(scalar)(), SignatureError, ["missing", "'x'", "scalar(x, y=2.0)"]),
    "too many arguments": (lambda: grad(scalar)(X, 1.0, 2.0), SignatureError, ["too many positional"]),
    "unexpected keyword": (lambda: grad(scalar)(X, k=1.0), SignatureError, ["unexpected keyword argument 'k'"]),
    "argument twice": (lambda: grad(scalar)(X, x=X), SignatureError, ["multiple values for argument 'x'"]),
    "unknown backend": (lambda: grad(scalar, backend="torch"), SignatureError, ["'torch'", '"numpy", "numba"']),
    "backend no string": (lambda: value_and_grad(scalar, backend=None), SignatureError, ["unknown backend None"]),
    "unknown mode": (lambda: source(scalar, X, mode="backward"), SignatureError, ["'backward'", "'reverse'"]),
    "cotangent of another shape": (
        lambda: pullback_of(vector, X)(np.ones(2)),
        SignatureError,
        ["cotangent has shape (2,)", "the result has shape (3,)"],
    ),
    "scalar cotangent for an array": (lambda: pullback_of(vector, X)(1.0), SignatureError, ["shape ()", "(3,)"]),
    "cotangent of another structure": (
        lambda: pullback_of(lambda x: (x, {"a": x}), 1.0)((1.0, {"b": 1.0})),
        SignatureError,
        ["the cotangent[1]", "keys ['a']", "keys ['b']"],
    ),
    "tuple for a list": (
        lambda: pullback_of(lambda x: [x, x], 1.0)((1.0, 1.0)),
        SignatureError,
        ["a list of length 2", "a tuple of length 2"],
    ),
    "complex cotangent": (lambda: pullback_of(vector, X)(X * 1j), SignatureError, ["complex128", "float64"]),
    "bool cotangent": (lambda: pullback_of(vector, X)(X > 0), SignatureError, ["dtype bool", "float64"]),
    "string cotangent": (lambda: pullback_of(vector, X)("one"), SignatureError, ["the cotangent", "a string"]),
    "no float to vjp": (lambda: vjp(scalar, 3, 4), SignatureError, ["vjp of `scalar`", "no argument", "a Python int"]),
    "tangent of another shape": (lambda: jvp(vector, (X,), (1.0,)), SignatureError, ["tangent 0 has shape ()", "(3,)"]),
    "container in itself": (lambda: grad(tree)(CYCLE), SignatureError, ["`p` is a container that holds itself"]),
    "container in itself, vjp": (lambda: vjp(tree, CYCLE), SignatureError, ["container that holds itself", "cycles"]),
    "fewer tangents": (lambda: jvp(scalar, (X, 1.0), (X,)), SignatureError, ["2 primals and 1 tangents"]),
    "primals without a tuple": (lambda: jvp(vector, X, X), SignatureError, ["primals must be a tuple", "(x,)"]),
    "tangent of an integer": (
        lambda: jvp(lambda x, n: x * n, (1.0, 2), (1.0, 1)),
        SignatureError,
        ["tangent 1 is not zero", "a Python int", "None"],
    ),
    "rule with too few inputs": (
        lambda: s2s_ad.adjoint_of(np.hypot)(lambda x, z, z_bar: z_bar),
        SignatureError,
        ["rule for `hypot`", "1 operands (x)", "2 operands"],
    ),
    "rule without cotangent": (
        lambda: s2s_ad.adjoint_of(np.sin)(lambda x, y: y),
        SignatureError,
        ["(x, y, z, z_bar)", "(x, y)"],
    ),
    "rule for no function": (lambda: s2s_ad.adjoint_of(3), SignatureError, ["3 is not a function", "np.tanh"]),
    "order zero": (lambda: check_grads(scalar, (X,), order=0), SignatureError, ["order=0"]),
    "unknown direction": (lambda: check_grads(scalar, (X,), modes=("back",)), SignatureError, ["'back'", '"rev"']),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_misuse_is_refused_with_fact_and_remedy(misuse: str) -> None:
    attempt, kind, parts = MISUSES[misuse]
    with pytest.raises(kind) as error:
        attempt()
    message = str(error.value)
    missing = [part for part in parts if part not in message]
    assert not missing, message
    assert error.value.remedy


@pytest.mark.parametrize(("backend", "name"), [("numba", "Numba"), ("jax", "JAX")])
def test_a_missing_extra_names_the_install(monkeypatch: pytest.MonkeyPatch, backend: str, name: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n == backend else find(n, *a))
    with pytest.raises(SignatureError) as error:
        grad(scalar, backend=backend)
    assert f"needs {name}" in str(error.value)
    assert f"pip install 's2s_ad[{backend}]'" in str(error.value)


def test_refused_arguments_derive_nothing(derivations) -> None:
    for argument in (np.arange(3), True):
        with pytest.raises(SignatureError):
            grad(scalar)(argument)
    assert not derivations


def test_errors_of_the_users_program_pass_through() -> None:
    def f(x):
        raise ValueError("of the user")

    with pytest.raises(ValueError, match="of the user"):
        grad(f)(1.0)

"""`grad`, `value_and_grad`, `vjp`, `jvp`, Jacobians: conventions, structures, selection of arguments.

Enters: functions whose derivatives are known by hand.  Leaves: agreement with them.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
import pytest

import s2s_ad
from s2s_ad import grad, jacfwd, jacobian, jacrev, jvp, value_and_grad, vjp

pytestmark = [pytest.mark.quick, pytest.mark.usefixtures("derivations")]

X = np.array([0.5, -1.25, 2.0])
close = functools.partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-6)


def product(x, y, n=3):
    return np.sum(x) * y**n


def test_one_number_gives_one_gradient() -> None:
    close(grad(product)(X, 2.0), np.full(3, 8.0))
    found = grad(product, 1)(X, 2.0)
    assert type(found) is float
    close(found, 3 * 1.25 * 4.0)


def test_a_sequence_gives_a_tuple_in_its_order() -> None:
    for_y, for_x = grad(product, (1, 0))(X, 2.0)
    close(for_y, 15.0)
    close(for_x, np.full(3, 8.0))
    one = grad(product, [1])(X, 2.0)
    assert type(one) is tuple and len(one) == 1


@pytest.mark.parametrize("argnums", [-2, np.int64(1), np.array([1])[0], np.int8(-2)])
def test_negative_and_numpy_argnums(argnums) -> None:
    close(grad(product, argnums)(X, 2.0), 15.0)


def test_argnames() -> None:
    close(grad(product, argnames="y")(X, 2.0), 15.0)
    x, y = grad(product, 0, argnames="y")(X, 2.0)
    close(y, 15.0)
    close(x, np.full(3, 8.0))
    close(grad(product, argnames=["y"])(X, 2.0)[0], 15.0)


def test_keyword_only_and_double_star() -> None:
    def f(x, *, scale=2.0, **more):
        return np.sum(x) * scale * more["extra"]

    close(grad(f, argnames="scale")(X, extra=3.0), 1.25 * 3.0)
    close(grad(f, argnames="extra")(X, scale=5.0, extra=3.0), 1.25 * 5.0)
    whole, extra = grad(f, 0, argnames=("extra",))(X, extra=3.0)
    close(whole, np.full(3, 6.0))
    close(extra, 2.5)


def test_items_of_star_args() -> None:
    def f(a, *rest):
        return a * rest[0] * rest[1][0]

    close(grad(f, 1)(2.0, 3.0, np.array([5.0, 7.0])), 10.0)
    close(grad(f, -1)(2.0, 3.0, np.array([5.0, 7.0])), [6.0, 0.0])
    a, last = grad(f, (0, 2))(2.0, 3, np.array([5.0, 7.0]))
    close(a, 15.0)
    close(last, [6.0, 0.0])


def test_keywords_and_defaults_as_in_the_primal() -> None:
    expected = np.full(3, 16.0)
    close(grad(product)(X, 2.0, 4), expected)
    close(grad(product)(X, n=4, y=2.0), expected)
    close(grad(product)(n=4, y=2.0, x=X), expected)


def test_value_and_grad_and_aux() -> None:
    def f(x):
        return np.sum(x * x), {"norm": np.max(x)}

    (value, aux), gradient = value_and_grad(f, has_aux=True)(X)
    close(value, np.sum(X * X))
    assert aux == {"norm": 2.0}
    close(gradient, 2 * X)
    gradient, aux = grad(f, has_aux=True)(X)
    close(gradient, 2 * X)
    assert aux == {"norm": 2.0}


class Pair(NamedTuple):
    w: np.ndarray
    b: float


@dataclasses.dataclass
class Layer:
    w: np.ndarray
    b: float
    name: str = "hidden"


def test_gradients_have_the_arguments_structure() -> None:
    def f(tree):
        return np.sum(tree["p"].w * tree["p"].b) + tree["l"][0].b * np.sum(tree["l"][0].w) + tree["t"][1][0]

    tree = {"p": Pair(X, 2.0), "l": [Layer(2 * X, 3.0)], "t": (None, (np.array(4.0),))}
    g = grad(f)(tree)
    assert list(g) == ["p", "l", "t"] and type(g["p"]) is Pair and type(g["l"]) is list and type(g["l"][0]) is Layer
    assert g["t"][0] is None
    close(g["p"].w, np.full(3, 2.0))
    close(g["p"].b, 1.25)
    close(g["l"][0].b, 2.5)
    assert g["t"][1][0].shape == ()


def test_kinds_of_numbers_are_kept() -> None:
    def f(a, b, c):
        return a * b * c

    a, b, c = grad(f, (0, 1, 2))(2.0, np.float32(3.0), np.array(4.0))
    assert type(a) is float and type(b) is np.float32 and type(c) is np.ndarray and c.shape == ()
    close([a, b, c], [12.0, 8.0, 6.0], rtol=0.1)  # single precision, by differences


def test_kinds_are_kept_inside_lists_and_dicts() -> None:
    def f(tree):
        return tree["a"] * tree["b"][0]

    g = grad(f)({"a": 2.0, "b": [np.array(3.0)]})
    assert type(g["a"]) is float and type(g["b"][0]) is np.ndarray


def test_vjp() -> None:
    def f(x, n, y):
        return {"s": x * y, "t": (np.sum(x) * n,)}

    value, pullback = vjp(f, X, 2, 3.0)
    close(value["s"], 3 * X)
    for_x, for_n, for_y = pullback({"s": np.array([1.0, 0.0, 2.0]), "t": (0.5,)})
    close(for_x, np.array([3.0, 0.0, 6.0]) + 1.0)
    assert for_n is None
    close(for_y, X[0] + 2 * X[2])
    again = pullback({"s": np.array([1.0, 0.0, 2.0]), "t": (0.5,)})
    close(again[0], for_x)


def test_vjp_has_aux() -> None:
    value, pullback, aux = vjp(lambda x: (x * x, "note"), X, has_aux=True)
    assert aux == "note"
    close(pullback(np.ones(3))[0], 2 * X)


def test_integer_cotangents_are_converted() -> None:
    _, pullback = vjp(lambda x: x * x, 3.0)
    close(pullback(1)[0], 6.0)


def test_jvp() -> None:
    value, tangent = jvp(product, (X, 2.0, 3), (np.array([1.0, 0.0, 0.0]), 0.5, None))
    close(value, 10.0)
    close(tangent, 8.0 + 0.5 * 15.0)
    value, tangent, aux = jvp(lambda x: (x * x, 7), (3.0,), (1.0,), has_aux=True)
    close(tangent, 6.0)
    assert aux == 7


def test_jvp_of_star_args() -> None:
    _, tangent = jvp(lambda *xs: xs[0] * xs[1] * xs[2], (2.0, 3, 4.0), (1.0, None, 0.5))
    close(tangent, 12.0 + 3.0)


@pytest.mark.parametrize("jac", [jacrev, jacfwd, jacobian])
def test_jacobians_have_the_outputs_axes_first(jac) -> None:
    A = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, 1.5]])

    def f(x):
        return A @ x

    close(jac(f)(X), A)


@pytest.mark.parametrize("jac", [jacrev, jacfwd])
def test_jacobians_of_trees(jac) -> None:
    def f(x, y):
        return {"m": np.outer(x, x), "s": y * np.sum(x)}

    found = jac(f, (0, 1))(X, 2.0)
    assert set(found) == {"m", "s"} and type(found["m"]) is tuple
    assert found["m"][0].shape == (3, 3, 3) and found["m"][1].shape == (3, 3)
    eye = np.eye(3)
    close(found["m"][0], np.einsum("ik,j->ijk", eye, X) + np.einsum("jk,i->ijk", eye, X))
    close(found["m"][1], np.zeros((3, 3)))
    close(found["s"][0], np.full(3, 2.0))
    close(found["s"][1], 1.25)


@pytest.mark.parametrize("jac", [jacrev, jacfwd])
def test_jacobian_of_a_number_is_a_number(jac) -> None:
    found = jac(lambda x: x * x * x)(2.0)
    assert type(found) is float
    close(found, 12.0)


def test_second_derivatives() -> None:
    def f(x):
        return np.sum(x**3) + x[0] * x[1]

    expected = np.diag(6 * X) + np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    close(s2s_ad.hessian(f)(X), expected, atol=2e-3)
    v = np.array([1.0, 2.0, -0.5])
    close(s2s_ad.hvp(f, (X,), (v,)), expected @ v, atol=2e-3)


def test_grad_of_grad() -> None:
    close(grad(grad(lambda x: x**4))(1.5), 12 * 1.5**2, rtol=1e-3)


def test_partials_and_methods() -> None:
    class Model:
        def __init__(self):
            self.w = 3.0

        def loss(self, x):
            return self.w * x * x

    model = Model()
    close(grad(model.loss)(2.0), 12.0)
    close(grad(functools.partial(product, y=2.0))(X), np.full(3, 8.0))
    close(grad(functools.partial(product, X))(2.0), 15.0)


def test_a_derivative_describes_itself_like_its_function() -> None:
    import inspect

    def f(x, y=2.0):
        """What f does."""
        return x * y

    g = grad(f)
    assert (g.__name__, g.__doc__, g.__module__) == ("f", "What f does.", __name__)
    assert inspect.signature(g) == inspect.signature(f)
    assert not hasattr(g, "__wrapped__")
    assert "f" in repr(g)


@pytest.mark.parametrize("view", ["read-only", "strided", "fortran", "empty", "0-d"])
def test_arguments_stay_as_they_are(view) -> None:
    base = np.arange(24.0).reshape(4, 6) + 0.5
    base.setflags(write=view != "read-only")
    x = {"strided": base[::2, ::-3], "fortran": np.asfortranarray(base), "empty": base[:0], "0-d": np.array(1.5)}
    array = x.get(view, base)
    before, flags = array.copy(), array.flags.writeable
    g = grad(lambda x: np.sum(x * x))(array)
    np.testing.assert_array_equal(array, before)
    assert array.flags.writeable == flags
    assert g.shape == array.shape and g.dtype == array.dtype
    assert not np.shares_memory(g, array)


def test_second_derivatives_and_jacobians_with_aux() -> None:
    def f(x):
        return np.sum(x**3), "aux"

    for jac in (jacrev, jacfwd):
        found, aux = jac(f, has_aux=True)(X)
        close(found, 3 * X**2)
        assert aux == "aux"
    found, aux = s2s_ad.hessian(f, has_aux=True)(X)
    close(found, np.diag(6 * X), atol=2e-3)
    product_, aux = s2s_ad.hvp(f, (X,), (np.ones(3),), has_aux=True)
    close(product_, 6 * X, atol=2e-3)
    assert aux == "aux"


def test_numbers_in_named_tuples_and_dataclasses_keep_their_kind() -> None:
    frozen = dataclasses.make_dataclass("Frozen", [("b", float), ("n", str)], frozen=True)
    pair, layer = grad(lambda p, q: p.b * q.b * np.sum(p.w), (0, 1))(Pair(X, 2.0), frozen(3.0, "name"))
    assert type(pair) is Pair and type(pair.b) is float and type(layer) is frozen and type(layer.b) is float
    close(layer.b, 2.5)

"""`@adjoint`: the function itself, with its derivatives beside it.

Enters: decorated functions, methods, static and class methods.  Leaves: what Python's protocols expect of them.
"""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import subprocess
import sys
import typing
import weakref

import numpy as np
import pytest

import s2s_ad
from s2s_ad import SignatureError, SourceNotFound, adjoint

pytestmark = [pytest.mark.quick, pytest.mark.usefixtures("derivations")]

X = np.array([0.5, -1.25, 2.0])


@adjoint
def loss(x, y=2.0):
    """How far off."""
    return np.sum(x * x) * y


@adjoint(argnums=(0, 1), argnames="w")
def three(x, y, *, w=2.0):
    return np.sum(x) * y * w


@adjoint(has_aux=True)
def with_aux(x):
    return np.sum(x * x), "aux"


class Model:
    factor = 5.0

    def __init__(self, w):
        self.w = w

    @adjoint
    def loss(self, x):
        return self.w * x * x

    @adjoint(argnums=1)
    def second(self, x, y):
        return self.w * x * y

    @adjoint
    @staticmethod
    def outer_static(x):
        return x * x

    @staticmethod
    @adjoint
    def inner_static(x):
        return x * x

    @adjoint
    @classmethod
    def outer_class(cls, x):
        return cls.factor * x


def test_a_call_runs_the_function_itself() -> None:
    calls = []

    def f(x):
        calls.append(x)
        return x

    decorated = adjoint(f)
    token = object()
    assert decorated(token) is token and calls == [token]
    assert decorated.__wrapped__ is f


def test_it_looks_like_the_function() -> None:
    assert loss.__name__ == "loss" and loss.__qualname__ == "loss" and loss.__module__ == __name__
    assert loss.__doc__ == "How far off."
    assert inspect.signature(loss) == inspect.signature(loss.__wrapped__)
    assert "loss" in repr(loss)


def test_all_derivatives() -> None:
    np.testing.assert_allclose(loss.grad(X), 4 * X, rtol=1e-6)
    value, gradient = loss.value_and_grad(X, y=3.0)
    np.testing.assert_allclose([value, *gradient], [5.8125 * 3, *(6 * X)], rtol=1e-6)
    value, pullback = loss.vjp(X, 3.0)
    np.testing.assert_allclose(pullback(2.0)[0], 12 * X, rtol=1e-6)
    assert len(loss.vjp(X, y=3.0)[1](1.0)) == 1
    np.testing.assert_allclose(loss.jvp((X,), (X,))[1], 4 * np.sum(X * X), rtol=1e-6)
    np.testing.assert_allclose(loss.jvp((X,), (X,), y=3.0)[1], 6 * np.sum(X * X), rtol=1e-6)
    np.testing.assert_allclose(loss.jacobian(X), 4 * X, rtol=1e-6)
    np.testing.assert_allclose(loss.hvp((X,), (X,)), 4 * X, rtol=1e-2)
    np.testing.assert_allclose(loss.hessian(X), 4 * np.eye(3), atol=1e-2)
    assert isinstance(loss.source(X), s2s_ad.Source) and isinstance(loss.source(), s2s_ad.Source)


def test_options() -> None:
    x, y, w = three.grad(X, 3.0)
    np.testing.assert_allclose([*x, y, w], [6.0, 6.0, 6.0, 2.5, 3.75], rtol=1e-6)
    gradient, aux = with_aux.grad(X)
    assert aux == "aux"
    assert with_aux.vjp(X)[2] == "aux" and with_aux.jvp((X,), (X,))[2] == "aux"


def test_methods_do_not_count_self() -> None:
    model = Model(3.0)
    assert round(model.loss(2.0)) == 12 and round(model.loss.grad(2.0)) == 12
    assert round(model.second.grad(2.0, 5.0)) == 6
    value, pullback = model.loss.vjp(2.0)
    assert round(pullback(1.0)[0]) == 12
    assert round(s2s_ad.grad(model.loss)(2.0)) == 12
    model.w = 4.0
    assert round(model.loss.grad(2.0)) == 16


def test_on_the_class_self_is_an_argument_like_others() -> None:
    gradient = Model.loss.grad(Model(3.0), 2.0)
    assert type(gradient) is Model and round(gradient.w) == 4


@pytest.mark.parametrize("name", ["outer_static", "inner_static"])
def test_static_methods(name) -> None:
    for place in (Model, Model(1.0)):
        assert getattr(place, name)(3.0) == 9.0
        assert round(getattr(place, name).grad(3.0)) == 6


def test_class_methods() -> None:
    class Heir(Model):
        factor = 7.0

    for place, factor in ((Model, 5), (Model(1.0), 5), (Heir, 7), (Heir(1.0), 7)):
        assert place.outer_class(3.0) == 3.0 * factor
        assert round(place.outer_class.grad(3.0)) == factor


def test_bound_methods_are_equal_like_pythons() -> None:
    model, other = Model(1.0), Model(1.0)
    assert model.loss == model.loss and hash(model.loss) == hash(model.loss)
    assert model.loss != other.loss
    assert loss == loss and loss in {loss}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_by_qualified_name(protocol) -> None:
    assert pickle.loads(pickle.dumps(loss, protocol)) is loss
    if protocol >= 4:  # dotted names
        assert pickle.loads(pickle.dumps(Model.loss, protocol)) is Model.loss


def test_pickle_of_methods_and_derivatives() -> None:
    method = pickle.loads(pickle.dumps(Model(3.0).loss))
    assert method(2.0) == 12.0 and round(method.grad(2.0)) == 12
    gradient = pickle.loads(pickle.dumps(loss.grad))
    np.testing.assert_allclose(gradient(X), 4 * X, rtol=1e-6)


def undecorated(x):
    return x * x


beside = adjoint(undecorated)


def test_pickle_of_a_function_decorated_beside_itself() -> None:
    again = pickle.loads(pickle.dumps(beside))
    assert again(3.0) == 9.0 and again.__wrapped__ is undecorated


def test_copies_are_the_function() -> None:
    assert copy.copy(loss) is loss and copy.deepcopy(loss) is loss
    assert copy.deepcopy({"f": [loss.grad]})["f"][0] is loss.grad
    assert weakref.ref(loss)() is loss
    model = Model([1.0])
    assert copy.deepcopy(model.loss)._fun.__self__ is not model


def test_decorated_twice_and_grad_of_decorated() -> None:
    twice = adjoint(loss)
    np.testing.assert_allclose(twice.grad(X), 4 * X, rtol=1e-6)
    np.testing.assert_allclose(s2s_ad.grad(loss, 1)(X, 2.0), 5.8125, rtol=1e-6)


def test_wrong_options_are_refused_at_decoration() -> None:
    with pytest.raises(SignatureError, match="argnums=3"):
        adjoint(argnums=3)(undecorated)
    with pytest.raises(SignatureError, match="backend"):
        adjoint(undecorated, backend="fortran")
    with pytest.raises(TypeError):
        adjoint(undecorated, argnum=1)


def test_missing_source_is_refused_at_decoration() -> None:
    with pytest.raises(SourceNotFound):
        adjoint(eval("lambda x: x"))


def test_the_text_is_read_at_decoration(tmp_path, monkeypatch) -> None:
    import importlib.util
    import linecache

    path = tmp_path / "edited.py"
    path.write_text("def f(x):\n    return 2.0 * x\n")
    spec = importlib.util.spec_from_file_location("edited", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    decorated = adjoint(module.f)
    path.write_text("def g(y):\n    return 1.0\n\ndef f(x):\n    return 30.0 * x\n")
    linecache.checkcache()
    assert round(decorated.grad(1.0)) == 2
    assert "2.0 * x" in decorated.source(1.0).primal


def test_types_are_kept() -> None:
    hints = typing.get_type_hints(adjoint(undecorated).__call__)
    assert hints["return"]  # ParamSpec and result are there for the type checker; mypy judges them in CI


def test_import_is_quick_and_light(tmp_path) -> None:
    # As installed: with the modules compiled already, which the first run does.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": str(tmp_path)}
    script = (
        "import sys, numpy, time; start = time.perf_counter(); import s2s_ad; "
        "heavy = {'jax', 'numba', 'libcst', 'scipy', 's2s_ad.pipeline'} & set(sys.modules); "
        "print(time.perf_counter() - start); sys.exit(str(heavy) if heavy else 0)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
        for _ in range(3)
    ]
    assert not any(run.returncode for run in runs), runs[0].stderr
    assert min(float(run.stdout) for run in runs) < 0.15


def test_the_builder_finds_the_primal() -> None:
    assert loss.__s2s_primal__ is loss.__wrapped__
    model = Model(2.0)
    assert model.loss.__s2s_primal__ == Model.loss.__wrapped__.__get__(model)
    assert inspect.isfunction(Model.outer_static.__s2s_primal__)

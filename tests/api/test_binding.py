"""Calls are bound as Python binds them: Python itself is the judge.

Enters: functions of every kind of signature, calls that fit and calls that do not.  Leaves: the same verdicts.
"""

from __future__ import annotations

import functools
import itertools

import pytest

from s2s_ad.api.binding import Binder, resolved
from s2s_ad.errors import SignatureError

pytestmark = pytest.mark.quick

SENTINEL = object()


def f0():
    return locals()


def f1(a):
    return locals()


def f2(a, b=2):
    return locals()


def f3(a, /, b):
    return locals()


def f4(a=1, /, b=SENTINEL):
    return locals()


def f5(a, *rest):
    return locals()


def f6(a, b=2, *rest, c):
    return locals()


def f7(*, c, d=4):
    return locals()


def f8(a, **more):
    return locals()


def f9(a, /, **more):
    return locals()


def f10(a, b=2, /, c=3, *rest, d, e=5, **more):
    return locals()


def f11(*rest, **more):
    return locals()


FUNCTIONS = [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11]
NAMES = ["a", "b", "c", "d", "z"]
CALLS = [
    (tuple(range(10, 10 + count)), dict.fromkeys(names, 7.5))
    for count in range(5)
    for size in range(4)
    for names in itertools.combinations(NAMES, size)
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_call_is_bound_as_python_binds_it(function) -> None:
    binder = Binder(function)
    accepted = 0
    for args, kwargs in CALLS:
        given = dict(kwargs)
        try:
            expected = function(*args, **kwargs)
        except TypeError:
            with pytest.raises(SignatureError, match=rf"{function.__name__}\("):
                binder.bind(args, kwargs)
        else:
            values = binder.bind(args, kwargs)
            assert dict(zip(binder.parameters.names, values, strict=True)) == expected
            accepted += 1
        assert kwargs == given
    assert accepted


def test_misfit_tells_the_signature() -> None:
    with pytest.raises(SignatureError) as error:
        Binder(f2).bind((), {})
    assert "missing a required argument: 'a'" in str(error.value)
    assert "f2(a, b=2)" in str(error.value)
    assert isinstance(error.value, TypeError)


def test_defaults_are_read_at_the_call() -> None:
    def f(x, y=1.0, *, z=2.0): ...

    binder = Binder(f)
    assert binder.bind((0.5,), {}) == (0.5, 1.0, 2.0)
    f.__defaults__ = (10.0,)
    f.__kwdefaults__ = {"z": 20.0}
    assert binder.bind((0.5,), {}) == (0.5, 10.0, 20.0)


def test_default_objects_are_passed_on_as_they_are() -> None:
    assert Binder(f4).bind((), {})[1] is SENTINEL


class Model:
    def method(self, x, y=3):
        return locals()

    def __call__(self, x):
        return locals()


MODEL = Model()


@pytest.mark.parametrize(
    ("callable_", "args", "kwargs"),
    [
        (MODEL.method, (1,), {}),
        (MODEL, (1,), {}),
        (functools.partial(f2, 5), (), {"b": 6}),
        (functools.partial(f2, b=5), (1,), {}),
        (functools.partial(f2, b=5), (1,), {"b": 6}),
        (functools.partial(functools.partial(f10, 1, d=2), 3, e=4), (5, 6), {"z": 7}),
        (functools.partial(MODEL.method, y=8), (1,), {}),
        (functools.lru_cache(f2), (1,), {}),
    ],
)
def test_methods_partials_and_callables(callable_, args, kwargs) -> None:
    function, before, preset = resolved(callable_)
    binder = Binder(function, before, preset)
    assert dict(zip(binder.parameters.names, binder.bind(args, kwargs), strict=True)) == callable_(*args, **kwargs)

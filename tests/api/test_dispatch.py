"""From calls to programs: derived once a signature, right when globals change, safe in threads.

Enters: calls.  Leaves: counts of derivations, and the programs' answers.
"""

from __future__ import annotations

import gc
import threading
import time
import timeit
import types
import weakref

import numpy as np
import pytest

import s2s_ad
from s2s_ad import InternalError, MissingRule, S2SError, adjoint, grad, value_and_grad
from s2s_ad.api import dispatch

pytestmark = pytest.mark.quick

X = np.array([0.5, -1.25, 2.0])


def scaled(x, k):
    return np.sum(x * x) * k


def test_ten_batch_sizes_are_one_derivation(derivations) -> None:
    g = grad(scaled)
    for n in range(2, 12):
        np.testing.assert_allclose(g(np.ones(n), 0.5), np.ones(n), rtol=1e-6)
    assert len(derivations) == 1
    assert g.cache_info() == (1, 1)


def test_a_new_signature_is_a_new_derivation(derivations) -> None:
    g = grad(scaled)
    calls = [
        (X, 2.0),
        (X, 2),
        (X.astype(np.float32), 2.0),
        (np.ones((2, 2)), 2.0),
        (np.ones(1), 2.0),
        (1.5, 2.0),
    ]
    for expected, call in enumerate(calls, start=1):
        g(*call)
        g(*call)
        assert len(derivations) == expected


def test_different_questions_are_different_programs(derivations) -> None:
    grad(scaled)(X, 2.0)
    grad(scaled, (0, 1))(X, 2.0)
    s2s_ad.vjp(scaled, X, 2.0)
    assert len({question for _, _, question in derivations}) == 3


def test_the_same_question_asked_anew_derives_nothing(derivations) -> None:
    for _ in range(3):
        grad(scaled)(X, 2.0)
        value_and_grad(scaled)(X, 2.0)
        adjoint(scaled).grad(X, 2.0)
    assert len(derivations) == 1


def test_a_lambda_made_anew_derives_nothing(derivations) -> None:
    for _ in range(3):
        grad(lambda x: x * x)(3.0)
    assert len(derivations) == 1


def test_closures_are_functions_of_their_own(derivations) -> None:
    def make(k):
        return lambda x: k * x * x

    assert [round(grad(make(k))(1.0)) for k in (1.0, 2.0)] == [2, 4]
    assert len(derivations) == 2


def test_a_closure_and_its_programs_go_away_together(derivations) -> None:
    def make():
        data = np.ones(3)
        return lambda x: np.sum(x * data), weakref.ref(data)

    function, data = make()
    grad(function)(X)
    assert data() is not None
    derivations.clear()
    del function
    gc.collect()
    assert data() is None


def test_wraps_copies_no_programs(derivations) -> None:
    import functools

    k = 2.0

    def inner(x):
        return k * x

    grad(inner)(1.0)

    @functools.wraps(inner)
    def outer(x):
        return 3.0 * inner(x)

    assert round(grad(outer)(1.0)) == 6


def test_objects_known_by_identity_stay_alive(derivations) -> None:
    class Config:
        __slots__ = ("__weakref__",)

    config = Config()
    seen = weakref.ref(config)

    def f(x, config):
        return x * x

    g = grad(f)
    g(2.0, config)
    del config
    gc.collect()
    # Were it gone, a new object at its address would meet the old one's program.
    derivations.clear()
    assert seen() is not None


def test_signatures_are_not_hoarded(derivations, monkeypatch) -> None:
    monkeypatch.setattr(dispatch, "_MOST_SIGNATURES", 4)
    g = grad(lambda x, name: x * x)
    for name in "abcdefgh":
        assert abs(g(2.0, name) - 4.0) < 1e-5
    assert g.cache_info() == (8, 4)
    g(2.0, "h")
    assert len(derivations) == 8


class Program(types.SimpleNamespace):
    """A program of the global `CONSTANT`, which is passed or baked in."""


def pipeline(baked: bool):
    log = []

    def derive(source, specs, question):
        scope = source.function.__globals__
        constant = scope["CONSTANT"]
        log.append(constant)
        capture = types.SimpleNamespace(name="CONSTANT", parameter="constant", read=lambda: scope["CONSTANT"])
        guard = types.SimpleNamespace(read=lambda: scope["CONSTANT"], expected=constant)
        if baked:
            function = lambda x: (x, (constant,))
        else:
            function = lambda x, *, constant: (x, (constant,))
        from s2s_ad.build.signature import spec_of

        return Program(
            text="",
            name="f_adjoint",
            function=function,
            reverse=None,
            captures=() if baked else (capture,),
            guards=(guard,) if baked else (),
            result_spec=spec_of(1.0),
        )

    return derive, log


CONSTANT: object = 2.0


def uses_constant(x):
    return CONSTANT * x


@pytest.fixture
def fresh(monkeypatch):
    monkeypatch.setattr(dispatch, "_shared", {})
    return monkeypatch


@pytest.mark.parametrize("baked", [True, False])
def test_globals_are_read_at_each_call(fresh, baked) -> None:
    derive, log = pipeline(baked)
    fresh.setattr(dispatch, "derive", derive)
    fresh.setitem(globals(), "CONSTANT", 2.0)
    g = grad(uses_constant)
    assert g(1.0) == 2.0 and g(1.0) == 2.0 and len(log) == 1
    fresh.setitem(globals(), "CONSTANT", 5.0)
    assert g(1.0) == 5.0
    assert len(log) == (2 if baked else 1)


def test_a_captured_value_of_another_type_is_derived_for_anew(fresh) -> None:
    derive, log = pipeline(baked=False)
    fresh.setattr(dispatch, "derive", derive)
    fresh.setitem(globals(), "CONSTANT", 2.0)
    g = grad(uses_constant)
    g(1.0)
    fresh.setitem(globals(), "CONSTANT", np.float32(3.0))
    assert g(1.0) == 3.0
    assert len(log) == 2


@pytest.mark.parametrize("failure", [KeyError("x"), RecursionError(), AssertionError("no"), TypeError("bad")])
def test_what_the_compiler_did_not_mean_to_raise_is_our_bug(fresh, failure) -> None:
    def derive(source, specs, question):
        raise failure

    fresh.setattr(dispatch, "derive", derive)
    with pytest.raises(InternalError) as error:
        grad(scaled)(X, 2.0)
    message = str(error.value)
    assert "bug in s2s_ad, not in your program" in message and "report" in message
    assert "`scaled`" in message and type(failure).__name__ in message
    assert __file__ in message and "def scaled(x, k):" in message
    assert error.value.__cause__ is failure


@pytest.mark.parametrize("failure", [MissingRule("no rule for `f`", "Add one."), KeyboardInterrupt(), MemoryError()])
def test_what_is_meant_passes_through_and_the_next_call_works(fresh, derivations, failure) -> None:
    def derive(source, specs, question):
        raise failure

    with fresh.context() as patch:
        patch.setattr(dispatch, "derive", derive)
        with pytest.raises(type(failure)) as error:
            grad(scaled)(X, 2.0)
        assert error.value is failure
    np.testing.assert_allclose(grad(scaled)(X, 2.0), 4 * X, rtol=1e-6)


def test_s2s_error_is_the_base_of_all() -> None:
    import s2s_ad.errors as errors

    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, Exception)]
    assert len(kinds) >= 7 and all(issubclass(kind, S2SError) for kind in kinds)


def test_threads_derive_once_and_agree(derivations, monkeypatch) -> None:
    slow = dispatch.derive

    def derive(source, specs, question):
        time.sleep(0.05)
        return slow(source, specs, question)

    monkeypatch.setattr(dispatch, "derive", derive)
    g = grad(lambda x: x * x)
    barrier = threading.Barrier(8)
    wrong = []

    def work(k):
        barrier.wait()
        for n in range(200):
            x = 1.0 + k + n / 200
            if abs(g(x) - 2 * x) > 1e-5:
                wrong.append((k, n))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(derivations) == 1


def test_a_function_may_use_its_own_gradient(derivations) -> None:
    def f(x):
        return x * x if x > 10 else x * x + 0 * g(x + 10)

    g = grad(f)
    assert abs(g(1.0) - 2.0) < 1e-4


def test_dispatch_of_six_arrays_takes_microseconds(derivations) -> None:
    @grad
    def f(a, b, c, d, e, h):
        return np.sum(a * b * c * d * e * h)

    arrays = [X] * 6
    f(*arrays)
    answer = 1.0, (X,)
    (entry,) = f.plan(6)[1].entries.values()
    entry.function = lambda *values: answer
    seconds = min(timeit.repeat(lambda: f(*arrays), number=500, repeat=20)) / 500
    assert seconds < 15e-6

"""`grad` and `value_and_grad`: functions made of functions.

Enters: a function and which of its arguments to differentiate.  Leaves: a function of the same arguments.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from s2s_ad.api.checks import check_backend, check_differentiable, check_scalar_value
from s2s_ad.api.dispatch import CacheInfo, Family
from s2s_ad.api.selection import Argnames, Argnums, Selection, choose
from s2s_ad.api.subject import DerivativeOrigin, Subject, described_like

P = ParamSpec("P")
R = TypeVar("R")


class Derivative(Generic[P, R]):
    """What `grad` and `value_and_grad` return: called like the function, it gives the gradient.

    It has no `__wrapped__`: who follows that to the text would take the function for its gradient.
    """

    _s2s = True

    def __init__(
        self,
        fun: Callable[P, Any],
        argnums: Argnums | None,
        argnames: Argnames | None,
        has_aux: bool,
        backend: str,
        *,
        with_value: bool,
    ) -> None:
        check_backend(backend)
        self.choice = choose(argnums, argnames)
        self.subject = Subject(fun)
        self.has_aux, self.backend, self.with_value = bool(has_aux), backend, with_value
        described_like(self, fun)
        self._made_of = fun, argnums, argnames, has_aux, backend, with_value
        self._bind, self._exact = self.subject.binder.bind, self.subject.binder.exact
        self._fixed: tuple[Selection, Family] | None = None
        if not self.choice.depends_on_call(self.subject.binder):
            self._fixed = self.plan(0)

    def plan(self, given: int) -> tuple[Selection, Family]:
        """What is differentiated in a call with `given` positional arguments."""
        if self._fixed is not None:
            return self._fixed
        selection = self.choice.select(self.subject.binder, given)
        return selection, self.subject.family("gradient", selection, self.has_aux, self.backend)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        values = args if not kwargs and len(args) == self._exact else self._bind(args, kwargs)
        selection, family = self._fixed or self.plan(len(args))
        if not selection.direct:
            for slot in selection.slots:
                check_differentiable(slot.label, slot.read(values))
        entry, (value, gradients) = family.run(values)
        if entry.check_value:
            check_scalar_value(self.subject.name, value[0] if self.has_aux else value)
        if entry.settle is not None:
            gradients = entry.settle(gradients)
        if not selection.direct:
            gradients = selection.gradients(gradients)
        answer = gradients[0] if selection.single else tuple(gradients)
        if self.with_value:
            return (value, answer)  # type: ignore[return-value]
        return (answer, value[1]) if self.has_aux else answer  # type: ignore[return-value]

    @functools.cached_property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._made_of[0])

    @functools.cached_property
    def origin(self) -> DerivativeOrigin:
        """Where its own text comes from, for a derivative of this derivative."""
        return DerivativeOrigin(self, f"grad({self.subject.name})")

    def __s2s_inline__(self, b: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """A call of it in a function that is being differentiated."""
        from s2s_ad.api import nested

        return nested.called(b, self, args, kwargs)

    def cache_info(self) -> CacheInfo:
        """Derivations and signatures of the function, in all modes."""
        return self.subject.origin.cache_info()

    def __repr__(self) -> str:
        what = "value_and_grad" if self.with_value else "grad"
        return f"<{what} of {self.subject.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, self._made_of

    def __copy__(self) -> Derivative[P, R]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Derivative[P, R]:
        return self


def _remade(fun: Any, argnums: Any, argnames: Any, has_aux: bool, backend: str, with_value: bool) -> Any:
    return Derivative(fun, argnums, argnames, has_aux, backend, with_value=with_value)


def grad(
    fun: Callable[P, Any],
    argnums: Argnums | None = None,
    *,
    argnames: Argnames | None = None,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Derivative[P, Any]:
    """A function that gives the gradient of `fun`, which must return one real number.

    argnums, argnames: the arguments to differentiate; the first, if neither is given. One number or name gives that
        argument's gradient, a sequence gives a tuple.
    has_aux: `fun` returns `(result, aux)`; the new function then returns `(gradient, aux)`.
    """
    return Derivative(fun, argnums, argnames, has_aux, backend, with_value=False)


def value_and_grad(
    fun: Callable[P, R],
    argnums: Argnums | None = None,
    *,
    argnames: Argnames | None = None,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Derivative[P, tuple[R, Any]]:
    """Like `grad`, for a function that gives `(value, gradient)`, or `((value, aux), gradient)`."""
    return Derivative(fun, argnums, argnames, has_aux, backend, with_value=True)


def _grad_inside(b: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """`grad(f)` in a function that is being differentiated."""
    from s2s_ad.api import nested

    return nested.transformed(b, args, kwargs, with_value=False)


def _value_and_grad_inside(b: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    from s2s_ad.api import nested

    return nested.transformed(b, args, kwargs, with_value=True)


vars(grad)["__s2s_inline__"] = _grad_inside
vars(value_and_grad)["__s2s_inline__"] = _value_and_grad_inside

"""`@adjoint`: a function that knows its derivatives.

Enters: a function, a method, a static or class method.  Leaves: an `Adjoint`, which is called like it.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, overload

from s2s_ad.api.checks import check_backend
from s2s_ad.api.derivatives import Derivative, grad, value_and_grad
from s2s_ad.api.dispatch import CacheInfo
from s2s_ad.api.jacobians import Jacobian, hessian, hvp, jacobian
from s2s_ad.api.linear import pulled, pushed
from s2s_ad.api.printing import source_of
from s2s_ad.api.selection import Argnames, Argnums
from s2s_ad.api.subject import Subject
from s2s_ad.emit.source_text import Source

P = ParamSpec("P")
R = TypeVar("R")


class Adjoint(Generic[P, R]):
    """A function with its derivatives beside it. A call runs the function itself, untouched."""

    __wrapped__: Callable[P, R]
    __qualname__: str

    def __init__(
        self,
        fun: Callable[P, R],
        argnums: Argnums | None = None,
        argnames: Argnames | None = None,
        has_aux: bool = False,
        backend: str = "numpy",
    ) -> None:
        check_backend(backend)
        functools.update_wrapper(self, fun)
        self._fun = fun
        self._options = argnums, argnames, has_aux, backend
        self._subject = Subject(fun)
        if isinstance(fun, types.FunctionType):
            _ = self.grad  # wrong argnums are refused at decoration

    @property
    def __s2s_primal__(self) -> Callable[P, R]:
        """What a call runs, for the builder, when another function that is differentiated calls this one."""
        inner: Callable[P, R] = self._fun.__func__ if isinstance(self._fun, staticmethod) else self._fun
        return inner

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.__wrapped__(*args, **kwargs)

    @functools.cached_property
    def grad(self) -> Derivative[P, Any]:
        """The gradient with respect to `argnums` and `argnames`."""
        argnums, argnames, has_aux, backend = self._options
        return grad(self, argnums, argnames=argnames, has_aux=has_aux, backend=backend)

    @functools.cached_property
    def value_and_grad(self) -> Derivative[P, tuple[R, Any]]:
        """`(value, gradient)`."""
        argnums, argnames, has_aux, backend = self._options
        return value_and_grad(self, argnums, argnames=argnames, has_aux=has_aux, backend=backend)

    def vjp(self, *primals: Any, **constants: Any) -> tuple[Any, ...]:
        """`(value, pullback)`; arguments given by keyword are constants."""
        _, _, has_aux, backend = self._options
        return pulled(self._subject, primals, constants, has_aux, backend)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **constants: Any) -> tuple[Any, ...]:
        """`(value, tangent)`; arguments given by keyword are constants."""
        _, _, has_aux, backend = self._options
        return pushed(self._subject, primals, tangents, constants, has_aux, backend)

    @functools.cached_property
    def jacobian(self) -> Jacobian:
        argnums, argnames, has_aux, backend = self._options
        return jacobian(self, argnums, argnames=argnames, has_aux=has_aux, backend=backend)

    @functools.cached_property
    def hessian(self) -> Jacobian:
        argnums, argnames, has_aux, backend = self._options
        return hessian(self, argnums, argnames=argnames, has_aux=has_aux, backend=backend)

    def hvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """The Hessian at `primals` times `tangents`."""
        _, _, has_aux, backend = self._options
        return hvp(self, primals, tangents, has_aux=has_aux, backend=backend)

    def source(self, *args: Any, mode: str = "reverse", optimize: bool = True, **kwargs: Any) -> Source:
        """The generated program for these arguments; without arguments, one for any."""
        argnums, argnames, has_aux, backend = self._options
        return source_of(
            self._subject,
            args,
            kwargs,
            mode=mode,
            argnums=argnums,
            argnames=argnames,
            has_aux=has_aux,
            backend=backend,
            optimize=optimize,
        )

    def cache_info(self) -> CacheInfo:
        """Derivations and signatures so far, in all modes."""
        return self._subject.origin.cache_info()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bound like the function: `model.loss.grad(x)` does not count `self`."""
        if isinstance(self._fun, types.FunctionType) and instance is None:
            return self
        if not hasattr(self._fun, "__get__"):
            return self
        bound = self._fun.__get__(instance, owner)
        return self if bound is self._fun else BoundAdjoint(bound, *self._options)

    def __repr__(self) -> str:
        return f"<adjoint of {self._subject.name}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        found: Any = sys.modules.get(self.__module__)
        for name in self.__qualname__.split("."):
            found = getattr(found, name, None)
        if found is self:
            return str(self.__qualname__)
        return type(self), (self._fun, *self._options)

    def __copy__(self) -> Adjoint[P, R]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Adjoint[P, R]:
        return self


class BoundAdjoint(Adjoint[P, R]):
    """An `Adjoint` in a class, looked up on an instance: the method, with its derivatives."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoundAdjoint) and bool(self._fun == other._fun)

    def __hash__(self) -> int:
        return hash(self._fun)

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self._fun, types.MethodType):
            return getattr, (self._fun.__self__, self._fun.__name__)
        return super().__reduce__()  # type: ignore[return-value]

    def __deepcopy__(self, memo: dict[int, Any]) -> BoundAdjoint[P, R]:
        import copy

        if isinstance(self._fun, types.MethodType):
            fun: Any = types.MethodType(self._fun.__func__, copy.deepcopy(self._fun.__self__, memo))
            return BoundAdjoint(fun, *self._options)
        return self


@overload
def adjoint(fun: Callable[P, R], /) -> Adjoint[P, R]: ...
@overload
def adjoint(
    fun: None = None,
    /,
    *,
    argnums: Argnums | None = None,
    argnames: Argnames | None = None,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Callable[[Callable[P, R]], Adjoint[P, R]]: ...
@overload
def adjoint(
    fun: Callable[P, R],
    /,
    *,
    argnums: Argnums | None = None,
    argnames: Argnames | None = None,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Adjoint[P, R]: ...
def adjoint(fun: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Give a function its derivatives: `.grad`, `.value_and_grad`, `.vjp`, `.jvp`, `.jacobian`, `.hessian`, `.hvp`.

    Used bare or with options: `@adjoint`, `@adjoint(argnums=(0, 1), argnames="w", has_aux=True, backend="numba")`.
    """
    if fun is None:
        return functools.partial(_adjoint, **options)
    return _adjoint(fun, **options)


def _adjoint(
    fun: Callable[P, R],
    /,
    *,
    argnums: Argnums | None = None,
    argnames: Argnames | None = None,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Adjoint[P, R]:
    return Adjoint(fun, argnums, argnames, has_aux, backend)

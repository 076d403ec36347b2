"""A call's arguments, bound to the parameters as Python binds them.

Enters: a callable and the arguments of a call.  Leaves: one value a parameter, in the order of the signature: `*args`
is one tuple, `**kwargs` one dict.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

from s2s_ad.errors import SignatureError, UnsupportedSyntax

_VARARGS, _VARKEYWORDS = inspect.CO_VARARGS, inspect.CO_VARKEYWORDS


class Parameters:
    """What a function's code says of its parameters. Defaults are read from the function at each call."""

    def __init__(self, code: types.CodeType) -> None:
        positional, keyword = code.co_argcount, code.co_kwonlyargcount
        names = code.co_varnames
        self.positional = names[:positional]
        self.positional_only = frozenset(names[: code.co_posonlyargcount])
        self.keyword_only = names[positional : positional + keyword]
        following = positional + keyword
        self.variadic = names[following] if code.co_flags & _VARARGS else None
        following += self.variadic is not None
        self.keywords = names[following] if code.co_flags & _VARKEYWORDS else None
        star = () if self.variadic is None else (self.variadic,)
        double_star = () if self.keywords is None else (self.keywords,)
        self.names: tuple[str, ...] = (*self.positional, *star, *self.keyword_only, *double_star)
        self.plain = len(self.names) == positional
        self.count = positional


_parameters = functools.lru_cache(maxsize=4096)(Parameters)


class Binder:
    """Binds calls of one callable: a function with arguments that were given beforehand (`self`, `partial`)."""

    def __init__(
        self, function: types.FunctionType, before: tuple[Any, ...] = (), preset: Mapping[str, Any] | None = None
    ) -> None:
        self.function = function
        self.before = before
        self.preset = dict(preset or {})
        self.parameters = _parameters(function.__code__)
        # With this many positional arguments and no others, the arguments are the values.
        self.exact = self.parameters.count if self.parameters.plain and not before and not self.preset else -1

    def with_given(self, before: tuple[Any, ...], preset: Mapping[str, Any]) -> Binder:
        """The same with more arguments given beforehand."""
        if not before and not preset:
            return self
        return Binder(self.function, (*self.before, *before), {**self.preset, **preset})

    @property
    def label(self) -> str:
        return f"{self.function.__name__}{inspect.signature(self.function)}"

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """One value a parameter."""
        if not kwargs and len(args) == self.exact:
            return args
        return self._bind((*self.before, *args), {**self.preset, **kwargs})

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        p = self.parameters
        if len(args) > p.count and p.variadic is None:
            raise self._misfit(args, kwargs)
        values: list[Any] = list(args[: p.count])
        rest = dict(kwargs)
        try:
            self._fill(values, rest)
            if p.variadic is not None:
                values.append(args[p.count :])
            defaults = self.function.__kwdefaults__ or {}
            values += [rest.pop(name) if name in rest else defaults[name] for name in p.keyword_only]
        except KeyError:
            raise self._misfit(args, kwargs) from None
        if p.keywords is not None:
            values.append(rest)
        elif rest:
            raise self._misfit(args, kwargs)
        return tuple(values)

    def _fill(self, values: list[Any], rest: dict[str, Any]) -> None:
        """The positional parameters that no positional argument met: by keyword, else by default; else a `KeyError`."""
        p = self.parameters
        given = len(values)
        if rest and any(name in rest and name not in p.positional_only for name in p.positional[:given]):
            raise KeyError
        defaults = self.function.__defaults__ or ()
        first_default = p.count - len(defaults)
        for k in range(given, p.count):
            name = p.positional[k]
            if name in rest and name not in p.positional_only:
                values.append(rest.pop(name))
            elif k >= first_default:
                values.append(defaults[k - first_default])
            else:
                raise KeyError(name)

    def _misfit(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> SignatureError:
        try:
            inspect.Signature.bind(inspect.signature(self.function), *args, **kwargs)
        except TypeError as cause:
            return SignatureError(f"{self.function.__name__}(): {cause}", f"Its signature is {self.label}.")
        given = ", ".join(["..."] * len(args) + [f"{name}=..." for name in kwargs])
        return SignatureError(f"{self.function.__name__}({given}) fits no parameter", f"Its signature is {self.label}.")


def resolved(fun: Callable[..., Any]) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """The function that a call of `fun` runs, with the arguments that are put before and beside the call's own."""
    before: tuple[Any, ...] = ()
    preset: dict[str, Any] = {}
    while True:
        if isinstance(fun, functools.partial):
            before, preset = (*fun.args, *before), {**fun.keywords, **preset}
            fun = fun.func
        elif isinstance(fun, types.MethodType):
            before = (fun.__self__, *before)
            fun = fun.__func__
        elif isinstance(fun, types.FunctionType) or hasattr(fun, "_s2s"):
            return fun, before, preset
        elif (inner := _inside(fun)) is not None:
            fun = inner
        else:
            raise _no_function(fun)


def _inside(fun: Any) -> Callable[..., Any] | None:
    """The function in an object that returns what the function returns."""
    cls = type(fun)
    if isinstance(fun, staticmethod | classmethod):
        return fun.__func__
    if cls.__module__.startswith("numba.") and isinstance(getattr(fun, "py_func", None), types.FunctionType):
        return fun.py_func  # type: ignore[no-any-return]
    if cls.__module__.partition(".")[0] == "s2s_ad" or cls.__qualname__ in ("_lru_cache_wrapper", "PjitFunction"):
        inner: Callable[..., Any] | None = getattr(fun, "__wrapped__", None)
        return inner
    call = cls.__call__ if callable(fun) else None
    if isinstance(call, types.FunctionType):
        return types.MethodType(call, fun)
    return None


def _no_function(fun: Any) -> Exception:
    if not callable(fun):
        return SignatureError(
            f"{fun!r} is not a function", "Pass the function itself, not its result: grad(f)(x), not grad(f(x))."
        )
    name = getattr(fun, "__name__", type(fun).__name__)
    return UnsupportedSyntax(
        f"`{name}` is a `{type(fun).__module__}.{type(fun).__qualname__}`, not a function written in Python",
        f"Wrap it in one: lambda x: {name}(x).",
    )

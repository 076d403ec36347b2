"""What users hand over to be differentiated, made ready: how it is called, where its text is.

Enters: a function, a method, a partial, a derivative.  Leaves: a `Subject`.
"""

from __future__ import annotations

import functools
import itertools
import linecache
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from s2s_ad.api.binding import Binder, resolved
from s2s_ad.api.dispatch import Entry, Family, Origin, Question, origin_of
from s2s_ad.api.selection import Selection

if TYPE_CHECKING:
    from s2s_ad.frontend.source import FunctionSource

_numbers = itertools.count(1)


class Transformed(Protocol):
    """A derivative that may itself be differentiated."""

    subject: Subject
    with_value: bool
    has_aux: bool

    def plan(self, given: int) -> tuple[Selection, Family]: ...


class Subject:
    """A callable that is to be differentiated."""

    def __init__(self, fun: Callable[..., Any]) -> None:
        function, before, preset = resolved(fun)
        if hasattr(function, "_s2s"):
            derivative: Any = function
            self.binder: Binder = derivative.subject.binder.with_given(before, preset)
            self.origin: Origin = derivative.origin
        else:
            plain: Any = function
            self.binder = Binder(plain, before, preset)
            self.origin = origin_of(plain, self.binder.parameters.names)

    @property
    def name(self) -> str:
        return self.origin.name

    def family(self, mode: Any, selection: Selection, has_aux: bool, backend: str, optimize: bool = True) -> Family:
        return self.origin.ask(Question(mode, selection.wrt, has_aux, optimize, backend, selection.direct))


class DerivativeOrigin(Origin):
    """A derivative to differentiate again: a short function that calls its program, and is derived like any other."""

    def __init__(self, derivative: Transformed, name: str) -> None:
        self.derivative = derivative
        self.name = name
        self.names = derivative.subject.binder.parameters.names
        self.families = {}
        self._texts: dict[Entry, FunctionSource] = {}

    def text_for(self, values: tuple[Any, ...]) -> tuple[FunctionSource, Entry]:
        p = self.derivative.subject.binder.parameters
        given = p.count + (len(values[p.count]) if p.variadic is not None else 0)
        selection, family = self.derivative.plan(given - len(self.derivative.subject.binder.before))
        inner = family.entry_for(values)
        if inner not in self._texts:
            self._texts[inner] = _calling(inner, self.names, selection, self.derivative)
        return self._texts[inner], inner


def _calling(inner: Entry, names: tuple[str, ...], selection: Selection, derivative: Transformed) -> FunctionSource:
    """The source of a function that calls `inner`'s program and returns what the derivative returns."""
    from s2s_ad.frontend.source import retrieve

    program = inner.program
    taken = {*names, *inner.extras, program.name}
    bars = {wrt: _free(f"{wrt}_bar", taken) for wrt in selection.wrt}
    value = _free("value", taken)
    answers = [bars[s.parameter] + ("" if s.item is None else f"[{s.item!r}]") for s in selection.slots]
    answer = answers[0] if selection.single else f"({', '.join(answers)},)"
    if derivative.with_value:
        answer = f"{value}, {answer}"
    elif derivative.has_aux:
        answer = f"{answer}, {value}[1]"
    captured = {capture.parameter for capture in program.captures}
    passed = [f"{name}={name}" if name in captured else name for name in (*names, *inner.extras)]
    name = f"{program.name}_value"
    text = (
        f"def {name}({', '.join((*names, *inner.extras))}):\n"
        f"    {value}, ({', '.join(bars.values())},) = {program.name}({', '.join(passed)})\n"
        f"    return {answer}\n"
    )
    filename = f"<s2s_ad:{name} {next(_numbers)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    scope: dict[str, Any] = {program.name: program.function}
    exec(compile(text, filename, "exec"), scope)
    return retrieve(scope[name])


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def described_like(target: Any, fun: Callable[..., Any]) -> None:
    """Name, docstring and module of `fun`, on `target`."""
    for attribute in functools.WRAPPER_ASSIGNMENTS:
        if "annot" not in attribute and hasattr(fun, attribute):
            setattr(target, attribute, getattr(fun, attribute))
    if not hasattr(target, "__name__"):  # a partial, an object with __call__
        target.__name__ = target.__qualname__ = getattr(getattr(fun, "func", None), "__name__", type(fun).__name__)

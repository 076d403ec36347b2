"""`source`: the generated program as text, for given arguments or for any.

Enters: a function, and arguments or none.  Leaves: a `Source`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from s2s_ad.api.checks import check_backend
from s2s_ad.api.dispatch import Mode
from s2s_ad.api.selection import Argnames, Argnums, Selection, choose
from s2s_ad.api.subject import Subject
from s2s_ad.build.signature import spec_of
from s2s_ad.emit.source_text import Source
from s2s_ad.errors import SignatureError
from s2s_ad.ir.spec import Items, Leaf, Mapping, Spec
from s2s_ad.ir.types import Unknown

if TYPE_CHECKING:
    from s2s_ad.frontend.source import FunctionSource

MODES: dict[str, Mode] = {"reverse": "gradient", "forward": "jvp", "vjp": "vjp", "jvp": "jvp", "primal": "primal"}


def source(
    fun: Callable[..., Any],
    *args: Any,
    mode: str = "reverse",
    argnums: Argnums | None = None,
    argnames: Argnames | None = None,
    has_aux: bool = False,
    backend: str = "numpy",
    optimize: bool = True,
    **kwargs: Any,
) -> Source:
    """The program that computes the derivative of `fun` at these arguments, as text.

    mode: "reverse" (value and gradient), "vjp" (forward and reverse half), "forward" (tangent) or "primal".
    Without arguments: a program for any arguments, with run-time shapes.
    """
    check_backend(backend)
    return source_of(
        Subject(fun),
        args,
        kwargs,
        mode=mode,
        argnums=argnums,
        argnames=argnames,
        has_aux=has_aux,
        backend=backend,
        optimize=optimize,
    )


def source_of(
    subject: Subject,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    *,
    mode: str,
    argnums: Argnums | None,
    argnames: Argnames | None,
    has_aux: bool,
    backend: str,
    optimize: bool,
) -> Source:
    if mode not in MODES:
        raise SignatureError(f"unknown mode {mode!r}", f"The modes are {', '.join(map(repr, MODES))}.")
    binder = subject.binder
    selection = choose(argnums, argnames).select(binder, len(args))
    if mode == "primal":
        selection = Selection((), False)
    family = subject.family(MODES[mode], selection, has_aux, backend, optimize)
    if args or kwargs or not binder.parameters.names:
        entry = family.entry_for(binder.bind(tuple(args), kwargs))
        text, _ = subject.origin.text_for(binder.bind(tuple(args), kwargs))
        return Source(entry.program.text, primal_text(text))
    text = subject.origin.generic()
    return Source(family.answer(text, generic_specs(binder)).program.text, primal_text(text))


def source_for(
    fun: Callable[..., Any],
    given: Sequence[Spec] | None,
    *,
    mode: str,
    argnames: Argnames | None,
    backend: str,
    optimize: bool,
) -> Source:
    """The program for arguments of given types, one for each parameter; for any, if none are given."""
    check_backend(backend)
    subject = Subject(fun)
    names = subject.binder.parameters.names
    if given is not None and len(given) != len(names):
        raise SignatureError(
            f"{len(given)} types are given for the {len(names)} arguments of `{subject.name}`",
            f"Its signature is {subject.binder.label}.",
        )
    selection = choose(None, argnames).select(subject.binder, 0) if mode != "primal" else Selection((), False)
    specs = generic_specs(subject.binder) if given is None else dict(zip(names, given, strict=True))
    text = subject.origin.generic()
    family = subject.family(MODES[mode], selection, False, backend, optimize)
    return Source(family.answer(text, specs).program.text, primal_text(text))


def generic_specs(binder: Any) -> dict[str, Spec]:
    """Specs of arguments of which nothing is known but their defaults."""
    p = binder.parameters
    specs: dict[str, Spec] = {}
    given = dict(zip(p.positional, binder.before, strict=False)) | binder.preset
    signature = inspect.signature(binder.function).parameters
    for name in p.names:
        if name in given:
            specs[name] = spec_of(given[name])
        elif name == p.variadic:
            specs[name] = Items("tuple", ())
        elif name == p.keywords:
            specs[name] = Mapping((), ())
        else:
            specs[name] = _generic(signature[name].default)
    return specs


def _generic(default: Any) -> Spec:
    """Whatever is no number by default is taken to be just that; a number may be any."""
    if default is inspect.Parameter.empty or isinstance(default, float | complex):
        return Leaf(Unknown())
    return spec_of(default)


def primal_text(text: FunctionSource) -> str:
    """The author's lines."""
    return "".join(text.lines[text.tree.lineno - 1 : text.tree.end_lineno])

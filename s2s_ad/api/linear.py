"""`vjp` and `jvp`: the derivative at a point, applied from the left or from the right.

Enters: a function, primals, tangents.  Leaves: values, tangents, and pullbacks of cotangents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from s2s_ad.api.checks import check_backend, check_pair, check_structure, fitted, has_float
from s2s_ad.api.dispatch import Entry
from s2s_ad.api.selection import Choice, Selection
from s2s_ad.api.subject import Subject
from s2s_ad.api.trees import children, describe, mapped, rebuilt
from s2s_ad.errors import SignatureError


class Pullback:
    """Takes a cotangent of the result to the cotangents of the primals. May be called any number of times."""

    def __init__(
        self, entry: Entry, record: Any, result: Any, selection: Selection, places: Sequence[int | None]
    ) -> None:
        self._entry, self._record, self._result = entry, record, result
        self._selection, self._places = selection, places

    def __call__(self, cotangent: Any) -> tuple[Any, ...]:
        seed = cotangent
        if self._entry.backend != "jax":  # JAX's values may be tracers, and it checks them itself
            seed = fit("the cotangent", self._result, cotangent, "the result")
        found = self.by_slot(seed)
        return tuple(None if place is None else found[place] for place in self._places)

    def by_slot(self, seed: Any) -> tuple[Any, ...]:
        """One gradient a slot, for a cotangent that fits."""
        reverse = self._entry.program.reverse
        assert reverse is not None
        gradients = reverse(self._record, seed)
        if self._entry.settle is not None:
            gradients = self._entry.settle(gradients)
        return self._selection.gradients(gradients)

    def __repr__(self) -> str:
        return f"<pullback to {', '.join(slot.label for slot in self._selection.slots)}>"


def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False, backend: str = "numpy") -> tuple[Any, ...]:
    """`(value, pullback)`, or `(value, pullback, aux)`; `pullback(cotangent)` gives a tuple, one a primal.

    A primal that holds no float has None there.
    """
    check_backend(backend)
    return pulled(Subject(fun), primals, {}, has_aux, backend)


def pulled(
    subject: Subject, primals: tuple[Any, ...], keywords: dict[str, Any], has_aux: bool, backend: str
) -> tuple[Any, ...]:
    """`vjp` with arguments that are bound by keyword, and are constants."""
    selection, places = active_slots("vjp", subject, primals)
    value, pullback = pull(subject, selection, subject.binder.bind(primals, keywords), has_aux, backend, places)
    if not has_aux:
        return value, pullback
    return value[0], pullback, value[1]


def pull(
    subject: Subject,
    selection: Selection,
    values: tuple[Any, ...],
    has_aux: bool,
    backend: str,
    places: Sequence[int | None] | None = None,
) -> tuple[Any, Pullback]:
    """The primal's whole value, and the pullback to `selection`."""
    family = subject.family("vjp", selection, has_aux, backend)
    entry, (value, record) = family.run(values)
    result = aux_pair(subject.name, value)[0] if has_aux else value
    return value, Pullback(entry, record, result, selection, range(len(selection.slots)) if places is None else places)


def jvp(
    fun: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    has_aux: bool = False,
    backend: str = "numpy",
) -> tuple[Any, ...]:
    """`(value, tangent)`, or `(value, tangent, aux)`: the derivative at `primals` in the direction `tangents`."""
    check_backend(backend)
    return pushed(Subject(fun), primals, tangents, {}, has_aux, backend)


def pushed(
    subject: Subject,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    keywords: dict[str, Any],
    has_aux: bool,
    backend: str,
) -> tuple[Any, ...]:
    """`jvp` with arguments that are bound by keyword, and are constants."""
    check_pair("jvp", primals, tangents)
    primals = tuple(primals)
    selection, places = active_slots("jvp", subject, primals)
    if backend != "jax":
        tangents = [
            fit(f"tangent {k}", primal, tangent, f"primal {k}")
            for k, (primal, tangent) in enumerate(zip(primals, tangents, strict=True))
        ]
    by_slot = [tangent for tangent, place in zip(tangents, places, strict=True) if place is not None]
    value, tangent = push(subject, selection, subject.binder.bind(primals, keywords), by_slot, has_aux, backend)
    if not has_aux:
        return value, tangent
    value, aux = aux_pair(subject.name, value)
    return value, tangent, aux


def push(
    subject: Subject,
    selection: Selection,
    values: tuple[Any, ...],
    by_slot: Sequence[Any],
    has_aux: bool,
    backend: str,
) -> tuple[Any, Any]:
    """The primal's whole value, and the tangent of its result, for one tangent a slot."""
    family = subject.family("jvp", selection, has_aux, backend)
    tangents = _by_parameter(selection, values, by_slot)
    _, (value, tangent) = family.run(values, tangents)
    return value, tangent


def _by_parameter(selection: Selection, values: tuple[Any, ...], by_slot: Sequence[Any]) -> tuple[Any, ...]:
    """One tangent a parameter; the items of `*args` and `**kwargs` that have none get zeros, or None if they are no
    floats."""
    if selection.direct:
        return tuple(by_slot)
    found: dict[str, Any] = {}
    for slot, tangent in zip(selection.slots, by_slot, strict=True):
        if slot.item is None:
            found[slot.parameter] = tangent
            continue
        if slot.parameter not in found:
            whole = values[slot.position]
            zeros = mapped(_zero, list(whole) if isinstance(whole, tuple) else whole)
            found[slot.parameter] = zeros
        found[slot.parameter][slot.item] = tangent
    return tuple(tuple(t) if isinstance(t, list) and p in _star(selection) else t for p, t in found.items())


def _zero(leaf: Any) -> Any:
    return leaf * 0 if has_float(leaf) else None


def _star(selection: Selection) -> set[str]:
    return {slot.parameter for slot in selection.slots if isinstance(slot.item, int)}


def active_slots(what: str, subject: Subject, primals: Sequence[Any]) -> tuple[Selection, list[int | None]]:
    """The primals that hold floats, and for each primal its place among them."""
    try:
        numbers = [k for k, primal in enumerate(primals) if has_float(primal)]
    except RecursionError:
        raise SignatureError(
            f"{what} of `{subject.name}`: an argument is a container that holds itself",
            "Pass a structure without cycles.",
        ) from None
    if not numbers:
        given = ", ".join(describe(primal) for primal in primals) or "nothing"
        raise SignatureError(
            f"{what} of `{subject.name}`: no argument holds a floating-point number; given: {given}",
            "Integers have no derivative: convert what is to be differentiated with float(x) or x.astype(float).",
        )
    selection = Choice(tuple(numbers), (), False).select(subject.binder, len(primals))
    order = {number: place for place, number in enumerate(numbers)}
    return selection, [order.get(k) for k in range(len(primals))]


def aux_pair(name: str, value: Any) -> tuple[Any, Any]:
    if isinstance(value, tuple) and len(value) == 2:
        return value
    raise SignatureError(
        f"with has_aux=True `{name}` must return a pair (result, aux); it returns {describe(value)}",
        "Return exactly two values, or drop has_aux.",
    )


def fit(what: str, expected: Any, found: Any, like: str) -> Any:
    """`found` as a cotangent or tangent of `expected`: the structure, shapes and dtypes of that, else an error."""
    if type(expected) is np.ndarray is type(found) and found.dtype == expected.dtype and found.shape == expected.shape:
        return found
    check_structure(what, expected, found, like)
    return _fit(what, expected, found, like)


def _fit(what: str, expected: Any, found: Any, like: str) -> Any:
    parts = children(expected)
    if parts is None:
        return fitted(what, expected, found, like)
    others = dict(children(found) or ())
    return rebuilt(expected, [_fit(what + step, part, others[step], like + step) for step, part in parts])


def _jvp_inside(b: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """`jvp(f, ...)` in a function that is being differentiated."""
    from s2s_ad.api import nested

    return nested.pushed(b, args, kwargs)


def _vjp_inside(b: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    from s2s_ad.api import nested

    raise nested.refused(b, "vjp")


vars(jvp)["__s2s_inline__"] = _jvp_inside
vars(vjp)["__s2s_inline__"] = _vjp_inside

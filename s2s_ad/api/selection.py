"""Which arguments to differentiate: `argnums` and `argnames`, as users write them, to places in the signature.

Enters: numbers and names, a binder.  Leaves: a `Selection` of slots, in the order in which gradients are returned.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2s_ad.api.binding import Binder
from s2s_ad.errors import SignatureError

Argnums = int | Sequence[int]
Argnames = str | Sequence[str]


@dataclass(frozen=True)
class Slot:
    """A parameter, or one item of `*args` (a number) or of `**kwargs` (a name)."""

    parameter: str
    position: int
    item: int | str | None = None

    @property
    def label(self) -> str:
        return self.parameter if self.item is None else f"{self.parameter}[{self.item!r}]"

    def read(self, values: Sequence[Any]) -> Any:
        value = values[self.position]
        return value if self.item is None else value[self.item]


@dataclass(frozen=True)
class Selection:
    """The slots to differentiate, and whether the answer is one gradient or a tuple of them."""

    slots: tuple[Slot, ...]
    single: bool

    @property
    def wrt(self) -> tuple[str, ...]:
        """The parameters that hold the slots, each once."""
        return tuple(dict.fromkeys(slot.parameter for slot in self.slots))

    @property
    def direct(self) -> bool:
        """Whether the gradients of `wrt` are already the answer."""
        return all(slot.item is None for slot in self.slots)

    def gradients(self, by_parameter: Sequence[Any]) -> tuple[Any, ...]:
        """One gradient a slot, from one gradient a parameter."""
        if self.direct:
            return tuple(by_parameter)
        named = dict(zip(self.wrt, by_parameter, strict=True))
        return tuple(named[s.parameter] if s.item is None else named[s.parameter][s.item] for s in self.slots)


@dataclass(frozen=True)
class Choice:
    """`argnums` and `argnames`, checked as far as they can be without the call."""

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    single: bool

    def select(self, binder: Binder, given: int) -> Selection:
        """The slots for a call with `given` positional arguments."""
        slots = [_numbered(binder, number, given) for number in self.numbers]
        slots += [_named(binder, name) for name in self.names]
        seen: set[Slot] = set()
        for slot in slots:
            if slot in seen:
                raise SignatureError(
                    f"argument `{slot.label}` is to be differentiated twice", "Name each argument once."
                )
            seen.add(slot)
        return Selection(tuple(slots), self.single)

    def depends_on_call(self, binder: Binder) -> bool:
        return binder.parameters.variadic is not None and bool(self.numbers)


def choose(argnums: Argnums | None, argnames: Argnames | None) -> Choice:
    """What the user asks for; the first argument if nothing is said."""
    if argnums is None and argnames is None:
        argnums = 0
    numbers, one_number = _numbers(argnums)
    names, one_name = _names(argnames)
    if not numbers and not names:
        raise SignatureError("no argument to differentiate: argnums is empty", "Give at least one number or name.")
    return Choice(numbers, names, len(numbers) + len(names) == 1 and (one_number or one_name))


def _numbers(argnums: Argnums | None) -> tuple[tuple[int, ...], bool]:
    if argnums is None:
        return (), False
    items = list(argnums) if isinstance(argnums, list | tuple | range | np.ndarray) and np.ndim(argnums) == 1 else None
    try:
        if isinstance(argnums, bool) or (items is not None and any(isinstance(item, bool) for item in items)):
            raise TypeError
        if items is None:
            return (operator.index(argnums),), True  # type: ignore[arg-type]
        return tuple(operator.index(item) for item in items), False
    except TypeError:
        raise SignatureError(
            f"argnums must be an int or a sequence of ints, not {argnums!r}", "Names go into argnames=..."
        ) from None


def _names(argnames: Argnames | None) -> tuple[tuple[str, ...], bool]:
    if argnames is None:
        return (), False
    if isinstance(argnames, str):
        return (argnames,), True
    if isinstance(argnames, list | tuple) and all(isinstance(name, str) for name in argnames):
        return tuple(argnames), False
    raise SignatureError(
        f"argnames must be a string or a sequence of strings, not {argnames!r}", "Numbers go into argnums=..."
    )


def _numbered(binder: Binder, number: int, given: int) -> Slot:
    p = binder.parameters
    before = len(binder.before)
    count = p.count - before if p.variadic is None else max(p.count - before, given)
    if not -count <= number < count:
        reach = f"takes {count} positional argument{'s' * (count != 1)}"
        raise SignatureError(
            f"argnums={number} is out of range: `{binder.function.__name__}` {reach}",
            f"Its signature is {binder.label}; keyword-only arguments are chosen with argnames=...",
        )
    position = number % count + before
    if position < p.count:
        return Slot(p.positional[position], position)
    assert p.variadic is not None
    return Slot(p.variadic, p.count, position - p.count)


def _named(binder: Binder, name: str) -> Slot:
    p = binder.parameters
    if name in p.names and name != p.keywords:
        return Slot(name, p.names.index(name))
    if p.keywords is not None:
        return Slot(p.keywords, len(p.names) - 1, name)
    raise SignatureError(
        f"`{binder.function.__name__}` has no argument named {name!r}", f"Its signature is {binder.label}."
    )

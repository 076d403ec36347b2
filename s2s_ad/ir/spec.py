"""What a signature says of one argument: its pytree structure and, for each leaf, its type.

Enters: nothing.  Leaves: frozen, hashable `Spec` trees; the builder reads them, `build.signature` makes them of values.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import BuiltinMethodType, MethodType
from typing import Any, Literal

from s2s_ad.ir.types import Type


@dataclass(frozen=True)
class Leaf:
    """A number or an array."""

    type: Type


class Static:
    """A value that is part of the signature itself: None, a bool, a string, a function, any other passive object.

    Equal by value for None, bool, str, bytes and enums, else by identity; methods, of which every look-up makes
    another, by the identity of what they are bound to.
    """

    __slots__ = ("key", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.key: Any = id(value)
        if value is None or isinstance(value, bool | str | bytes):
            self.key = type(value), value
        elif isinstance(value, MethodType):
            self.key = MethodType, id(value.__self__), id(value.__func__)
        elif isinstance(value, BuiltinMethodType) and value.__self__ is not None:
            self.key = BuiltinMethodType, id(value.__self__), value.__name__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Static({self.value!r})"


@dataclass(frozen=True)
class Items:
    """A list or a tuple."""

    kind: Literal["list", "tuple"]
    items: tuple[Spec, ...]


@dataclass(frozen=True)
class Mapping:
    """A dict; keys keep their order."""

    keys: tuple[Any, ...]
    items: tuple[Spec, ...]


@dataclass(frozen=True)
class Fields:
    """A named tuple, a dataclass, or a simple object whose attributes are its `__dict__`."""

    cls: type
    names: tuple[str, ...]
    items: tuple[Spec, ...]


Spec = Leaf | Static | Items | Mapping | Fields

"""The structure of a program's result.

Enters: the abstract value of the result.  Leaves: its `Spec`, or None where it is known only at run time.
"""

from __future__ import annotations

from typing import Any

from s2s_ad.build.values import Abs, DictObject, Instance, Known, ListObject, Num, ObjectRef, Tup, is_number
from s2s_ad.ir.spec import Fields, Items, Leaf, Mapping, Spec, Static
from s2s_ad.ir.types import ListOf, Opaque, TupleOf, type_of_value


def result_spec(value: Abs, builder: Any) -> Spec | None:
    match value:
        case Num():
            return None if isinstance(value.type, ListOf | TupleOf | Opaque) else Leaf(value.type)
        case Known(v) if is_number(v):
            return Leaf(type_of_value(v))
        case Known(v):
            return Static(v)
        case Tup(items, cls):
            parts = [result_spec(v, builder) for v in items]
            known = tuple(p for p in parts if p is not None)
            if len(known) != len(parts):
                return None
            if cls is not None:
                return Fields(cls, tuple(getattr(cls, "_fields", ())), known)
            return Items("tuple", known)
        case ObjectRef(site):
            obj = builder.state.heap[site]
            parts = [result_spec(v, builder) for v in obj.items]
            known = tuple(p for p in parts if p is not None)
            if len(known) != len(parts):
                return None
            match obj:
                case ListObject():
                    return Items("list", known)
                case DictObject(keys):
                    return Mapping(keys, known)
                case Instance(cls, names):
                    return Fields(cls, names, known)
    return None

"""Signatures: what the compiler is told of the arguments of a call.

Enters: run-time values.  Leaves: `Spec` trees, and hashable keys that are equal exactly where the specs are.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from s2s_ad.errors import InternalError, SignatureError
from s2s_ad.ir.spec import Fields, Items, Leaf, Mapping, Spec, Static
from s2s_ad.ir.types import Array, N, Scalar, type_of_value

_NUMBERS = (int, float, complex)
_LIBRARIES = frozenset({"numpy", "scipy", "pandas", "jax", "jaxlib", "numba", "torch", "builtins"})
_CYCLE = ("a container that holds itself", "Pass a structure without cycles.")
_FUNCTIONS = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, np.ufunc, np.dtype)
_PASSED_THROUGH = (*_FUNCTIONS, types.ModuleType, list, dict, set, frozenset, BaseException)
_BY_VALUE = (type(None), bool, str, bytes)


def spec_of(value: Any) -> Spec:
    """What a signature says of `value`. What is `Static` by identity must be kept alive with the spec."""
    return _spec(value, ())


def _spec(value: Any, above: tuple[int, ...]) -> Spec:
    if value is None or isinstance(value, bool | str | bytes | enum.Enum):
        return Static(value)
    if _is_number(value):
        return Leaf(type_of_value(value))
    if isinstance(value, np.ndarray):
        refuse_array(value)
        return Leaf(type_of_value(value))
    if _is_jax_array(value):
        return Leaf(_jax_type(value))
    if id(value) in above:
        raise SignatureError(*_CYCLE)
    above = (*above, id(value))
    if type(value) in (list, tuple):
        kind = "list" if type(value) is list else "tuple"
        return Items(kind, tuple(_spec(item, above) for item in value))  # type: ignore[arg-type]
    if type(value) is dict:
        return Mapping(tuple(value), tuple(_spec(item, above) for item in value.values()))
    names = _fields(value)
    if names is None:
        return Static(value)
    items = tuple(_spec(getattr(value, name), above) for name in names)
    return Fields(type(value), names, items)


def _is_number(value: Any) -> bool:
    if isinstance(value, np.generic):
        return value.dtype.kind in "biufc"
    return isinstance(value, _NUMBERS)


def _is_jax_array(value: Any) -> bool:
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(value, jax.Array)


def _jax_type(value: Any) -> Array:
    dtype = np.dtype(value.dtype)
    if dtype.kind not in "biufc":
        raise SignatureError(f"an array of dtype {dtype}", "Convert it: `x.astype('float32')`.")
    return Array(dtype, tuple(1 if n == 1 else N for n in value.shape))


def refuse_array(value: np.ndarray) -> None:
    """Refuse the arrays whose arithmetic is not that of plain numeric arrays."""
    if type(value) is not np.ndarray:
        name = type(value).__name__
        if isinstance(value, np.ma.MaskedArray):
            raise SignatureError("a masked array", "Pass `x.filled(...)`, or the data and the mask as two arguments.")
        raise SignatureError(f"a `{name}`, which is a subclass of ndarray", "Pass a plain array: `np.asarray(x)`.")
    if value.dtype.kind in "biufc":
        return
    if value.dtype.names is not None:
        raise SignatureError("a structured array", "Pass its fields as arrays of their own.")
    remedy = "Convert it: `x.astype(float)`." if value.dtype.kind == "O" else "Pass numbers."
    raise SignatureError(f"an array of dtype {value.dtype}", remedy)


def _refuse_frame(value: Any) -> None:
    if type(value).__module__.split(".")[0] == "pandas":
        raise SignatureError(f"a pandas {type(value).__name__}", "Pass a plain array: `x.to_numpy()`.")


def _fields(value: Any) -> tuple[str, ...] | None:
    """The names of a structure's parts, or None for an object that is passed through as it is."""
    _refuse_frame(value)
    cls = type(value)
    if isinstance(value, tuple):
        names = getattr(cls, "_fields", None)
        return tuple(names) if isinstance(names, tuple) else None
    if isinstance(value, _PASSED_THROUGH):
        return None
    if dataclasses.is_dataclass(value):
        return tuple(field.name for field in dataclasses.fields(value) if hasattr(value, field.name))
    return _attributes(value)


def _attributes(value: Any) -> tuple[str, ...] | None:
    cls = type(value)
    root = cls.__module__.split(".")[0]
    if root in _LIBRARIES or root in sys.stdlib_module_names - {"__main__"}:
        return None
    attributes = getattr(value, "__dict__", None)
    if type(attributes) is not dict or any(getattr(base, "__slots__", None) for base in cls.__mro__):
        return None
    if not all(_is_plain(item, (id(value),)) for item in attributes.values()):
        return None
    return tuple(attributes)


def _is_plain(value: Any, above: tuple[int, ...]) -> bool:
    if value is None or isinstance(value, (bool, str, bytes, enum.Enum, *_FUNCTIONS)) or _is_number(value):
        return True
    if isinstance(value, np.ndarray):
        return type(value) is np.ndarray and value.dtype.kind in "biufc"
    if _is_jax_array(value):
        return True
    if id(value) in above:
        return False
    above = (*above, id(value))
    if type(value) in (list, tuple):
        return all(_is_plain(item, above) for item in value)
    if type(value) is dict:
        return all(_is_plain(item, above) for item in value.values())
    names = _fields(value)
    return names is not None and all(_is_plain(getattr(value, name), above) for name in names)


def key_of(value: Any) -> Any:
    """A hashable that is equal for two values exactly where their specs are.

    Objects that a signature knows by identity are in the key itself, which so keeps them alive.
    """
    try:
        return _KEYS.get(type(value), _key_by_spec)(value)
    except RecursionError:
        raise SignatureError(*_CYCLE) from None


def args_key(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The keys of the arguments of a call."""
    get = _KEYS.get
    try:
        return tuple([get(type(arg), _key_by_spec)(arg) for arg in args])
    except RecursionError:
        raise SignatureError(*_CYCLE) from None


# The first entry of a key says what it is of. A dtype equals types and strings that name it, never a small integer.
_STATIC, _LIST, _TUPLE, _DICT, _FIELDS, _NUMBER = range(6)


def _array_key(value: np.ndarray) -> Any:
    shape = value.shape
    return value.dtype, tuple([n == 1 for n in shape]) if 1 in shape else len(shape)


def _key_by_spec(value: Any) -> Any:
    return _key_of_spec(spec_of(value))


def _key_of_spec(spec: Spec) -> Any:
    match spec:
        case Leaf(Array(dtype, dims)):
            return dtype, tuple([dim == 1 for dim in dims]) if 1 in dims else len(dims)
        case Leaf(Scalar(dtype, weak)):
            return type(dtype.type().item()) if weak else (_NUMBER, dtype)
        case Static():
            return (_STATIC, *spec.key) if isinstance(spec.value, _BY_VALUE) else spec
        case Items(kind, items):
            return (_LIST if kind == "list" else _TUPLE, *map(_key_of_spec, items))
        case Mapping(keys, items):
            return _DICT, keys, *map(_key_of_spec, items)
        case Fields(cls, names, items):
            return _FIELDS, cls, names, *map(_key_of_spec, items)
    raise InternalError(f"no key for {spec}")


def _static_key(value: Any) -> Any:
    return _STATIC, type(value), value


def _list_key(value: list[Any]) -> Any:
    return _LIST, *map(key_of, value)


def _tuple_key(value: tuple[Any, ...]) -> Any:
    return _TUPLE, *map(key_of, value)


def _dict_key(value: dict[Any, Any]) -> Any:
    return _DICT, tuple(value), *map(key_of, value.values())


def _numpy_number_key(value: np.generic) -> Any:
    return _NUMBER, value.dtype


_KEYS: dict[type, Callable[[Any], Any]] = {
    np.ndarray: _array_key,
    int: type,
    float: type,
    complex: type,
    bool: _static_key,
    str: _static_key,
    bytes: _static_key,
    type(None): _static_key,
    list: _list_key,
    tuple: _tuple_key,
    dict: _dict_key,
}
_KEYS.update({kind: _numpy_number_key for kind in np.sctypeDict.values() if np.dtype(kind).kind in "biufc"})

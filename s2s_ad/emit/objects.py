"""The text by which emitted code reaches a Python object.

Enters: a function, class or other object.  Leaves: `np.tanh`, `math.sin`, `len`, or a name that the program's namespace
binds.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from typing import Any

import numpy as np

from s2s_ad.ir.names import Names

_ALIASES = {"numpy": "np"}


class Objects:
    """Collects the imports of a module and the objects that it must be given."""

    def __init__(self, names: Names, local: set[str]) -> None:
        self.names = names
        self.imports: dict[str, str] = {}
        self.given: dict[str, Any] = {}
        self._given_names: dict[int, str] = {}
        self._local = local
        self.functions: dict[str, Any] = {}

    def __call__(self, value: Any, hint: str) -> str:
        if isinstance(value, np.dtype):
            return (
                self(np.dtype, "dtype") + f"({value.str!r})"
                if value.names or value.kind not in "biufc"
                else self._dtype(value)
            )
        path = self._path(value)
        if path is not None:
            return path
        return self._give(value, hint)

    def _dtype(self, value: np.dtype) -> str:
        return f"{self._module('numpy')}.{value.name}"

    def _path(self, value: Any) -> str | None:
        owner = getattr(value, "__self__", None)
        if isinstance(owner, np.ufunc):
            return f"{self(owner, '')}.{value.__name__}"
        if isinstance(value, type(importlib)):
            return self._module(value.__name__)
        name = getattr(value, "__name__", None)
        if not isinstance(name, str):
            return None
        if getattr(builtins, name, None) is value and name not in self._local:
            return name
        for module in _candidates(value):
            if getattr(importlib.import_module(module), name, None) is value:
                return f"{self._module(module)}.{name}"
        return None

    def _module(self, module: str) -> str:
        parts = module.split(".")
        root = parts[0]
        if root == "numpy":
            alias = "np"
            while alias in self._local:
                alias += "_"
            self.imports["numpy"] = f"import numpy as {alias}" if alias != "numpy" else "import numpy"
            return ".".join([alias, *parts[1:]])
        if root in self._local:
            alias = self.names.fresh(f"{parts[-1]}_module")
            self.imports.setdefault(module, f"import {module} as {alias}")
            return self.imports[module].split(" as ")[1]
        self.imports[module] = f"import {module}"
        return module

    def _importable(self, value: Any) -> str | None:
        """The module from which a user's class or function can be imported by name."""
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
        if not isinstance(module, str) or module == "__main__" or module.startswith("s2s_ad") or "." in name:
            return None
        found = sys.modules.get(module)
        return module if found is not None and getattr(found, name, None) is value else None

    def _give(self, value: Any, hint: str) -> str:
        key = id(value)
        if key not in self._given_names:
            module = self._importable(value)
            if module is not None:
                name = self.names.fresh(value.__name__)
                alias = "" if name == value.__name__ else f" as {name}"
                self.imports[f"{module}.{name}"] = f"from {module} import {value.__name__}{alias}"
                self._given_names[key] = name
                return name
            name = getattr(value, "__name__", hint) or hint or "given"
            name = name if name.isidentifier() else "given"
            name = self.names.fresh(name)
            self._given_names[key] = name
            self.given[name] = value
        return self._given_names[key]


def _candidates(value: Any) -> list[str]:
    module = getattr(value, "__module__", None)
    if isinstance(value, np.ufunc):
        scipy = ["scipy.special"] if _from_scipy(value) else []
        return ["numpy", *scipy]
    if not isinstance(module, str):
        return ["numpy", "math"]
    root = module.split(".")[0]
    if root == "numpy":
        public = ["numpy", "numpy.linalg", "numpy.fft", "numpy.lib.scimath", "numpy.lib.stride_tricks"]
        return [*public, "numpy.random"]
    if root in ("math", "cmath", "operator", "_operator"):
        return [root.lstrip("_")]
    if root == "scipy":
        return [".".join(module.split(".")[:2]), "scipy"]
    return []


def _from_scipy(value: Any) -> bool:
    return getattr(np, value.__name__, None) is not value

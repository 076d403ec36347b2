"""Emitted text as running code: plain Python on NumPy.

Enters: a `Module`.  Leaves: the namespace that its text defines. The text is registered with `linecache`, so that
debuggers step through it and tracebacks show it.
"""

from __future__ import annotations

import hashlib
import linecache
from typing import Any

from s2s_ad.emit.module import Module
from s2s_ad.frontend.source import FunctionSource


def compile_module(module: Module, source: FunctionSource, frames: Any) -> dict[str, Any]:
    digest = hashlib.sha256(module.text.encode()).hexdigest()[:12]
    filename = f"<s2s_ad:{module.entry}:{digest}>"
    namespace: dict[str, Any] = {"__name__": f"s2s_ad.emitted.{module.entry}", "__builtins__": __builtins__}
    namespace |= module.given
    linecache.cache[filename] = (len(module.text), None, module.text.splitlines(keepends=True), filename)
    exec(compile(module.text, filename, "exec", dont_inherit=True), namespace)
    for name, original in module.originals.items():
        # A derivative of this program finds the rule of the function, not a copy of its text.
        namespace[name].__s2s_primal__ = original
    return namespace

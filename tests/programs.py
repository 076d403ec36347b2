"""Programs given as text.

Enters: the text of a module and a folder.  Leaves: the function `f` that it defines, with source that can be found.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any


def load(text: str, folder: Path) -> Any:
    """The function `f` of a module written to `folder`."""
    path = folder / "program.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("program", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.f


def define(folder: Path, *body: str) -> Any:
    """The function `f` of `x` with these lines."""
    return load("import numpy as np\n\n\ndef f(x):\n" + "".join(f"    {line}\n" for line in body), folder)

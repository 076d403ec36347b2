"""The house's floors: each module imports only from its own floor or from floors below.

Enters: the text of every module of s2s_ad, parsed, never imported.  Leaves: a list of imports that climb.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "s2s_ad"

# From the ground up. Rooms on one line are neighbours: they may use one another.
FLOORS: list[set[str]] = [
    {"errors"},
    {"ir"},
    {"frontend"},
    {"rules"},
    {"build"},
    {"analysis"},
    {"simplify"},  # works on any IR, and the differentiator folds what it writes
    {"differentiate"},
    {"emit"},
    {"backends"},
    {"pipeline"},
    {"api", "testing"},
    {"cli", "report"},
]
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}

DEPENDENCIES = {"numpy", "libcst"}
# A floor may need one of these only where it is asked for, so they are imported inside functions or guarded.
OPTIONAL = {"scipy", "optree", "rich", "pygments", "IPython"}
# Compilers that only a backend may touch.
COMPILERS = {"jax", "jaxlib", "numba", "llvmlite"}

MAX_LINES, MAX_FUNCTION = 700, 50
WANTED_LINES = 400


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str | None:
    """The room that a dotted module name lies in; None for the package itself, which stands above all."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def imports(tree: ast.AST, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported, at module level or inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: None if is_package else -1]
                parents = parents[: len(parents) - (node.level - 1)]
                base = ".".join([*parents, *([base] if base else [])])
            # `from s2s_ad import rules` names a room; `from s2s_ad.rules import x` names it already.
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def climbing(module: str, imported: str) -> str | None:
    """Why `module` may not import `imported`, or None."""
    top = imported.split(".")[0]
    here = room_of(module)
    if here is not None and top in COMPILERS and here != "backends":
        return f"imports {top}, which only backends/ may"
    if top != "s2s_ad":
        known = top in sys.stdlib_module_names or top in DEPENDENCIES | OPTIONAL | COMPILERS
        return None if known else f"imports {top}, which is no dependency of s2s_ad"
    there = room_of(imported)
    if here is None or there is None or here == there:
        return None
    if there not in HEIGHT:
        return None if here in HEIGHT and there == "__version__" else f"imports {imported}, a room on no floor"
    if here not in HEIGHT:
        return f"{here} stands on no floor: give it one in FLOORS"
    return f"climbs from {here} to {there}" if HEIGHT[there] > HEIGHT[here] else None


def test_imports_go_down_only() -> None:
    wrong = []
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = dotted(path)
        for line, name in imports(tree, module, path.name == "__init__.py"):
            reason = climbing(module, name)
            if reason:
                wrong.append(f"{path.relative_to(PACKAGE.parent)}:{line}: {reason}")
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("s2s_ad.ir.types", "from s2s_ad.build import walk"),
        ("s2s_ad.ir.types", "def f():\n    from s2s_ad import emit"),
        ("s2s_ad.ir.types", "from ..pipeline import compile_adjoint"),
        ("s2s_ad.rules.registry", "import s2s_ad.differentiate.reverse"),
        ("s2s_ad.emit.numpy", "import jax.numpy as jnp"),
        ("s2s_ad.api", "def f():\n    import numba"),
        ("s2s_ad.attic.things", "from s2s_ad.ir import types"),
        ("s2s_ad.ir.types", "import pandas"),
    ],
)
def test_the_check_sees_a_climb(module: str, text: str) -> None:
    found = list(imports(ast.parse(text), module, is_package=False))
    assert found
    assert all(climbing(module, name) for _, name in found)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("s2s_ad.build.walk", "from s2s_ad.ir.types import Array"),
        ("s2s_ad.build.walk", "from . import values"),
        ("s2s_ad.backends.jax", "import jax"),
        ("s2s_ad.api", "from s2s_ad.testing import check_grads"),
        ("s2s_ad.frontend.comments", "import libcst as cst"),
    ],
)
def test_the_check_lets_descents_pass(module: str, text: str) -> None:
    found = list(imports(ast.parse(text), module, is_package=False))
    assert found
    assert not any(climbing(module, name) for _, name in found)


def test_files_have_one_reason_to_exist() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    for path, length in lengths.items():
        if WANTED_LINES < length <= MAX_LINES:
            print(f"{path.relative_to(PACKAGE.parent)}: {length} lines, wanted {WANTED_LINES}")
    too_long = {str(path.relative_to(PACKAGE.parent)): n for path, n in lengths.items() if n > MAX_LINES}
    assert not too_long
    assert not [path for path in lengths if path.name in {"utils.py", "util.py", "helpers.py", "misc.py", "common.py"}]


def test_functions_can_be_seen_whole() -> None:
    """Reported, not refused: `pytest -s tests/test_layers.py` lists them."""
    long_functions = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION:
                    long_functions.append((length, f"{path.relative_to(PACKAGE.parent)}:{node.lineno} {node.name}"))
    for length, where in sorted(long_functions, reverse=True):
        print(f"{where}: {length} lines, wanted {MAX_FUNCTION}")
    assert not [where for length, where in long_functions if length > 3 * MAX_FUNCTION]


def test_every_module_says_what_enters_and_leaves() -> None:
    silent = [
        str(path.relative_to(PACKAGE.parent))
        for path in modules()
        if path.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent

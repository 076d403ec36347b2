"""The bar for what is emitted: five adjoints written by hand, and ours held against them.

Goldens are renewed with `pytest tests/test_expert_pairs.py --update-goldens`; read the difference before you commit it.
"""

from __future__ import annotations

import ast
import difflib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import oracles
import pytest
from checking import run_text
from goldens.pairs import pairs

GOLDENS = Path(__file__).parent / "goldens"
NAMES = ("loss", "smooth", "settle", "seidel", "window")


def pair(name: str) -> Any:
    return pairs(np.random.default_rng(3))[name]  # type: ignore[no-untyped-call]


def emitted(name: str) -> str:
    import s2s_ad

    primal, _, args, argnums = pair(name)
    return str(s2s_ad.source(primal, *args, argnums=argnums))


def functions(text: str) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]


def statements(nodes: list[ast.FunctionDef]) -> int:
    """Statements in the bodies, docstrings not counted."""
    count = 0
    for function in nodes:
        for node in ast.walk(function):
            docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            count += isinstance(node, ast.stmt) and not docstring and node is not function
    return count


def recorded(nodes: list[ast.FunctionDef]) -> set[str]:
    """The names that are appended to a list which is no cotangent, or saved by a copy."""
    found = set()
    for node in (inner for function in nodes for inner in ast.walk(function)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            owner = ast.unparse(node.func.value)
            if not owner.endswith("_bar"):
                found.add(ast.unparse(node.args[0]).removesuffix(".copy()"))
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and "_saved" in node.targets[0].id:
            found.add(ast.unparse(node.value).removesuffix(".copy()"))
    return found


def by_hand(name: str) -> list[ast.FunctionDef]:
    text = (GOLDENS / "pairs.py").read_text()
    return [function for function in functions(text) if function.name == f"{name}_adjoint"]


@pytest.mark.parametrize("name", NAMES)
def test_the_hand_written_adjoint_is_right(name: str) -> None:
    primal, adjoint, args, argnums = pair(name)
    value, gradient = adjoint(*oracles.copied(list(args)))
    wrt = (argnums,) if isinstance(argnums, int) else argnums
    assert value == pytest.approx(primal(*args), rel=1e-12)
    oracles.assert_derivative(primal, args, wrt, (gradient,) if isinstance(argnums, int) else gradient)


@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str, update_goldens: bool) -> None:
    path = GOLDENS / f"{name}.txt"
    text = emitted(name)
    if update_goldens:
        path.write_text(text)
    assert path.exists(), f"no golden {path.name}: run with --update-goldens"
    golden = path.read_text()
    assert text == golden, "".join(
        difflib.unified_diff(golden.splitlines(True), text.splitlines(True), path.name, "emitted")
    )


@pytest.mark.parametrize("name", NAMES)
def test_no_more_than_a_quarter_more_statements(name: str) -> None:
    text = emitted(name)
    ours, theirs = statements(functions(text)), statements(by_hand(name))
    assert ours <= 1.25 * theirs, f"{ours} statements, {theirs} by hand:\n{text}"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_values_are_recorded(name: str) -> None:
    text = emitted(name)
    assert recorded(functions(text)) == recorded(by_hand(name)), text


@pytest.mark.parametrize("name", NAMES)
def test_emitted_text_agrees_with_the_hand_written_adjoint(name: str) -> None:
    import s2s_ad

    primal, adjoint, args, argnums = pair(name)
    expected = adjoint(*oracles.copied(list(args)))
    oracles.assert_close(s2s_ad.value_and_grad(primal, argnums=argnums)(*args), expected, rtol=1e-12)
    for optimize in (True, False):
        text = str(s2s_ad.source(primal, *args, argnums=argnums, optimize=optimize))
        oracles.assert_close(run_text(text, primal, args), expected, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_text_is_marked_and_imports_numpy_only(name: str) -> None:
    text = emitted(name)
    assert "# forward sweep" in text and "# reverse sweep" in text
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {ast.unparse(node) for node in imports} <= {"import numpy as np", "from __future__ import annotations"}
    entry = functions(text)[-1]
    assert ast.get_docstring(entry), "no docstring that states the contract"


def test_the_comments_of_the_author_and_the_adjoint_lines_are_there() -> None:
    text = emitted("loss")
    forward, reverse = text.split("# reverse sweep")
    assert "# one layer" in forward
    assert "# h = np.tanh(h @ W + b)" in reverse


def test_the_same_bytes_under_any_hash_seed() -> None:
    script = "from test_expert_pairs import NAMES, emitted\nfor name in NAMES:\n    print(emitted(name))\n"
    texts = set()
    for seed in ("0", "1", "4242"):
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        }
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr
        texts.add(done.stdout)
    assert len(texts) == 1

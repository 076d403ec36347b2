"""The examples run, in their quick form, and do what they say.

Enters: examples/*.py, each in a process of its own.  Leaves: an assertion on what it printed.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

for package in ("matplotlib", "scipy", "sklearn", "tqdm"):
    pytest.importorskip(package)

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run_example(name: str, *options: str) -> str:
    """What the example prints."""
    environment = os.environ | {"MPLBACKEND": "Agg", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(EXAMPLES.parent)
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *options], env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout


def accuracy_of(output: str) -> float:
    found = re.search(r"test accuracy ([\d.]+)%", output)
    assert found, output
    return float(found[1])


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_digits(optimizer: str, tmp_path: Path) -> None:
    output = run_example("train_digits.py", "--quick", "--optimizer", optimizer, "--out", str(tmp_path))
    assert "# reverse sweep" in output
    assert accuracy_of(output) > 85.0
    assert {path.name for path in tmp_path.iterdir()} == {"digits_loss.png", "digits_misread.png"}


@pytest.mark.benchmark
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("seed", range(3))
def test_digits_are_learnt_in_time(optimizer: str, seed: int, tmp_path: Path) -> None:
    output = run_example("train_digits.py", "--optimizer", optimizer, "--seed", str(seed), "--out", str(tmp_path))
    seconds = re.search(r"after ([\d.]+) s of training", output)
    assert seconds and float(seconds[1]) < 15.0
    assert accuracy_of(output) >= 97.0


def test_xor() -> None:
    output = run_example("xor.py", "--quick")
    last = output.rstrip().splitlines()[-1]
    counts = re.match(r"(\d+) of 4 seeds learnt XOR in under 1000 rounds", last)
    assert counts, output
    assert int(counts[1]) == output.count(": learnt after") > 0


def test_pendulum(tmp_path: Path) -> None:
    output = run_example("pendulum.py", "--quick", "--out", str(tmp_path))
    assert "# reverse sweep" in output
    rows = re.findall(r"^(?:damping|length|first angle) +([\d.]+) +([\d.]+) +([\d.]+)$", output, re.MULTILINE)
    assert len(rows) == 3
    for guess, found, true in rows:
        assert abs(float(found) - float(true)) < 0.2 * abs(float(guess) - float(true))
    assert (tmp_path / "pendulum.png").exists()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_hold_no_derivative_of_their_own(path: Path) -> None:
    """The point of an example is that its gradient comes from `adjoint`; and every one says how it is run."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    decorated = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and any("adjoint" in ast.dump(d) for d in node.decorator_list)
    ]
    assert decorated
    assert f"python examples/{path.name}" in (ast.get_docstring(tree) or "")
    assert f"test_{path.stem.removeprefix('train_')}" in globals(), "no test runs this example"

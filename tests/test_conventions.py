"""The tables of docs/conventions.md, row by row.

Enters: the Markdown.  Leaves: an assertion where the compiled gradient is not what the row says.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2s_ad import grad

PAGE = Path(__file__).resolve().parents[1] / "docs" / "conventions.md"
ROW = re.compile(r"^\| `(?P<expression>[^|]+)` \| `(?P<point>[^|]+)` \| `(?P<derivative>[^|]+)` \|", re.MULTILINE)
ROWS = [match.groups() for match in ROW.finditer(PAGE.read_text(encoding="utf-8"))]


def function_in_file(expression: str, names: list[str], path: Path) -> Any:
    """A function with a source of its own."""
    text = f"import numpy as np\n\n\ndef function({', '.join(names)}):\n    return {expression}\n"
    path.write_text(text, encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "row"}
    exec(compile(text, str(path), "exec", dont_inherit=True), namespace)
    return namespace["function"]


def test_every_row_is_read() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert len(ROWS) == len(lines) >= 40


@pytest.mark.parametrize(("expression", "point", "derivative"), ROWS)
def test_row(expression: str, point: str, derivative: str, tmp_path: Path) -> None:
    values = eval(f"dict({point})", {"np": np})
    expected = eval(f"({derivative},)", {"np": np})
    function = function_in_file(expression, list(values), tmp_path / "row.py")
    finite = all(np.all(np.isfinite(part)) for part in expected)
    # Where the derivative is finite, nothing on the way may warn.
    with np.errstate(all="raise" if finite else "ignore"):
        found = grad(function, argnums=tuple(range(len(values))))(*values.values())
    assert len(found) == len(expected)
    for part, wanted, value in zip(found, expected, values.values()):
        assert type(part) is type(value)
        np.testing.assert_allclose(part, wanted, rtol=1e-12, atol=0)

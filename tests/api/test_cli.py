"""`s2s-ad show`: the file is parsed, never run.

Enters: files that would leave a trace if anything in them ran.  Leaves: printed programs, no trace.
"""

from __future__ import annotations

import numpy as np
import pytest

from s2s_ad import cli
from s2s_ad.errors import SignatureError
from s2s_ad.ir.spec import Items, Leaf, Mapping
from s2s_ad.ir.types import FLOAT, INT, Array, Scalar, Unknown

pytestmark = [pytest.mark.quick, pytest.mark.usefixtures("derivations")]

HOSTILE = '''
import numpy as np
import evil_module
from . import sibling
from os import path
TRACE = open({trace!r}, "a").write("module ")
FACTOR = 3.0

def trace(*args, **kwargs):
    open({trace!r}, "a").write("called ")
    return lambda f: f

@trace()
def loss(x: trace(), k=trace(), *, z=2.0) -> trace():
    """What it does."""
    return np.sum(x * x) * FACTOR

class Model(metaclass=trace()):
    W: trace() = trace()

    @trace()
    def energy(self, x, scale=0.5):
        return scale * x

trace()
'''


@pytest.fixture
def hostile(tmp_path):
    path = tmp_path / "hostile.py"
    trace = tmp_path / "trace"
    path.write_text(HOSTILE.format(trace=str(trace)))
    yield path
    assert not trace.exists()


def test_nothing_runs(hostile, derivations, capsys) -> None:
    assert cli.main(["show", f"{hostile}:loss"]) == 0
    assert "gradient of loss" in capsys.readouterr().out
    name, specs, question = derivations[-1]
    assert name == "loss" and question.wrt == ("x",)
    assert specs == dict.fromkeys(("x", "k", "z"), Leaf(Unknown()))


def test_methods_and_options(hostile, derivations, tmp_path, capsys) -> None:
    out = tmp_path / "out.py"
    arguments = ["show", f"{hostile}:Model.energy", "--wrt", "x, scale", "--mode", "forward", "--no-optimize"]
    assert cli.main([*arguments, "--types", "int, float64[n, 1], float", "-o", str(out)]) == 0
    _, specs, question = derivations[-1]
    assert specs == {"self": Leaf(INT), "x": Leaf(Array(np.dtype(float), ("N", 1))), "scale": Leaf(FLOAT)}
    assert (question.mode, question.wrt, question.optimize) == ("jvp", ("x", "scale"), False)
    assert "jvp of energy" in out.read_text() and not capsys.readouterr().out


def test_names_that_the_text_alone_settles(hostile) -> None:
    function = cli.load(hostile, "loss")
    assert function.__globals__["np"] is np and function.__globals__["FACTOR"] == 3.0
    assert not {"evil_module", "path", "TRACE"} & set(function.__globals__)
    assert function.__kwdefaults__ == {"z": 2.0} and function.__defaults__ is None


def test_types() -> None:
    float64 = np.dtype(float)
    assert cli.parse_types("") == []
    assert cli.parse_types("float, int") == [Leaf(FLOAT), Leaf(INT)]
    assert cli.parse_types("float32") == [Leaf(Scalar(np.dtype(np.float32), weak=False))]
    assert cli.parse_types("float[n, 1, 5]") == [Leaf(Array(float64, ("N", 1, "N")))]
    (array,) = cli.parse_types("float64[_, _]")
    assert array.type.dims[0] != array.type.dims[1] and str(array.type) == "float64[?, ?]"
    (tree,) = cli.parse_types("[(float64[n], float), {'w': int}]")
    layer = Items("tuple", (Leaf(Array(float64, ("N",))), Leaf(FLOAT)))
    assert tree == Items("list", (layer, Mapping(("w",), (Leaf(INT),))))


@pytest.mark.parametrize(
    "text", ["foo", "float[", "object", "float[0.5]", "float[x]", "f()", "__import__('os')", "str"]
)
def test_wrong_types_are_refused(text) -> None:
    with pytest.raises(SignatureError):
        cli.parse_types(text)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("{path}", "path.py:function"),
        ("{path}:", "path.py:function"),
        ("{path}:no_such", "no function `no_such`"),
        ("{path}:Model.no_such", "no function `Model.no_such`"),
        ("{path}:TRACE", "no function"),
        ("{path}:loss()", "path.py:function"),
        ("{path}.gone:loss", "No such file"),
    ],
)
def test_wrong_targets_are_refused(hostile, capsys, target, words) -> None:
    assert cli.main(["show", target.format(path=hostile)]) == 1
    captured = capsys.readouterr()
    assert words in captured.err and not captured.out


def test_a_file_that_does_not_parse(tmp_path, capsys) -> None:
    path = tmp_path / "broken.py"
    for text in ("def f(:\n", "x = " + "(" * 5000, "\0"):
        path.write_text(text)
        assert cli.main(["show", f"{path}:f"]) == 1
        assert "does not parse" in capsys.readouterr().err


def test_a_number_of_types_that_does_not_fit(hostile, capsys) -> None:
    assert cli.main(["show", f"{hostile}:loss", "--types", "float"]) == 1
    assert "1 types are given for the 3 arguments" in capsys.readouterr().err


def test_wrong_usage_exits_with_two(capsys) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["show"])
    assert exit_.value.code == 2

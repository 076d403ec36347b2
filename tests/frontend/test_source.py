"""The source of a function is the text that it was compiled from, or an error."""

from __future__ import annotations

import ast
import contextlib
import doctest
import functools
import importlib.util
import linecache
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from s2s_ad.errors import SourceNotFound, UnsupportedSyntax
from s2s_ad.frontend.source import place_of, resolve, retrieve, unwrap

pytestmark = pytest.mark.quick


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[[str | bytes], ModuleType]]:
    """Writes a module and imports it."""
    count = 0

    def load_text(text: str | bytes) -> ModuleType:
        nonlocal count
        count += 1
        path = tmp_path / f"user_module_{count}.py"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load_text


def text_of(function: Callable[..., object]) -> str:
    return ast.unparse(retrieve(function).tree)


# What is found ---------------------------------------------------------------------------------------------------


def test_positions_are_those_of_the_file(load) -> None:
    module = load(
        "import math\n\n\n@staticmethod\ndef f(x: int, *, y: 'str' = 2) -> float:  # f\n    # why\n    return x\n"
    )
    source = retrieve(module.f)
    assert (source.name, source.tree.lineno, source.tree.body[0].lineno) == ("f", 5, 7)
    assert ast.unparse(source.tree) == "def f(x, *, y=2):\n    return x"
    assert source.comments == {5: "# f", 6: "# why"}
    assert source.own_lines == {6}
    assert source.lines[6] == "    return x"
    place = place_of(source, source.tree.body[0].value)
    assert (place.filename, place.line, place.column, place.end) == (module.__file__, 7, 11, 12)


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n\tdef f(self, x):\n\t\treturn x + 1\nf = A.f\n",
        "def f(self, x):\r\n    return x + 1\r\n",
        "\ufeffdef f(self, x):\n    return x + 1\n",
        "\x0c\ndef f(self, x):\n    return x + 1\n",
        "if True:\n    s = '''\nzero\n'''\n    def f(self, x):\n        return x + 1\n",
        "def f(self, \\\n   x): return \\\n x + 1\n",
        "from __future__ import annotations\ndef f(self: A, x: B):\n    return x + 1",
        "def g():\n    def f(self, x):\n        return x + 1\n    return f\nf = g()\n",
        "try:\n    def f(self, x): return x + 1\nfinally:\n    pass\n",
        "x = '\u2028'; y = '\x0b'\n\n\ndef f(self, x):\n    return x + 1\n",
    ],
    ids=["tabs", "crlf", "bom", "form feed", "block", "continuation", "future", "closure", "finally", "separators"],
)
def test_files_of_every_kind(load, text: str) -> None:
    assert text_of(load(text).f) == "def f(self, x):\n    return x + 1"


def test_encoding_cookie(load) -> None:
    module = load("# coding: latin-1\ndef f(größe):\n    return größe\n".encode("latin-1"))
    assert text_of(module.f) == "def f(größe):\n    return größe"


def test_names_are_what_python_takes_them_for(load) -> None:
    assert text_of(load("def f(ﬁ):\n    ﬁ.ﬂ = fi\n    return ﬁ\n").f) == "def f(fi):\n    fi.fl = fi\n    return fi"


def test_private_names_mean_the_same_outside_their_class(load) -> None:
    module = load(
        "class _Model:\n"
        "    def f(self, __x, __y__, _z):\n"
        "        def g(): return __x\n"
        "        return self.__w * __x + __y__ + h(__k=_z)\n"
        "class __:\n"
        "    def f(self): return self.__w\n"
    )
    tree = retrieve(module._Model.f).tree
    assert ast.unparse(tree) == (
        "def f(self, _Model__x, __y__, _z):\n\n    def g():\n        return _Model__x\n"
        "    return self._Model__w * _Model__x + __y__ + h(_Model__k=_z)"
    )
    assert tree.name == "f"
    assert text_of(getattr(module, "__").f).endswith("self.__w")


def test_name_comes_from_the_tree(load) -> None:
    module = load("def f(x): return x\n")
    module.f.__name__ = module.f.__qualname__ = "g(): import os #"
    assert retrieve(module.f).name == "f"


def test_lambdas_on_one_line_are_told_apart(load) -> None:
    module = load(
        "fs = [lambda x: x + 1, lambda x: x + 1, lambda x: (lambda y: y)(x), lambda: 1, lambda: 1.0, "
        "lambda: (lambda: 1)]\n"
        "g = fs[5]()\n"
        "h = (lambda x:\n    x  # two lines\n    * 2)\n"
    )
    columns = [retrieve(f).tree.col_offset for f in module.fs[:3]]
    assert columns == [6, 23, 40]
    assert text_of(module.fs[3]) == "def lambda_():\n    return 1"
    assert text_of(module.fs[5]) == "def lambda_():\n    return lambda: 1"
    assert text_of(module.g) == "def lambda_():\n    return 1"
    assert text_of(module.fs[4]) == "def lambda_():\n    return 1.0"
    source = retrieve(module.h)
    assert (source.name, ast.unparse(source.tree)) == ("lambda_", "def lambda_(x):\n    return x * 2")
    assert isinstance(source.tree.body[0], ast.Return)


def test_calls_through_imported_modules_verify(load) -> None:
    module = load(
        "try:\n    import math as m\nexcept ImportError: m = None\n"
        "import os.path\ndef f(x):\n    return m.sin(os.getpid())\n"
    )
    assert "m.sin" in text_of(module.f)


def test_function_with_assert_in_a_test_file() -> None:
    def f(x):
        assert x > 0, "positive"
        return x

    assert text_of(f).startswith("def f(x):\n    assert x > 0")


def test_cell_of_a_notebook_keeps_its_text() -> None:
    text = "def cell(x):\n    return x + 41\n"
    linecache.cache["<cell 1>"] = (len(text), None, text.splitlines(True), "<cell 1>")
    scope: dict[str, object] = {}
    exec(compile(text, "<cell 1>", "exec"), scope)
    try:
        assert text_of(scope["cell"]) == text.rstrip()
    finally:
        del linecache.cache["<cell 1>"]


def test_doctest_function() -> None:
    text = ">>> def f(x):\n...     return x * 3\n>>> found.append(text_of(f))\n"
    found: list[str] = []
    example = doctest.DocTestParser().get_doctest(text, {"found": found, "text_of": text_of}, "example", None, None)
    assert doctest.DocTestRunner().run(example).failed == 0
    assert found == ["def f(x):\n    return x * 3"]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python keeps the text of -c from 3.13 on")
def test_command_line() -> None:
    program = (
        "from s2s_ad.frontend.source import retrieve\ndef f(x):\n    return x * 3\n"
        "print(retrieve(f).tree.body[0].lineno)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("3", 0), done.stderr


# What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return x * 2", "return x * 3"),
        ("return x * 2", "return x * 2.0"),
        ("return x + 0.0", "return x + -0.0"),
        ("return x + y", "return x + z"),
        ("return x.real", "return x.imag"),
        ("return x, 1", "return x, True"),
        ("return x in {1, 2}", "return x in {1, 2.0}"),
        ("return lambda: x * 2", "return lambda: x * 3"),
        ("return x - y", "return y - x"),
        ("return x", "y = x; return x"),
        ("return x", "return x +"),
        ("return x", ""),
    ],
)
def test_edited_file_is_never_taken_for_the_source(load, before: str, after: str) -> None:
    module = load(f"import math\n\ndef f(x, y=1):\n    {before}\n")
    assert ast.unparse(ast.parse(f"def f():\n {before}").body[0].body[0]) in text_of(module.f)
    Path(module.__file__).write_text(
        f"import math\n# longer now, so that the time stamp does not matter\ndef f(x, y=1):\n    {after}\n"
    )
    with pytest.raises(SourceNotFound) as refusal:
        retrieve(module.f)
    assert refusal.value.place.filename == module.__file__
    assert "import" in refusal.value.remedy


def test_moved_or_changed_signature_is_refused(load) -> None:
    module = load("def f(x, y):\n    return x\n")
    path = Path(module.__file__)
    for text in [
        "\n\ndef f(x, y):\n    return x\n",
        "def f(y, x):\n    return x\n",
        "def f(x, *, y):\n    return x\n",
        "def g(x, y):\n    return x\n",
    ]:
        path.write_text(text)
        with pytest.raises(SourceNotFound):
            retrieve(module.f)


def test_edited_lambda_is_refused(load) -> None:
    module = load("a, b = lambda x: x, lambda x: x\n")
    Path(module.__file__).write_text("a, b = lambda x: -x, lambda x: x   \n")
    with pytest.raises(SourceNotFound):
        retrieve(module.a)


def test_function_without_text() -> None:
    scope: dict[str, Callable[..., object]] = {}
    exec("def f(x): return x", scope)
    with pytest.raises(SourceNotFound, match="cannot be found"):
        retrieve(scope["f"])


def test_kinds_of_function_that_have_no_derivative(load) -> None:
    module = load("def g(x):\n    yield x\nasync def h(x): return x\nasync def i(x): yield x\n")
    for name, kind in (("g", "generator"), ("h", "async def"), ("i", "asynchronous generator")):
        with pytest.raises(UnsupportedSyntax, match=kind) as refusal:
            retrieve(getattr(module, name))
        assert refusal.value.place.line > 0 and refusal.value.remedy


# unwrap -----------------------------------------------------------------------------------------------------------


def plain(x):
    return 2 * x


class Model:
    def method(self, x):
        return x

    @staticmethod
    def static(x):
        return x

    @classmethod
    def of_class(cls, x):
        return x

    def __call__(self, x):
        return x


def test_unwrap_reaches_the_function_that_runs() -> None:
    numba_like = type("CPUDispatcher", (), {"__module__": "numba.core.registry", "py_func": staticmethod(plain)})()
    assert unwrap(plain) is plain
    assert unwrap(Model().method) is Model.method
    assert unwrap(Model.static) is unwrap(Model.__dict__["static"]) is Model.static
    assert unwrap(Model.of_class) is unwrap(Model.__dict__["of_class"]) is Model.of_class.__func__
    assert unwrap(Model().__call__) is Model.__call__
    assert unwrap(functools.lru_cache(plain)) is plain
    assert unwrap(functools.lru_cache(Model().method)) is Model.method
    assert unwrap(numba_like) is plain


def test_wrapper_that_changes_the_result_is_not_skipped() -> None:
    def doubled(function):
        @functools.wraps(function)
        def wrapper(x):
            return 2 * function(x)

        return wrapper

    wrapped = doubled(plain)
    assert unwrap(wrapped) is wrapped
    assert text_of(wrapped) == "def wrapper(x):\n    return 2 * function(x)"
    with pytest.raises(UnsupportedSyntax):
        unwrap(SimpleNamespace(__wrapped__=plain))


@pytest.mark.parametrize(
    ("thing", "kind"),
    [
        (np.tanh, "numpy.ufunc"),
        (len, "builtin_function_or_method"),
        (functools.partial(plain, 1), "functools.partial"),
        (Model(), "Model"),
        (Model, "type"),
        (3.0, "float"),
    ],
)
def test_what_is_no_python_function_is_named(thing, kind: str) -> None:
    with pytest.raises(UnsupportedSyntax) as refusal:
        retrieve(thing)
    assert kind in refusal.value.fact and refusal.value.remedy


# resolve ----------------------------------------------------------------------------------------------------------

shadowed = "global"


def test_names_are_looked_up_where_python_does_and_live() -> None:
    shadowed, late = "cell", 1

    def f(x):
        return shadowed, late, plain, len, np

    source = retrieve(f)
    assert resolve(source, "shadowed") == "cell"
    assert resolve(source, "plain") is plain
    assert resolve(source, "np") is np
    assert resolve(source, "len") is len
    late = 2
    assert resolve(source, "late") == 2
    with pytest.raises(KeyError):
        resolve(source, "nowhere")


def test_cell_that_is_still_empty_is_unbound() -> None:
    def f(x):
        return later

    with pytest.raises(KeyError):
        resolve(retrieve(f), "later")
    later = 1
    assert resolve(retrieve(f), "later") == 1


# cost -------------------------------------------------------------------------------------------------------------


def test_retrieval_is_fast_and_safe_in_threads(load) -> None:
    body = "".join(f"    y = x + {i}  # step\n" for i in range(40))
    module = load("".join(f"def f{i}(x):\n{body}    return y\n\n" for i in range(24)))
    retrieve(module.f0)
    start = time.perf_counter()
    for i in range(24):
        retrieve(getattr(module, f"f{i}"))
    assert (time.perf_counter() - start) / 24 < 0.02  # 0.7 ms on a quiet machine
    names: list[str] = []
    threads = [
        threading.Thread(target=lambda i=i: names.append(retrieve(getattr(module, f"f{i}")).name)) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == [f"f{i}" for i in range(8)]


def test_context_manager_function_is_the_library_wrapper() -> None:
    @contextlib.contextmanager
    def scope(x):
        yield x

    assert retrieve(scope).filename == contextlib.__file__

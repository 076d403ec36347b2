"""A normalised function has few forms, and does what the author's function does."""

from __future__ import annotations

import ast
import doctest
import textwrap
import time

import pytest
from frontend.programs import programs, run
from hypothesis import HealthCheck, given, settings

from s2s_ad.errors import UnsupportedSyntax
from s2s_ad.frontend import normalise as module
from s2s_ad.frontend.normalise import normalise

pytestmark = pytest.mark.quick


def parsed(text: str) -> ast.FunctionDef:
    [tree] = ast.parse(textwrap.dedent(text)).body
    assert isinstance(tree, ast.FunctionDef)
    return tree


def normalised(text: str) -> str:
    return ast.unparse(normalise(parsed(text)))


def check_forms(tree: ast.FunctionDef) -> None:
    """Fail unless `tree` keeps what the docstring of `normalise` promises."""
    *body, last = tree.body
    assert isinstance(last, ast.Return) and last.value is not None
    check_block(body)


def check_block(block: list[ast.stmt], in_loop: bool = False) -> None:
    for position, statement in enumerate(block):
        match statement:
            case ast.For() | ast.While():
                assert not statement.orelse
                check_block(statement.body, in_loop=True)
            case ast.If(test=ast.Name(), body=[ast.Break()], orelse=[]) if in_loop:
                assert position == len(block) - 1
            case ast.Assign():
                assert len(statement.targets) == 1
            case ast.If():
                check_block(statement.body)
                check_block(statement.orelse)
            case ast.With():
                check_block(statement.body)
            case ast.Try():
                for inner in [
                    statement.body,
                    *(h.body for h in statement.handlers),
                    statement.orelse,
                    statement.finalbody,
                ]:
                    check_block(inner)
            case _:
                forbidden = ast.Break | ast.Continue | ast.Return | ast.AnnAssign | ast.Match | ast.ClassDef
                assert not isinstance(statement, forbidden)
                allowed = ast.Expr | ast.Pass | ast.Raise | ast.Assert | ast.AugAssign | ast.Delete | ast.FunctionDef
                assert isinstance(statement, allowed | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal)


def size(tree: ast.AST) -> int:
    return sum(1 for _ in ast.walk(tree))


def check_program(text: str, throws: tuple[float, ...], seeds: range) -> None:
    tree = parsed(text)
    before = ast.dump(tree, include_attributes=True)
    try:
        made = normalise(tree)
    except UnsupportedSyntax as refusal:
        assert "finally" in refusal.fact or "unreachable" in refusal.fact or "guard" in refusal.fact
        return
    assert ast.dump(tree, include_attributes=True) == before
    check_forms(made)
    assert size(made) <= 6 * size(tree) + 30
    assert all(hasattr(node, "end_col_offset") for node in ast.walk(made) if isinstance(node, ast.stmt | ast.expr))
    printed = parsed(ast.unparse(made))
    for seed in seeds:
        for rate in throws:
            wanted = run(tree, seed, rate)
            assert run(made, seed, rate) == wanted, ast.unparse(made)
            assert run(printed, seed, rate) == wanted


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(programs(cleanups=False))
def test_loops_and_branches_do_the_same_steps(text: str) -> None:
    check_program(text, (0.0,), range(8))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(programs())
def test_clean_ups_and_exceptions_happen_at_the_same_steps(text: str) -> None:
    check_program(text, (0.0, 0.15), range(6))


@pytest.mark.fuzz
@settings(max_examples=8000, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(programs())
def test_many_programs_do_the_same_steps(text: str) -> None:
    check_program(text, (0.0, 0.15), range(12))


def test_docstring_example_is_what_happens() -> None:
    failed, attempted = doctest.testmod(module)
    assert attempted and not failed


def test_function_without_early_exit_stays_as_it_is() -> None:
    text = """
    def loss(params, x, t):
        h = x
        for W, b in params:
            h = np.tanh(h @ W + b)
        u, v = h, t
        h += 1
        return np.mean((u - v) ** 2)
    """
    assert normalised(text) == ast.unparse(parsed(text))


def test_early_returns_become_branches() -> None:
    text = """
    def f(x):
        "Docstring."
        if x < 0: return -x
        y: float = x * x
        if y > 3: return y
        return y + 1
    """
    expected = """
    def f(x):
        if x < 0:
            result = -x
        else:
            y = x * x
            if y > 3:
                result = y
            else:
                result = y + 1
        return result
    """
    assert normalised(text) == ast.unparse(parsed(expected))


def test_break_of_a_truth_is_the_flag_itself() -> None:
    text = """
    def f(x, stop):
        while x > stop:
            if x < 1: break
            x = x / 2
        else:
            x = -x
        return x
    """
    expected = """
    def f(x, stop):
        stop_2 = False
        while x > stop:
            stop_2 = x < 1
            if not stop_2:
                x = x / 2
            if stop_2:
                break
        if not stop_2:
            x = -x
        return x
    """
    assert normalised(text) == ast.unparse(parsed(expected))


def test_flag_is_not_an_object_that_a_later_write_changes() -> None:
    text = """
    def program():
        done = [0]
        for i in range(4):
            if done: break
            done.append(1)
        return i, done
    """
    check_program(text, (0.0,), range(1))
    # the list is empty when it is asked, and filled when the flag is read
    check_program(text.replace("[0]", "[]"), (0.0,), range(1))


def test_return_in_a_with_block_keeps_its_shape() -> None:
    text = """
    def f(x):
        with np.errstate(all='ignore'):
            y = 2 * x
            return np.sum(y)
    """
    assert normalised(text) == ast.unparse(parsed(text.replace("return", "result =") + "    return result"))


def test_endless_loop_has_no_result_none() -> None:
    text = """
    def f(x, tol):
        while True:
            x = step(x)
            if abs(x) < tol:
                return x
    """
    assert "None" not in normalised(text)
    assert normalised(text).endswith("return x")


def test_falling_off_the_end_returns_none() -> None:
    assert normalised("def f(x): x += 1").endswith("return None")
    assert normalised("def f(x):\n  'only a docstring'") == "def f(x):\n    return None"


@pytest.mark.parametrize(
    "lines",
    [
        "a = b = t(1); return a, b",
        "a = b = [t(1)]; b.append(2); return a",
        "x = [0, 0]; x[t(1) % 2] = a = x[t(2) % 2] = t(3); return x, a",
        "z = [1, 2]; (z, q) = w = z; return z, q, w",
        "z = [1, 2]; w = (z, q) = z; return z, q, w",
        "x = [5, 6, 7]; a = x[a % 3] = t(1); return x, a",
        "a = (a, b) = c = [1, 2]; return a, b, c",
        "a, *b = c = range(4); return a, b, c",
        "x: int = t(1); y: int; return x",
    ],
)
def test_chained_assignments_keep_order_and_identity(lines: str) -> None:
    check_program("def program():\n    " + lines, (0.0,), range(5))


@pytest.mark.parametrize(
    "cases",
    [
        "match t(1) % 4:\n  case 0: return 'none'\n  case 1 | 2: return 'some'\n  case n: return n",
        "match t(1), t(2):\n  case 0, _: return 1\n  case x, 1: return x\n  case (1 | 2) as x, y: return x, y\n"
        "  case a, b, c: return 9\n  case x: return x",
        "match t(1):\n  case True: return 1\n  case None: return 2\n  case x if t(2): return x\n  case y: return x, y",
        "match t(1):\n  case 1 if t(2): return 1\n  case 1: return 2\n  case _: pass",
        "for i in range(t(0)):\n  match t(1):\n    case 0: continue\n    case 1: break\n    case _: t(2)\n  t(3)",
    ],
)
def test_match_chooses_the_same_case(cases: str) -> None:
    check_program("def program():\n" + textwrap.indent(cases, "    "), (0.0,), range(40))


@pytest.mark.parametrize(
    ("lines", "fact"),
    [
        ("yield 1", "`yield`"),
        ("x = (yield)", "`yield`"),
        ("class A: pass", "class definition"),
        ("match x:\n  case [a, b]: pass", "pattern"),
        ("match x:\n  case Point(): pass", "pattern"),
        ("match x:\n  case {'a': 1}: pass", "pattern"),
        ("match x, x:\n  case 1, y if y: pass", "guard"),
        ("try: pass\nfinally: return 1", "finally"),
        ("for i in x:\n  try: pass\n  finally: continue", "finally"),
        ("try: pass\nexcept* E: pass", "`except*`"),
        ("return y\ny = 1", "unreachable"),
    ],
)
def test_what_cannot_be_exact_is_refused_with_its_place(lines: str, fact: str) -> None:
    tree = parsed("def f(x):\n" + textwrap.indent(lines, "    "))
    with pytest.raises(UnsupportedSyntax) as refusal:
        normalise(tree)
    assert fact in refusal.value.fact
    assert refusal.value.remedy
    assert refusal.value.place is not None and refusal.value.place.line >= 2


def test_recursion_reads_the_global_function() -> None:
    assert normalised("def f(x):\n    return f(x - 1)") == "def f(x):\n    return f(x - 1)"


def test_unreachable_assignments_that_nobody_reads_go() -> None:
    assert normalised("def f(x):\n    return x\n    x = y = 2") == "def f(x):\n    return x"


def test_nested_function_is_left_untouched() -> None:
    tree = parsed("def f(x):\n  def g(y):\n    if y: return 1\n    return 2\n  return g(x)")
    assert normalise(tree).body[0] is tree.body[0]


def test_long_function_is_fast_and_stays_long() -> None:
    lines = "\n".join(f"    x{i % 7} = x + {i}" for i in range(2000))
    tree = parsed(f"def f(x):\n    if x > 0: return x\n{lines}\n    return x1")
    start = time.perf_counter()
    made = normalise(tree)
    assert time.perf_counter() - start < 1.0
    assert size(made) < size(tree) + 30


def test_many_early_exits_do_not_multiply_what_follows() -> None:
    exits = "\n".join(f"        if x > {i}:\n            if x < {i}: break\n            x += 1" for i in range(30))
    tree = parsed(f"def f(x):\n    for i in range(3):\n{exits}\n        x += 2\n    return x")
    assert size(normalise(tree)) < 3 * size(tree)


def test_exits_nested_beyond_what_python_reads_are_refused() -> None:
    lines = "\n".join(f"    if x > {i}: return {i}\n    x += 1" for i in range(300))
    with pytest.raises(UnsupportedSyntax, match="exits|nested"):
        normalise(parsed(f"def f(x):\n{lines}\n    return x"))


def test_new_nodes_stand_where_they_come_from() -> None:
    tree = parsed("def f(x):\n    for i in x:\n        if i > 2:\n            return i\n    return 0")
    made = normalise(tree)
    lines = {ast.unparse(node): node.lineno for node in ast.walk(made) if isinstance(node, ast.Assign)}
    assert lines == {"returned = False": 2, "returned = i > 2": 3, "result = i": 4, "result = 0": 5}

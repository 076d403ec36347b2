"""Which node of a file is this code object?

Enters: the text of a file and a code object.  Leaves: the `def` or `lambda` whose recompilation is that very code.
"""

from __future__ import annotations
import __future__

import ast
import copy
import functools
import types
from collections.abc import Iterator
from dataclasses import dataclass

Definition = ast.FunctionDef | ast.Lambda
_FUTURES = functools.reduce(
    int.__or__, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)
_BEYOND = 1_000_000
"""No file has as many lines as this."""


@dataclass(frozen=True)
class Module:
    """A parsed file."""

    lines: tuple[str, ...]
    tree: ast.Module
    imports: ast.Import
    """Binds every name that the file imports at its top: CPython compiles calls through them differently."""


@dataclass(frozen=True)
class Found:
    """A definition, and the class whose private names (`__x`) it uses."""

    node: Definition
    class_name: str | None


@functools.lru_cache(maxsize=64)
def parse(text: str) -> Module:
    """The file's lines and tree, kept for as long as its text is the same."""
    tree = ast.parse(text)
    return Module(tuple(text.split("\n")), tree, _imports(tree))


def find(module: Module, code: types.CodeType) -> Found | None:
    """The definition that compiles to `code`, or None when the text has changed."""
    statement = _statement_at(module.tree, code.co_firstlineno)
    if statement is None:
        return None
    candidates = [found for found in _definitions(statement, None) if _starts(found.node, code)]
    if not candidates:
        return None
    if code.co_name != "<lambda>":
        codes = _codes(_compile(module, statement, code), code.co_name)
        same = any(other.co_firstlineno == code.co_firstlineno and same_code(code, other) for other in codes)
        return candidates[0] if same else None
    return _matching_lambda(module, statement, candidates, code)


def same_code(one: types.CodeType, other: types.CodeType) -> bool:
    """Whether two code objects do the same, wherever their text stands."""
    if one.co_name != other.co_name:
        return False
    if _rewritten_by_pytest(one):
        return _same_but_for_asserts(one, other)
    return (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and one.co_freevars == other.co_freevars
        and one.co_cellvars == other.co_cellvars
        and _shape(one) == _shape(other)
        and one.co_flags == other.co_flags
        and _same_constant(one.co_consts, other.co_consts)
    )


def _imports(tree: ast.Module) -> ast.Import:
    names: dict[str, None] = {}
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update(dict.fromkeys((alias.asname or alias.name).partition(".")[0] for alias in node.names))
        elif isinstance(node, ast.If | ast.Try | ast.For | ast.While | ast.With | ast.ExceptHandler):
            pending.extend(ast.iter_child_nodes(node))
    names.pop("*", None)
    return ast.fix_missing_locations(ast.Import([ast.alias(name) for name in names or ["sys"]]))


def _shape(code: types.CodeType) -> tuple[int, int, int]:
    return code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount


def _same_constant(one: object, other: object) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, types.CodeType) and isinstance(other, types.CodeType):
        return same_code(one, other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same_constant, one, other))
    if isinstance(one, float | complex):
        return repr(one) == repr(other)  # tells -0.0 from 0.0, and takes a NaN for itself
    if isinstance(one, frozenset) and isinstance(other, frozenset):
        return {(type(item), item) for item in one} == {(type(item), item) for item in other}
    return one == other


def _rewritten_by_pytest(code: types.CodeType) -> bool:
    return any(name.startswith("@py") for name in (*code.co_names, *code.co_varnames))


def _same_but_for_asserts(one: types.CodeType, other: types.CodeType) -> bool:
    """pytest compiles each `assert` into much more; names and signature must be there all the same."""
    return (
        _shape(one) == _shape(other)
        and set(other.co_varnames) <= set(one.co_varnames)
        and set(other.co_names) - {"AssertionError"} <= set(one.co_names)
        and one.co_freevars == other.co_freevars
    )


def _statement_at(tree: ast.Module, line: int) -> ast.stmt | None:
    """The top-level statement that covers `line`. Compiling it alone keeps the scopes around the function."""
    for statement in tree.body:
        if _first_line(statement) <= line <= (statement.end_lineno or statement.lineno):
            return statement
    return None


def _first_line(node: ast.AST) -> int:
    decorators = getattr(node, "decorator_list", None)
    return decorators[0].lineno if decorators else node.lineno  # type: ignore[attr-defined, no-any-return]


def _definitions(node: ast.AST, class_name: str | None) -> Iterator[Found]:
    pending = [(node, class_name)]
    while pending:
        node, class_name = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            yield Found(node, class_name)
        inner = node.name if isinstance(node, ast.ClassDef) else class_name
        pending.extend((child, inner) for child in ast.iter_child_nodes(node))


def _starts(node: Definition, code: types.CodeType) -> bool:
    name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
    return name == code.co_name and _first_line(node) == code.co_firstlineno


def _compile(module: Module, statement: ast.stmt, code: types.CodeType) -> types.CodeType:
    tree = ast.Module([module.imports, statement], [])
    compiled: types.CodeType = compile(tree, code.co_filename, "exec", code.co_flags & _FUTURES, dont_inherit=True)
    return compiled


def _codes(code: types.CodeType, name: str) -> Iterator[types.CodeType]:
    pending = [code]
    while pending:
        code = pending.pop()
        if code.co_name == name:
            yield code
        pending.extend(constant for constant in code.co_consts if isinstance(constant, types.CodeType))


def _matching_lambda(
    module: Module, statement: ast.stmt, candidates: list[Found], code: types.CodeType
) -> Found | None:
    """Lambdas share a name, and may share a line: same code, then the same columns.

    The first line of a code object is that of its node, so lines that no file has tell which code came from where.
    """
    marked = copy.deepcopy(statement)
    nodes = [found.node for found in _definitions(marked, None) if _starts(found.node, code)]
    for number, node in enumerate(nodes, start=1):
        ast.increment_lineno(node, number * _BEYOND - node.lineno)  # outer ones come first, inner ones move on
    by_line = {other.co_firstlineno: other for other in _codes(_compile(module, marked, code), code.co_name)}
    for found, node in zip(candidates, nodes, strict=True):
        other = by_line.get(node.lineno)
        if other is not None and same_code(code, other) and _columns(code) == _columns(other):
            return found
    return None


def _columns(code: types.CodeType) -> set[tuple[int | None, int | None]]:
    return {(column, end) for _, _, column, end in code.co_positions()}

"""The names that a function, a statement or a target binds.

Enters: nodes of Python's `ast`.  Leaves: names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


# -- names -------------------------------------------------------------------------------------------------------------
def names_bound(target: ast.expr) -> list[str]:
    return [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]


def names_in(node: ast.AST) -> set[str]:
    """The names that a statement binds, inner functions aside."""
    found: set[str] = set()
    stack: list[ast.AST] = [node]
    while stack:
        current = stack.pop()
        match current:
            case ast.FunctionDef(name):
                found.add(name)
                continue
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                found |= {
                    n.target.id
                    for n in ast.walk(current)
                    if isinstance(n, ast.NamedExpr) and isinstance(n.target, ast.Name)
                }
                continue
            case ast.Name(name, ast.Store() | ast.Del()):
                found.add(name)
            case ast.Import(aliases) | ast.ImportFrom(names=aliases):
                found |= {a.asname or a.name.split(".")[0] for a in aliases}
            case ast.ExceptHandler(name=str(name)):
                found.add(name)
        stack.extend(ast.iter_child_nodes(current))
    return found


def _nonlocals_of(stmt: ast.AST) -> Iterator[str]:
    """The names declared `nonlocal`, those of inner functions aside."""
    if isinstance(stmt, ast.Nonlocal):
        yield from stmt.names
    if not isinstance(stmt, ast.FunctionDef | ast.Lambda):
        for child in ast.iter_child_nodes(stmt):
            yield from _nonlocals_of(child)


def names_assigned(tree: ast.FunctionDef) -> tuple[frozenset[str], frozenset[str]]:
    """The local names of a function (its parameters among them), and those it declares nonlocal."""
    found: set[str] = set()
    nonlocals: set[str] = set()
    for stmt in tree.body:
        found |= names_in(stmt)
        nonlocals |= set(_nonlocals_of(stmt))
    a = tree.args
    found |= {p.arg for p in [*a.posonlyargs, *a.args, *a.kwonlyargs]}
    found |= {p.arg for p in (a.vararg, a.kwarg) if p is not None}
    return frozenset(found), frozenset(nonlocals)

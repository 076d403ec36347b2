"""Functions that an emitted module must define because it calls them: formulas too long to be written out in place.

Enters: the objects that the text refers to.  Leaves: their source text, and what is left to be put into the namespace.
"""

from __future__ import annotations

import ast
import inspect
import types
from typing import Any

import numpy as np

from s2s_ad.emit.objects import Objects


def definitions(objects: Objects) -> tuple[list[str], dict[str, Any], dict[str, Any]]:
    """The text of every function of ours that the module calls, callees first; the objects that have no text; and the
    functions whose text it is."""
    given = dict(objects.given)
    texts: dict[str, str] = {}
    originals: dict[str, Any] = {}
    pending = [n for n, v in given.items() if _ours(v)]
    while pending:
        name = pending.pop(0)
        function = originals[name] = given.pop(name)
        text, needed = _text_of(function, name)
        texts[name] = text
        for inner, value in needed.items():
            if inner in texts or inner in given:
                continue
            if isinstance(value, types.ModuleType):
                alias = f" as {inner}" if inner != value.__name__ else ""
                objects.imports[f"{value.__name__} {inner}"] = f"import {value.__name__}{alias}"
            elif _ours(value):
                given[inner] = value
                pending.append(inner)
            elif isinstance(value, int | float | str | tuple):
                texts[inner] = f"{inner} = {value!r}"
            else:
                given[inner] = value
    lines: list[str] = []
    for text in reversed(list(texts.values())):
        lines += ["", "", *text.splitlines()] if text.startswith("def") else ["", text]
    return lines, given, originals


def _ours(value: Any) -> bool:
    return isinstance(value, types.FunctionType) and value.__module__.startswith("s2s_ad.")


def _text_of(function: Any, name: str) -> tuple[str, dict[str, Any]]:
    """The function's own text under `name`, without annotations, and the global objects it names."""
    tree = ast.parse(inspect.getsource(function)).body[0]
    assert isinstance(tree, ast.FunctionDef)
    original = tree.name
    tree.name = name
    tree.decorator_list = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    body = [_plain(s) for s in tree.body]
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    tree.body = body
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == original:
            node.id = name
    globals_ = function.__globals__
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - {name}
    return ast.unparse(tree), {n: globals_[n] for n in sorted(used) if n in globals_}


def _plain(stmt: ast.stmt) -> ast.stmt:
    if isinstance(stmt, ast.AnnAssign) and stmt.value is not None:
        return ast.copy_location(ast.Assign(targets=[stmt.target], value=stmt.value), stmt)
    return stmt


_ = np

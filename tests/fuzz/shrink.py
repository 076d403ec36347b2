"""Make a failing program small: drop statements, unwrap blocks, simplify expressions while it fails in the same way.

Enters: a program's text and a test of failure.  Leaves: a shorter text that still fails.
"""

from __future__ import annotations

import ast
import copy
import time
from collections.abc import Callable, Iterator

BODIES = ("body", "orelse", "finalbody")


def shrink(text: str, fails: Callable[[str], bool], seconds: float = 60.0) -> str:
    """The smallest program found by greedy deletion within `seconds`."""
    tree = ast.parse(text)
    deadline = time.monotonic() + seconds
    progress = True
    while progress and time.monotonic() < deadline:
        progress = False
        for candidate in candidates(tree):
            if time.monotonic() > deadline:
                break
            shorter = ast.unparse(ast.fix_missing_locations(candidate)) + "\n"
            if len(shorter) < len(ast.unparse(tree)) + 1 and fails(shorter):
                tree = ast.parse(shorter)
                progress = True
                break
    return ast.unparse(tree) + "\n"


def candidates(tree: ast.Module) -> Iterator[ast.Module]:
    """Smaller programs, the boldest cuts first."""
    yield from _cut_statements(tree)
    yield from _unwrapped(tree)
    yield from _simpler_expressions(tree)


def _blocks(tree: ast.AST) -> list[tuple[ast.AST, str]]:
    return [(node, name) for node in ast.walk(tree) for name in BODIES if isinstance(getattr(node, name, None), list)]


def _cut_statements(tree: ast.Module) -> Iterator[ast.Module]:
    for index, (node, name) in enumerate(_blocks(tree)):
        count = len(getattr(node, name))
        for size in (8, 4, 2, 1):
            for start in range(0, count, max(1, size // 2)):
                if start + size > count and size > 1:
                    continue
                changed = copy.deepcopy(tree)
                block_node, _ = _blocks(changed)[index]
                block = getattr(block_node, name)
                del block[start : start + size]
                if not block and name == "body" and not isinstance(block_node, ast.Module):
                    if count == 1 and isinstance(getattr(node, name)[0], ast.Pass):
                        continue
                    block.append(ast.Pass())
                yield changed


def _unwrapped(tree: ast.Module) -> Iterator[ast.Module]:
    """Each `if` or loop replaced by its body or its other side."""
    for index, (node, name) in enumerate(_blocks(tree)):
        for place, statement in enumerate(getattr(node, name)):
            if not isinstance(statement, ast.If | ast.For | ast.While):
                continue
            for part in ("body", "orelse"):
                changed = copy.deepcopy(tree)
                block_node, _ = _blocks(changed)[index]
                block = getattr(block_node, name)
                block[place : place + 1] = getattr(block[place], part) or [ast.Pass()]
                yield changed


def _simpler_expressions(tree: ast.Module) -> Iterator[ast.Module]:
    """Each call, operation and subscripted operand replaced by one of its operands or a number."""
    spots = [k for k, node in enumerate(ast.walk(tree)) if isinstance(node, ast.expr)]
    for k in spots:
        node = list(ast.walk(tree))[k]
        for simpler in _simpler(node):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[k]
            if _replace(changed, target, copy.deepcopy(simpler)):
                yield changed


def _simpler(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.BoolOp):
        return [*node.values]
    if isinstance(node, ast.Compare):
        return [ast.Constant(True), ast.Constant(False)]
    if isinstance(node, ast.Call):
        return [*node.args, ast.Constant(0.7)]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load):
        return [*node.elts]
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        return [ast.Constant(0.7)]
    return []


def _replace(tree: ast.AST, target: ast.AST, value: ast.expr) -> bool:
    for parent in ast.walk(tree):
        for field, held in ast.iter_fields(parent):
            if held is target:
                setattr(parent, field, value)
                return True
            if isinstance(held, list) and any(item is target for item in held):
                setattr(parent, field, [value if item is target else item for item in held])
                return True
    return False

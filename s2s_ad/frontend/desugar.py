"""Statements that say several things at once are taken apart.

Enters: a function's statements.  Leaves: assignments with one target, no annotations, no `match`, no stray strings;
what has no derivative is refused.
"""

from __future__ import annotations

import ast

from s2s_ad.frontend.exits import Block, Refuse
from s2s_ad.frontend.match_cases import if_chain
from s2s_ad.frontend.names import Names
from s2s_ad.frontend.nodes import assign, assign_to, empty, load, with_blocks

_NAMED = {
    ast.ClassDef: "a class definition inside a differentiated function",
    ast.AsyncFor: "`async for`",
    ast.AsyncWith: "`async with`",
    ast.AsyncFunctionDef: "`async def`",
    ast.TryStar: "`except*`",
    ast.Yield: "`yield`",
    ast.YieldFrom: "`yield from`",
    ast.Await: "`await`",
}
_SCOPES = ast.FunctionDef | ast.Lambda | ast.AsyncFunctionDef


def refuse_foreign(body: Block, refuse: Refuse) -> None:
    """Refuse what no derivative is defined for; nested functions answer for themselves."""
    pending: list[ast.AST] = [*body]
    while pending:
        node = pending.pop()
        construct = _NAMED.get(type(node)) or ("`type` statements" if type(node).__name__ == "TypeAlias" else None)
        if construct or (isinstance(node, ast.comprehension) and node.is_async):
            remedy = "Move it out of the function that is differentiated."
            raise refuse(f"{construct or '`async for`'} is not supported", remedy, node)
        if not isinstance(node, _SCOPES):
            pending.extend(ast.iter_child_nodes(node))


def desugar(block: Block, names: Names, refuse: Refuse) -> Block:
    """The same statements in their plain forms."""
    return _Desugar(names, refuse).block(block)


class _Desugar:
    def __init__(self, names: Names, refuse: Refuse) -> None:
        self.names = names
        self.refuse = refuse

    def block(self, block: Block) -> Block:
        out: Block = []
        for statement in block:
            out += self._statement(statement)
        return out

    def _statement(self, statement: ast.stmt) -> Block:
        match statement:
            case ast.Assign(targets=[_, _, *_]):
                return self._chained(statement)
            case ast.AnnAssign():
                return [assign_to(statement.target, statement.value, statement)] if statement.value else []
            case ast.Expr(value=ast.Constant()):
                return []
            case ast.If() | ast.With() | ast.Try():
                return [with_blocks(statement, self.block)]
            case ast.For():
                body, orelse = self.block(statement.body) or [empty(statement)], self.block(statement.orelse)
                return [ast.copy_location(ast.For(statement.target, statement.iter, body, orelse), statement)]
            case ast.While():
                body, orelse = self.block(statement.body) or [empty(statement)], self.block(statement.orelse)
                return [ast.copy_location(ast.While(statement.test, body, orelse), statement)]
            case ast.Match():
                return self.block(if_chain(statement, self.names, self.refuse))
        return [statement]

    def _chained(self, statement: ast.Assign) -> Block:
        """`a = b = e`: once `e`, then the targets from left to right, as Python does it."""
        first, *others = statement.targets
        value = statement.value
        out: Block = []
        if isinstance(first, ast.Name) and not any(first.id in _bound(target) for target in others[:-1]):
            out = [assign_to(first, value, statement)]
            value, targets = load(first.id, first), others
        elif _steady(value, statement.targets[:-1]):
            targets = statement.targets
        else:
            name = self.names.fresh("value")
            out = [assign(name, value, statement)]
            value, targets = load(name, statement), statement.targets
        return [*out, *(assign_to(target, value, statement) for target in targets)]


def _steady(value: ast.expr, targets: list[ast.expr]) -> bool:
    """Whether `value` means the same again after `targets` were bound."""
    if isinstance(value, ast.Constant):
        return True
    return isinstance(value, ast.Name) and not any(value.id in _bound(target) for target in targets)


def _bound(target: ast.expr) -> set[str]:
    """Every name in `target`, whether bound or, as in `x[(i := 0)]`, possibly bound."""
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}

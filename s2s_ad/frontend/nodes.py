"""Makers of syntax nodes that take the place of the node they come from.

Enters: names, expressions and a node `at`.  Leaves: nodes with its location.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence


class Exit(ast.stmt):
    """Go to the end of the region (a loop's body, a guarded statement) with `flags` set; never in a finished tree."""

    def __init__(self, flags: tuple[str, ...] = (), at: ast.AST | None = None) -> None:
        super().__init__()
        self.flags = flags
        if at is not None:
            ast.copy_location(self, at)


def load(name: str, at: ast.AST) -> ast.Name:
    return ast.copy_location(ast.Name(name, ast.Load()), at)


def constant(value: bool | None, at: ast.AST) -> ast.Constant:
    return ast.copy_location(ast.Constant(value), at)


def assign(name: str, value: ast.expr, at: ast.AST) -> ast.Assign:
    return assign_to(ast.copy_location(ast.Name(name, ast.Store()), at), value, at)


def assign_to(target: ast.expr, value: ast.expr, at: ast.AST) -> ast.Assign:
    return ast.copy_location(ast.Assign([target], value), at)


def branch(test: ast.expr, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], at: ast.AST) -> ast.If:
    """`if`; an empty branch that syntax needs is a `pass`, and a branch that only passes is turned away."""
    if not body and orelse:
        test, body, orelse = negation(test), orelse, []
    return ast.copy_location(ast.If(test, list(body) or [empty(at)], list(orelse)), at)


def negation(test: ast.expr) -> ast.expr:
    """`not test`, for where only its truth counts."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return ast.copy_location(ast.UnaryOp(ast.Not(), test), test)


def none_of(flags: Sequence[str], at: ast.AST) -> ast.expr:
    """`not flag`, or `not (flag or other)`."""
    loads: list[ast.expr] = [load(flag, at) for flag in flags]
    any_of = loads[0] if len(loads) == 1 else ast.copy_location(ast.BoolOp(ast.Or(), loads), at)
    return negation(any_of)


def empty(at: ast.AST) -> ast.Pass:
    return ast.copy_location(ast.Pass(), at)


def blocks(statement: ast.If | ast.With | ast.Try) -> list[list[ast.stmt]]:
    """The statement lists inside `statement`."""
    match statement:
        case ast.If():
            return [statement.body, statement.orelse]
        case ast.With():
            return [statement.body]
        case ast.Try():
            handled = [handler.body for handler in statement.handlers]
            return [statement.body, *handled, statement.orelse, statement.finalbody]


def with_blocks(
    statement: ast.If | ast.With | ast.Try, change: Callable[[list[ast.stmt]], list[ast.stmt]]
) -> ast.If | ast.With | ast.Try:
    """`statement` with every list in it changed."""
    made: ast.If | ast.With | ast.Try
    match statement:
        case ast.If():
            made = ast.If(statement.test, change(statement.body) or [empty(statement)], change(statement.orelse))
        case ast.With():
            made = ast.With(statement.items, change(statement.body) or [empty(statement)])
        case ast.Try():
            made = ast.Try(
                change(statement.body) or [empty(statement)],
                [handler_of(handler, change(handler.body)) for handler in statement.handlers],
                change(statement.orelse),
                change(statement.finalbody),
            )
    return ast.copy_location(made, statement)


def handler_of(handler: ast.ExceptHandler, body: list[ast.stmt]) -> ast.ExceptHandler:
    """`handler` with another body."""
    return ast.copy_location(ast.ExceptHandler(handler.type, handler.name, body or [empty(handler)]), handler)


def loop_of(loop: ast.For | ast.While, body: list[ast.stmt]) -> ast.For | ast.While:
    """`loop` around another body, without its `else`."""
    body = body or [empty(loop)]
    made = ast.For(loop.target, loop.iter, body, []) if isinstance(loop, ast.For) else ast.While(loop.test, body, [])
    return ast.copy_location(made, loop)

"""A call with several results runs once, and its results are taken from one name.

Enters: a function of the IR.  Leaves: the same function, in which no call with a tuple of results stands twice.

    u = np.linalg.svd(x)[0]          svd = np.linalg.svd(x)
    s = np.linalg.svd(x)[1]    ->    u = svd[0]
                                     s = svd[1]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeGuard

from s2s_ad.ir.nodes import (
    Assign,
    Block,
    Call,
    Expr,
    For,
    Function,
    If,
    Index,
    Stmt,
    Var,
    While,
    With,
    all_assigned,
    all_statements,
    blocks,
    map_children,
    map_statement,
    statement_exprs,
    variables,
    walk,
)
from s2s_ad.ir.types import TupleOf

_PURE = ("numpy.linalg", "scipy.linalg")


def once(function: Function) -> Function:
    """What is read after the call was made is taken from there, the reverse sweep included."""
    if not any(True for _ in _calls(function.body)):
        return function
    taken = {p.name for p in function.parameters} | {v.name for e in _exprs(function.body) for v in variables(e)}
    taken |= all_assigned(function.body) | {v.name for v in variables(function.result)}
    return replace(function, body=_Once(taken).block(function.body, {}))


def _exprs(block: Block) -> Iterator[Expr]:
    for stmt in all_statements(block):
        yield from statement_exprs(stmt)


def _calls(block: Block) -> Iterator[Call]:
    return (node for expr in _exprs(block) for node in walk(expr) if _has_parts(node))


def _has_parts(expr: Expr) -> TypeGuard[Call]:
    """A pure call with a tuple of results, of operands that are never written in place."""
    if not isinstance(expr, Call) or not isinstance(expr.type, TupleOf):
        return False
    module = getattr(expr.fn, "__module__", None) or ""
    return module.startswith(_PURE) and all(v.place is None for v in variables(expr))


class _Once:
    def __init__(self, taken: set[str]) -> None:
        self.taken = taken

    def block(self, block: Block, known: dict[Call, Var]) -> Block:
        out: list[Stmt] = []
        for k, stmt in enumerate(block):
            for call in self._own_calls(stmt):
                if call not in known and self._is_read_again(call, block[k:]):
                    name = self._fresh(call)
                    out.append(Assign((name,), (call,), stmt.line if hasattr(stmt, "line") else 0))
                    known[call] = Var(name, call.type)
            out.append(self._rewritten(stmt, known))
            changed = all_assigned((stmt,))
            known = {c: v for c, v in known.items() if changed.isdisjoint(x.name for x in variables(c))}
        return tuple(out)

    def _own_calls(self, stmt: Stmt) -> list[Call]:
        if isinstance(stmt, While):
            return []
        found = [n for e in statement_exprs(stmt) for n in walk(e) if isinstance(n, Index) and _has_parts(n.base)]
        return list(dict.fromkeys(n.base for n in found))  # type: ignore[misc]

    def _is_read_again(self, call: Call, rest: Block) -> bool:
        """Whether the call stands twice before one of its operands gets another value."""
        operands = {v.name for v in variables(call)}
        count: Counter[Call] = Counter()
        for stmt in rest:
            count.update(c for c in _calls((stmt,)) if c == call)
            if count[call] > 1:
                return True
            if not operands.isdisjoint(all_assigned((stmt,))):
                return False
        return False

    def _fresh(self, call: Call) -> str:
        base = str(call.fn.__name__)
        name, k = base, 2
        while name in self.taken:
            name, k = f"{base}{k}", k + 1
        self.taken.add(name)
        return name

    def _rewritten(self, stmt: Stmt, known: dict[Call, Var]) -> Stmt:
        inner = blocks(stmt)
        if not inner:
            return _mapped(stmt, known)
        changed = all_assigned((stmt,))
        lasting = {c: v for c, v in known.items() if changed.isdisjoint(x.name for x in variables(c))}
        match stmt:
            case If(test, then, orelse):
                return replace(
                    stmt,
                    test=_swapped(test, known),
                    then=self.block(then, dict(known)),
                    orelse=self.block(orelse, dict(known)),
                )
            case For(body=body) | While(body=body) | With(body=body):
                return replace(stmt, body=self.block(body, dict(lasting)))
        return stmt


def _mapped(stmt: Stmt, known: dict[Call, Var]) -> Stmt:
    return map_statement(stmt, lambda e: _swapped(e, known)) if known else stmt


def _swapped(expr: Expr, known: dict[Call, Var]) -> Expr:
    if isinstance(expr, Call) and expr in known:
        return known[expr]
    return map_children(expr, lambda e: _swapped(e, known))

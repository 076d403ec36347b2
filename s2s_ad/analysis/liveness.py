"""Which names are read later.

Enters: an IR block and the names that are read after it.  Leaves: the names live before it, and a table: for each loop
the names live at its head, for each branch the names live after it.
"""

from __future__ import annotations

from s2s_ad.ir.nodes import (
    Append,
    Assign,
    Block,
    Expr,
    For,
    If,
    PopLast,
    Stmt,
    Store,
    Try,
    While,
    With,
    place_variables,
    statement_exprs,
    walk,
)

Table = dict[int, frozenset[str]]


def names_read(expr: Expr) -> set[str]:
    found: set[str] = set()
    for node in walk(expr):
        name = getattr(node, "name", None)
        if isinstance(name, str):
            found.add(name)
        place = getattr(node, "place", None)
        if place is not None:
            found.add(place.root)
            found |= {v.name for v in place_variables(place)}
    return found


def reads(stmt: Stmt) -> set[str]:
    found: set[str] = set()
    for expr in statement_exprs(stmt):
        found |= names_read(expr)
    stop = getattr(stmt, "stop", None)
    if isinstance(stop, str):
        found.add(stop)
    return found


def live_before(block: Block, live: set[str], table: Table) -> set[str]:
    for stmt in reversed(block):
        live = _before(stmt, live, table)
    return live


def _before(stmt: Stmt, live: set[str], table: Table) -> set[str]:
    match stmt:
        case Assign(targets):
            return (live - set(targets)) | reads(stmt)
        case PopLast(targets):
            return (live - set(targets)) | reads(stmt)
        case Store() | Append():
            return live | reads(stmt)
        case If(_, then, orelse):
            table[id(stmt)] = frozenset(live)
            return live_before(then, live, table) | live_before(orelse, live, table) | reads(stmt)
        case For() | While():
            return _loop(stmt, live, table)
        case With(_, body):
            return live_before(body, live, table) | reads(stmt)
        case Try(body, handlers, final):
            after = live_before(final, live, table)
            inside = set(after)
            for _, _, block in handlers:
                inside |= live_before(block, after, table)
            return live_before(body, inside, table) | inside | reads(stmt)
    return live | reads(stmt)


def _loop(stmt: For | While, live: set[str], table: Table) -> set[str]:
    targets = set(stmt.targets) if isinstance(stmt, For) else set()
    own = set() if isinstance(stmt, For) else reads(stmt)
    flag = {stmt.stop} if stmt.stop is not None else set()
    head = live | own
    while True:
        inside = (live_before(stmt.body, head | flag, table) - targets) | own
        if inside <= head:
            break
        head |= inside
    table[id(stmt)] = frozenset(head)
    return head | reads(stmt)

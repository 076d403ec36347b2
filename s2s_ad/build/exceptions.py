"""`try`: its body is tried on passive names first; then one branch does the work, the other handles the exception.

Enters: a `try` statement.  Leaves: a `Try` around passive work, and an `if` on whether it failed.

    try: y = f(x)                      failed = True
    except ValueError: y = 0.0   ->    try: y_tried = f(x); failed = False
                                       except ValueError: pass
                                       if failed: y = 0.0
                                       else: y = f(x)

A name that the body may or may not have given a value before it raised has no value in the handler.
"""

from __future__ import annotations

import ast
import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from s2s_ad.build.builder import Unreachable
from s2s_ad.build.renaming import rename_expr
from s2s_ad.build.values import Num, Poison, State, known_value
from s2s_ad.errors import CertainError
from s2s_ad.ir.nodes import (
    Append,
    Assign,
    Call,
    Const,
    Effect,
    Expr,
    For,
    If,
    Index,
    Method,
    MoveRoot,
    PopLast,
    Raise,
    Ref,
    Stmt,
    Store,
    Try,
    Var,
    While,
    With,
    all_assigned,
    all_statements,
    assigned,
    map_statement,
    number,
    statement_exprs,
    walk,
)
from s2s_ad.ir.types import BOOL, INT, OPAQUE, Scalar

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder

_REMEDY = "Test for the condition with `if` instead, or let the `try` hold only the statement that may raise."


@dataclass
class Outcome:
    """What trying a body has written, and how it ends."""

    block: list[Stmt]
    state: State
    ended: bool
    error: CertainError | None


def run_try(b: Builder, stmt: ast.Try) -> bool:
    """Run a `try`; True if every path through it raises."""
    from s2s_ad.build.statements import run_block

    if not stmt.handlers:
        ended = run_block(b, [*stmt.body, *stmt.orelse])
        return run_block(b, stmt.finalbody) or ended
    body = list(stmt.body)
    while body and _is_safe(b, body[0]):
        run_block(b, [body.pop(0)])
    ended = _with_handlers(b, stmt, body)
    return run_block(b, stmt.finalbody) or ended


def _is_safe(b: Builder, stmt: ast.stmt) -> bool:
    """Whether a statement cannot raise: it may stand before the `try`."""
    if _plain(stmt):
        return True
    before = b.state.copy()
    outcome = _tried(b, [stmt])
    b.state = before
    return not outcome.ended and not any(_may_raise(s) for s in all_statements(tuple(outcome.block)))


def _plain(stmt: ast.stmt) -> bool:
    """Whether a statement cannot raise, whatever is known."""
    match stmt:
        case ast.Assign([ast.Name()], ast.Constant()) | ast.Pass():
            return True
    return False


def _with_handlers(b: Builder, stmt: ast.Try, body: list[ast.stmt]) -> bool:
    from s2s_ad.build.statements import run_block

    if not body:
        return run_block(b, stmt.orelse)
    before = b.state.copy()
    outcome = _tried(b, body)
    b.state = before
    if outcome.error is not None and len(outcome.block) == 1:
        return _certain(b, stmt, outcome.error)
    if not any(_may_raise(s) for s in all_statements(tuple(outcome.block))) and not outcome.ended:
        return run_block(b, [*body, *stmt.orelse])
    return _settled(b, stmt, body, outcome)


def _tried(b: Builder, body: list[ast.stmt]) -> Outcome:
    """The body's statements, on a copy of what is known."""
    from s2s_ad.build.statements import run

    block: list[Stmt] = []
    error: CertainError | None = None
    ended = False
    trying, b.trying = b.trying, True
    with b.into(block), b.deeper():
        try:
            for inner in body:
                with b.at(inner):
                    ended = run(b, inner)
                if ended:
                    break
        except Unreachable:
            ended = True
        except CertainError as found:
            error, ended = found, True
            b.emit(Raise(Call(found.exception, (Const(found.fact),), (), OPAQUE)))
    b.trying = trying
    return Outcome(block, b.state, ended, error)


def _certain(b: Builder, stmt: ast.Try, error: CertainError) -> bool:
    """Nothing ran before what raises in any case: the handler is known."""
    for handler in stmt.handlers:
        if handler.type is None or issubclass(error.exception, _classes(b, handler.type)):
            caught = b.temp(stmt, "caught")
            if handler.name is not None or _reraises(handler):
                b.bind(caught, Num(Call(error.exception, (Const(error.fact),), (), OPAQUE)))
            return _handled(b, handler, caught)
    raise error


def _classes(b: Builder, node: ast.expr) -> Any:
    from s2s_ad.build.expressions import evaluate

    found = known_value(evaluate(b, node))
    parts = found if isinstance(found, tuple) else (found,)
    if not all(isinstance(p, type) and issubclass(p, BaseException) for p in parts):
        raise b.fail("the exceptions that this handler catches are not known when the program is derived")
    return parts


def _settled(b: Builder, stmt: ast.Try, body: list[ast.stmt], outcome: Outcome) -> bool:
    """Write the `Try`, and the branch on how it went."""
    from s2s_ad.build.statements import conditional, run_block

    failure, caught = b.temp(stmt, "failure"), b.temp(stmt, "caught")
    single = _passive_value(b, body, outcome)
    if single is None:
        _refuse_effects(b, outcome.block)
    fresh = {name: b.temp(stmt, f"{name}_tried", name) for name in sorted(all_assigned(tuple(outcome.block)))}
    tried = _renamed(b, outcome.block, fresh)
    count = len(stmt.handlers)
    b.emit(Assign((failure,), (number(count),), b.line))
    b.emit(Assign((caught,), (Const(None),), b.line))
    tried.append(Assign((failure,), (number(-1),), b.line))
    b.emit(
        Try(tuple(tried), tuple(_handler(b, h, k, failure, caught) for k, h in enumerate(stmt.handlers)), (), b.line)
    )
    b.types[failure], b.types[caught] = INT, OPAQUE
    doubtful = _names_in_doubt(body)

    def handle(handler: ast.ExceptHandler) -> bool:
        for name in doubtful:
            reason = f"`{name}` may have been given a value before the exception, or not"
            b.state.env[b.frame.key, name] = Poison(reason)
        return _handled(b, handler, caught)

    def succeed() -> bool:
        if single is None:
            return run_block(b, [*body, *stmt.orelse])
        name, value = single
        b.assign(name, replace(value, expr=Var(fresh[b.local(b.frame.key, name)], value.type)), stmt)
        return run_block(b, stmt.orelse)

    def choose(k: int) -> bool:
        if k == count:
            return succeed()
        test = Num(Call(operator.eq, (Var(failure, INT), number(k)), (), BOOL, "op"))
        return conditional(b, stmt, test, lambda: handle(stmt.handlers[k]), lambda: choose(k + 1))

    return choose(0)


def _handler(b: Builder, handler: ast.ExceptHandler, k: int, failure: str, caught: str) -> Any:
    """A handler that only notes which exception was caught."""
    kind = None if handler.type is None else _class_expr(_classes(b, handler.type))
    mark: list[Stmt] = [Assign((failure,), (number(k),), b.line)]
    if handler.name is None and not _reraises(handler):
        return kind, None, tuple(mark)
    mark.append(Assign((caught,), (Var("error", OPAQUE),), b.line))
    return kind or Ref("BaseException", BaseException), "error", tuple(mark)


def _handled(b: Builder, handler: ast.ExceptHandler, caught: str) -> bool:
    from s2s_ad.build.statements import run_block

    key = (b.frame.key, handler.name or "")
    if handler.name is not None:
        b.state.env[key] = Num(Var(caught, OPAQUE))
    outer, b.caught = b.caught, caught
    try:
        return run_block(b, handler.body)
    finally:
        b.caught = outer
        b.state.env.pop(key, None)


def _passive_value(b: Builder, body: list[ast.stmt], outcome: Outcome) -> tuple[str, Num] | None:
    """What the body gives its one name, if that needs no derivative: then it is not computed again."""
    match body:
        case [ast.Assign([ast.Name(name)], _)]:
            value = outcome.state.env.get((b.frame.key, name))
            stores = any(isinstance(s, Store | Append | PopLast) for s in all_statements(tuple(outcome.block)))
            if isinstance(value, Num) and not value.varied and not outcome.ended and not stores:
                if isinstance(value.expr, Var) and value.expr.name == b.local(b.frame.key, name):
                    return name, value
    return None


def _class_expr(classes: Any) -> Expr:
    refs = tuple(Ref(c.__name__, c) for c in classes)
    if len(refs) == 1:
        return refs[0]
    from s2s_ad.ir.nodes import Display

    return Display("tuple", refs, OPAQUE)


def _reraises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(n, ast.Raise) and n.exc is None for s in handler.body for n in ast.walk(s))


def _names_in_doubt(body: list[ast.stmt]) -> set[str]:
    """Names that the body may have given a value by the time it raises: all but those that are given theirs last."""
    from s2s_ad.build.bound_names import names_in

    rest = list(body)
    while len(rest) > 1 and _plain(rest[-1]):
        rest.pop()
    doubtful = {name for s in rest[:-1] for name in names_in(s)}
    last = rest[-1]
    if not isinstance(last, ast.Assign | ast.AugAssign | ast.Expr | ast.Import | ast.ImportFrom):
        doubtful |= names_in(last)
    return doubtful


def _renamed(b: Builder, block: list[Stmt], fresh: dict[str, str]) -> list[Stmt]:
    """The tried statements, on names of their own."""
    bound = {b.local_names.get(key) for key in b.state.env}
    entry: list[Stmt] = []
    renamed = tuple(block)
    for name, new in fresh.items():
        if name in bound and _is_read(name, block):
            entry.append(Assign((new,), (Var(name, b.types.get(name, OPAQUE)),)))
        renamed = tuple(_rename(s, name, new) for s in renamed)
    return [*entry, *renamed]


def _is_read(name: str, block: list[Stmt]) -> bool:
    """Whether the block reads the value that the name has before it."""
    for stmt in block:
        exprs = (e for s in all_statements((stmt,)) for e in statement_exprs(s))
        if any(isinstance(e, Var) and e.name == name for expr in exprs for e in walk(expr)):
            return True
        if name in assigned(stmt):
            return False
    return False


def _rename(stmt: Stmt, old: str, new: str) -> Stmt:
    """The statement with `new` for `old`, whether read or bound."""
    swapped = map_statement(stmt, lambda e: rename_expr(e, old, Var(new, OPAQUE)))
    return _rebind(swapped, old, new)


def _rebind(stmt: Stmt, old: str, new: str) -> Stmt:
    def block(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        return tuple(_rebind(s, old, new) for s in body)

    match stmt:
        case Assign(targets) | PopLast(targets):
            return replace(stmt, targets=tuple(new if t == old else t for t in targets))
        case For(targets, body=body):
            stop = new if stmt.stop == old else stmt.stop
            return replace(stmt, targets=tuple(new if t == old else t for t in targets), body=block(body), stop=stop)
        case While(body=body):
            return replace(stmt, body=block(body), stop=new if stmt.stop == old else stmt.stop)
        case If(_, then, orelse):
            return replace(stmt, then=block(then), orelse=block(orelse))
        case With(body=body):
            return replace(stmt, body=block(body))
        case Try(body, handlers, _):
            return replace(stmt, body=block(body), handlers=tuple((k, n, block(h)) for k, n, h in handlers))
        case MoveRoot(made, root):
            return replace(stmt, new=new if made == old else made, old=new if root == old else root)
    return stmt


def _may_raise(stmt: Stmt) -> bool:
    match stmt:
        case Assign(_, values):
            return any(_raises(v) for v in values)
        case If(test):
            return _raises(test)
        case _:
            return True


def _raises(expr: Expr) -> bool:
    for node in walk(expr):
        if isinstance(node, Call):
            plain = node.fn in _SAFE and isinstance(node.type, Scalar)
            if not plain:
                return True
        elif isinstance(node, Index):
            return True
    return False


_SAFE = (operator.add, operator.sub, operator.mul, operator.neg, operator.lt, operator.le, operator.gt, operator.ge)


def _refuse_effects(b: Builder, block: list[Stmt]) -> None:
    """What is tried first and done afterwards must be the same twice, and seen once."""
    made = all_assigned(tuple(block))
    for stmt in all_statements(tuple(block)):
        match stmt:
            case Store(target) | Append(target) | PopLast(source=target):
                root: Expr = target
                while isinstance(root, Index):
                    root = root.base
                if not (
                    isinstance(root, Var) and root.name in made and (root.place is None or root.place.root in made)
                ):
                    raise b.fail("an array or a list is written in a `try` with `except`", _REMEDY)
            case Effect(Call(fn)) if fn is print:
                raise b.fail("something is printed in a `try` with `except`", _REMEDY)
        for expr in statement_exprs(stmt):
            if any(_once(e) for e in walk(expr)) and not isinstance(stmt, Raise):
                raise b.fail(
                    "a `try` with `except` calls code that may do something else when it is called twice", _REMEDY
                )


def _once(expr: Expr) -> bool:
    if not isinstance(expr, Call):
        return False
    if isinstance(expr.fn, Method | Ref | Var):
        return True
    module = str(getattr(expr.fn, "__module__", None) or "")
    return module.startswith("numpy.random")

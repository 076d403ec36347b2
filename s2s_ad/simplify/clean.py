"""The last look at a program: what nobody reads is left out, what is read once right away is written in place.

Enters: a function of the IR.  Leaves: the same function, shorter.

    branch = x > 0          if x > 0:
    if branch:        ->        y = f(x)
        y = f(x)
"""

from __future__ import annotations

from dataclasses import replace

from s2s_ad.analysis.liveness import names_read, reads
from s2s_ad.ir.nodes import (
    Append,
    Assign,
    Block,
    Call,
    Choice,
    Comment,
    Const,
    Display,
    Each,
    Effect,
    Expr,
    For,
    Function,
    If,
    Index,
    Lazy,
    Method,
    MoveRoot,
    PopLast,
    Range,
    Ref,
    Stmt,
    Store,
    Text,
    Try,
    Var,
    While,
    With,
    ZerosLike,
    all_assigned,
    all_statements,
    map_children,
    variables,
    walk,
)
from s2s_ad.ir.types import Scalar
from s2s_ad.simplify.once import once


def clean(function: Function, optimize: bool = True) -> Function:
    if not optimize:
        return replace(function, body=_without_spare_names(function.body, names_read(function.result)))
    body, result = function.body, function.result
    for _ in range(4):
        before = body
        body = without_dead(body, names_read(result))
        body = folded(body, result)
        if body == before:
            break
    return once(replace(function, body=body, result=result))


def _without_spare_names(block: Block, live: set[str]) -> Block:
    """Names given in case they would be needed, and never read, may stand for nothing: they go in any case."""
    read = set(live)
    for stmt in all_statements(block):
        read |= reads(stmt)

    def kept(body: Block) -> Block:
        out: list[Stmt] = []
        for stmt in body:
            if isinstance(stmt, Assign) and stmt.note == "alias" and not set(stmt.targets) & read:
                continue
            match stmt:
                case If(_, then, orelse):
                    stmt = replace(stmt, then=kept(then), orelse=kept(orelse))
                case For(body=inner) | While(body=inner) | With(body=inner):
                    stmt = replace(stmt, body=kept(inner))
            out.append(stmt)
        return tuple(out)

    return kept(block)


# -- dead statements ---------------------------------------------------------------------------------------------------
def without_dead(block: Block, live: set[str]) -> Block:
    """Statements whose results nobody reads are left out; stores into objects that nobody reads, too."""
    needed = _needed(block, live)
    return _kept(block, needed)


def _needed(block: Block, live: set[str]) -> frozenset[str]:
    """The names that matter: read by the result, by an effect, or by what gives another needed name its value."""
    needed = set(live)
    statements = list(all_statements(block))
    tried = {id(s) for t in statements if isinstance(t, Try) for s in all_statements(t.body)}
    aliases = _aliases(statements)
    while True:
        size = len(needed)
        for stmt in statements:
            if id(stmt) in tried or _matters(stmt, needed):
                needed |= reads(stmt)
        for a, b in aliases:
            if a in needed or b in needed:
                if _is_written(a, statements) or _is_written(b, statements):
                    needed |= {a, b} if a in needed or b in needed else set()
        if len(needed) == size:
            return frozenset(needed)


def _aliases(statements: list[Stmt]) -> list[tuple[str, str]]:
    """Pairs of names that may share memory: a name given to (a part of) what another name holds."""
    pairs = []
    for stmt in statements:
        match stmt:
            case Assign(targets, values):
                for target, value in zip(targets, values, strict=True):
                    if not isinstance(value.type, Scalar):
                        pairs += [(target, n) for n in _sources(value)]
            case Append(grown, value):
                pairs += [(v.name, n) for v in variables(grown) for n in _sources(value)]
            case PopLast(targets, source):
                pairs += [(t, v.name) for t in targets for v in variables(source)]
            case For(targets, iter=iter_):
                pairs += [(t, v.name) for t in targets for e in _looped_over(iter_) for v in variables(e)]
            case MoveRoot():
                pass
    return pairs


def _looped_over(iter_: Range | Each) -> list[Expr]:
    return [] if isinstance(iter_, Range) else [e for e in (iter_.items, iter_.tangents) if e is not None]


def _sources(value: Expr) -> list[str]:
    """Names whose memory a value may share."""
    match value:
        case Var(name, type_):
            return [] if isinstance(type_, Scalar) else [name]
        case Index(base):
            return _sources(base)
        case Display(_, items):
            return [n for i in items for n in _sources(i)]
        case Call(fn, args):
            from s2s_ad.build.numeric import MAYBE_VIEWS, VIEWS

            if fn in VIEWS or fn in MAYBE_VIEWS or fn in (list, tuple):
                return [n for a in args[:1] for n in _sources(a)]
        case Choice(_, then, orelse):
            return _sources(then) + _sources(orelse)
    return []


def _is_written(name: str, statements: list[Stmt]) -> bool:
    for stmt in statements:
        match stmt:
            case Store(target) | Append(target):
                if _base(target) == name:
                    return True
            case PopLast(source=Var(n)):
                if n == name:
                    return True
            case Effect(Call(Method(), args)):
                if any(v.name == name for a in args[:1] for v in variables(a)):
                    return True
    return False


def _base(expr: Expr) -> str | None:
    while isinstance(expr, Index):
        expr = expr.base
    return expr.name if isinstance(expr, Var) else None


def _matters(stmt: Stmt, needed: set[str]) -> bool:
    match stmt:
        case Assign(targets, values):
            return any(t in needed for t in targets) or any(_must_run(v) for v in values)
        case Store(target) | Append(target):
            return _base(target) in needed or _base(target) is None
        case PopLast(targets, source):
            return any(t in needed for t in targets) or _base(source) in needed
        case Effect(Call(Method(name), (target, *_))) if name in ("pop", "reverse"):
            return _base(target) in needed
        case For() | While() | If() | With() | Try():
            return _holds(stmt, needed)
        case MoveRoot() | Comment():
            return False
    return True


def _holds(stmt: Stmt, needed: set[str]) -> bool:
    from s2s_ad.ir.nodes import blocks

    return (
        isinstance(stmt, While)
        and _unbounded(stmt)
        or any(_matters(s, needed) for b in blocks(stmt) for s in b)
        or any(n in needed for n in (stmt.targets if isinstance(stmt, For) else ()))
    )


def _unbounded(stmt: While) -> bool:
    return isinstance(stmt.test, Const)


def _must_run(expr: Expr) -> bool:
    """Whether evaluating it is seen outside: a method of a passive object, a call of unknown code, a random draw."""
    for node in walk(expr):
        if isinstance(node, Call):
            if isinstance(node.fn, Method | Ref | Var):
                return True
            module = getattr(node.fn, "__module__", None) or ""
            owner = type(getattr(node.fn, "__self__", None)).__module__
            if module.startswith("numpy.random") or owner.startswith("numpy.random"):
                return True
            known = module.split(".")[0] in (
                "numpy",
                "scipy",
                "math",
                "_operator",
                "operator",
                "builtins",
                "s2s_ad",
                "",
            )
            if not known:
                return True
    return False


def _kept(block: Block, needed: frozenset[str]) -> Block:
    out: list[Stmt] = []
    for stmt in block:
        if isinstance(stmt, MoveRoot | Comment) or _matters(stmt, set(needed)):
            match stmt:
                case If(_, then, orelse):
                    stmt = replace(stmt, then=_kept(then, needed), orelse=_kept(orelse, needed))
                case For(body=body) | While(body=body) | With(body=body):
                    stmt = replace(stmt, body=_kept(body, needed))
                case Try():
                    pass  # whether its body raises is what it is there for
            out.append(stmt)
    return tuple(_without_idle_comments(out))


def _without_idle_comments(stmts: list[Stmt]) -> list[Stmt]:
    """A comment that shows a source line stands for the statements after it: without them it goes."""
    out: list[Stmt] = []
    for k, stmt in enumerate(stmts):
        if isinstance(stmt, Comment) and stmt.text not in ("# forward sweep", "# reverse sweep"):
            following = next((s for s in stmts[k + 1 :] if not isinstance(s, MoveRoot)), None)
            if following is None or isinstance(following, Comment):
                continue
        out.append(stmt)
    return out


# -- values that are read once -----------------------------------------------------------------------------------------
def folded(block: Block, result: Expr) -> Block:
    """A name that is read once, by the statement right after, is replaced by its expression."""
    counts: dict[str, int] = {}
    defined: dict[str, int] = {}
    for stmt in all_statements(block):
        for expr in _own_exprs(stmt):
            for node in walk(expr):
                if isinstance(node, Var):
                    counts[node.name] = counts.get(node.name, 0) + 1
        for name in all_assigned((stmt,)) if not _inner(stmt) else _targets(stmt):
            defined[name] = defined.get(name, 0) + 1
    for node in walk(result):
        if isinstance(node, Var):
            counts[node.name] = counts.get(node.name, 0) + 2
    return _fold_block(block, counts, defined)


def _own_exprs(stmt: Stmt) -> list[Expr]:
    from s2s_ad.ir.nodes import statement_exprs

    return list(statement_exprs(stmt))


def _inner(stmt: Stmt) -> bool:
    return isinstance(stmt, If | For | While | With | Try)


def _targets(stmt: Stmt) -> tuple[str, ...]:
    return stmt.targets if isinstance(stmt, For) else ()


def _fold_block(block: Block, counts: dict[str, int], defined: dict[str, int]) -> Block:
    out: list[Stmt] = []
    for raw in block:
        stmt = _fold_inside(raw, counts, defined)
        previous = out[-1] if out else None
        if (
            isinstance(previous, Assign)
            and previous.note in ("", "named")
            and len(previous.targets) == 1
            and (previous.note == "named" or previous.line == 0)
            and counts.get(previous.targets[0]) == 1
            and defined.get(previous.targets[0]) == 1
        ):
            name, value = previous.targets[0], previous.values[0]
            replaced = _substituted(stmt, name, value)
            if replaced is not None:
                out[-1] = replaced
                continue
        out.append(stmt)
    return tuple(out)


def _fold_inside(stmt: Stmt, counts: dict[str, int], defined: dict[str, int]) -> Stmt:
    match stmt:
        case If(_, then, orelse):
            return replace(stmt, then=_fold_block(then, counts, defined), orelse=_fold_block(orelse, counts, defined))
        case For(body=body) | While(body=body) | With(body=body):
            return replace(stmt, body=_fold_block(body, counts, defined))
    return stmt


def _substituted(stmt: Stmt, name: str, value: Expr) -> Stmt | None:
    """The statement with the one read of `name` replaced, if it is read there, by the statement itself."""

    def swap(expr: Expr) -> Expr:
        if isinstance(expr, Var) and expr.name == name:
            return value
        return map_children(expr, swap)

    def reads_it(expr: Expr) -> bool:
        return any(v.name == name for v in variables(expr))

    match stmt:
        case Assign(_, values) if any(reads_it(v) for v in values):
            return replace(stmt, values=tuple(swap(v) for v in values))
        case Store(target, v) if reads_it(v) and not reads_it(target):
            return replace(stmt, value=swap(v))
        case Append(target, v) if reads_it(v):
            return replace(stmt, value=swap(v))
        case If(test) if reads_it(test):
            return replace(stmt, test=swap(test))
    return None


_ = (Lazy, Text, ZerosLike)

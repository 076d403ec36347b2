"""A rule's body, written out over the actual operands of a call.

Enters: a rule, a call of its primal, the expression of the call's value, its cotangent.  Leaves: one cotangent
expression for each active operand, and the statements that must run before them.

    np.tanh, call np.tanh(h @ W), value h, cotangent h_bar   ->   h_bar * (1 - h * h)
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from s2s_ad.build.bound_names import names_assigned
from s2s_ad.build.builder import Builder, Facts, Frame, Restart
from s2s_ad.build.expressions import evaluate
from s2s_ad.build.parameters import bind_parameters
from s2s_ad.build.statements import run, run_body
from s2s_ad.build.values import NOTHING, Abs, Known, Num, Tup, known_value
from s2s_ad.errors import MissingRule, S2SError
from s2s_ad.frontend.normalise import normalise
from s2s_ad.frontend.source import FunctionSource, retrieve
from s2s_ad.ir.names import Names
from s2s_ad.ir.nodes import Call, Const, Display, Expr, Index, Ref, Stmt
from s2s_ad.ir.types import INT, TupleOf, is_inexact
from s2s_ad.rules.registry import Rule, name_of, unhandled_options

_WALKS = 20
_SOURCES: dict[Any, tuple[FunctionSource, ast.FunctionDef]] = {}


def source_of_rule(function: Callable[..., Any]) -> tuple[FunctionSource, ast.FunctionDef]:
    if function not in _SOURCES:
        source = retrieve(function)
        _SOURCES[function] = (source, normalise(source.tree))
    return _SOURCES[function]


def as_value(expr: Expr) -> Abs:
    """An IR expression as the builder sees it."""
    match expr:
        case Const(value):
            return Known(value)
        case Ref(_, value):
            return Known(value)
        case Display("tuple" | "list", items):
            whole = expr if isinstance(expr.type, TupleOf) and expr.kind == "tuple" else None
            return Tup(tuple(as_value(i) for i in items), None, whole)
        case _ if isinstance(expr.type, TupleOf):
            parts = tuple(as_value(Index(expr, (Const(k, INT),), t)) for k, t in enumerate(expr.type.items))
            return Tup(parts, None, expr)
    return Num(expr)


class Inliner:
    """Writes rules out; all of them draw their names from one allocator."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def partials(
        self, rule: Rule, call: Call, result: Abs, cotangent: Abs, active: Callable[[Expr], bool]
    ) -> tuple[list[Stmt], list[tuple[Expr, Abs]]]:
        """Statements, and for each active operand its cotangent."""
        operands, options = rule.bind(call.args, dict(call.kwargs))
        values = [as_value(e) for e in operands]
        _check_options(rule, options, active)
        given = {k: as_value(v) if _is_expr(v) else Known(v) for k, v in options.items()}
        given = {k: v for k, v in given.items() if k in rule.options}
        wanted = [active(e) for e in operands]
        stmts, results = self.run(rule.adjoint, [*values, result, cotangent], given, wanted, rule)
        found: list[tuple[Expr, Abs]] = []
        for operand, flag, part in zip(operands, wanted, results, strict=False):
            if flag and part is not None and not (isinstance(part, Known) and part.value is None):
                found.append((operand, part))
        return stmts, found

    def run(
        self, function: Callable[..., Any], args: list[Abs], kwargs: dict[str, Abs], wanted: list[bool], rule: Rule
    ) -> tuple[list[Stmt], list[Abs | None]]:
        source, tree = source_of_rule(function)
        facts, names = Facts(), self.names.snapshot()
        for _ in range(_WALKS):
            try:
                return self._walk(Builder(source, facts, self.names), tree, args, kwargs, wanted, rule)
            except Restart:
                self.names.restore(names)
        raise S2SError(f"the rule `{rule.adjoint.__name__}` could not be understood")

    def _walk(
        self,
        b: Builder,
        tree: ast.FunctionDef,
        args: list[Abs],
        kwargs: dict[str, Abs],
        wanted: list[bool],
        rule: Rule,
    ) -> tuple[list[Stmt], list[Abs | None]]:
        source = b.frame.source
        b.in_rule = True
        assigned, nonlocals = names_assigned(tree)
        b.frame = Frame(("rule",), source, None, assigned, nonlocals)
        b.frames[b.frame.key] = b.frame
        if rule.variadic:
            *args, result, cotangent = args
            kwargs = kwargs | {rule.result: result, rule.cotangent: cotangent}
        values = bind_parameters(b, source, tree, args, kwargs)
        for name, value in values.items():
            b.state.env[b.frame.key, name] = value
        single = len(wanted) == 1 and not rule.variadic
        before = b.state.copy()
        direct = self._direct(b, source.tree.body, wanted, single)
        if direct is not None:
            return b.block, direct
        b.block.clear()
        b.state = before
        value = run_body(b, tree)
        if single:
            return b.block, [value]
        if not isinstance(value, Tup):
            raise S2SError(f"the rule `{rule.adjoint.__name__}` gives no tuple of {len(wanted)} expressions")
        return b.block, list(value.items)

    def _direct(self, b: Builder, body: list[ast.stmt], wanted: list[bool], single: bool) -> list[Abs | None] | None:
        """Run statements up to a `return` whose path is known; None where it is not."""
        for stmt in body:
            match stmt:
                case ast.Expr(ast.Constant()):
                    continue
                case ast.If(test, then, orelse):
                    known = known_value(evaluate(b, test))
                    if known is NOTHING:
                        return None
                    inner = self._direct(b, then if known else orelse, wanted, single)
                    if inner is not None or _returns([stmt]):
                        if inner is None and not _returns(then if known else orelse):
                            continue
                        return inner
                case ast.Return(ast.Tuple(elts)) if not single and len(elts) == len(wanted):
                    return [evaluate(b, e) if w else None for e, w in zip(elts, wanted, strict=True)]
                case ast.Return(value) if value is not None:
                    result = evaluate(b, value)
                    if single:
                        return [result]
                    return list(result.items) if isinstance(result, Tup) else None
                case ast.Assign([ast.Name()]) | ast.Assign([ast.Tuple()]):
                    run(b, stmt)
                case _:
                    return None
        return None


def _check_options(rule: Rule, options: dict[str, Any], active: Callable[[Expr], bool]) -> None:
    """An option that moves, or one that the rule does not know, would be left out silently."""
    name = name_of(rule.primal)
    for option, value in options.items():
        if _is_expr(value) and is_inexact(value.type) and active(value):
            raise MissingRule(
                f"cannot differentiate `{name}` with respect to its argument `{option}`",
                "Treat it as constant with stop_gradient(...).",
            )
    unknown = unhandled_options(rule, options)
    if unknown:
        raise MissingRule(
            f"the rule of `{name}` does not know the argument `{unknown[0]}`", f"Call it without `{unknown[0]}`."
        )


def _returns(body: list[ast.stmt]) -> bool:
    return any(isinstance(n, ast.Return) for s in body for n in ast.walk(s))


def _is_expr(value: Any) -> bool:
    return hasattr(value, "type") and hasattr(value, "__dataclass_fields__")


_ = replace

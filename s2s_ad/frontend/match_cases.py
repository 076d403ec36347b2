"""`match` becomes a chain of `if`.

Enters: a `match` whose patterns are values, alternatives, captures, and tuples of these against a written-out tuple.
Leaves: the same choice with `==`, `is` and assignments.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from s2s_ad.frontend.exits import Block, Refuse
from s2s_ad.frontend.names import Names
from s2s_ad.frontend.nodes import assign, branch, constant, load

_REMEDY = "Write the choice with `if` and `elif`."
_Subject = ast.expr | tuple["_Subject", ...]
"""A name or constant, or the elements of a tuple that was written out."""


def if_chain(statement: ast.Match, names: Names, refuse: Refuse) -> Block:
    """The choice that `statement` makes."""
    before: Block = []
    subject = _taken_apart(statement.subject, names, before)
    chain: Block = []
    for case in reversed(statement.cases):
        conditions, bindings = _Pattern(refuse).read(case.pattern, subject)
        if case.guard is not None and bindings and conditions:
            fact = "a guard behind a pattern that both tests and captures is not supported"
            raise refuse(fact, _REMEDY, case.pattern)
        if case.guard is not None:
            chosen: Block = [branch(case.guard, case.body, chain, case.guard)]
        else:
            chosen = case.body
        # a guard reads what is captured, and the captures stay even where it says no
        chosen = [assign(name, value, case.pattern) for name, value in bindings] + chosen
        if not conditions:
            chain = chosen
        elif case.guard is not None:
            test = _all([*conditions, case.guard], case.pattern)
            chain = [branch(test, case.body, chain, case.pattern)]
        else:
            chain = [branch(_all(conditions, case.pattern), chosen, chain, case.pattern)]
    return before + chain


def _taken_apart(subject: ast.expr, names: Names, before: Block) -> _Subject:
    if isinstance(subject, ast.Tuple | ast.List) and not any(isinstance(e, ast.Starred) for e in subject.elts):
        return tuple([_taken_apart(element, names, before) for element in subject.elts])
    name = names.fresh("subject")
    before.append(assign(name, subject, subject))
    return load(name, subject)


class _Pattern:
    """Reads a pattern into conditions, which are tested from left to right, and what it binds when they hold."""

    def __init__(self, refuse: Refuse) -> None:
        self.refuse = refuse

    def read(self, pattern: ast.pattern, subject: _Subject) -> tuple[list[ast.expr], list[tuple[str, ast.expr]]]:
        match pattern:
            case ast.MatchAs(pattern=None, name=None):
                return [], []
            case ast.MatchAs(pattern=inner, name=str(name)):
                conditions, bindings = self.read(inner, subject) if inner is not None else ([], [])
                return conditions, [*bindings, (name, _again(subject, pattern))]
            case ast.MatchValue() | ast.MatchSingleton() if not isinstance(subject, tuple):
                return [_compared(pattern, subject)], []
            case ast.MatchValue() | ast.MatchSingleton():
                return [constant(False, pattern)], []  # a tuple equals no number and no string
            case ast.MatchOr():
                return [self._alternatives(pattern, subject)], []
            case ast.MatchSequence() if isinstance(subject, tuple):
                return self._elements(pattern, subject)
        fact = "this pattern is not supported: only values, names, alternatives, and tuples against a written-out tuple"
        raise self.refuse(fact, _REMEDY, pattern)

    def _alternatives(self, pattern: ast.MatchOr, subject: _Subject) -> ast.expr:
        tests: list[ast.expr] = []
        for alternative in pattern.patterns:
            conditions, bindings = self.read(alternative, subject)
            if bindings:
                raise self.refuse("captures inside `|` patterns are not supported", _REMEDY, alternative)
            tests.append(_all(conditions, alternative))
        return ast.copy_location(ast.BoolOp(ast.Or(), tests), pattern)

    def _elements(
        self, pattern: ast.MatchSequence, subject: tuple[_Subject, ...]
    ) -> tuple[list[ast.expr], list[tuple[str, ast.expr]]]:
        if any(isinstance(inner, ast.MatchStar) for inner in pattern.patterns):
            raise self.refuse("starred patterns are not supported", _REMEDY, pattern)
        if len(pattern.patterns) != len(subject):
            return [constant(False, pattern)], []
        conditions: list[ast.expr] = []
        bindings: list[tuple[str, ast.expr]] = []
        for inner, element in zip(pattern.patterns, subject, strict=True):
            tested, bound = self.read(inner, element)
            conditions += tested
            bindings += bound
        return conditions, bindings


def _compared(pattern: ast.MatchValue | ast.MatchSingleton, subject: ast.expr) -> ast.expr:
    left = _again(subject, pattern)
    if isinstance(pattern, ast.MatchSingleton):
        operator, right = ast.Is(), constant(pattern.value, pattern)
        return ast.copy_location(ast.Compare(left, [operator], [right]), pattern)
    return ast.copy_location(ast.Compare(left, [ast.Eq()], [pattern.value]), pattern)


def _again(subject: _Subject, at: ast.AST) -> ast.expr:
    """The subject once more: it was given a name, so reading it costs and changes nothing."""
    if isinstance(subject, tuple):
        return ast.copy_location(ast.Tuple([_again(element, at) for element in subject], ast.Load()), at)
    assert isinstance(subject, ast.Name)
    return load(subject.id, at)


def _all(conditions: Sequence[ast.expr], at: ast.AST) -> ast.expr:
    if not conditions:
        return constant(True, at)
    if len(conditions) == 1:
        return conditions[0]
    return ast.copy_location(ast.BoolOp(ast.And(), list(conditions)), at)

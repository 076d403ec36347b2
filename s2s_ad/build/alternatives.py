"""Names that hold one of several things of different kinds, which one being known only at run time.

Enters: a `OneOf` and what is to be done with it.  Leaves: the operation on each of the alternatives, under a branch.

    act = np.tanh if flag else np.sin          act_which = 0 if flag else 1
    y = act(x)                            ->   if act_which == 0: y = np.tanh(x)
                                               else: y = np.sin(x)
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING

from s2s_ad.build.values import Abs, Known, Num, OneOf, leaf_expr
from s2s_ad.errors import CertainError, MissingRule, S2SError, UnsupportedSyntax
from s2s_ad.ir.nodes import Call, Choice, Expr, Stmt, number
from s2s_ad.ir.types import BOOL, OPAQUE, Type, is_inexact, join

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


def is_option(value: Expr, k: int) -> Expr:
    return Call(operator.eq, (value, number(k)), (), BOOL, "op")


def choose(b: Builder, value: OneOf, operation: Callable[[Abs], Abs]) -> Abs:
    """`operation` on whichever alternative the value is; an alternative that it is not made for raises when it is
    met."""
    from s2s_ad.build.expressions import branch

    failures: list[S2SError] = []

    def attempt(k: int) -> Abs:
        try:
            return operation(value.options[k])
        except MissingRule:
            raise
        except UnsupportedSyntax as error:
            failures.append(error)
            if len(failures) == len(value.options):
                raise
            raise _met(b, error) from error

    def rest(k: int) -> Abs:
        if k == len(value.options) - 1:
            return attempt(k)
        return branch(b, b.node, is_option(value.which.expr, k), lambda: attempt(k), lambda: rest(k + 1))

    return rest(0)


def choose_to_do(b: Builder, value: OneOf, operation: Callable[[Abs], object]) -> None:
    """The same for an operation that gives nothing."""
    from s2s_ad.build.statements import conditional

    failures: list[S2SError] = []

    def attempt(k: int) -> bool:
        try:
            return bool(operation(value.options[k]))
        except UnsupportedSyntax as error:
            failures.append(error)
            if len(failures) == len(value.options):
                raise
            raise _met(b, error) from error

    def guarded(k: int) -> bool:
        from s2s_ad.build.statements import raising

        return raising(b, lambda: attempt(k))

    def rest(k: int) -> bool:
        if k == len(value.options) - 1:
            return guarded(k)
        return conditional(b, b.node, Num(is_option(value.which.expr, k)), lambda: guarded(k), lambda: rest(k + 1))

    rest(0)


def _met(b: Builder, error: S2SError) -> CertainError:
    if isinstance(error, CertainError):
        return error
    return b.certain(UnsupportedSyntax, str(error))


def each_choice(b: Builder, values: list[Abs], operation: Callable[[list[Abs]], Abs]) -> Abs:
    """`operation` on several values, of which some may be one of several."""
    open_ = [(k, value) for k, value in enumerate(values) if isinstance(value, OneOf)]
    if not open_:
        return operation(values)
    k, value = open_[0]
    return choose(b, value, lambda v: each_choice(b, [*values[:k], v, *values[k + 1 :]], operation))


def choice_expr(value: OneOf) -> Expr | None:
    """Passive constants, such as strings, as one expression."""
    exprs = [leaf_expr(v) for v in value.options]
    if any(e is None for e in exprs):
        return None
    found: list[Expr] = [e for e in exprs if e is not None]
    type_: Type | None = found[0].type
    for e in found[1:]:
        type_ = None if type_ is None else join(type_, e.type, "choice")
    if any(is_inexact(e.type) for e in found):
        return None
    result = found[-1]
    for k in reversed(range(len(found) - 1)):
        result = Choice(is_option(value.which.expr, k), found[k], result, type_ or OPAQUE)
    return result


_ = (Known, Stmt)

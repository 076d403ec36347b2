"""`break`, `continue` and `return` become flags and branches.

Enters: desugared statements.  Leaves: loops whose only `break` is a last `if flag: break`, and one `return` at the end.

Two steps. `lift` works from the inner loops outwards: an exit of a loop becomes an `Exit` of its body that sets flags,
and a `return e` is put behind the loop as `if flag: return e`, where the state is still the same. `flatten` then gives
every `Exit` its structure: what follows it goes into the other branch, or, where two ways would lead to what follows,
behind a test of the flags. No statement is ever written twice.
"""

from __future__ import annotations

import ast
import functools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from s2s_ad.frontend.names import Names
from s2s_ad.frontend.nodes import (
    Exit,
    assign,
    blocks,
    branch,
    constant,
    empty,
    handler_of,
    load,
    loop_of,
    negation,
    none_of,
    with_blocks,
)

Refuse = Callable[[str, str, ast.AST], Exception]
Block = list[ast.stmt]
_Branching = ast.If | ast.With | ast.Try
_DEEPEST = 80
"""Python reads at most a hundred levels of indentation."""


@dataclass
class _Region:
    """What an `Exit` ends: one iteration of a loop, or one guarded statement."""

    skip: str | None = None
    """The flag of `continue`, once something needs to ask for it."""


def one_exit(body: Block, names: Names, refuse: Refuse, end: ast.AST) -> Block:
    """The statements of a function with one way out."""
    work = _Exits(names, refuse)
    body = work.lift(body)
    if work.completes(body):
        body = [*body, ast.copy_location(ast.Return(constant(None, end)), end)]
    return work.function(body)


class _Exits:
    def __init__(self, names: Names, refuse: Refuse) -> None:
        self.names = names
        self.refuse = refuse
        self.result: str | None = None
        self.stops: dict[ast.stmt, str] = {}
        self.exiting: dict[ast.stmt, bool] = {}
        self.completing: dict[ast.stmt, bool] = {}
        self.depth = 0

    # What a statement may do -----------------------------------------------------------------------------------

    def completes(self, block: Block) -> bool:
        """Whether control can reach what follows `block`."""
        return all(self._completes(statement) for statement in block)

    def _completes(self, statement: ast.stmt) -> bool:
        known = self.completing.get(statement)
        if known is None:
            known = self.completing[statement] = self._find_completes(statement)
        return known

    def _find_completes(self, statement: ast.stmt) -> bool:
        match statement:
            case Exit() | ast.Return() | ast.Raise():
                return False
            case ast.If():
                return self.completes(statement.body) or self.completes(statement.orelse)
            case ast.With():
                return self.completes(statement.body)
            case ast.Try():
                through = self.completes(statement.body) and self.completes(statement.orelse)
                handled = any(self.completes(handler.body) for handler in statement.handlers)
                return (through or handled) and self.completes(statement.finalbody)
        return True

    def exits(self, block: Block) -> bool:
        """Whether an exit of the present region stands in `block`."""
        return any(self._exits(statement) for statement in block)

    def _exits(self, statement: ast.stmt) -> bool:
        known = self.exiting.get(statement)
        if known is None:
            inner = isinstance(statement, ast.If | ast.With | ast.Try) and any(map(self.exits, blocks(statement)))
            known = self.exiting[statement] = inner or isinstance(statement, Exit | ast.Return)
        return known

    # Loops, from the inside out --------------------------------------------------------------------------------

    def lift(self, block: Block) -> Block:
        lifted: Block = []
        for statement in block:
            match statement:
                case ast.For() | ast.While():
                    lifted += self._lift_loop(statement)
                case ast.If() | ast.With() | ast.Try():
                    lifted.append(self._checked(with_blocks(statement, self.lift)))
                case _:
                    lifted.append(statement)
        return lifted

    def _checked(self, statement: _Branching) -> _Branching:
        for site in _sites(statement.finalbody) if isinstance(statement, ast.Try) else ():
            fact = "an exit inside `finally` swallows the exception that is under way"
            raise self.refuse(fact, "Leave the function behind the `try` statement.", site)
        return statement

    def _lift_loop(self, loop: ast.For | ast.While) -> Block:
        body, orelse = self.lift(loop.body), self.lift(loop.orelse)
        sites = list(_sites(body))
        breaks = any(isinstance(site, ast.Break) for site in sites)
        returns = [site for site in sites if isinstance(site, ast.Return)]
        stop = self.names.flag("stop") if breaks or len(returns) > 1 else None
        before: Block = [assign(stop, constant(False, loop), loop)] if stop else []
        answers: list[ast.If] = []

        def leave(site: ast.stmt, sheltered: bool) -> Block:
            nonlocal stop
            if isinstance(site, ast.Break):
                assert stop is not None
                return [Exit((stop,), site)]
            if not isinstance(site, ast.Return):
                return [Exit((), site)]
            flag, kept = self._defer(site, sheltered, before, answers, loop)
            stop = stop or flag
            return [*kept, Exit((stop,) if stop == flag else (stop, flag), site)]

        body = _replace(body, leave)
        after: Block = [*answers]
        endless = isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant) and bool(loop.test.value)
        if endless and answers and not breaks:
            after[-1:] = answers[-1].body
        elif breaks and stop and orelse:
            after.append(branch(none_of([stop], loop), orelse, [], loop))
        elif not endless:
            after += orelse
        bare = loop_of(loop, body)
        if stop:
            self.stops[bare] = stop
        return [*before, bare, *after]

    def _defer(
        self, site: ast.Return, sheltered: bool, before: Block, after: list[ast.If], around: ast.stmt
    ) -> tuple[str, Block]:
        """A flag for `site`, tested behind `around`; a value that needs its `with` or `try` is computed in there."""
        flag = self.names.flag("returned")
        before.append(assign(flag, constant(False, around), around))
        value = site.value or constant(None, site)
        kept: Block = []
        if sheltered and not isinstance(value, ast.Constant):
            name = self.names.fresh("value")
            kept = [assign(name, value, site)]
            value = load(name, site)
        answer = ast.copy_location(ast.Return(value), site)
        after.append(branch(load(flag, site), [answer], [], site))
        return flag, kept

    # Branches --------------------------------------------------------------------------------------------------

    def function(self, body: Block) -> Block:
        flat = self.flatten(body, _Region())
        last = flat[-1] if flat else None
        if isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name) and last.targets[0].id == self.result:
            return [*flat[:-1], ast.copy_location(ast.Return(last.value), last)]
        if self.result is None:  # every way ends in a `raise`
            end = body[-1]
            return [*flat, ast.copy_location(ast.Return(constant(None, end)), end)]
        return [*flat, ast.copy_location(ast.Return(load(self.result, body[-1])), body[-1])]

    def flatten(self, block: Block, region: _Region) -> Block:
        out: Block = []
        queue = deque(block)
        while queue:
            statement = queue.popleft()
            match statement:
                case Exit():
                    return out + [assign(flag, constant(True, statement), statement) for flag in statement.flags]
                case ast.Return():
                    self.result = self.result or self.names.fresh("result")
                    return [*out, assign(self.result, statement.value or constant(None, statement), statement)]
                case ast.For() | ast.While():
                    out.append(self._loop(statement))
                case ast.If() | ast.With() | ast.Try():
                    if self._exits(statement):
                        self._exiting(statement, queue, out, region)
                    else:
                        out.append(with_blocks(statement, lambda inner: self.flatten(inner, region)))
                case _:
                    out.append(statement)
            if isinstance(statement, ast.Raise):
                break
        return out

    def _loop(self, loop: ast.For | ast.While) -> ast.stmt:
        region = _Region()
        body = self.flatten(loop.body, region)
        if region.skip:
            body.insert(0, assign(region.skip, constant(False, loop), loop))
        stop = self.stops.get(loop)
        if stop:
            body.append(branch(load(stop, loop), [ast.copy_location(ast.Break(), loop)], [], loop))
        return loop_of(loop, body)

    def _exiting(self, statement: _Branching, queue: deque[ast.stmt], out: Block, region: _Region) -> None:
        """`statement` may leave the region: what is left in `queue` must run exactly where it does not."""
        returns = any(isinstance(site, ast.Return) for site in _sites([statement]))
        rest = list(queue)
        if not rest and not (returns and _skips_else(statement, self.exits)):
            out += self._tails(statement, region)
        elif isinstance(statement, ast.If) and not (
            self.completes(statement.body) and self.completes(statement.orelse)
        ):
            queue.clear()
            body, orelse = statement.body, statement.orelse
            body = [*body, *rest] if self.completes(body) else body
            orelse = [*orelse, *rest] if self.completes(orelse) else orelse
            out += self._branch(statement, body, orelse, region)
        elif returns:
            guarded, before, answers = self._deferred(statement)
            after: Block = [*answers]
            if not rest and not self._completes(statement):
                after[-1:] = answers[-1].body
            out += [*before, *self._tails(guarded, region)]
            queue.extendleft(reversed(after))
        else:
            queue.clear()
            flags = _cover([statement], region, self.names)
            out += self._tails(statement, region)
            out.append(branch(none_of(flags, statement), self.flatten(rest, region), [], statement))

    def _deferred(self, statement: _Branching) -> tuple[_Branching, Block, list[ast.If]]:
        """`statement` with flags for its returns; they are set up before it, and what is returned comes after it."""
        before: Block = []
        after: list[ast.If] = []

        def leave(site: ast.stmt, sheltered: bool) -> Block:
            if not isinstance(site, ast.Return):
                return [site]
            flag, kept = self._defer(site, sheltered, before, after, statement)
            return [*kept, Exit((flag,), site)]

        [guarded] = _replace([statement], leave)
        assert isinstance(guarded, ast.If | ast.With | ast.Try)
        return guarded, before, after

    def _tails(self, statement: _Branching, region: _Region) -> Block:
        """`statement`, where nothing of its region follows it."""
        match statement:
            case ast.If():
                return self._branch(statement, statement.body, statement.orelse, region)
            case ast.With():
                return [with_blocks(statement, lambda block: self.flatten(block, region))]
            case ast.Try():
                return [self._try(statement, region)]

    def _branch(self, statement: ast.If, body: Block, orelse: Block, region: _Region) -> Block:
        self.depth += len(orelse) > 1
        if self.depth > _DEEPEST:
            raise self.refuse(
                "too many early exits one after another", "Put some of them into one condition.", statement
            )
        test, flag, mirrored = statement.test, self._only_flag(body), self._only_flag(orelse)
        if flag and self._is_truth(test):
            kept, other = self.flatten(body[:-1], region), self.flatten(orelse, region)
            out: Block = [assign(flag, test, statement)]
            out += [branch(load(flag, statement), kept, other, statement)] if kept or other else []
        elif mirrored and not isinstance(test, ast.UnaryOp):
            kept, other = self.flatten(orelse[:-1], region), self.flatten(body, region)
            out = [assign(mirrored, negation(test), statement)]
            out += [branch(load(mirrored, statement), kept, other, statement)] if kept or other else []
        else:
            out = [branch(test, self.flatten(body, region), self.flatten(orelse, region), statement)]
        self.depth -= len(orelse) > 1
        return out

    def _only_flag(self, block: Block) -> str | None:
        """The flag that `block` sets on its only way out, at its end."""
        last = block[-1] if block else None
        single = isinstance(last, Exit) and len(last.flags) == 1 and not self.exits(block[:-1])
        return last.flags[0] if isinstance(last, Exit) and single else None

    def _is_truth(self, test: ast.expr) -> bool:
        """Whether the value of `test` is fresh, so that no later write can change what the flag says."""
        match test:
            case ast.Compare() | ast.UnaryOp(op=ast.Not()):
                return True
            case ast.BoolOp():
                return all(self._is_truth(value) for value in test.values)
            case ast.Name():
                return test.id in self.names.flags
        return isinstance(test, ast.Constant)

    def _try(self, statement: ast.Try, region: _Region) -> ast.stmt:
        flags = _cover(statement.body, region, self.names) if _skips_else(statement, self.exits) else []
        undone = [flag for site in _sites(statement.body) for flag in getattr(site, "flags", ())]
        handlers = []
        for handler in statement.handlers:
            # an exit that was on its way when something raised did not happen
            body: Block = [assign(flag, constant(False, handler), handler) for flag in dict.fromkeys(undone)]
            body += self.flatten(handler.body, region)
            handlers.append(handler_of(handler, body))
        orelse = self.flatten(statement.orelse, region)
        if flags:
            orelse = [branch(none_of(flags, statement), orelse, [], statement)]
        tried = self.flatten(statement.body, region) or [empty(statement)]
        final = self.flatten(statement.finalbody, region)
        return ast.copy_location(ast.Try(tried, handlers, orelse, final), statement)


def _skips_else(statement: ast.stmt, exits: Callable[[Block], bool]) -> bool:
    return isinstance(statement, ast.Try) and bool(statement.orelse) and exits(statement.body)


def _cover(block: Block, region: _Region, names: Names) -> list[str]:
    """Flags of which one is set whenever `block` was left; `continue` needs one only here."""
    flags: dict[str, None] = {}
    for site in _sites(block):
        assert isinstance(site, Exit)
        if not site.flags:
            region.skip = region.skip or names.flag("skip")
            site.flags = (region.skip,)
        flags[site.flags[0]] = None
    return list(flags)


def _sites(block: Block) -> Iterator[ast.stmt]:
    """The exits in `block` that belong to the region around it; loops have their own."""
    for statement in block:
        if isinstance(statement, Exit | ast.Return | ast.Break | ast.Continue):
            yield statement
        elif isinstance(statement, ast.If | ast.With | ast.Try):
            for inner in blocks(statement):
                yield from _sites(inner)


def _replace(block: Block, leave: Callable[[ast.stmt, bool], Block], sheltered: bool = False) -> Block:
    """`block` with `leave(exit, sheltered)` for its exits; sheltered are those inside a `with` or a `try`."""
    out: Block = []
    for statement in block:
        match statement:
            case ast.Break() | ast.Continue() | ast.Return():
                out += leave(statement, sheltered)
            case ast.If() | ast.With() | ast.Try():
                inside = sheltered or not isinstance(statement, ast.If)
                out.append(with_blocks(statement, functools.partial(_replace, leave=leave, sheltered=inside)))
            case _:
                out.append(statement)
    return out

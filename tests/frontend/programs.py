"""Random programs in which every step leaves a trace, for the question whether a rewritten program does the same."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import strategies as st


class Thrown(Exception):
    """What a random program raises, and catches."""


class Budget(BaseException):
    """Ends a program that runs for ever; no `except` of a random program catches it."""


@dataclass
class World:
    """What a program sees of the outside: answers to its questions, from a seed, and a log of all that it asked."""

    seed: int
    throws: float = 0.0
    log: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def ask(self, tag: object) -> Any:
        """A truth or a falsehood, in one of the forms that Python takes for one; sometimes an exception."""
        self.log.append(tag)
        if len(self.log) > 120:
            raise Budget
        if self.random.random() < self.throws:
            raise Thrown(tag)
        return self.random.choice([0, 1, 2, 3, True, False])

    def context(self, tag: int) -> _Context:
        return _Context(self, tag)


@dataclass
class _Context:
    world: World
    tag: int

    def __enter__(self) -> Any:
        return self.world.ask(("enter", self.tag))

    def __exit__(self, *exception: object) -> bool:
        self.world.ask(("exit", self.tag, exception[0]))
        return False


def run(tree: ast.FunctionDef, seed: int, throws: float = 0.0) -> tuple[object, ...]:
    """Result, kind of exception and trace of the function in `tree`."""
    world = World(seed, throws)
    scope: dict[str, Any] = {"t": world.ask, "cm": world.context, "Thrown": Thrown}
    exec(compile(ast.Module([tree], []), "<random program>", "exec"), scope)
    function: Callable[..., Any] = scope[tree.name]
    try:
        result, raised = function(), None
    except (Thrown, Budget, NameError) as error:
        result, raised = None, (type(error), str(error) if isinstance(error, Thrown) else "")
    return repr(result), raised, world.log


@st.composite
def programs(draw: st.DrawFn, cleanups: bool = True) -> str:
    """The text of a function without parameters."""
    writer = _Writer(draw, cleanups)
    body = writer.block(3, in_loop=False, in_finally=False)
    return "def program():\n" + "\n".join("    " + line for line in body) + "\n"


class _Writer:
    def __init__(self, draw: st.DrawFn, cleanups: bool) -> None:
        self.draw = draw
        self.cleanups = cleanups
        self.steps = 0

    def ask(self) -> str:
        self.steps += 1
        return f"t({self.steps})"

    def test(self) -> str:
        form = self.draw(
            st.sampled_from(["{0}", "{0} > 1", "not {0}", "not not {0}", "{0} and {1}", "{0} > 0 or {1} == 2", "True"])
        )
        return form.format(self.ask(), self.ask())

    def block(self, depth: int, in_loop: bool, in_finally: bool) -> list[str]:
        lines: list[str] = []
        for _ in range(self.draw(st.integers(1, 3))):
            lines += self.statement(depth, in_loop, in_finally)
        return lines

    def statement(self, depth: int, in_loop: bool, in_finally: bool) -> list[str]:
        simple = ["ask", "assign", "chained", "pass", "raise"]
        exits = [] if in_finally else ["return", *(["break", "continue"] * 2 if in_loop else [])]
        compound = ["if", "if", "if", "for", "while", "match"] + (["with", "try"] if self.cleanups else [])
        kind = self.draw(st.sampled_from(simple + exits + (compound * 2 if depth else [])))
        if kind in compound:
            make: Callable[[int, bool, bool], list[str]] = getattr(self, f"{kind}_")
            return make(depth - 1, in_loop, in_finally)
        return [self.simple(kind)]

    def simple(self, kind: str) -> str:
        match kind:
            case "ask":
                return self.ask()
            case "assign":
                return f"v = {self.ask()}"
            case "chained":
                return f"v = w = {self.ask()}"
            case "raise":
                return f"raise Thrown({self.ask()})"
            case "return":
                value = self.draw(st.sampled_from(["", " 7", f" {self.ask()}", f" ('r', {self.ask()})", " v"]))
                return f"return{value}"
        return kind

    def if_(self, depth: int, in_loop: bool, in_finally: bool) -> list[str]:
        lines = [f"if {self.test()}:", *self.indented(depth, in_loop, in_finally)]
        if self.draw(st.booleans()):
            lines += [f"elif {self.test()}:", *self.indented(depth, in_loop, in_finally)]
        return lines + self.otherwise(depth, in_loop, in_finally)

    def for_(self, depth: int, in_loop: bool, in_finally: bool) -> list[str]:
        lines = [f"for i in range({self.ask()}):", *self.indented(depth, True, False)]
        return lines + self.otherwise(depth, in_loop, in_finally)

    def while_(self, depth: int, in_loop: bool, in_finally: bool) -> list[str]:
        # asking in the body as well ends even `while True: pass`, by the budget
        lines = [f"while {self.test()}:", f"    {self.ask()}", *self.indented(depth, True, False)]
        return lines + self.otherwise(depth, in_loop, in_finally)

    def with_(self, depth: int, in_loop: bool, in_finally: bool) -> list[str]:
        return [f"with cm({self.steps}) as c:", *self.indented(depth, in_loop, in_finally)]

    def try_(self, depth: int, in_loop: bool, in_finally: bool) -> list[str]:
        lines = ["try:", *self.indented(depth, in_loop, in_finally)]
        shape = self.draw(st.sampled_from(["except", "else", "finally", "all"]))
        if shape != "finally":
            lines += ["except Thrown as error:", *self.indented(depth, in_loop, in_finally)]
        if shape in ("else", "all"):
            lines += ["else:", *self.indented(depth, in_loop, in_finally)]
        if shape in ("finally", "all"):
            lines += ["finally:", *self.indented(depth, False, True)]
        return lines

    def match_(self, depth: int, in_loop: bool, in_finally: bool) -> list[str]:
        lines = [f"match {self.ask()}:"]
        for pattern in self.draw(st.lists(st.sampled_from(["0", "1 | 2", "True", "3 as m"]), max_size=2)):
            guard = f" if {self.ask()}" if "as" not in pattern and self.draw(st.booleans()) else ""
            lines += [f"    case {pattern}{guard}:", *self.indented(depth, in_loop, in_finally, "        ")]
        if len(lines) == 1 or self.draw(st.booleans()):
            guard = f" if {self.ask()}" if self.draw(st.booleans()) else ""
            lines += [f"    case m{guard}:", *self.indented(depth, in_loop, in_finally, "        ")]
        return lines

    def otherwise(self, depth: int, in_loop: bool, in_finally: bool) -> list[str]:
        return ["else:", *self.indented(depth, in_loop, in_finally)] if self.draw(st.booleans()) else []

    def indented(self, depth: int, in_loop: bool, in_finally: bool, by: str = "    ") -> list[str]:
        return [by + line for line in self.block(depth, in_loop, in_finally)]

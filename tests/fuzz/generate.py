"""Random programs as text: untidy on purpose, since tidy block scoping finds little.

Enters: a seed.  Leaves: a `Program`: the text of a module with a function `f`, and arguments for it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from fuzz.kinds import FLOAT, INT, Environment, Kind, join, matrix, vector
from fuzz.statements import NAMES, Writer

PARAMETERS = {"x": vector(4), "y": vector(3), "A": matrix(3, 4), "s": FLOAT, "t": FLOAT}
HELPER_KINDS = (FLOAT, vector(3), vector(4), vector(4), matrix(3, 4))


@dataclass(frozen=True)
class Program:
    """A module's text with the function `f`, and what to call it with."""

    text: str
    seed: int

    def arguments(self) -> list[Any]:
        """Random, without zeros or symmetry, the same each time."""
        rng = np.random.default_rng(self.seed + 1)
        return [
            rng.uniform(-1.2, 1.2, size=kind.dims) if kind.name == "array" else rng.uniform(-1.2, 1.2)
            for kind in PARAMETERS.values()
        ]


class FunctionWriter(Writer):
    """Adds blocks to the straight-line statements."""

    def __init__(
        self, rng: random.Random, helpers: dict[str, tuple[tuple[Kind, ...], Kind | None]], returns: str = "value"
    ) -> None:
        super().__init__(rng, helpers)
        self.returns = returns
        self.loops = 0
        self.exits: list[list[Environment]] = []
        self.budget = 0

    def block(self, count: int, nesting: int) -> bool:
        """`count` statements; False if the end of the block cannot be reached."""
        start = len(self.lines)
        for _ in range(count):
            if not self.statement(nesting):
                return False
        if len(self.lines) == start:
            self.emit("pass")
        return True

    def statement(self, nesting: int) -> bool:
        roll = self.rng.random()
        if nesting > 0 and roll < 0.16:
            self.branch(nesting - 1)
        elif nesting > 0 and roll < 0.30 and self.loops < 3:
            self.loop(nesting - 1)
        else:
            self.simple()
        return True

    # ------------------------------------------------------------------------------------------- branches

    def branch(self, nesting: int) -> None:
        before = self.env
        ends = []
        has_else = self.rng.random() < 0.6
        for keyword in ("if", "elif") if self.rng.random() < 0.3 else ("if",):
            self.emit(f"{keyword} {self.write.test(before)}:")
            ends += self.arm(before, nesting)
        if has_else:
            self.emit("else:")
            ends += self.arm(before, nesting, may_exit=False)
        else:
            ends.append(before)
        self.env = join(ends, before)

    def arm(self, before: Environment, nesting: int, may_exit: bool = True) -> list[Environment]:
        """One side of a branch; the environments that reach its end."""
        self.env = before.copy()
        self.depth += 1
        self.block(self.rng.choice((1, 1, 2, 3)), nesting)
        left = may_exit and self.leave()
        self.depth -= 1
        return [] if left else [self.env]

    def leave(self) -> bool:
        """Perhaps end the block with an exit."""
        if self.loops and self.rng.random() < 0.3:
            self.emit(self.rng.choice(("break", "continue")))
            self.exits[-1].append(self.env)
            return True
        if self.rng.random() < (0.07 if self.depth > 1 else 0.0):
            self.finish()
            return True
        return False

    # ------------------------------------------------------------------------------------------- loops

    def loop(self, nesting: int) -> None:
        """A loop of a few turns; names that keep their kind from turn to turn are pinned, the rest forgotten."""
        head = self.env
        keep = {name: kind for name, kind in head.kinds.items() if self.rng.random() < 0.8 or name in head.locked}
        keep = {name: (INT if kind.name == "int" and name not in head.locked else kind) for name, kind in keep.items()}
        keep = {
            name: Kind("array", kind.dims) if kind.name == "array" and name not in head.locked else kind
            for name, kind in keep.items()
        }
        inside = Environment(dict(keep), head.locked, {**head.pinned, **keep})
        turns, counter = self.header(head, inside)
        self.exits.append([])
        self.loops += 1
        self.depth += 1
        self.env = inside
        if counter is not None:
            self.emit(f"{counter} += 1")
        self.block(self.rng.choice((1, 2, 2, 3, 4)), nesting)
        self.depth -= 1
        self.loops -= 1
        ends = [self.env, *self.exits.pop()]
        if turns == 0:
            ends.append(Environment(dict(head.kinds), head.locked, dict(head.pinned)))
        after = join(ends, head)
        if self.rng.random() < 0.08:
            self.env = after
            self.emit("else:")
            self.depth += 1
            self.simple_or_pass()
            self.depth -= 1
            after = join([self.env, after], head) if self.env is not after else after
        self.env = after
        self.env.pinned = dict(head.pinned)

    def simple_or_pass(self) -> None:
        held = self.env
        self.env = held.copy()
        start = len(self.lines)
        self.simple()
        if len(self.lines) == start:
            self.emit("pass")

    def header(self, head: Environment, inside: Environment) -> tuple[int, str | None]:
        """The line that begins a loop; how often it surely turns (0: unknown), and the counter of a `while`."""
        roll = self.rng.random()
        if roll < 0.2:
            return self.while_header(head, inside)
        arrays = [name for name in head.arrays() if name in inside.kinds]
        if roll < 0.4 and arrays:
            return self.array_header(inside, self.rng.choice(arrays))
        counter = self.rng.choice(
            [name for name in ("i", "j", "k", *NAMES[:2]) if name not in inside.locked and name not in inside.pinned]
            or [f"n{self.loops}"]
        )
        start, stop = self.rng.choice(((0, 2), (0, 3), (1, 3), (1, 4), (0, 4), (0, 0)))
        forms = [f"range({start}, {stop})" if start else f"range({stop})"]
        if stop > start:
            forms += [f"reversed(range({start}, {stop}))", f"range({stop - 1}, {start - 1}, -1)"]
        if inside.named("int") and self.rng.random() < 0.2:
            name = self.rng.choice(inside.named("int"))
            self.emit(f"for {counter} in range({name} % 4):")
            start, stop, turns = 0, 4, 0
        else:
            self.emit(f"for {counter} in {self.rng.choice(forms)}:")
            turns = stop - start
        inside.kinds[counter] = Kind("int", low=start, high=max(start, stop - 1))
        return turns, None

    def while_header(self, head: Environment, inside: Environment) -> tuple[int, str | None]:
        counter = f"n{self.loops}"
        self.emit(f"{counter} = 0")
        limit = self.rng.randrange(2, 4)
        data = self.rng.random() < 0.4
        test = f"{counter} < {limit}" + (f" and ({self.write.test(inside)})" if data else "")
        self.emit(f"while {test}:")
        head.kinds[counter] = INT
        inside.kinds[counter] = INT
        inside.pinned[counter] = INT
        inside.locked = inside.locked | {counter}
        return (0 if data else limit), counter

    def array_header(self, inside: Environment, name: str) -> tuple[int, str | None]:
        """A loop over rows or elements; the array is not written while it is looped over."""
        dims = inside.kinds[name].dims
        kind = FLOAT if len(dims) == 1 else vector(dims[1])
        targets = [n for n in ("r", "q", *NAMES[:3]) if n != name and n not in inside.locked and n not in inside.pinned]
        target = self.rng.choice(targets)
        same = [other for other in inside.arrays(dims) if other != target]
        roll = self.rng.random()
        inside.locked = frozenset(inside.locked | set(inside.arrays()) if kind is FLOAT else inside.locked)
        if roll < 0.3:
            inside.kinds["k"] = Kind("int", low=0, high=dims[0] - 1)
            inside.pinned.pop("k", None)
            self.emit(f"for k, {target} in enumerate({name}):")
        elif roll < 0.5 and len(same) > 1:
            other = self.rng.choice(same)
            self.emit(f"for {target}, z in zip({name}, {other}):")
            inside.kinds["z"] = kind
        else:
            self.emit(f"for {target} in {name}:")
        inside.kinds[target] = kind
        return dims[0], None

    # ------------------------------------------------------------------------------------------- the end

    def finish(self) -> None:
        """`return` a number that depends on all that is left."""
        if self.returns == "nothing":
            self.emit("return")
            return
        if self.returns != "value":
            self.emit(f"return {self.array_result()}")
            return
        terms = []
        for name in self.env.named("float"):
            terms.append(f"{self.write.constant()} * {self.rng.choice(('{}', 'np.sin({})', '{0} * {0}')).format(name)}")
        for name in self.env.arrays():
            terms.append(
                f"{self.write.constant()} * "
                + self.rng.choice(("np.sum({})", "np.sum(np.sin({}))", "np.sum({0} * {0})")).format(name)
            )
        for name in self.env.named("list"):
            terms.append(f"0.3 * sum({name})")
        self.rng.shuffle(terms)
        self.emit(f"return {' + '.join(terms[:6]) or '0.5'}")

    def array_result(self) -> str:
        """What a helper returns that gives an array: a name, a view or a fresh one."""
        names = self.env.arrays((4,))
        if names and self.rng.random() < 0.7:
            return self.rng.choice((*names, f"{names[0]}[::-1]"))
        return self.write.new_array(self.env, (4,))


def write_helper(
    rng: random.Random, name: str, others: dict[str, tuple[tuple[Kind, ...], Kind | None]]
) -> tuple[str, tuple[tuple[Kind, ...], Kind | None]]:
    """A function that may write into its arguments, return a view, or call the helpers before it."""
    returns = rng.choice(("value", "value", "array", "nothing"))
    kinds = tuple(rng.choice(HELPER_KINDS) for _ in range(rng.choice((1, 2, 2, 3))))
    if returns == "nothing" and all(kind is FLOAT for kind in kinds):
        returns = "value"
    writer = FunctionWriter(rng, others, returns)
    parameters = [("p", "q", "r")[k] if rng.random() < 0.5 else ("x", "a", "w")[k] for k in range(len(kinds))]
    writer.env.kinds = dict(zip(parameters, kinds, strict=True))
    writer.lines.append(f"def {name}({', '.join(parameters)}):")
    writer.block(rng.choice((1, 2, 3)), 1)
    writer.finish()
    result = {"value": FLOAT, "array": vector(4), "nothing": None}[returns]
    return "\n".join(writer.lines), (kinds, result)


def generate(seed: int, size: int | None = None) -> Program:
    """The program of a seed."""
    rng = random.Random(seed)
    helpers: dict[str, tuple[tuple[Kind, ...], Kind | None]] = {}
    texts = []
    for k in range(rng.choice((0, 1, 1, 2))):
        text, kinds = write_helper(rng, f"h{k}", dict(helpers))
        helpers[f"h{k}"] = kinds
        texts.append(text)
    writer = FunctionWriter(rng, helpers)
    writer.env.kinds = dict(PARAMETERS)
    writer.lines.append(f"def f({', '.join(PARAMETERS)}):")
    writer.block(size or rng.choice((2, 3, 5, 7, 9, 12)), rng.choice((0, 1, 2, 2, 3)))
    writer.finish()
    texts.append("\n".join(writer.lines))
    return Program("import numpy as np\n\n\n" + "\n\n\n".join(texts) + "\n", seed)

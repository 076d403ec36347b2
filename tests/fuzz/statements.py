"""Random straight-line statements: re-binding, stores, views, aliases, swaps, lists, tuples, calls.

Enters: a `Writer` with its environment.  Leaves: lines of text, and the environment as it is after them.
"""

from __future__ import annotations

import random

from fuzz.expressions import Expressions
from fuzz.kinds import FLOAT, INT, Environment, Kind, vector

NAMES = ("a", "b", "c", "d", "e", "u", "v", "w")
SIZES = (2, 3, 4)


class Writer:
    """Collects the lines of one function; `helpers` are those it may call: name -> (kinds of arguments, of result)."""

    def __init__(self, rng: random.Random, helpers: dict[str, tuple[tuple[Kind, ...], Kind | None]]) -> None:
        self.rng = rng
        self.write = Expressions(rng)
        self.helpers = helpers
        self.lines: list[str] = []
        self.depth = 1
        self.env = Environment()

    def emit(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def pick(self, kind: Kind) -> str | None:
        """A name that may become `kind`: often one that is already in use as something else."""
        names = [name for name in NAMES + tuple(self.env.kinds) if self.env.may_become(name, kind)]
        return self.rng.choice(names) if names else None

    def assign(self, text: str, kind: Kind) -> None:
        name = self.pick(kind)
        if name is not None:
            self.emit(f"{name} = {text}")
            self.env.bind(name, kind)

    def writable(self, rank: int | None = None) -> str | None:
        names = [name for name in self.env.arrays(rank=rank) if name not in self.env.locked]
        return self.rng.choice(names) if names else None

    # ------------------------------------------------------------------------------------------- the kinds of statement

    def simple(self) -> None:
        """One random straight-line statement."""
        statements = (
            (self.float_assignment, 12),
            (self.array_assignment, 9),
            (self.view_assignment, 9),
            (self.alias, 4),
            (self.element_store, 12),
            (self.slice_store, 8),
            (self.augmented_float, 5),
            (self.augmented_element, 9),
            (self.augmented_array, 7),
            (self.swap, 4),
            (self.list_statement, 6),
            (self.tuple_statement, 4),
            (self.dict_statement, 3),
            (self.int_assignment, 3),
            (self.call, 8),
            (self.fancy_store, 3),
            (self.ternary, 3),
            (self.comprehension, 3),
            (self.row_update, 4),
        )
        makers, weights = zip(*statements, strict=True)
        self.rng.choices(makers, weights)[0]()

    def float_assignment(self) -> None:
        self.assign(self.write.assigned(self.env), FLOAT)

    def array_assignment(self) -> None:
        names = self.env.arrays()
        dims = (
            self.env.kinds[self.rng.choice(names)].dims
            if names and self.rng.random() < 0.7
            else (self.rng.choice(SIZES),)
        )
        text = self.write.new_array(self.env, dims)
        flat = len(dims) == 1 or text.startswith("np.zeros(") or text.endswith(".copy()")
        self.assign(text, Kind("array", dims, flat=flat))

    def view_assignment(self) -> None:
        name = self.writable()
        if name is not None:
            self.assign(*self.write.view(self.env, name))

    def alias(self) -> None:
        names = self.env.arrays() + self.env.named("float") + self.env.named("list")
        names = [name for name in names if name not in self.env.locked]
        if names:
            name = self.rng.choice(names)
            self.assign(name, self.env.kinds[name])

    def element(self) -> str | None:
        name = self.writable()
        if name is None:
            return None
        places = ", ".join(self.write.index(self.env, size) for size in self.env.kinds[name].dims)
        return f"{name}[{places}]"

    def element_store(self) -> None:
        place = self.element()
        if place is not None:
            self.emit(f"{place} = {self.write.assigned(self.env)}")

    def augmented_element(self) -> None:
        place = self.element()
        if place is not None:
            self.emit(f"{place} {self.augmentation(self.write.scalar(self.env, 1))}")

    def augmentation(self, value: str) -> str:
        """`op= value` that keeps things bounded."""
        value = self.write.wrapped(value)
        return self.rng.choice(
            (
                f"+= 0.3 * {value}",
                f"-= 0.2 * {value}",
                f"*= np.cos({value})",
                f"/= 1.5 + np.sin({value})",
                f"*= {self.rng.uniform(0.4, 0.95):.2f}",
                f"+= np.sin({value})",
            )
        )

    def part(self, name: str) -> tuple[str, tuple[int, ...]]:
        """A slice of `name` and the dims of it."""
        dims = self.env.kinds[name].dims
        n = dims[0]
        if len(dims) == 1:
            forms = [("[:]", (n,)), ("[...]", (n,)), ("[::2]", ((n + 1) // 2,)), ("[::-1]", (n,))]
            if n > 2:
                forms += [("[1:]", (n - 1,)), ("[:-1]", (n - 1,)), ("[1:-1]", (n - 2,))]
        else:
            m = dims[1]
            forms = [
                (f"[{self.write.index(self.env, n)}]", (m,)),
                (f"[:, {self.write.index(self.env, m)}]", (n,)),
                ("[...]", dims),
            ]
            forms += [
                (f"[{self.write.index(self.env, n)}, :]", (m,)),
                ("[:, 1:]", (n, m - 1)) if m > 2 else ("[:]", dims),
            ]
        text, size = self.rng.choice(forms)
        return name + text, size

    def slice_store(self) -> None:
        name = self.writable()
        if name is None:
            return
        place, dims = self.part(name)
        roll = self.rng.random()
        if roll < 0.25:
            self.emit(f"{place} = {self.write.assigned(self.env, 1)}")
        elif roll < 0.65:
            self.emit(f"{place} = {self.write.bounded(self.write.array(self.env, dims, 1))}")
        elif roll < 0.75:
            self.emit(f"{place} = {self.write.array_atom(self.env, dims)}")
        else:
            self.emit(f"{place} {self.augmentation(self.write.array(self.env, dims, 1))}")

    def augmented_float(self) -> None:
        names = [name for name in self.env.named("float") if name not in self.env.locked]
        if names:
            self.emit(f"{self.rng.choice(names)} {self.augmentation(self.write.scalar(self.env, 1))}")

    def augmented_array(self) -> None:
        name = self.writable()
        if name is not None:
            value = (
                self.write.scalar(self.env, 1)
                if self.rng.random() < 0.3
                else self.write.array(self.env, self.env.kinds[name].dims, 1)
            )
            self.emit(f"{name} {self.augmentation(value)}")

    def row_update(self) -> None:
        name = self.writable(rank=2)
        if name is None:
            return
        m, n = self.env.kinds[name].dims
        row, kind = f"{name}[{self.write.index(self.env, m)}]", vector(n)
        target = self.pick(kind)
        if target is not None and target != name:
            self.emit(f"{target} = {row}")
            self.env.bind(target, kind)
            if target in self.env.arrays((n,)):
                self.emit(f"{target} {self.augmentation(self.write.array(self.env, (n,), 1))}")

    def fancy_store(self) -> None:
        name = self.writable(rank=1)
        if name is None:
            return
        n = self.env.kinds[name].dims[0]
        places = [self.rng.randrange(n) for _ in range(2)]
        value = self.write.assigned(self.env, 1)
        self.emit(
            self.rng.choice(
                (
                    f"{name}[{places}] = {value}",
                    f"{name}[[0, {n - 1}]] *= {value}",
                    f"np.add.at({name}, {places}, {value})",
                    f"{name}[{name} > 0.173] = {value}",
                    f"{name}[np.arange({n}) % 2 == 0] += {value}",
                    f"{name}.fill({value})",
                )
            )
        )

    def swap(self) -> None:
        env = self.env
        groups: dict[Kind, list[str]] = {}
        for name, kind in env.kinds.items():
            if name not in env.locked and kind.name in ("float", "array"):
                groups.setdefault(kind, []).append(name)
        choices = [names for names in groups.values() if len(names) > 1]
        if not choices:
            return
        names = self.rng.choice(choices)
        k = 3 if len(names) > 2 and self.rng.random() < 0.4 else 2
        chosen = self.rng.sample(names, k)
        self.emit(f"{', '.join(chosen)} = {', '.join(chosen[1:] + chosen[:1])}")

    def int_assignment(self) -> None:
        names = [name for name in self.env.named("int") if name not in self.env.locked]
        if names and self.rng.random() < 0.5:
            name = self.rng.choice(names)
            if self.env.may_become(name, INT):
                self.emit(f"{name} += {self.rng.randrange(1, 3)}")
                self.env.bind(name, INT)
            return
        self.assign(self.write.integer(self.env), INT)

    def ternary(self) -> None:
        self.assign(
            f"{self.write.assigned(self.env, 1)} if {self.write.test(self.env)}"
            f" else {self.write.assigned(self.env, 1)}",
            FLOAT,
        )

    # ------------------------------------------------------------------------------------------- containers

    def list_statement(self) -> None:
        names = [name for name in self.env.named("list") if name not in self.env.locked]
        if not names or self.rng.random() < 0.25:
            items = [self.write.assigned(self.env, 1) for _ in range(self.rng.randrange(3))]
            self.assign(f"[{', '.join(items)}]", Kind("list", filled=bool(items)))
            return
        name = self.rng.choice(names)
        roll = self.rng.random()
        if roll < 0.55:
            self.emit(f"{name}.append({self.write.assigned(self.env, 1)})")
            self.env.bind(name, Kind("list", filled=True))
        elif roll < 0.65:
            self.emit(f"{name}.extend([{self.write.assigned(self.env, 1)}, {self.write.assigned(self.env, 1)}])")
            self.env.bind(name, Kind("list", filled=True))
        elif roll < 0.8:
            self.emit(f"if len({name}) > 1:")
            self.emit(f"    {name}[-1] *= {name}.pop(0)" if roll < 0.7 else f"    {name}.pop()")
        elif self.env.kinds[name].filled:
            self.emit(f"{name}[{self.rng.choice((0, -1))}] = {self.write.assigned(self.env, 1)}")

    def tuple_statement(self) -> None:
        tuples = self.env.named("tuple")
        names = [name for name in self.env.named("float") + self.env.arrays() if name not in self.env.locked]
        if tuples and self.rng.random() < 0.5:
            name = self.rng.choice(tuples)
            items = self.env.kinds[name].items
            targets = [self.pick(kind) for kind in items]
            if None not in targets and len(set(targets)) == len(targets) and name not in targets:
                self.emit(f"{', '.join(str(target) for target in targets)} = {name}")
                for target, kind in zip(targets, items, strict=True):
                    self.env.bind(str(target), kind)
        elif len(names) > 1:
            chosen = self.rng.sample(names, 2)
            self.assign(f"({', '.join(chosen)})", Kind("tuple", items=tuple(self.env.kinds[name] for name in chosen)))

    def dict_statement(self) -> None:
        dicts = [name for name in self.env.named("dict") if name not in self.env.locked]
        names = [name for name in self.env.named("float") + self.env.arrays() if name not in self.env.locked]
        if dicts and self.rng.random() < 0.6:
            name = self.rng.choice(dicts)
            key, kind = self.rng.choice(list(zip("pq", self.env.kinds[name].items, strict=True)))
            place = f'{name}["{key}"]'
            if kind.name == "float":
                self.emit(f"{place} = {self.write.assigned(self.env, 1)}")
            elif self.rng.random() < 0.5:
                self.assign(place, kind)
            else:
                places = ", ".join(self.write.index(self.env, n) for n in kind.dims)
                self.emit(f"{place}[{places}] {self.augmentation(self.write.scalar(self.env, 1))}")
        elif len(names) > 1:
            p, q = self.rng.sample(names, 2)
            self.assign(f'{{"p": {p}, "q": {q}}}', Kind("dict", items=(self.env.kinds[p], self.env.kinds[q])))

    def comprehension(self) -> None:
        names = self.env.arrays(rank=1)
        if not names:
            return
        name = self.rng.choice(names)
        inner = self.env.copy()
        inner.kinds = {key: kind for key, kind in inner.kinds.items() if kind.name in ("float", "array")}
        inner.kinds["z"] = FLOAT
        body = self.write.assigned(inner, 1)
        if self.rng.random() < 0.5:
            self.assign(f"0.3 * sum({body} for z in {name})", FLOAT)
        elif self.rng.random() < 0.5:
            self.assign(f"[{body} for z in {name}]", Kind("list", filled=True))
        else:
            self.assign(f"np.array([{body} for z in {name}])", vector(self.env.kinds[name].dims[0], flat=True))

    # ------------------------------------------------------------------------------------------- calls

    def call(self) -> None:
        if not self.helpers:
            return
        name = self.rng.choice(list(self.helpers))
        wanted, result = self.helpers[name]
        arguments = []
        for kind in wanted:
            if kind.name == "float":
                arguments.append(self.write.scalar_atom(self.env))
                continue
            held = [key for key in self.env.arrays(kind.dims) if key not in self.env.locked]
            if not held:
                return
            arguments.append(self.rng.choice(held))
        text = f"{name}({', '.join(arguments)})"
        if result is None:
            self.emit(text)
        else:
            self.assign(text, result)

"""Random expressions: bounded, smooth where they are evaluated, never out of range.

Enters: a seeded `random.Random` and an environment.  Leaves: text of a float, int or array expression.
"""

from __future__ import annotations

import random

from fuzz.kinds import Environment, Kind

SMOOTH = (
    "np.sin({})",
    "np.cos({})",
    "np.tanh({})",
    "0.5 * {}",
    "1.0 / (1.5 + {0} * {0})",
    "np.exp(-({0} * {0}))",
    "np.sqrt(1.0 + {0} * {0})",
)
ROUND = ("np.sin({})", "np.tanh({})", "np.cos({})", "0.4 * ({})", "np.arctan({})")
BINARY = (
    "{} + {}",
    "{} - {}",
    "0.5 * ({} + {})",
    "{} * {}",
    "{} * np.cos({})",
    "{} / (2.0 + np.sin({}))",
    "np.hypot({}, 1.0 + {} ** 2)",
)


class Expressions:
    """Writes expressions over the names of an environment."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def constant(self) -> str:
        return f"{self.rng.choice((-1, 1)) * self.rng.uniform(0.2, 1.3):.3f}"

    # ------------------------------------------------------------------------------------------- ints

    def index(self, env: Environment, size: int) -> str:
        """An int expression in range for an axis of `size`."""
        names = env.named("int")
        if names and self.chance(0.75):
            name = self.rng.choice(names)
            kind = env.kinds[name]
            if kind.low is not None and kind.high is not None and kind.low >= 0 and kind.high < size:
                forms = [name, name]
                if kind.high + 1 < size:
                    forms.append(f"{name} + 1")
                if kind.low >= 1 or self.chance(0.3):
                    forms.append(f"{name} - 1")
                forms.append(f"-{name} - 1")
                return self.rng.choice(forms)
            return self.rng.choice((f"{name} % {size}", f"({name} + {self.rng.randrange(3)}) % {size}"))
        return str(self.rng.randrange(-size, size))

    def integer(self, env: Environment) -> str:
        names = env.named("int")
        if names and self.chance(0.7):
            return self.rng.choice(("{} + 1", "{} - 1", "2 * {}", "{} // 2", "{}")).format(self.rng.choice(names))
        return str(self.rng.randrange(4))

    # ------------------------------------------------------------------------------------------- floats

    def scalar(self, env: Environment, depth: int = 2) -> str:
        """A float expression, not bounded by itself."""
        if depth <= 0 or self.chance(0.25):
            return self.scalar_atom(env)
        roll = self.rng.random()
        if roll < 0.35:
            return self.rng.choice(SMOOTH).format(self.wrapped(self.scalar(env, depth - 1)))
        if roll < 0.85:
            a, b = self.wrapped(self.scalar(env, depth - 1)), self.wrapped(self.scalar(env, depth - 1))
            return self.rng.choice(BINARY).format(a, b)
        return self.reduction(env)

    def scalar_atom(self, env: Environment) -> str:
        forms = [self.constant()]
        forms += env.named("float") * 2
        if env.named("int"):
            forms.append(f"0.3 * {self.rng.choice(env.named('int'))}" if self.chance(0.3) else self.constant())
        for name in env.arrays(rank=1):
            forms.append(f"{name}[{self.index(env, env.kinds[name].dims[0])}]")
        for name in env.arrays(rank=2):
            m, n = env.kinds[name].dims
            forms.append(f"{name}[{self.index(env, m)}, {self.index(env, n)}]")
        for name in env.named("list"):
            if env.kinds[name].filled:
                forms.append(self.rng.choice((f"{name}[-1]", f"{name}[0]", f"sum({name})")))
        for name in env.named("tuple"):
            places = [k for k, item in enumerate(env.kinds[name].items) if item.name == "float"]
            forms += [f"{name}[{k}]" for k in places]
        for name in env.named("dict"):
            forms += [
                f'{name}["{key}"]'
                for key, item in zip("pq", env.kinds[name].items, strict=True)
                if item.name == "float"
            ]
        return self.rng.choice(forms)

    def reduction(self, env: Environment) -> str:
        names = env.arrays()
        if not names:
            return self.scalar_atom(env)
        name = self.rng.choice(names)
        form = self.rng.choice(
            ("np.sum({})", "np.mean({})", "{}.sum()", "np.sum({0} * {0})", "{}.mean()", "np.sum({0} ** 2)")
        )
        if len(env.kinds[name].dims) == 1 and self.chance(0.2):
            return f"np.dot({name}, {self.rng.choice(env.arrays(env.kinds[name].dims))})"
        return "0.3 * " + form.format(name)

    def bounded(self, text: str) -> str:
        """`text` brought into [-2, 2] or shrunk."""
        return self.rng.choice(ROUND).format(text)

    def assigned(self, env: Environment, depth: int = 2) -> str:
        """A float expression fit to be assigned again and again."""
        return self.bounded(self.scalar(env, depth))

    @staticmethod
    def wrapped(text: str) -> str:
        """Parentheses where an operand needs them."""
        simple = (
            text.replace("_", "a").replace(".", "a").replace("[", "a").replace("]", "a").replace('"', "a").isalnum()
        )
        return (
            text if simple or (text.startswith("np.") and text.count("(") == 1 and text.endswith(")")) else f"({text})"
        )

    # ------------------------------------------------------------------------------------------- arrays

    def array_atom(self, env: Environment, dims: tuple[int, ...]) -> str:
        """A name, a window on a name or a constructor, of exactly `dims`."""
        forms = list(env.arrays(dims)) * 3
        if len(dims) == 1:
            forms += self.vector_windows(env, dims[0])
        else:
            forms += self.matrix_windows(env, dims)
        if self.chance(0.15) or not forms:
            size = dims[0] if len(dims) == 1 else dims
            forms.append(f"np.full({size}, {self.scalar_atom(env)})" if self.chance(0.5) else f"np.ones({size})")
        return self.rng.choice(forms)

    def vector_windows(self, env: Environment, n: int) -> list[str]:
        forms = []
        for name in env.arrays(rank=1):
            size = env.kinds[name].dims[0]
            if size == n:
                forms.append(f"{name}[::-1]")
            elif size > n:
                start = self.rng.randrange(size - n + 1)
                forms += [
                    f"{name}[{start}:{start + n}]",
                    f"{name}[{[self.rng.randrange(-size, size) for _ in range(n)]}]",
                ]
        for name in env.arrays(rank=2):
            m, k = env.kinds[name].dims
            if k == n:
                forms.append(f"{name}[{self.index(env, m)}]")
            if m == n:
                forms.append(f"{name}[:, {self.index(env, k)}]")
        return forms

    def matrix_windows(self, env: Environment, dims: tuple[int, ...]) -> list[str]:
        m, n = dims
        forms = []
        for name in env.arrays(rank=2):
            a, b = env.kinds[name].dims
            if (b, a) == dims:
                forms.append(f"{name}.T")
            if a > m and b == n:
                forms.append(f"{name}[{a - m}:]")
            if a == m and b > n:
                forms.append(f"{name}[:, :{n}]")
        return forms

    def array(self, env: Environment, dims: tuple[int, ...], depth: int = 2) -> str:
        """An array expression of exactly `dims`."""
        if depth <= 0 or self.chance(0.2):
            return self.array_atom(env, dims)
        roll = self.rng.random()
        inner = self.wrapped(self.array(env, dims, depth - 1))
        if roll < 0.3:
            return self.rng.choice(SMOOTH).format(inner)
        if roll < 0.6:
            return self.rng.choice(BINARY).format(inner, self.wrapped(self.array(env, dims, depth - 1)))
        if roll < 0.75:
            return self.rng.choice(("{0} * {1}", "{1} + {0}", "{0} - {1}")).format(
                inner, self.wrapped(self.scalar_atom(env))
            )
        if roll < 0.82:
            return f"np.where({inner} > 0.137, {self.array_atom(env, dims)}, {self.scalar_atom(env)})"
        return self.special(env, dims, inner)

    def special(self, env: Environment, dims: tuple[int, ...], inner: str) -> str:
        """Products and constructions that change shapes."""
        if len(dims) == 1:
            wide = [name for name in env.arrays(rank=2) if env.kinds[name].dims[0] == dims[0]]
            for name in wide[:1]:
                columns = (env.kinds[name].dims[1],)
                return f"0.3 * ({name} @ {self.array_atom(env, columns)})"
            if dims[0] <= 3:
                return f"np.array([{', '.join(self.scalar_atom(env) for _ in range(dims[0]))}])"
            return f"np.cumsum({inner})"
        m, n = dims
        return self.rng.choice(
            (
                f"np.outer({self.array_atom(env, (m,))}, {self.array_atom(env, (n,))})",
                f"{inner} + {self.array_atom(env, (n,))}",
            )
        )

    def new_array(self, env: Environment, dims: tuple[int, ...]) -> str:
        """An array expression that is fresh memory and bounded."""
        if self.chance(0.2):
            size = dims[0] if len(dims) == 1 else dims
            names = env.arrays(dims)
            return self.rng.choice(
                [f"np.zeros({size})"]
                + [f"np.zeros_like({name})" for name in names]
                + [f"{name}.copy()" for name in names]
            )
        return self.bounded(self.array(env, dims))

    def view(self, env: Environment, name: str) -> tuple[str, Kind]:
        """A window on array `name` and the kind of it."""
        kind = env.kinds[name]
        if len(kind.dims) == 1:
            return self.vector_view(name, kind)
        m, n = kind.dims
        forms = [
            (f"{name}[{self.index(env, m)}]", Kind("array", (n,), flat=kind.flat)),
            (f"{name}[:, {self.index(env, n)}]", Kind("array", (m,))),
            (f"{name}.T", Kind("array", (n, m))),
            (f"{name}[1:]", Kind("array", (m - 1, n), flat=kind.flat)) if m > 2 else (f"{name}[...]", kind),
            (f"np.swapaxes({name}, 0, 1)", Kind("array", (n, m))),
            (f"{name}[:, ::-1]", Kind("array", (m, n))),
        ]
        if kind.flat:
            shape = self.rng.choice((f"{name}.reshape(-1)", f"{name}.ravel()", f"np.reshape({name}, {m * n})"))
            forms += [
                (shape, Kind("array", (m * n,), flat=True)),
                (f"{name}.reshape({n}, {m})", Kind("array", (n, m), flat=True)),
            ]
        return self.rng.choice(forms)

    def vector_view(self, name: str, kind: Kind) -> tuple[str, Kind]:
        n = kind.dims[0]
        forms = [(f"{name}[::-1]", Kind("array", (n,))), (f"{name}[:]", kind), (f"{name}[...]", kind)]
        if n > 2:
            forms += [
                (f"{name}[1:]", Kind("array", (n - 1,), flat=kind.flat)),
                (f"{name}[:-1]", Kind("array", (n - 1,), flat=kind.flat)),
            ]
            forms += [(f"{name}[::2]", Kind("array", ((n + 1) // 2,)))]
        if n % 2 == 0 and n > 2 and kind.flat:
            forms += [(f"{name}.reshape(2, {n // 2})", Kind("array", (2, n // 2), flat=True))]
        return self.rng.choice(forms)

    # ------------------------------------------------------------------------------------------- tests

    def test(self, env: Environment) -> str:
        """A condition, of data or of ints, that no small perturbation of the data changes."""
        ints = env.named("int")
        roll = self.rng.random()
        if ints and roll < 0.4:
            name = self.rng.choice(ints)
            return self.rng.choice(
                (f"{name} % 2 == 0", f"{name} > 1", f"{name} == 2", f"{name} != 1", f"not {name}", f"{name} in (0, 3)")
            )
        value = self.scalar_atom(env)
        base = self.rng.choice(
            (f"{value} > 0.137", f"{value} < -0.211", f"-0.713 < {value} < 0.713", f"np.sin({value}) > 0.0917")
        )
        if roll > 0.85:
            return f"{base} {self.rng.choice(('and', 'or'))} {self.scalar_atom(env)} > 0.0531"
        return base

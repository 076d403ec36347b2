"""Independent answers for a gradient: central differences at two steps, JAX on the same source, the printed text.

Enters: a plain function and its arguments (pytrees of numbers and arrays).  Leaves: nothing, or an `AssertionError`
that says which oracle disagreed, where, and by how much.  NaN never compares equal to a number here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

STEPS = (1e-4, 2e-5)


class NotSmooth(AssertionError):
    """The two central differences disagree: the point lies at a kink, so the test itself is at fault."""


# ---------------------------------------------------------------------------------------------------- pytrees


def is_leaf(value: Any) -> bool:
    """Is `value` a number or array that a gradient flows into?"""
    if isinstance(value, np.ndarray):
        return bool(np.issubdtype(value.dtype, np.inexact))
    return isinstance(value, float | complex | np.inexact)


def map_leaves(change: Callable[[Any], Any], tree: Any) -> Any:
    """The same tree with `change` applied to each differentiable leaf, in order."""
    if is_leaf(tree):
        return change(tree)
    if isinstance(tree, dict):
        return type(tree)((key, map_leaves(change, item)) for key, item in tree.items())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(map_leaves(change, item) for item in tree))
    if isinstance(tree, list | tuple):
        return type(tree)(map_leaves(change, item) for item in tree)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        copy = object.__new__(type(tree))
        for field in dataclasses.fields(tree):
            object.__setattr__(copy, field.name, map_leaves(change, getattr(tree, field.name)))
        return copy
    return tree.copy() if isinstance(tree, np.ndarray) else tree


def leaves(tree: Any) -> list[Any]:
    """The differentiable leaves in order."""
    found: list[Any] = []
    map_leaves(found.append, tree)
    return found


def copied(tree: Any) -> Any:
    """A deep copy that keeps each array's memory order."""
    return map_leaves(lambda leaf: leaf.copy(order="K") if isinstance(leaf, np.ndarray) else leaf, tree)


def random_direction(tree: Any, rng: np.random.Generator) -> list[Any]:
    """One random array or number for each leaf."""

    def draw(leaf: Any) -> Any:
        real = rng.normal(size=np.shape(leaf))
        return real + 1j * rng.normal(size=np.shape(leaf)) if np.iscomplexobj(leaf) else real

    return [draw(leaf) for leaf in leaves(tree)]


def moved(tree: Any, direction: Sequence[Any], step: float) -> Any:
    """`tree + step * direction`, with the types of the leaves kept."""
    rest = iter(direction)

    def move(leaf: Any) -> Any:
        value = leaf + step * next(rest)
        if isinstance(leaf, np.ndarray):
            return np.asarray(value, dtype=leaf.dtype)
        return type(leaf)(value)

    return map_leaves(move, tree)


def paired(gradient: Any, direction: Sequence[Any]) -> float:
    """The directional derivative that `gradient` claims; for complex leaves by JAX's convention, Re(sum(g * d))."""
    parts = leaves(gradient)
    assert len(parts) == len(direction), f"the gradient has {len(parts)} leaves, its argument {len(direction)}"
    return float(sum(np.real(np.sum(np.asarray(part) * d)) for part, d in zip(parts, direction, strict=True)))


# ---------------------------------------------------------------------------------------------------- comparison


def assert_close(got: Any, expected: Any, rtol: float = 1e-7, atol: float = 1e-10, what: str = "value") -> None:
    """Leaf by leaf; NaN equals only NaN, infinity only the same infinity."""
    ours, theirs = leaves(got), leaves(expected)
    assert len(ours) == len(theirs), f"{what}: {len(ours)} leaves, expected {len(theirs)}"
    for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape, f"{what}, leaf {k}: shape {a.shape}, expected {b.shape}"
        assert np.array_equal(np.isnan(a), np.isnan(b)), f"{what}, leaf {k}: NaN in other places\n{a}\nexpected\n{b}"
        scale = np.max(np.abs(b[np.isfinite(b)]), initial=0.0)
        with np.errstate(invalid="ignore"):
            good = np.isclose(a, b, rtol=rtol, atol=atol + rtol * scale, equal_nan=True)
        assert np.all(good), f"{what}, leaf {k} differs:\n{a}\nexpected\n{b}"


def assert_structure(gradient: Any, argument: Any, what: str = "gradient") -> None:
    """The gradient has its argument's structure, shapes and dtypes; the gradient of a Python float is a float."""
    if is_leaf(argument):
        if isinstance(argument, np.ndarray):
            assert isinstance(gradient, np.ndarray | np.inexact), f"{what} of an array is a {type(gradient).__name__}"
            assert np.shape(gradient) == argument.shape, (
                f"{what}: shape {np.shape(gradient)}, expected {argument.shape}"
            )
            assert gradient.dtype == argument.dtype, f"{what}: dtype {gradient.dtype}, expected {argument.dtype}"
        else:
            kind = complex if isinstance(argument, complex | np.complexfloating) else float
            assert isinstance(gradient, kind | np.inexact) or np.ndim(gradient) == 0, (
                f"{what}: {type(gradient).__name__}"
            )
            assert np.ndim(gradient) == 0, f"{what} of a number has shape {np.shape(gradient)}"
        return
    if isinstance(argument, dict):
        assert isinstance(gradient, dict) and list(gradient) == list(argument), f"{what}: keys of {gradient!r}"
        for key in argument:
            assert_structure(gradient[key], argument[key], f"{what}[{key!r}]")
    elif isinstance(argument, list | tuple):
        assert type(gradient) is type(argument), f"{what}: {type(gradient).__name__}, not {type(argument).__name__}"
        assert len(gradient) == len(argument), f"{what}: {len(gradient)} items, expected {len(argument)}"
        for k, item in enumerate(argument):
            assert_structure(gradient[k], item, f"{what}[{k}]")
    elif dataclasses.is_dataclass(argument) and not isinstance(argument, type):
        assert type(gradient) is type(argument), f"{what}: {type(gradient).__name__}, not {type(argument).__name__}"
        for field in dataclasses.fields(argument):
            item = getattr(argument, field.name)
            assert_structure(getattr(gradient, field.name), item, f"{what}.{field.name}")


def assert_unchanged(args: Any, before: Any) -> None:
    """The caller's arrays hold what they held, bit for bit."""
    for k, (now, then) in enumerate(zip(leaves(args), leaves(before), strict=True)):
        assert np.array_equal(now, then, equal_nan=True), (
            f"the call changed its caller's data, leaf {k}:\n{now}\nwas\n{then}"
        )


# ---------------------------------------------------------------------------------------------------- oracles


def directional(
    function: Callable[..., Any], args: Sequence[Any], wrt: Sequence[int], directions: Sequence[Any]
) -> float:
    """The derivative along `directions` by central differences, extrapolated from two steps that must agree."""

    def at(step: float) -> float:
        shifted = [copied(arg) for arg in args]
        for position, direction in zip(wrt, directions, strict=True):
            shifted[position] = moved(args[position], direction, step)
        return float(np.real(function(*shifted)))

    wide, narrow = ((at(step) - at(-step)) / (2.0 * step) for step in STEPS)
    size = abs(at(0.0))
    ratio = (STEPS[0] / STEPS[1]) ** 2
    best = (ratio * narrow - wide) / (ratio - 1.0)
    if (
        math.isfinite(wide)
        and math.isfinite(narrow)
        and abs(wide - narrow) > 1e-5 * (abs(wide) + abs(narrow)) + 1e-6 * (1 + size)
    ):
        raise NotSmooth(f"central differences {wide!r} and {narrow!r} disagree")
    return best


def assert_derivative(
    function: Callable[..., Any],
    args: Sequence[Any],
    wrt: Sequence[int],
    gradients: Sequence[Any],
    seed: int = 0,
    rtol: float = 2e-6,
) -> None:
    """Each argument's gradient against central differences along a random direction."""
    rng = np.random.default_rng(seed)
    size = abs(float(np.real(function(*copied(list(args))))))
    for position, gradient in zip(wrt, gradients, strict=True):
        direction = random_direction(args[position], rng)
        if not direction:
            continue
        expected = directional(function, args, [position], [direction])
        got = paired(gradient, direction)
        slack = rtol * max(abs(expected), abs(got)) + 1e-9 * (1.0 + size)
        assert math.isnan(expected) == math.isnan(got) and not abs(got - expected) > slack, (
            f"gradient of argument {position} along a random direction is {got!r}, central differences say {expected!r}"
        )


# ---------------------------------------------------------------------------------------------------- JAX


class _JaxNumpy:
    """`jax.numpy` with the few NumPy names that it lacks and that mean nothing to it."""

    def __init__(self, jnp: Any) -> None:
        self._jnp = jnp

    def __getattr__(self, name: str) -> Any:
        return getattr(self._jnp, name)

    @staticmethod
    def errstate(**_: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


def _jax_math(jnp: Any) -> types.SimpleNamespace:
    swapped = {name: getattr(jnp, name) for name in dir(math) if hasattr(jnp, name) and callable(getattr(jnp, name))}
    kept = {name: getattr(math, name) for name in dir(math) if not name.startswith("__")}
    return types.SimpleNamespace(**(kept | swapped | {"fabs": jnp.abs}))


def on_jax(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same code with NumPy and `math` replaced by JAX's in it and in every function of its module and closure."""
    import jax.numpy as jnp

    swaps: dict[int, Any] = {id(np): _JaxNumpy(jnp), id(math): _jax_math(jnp)}
    for name in ("sin", "cos", "exp", "log", "tanh", "sqrt", "dot", "sum"):
        swaps[id(getattr(np, name))] = getattr(jnp, name)
        if hasattr(math, name):
            swaps[id(getattr(math, name))] = getattr(jnp, name)
    spaces: dict[int, dict[str, Any]] = {}
    packages = {function.__module__.partition(".")[0], "corpus", "kernels"}

    def swap(value: Any) -> Any:
        if id(value) in swaps:
            return swaps[id(value)]
        if isinstance(value, types.FunctionType) and value.__module__.partition(".")[0] in packages:
            return rebuild(value)
        return value

    def rebuild(original: types.FunctionType) -> types.FunctionType:
        space = spaces.get(id(original.__globals__))
        if space is None:
            space = spaces[id(original.__globals__)] = dict(original.__globals__)
            for name, value in original.__globals__.items():
                space[name] = swap(value)
        cells = tuple(types.CellType(swap(cell.cell_contents)) for cell in original.__closure__ or ())
        copy = types.FunctionType(original.__code__, space, original.__name__, original.__defaults__, cells)
        copy.__kwdefaults__ = original.__kwdefaults__
        swaps[id(original)] = copy
        return copy

    return rebuild(function)  # type: ignore[arg-type]


def jax_gradients(function: Callable[..., Any], args: Sequence[Any], wrt: Sequence[int]) -> tuple[Any, list[Any]]:
    """Value and gradients by `jax.grad` on the swapped source; raises whatever JAX raises where it cannot run it."""
    import jax

    jax.config.update("jax_enable_x64", True)
    swapped = on_jax(function)
    flat = [leaf for position in wrt for leaf in leaves(args[position])]

    def of_leaves(values: list[Any]) -> Any:
        rest = iter(values)
        full = [map_leaves(lambda _: next(rest), arg) if k in wrt else on_device(arg) for k, arg in enumerate(args)]
        return jax.numpy.real(swapped(*full))

    def on_device(tree: Any) -> Any:
        return map_leaves(lambda leaf: jax.numpy.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, tree)

    value, gradients = jax.value_and_grad(of_leaves)([jax.numpy.asarray(leaf) for leaf in flat])
    rest = iter(np.asarray(g) for g in gradients)
    return float(value), [map_leaves(lambda _: next(rest), args[position]) for position in wrt]

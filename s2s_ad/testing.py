"""Derivatives against central differences.

Enters: a function and arguments.  Leaves: nothing, or an `AssertionError` that says what disagrees, and where.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from s2s_ad.api.checks import dtype_of, has_float
from s2s_ad.api.derivatives import grad
from s2s_ad.api.linear import jvp, vjp
from s2s_ad.api.trees import leaves, mapped
from s2s_ad.errors import SignatureError

Direction = Literal["fwd", "rev"]


def check_grads(
    fun: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[Direction] = ("fwd", "rev"),
    *,
    eps: float | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    seed: int = 0,
    backend: str = "numpy",
) -> None:
    """Raise `AssertionError` unless the derivatives of `fun` at `args` agree with central differences.

    order: 1 checks derivatives, 2 their derivatives too (of a random weighting of the result, if that is an array).
    modes: "rev" checks `vjp`, "fwd" checks `jvp`.
    eps: the step; by default 1e-5, or 1e-2 if there are float32 arguments. The same is tried with half of it.
    """
    if order < 1 or not modes or not set(modes) <= {"fwd", "rev"}:
        raise SignatureError(
            f"check_grads: order={order!r}, modes={modes!r}", 'order is 1 or more; modes are "fwd" and "rev".'
        )
    check = _Check(fun, tuple(args), eps, atol, rtol, seed, backend)
    if "fwd" in modes:
        check.forward()
    if "rev" in modes:
        check.reverse()
    if order > 1:
        again: dict[str, Any] = {"eps": eps, "atol": atol, "rtol": rtol, "seed": seed + 1, "backend": backend}
        gradient = grad(check.scalar_function(), tuple(check.active), backend=backend)
        check_grads(gradient, args, order - 1, modes, **again)


class _Check:
    """One function at one point, and how near is near enough."""

    def __init__(
        self,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        eps: float | None,
        atol: float | None,
        rtol: float | None,
        seed: int,
        backend: str,
    ) -> None:
        dtypes = [dtype_of(leaf) for arg in args for _, leaf in leaves(arg)]
        rough = any(
            dtype is not None and dtype.kind in "fc" and dtype.itemsize // (1 + (dtype.kind == "c")) < 8
            for dtype in dtypes
        )
        self.fun, self.args, self.backend = fun, args, backend
        self.name = getattr(fun, "__name__", repr(fun))
        self.eps = eps if eps is not None else (1e-2 if rough else 1e-5)
        self.atol = atol if atol is not None else (2e-2 if rough else 1e-6)
        self.rtol = rtol if rtol is not None else (2e-2 if rough else 1e-5)
        self.rng = np.random.default_rng(seed)
        self.active = [k for k, arg in enumerate(args) if has_float(arg)]
        if not self.active:
            raise SignatureError(f"check_grads: no argument of `{self.name}` holds a float", "Pass float arguments.")
        self.value = fun(*copy.deepcopy(args))
        self.weights = mapped(self._random, self.value)

    def _random(self, leaf: Any) -> Any:
        """A random direction in a leaf's space."""
        dtype = dtype_of(leaf)
        if dtype is None or dtype.kind not in "fc":
            return None
        drawn = self.rng.normal(size=np.shape(leaf))
        if dtype.kind == "c":
            drawn = drawn + 1j * self.rng.normal(size=np.shape(leaf))
        if isinstance(leaf, float | complex) and not isinstance(leaf, np.generic):
            return type(leaf)(drawn)
        return np.asarray(drawn, dtype) if isinstance(leaf, np.ndarray) else dtype.type(drawn)

    def scalar_function(self) -> Callable[..., Any]:
        """The function itself if its result is one number, else a random weighting of it."""
        if np.shape(self.value) == () and dtype_of(self.value) is not None:
            return self.fun
        if not isinstance(self.value, np.ndarray):
            raise SignatureError(
                f"check_grads: the second order of `{self.name}` needs a function that returns a number or an array",
                "Pass order=1, or a function that adds its results up.",
            )
        fun, weights = self.fun, self.weights

        def weighted(*primals):  # type: ignore[no-untyped-def]  # differentiated: plain NumPy
            return np.sum(weights * fun(*primals))

        return weighted

    def _directions(self) -> Iterator[tuple[str, tuple[Any, ...], Callable[[float], Any]]]:
        """For each float leaf of the arguments: its path, tangents that move it alone, and the result after a step."""
        for k in self.active:
            for number, (path, leaf) in enumerate(leaves(self.args[k])):
                direction = self._random(leaf)
                if direction is None:
                    continue
                tangents = tuple(
                    _with_leaf(arg, number if j == k else -1, direction) if j in self.active else None
                    for j, arg in enumerate(self.args)
                )

                def stepped(step: float, k: int = k, number: int = number, direction: Any = direction) -> Any:
                    moved = list(copy.deepcopy(self.args))
                    moved[k] = _moved(moved[k], number, direction, step)
                    return self.fun(*moved)

                yield f"argument {k}{path}", tangents, stepped

    def forward(self) -> None:
        """`jvp` along a random direction of each leaf."""
        for where, tangents, stepped in self._directions():
            _, tangent = jvp(self.fun, copy.deepcopy(self.args), tangents, backend=self.backend)
            ours = dict(leaves(tangent))
            ways = [self._difference(stepped, eps) for eps in (self.eps, self.eps / 2)]
            for path, _ in leaves(self.value):
                expected = [way[path] for way in ways]
                if expected[0] is not None:
                    self._compare(f"jvp of `{self.name}` along {where}, result{path}", ours.get(path), expected)

    def reverse(self) -> None:
        """`vjp` of a random weighting of the result, along a random direction of each leaf."""
        _, pullback = vjp(self.fun, *copy.deepcopy(self.args), backend=self.backend)
        gradients = pullback(copy.deepcopy(self.weights))
        for where, tangents, stepped in self._directions():
            ours = sum(_dot(gradients[k], tangents[k]) for k in self.active)
            expected = [self._weighted(self._difference(stepped, eps)) for eps in (self.eps, self.eps / 2)]
            self._compare(f"vjp of `{self.name}` at {where}", ours, expected)

    def _difference(self, stepped: Callable[[float], Any], eps: float) -> dict[str, Any]:
        """The central difference of every float leaf of the result."""
        ahead, behind = dict(leaves(stepped(eps))), dict(leaves(stepped(-eps)))
        return {
            path: None if weight is None else (np.asarray(ahead[path]) - np.asarray(behind[path])) / (2 * eps)
            for path, weight in leaves(self.weights)
        }

    def _weighted(self, difference: dict[str, Any]) -> Any:
        return sum(
            np.sum(np.asarray(weight) * difference[path]) for path, weight in leaves(self.weights) if weight is not None
        )

    def _compare(self, what: str, ours: Any, expected: Sequence[Any]) -> None:
        """Agreement with the difference at one of the two steps is enough: the smaller one is the noisier."""
        if ours is None:
            raise AssertionError(f"{what}: nothing was returned")
        found = np.asarray(ours)
        if any(np.all(np.abs(found - e) <= self.atol + self.rtol * np.abs(e)) for e in expected):
            return
        worst = np.unravel_index(int(np.argmax(np.abs(found - expected[1]))), found.shape)
        index = f" at index {tuple(map(int, worst))}" if found.shape else ""
        steps = [
            f"{np.asarray(difference)[worst]:.8g} (step {step:g})"
            for difference, step in zip(expected, (self.eps, self.eps / 2), strict=True)
        ]
        raise AssertionError(
            f"{what}{index}: derivative {found[worst]:.8g}, central differences {' and '.join(steps)}; "
            f"allowed: {self.atol:g} + {self.rtol:g} times the value"
        )


def _with_leaf(value: Any, number: int, direction: Any) -> Any:
    """Zeros like `value`, but `direction` as one leaf."""
    at = iter(range(1 << 62))

    def one(leaf: Any) -> Any:
        if next(at) == number:
            return direction
        dtype = dtype_of(leaf)
        if dtype is None or dtype.kind not in "fc":
            return None
        return np.zeros(np.shape(leaf), dtype) if isinstance(leaf, np.ndarray) else type(leaf)(0)

    return mapped(one, value)


def _moved(value: Any, number: int, direction: Any, step: float) -> Any:
    at = iter(range(1 << 62))

    def one(leaf: Any) -> Any:
        if next(at) != number:
            return leaf
        moved = leaf + step * direction
        return np.asarray(moved, leaf.dtype) if isinstance(leaf, np.ndarray) else type(leaf)(moved)

    return mapped(one, value)


def _dot(gradient: Any, tangent: Any) -> Any:
    """The pairing of a gradient with a tangent: sum of products, without conjugation (JAX's convention)."""
    pairs = zip(leaves(gradient), leaves(tangent), strict=True)
    return sum(np.sum(np.asarray(g) * np.asarray(t)) for (_, g), (_, t) in pairs if t is not None)

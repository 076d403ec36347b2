"""Whole Jacobians, Hessians and Hessian-vector products, from `vjp` and `jvp`.

Enters: a function and which arguments to differentiate.  Leaves: functions whose results have the output's axes first.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from s2s_ad.api.checks import check_backend, check_differentiable, check_pair, dtype_of
from s2s_ad.api.derivatives import grad
from s2s_ad.api.linear import jvp, pull, push
from s2s_ad.api.selection import Argnames, Argnums, Selection, choose
from s2s_ad.api.subject import Subject, described_like
from s2s_ad.api.trees import leaves, mapped
from s2s_ad.errors import S2SError


class Jacobian:
    """What `jacrev`, `jacfwd` and `jacobian` return."""

    def __init__(
        self,
        fun: Callable[..., Any],
        argnums: Argnums | None,
        argnames: Argnames | None,
        has_aux: bool,
        backend: str,
        mode: Literal["reverse", "forward"],
    ) -> None:
        check_backend(backend)
        if backend == "jax":
            raise S2SError(
                "Jacobians are not yet written for backend='jax'",
                "Use vjp or jvp with backend='jax' under jax.vmap, over the rows of an identity matrix.",
            )
        self.choice = choose(argnums, argnames)
        self.subject = Subject(fun)
        self.has_aux, self.backend, self.mode = bool(has_aux), backend, mode
        self._made_of = fun, argnums, argnames, has_aux, backend, mode
        described_like(self, fun)
        if not self.choice.depends_on_call(self.subject.binder):
            self.choice.select(self.subject.binder, 0)  # a wrong argnum is refused here, not at the first call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = self.subject.binder.bind(args, kwargs)
        selection = self.choice.select(self.subject.binder, len(args))
        for slot in selection.slots:
            check_differentiable(slot.label, slot.read(values))
        by_rows = _rows if self.mode == "reverse" else _columns
        found, value = by_rows(self.subject, selection, values, self.has_aux, self.backend)
        return (found, value[1]) if self.has_aux else found

    def __s2s_inline__(self, b: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """A call of it in a function that is being differentiated."""
        from s2s_ad.api import nested

        raise nested.refused(b, "jacobian")

    @functools.cached_property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._made_of[0])

    def __repr__(self) -> str:
        return f"<jacobian of {self.subject.name}, {self.mode} mode>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Jacobian, self._made_of


def jacrev(
    fun: Callable[..., Any],
    argnums: Argnums | None = None,
    *,
    argnames: Argnames | None = None,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Jacobian:
    """The Jacobian, a row at a time by reverse sweeps: for more inputs than outputs."""
    return Jacobian(fun, argnums, argnames, has_aux, backend, "reverse")


def jacfwd(
    fun: Callable[..., Any],
    argnums: Argnums | None = None,
    *,
    argnames: Argnames | None = None,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Jacobian:
    """The Jacobian, a column at a time by forward sweeps: for more outputs than inputs."""
    return Jacobian(fun, argnums, argnames, has_aux, backend, "forward")


jacobian = jacrev


def hessian(
    fun: Callable[..., Any],
    argnums: Argnums | None = None,
    *,
    argnames: Argnames | None = None,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Jacobian:
    """Second derivatives, forward over reverse: the axes of the gradient first, then those of the argument."""
    gradient = grad(fun, argnums, argnames=argnames, has_aux=has_aux, backend=backend)
    return jacfwd(gradient, argnums, argnames=argnames, has_aux=has_aux, backend=backend)


def hvp(
    fun: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Any:
    """The Hessian at `primals` times `tangents`, forward over reverse. A tuple, if there are several primals.

    has_aux: `fun` returns `(result, aux)`; the answer is then `(product, aux)`.
    """
    check_pair("hvp", primals, tangents)
    gradient = grad(fun, 0 if len(primals) == 1 else range(len(primals)), has_aux=has_aux, backend=backend)
    _, *answer = jvp(gradient, primals, tangents, has_aux=has_aux, backend=backend)
    return tuple(answer) if has_aux else answer[0]


def _rows(
    subject: Subject, selection: Selection, values: tuple[Any, ...], has_aux: bool, backend: str
) -> tuple[Any, Any]:
    """The Jacobian by one reverse sweep for each number in the result, and the primal's whole value."""
    whole, pullback = pull(subject, selection, values, has_aux, backend)
    value = whole[0] if has_aux else whole
    outputs = [leaf for _, leaf in leaves(value)]
    found = iter([_leaf_rows(value, k, leaf, pullback.by_slot, selection) for k, leaf in enumerate(outputs)])
    return mapped(lambda _: next(found), value), whole


def _leaf_rows(value: Any, k: int, leaf: Any, by_slot: Callable[[Any], tuple[Any, ...]], selection: Selection) -> Any:
    """The derivatives of one leaf of the result: a tree like the arguments, output axes first."""
    if not _is_float(leaf):
        return None
    rows = [by_slot(_with_leaf(value, k, unit)) for unit in _units(leaf)]
    stacked = [_stacked([row[s] for row in rows], np.shape(leaf), 0) for s in range(len(selection.slots))]
    return stacked[0] if selection.single else tuple(stacked)


def _stacked(trees: list[Any], shape: tuple[int, ...], axis: Literal[0, -1]) -> Any:
    """Trees of equal structure, joined leaf by leaf on new axes of `shape`, before or behind the others."""
    columns = [[leaf for _, leaf in leaves(tree)] for tree in trees]

    def joined(parts: Sequence[Any]) -> Any:
        inner = np.shape(parts[0])
        full = shape + inner if axis == 0 else inner + shape
        whole = np.stack([np.asarray(part) for part in parts], axis=axis).reshape(full)
        return type(parts[0])(whole) if full == () and isinstance(parts[0], float) else whole

    found = iter([None if parts[0] is None else joined(parts) for parts in zip(*columns, strict=True)])
    return mapped(lambda _: next(found), trees[0])


def _columns(
    subject: Subject, selection: Selection, values: tuple[Any, ...], has_aux: bool, backend: str
) -> tuple[Any, Any]:
    """The Jacobian by one forward sweep for each number in the arguments, and the primal's whole value."""
    arguments = [slot.read(values) for slot in selection.slots]
    trees: list[Any] = []
    whole: Any = None
    for s, argument in enumerate(arguments):
        blocks = []
        for k, (_, leaf) in enumerate(leaves(argument)):
            columns = []
            for unit in _units(leaf) if _is_float(leaf) else ():
                tangents = [_with_leaf(a, k if j == s else -1, unit) for j, a in enumerate(arguments)]
                whole, column = push(subject, selection, values, tangents, has_aux, backend)
                columns.append(column)
            blocks.append(_flat_columns(columns, np.shape(leaf)))
        trees.append((argument, blocks))
    return _by_output(whole[0] if has_aux else whole, trees, selection), whole


def _flat_columns(columns: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """For one leaf of an argument: a block for each leaf of the result."""
    return [] if not columns else [leaf for _, leaf in leaves(_stacked(columns, shape, -1))]


def _by_output(template: Any, trees: list[Any], selection: Selection) -> Any:
    """A tree like the result, whose leaves are trees like the arguments."""
    count = len(list(leaves(template)))

    def for_output(k: int) -> Any:
        found = []
        for argument, blocks in trees:
            at = iter([block[k] if block else None for block in blocks])
            found.append(mapped(functools.partial(_following, at), argument))
        return found[0] if selection.single else tuple(found)

    outputs = iter([for_output(k) for k in range(count)])
    return mapped(lambda _: next(outputs), template)


def _following(blocks: Any, _: Any) -> Any:
    return next(blocks)


def _is_float(leaf: Any) -> bool:
    dtype = dtype_of(leaf)
    return dtype is not None and dtype.kind in "fc"


def _units(leaf: Any) -> list[Any]:
    """The unit vectors of a leaf's space."""
    if not hasattr(leaf, "shape"):
        return [type(leaf)(1)]
    if leaf.shape == () and not isinstance(leaf, np.ndarray):
        return [leaf.dtype.type(1)]
    units = []
    for k in range(leaf.size):
        unit = np.zeros(leaf.shape, leaf.dtype)
        unit.flat[k] = 1
        units.append(unit)
    return units


def _with_leaf(value: Any, k: int, unit: Any) -> Any:
    """Zeros like `value`, but `unit` as leaf number `k`."""
    numbers = iter(range(1 << 62))

    def at(leaf: Any) -> Any:
        if next(numbers) == k:
            return unit
        if not _is_float(leaf):
            return None
        return np.zeros(leaf.shape, leaf.dtype) if isinstance(leaf, np.ndarray) else type(leaf)(0)

    return mapped(at, value)


def _hvp_inside(b: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """`hvp(f, ...)` in a function that is being differentiated."""
    from s2s_ad.api import nested

    return nested.hessian_times(b, args, kwargs)


def _refused_inside(name: str) -> Callable[..., Any]:
    def inside(b: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        from s2s_ad.api import nested

        raise nested.refused(b, name)

    return inside


vars(hvp)["__s2s_inline__"] = _hvp_inside
for _function in (jacrev, jacfwd, hessian):
    vars(_function)["__s2s_inline__"] = _refused_inside(_function.__name__)

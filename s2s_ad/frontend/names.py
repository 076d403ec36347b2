"""Names and parameters of a tree as the compiler sees them.

Enters: a tree as parsed.  Leaves: a tree whose private names (`__x` in a class) are mangled, parameters without
annotations, and names that the function does not use yet.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable

_NAMED: dict[type[ast.AST], str] = {
    ast.Name: "id",
    ast.Attribute: "attr",
    ast.arg: "arg",
    ast.keyword: "arg",
    ast.FunctionDef: "name",
    ast.ClassDef: "name",
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
}


class Names:
    """The one allocator of a function's fresh names: `stop`, then `stop_2`, never a name that is taken."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self.flags: set[str] = set()
        """Names that only ever hold True or False."""

    def fresh(self, base: str) -> str:
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name

    def flag(self, base: str) -> str:
        name = self.fresh(base)
        self.flags.add(name)
        return name


def used_names(tree: ast.AST) -> set[str]:
    """Every identifier that stands anywhere in `tree`, nested functions included; attributes too, to be plain."""
    names: set[str] = set()
    for node in ast.walk(tree):
        field = _NAMED.get(type(node))
        if field is not None:
            names.add(getattr(node, field) or "")
        elif isinstance(node, ast.Global | ast.Nonlocal):
            names.update(node.names)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
    return names


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that `nodes` bind, whatever their scope."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.arg | ast.FunctionDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            names.add(getattr(node, _NAMED[type(node)]) or "")
    return names


def without_annotations(parameters: ast.arguments) -> ast.arguments:
    """The same parameters, bare. Defaults stay in the tree, but only their values on the function object count."""
    return ast.arguments(
        posonlyargs=[_bare(parameter) for parameter in parameters.posonlyargs],
        args=[_bare(parameter) for parameter in parameters.args],
        vararg=parameters.vararg and _bare(parameters.vararg),
        kwonlyargs=[_bare(parameter) for parameter in parameters.kwonlyargs],
        kw_defaults=parameters.kw_defaults,
        kwarg=parameters.kwarg and _bare(parameters.kwarg),
        defaults=parameters.defaults,
    )


def mangled(tree: ast.FunctionDef, class_name: str) -> ast.FunctionDef:
    """The function with `__x` spelt `_Class__x`, wherever Python itself reads it so; `tree` itself if nothing is."""
    prefix = class_name.lstrip("_")
    if not prefix or not any(_private(node) for node in ast.walk(tree) if node is not tree):
        return tree
    copied = copy.deepcopy(tree)
    for node in ast.walk(copied):
        if isinstance(node, ast.Global | ast.Nonlocal):
            node.names = [f"_{prefix}{name}" if _is_private(name) else name for name in node.names]
        elif node is not copied and _private(node):
            field = _NAMED[type(node)]
            setattr(node, field, f"_{prefix}{getattr(node, field)}")
    return copied


def _bare(parameter: ast.arg) -> ast.arg:
    return ast.copy_location(ast.arg(parameter.arg, None), parameter)


def _private(node: ast.AST) -> bool:
    if isinstance(node, ast.Global | ast.Nonlocal):
        return any(map(_is_private, node.names))
    field = _NAMED.get(type(node))
    return field is not None and _is_private(getattr(node, field))


def _is_private(name: str | None) -> bool:
    return name is not None and name.startswith("__") and not name.endswith("__") and "." not in name

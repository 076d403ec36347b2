"""Names and parameters of a tree as the compiler sees them.

Enters: a tree as parsed.  Leaves: a tree whose private names (`__x` in a class) are mangled, and parameters without
annotations, so that the function means the same outside its class.
"""

from __future__ import annotations

import ast
import copy

_NAMED = {
    ast.Name: "id",
    ast.Attribute: "attr",
    ast.arg: "arg",
    ast.keyword: "arg",
    ast.FunctionDef: "name",
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
}


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

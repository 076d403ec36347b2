"""A function in few forms of statement.

Enters: the tree of a function.  Leaves: a tree that does the same, in which

- an assignment has one target, and no statement is a `match`, an annotation or a docstring;
- a loop has no `else` and no `continue`, and its only `break` is a last `if flag: break`;
- the function has one `return`, its last statement.

Every new node stands where the node stood that it comes from. No statement is copied, so the tree stays as large as it
was. Nested functions are left as they are: they are normalised when they are called.

>>> def first_above(x, bound):
...     for v in x:
...         if v < 0.0:
...             continue
...         if v > bound:
...             return v
...     return bound

becomes

>>> from s2s_ad.frontend.source import retrieve
>>> print(ast.unparse(normalise(retrieve(first_above).tree)))
def first_above(x, bound):
    returned = False
    for v in x:
        if not v < 0.0:
            returned = v > bound
        if returned:
            break
    if returned:
        result = v
    else:
        result = bound
    return result
"""

from __future__ import annotations

import ast

from s2s_ad.errors import Place, UnsupportedSyntax
from s2s_ad.frontend.desugar import desugar, refuse_foreign
from s2s_ad.frontend.exits import one_exit
from s2s_ad.frontend.names import Names, bound_names, used_names
from s2s_ad.frontend.source import FunctionSource, place_of


def normalise(tree: ast.FunctionDef, source: FunctionSource | None = None) -> ast.FunctionDef:
    """`tree` in few forms; `source`, where there is one, gives refusals their file and line."""

    def refuse(fact: str, remedy: str, node: ast.AST) -> UnsupportedSyntax:
        return UnsupportedSyntax(fact, remedy, _place(node, source))

    refuse_foreign(tree.body, refuse)
    names = Names(used_names(tree))
    try:
        body = one_exit(desugar(tree.body, names, refuse), names, refuse, _end_of(tree))
    except RecursionError:
        raise refuse("the statements are nested too deeply", "Split the function into several.", tree) from None
    for node in _unbound(tree, body):
        fact = f"`{node.id}` is read, but every statement that assigns it is unreachable"
        raise refuse(fact, f"Assign `{node.id}` before it is read, or take the unreachable statements out.", node)
    made = ast.FunctionDef(tree.name, tree.args, body, tree.decorator_list, tree.returns)
    if "type_params" in tree._fields:  # a field since Python 3.12
        vars(made)["type_params"] = []
    return ast.copy_location(made, tree)


def _unbound(tree: ast.FunctionDef, body: list[ast.stmt]) -> list[ast.Name]:
    """Reads of local names that lost all their assignments: left alone, they would read a global of that name."""
    kept = [node for statement in body for node in ast.walk(statement)]
    written = (node for statement in tree.body for node in ast.walk(statement))
    lost = bound_names(written) - bound_names(kept) - bound_names(ast.walk(tree.args))
    return [node for node in kept if isinstance(node, ast.Name) and node.id in lost] if lost else []


def _place(node: ast.AST, source: FunctionSource | None) -> Place:
    if source is not None:
        return place_of(source, node)
    return Place("<function>", getattr(node, "lineno", 1), getattr(node, "col_offset", 0))


def _end_of(tree: ast.FunctionDef) -> ast.AST:
    """Where a function that falls off its end returns None: at its last statement."""
    return tree.body[-1]

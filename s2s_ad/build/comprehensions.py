"""Comprehensions: loops that build a list, a dict or a set.

Enters: a comprehension's node, and what is done with each item.  Leaves: the container; the loop is in the builder's
block.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from s2s_ad.build.values import (
    NOTHING,
    Abs,
    DictObject,
    Known,
    ListObject,
    Num,
    ObjectRef,
    known_value,
)

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder
from s2s_ad.build.containers import append, items_of, list_method, make_list, store_item


# -- comprehensions ----------------------------------------------------------------------------------------------------
def comprehension(b: Builder, node: Any) -> Abs:
    from s2s_ad.build.expressions import evaluate

    if isinstance(node, ast.DictComp):
        site = b.site(node, "dict")
        b.allocate(site, DictObject((), ()))

        def put() -> None:
            key = known_value(evaluate(b, node.key))
            if key is NOTHING:
                raise b.fail("a dict key must be known when the program is derived", "Use a list, or constant keys.")
            store_item(b, ObjectRef(site), key, evaluate(b, node.value))

        generate(b, node, node.generators, put)
        return ObjectRef(site)
    result = make_list(b, node, [])
    key = (b.frame.key, f"#items {id(node)} {b.unrolled}")
    if isinstance(result, Num):
        result = b.bind(b.temp(node, "items"), result)
    b.state.env[key] = result

    def add() -> None:
        value = evaluate(b, node.elt)
        if isinstance(node, ast.SetComp) and known_value(value) is NOTHING:
            raise b.fail("the items of a set must be known when the program is derived", "Use a list.")
        held = b.state.env[key]
        if isinstance(held, Num):
            append(b, held, value)
        else:
            assert isinstance(held, ObjectRef)
            obj = b.state.heap[held.site]
            assert isinstance(obj, ListObject)
            list_method(b, held, obj, "append", [value])

    generate(b, node, node.generators, add)
    result = b.state.env.pop(key)
    if isinstance(node, ast.SetComp):
        return Known(frozenset(known_value(v) for v in items_of(b, result)))
    return result


def generate(b: Builder, node: ast.AST, generators: list[ast.comprehension], body: Callable[[], None]) -> None:
    """Run `body` for every combination that the `for` and `if` parts of a comprehension let through."""
    from s2s_ad.build.bound_names import names_bound
    from s2s_ad.build.builder import Frame
    from s2s_ad.build.expressions import evaluate
    from s2s_ad.build.loops import run_loop
    from s2s_ad.build.statements import assign_target, conditional

    outer = b.frame
    targets = frozenset(name for g in generators for name in names_bound(g.target))
    makes_functions = any(isinstance(n, ast.Lambda) for n in ast.walk(node))
    where = b.unrolled if makes_functions else ()
    inner = Frame(
        b.facts.number(("scope", outer.key, id(node), where)),
        outer.source,
        outer.key,
        targets,
        this_class=outer.this_class,
    )
    b.frames[inner.key] = inner

    def level(k: int) -> None:
        if k == len(generators):
            body()
            return
        generator = generators[k]
        iterable = evaluate(b, generator.iter)

        def filtered(tests: list[ast.expr]) -> None:
            if not tests:
                level(k + 1)
                return
            conditional(b, node, evaluate(b, tests[0]), lambda: filtered(tests[1:]), lambda: None)

        run_loop(
            b, generator, iterable, lambda v: assign_target(b, generator.target, v), lambda: filtered(generator.ifs)
        )

    b.frame = inner
    try:
        level(0)
    finally:
        b.frame = outer
    if not makes_functions:
        for env_key in [k for k in b.state.env if k[0] == inner.key]:
            del b.state.env[env_key]

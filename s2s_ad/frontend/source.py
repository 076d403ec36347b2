"""From a function object to its syntax tree.

Enters: a Python function.  Leaves: a `FunctionSource`: the tree of exactly this function, with the file's positions.

The text is never trusted: the tree that is found is compiled again, and a function whose code differs from it (a file
that was edited after it was imported) has no source as far as we are concerned.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import linecache
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from s2s_ad.errors import Place, SourceNotFound, UnsupportedSyntax
from s2s_ad.frontend.comments import Comments, comments_of
from s2s_ad.frontend.locate import Found, find, parse
from s2s_ad.frontend.names import mangled, without_annotations

LAMBDA = "lambda_"
_REMEDY = (
    "Put the function into a file (or a notebook cell), import it from there, and pass it again; "
    "a file that was edited after its import has to be imported again."
)


@dataclass(frozen=True, eq=False)
class FunctionSource:
    """One function and the text it was compiled from. The tree is shared, and must not be changed."""

    function: types.FunctionType
    name: str
    """From the parsed tree, never `__name__`, which may be any string; `lambda_` for a lambda."""
    tree: ast.FunctionDef
    """Absolute line numbers, no decorators, no annotations of parameters; a lambda is a `def` with one `return`."""
    filename: str
    lines: tuple[str, ...]
    """The lines of the whole file; line 1 is at index 0."""

    @functools.cached_property
    def _comments(self) -> Comments:
        return comments_of(self.lines, self.tree.lineno, self.tree.end_lineno or self.tree.lineno)

    @property
    def comments(self) -> Mapping[int, str]:
        """Line number -> `# text`, for this function's own lines. Read when first asked for."""
        return self._comments.texts

    @property
    def own_lines(self) -> frozenset[int]:
        """Those comment lines that hold nothing else."""
        return self._comments.own_lines


def retrieve(function: Callable[..., Any]) -> FunctionSource:
    """The source of `function`, verified against its code object."""
    plain = unwrap(function)
    code = plain.__code__
    lines = _lines_of(plain)
    place = Place(code.co_filename, code.co_firstlineno, text=_line(lines, code.co_firstlineno))
    _refuse_kinds(code, place)
    if not lines:
        raise SourceNotFound(f"the source text of `{code.co_name}` cannot be found", _REMEDY, place)
    try:
        module = parse("".join(lines))
    except (SyntaxError, ValueError) as cause:
        raise SourceNotFound(
            f"`{code.co_filename}` does not parse any more, so it is not the text of `{code.co_name}`", _REMEDY, place
        ) from cause
    found = find(module, code)
    if found is None:
        fact = f"the text at this place is not the text that `{code.co_name}` was compiled from"
        raise SourceNotFound(fact, _REMEDY, place)
    return FunctionSource(plain, *_definition(found), code.co_filename, module.lines)


def unwrap(function: Callable[..., Any]) -> types.FunctionType:
    """The plain Python function that a call of `function` runs.

    A wrapper written in Python is what runs, and stays; `__wrapped__` is followed only through objects that are known
    to return what the function they wrap returns.
    """
    outer = function
    while not isinstance(function, types.FunctionType):
        inner = _inside(function)
        if inner is None:
            kind = type(outer)
            raise UnsupportedSyntax(
                f"`{getattr(outer, '__name__', kind.__name__)}` is a `{kind.__module__}.{kind.__qualname__}`, "
                "not a function written in Python",
                "Pass a function written with `def` or `lambda`, for example `lambda x: f(x)`.",
            )
        function = inner
    return function


def place_of(source: FunctionSource, node: ast.AST) -> Place:
    """Where `node` stands, with the text of its first line."""
    line = getattr(node, "lineno", source.tree.lineno)
    text = _line(source.lines, line)
    start = getattr(node, "col_offset", 0)
    end = getattr(node, "end_col_offset", None) if getattr(node, "end_lineno", line) == line else None
    if isinstance(node, ast.If | ast.For | ast.While | ast.With | ast.Try):
        end = None
    column = _characters(text, start)
    last = len(text.rstrip()) if end is None else _characters(text, end)
    return Place(source.filename, line, column, last, text)


def resolve(source: FunctionSource, name: str) -> object:
    """What a free `name` means at this moment: closure cell, then globals, then builtins; `KeyError` when unbound."""
    function = source.function
    free = function.__code__.co_freevars
    if name in free:
        cell = (function.__closure__ or ())[free.index(name)]
        try:
            return cell.cell_contents
        except ValueError:
            raise KeyError(name) from None
    try:
        return function.__globals__[name]
    except KeyError:
        found: dict[str, object] = vars(builtins)
        return found[name]


def _inside(function: object) -> Callable[..., Any] | None:
    if isinstance(function, types.MethodType | staticmethod | classmethod):
        return function.__func__
    kind = type(function)
    if kind.__module__.startswith("numba.") and isinstance(getattr(function, "py_func", None), types.FunctionType):
        return function.py_func  # type: ignore[attr-defined, no-any-return]
    ours = kind.__module__.partition(".")[0] == "s2s_ad"
    if ours or kind.__qualname__ in ("_lru_cache_wrapper", "PjitFunction"):
        return getattr(function, "__wrapped__", None)
    return None


def _refuse_kinds(code: types.CodeType, place: Place) -> None:
    kinds = {
        inspect.CO_GENERATOR: "a generator function",
        inspect.CO_COROUTINE: "an `async def` function",
        inspect.CO_ASYNC_GENERATOR: "an asynchronous generator function",
    }
    for flag, kind in kinds.items():
        if code.co_flags & flag:
            remedy = "Return the values (as a list, or an array) instead of yielding or awaiting them."
            raise UnsupportedSyntax(f"`{code.co_name}` is {kind}", remedy, place)


def _lines_of(function: types.FunctionType) -> list[str]:
    filename = function.__code__.co_filename
    linecache.checkcache(filename)
    lines = linecache.getlines(filename, function.__globals__)
    if lines:
        return lines
    try:  # text that only the interpreter itself knows of: `python -c` and the prompt, from Python 3.13 on
        return list(inspect.findsource(function)[0])
    except (OSError, TypeError, IndexError):
        return []


def _definition(found: Found) -> tuple[str, ast.FunctionDef]:
    node = found.node
    if isinstance(node, ast.Lambda):
        body: list[ast.stmt] = [ast.copy_location(ast.Return(node.body), node.body)]
        tree = ast.FunctionDef(LAMBDA, without_annotations(node.args), body, [])
    else:
        tree = ast.FunctionDef(node.name, without_annotations(node.args), node.body, [])
    ast.copy_location(tree, node)
    if "type_params" in tree._fields:  # a field since Python 3.12
        vars(tree)["type_params"] = []
    return tree.name, mangled(tree, found.class_name) if found.class_name else tree


def _line(lines: list[str] | tuple[str, ...], number: int) -> str:
    return lines[number - 1].rstrip("\r\n") if 0 < number <= len(lines) else ""


def _characters(text: str, offset: int) -> int:
    """The tree counts bytes of UTF-8, people count characters."""
    return offset if text.isascii() else len(text.encode()[:offset].decode(errors="ignore"))

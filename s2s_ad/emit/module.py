"""An IR program as the text of a Python module.

Enters: functions of the IR, the author's comments.  Leaves: text, the objects its namespace needs, and for each of its
lines the author's line.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from s2s_ad.emit.expressions import BINARY, Printer
from s2s_ad.emit.objects import Objects
from s2s_ad.ir.names import Names
from s2s_ad.ir.nodes import (
    Append,
    Assert,
    Assign,
    Block,
    Call,
    Comment,
    Const,
    Each,
    Effect,
    Expr,
    For,
    Function,
    If,
    MoveRoot,
    PopLast,
    Raise,
    Range,
    Slice,
    Stmt,
    Store,
    Try,
    Var,
    While,
    With,
    all_assigned,
    statement_exprs,
    walk,
)
from s2s_ad.ir.nodes import all_statements as every_statement
from s2s_ad.ir.types import Array, ListOf, Scalar, TupleOf

_AUGMENTED = {
    op: sign for op, (sign, _) in BINARY.items() if sign not in ("==", "!=", "<", "<=", ">", ">=", "is", "is not")
}


@dataclass(frozen=True)
class Module:
    """What was emitted: the text, its entry, what its namespace must hold, and the author's line of each line."""

    text: str
    entry: str
    given: dict[str, Any]
    lines: dict[int, int]
    originals: dict[str, Any] = field(default_factory=dict)
    """The functions whose text the module repeats, by their names in it."""


@dataclass
class Writer:
    printer: Printer
    comments: Mapping[int, str]
    own_lines: frozenset[int]
    out: list[str] = field(default_factory=list)
    lines: dict[int, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    last: int = 0

    def put(self, depth: int, text: str, line: int = 0) -> None:
        self.out.append("    " * depth + text)
        if line:
            self.lines[len(self.out)] = line

    def block(self, block: Block, depth: int) -> None:
        before = len(self.out)
        for stmt in block:
            self.statement(stmt, depth)
        if all(line.lstrip().startswith("#") for line in self.out[before:]):
            self.put(depth, "pass")

    def comment_of(self, stmt: Stmt, depth: int) -> str:
        """The author's comment on this line; comments that stand on lines of their own before it are written first."""
        line = stmt.line
        if not line or line in self.seen:
            return ""
        for own in sorted(self.own_lines):
            if self.last < own < line and own not in self.seen:
                self.seen.add(own)
                self.put(depth, self.comments[own])
        self.seen.add(line)
        self.last = max(self.last, line)
        text = self.comments.get(line, "") if line not in self.own_lines else ""
        return f"      {text}" if text else ""

    def statement(self, stmt: Stmt, depth: int) -> None:
        p = self.printer
        if isinstance(stmt, MoveRoot):
            return
        if isinstance(stmt, Comment):
            self.put(depth, stmt.text, stmt.line)
            return
        note = self.comment_of(stmt, depth)
        match stmt:
            case Assign(targets, values):
                self.put(depth, self.assign(targets, values) + note, stmt.line)
            case Store(target, value, op):
                self.put(depth, self.store(target, value, op) + note, stmt.line)
            case Append(target, value):
                self.put(depth, f"{p(target)}.append({p(value)}){note}", stmt.line)
            case PopLast(targets, source):
                names = ", ".join(targets) + ("," if len(targets) == 1 and _holds_pairs_of_one(source) else "")
                self.put(depth, f"{names} = {p(source)}.pop(){note}", stmt.line)
            case Effect(value):
                self.put(depth, p(value) + note, stmt.line)
            case If():
                self.branch(stmt, depth, "if", note)
            case For():
                self.put(depth, self.loop_head(stmt) + note, stmt.line)
                self.block(stmt.body, depth + 1)
                self.stop(stmt.stop, depth)
            case While(test, body, stop):
                self.put(depth, f"while {p(test)}:{note}", stmt.line)
                self.block(body, depth + 1)
                self.stop(stop, depth)
            case Raise(value):
                self.put(depth, ("raise" if value is None else f"raise {p(value)}") + note, stmt.line)
            case Assert(test, message):
                text = f"assert {p(test)}" + ("" if message is None else f", {p(message)}")
                self.put(depth, text + note, stmt.line)
            case With(context, body):
                self.put(depth, f"with {p(context)}:{note}", stmt.line)
                self.block(body, depth + 1)
            case Try():
                self.attempt(stmt, depth)

    def stop(self, name: str | None, depth: int) -> None:
        if name is not None:
            self.put(depth + 1, f"if {name}:")
            self.put(depth + 2, "break")

    def assign(self, targets: tuple[str, ...], values: tuple[Expr, ...]) -> str:
        p = self.printer
        if len(targets) == 1:
            name, value = targets[0], values[0]
            if (
                isinstance(value, Call)
                and value.fn in _AUGMENTED
                and len(value.args) == 2
                and isinstance(value.type, Scalar)
            ):
                left = value.args[0]
                if isinstance(left, Var) and left.name == name and isinstance(left.type, Scalar):
                    return f"{name} {_AUGMENTED[value.fn]}= {p(value.args[1])}"
            return f"{name} = {p(value)}"
        return f"{', '.join(targets)} = {', '.join(p(v) for v in values)}"

    def store(self, target: Any, value: Expr, op: Any) -> str:
        p = self.printer
        if op == "add_at":
            items = [_item_text(p, i) for i in target.items]
            index = items[0] if len(items) == 1 else f"({', '.join(items)})"
            name = p.name_of(_np_add(), "add")
            return f"{name}.at({p(target.base)}, {index}, {p(value)})"
        if op is None:
            place = f"{p(target)}[...]" if isinstance(target, Var) else p(target)
            if (
                not isinstance(target, Var)
                and isinstance(value, Call)
                and value.fn in _AUGMENTED
                and len(value.args) == 2
            ):
                if value.args[0] == target and isinstance(target.type, Scalar):
                    return f"{place} {_AUGMENTED[value.fn]}= {p(value.args[1])}"
            return f"{place} = {p(value)}"
        return f"{p(target)} {_AUGMENTED[op]}= {p(value)}"

    def branch(self, stmt: If, depth: int, word: str, note: str) -> None:
        test, then, orelse = stmt.test, stmt.then, stmt.orelse
        if not _visible(then) and _visible(orelse):
            test, then, orelse = Call(operator.not_, (test,), (), test.type, "op"), orelse, ()
        self.put(depth, f"{word} {self.printer(test)}:{note}", stmt.line)
        self.block(then, depth + 1)
        if not _visible(orelse):
            return
        shown = [s for s in orelse if not isinstance(s, MoveRoot)]
        if len(shown) == 1 and isinstance(shown[0], If):
            inner = self.comment_of(shown[0], depth)
            self.branch(shown[0], depth, "elif", inner)
            return
        self.put(depth, "else:")
        self.block(orelse, depth + 1)

    def loop_head(self, stmt: For) -> str:
        p = self.printer
        match stmt.iter:
            case Range(start, stop, step):
                parts = [start, stop, step]
                if isinstance(step, Const) and step.value == 1:
                    parts = [start, stop]
                    if isinstance(start, Const) and start.value == 0:
                        parts = [stop]
                source = f"range({', '.join(p(e) for e in parts)})"
            case Each(items, tangents) if tangents is not None:
                return f"for {_paired(stmt)} in zip({p(items)}, {p(tangents)}, strict=True):"
            case Each(items):
                source = p(items)
        if stmt.trips is not None:
            source = f"{source}[:{p(stmt.trips)}]"
        if stmt.backwards:
            source = f"reversed({source})"
        names = ", ".join(stmt.targets)
        if len(stmt.targets) == 1 and isinstance(stmt.iter, Each) and _is_tuple(stmt.iter.items):
            names += ","
        return f"for {names} in {source}:"

    def attempt(self, stmt: Try, depth: int) -> None:
        p = self.printer
        self.put(depth, "try:", stmt.line)
        self.block(stmt.body, depth + 1)
        for kind, name, block in stmt.handlers:
            head = "except" if kind is None else f"except {p(kind)}" + (f" as {name}" if name else "")
            self.put(depth, f"{head}:")
            self.block(block, depth + 1)
        if stmt.final:
            self.put(depth, "finally:")
            self.block(stmt.final, depth + 1)


def _paired(stmt: For) -> str:
    """The targets of a loop over a list and the list of its tangents."""
    half = len(stmt.targets) // 2
    parts = [", ".join(stmt.targets[:half]), ", ".join(stmt.targets[half:])]
    if isinstance(stmt.iter, Each) and _is_tuple(stmt.iter.items):
        parts = [f"({part},)" if half == 1 else f"({part})" for part in parts]
    return ", ".join(parts)


def _np_add() -> Any:
    import numpy as np

    return np.add


def _item_text(p: Printer, item: Any) -> str:
    if isinstance(item, Slice):
        parts = [("None" if e is None else p(e)) for e in (item.start, item.stop, item.step)]
        return f"slice({', '.join(parts)})"
    return p(item)


def _is_tuple(expr: Expr) -> bool:
    return isinstance(expr.type, ListOf) and isinstance(expr.type.item, TupleOf)


def _holds_pairs_of_one(source: Expr) -> bool:
    item = source.type.item if isinstance(source.type, ListOf) else None
    return isinstance(item, TupleOf) and len(item.items) == 1


def _visible(block: Block) -> bool:
    return any(not isinstance(s, MoveRoot) for s in block)


def emit_module(
    functions: list[Function],
    names: Names,
    comments: Mapping[int, str],
    own_lines: frozenset[int],
    header: str,
    sources: list[str] | None = None,
) -> Module:
    """The text of a module that defines `functions`; the last of them is its entry."""
    local = {p.name for f in functions for p in f.parameters}
    for f in functions:
        local |= all_assigned(f.body)
    objects = Objects(names, local)
    writer = Writer(Printer(objects), comments, own_lines)
    for f in functions:
        writer.out += ["", ""] if writer.out else []
        _function(writer, f)
    preamble, given, originals = _preamble(objects)
    imports = sorted(set(objects.imports.values()))
    head = [header, *imports, *preamble]
    body = [*head, "", "", *writer.out]
    shift = len(body) - len(writer.out)
    lines = {k + shift: v for k, v in writer.lines.items()}
    text = "\n".join(body) + "\n"
    offset = "\n".join(head).count("\n") + 1 - len(head)
    return Module(text, functions[-1].name, given, {k + offset: v for k, v in lines.items()}, originals)


def _preamble(objects: Objects) -> tuple[list[str], dict[str, Any], dict[str, Any]]:
    from s2s_ad.emit.preamble import definitions

    return definitions(objects)


def _function(writer: Writer, f: Function) -> None:
    parts = []
    for q in f.parameters:
        parts.append(f"{q.name}={writer.printer(q.default)}" if q.has_default else q.name)
    writer.put(0, f"def {f.name}({', '.join(parts)}):")
    if f.docstring:
        for k, line in enumerate(f.docstring.splitlines()):
            if not line:
                writer.put(0, "")
                continue
            writer.put(1, ('"""' if k == 0 else "") + line + ('"""' if k == len(f.docstring.splitlines()) - 1 else ""))
    for stmt in f.body:
        writer.statement(stmt, 1)
    result = f.result
    text = writer.printer(result)
    if getattr(result, "kind", "") == "tuple" and len(getattr(result, "items", ())) > 1:
        text = text[1:-1]
    writer.put(1, f"return {text}")


_ = (Array, every_statement, statement_exprs, walk)

"""IR expressions as Python text.

Enters: an expression.  Leaves: its text, with the parentheses that Python's precedence needs and no others.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from s2s_ad.ir.nodes import (
    Call,
    Choice,
    Const,
    Display,
    Expr,
    Index,
    Lazy,
    Method,
    Ref,
    Slice,
    Text,
    Var,
    ZerosLike,
)
from s2s_ad.ir.types import Array, ListOf, Scalar, TupleOf, Type, Unknown

TERNARY, OR, AND, NOT, COMPARE, BITOR, BITXOR, BITAND, SHIFT, SUM, PRODUCT, UNARY, POWER, ATOM = range(14)

BINARY: dict[Any, tuple[str, int]] = {
    operator.add: ("+", SUM),
    operator.sub: ("-", SUM),
    operator.mul: ("*", PRODUCT),
    operator.truediv: ("/", PRODUCT),
    operator.floordiv: ("//", PRODUCT),
    operator.mod: ("%", PRODUCT),
    operator.matmul: ("@", PRODUCT),
    operator.pow: ("**", POWER),
    operator.and_: ("&", BITAND),
    operator.or_: ("|", BITOR),
    operator.xor: ("^", BITXOR),
    operator.lshift: ("<<", SHIFT),
    operator.rshift: (">>", SHIFT),
    operator.eq: ("==", COMPARE),
    operator.ne: ("!=", COMPARE),
    operator.lt: ("<", COMPARE),
    operator.le: ("<=", COMPARE),
    operator.gt: (">", COMPARE),
    operator.ge: (">=", COMPARE),
    operator.is_: ("is", COMPARE),
    operator.is_not: ("is not", COMPARE),
}
UNARY_OPS: dict[Any, tuple[str, int]] = {
    operator.neg: ("-", UNARY),
    operator.pos: ("+", UNARY),
    operator.invert: ("~", UNARY),
    operator.not_: ("not ", NOT),
}
_IDENTIFIER = re.compile(r"[^\W\d]\w*\Z")


class Printer:
    """Prints expressions; `name_of` gives the text by which an object is reached."""

    def __init__(self, name_of: Callable[[Any, str], str]) -> None:
        self.name_of = name_of

    def __call__(self, expr: Expr, level: int = TERNARY) -> str:
        text, own = self.printed(expr)
        return f"({text})" if own < level else text

    def printed(self, expr: Expr) -> tuple[str, int]:
        match expr:
            case Const(value):
                return self.constant(value)
            case Var(name):
                return name, ATOM
            case Ref(name, value):
                return self.name_of(value, name), ATOM
            case Call():
                return self.call(expr)
            case Index(base, items, single=single):
                inner = ", ".join(self.item(i) for i in items)
                comma = "," if len(items) == 1 and not single else ""
                return f"{self(base, ATOM)}[{inner}{comma}]", ATOM
            case Display(kind, items):
                return self.display(kind, items), ATOM
            case Choice(test, then, orelse):
                return f"{self(then, OR)} if {self(test, OR)} else {self(orelse, TERNARY)}", TERNARY
            case Lazy(op, args):
                level = AND if op == "and" else OR
                return f" {op} ".join(self(a, level + 1) for a in args), level
            case Text(parts):
                return self.text(parts), ATOM
            case ZerosLike(base, type_):
                return self.zeros(base, type_)

    def constant(self, value: Any) -> tuple[str, int]:
        if value is Ellipsis:
            return "...", ATOM
        if isinstance(value, float) and (math.isnan(value) or math.isinf(value)):
            text = f'float("{value}")'
            return text, ATOM
        if isinstance(value, bool | str | bytes) or value is None:
            return repr(value), ATOM
        if isinstance(value, complex):
            return repr(value), ATOM
        if isinstance(value, int | float):
            return repr(value), UNARY if value < 0 or (value == 0 and str(value).startswith("-")) else ATOM
        return self.name_of(value, type(value).__name__), ATOM

    def item(self, item: Any) -> str:
        if isinstance(item, Slice):
            start, stop, step = ("" if p is None else self(p) for p in (item.start, item.stop, item.step))
            return f"{start}:{stop}" + (f":{step}" if step else "")
        return self(item)

    def display(self, kind: str, items: tuple[Expr, ...]) -> str:
        if kind == "dict":
            pairs = zip(items[::2], items[1::2], strict=True)
            return "{" + ", ".join(f"{self(k)}: {self(v)}" for k, v in pairs) + "}"
        inner = ", ".join(self(i) for i in items)
        if kind == "tuple":
            return f"({inner},)" if len(items) == 1 else f"({inner})"
        if kind == "set":
            return f"{{{inner}}}" if items else "set()"
        return f"[{inner}]"

    def text(self, parts: tuple[tuple[Expr, str, str], ...]) -> str:
        pieces = []
        for value, conversion, form in parts:
            if isinstance(value, Const) and isinstance(value.value, str) and not conversion and not form:
                pieces.append(repr(value.value))
            else:
                shown = self(value)
                if conversion:
                    shown = f"{ {'r': 'repr', 's': 'str', 'a': 'ascii'}[conversion] }({shown})"
                pieces.append(f"format({shown}, {form!r})")
        return f'"".join([{", ".join(pieces)}])' if len(pieces) != 1 else pieces[0]

    def zeros(self, base: Expr, type_: Type) -> tuple[str, int]:
        match type_:
            case Scalar():
                return ("0j" if type_.dtype.kind == "c" else "0.0"), ATOM
            case ListOf(item):
                if isinstance(item, Scalar):
                    return f"[0.0] * len({self(base)})", PRODUCT
                if isinstance(item, TupleOf):
                    names = [f"v{k}" for k in range(len(item.items))]
                    zeros = ", ".join(self.zeros(Var(n, t), t)[0] for n, t in zip(names, item.items, strict=True))
                    comma = "," if len(names) == 1 else ""
                    return f"[({zeros}{comma}) for {', '.join(names)}{comma} in {self(base)}]", ATOM
                if item is None:
                    return "[]", ATOM
                return f"[{self.zeros(Var('v', item), item)[0]} for v in {self(base)}]", ATOM
            case TupleOf(items):
                parts = [self.zeros(Index(base, (Const(k),), t), t)[0] for k, t in enumerate(items)]
                return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})", ATOM
            case Array(dtype) if dtype.kind not in "fc":
                return f"{self.name_of(np.zeros_like, 'zeros_like')}({self(base)}, dtype=float)", ATOM
            case Unknown():
                return f"{self.name_of(np.zeros_like, 'zeros_like')}({self(base)})", ATOM
        return f"{self.name_of(np.zeros_like, 'zeros_like')}({self(base)})", ATOM

    def call(self, expr: Call) -> tuple[str, int]:
        fn, args, style = expr.fn, expr.args, expr.style
        if fn is operator.contains:
            return f"{self(args[1], COMPARE + 1)} in {self(args[0], COMPARE + 1)}", COMPARE
        if fn is operator.not_ and isinstance(args[0], Call) and args[0].fn is operator.contains:
            inner = args[0].args
            return f"{self(inner[1], COMPARE + 1)} not in {self(inner[0], COMPARE + 1)}", COMPARE
        if fn in UNARY_OPS and len(args) == 1:
            sign, level = UNARY_OPS[fn]
            return f"{sign}{self(args[0], level)}", level
        if fn in BINARY and len(args) == 2:
            sign, level = BINARY[fn]
            left, right = (level + 1, level) if fn is operator.pow else (level, level + 1)
            if level == COMPARE:
                left = level + 1
            if fn is operator.pow:
                return f"{self(args[0], ATOM)} ** {self(args[1], UNARY)}", POWER
            return f"{self(args[0], left)} {sign} {self(args[1], right)}", level
        if style == "stop":
            return self.printed(args[0])
        kind, _, name = style.partition(":")
        if kind == "attribute":
            return f"{self(args[0], ATOM)}.{name}", ATOM
        rest = [self(a) for a in (args[1:] if kind == "method" else args)]
        rest += [f"{k}={self(v)}" for k, v in expr.kwargs]
        if kind == "method" or isinstance(fn, Method):
            if kind != "method":
                name, rest = fn.name, rest[1:]
            receiver = self(args[0], ATOM)
            if isinstance(args[0], Const) and isinstance(args[0].value, int | float):
                receiver = f"({receiver})"
            return f"{receiver}.{name}({', '.join(rest)})", ATOM
        head = self(fn, ATOM) if isinstance(fn, Var | Ref | Index | Call) else self.name_of(fn, "")
        return f"{head}({', '.join(rest)})", ATOM

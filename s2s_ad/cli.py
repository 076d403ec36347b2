"""The command `s2s-ad`: derivatives of functions in files, printed.

Enters: `path.py:function` and the types of its arguments.  Leaves: the generated module, printed or in a file.

The file is parsed and compiled, never imported or run: neither its statements, nor decorators, defaults or annotations.
Its imports are followed only into the libraries of `_TRUSTED`.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from s2s_ad.api.printing import MODES, source_for
from s2s_ad.errors import Place, S2SError, SignatureError, SourceNotFound, UnsupportedSyntax
from s2s_ad.ir.spec import Items, Leaf, Mapping, Spec
from s2s_ad.ir.types import Array, N, Scalar

_TRUSTED = frozenset({"numpy", "scipy", "math", "cmath", "s2s_ad"})
_LARGEST = 10_000_000
_PYTHON_NUMBERS = {"float": float, "int": int, "bool": bool, "complex": complex}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 if it worked, 1 if the program cannot be differentiated, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        _show(options)
    except (S2SError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="s2s-ad", description="Derivatives of Python functions, as Python programs.")
    commands = parser.add_subparsers(required=True, metavar="command")
    show = commands.add_parser("show", help="print the program for the derivative of a function in a file")
    show.add_argument("function", help="path.py:function or path.py:Class.method; the file is never imported")
    show.add_argument("--types", help='types of all arguments, such as "float64[n, 1], float, (int, float32[n])"')
    show.add_argument("--wrt", help="names of the arguments to differentiate, with commas (the first)")
    show.add_argument("--mode", choices=sorted(MODES), default="reverse")
    show.add_argument("--backend", default="numpy")
    show.add_argument("--no-optimize", action="store_true", help="leave out everything that is for speed")
    show.add_argument("-o", "--out", help="write the module to this file; only a generated file is written over")
    return parser


def _show(options: argparse.Namespace) -> None:
    path, separator, name = options.function.rpartition(":")
    if not separator or not all(part.isidentifier() for part in name.split(".")):
        raise SignatureError(f"{options.function!r} is not of the form path.py:function", "Name a file and a function.")
    function = load(Path(path), name)
    specs = None if options.types is None else parse_types(options.types)
    text = source_for(
        function,
        specs,
        mode=options.mode,
        argnames=None if options.wrt is None else [part.strip() for part in options.wrt.split(",")],
        backend=options.backend,
        optimize=not options.no_optimize,
    )
    if options.out is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
    else:
        text.save(options.out)


def load(path: Path, name: str) -> types.FunctionType:
    """The function `name` of a file, made of its code without running the file."""
    if path.stat().st_size > _LARGEST:
        raise SourceNotFound(
            f"{path} is larger than {_LARGEST // 1_000_000} MB", "Put the function into a smaller file."
        )
    with open(path, "rb") as file:
        text = file.read()
    try:
        tree = ast.parse(text, str(path))
        code = compile(text, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError) as cause:
        line = getattr(cause, "lineno", None) or 1
        raise SourceNotFound(f"{path} does not parse: {cause}", "Correct it first.", Place(str(path), line)) from cause
    namespace = _namespace(tree, code)
    found = namespace.get(name) if "." not in name else _function(tree, code, name.split("."), namespace)
    if not isinstance(found, types.FunctionType):
        raise SourceNotFound(f"{path} has no function `{name}` at its top level", "Name one that is defined by `def`.")
    return found


def _namespace(tree: ast.Module, code: types.CodeType) -> dict[str, Any]:
    """What the file's names are bound to, as far as its text alone says it."""
    names: dict[str, Any] = {"__name__": "__s2s_ad_file__", "__builtins__": __builtins__}
    for statement in tree.body:
        match statement:
            case ast.Import() | ast.ImportFrom():
                names.update(_imported(statement))
            case ast.FunctionDef(name=name):
                names[name] = _function(tree, code, [name], names)
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ):
                names.update(_literal(name, value))
    return names


def _imported(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Any]]:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            root = alias.name.partition(".")[0]
            if root in _TRUSTED:
                module = importlib.import_module(alias.name)
                yield (alias.asname, module) if alias.asname else (root, importlib.import_module(root))
    elif statement.level == 0 and statement.module and statement.module.partition(".")[0] in _TRUSTED:
        module = importlib.import_module(statement.module)
        for alias in statement.names:
            if hasattr(module, alias.name):
                yield alias.asname or alias.name, getattr(module, alias.name)


def _literal(name: str, value: ast.expr | None) -> dict[str, Any]:
    try:
        return {} if value is None else {name: ast.literal_eval(value)}
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return {}


def _function(
    tree: ast.Module, code: types.CodeType, path: list[str], namespace: dict[str, Any]
) -> types.FunctionType | None:
    """The function that the `def` at `path` makes, with those of its defaults that are literals."""
    body: list[ast.stmt] = tree.body
    for part in path[:-1]:
        classes = [s for s in body if isinstance(s, ast.ClassDef) and s.name == part]
        inner = [c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == part]
        if not classes or not inner:
            return None
        body, code = classes[-1].body, inner[-1]
    definitions = [s for s in body if isinstance(s, ast.FunctionDef) and s.name == path[-1]]
    codes = [c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == path[-1]]
    if not definitions or not codes:
        return None
    if codes[-1].co_freevars:
        raise UnsupportedSyntax(f"`{'.'.join(path)}` uses `super()` or `__class__`", "Import it instead.")
    function = types.FunctionType(codes[-1], namespace, path[-1])
    arguments = definitions[-1].args
    defaults = [_literal("value", default) for default in arguments.defaults]
    literal = [default["value"] for default in defaults if default]
    function.__defaults__ = tuple(literal) if len(literal) == len(defaults) else None
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    function.__kwdefaults__ = {a.arg: v["value"] for a, d in pairs if (v := _literal("value", d))}
    return function


def parse_types(text: str) -> list[Spec]:
    """The specs that `text` names.

    >>> parse_types("float32[n, 1], float")
    [Leaf(type=Array(dtype=dtype('float32'), dims=('N', 1))), Leaf(type=Scalar(dtype=dtype('float64'), weak=True))]
    """
    try:
        tree = ast.parse(f"({text},)" if text.strip() else "()", mode="eval").body
    except SyntaxError:
        raise _no_type(text) from None
    assert isinstance(tree, ast.Tuple)
    return [_spec(node, f"{k}") for k, node in enumerate(tree.elts)]


def _spec(node: ast.expr, hint: str) -> Spec:
    match node:
        case ast.Name(id=name) if name in _PYTHON_NUMBERS:
            return Leaf(Scalar(np.dtype(_PYTHON_NUMBERS[name])))
        case ast.Name(id=name):
            return Leaf(Scalar(_dtype(name), weak=False))
        case ast.Subscript(value=ast.Name(id=name), slice=dims):
            sizes = dims.elts if isinstance(dims, ast.Tuple) else [dims]
            return Leaf(Array(_dtype(name), tuple(_dim(size, f"{hint}.{k}") for k, size in enumerate(sizes))))
        case ast.Tuple(elts=items) | ast.List(elts=items):
            kind: Any = "tuple" if isinstance(node, ast.Tuple) else "list"
            return Items(kind, tuple(_spec(item, f"{hint}.{k}") for k, item in enumerate(items)))
        case ast.Dict(keys=keys, values=items) if all(isinstance(key, ast.Constant) for key in keys):
            names = tuple(key.value for key in keys if isinstance(key, ast.Constant))
            return Mapping(names, tuple(_spec(item, f"{hint}.{k}") for k, item in enumerate(items)))
    raise _no_type(ast.unparse(node))


def _dtype(name: str) -> np.dtype:
    try:
        dtype = np.dtype(_PYTHON_NUMBERS.get(name, name))
    except TypeError:
        raise _no_type(name) from None
    if dtype.kind not in "biufc":
        raise _no_type(name)
    return dtype


def _dim(node: ast.expr, hint: str) -> int | str:
    match node:
        case ast.Constant(value=1):
            return 1
        case ast.Constant(value=int()) | ast.Name(id="n" | "m" | "k" | "N"):
            return N
        case ast.Name(id="_"):
            return f"?{hint}"
    raise SignatureError(f"{ast.unparse(node)!r} is not a size", "A size is 1, n (not 1), or _ (it may be 1 or not).")


def _no_type(text: str) -> SignatureError:
    return SignatureError(
        f"{text!r} is not a type of an argument",
        "Write float, int, float64[n, 1] (an array; n is any size but 1), (float, float) or {'w': float64[n]}.",
    )

"""The command `s2s-ad`: derivatives of functions in files, printed.

Enters: `path.py:function` and the types of its arguments.  Leaves: the generated module on standard output.

The file is parsed and never imported: nothing in it runs, neither its decorators nor its defaults.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from s2s_ad.errors import S2SError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if it worked, 1 if the program cannot be differentiated, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        print(options.run(options), end="")
    except (S2SError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="s2s-ad", description="Derivatives of Python functions, as Python functions.")
    commands = parser.add_subparsers(required=True, metavar="command")
    show = commands.add_parser("show", help="print the generated program for a function in a file")
    show.add_argument("function", help="path.py:function; the file is parsed, never imported")
    show.add_argument("--types", help='types of the arguments, such as "float64[n,n], float, int"; else any')
    show.add_argument("--wrt", help="names of the arguments to differentiate, with commas; default: the first")
    show.add_argument("--mode", choices=("reverse", "forward", "vjp"), default="reverse")
    show.set_defaults(run=_show)
    return parser


def _show(options: argparse.Namespace) -> str:
    raise NotImplementedError

"""`try`: understood where nothing that is differentiated depends on what was done before an exception.

Enters: a `try` statement.  Leaves: a `Try` around passive work and an `if` on whether it succeeded.

    try: y = f(x)                      try: ok = False; y = f(x); ok = True
    except ValueError: y = 0.0   ->    except ValueError: pass
                                       if ok: ... else: y = 0.0
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2s_ad.build.builder import Builder


def run_try(b: Builder, stmt: ast.Try) -> bool:
    from s2s_ad.build.statements import run_block

    if stmt.handlers:
        raise b.fail(
            "`try` with `except` cannot be differentiated here",
            "Test for the condition with `if` instead of catching the exception.",
        )
    ended = run_block(b, stmt.body)
    return run_block(b, stmt.finalbody) or ended

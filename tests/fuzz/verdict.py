"""What s2s_ad makes of one program.

Enters: a program's text and arguments.  Leaves: a `Verdict`: agree, wrong, internal, refused, kink (the test is to
blame) or invalid (Python itself fails on the program).
"""

from __future__ import annotations

import atexit
import importlib.util
import itertools
import re
import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import oracles

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-programs-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
_numbers = itertools.count()


@dataclass(frozen=True)
class Verdict:
    kind: str
    reason: str = ""

    @property
    def bad(self) -> bool:
        return self.kind in ("wrong", "internal")

    def group(self) -> str:
        """What counts as the same failure while a program shrinks."""
        reason = re.sub(r"-?\d[\d.e+-]*|`[^`]*`", "#", self.reason)
        return f"{self.kind}: {reason[:90]}"


class TimeOut(Exception):
    """The program or its gradient ran too long."""


@contextmanager
def limit(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeOut(f"longer than {seconds} s")

    held = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, held)


def load(text: str) -> Callable[..., Any]:
    """The function `f` of the text, from a file of its own so that its source can be found."""
    path = FOLDER / f"program_{next(_numbers)}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[..., Any] = module.f
    return function


def judge(text: str, args: list[Any], seconds: int = 20) -> Verdict:
    """Differentiate `f` of `text` with respect to all of `args`, beside central differences."""
    import s2s_ad

    wrt = tuple(range(len(args)))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            with limit(seconds):
                function = load(text)
                expected = function(*oracles.copied(args))
                slopes = _slopes(function, args)
        except oracles.NotSmooth as error:
            return Verdict("kink", str(error)[:80])
        except Exception as error:
            return Verdict("invalid", repr(error)[:120])
        if np.ndim(expected) or not np.isfinite(expected) or abs(expected) > 1e6 or not np.all(np.isfinite(slopes)):
            return Verdict("invalid", "the value is not a finite number")
        before = oracles.copied(args)
        try:
            with limit(seconds):
                value, gradients = s2s_ad.value_and_grad(function, argnums=wrt)(*args)
        except s2s_ad.S2SError as error:
            internal = type(error).__name__ == "InternalError"
            return Verdict("internal" if internal else "refused", _reason(error))
        except Exception as error:
            return Verdict("internal", f"{type(error).__name__}: {error}".split("\n")[0][:160])
        return _compare(function, args, before, expected, slopes, value, gradients)


def _reason(error: Any) -> str:
    cause = error.__cause__
    inner = f" <- {type(cause).__name__}: {cause}".split("\n")[0] if cause is not None else ""
    return f"{type(error).__name__}: {error.fact}{inner}"[:200]


def _slopes(function: Callable[..., Any], args: list[Any]) -> list[float]:
    """Directional derivatives, one for each argument, along the directions that `_compare` draws again."""
    rng = np.random.default_rng(5)
    return [
        oracles.directional(function, args, [k], [oracles.random_direction(arg, rng)]) for k, arg in enumerate(args)
    ]


def _compare(
    function: Callable[..., Any],
    args: list[Any],
    before: list[Any],
    expected: Any,
    slopes: list[float],
    value: Any,
    gradients: Any,
) -> Verdict:
    rng = np.random.default_rng(5)
    try:
        oracles.assert_unchanged(args, before)
        oracles.assert_close(float(value), float(expected), rtol=1e-10)
        for k, (arg, gradient, slope) in enumerate(zip(args, gradients, slopes, strict=True)):
            oracles.assert_structure(gradient, arg, f"gradient of argument {k}")
            got = oracles.paired(gradient, oracles.random_direction(arg, rng))
            slack = 1e-5 * max(abs(slope), abs(got)) + 1e-7 * (1 + abs(expected))
            assert abs(got - slope) <= slack, f"argument {k}: {got:.9g}, central differences {slope:.9g}"
    except AssertionError as error:
        return Verdict("wrong", str(error).replace("\n", " ")[:160])
    return Verdict("agree")

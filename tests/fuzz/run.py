"""Run random programs: `python tests/fuzz/run.py --seed S --count N --time T --save FOLDER --shrink`.

Enters: a seed and limits.  Leaves: a table of verdicts with the reasons of refusals, failing programs in a folder.
"""

from __future__ import annotations

import argparse
import collections
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[k]) for k in (1, 2)]

from fuzz.generate import Program, generate  # noqa: E402
from fuzz.shrink import shrink  # noqa: E402
from fuzz.verdict import Verdict, judge  # noqa: E402


@dataclass
class Report:
    """Counts of verdicts, and the programs that failed."""

    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    reasons: collections.Counter[str] = field(default_factory=collections.Counter)
    failures: list[tuple[Program, Verdict]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, program: Program, verdict: Verdict) -> None:
        self.counts[verdict.kind] += 1
        if verdict.kind != "agree":
            self.reasons[verdict.group()] += 1
        if verdict.bad or verdict.kind == "refused":
            self.failures.append((program, verdict))

    def refused_share(self) -> float:
        valid = sum(count for kind, count in self.counts.items() if kind not in ("invalid", "kink"))
        return self.counts["refused"] / max(1, valid)

    def __str__(self) -> str:
        counts = ", ".join(
            f"{kind} {self.counts[kind]}" for kind in ("agree", "wrong", "internal", "refused", "kink", "invalid")
        )
        total, share = sum(self.counts.values()), 100 * self.refused_share()
        lines = [f"{total} programs in {self.seconds:.0f} s: {counts} ({share:.1f} % refused)"]
        lines += [f"{count:6d}  {reason}" for reason, count in self.reasons.most_common(40)]
        return "\n".join(lines)


def survey(seed: int, count: int, seconds: float = float("inf"), size: int | None = None) -> Report:
    """Judge `count` programs from `seed` on, or as many as fit into `seconds`."""
    report = Report()
    start = time.monotonic()
    for number in _numbers(seed, count):
        if time.monotonic() - start > seconds:
            break
        program = generate(number, size)
        report.add(program, judge(program.text, program.arguments()))
    report.seconds = time.monotonic() - start
    return report


def _numbers(seed: int, count: int) -> Iterator[int]:
    return iter(range(seed, seed + count))


def save(report: Report, folder: Path, shorten: bool, each: int = 2) -> None:
    """One file for each failure, at most `each` of one reason, shrunk if asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    seen: collections.Counter[str] = collections.Counter()
    for program, verdict in sorted(report.failures, key=lambda item: len(item[0].text)):
        group = verdict.group()
        seen[group] += 1
        if seen[group] > each:
            continue
        text = program.text
        if shorten:
            text = shrink(text, partial(_same_failure, program.arguments(), group), seconds=40.0)
        (folder / f"{verdict.kind}_{program.seed}.py").write_text(
            f"# seed {program.seed}: {verdict.kind}: {verdict.reason}\n{text}"
        )


def _same_failure(args: list[Any], group: str, text: str) -> bool:
    return judge(text, args, 5).group() == group


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="first seed (default: from the clock)")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--time", type=float, default=float("inf"), help="stop after so many seconds")
    parser.add_argument("--size", type=int, default=None, help="statements at the top level")
    parser.add_argument("--save", type=Path, default=None, help="folder for failing programs")
    parser.add_argument("--shrink", action="store_true", help="shrink what is saved")
    options = parser.parse_args()
    seed = time.time_ns() % 10**9 if options.seed is None else options.seed
    report = survey(seed, options.count, options.time, options.size)
    print(f"seed {seed}\n{report}")
    if options.save is not None:
        save(report, options.save, options.shrink)
    return 1 if any(verdict.bad for _, verdict in report.failures) else 0


if __name__ == "__main__":
    raise SystemExit(main())

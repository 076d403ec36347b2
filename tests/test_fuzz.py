"""Random programs: no wrong gradient, no internal error, few refusals; generator and shrinker do their work."""

from __future__ import annotations

import ast
import time

import numpy as np
import oracles
import pytest
from fuzz.generate import generate
from fuzz.run import Report, survey
from fuzz.shrink import shrink
from fuzz.verdict import load

from s2s_ad.frontend.normalise import normalise
from s2s_ad.frontend.source import retrieve

FRESH = time.time_ns() % 10**9


def assert_survived(report: Report, refused: float) -> None:
    bad = [
        f"seed {program.seed}: {verdict.kind}: {verdict.reason}" for program, verdict in report.failures if verdict.bad
    ]
    assert not bad, "\n".join([*bad[:20], str(report)])
    assert report.refused_share() <= refused, str(report)
    assert report.counts["agree"] > 0.8 * sum(report.counts.values()), str(report)


def test_thirty_programs() -> None:
    assert_survived(survey(0, 30), refused=0.15)


@pytest.mark.fuzz
def test_thirty_fresh_programs() -> None:
    assert_survived(survey(FRESH, 30), refused=0.15)


@pytest.mark.fuzz
def test_many_programs(request: pytest.FixtureRequest) -> None:
    assert_survived(survey(FRESH, request.config.getoption("--fuzz-count")), refused=0.02)


def test_programs_run_and_are_smooth() -> None:
    """Python runs what is generated, and small steps agree: a failure found later is not the generator's."""
    kinks = 0
    for seed in range(150):
        program = generate(seed)
        space: dict[str, object] = {}
        exec(program.text, space)
        args = program.arguments()
        rng = np.random.default_rng(seed)
        try:
            oracles.directional(space["f"], args, range(5), [oracles.random_direction(arg, rng) for arg in args])  # type: ignore[arg-type]
        except oracles.NotSmooth:
            kinks += 1
    assert kinks < 5


def test_programs_are_a_function_of_the_seed_and_use_the_language() -> None:
    assert generate(7).text == generate(7).text
    kinds = {type(node).__name__ for seed in range(300) for node in ast.walk(ast.parse(generate(seed).text))}
    wanted = {
        "For",
        "While",
        "If",
        "Break",
        "Continue",
        "AugAssign",
        "Slice",
        "IfExp",
        "ListComp",
        "GeneratorExp",
        "Dict",
        "Tuple",
        "BoolOp",
        "Return",
    }
    assert wanted <= kinds, wanted - kinds


def test_the_shrinker_keeps_what_fails() -> None:
    loop = "    if x:\n        for i in range(3):\n            c = np.sin(bad) + 1\n"
    text = f"def f(x):\n    a = 1\n    b = 2\n{loop}    return a\n"
    assert shrink(text, lambda shorter: "bad" in shorter, seconds=20.0).count("\n") <= 2


def test_normalised_programs_compute_the_same() -> None:
    """The few forms mean what the program meant: the same number to the last bit, for 400 programs."""
    for seed in range(400):
        program = generate(seed)
        function = load(program.text)
        tree = normalise(retrieve(function).tree)
        space = dict(function.__globals__)
        exec(compile(ast.fix_missing_locations(ast.Module([tree], [])), "<normalised>", "exec"), space)
        with np.errstate(all="ignore"):
            expected = function(*program.arguments())
            got = space["f"](*program.arguments())
        assert np.array_equal(got, expected, equal_nan=True), f"seed {seed}\n{program.text}\n{ast.unparse(tree)}"

"""Every program of the corpus before every oracle: primal, differences, JAX, unoptimised, the printed text alone."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from checking import check
from corpus.registry import PROGRAMS, Program

for _file in sorted((Path(__file__).parent / "corpus").glob("*.py")):
    if _file.stem not in ("__init__", "registry", "other_module"):
        importlib.import_module(f"corpus.{_file.stem}")

# Programs that are refused by design: name -> (error class, why).  Anything else that is refused is a failure.
KNOWN_REFUSED: dict[str, tuple[str, str]] = {}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_program(program: Program) -> None:
    if program.name in KNOWN_REFUSED:
        import s2s_ad

        with pytest.raises(s2s_ad.S2SError) as caught:
            s2s_ad.value_and_grad(program.function, argnums=0)(*program.arguments())
        assert type(caught.value).__name__ == KNOWN_REFUSED[program.name][0]
        return
    check(program.function, *program.arguments(), jax=program.jax, text=program.text)


def test_size_of_the_corpus() -> None:
    assert len({program.function for program in PROGRAMS}) >= 150
    assert sum(program.jax for program in PROGRAMS) >= 100
    assert len(KNOWN_REFUSED) <= 5

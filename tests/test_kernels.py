"""Each kernel: the gradient of a random weighting of all it returns or writes, with respect to every float argument."""

from __future__ import annotations

import importlib

import pytest
from checking import check
from kernels.registry import KERNELS, Kernel

for _name in ("stencils", "linear_algebra", "science", "networks"):
    importlib.import_module(f"kernels.{_name}")


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_kernel(kernel: Kernel) -> None:
    function, args, wrt = kernel.objective()
    check(function, *args, wrt=wrt, jax=kernel.jax)


def test_number_of_kernels() -> None:
    assert len(KERNELS) >= 48

"""Options, markers and fixtures that all tests share."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the emitted text into tests/goldens")
    parser.addoption("--fuzz-count", type=int, default=2000, help="programs in the long form of the fuzz test")


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-goldens"))

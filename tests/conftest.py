"""Options, markers and fixtures that all tests share."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the emitted text into tests/goldens")
    parser.addoption("--fuzz-count", type=int, default=2000, help="programs in the long form of the fuzz test")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fuzz: the long form of the random-program test (deselect by default: -m 'not fuzz')")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long fuzz test runs only where it is asked for by name of its marker."""
    if "fuzz" in (config.option.markexpr or ""):
        return
    for item in items:
        if item.get_closest_marker("fuzz"):
            item.add_marker(pytest.mark.skip(reason="long: run with -m fuzz"))


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-goldens"))

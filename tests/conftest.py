"""Options, markers and fixtures that all tests share."""

from __future__ import annotations

import pytest

# Known to fail: what is not understood yet (refused with place and remedy), or not exact yet. Each is expected to fail,
# strictly: whoever mends one takes it out of this table.
OPEN = {
    "test_c25_in_place_functions[place]": "np.place is refused: np.resize has no rule",
    "test_c28_index_expression_evaluated_once": "a walrus inside the place of a store is refused",
    "test_d18_recursion": "recursion whose depth is known only at run time is refused",
    "test_d20_dead_code_may_still_raise": "primal statements that nobody needs are left out, even if they would raise",
    "calls-self_recursion": "recursion whose depth is known only at run time is refused",
    "calls-mutual_recursion": "recursion whose depth is known only at run time is refused",
    "test_row[np.arctan2(x, y)-x = 0.0": "np.arctan2(0, 0) of Python floats raises ZeroDivisionError in the adjoint",
}


# Surveys that are not finished: each case runs and is counted, and a failure there does not stop the rest.
SURVEYS = (
    "tests/rules/",
    "tests/test_picked_entries.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(SURVEYS):
            item.add_marker(pytest.mark.xfail(reason="survey: not every case holds yet", strict=False))
        for key, reason in OPEN.items():
            if key in item.nodeid and "test_forward" not in item.nodeid:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the emitted text into tests/goldens")
    parser.addoption("--fuzz-count", type=int, default=2000, help="programs in the long form of the fuzz test")


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-goldens"))

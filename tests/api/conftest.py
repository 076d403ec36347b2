"""The interface over a pipeline of finite differences.

Enters: nothing.  Leaves: the fixture `derivations`, a log of what was derived.
"""

from __future__ import annotations

import pytest
from api.fake import Derivations

from s2s_ad.api import dispatch


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> Derivations:
    log = Derivations()
    monkeypatch.setattr(dispatch, "derive", log)
    monkeypatch.setattr(dispatch, "_shared", {})
    return log

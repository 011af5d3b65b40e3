from __future__ import annotations

import pytest
from bench import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Made once: tracing the networks is what takes the time."""
    return Bench(tmp_path_factory.mktemp("bench"))

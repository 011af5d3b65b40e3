"""How long the fuzz tests look: 100 inputs a test, or as many as PIANOGAN_FUZZ says."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FUZZ = settings(
    max_examples=int(os.environ.get("PIANOGAN_FUZZ", "100")),
    deadline=None,  # a busy machine is no failure
    suppress_health_check=[HealthCheck.too_slow],
)

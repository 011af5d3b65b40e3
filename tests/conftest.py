"""What all tests share."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# hypothesis asserts no time, for a busy machine is no failure
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def in_a_terminal() -> Iterator[None]:
    """SIGINT interrupts, also where a shell began the tests in the background and had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)

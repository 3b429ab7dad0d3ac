"""An endless command fails the test that applies it."""

import signal

import pytest

from tests.matching.core.driving import must_end


def never_end() -> None:
    while True:
        pass


def test_a_block_that_never_ends_fails() -> None:
    with pytest.raises(AssertionError, match="does not finish"), must_end(0.05):
        never_end()


def test_a_block_that_ends_leaves_the_limit_of_the_outer_one() -> None:
    with must_end(50):
        with must_end(0.05):
            pass
        left, _ = signal.getitimer(signal.ITIMER_VIRTUAL)
        assert 1 < left < 60
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)

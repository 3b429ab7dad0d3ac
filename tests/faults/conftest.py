"""Fixtures of the campaigns."""

import os
from collections.abc import Callable

import pytest


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """A function that prints a line at once, past the capture of the output."""

    def report(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    return report


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """The seed of the first round: the option, or a new one."""
    given: int | None = pytestconfig.getoption("seed")
    return int.from_bytes(os.urandom(3)) * 1_000 if given is None else given

"""The planted bugs still fit the core's text. Running them takes minutes: ``python -m tests.planted_bugs.run``."""

import ast

import pytest

from tests.planted_bugs.core import BUGS, Bug
from tests.planted_bugs.run import with_bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_can_be_planted(bug: Bug) -> None:
    ast.parse(with_bug(bug))


def test_there_are_enough_of_them_and_no_two_alike() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 40
    assert len({(bug.module, bug.right, bug.wrong) for bug in BUGS}) == len(BUGS)

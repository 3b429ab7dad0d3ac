"""The planted bugs still fit the core's text. Running them takes minutes: ``python -m tests.planted_bugs.run``."""

import ast

import pytest

from tests.planted_bugs.core import BUGS, Bug
from tests.planted_bugs.run import with_bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_can_be_planted(bug: Bug) -> None:
    ast.parse(with_bug(bug))


def test_every_bug_is_another_one() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 40
    assert len({(bug.module, bug.right, bug.wrong) for bug in BUGS}) == len(BUGS)

"""The exchange of these tests: a correct day until the evening."""

import pytest

from tests.settlement.planted.day import correct_day
from tests.settlement.stages import Preparation


@pytest.fixture
def preparation() -> Preparation:
    """Return what makes the correct day."""
    return correct_day

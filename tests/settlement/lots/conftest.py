"""The exchange of the tests of lots: that of intake's tests, with a class for scrap and one for dore."""

import pytest

from tests.settlement.intake.lot_steps import with_classes
from tests.settlement.stages import Preparation


@pytest.fixture
def preparation() -> Preparation:
    return with_classes

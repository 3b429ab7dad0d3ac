"""The log of a real venue, and a core that has applied it."""

from pathlib import Path

import pytest

from tests.matching.core.real_venue import Venue, read_venue
from tests.matching.core.real_venue_core import RealVenueCore

LOG = Path(__file__).parents[4] / "shared" / "data" / "bitstamp-btcusd-2015-05-01.log.xz"


@pytest.fixture(scope="module")
def real_venue() -> Venue:
    if not LOG.exists():
        pytest.skip("the real venue's log is not here: shared/data beside the repository")
    return read_venue(LOG)


@pytest.fixture(scope="module")
def venue_core(real_venue: Venue) -> RealVenueCore:
    core = RealVenueCore()
    for row in real_venue.older:
        core.place(row)
    for row in real_venue.rows:
        if row.kind != "trade":
            core.follow(row)
    return core

"""The orders of a real market, applied by the core, have the makers, takers and fills of that venue."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.matching.core.real_venue import Venue
from tests.matching.core.real_venue_core import RealVenueCore

pytestmark = pytest.mark.campaign


def different(real_venue: Venue, venue_core: RealVenueCore) -> Iterator[tuple[int, list[Any], list[Any]]]:
    for taker, fills in real_venue.takers.items():
        if venue_core.fills.get(taker) != fills:
            yield taker, fills, venue_core.fills.get(taker, [])


def test_the_log_pairs_into_makers_and_takers(real_venue: Venue) -> None:
    assert real_venue.trades == 575
    assert real_venue.paired >= 554
    assert len(real_venue.takers) >= 345


def test_the_core_makes_the_trades_of_the_venue(real_venue: Venue, venue_core: RealVenueCore) -> None:
    exact = len(real_venue.takers) - sum(1 for _ in different(real_venue, venue_core))
    print(f"{exact} of {len(real_venue.takers)} takers have exactly the venue's fills, maker by maker")
    assert exact >= 316
    assert exact * 345 >= 316 * len(real_venue.takers)


def test_every_difference_is_a_market_order_shown_with_a_limit(real_venue: Venue, venue_core: RealVenueCore) -> None:
    """The taker walked through the book with a changing limit, or it met an order that did."""
    for taker, theirs, ours in different(real_venue, venue_core):
        walkers = real_venue.walking & {taker, *(maker for maker, _ in theirs)}
        how = "walked itself" if taker in walkers else f"met {sorted(walkers)}, walking"
        print(f"taker {taker}: venue {theirs}, core {ours}: {how}")
        assert walkers, f"taker {taker} differs without a reason: venue {theirs}, core {ours}"


def test_other_takers_are_of_trades_without_known_orders(real_venue: Venue, venue_core: RealVenueCore) -> None:
    """The amounts of a few trades are in no order's rows, so that the venue's taker is unknown."""
    alone = {taker: venue_core.fills[taker] for taker in venue_core.fills.keys() - real_venue.takers.keys()}
    print(alone)
    assert len(alone) <= real_venue.trades - real_venue.paired

"""A real market through the core: its makers, takers and fills come out as the venue itself printed them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goldx.protocol import commands, events, terms
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.real_venue import BUY, Row, Venue, read_venue

LOG = Path(__file__).parents[4] / "shared" / "data" / "bitstamp-btcusd-2015-05-01.log.xz"
TICK = 1_000
"""One of the venue's cents: with a lot of 1 mg standing for 1e-8, every amount of money is whole."""


class Fed:
    """The core, what is open in it by the venue's ids, and every taker's fills."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.left: dict[int, int] = {}
        self.venue_id: dict[int, int] = {}
        self.total: dict[int, int] = {}
        self.fills: dict[int, list[tuple[int, int]]] = {}
        self.at = 0
        self.send(commands.InstrumentDefine("X", tick=TICK, lot=1))
        for account in ("buyers", "sellers"):
            self.send(commands.AccountOpen(account, account))
        self.send(commands.HoldingAdjust("buyers", "CNY", 10**17, "r1"))
        self.send(commands.HoldingAdjust("sellers", "X", 10**17, "r2"))
        self.send(commands.MarketSetPhase("X", terms.CONTINUOUS))

    def send(self, command: commands.AnyCommand) -> None:
        for event in apply(self.engine, self.at, command):
            match event:
                case events.OrderAccepted():
                    self.venue_id[event.order_id] = int(event.client_order_id)
                    self.left[int(event.client_order_id)] = self.total[int(event.client_order_id)] = event.quantity
                case events.Trade():
                    maker, taker = self.venue_id[event.maker_order_id], self.venue_id[event.taker_order_id]
                    self.left[maker], self.left[taker] = event.maker_remaining, event.taker_remaining
                    self.fills.setdefault(taker, []).append((maker, event.quantity))
                case events.OrderCancelled():
                    self.left[self.venue_id[event.order_id]] = 0
                case events.OrderReplaced():
                    self.left[self.venue_id[event.order_id]] = event.remaining
                    self.total[self.venue_id[event.order_id]] = event.quantity
                case events.OrderRejected() | events.CommandRejected():
                    pytest.fail(f"refused: {command} {event}")

    def place(self, row: Row) -> None:
        self.send(
            commands.OrderPlace(
                account=_account(row),
                client_order_id=str(row.order_id),
                symbol="X",
                side=terms.BUY if row.side == BUY else terms.SELL,
                type=terms.LIMIT,
                quantity=row.amount,
                price=row.price * TICK,
            )
        )

    def follow(self, row: Row) -> None:
        """One row of the log; what the venue has less of than the core, the core gives up."""
        self.at = row.at
        if row.kind == "order_created":
            self.place(row)
        elif self.left.get(row.order_id, 0) == 0:
            return
        elif row.kind == "order_deleted":
            self.send(commands.OrderCancel(_account(row), client_order_id=str(row.order_id)))
        elif row.amount < self.left[row.order_id]:
            filled = self.total[row.order_id] - self.left[row.order_id]
            total = filled + row.amount
            self.send(commands.OrderReplace(_account(row), client_order_id=str(row.order_id), quantity=total))


def _account(row: Row) -> str:
    return "buyers" if row.side == BUY else "sellers"


@pytest.fixture(scope="module")
def venue() -> Venue:
    if not LOG.exists():
        pytest.skip("the real venue's log is not here: shared/data beside the repository")
    return read_venue(LOG)


@pytest.fixture(scope="module")
def fed(venue: Venue) -> Fed:
    core = Fed()
    for row in venue.older:
        core.place(row)
    for row in venue.rows:
        if row.kind != "trade":
            core.follow(row)
    return core


def different(venue: Venue, fed: Fed) -> Iterator[tuple[int, list[Any], list[Any]]]:
    for taker, fills in venue.takers.items():
        if fed.fills.get(taker) != fills:
            yield taker, fills, fed.fills.get(taker, [])


def test_the_log_pairs_into_makers_and_takers(venue: Venue) -> None:
    assert venue.trades == 575
    assert venue.paired >= 554
    assert len(venue.takers) >= 345


def test_the_core_prints_the_venue_s_trades(venue: Venue, fed: Fed) -> None:
    exact = len(venue.takers) - sum(1 for _ in different(venue, fed))
    print(f"{exact} of {len(venue.takers)} takers have exactly the venue's fills, maker by maker")
    assert exact >= 316
    assert exact * 345 >= 316 * len(venue.takers)


def test_every_difference_is_a_market_order_shown_with_a_limit(venue: Venue, fed: Fed) -> None:
    """One by one: the taker walked through the book with a changing limit, or it met an order that did."""
    for taker, theirs, ours in different(venue, fed):
        walkers = venue.walking & {taker, *(maker for maker, _ in theirs)}
        how = "walked itself" if taker in walkers else f"met {sorted(walkers)}, walking"
        print(f"taker {taker}: venue {theirs}, core {ours}: {how}")
        assert walkers, f"taker {taker} differs without a reason: venue {theirs}, core {ours}"


def test_takers_that_only_the_core_has_are_trades_that_name_nobody(venue: Venue, fed: Fed) -> None:
    """The amounts of a few trades are in no order's rows: the venue's taker is unknown there, the core's is not."""
    alone = {taker: fed.fills[taker] for taker in fed.fills.keys() - venue.takers.keys()}
    print(alone)
    assert len(alone) <= venue.trades - venue.paired

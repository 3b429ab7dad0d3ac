"""The state of the core does not grow with what is over, and nothing that is due is forgotten."""

from typing import Any

from goldx.protocol import commands, events, terms
from goldx.protocol.commands import OrderCancel, OrderPlace
from goldx.protocol.events import AnyEvent
from matching.core.engine import Engine
from matching.core.state import FORGOTTEN_ENTRIES, NEVER
from tests.matching.core.driving import apply

FAR = 10**12
LOT = 1_000


def market(**definition: Any) -> Engine:
    engine = Engine()
    apply(engine, 0, commands.InstrumentDefine("AU", **definition))
    for account in ("ann", "bob"):
        apply(engine, 0, commands.AccountOpen(account, f"M-{account}"))
        apply(engine, 0, commands.HoldingAdjust(account, "CNY", 10**9, f"{account}-cash"))
        apply(engine, 0, commands.HoldingAdjust(account, "AU", 10**9, f"{account}-gold"))
    apply(engine, 0, commands.MarketSetPhase("AU", terms.CONTINUOUS))
    return engine


def good_till(client_order_id: str, expire_at: int) -> OrderPlace:
    return OrderPlace("ann", client_order_id, "AU", terms.BUY, terms.LIMIT, LOT, 100, terms.GTD, expire_at)


def limit(account: str, side: int, price: int, **more: Any) -> OrderPlace:
    name = f"{account}-{side}-{price}-{len(more)}"
    return OrderPlace(account, name, "AU", side, terms.LIMIT, LOT, price, **more)


def phases(found: list[AnyEvent]) -> list[int]:
    return [event.phase for event in found if isinstance(event, events.PhaseChanged)]


def place_and_cancel(engine: Engine, first: int, last: int) -> None:
    """Many orders with an expiry far away, each of which ends at once."""
    for number in range(first, last):
        apply(engine, 1, good_till(f"c{number}", FAR))
        apply(engine, 1, OrderCancel("ann", None, f"c{number}"))


def test_expiries_of_orders_that_ended_are_forgotten() -> None:
    engine = market()
    place_and_cancel(engine, 0, 5 * FORGOTTEN_ENTRIES)
    assert len(engine.state.timetable) <= FORGOTTEN_ENTRIES + 1
    apply(engine, 2, good_till("last", FAR))
    expired, *_ = apply(engine, FAR, commands.ClockTick())
    assert isinstance(expired, events.OrderCancelled)
    assert (expired.client_order_id, expired.reason) == ("last", "EXPIRED")
    assert (engine.state.timetable, engine.state.next_due) == ([], NEVER)


def test_an_interruption_that_starts_while_another_ends_ends_in_time_too() -> None:
    """The timetable is cleaned up in the middle of being worked off: the trade at the end of the first interruption
    triggers a stop, whose own trade would be outside the band."""
    engine = market(dynamic_band_percent=2, reference_price=100, interruption_ms=1_000)
    apply(engine, 1, limit("ann", terms.SELL, 103))
    apply(engine, 1, limit("ann", terms.SELL, 110))
    apply(engine, 1, limit("bob", terms.BUY, 120, stop_price=103))
    place_and_cancel(engine, 0, FORGOTTEN_ENTRIES)
    assert phases(apply(engine, 2, limit("bob", terms.BUY, 103))) == [terms.AUCTION]
    place_and_cancel(engine, FORGOTTEN_ENTRIES, FORGOTTEN_ENTRIES + 6)
    before = len(engine.state.timetable)
    ended = apply(engine, 1_002, commands.ClockTick())
    assert phases(ended) == [terms.CONTINUOUS, terms.AUCTION]
    assert len(engine.state.timetable) < before // 2, "it has been cleaned up"
    assert phases(apply(engine, 2_002, commands.ClockTick())) == [terms.CONTINUOUS]


def test_client_ids_are_kept_for_the_day_and_references_for_two() -> None:
    engine = market()
    apply(engine, 1, limit("ann", terms.BUY, 100))
    apply(engine, 1, limit("ann", terms.BUY, 99, time_in_force=terms.IOC))
    apply(engine, 2, commands.MarketEndDay("2026-11-25"))
    (kept,) = engine.state.orders.values()
    assert engine.state.accounts["ann"].ids.items() == [(kept.client_order_id, kept.order_id)]
    again = commands.HoldingAdjust("ann", "CNY", 1, "ann-cash")
    (refused,) = apply(engine, 3, again)
    assert isinstance(refused, events.CommandRejected)
    assert refused.reason == "DUPLICATE_ID"
    apply(engine, 4, commands.MarketEndDay("2026-11-26"))
    assert isinstance(apply(engine, 5, again)[0], events.HoldingAdjusted)

"""The state of the core does not grow with what is over, and nothing that is due is forgotten."""

from typing import Any

import pytest

from goldx.protocol import commands, events, terms
from goldx.protocol.commands import OrderCancel, OrderPlace
from goldx.protocol.events import AnyEvent
from matching.core.engine import Engine
from matching.core.state import FORGOTTEN_ENTRIES, NEVER
from tests.matching.core.driving import apply

FAR = 10**12
LOT = 1_000
TUESDAY = 1_795_505_400_000
"""2026-11-24, 15:30 in China."""


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


def test_the_older_rules_free_client_ids_with_the_day() -> None:
    """Journals older than ``MarketEndDay.rules`` do this, and must give the same events again."""
    engine = market()
    apply(engine, 1, limit("ann", terms.BUY, 100))
    apply(engine, 1, limit("ann", terms.BUY, 99, time_in_force=terms.IOC))
    apply(engine, 2, commands.MarketEndDay("2026-11-25"))
    (kept,) = engine.state.orders.values()
    assert engine.state.accounts["ann"].ids.items() == [(kept.client_order_id, kept.order_id)]


def end_day(engine: Engine, number: int) -> None:
    """End the trading day by the newest rules, the day before the next one: the given day of November 2026."""
    at = TUESDAY + (number - 25) * 86_400_000
    for command in (
        commands.MarketSetPhase("AU", terms.CLOSED),
        commands.MarketEndDay(f"2026-11-{number}", rules=terms.END_OF_DAY_RULES),
        commands.MarketSetPhase("AU", terms.CONTINUOUS),
    ):
        assert not isinstance(apply(engine, at, command)[0], events.CommandRejected | events.DayEndProposed)


def refusal(engine: Engine, command: commands.AnyCommand) -> tuple[str, int | None]:
    """Return the reason why an order is refused and the order that it repeats; an empty text if it is accepted."""
    first = apply(engine, 9, command)[0]
    return (first.reason, first.order_id) if isinstance(first, events.OrderRejected) else ("", None)


@pytest.mark.parametrize("restored", [False, True], ids=["as it went", "restored"])
def test_an_order_that_is_repeated_after_the_day_has_ended_is_placed_once(restored: bool) -> None:
    """The answer was lost, the day ended, the member asks again. A day later the id is free."""
    engine = market()
    order = limit("ann", terms.BUY, 99, time_in_force=terms.IOC)
    assert refusal(engine, order) == ("", None)
    end_day(engine, 25)
    if restored:
        engine = Engine.restore(engine.snapshot())
    assert refusal(engine, order) == ("DUPLICATE_ID", 1)
    end_day(engine, 26)
    assert refusal(engine, order) == ("", None)


def test_every_kind_of_client_id_stays_taken_for_the_next_day() -> None:
    """This holds for orders and quotes, for both ids of a renamed order, and for as long as an order is open."""
    engine = market()
    apply(engine, 1, limit("ann", terms.BUY, 100))
    (old,) = engine.state.accounts["ann"].ids.items()
    apply(engine, 1, commands.OrderReplace("ann", 1, new_client_order_id="new"))
    apply(engine, 1, commands.QuoteSet("bob", "q", "AU", 90, LOT, 110, LOT))
    end_day(engine, 25)
    for account, taken, number in (("ann", old[0], 1), ("ann", "new", 1)):
        again = OrderPlace(account, taken, "AU", terms.BUY, terms.LIMIT, LOT, 100)
        assert refusal(engine, again) == ("DUPLICATE_ID", number)
    (refused,) = apply(engine, 2, commands.QuoteSet("bob", "q", "AU", 90, LOT, 110, LOT))
    assert isinstance(refused, events.CommandRejected)
    assert (refused.reason, refused.detail) == ("DUPLICATE_ID", "its bid is order 2")
    for day in (26, 27, 30):
        end_day(engine, day)
    taken_by_open = OrderPlace("ann", "new", "AU", terms.BUY, terms.LIMIT, LOT, 100)
    assert refusal(engine, taken_by_open) == ("DUPLICATE_ID", 1)
    assert refusal(engine, OrderPlace("ann", old[0], "AU", terms.BUY, terms.LIMIT, LOT, 100)) == ("", None)


def test_references_of_adjustments_are_kept_for_two_days() -> None:
    engine = market()
    apply(engine, 2, commands.MarketEndDay("2026-11-25"))
    again = commands.HoldingAdjust("ann", "CNY", 1, "ann-cash")
    (refused,) = apply(engine, 3, again)
    assert isinstance(refused, events.CommandRejected)
    assert refused.reason == "DUPLICATE_ID"
    apply(engine, 4, commands.MarketEndDay("2026-11-26"))
    assert isinstance(apply(engine, 5, again)[0], events.HoldingAdjusted)

"""Mass quotes: each entry by itself, places kept, zeros that cancel, and no maker that meets its own old prices."""

from typing import Any

import pytest

from goldx.protocol import commands, events, terms
from goldx.protocol.events import AnyEvent
from goldx.protocol.quote_commands import MassEntry, QuoteMass, QuoteSetProtection
from goldx.protocol.quote_events import ProtectionTriggered
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.flows_of_regimes import regime_command
from tests.matching.core.validator import validate

LOT = 1_000


def market(**definition: Any) -> Engine:
    """Return a core with X and Y in continuous trading; M and T have money and gold, M2 is of the member of M."""
    engine = Engine()
    for symbol in ("X", "Y"):
        apply(engine, 1, commands.InstrumentDefine(symbol, **definition))
        apply(engine, 1, commands.MarketSetPhase(symbol, terms.CONTINUOUS))
    for account, member in (("M", "mM"), ("M2", "mM"), ("T", "mT")):
        apply(engine, 1, commands.AccountOpen(account, member))
        for asset in ("CNY", "X", "Y"):
            apply(engine, 1, commands.HoldingAdjust(account, asset, 10**6, f"{account}-{asset}"))
    return engine


def level(number: int = 1, bid: Any = None, ask: Any = None, symbol: str = "X") -> MassEntry:
    """Return an entry; a side is (price, lots), a quantity of 0, or None."""
    sides = [(None, None) if side is None else (None, 0) if side == 0 else side for side in (bid, ask)]
    (bid_price, bid_lots), (ask_price, ask_lots) = sides
    quantities = [None if lots is None else lots * LOT for lots in (bid_lots, ask_lots)]
    return MassEntry(symbol, number, bid_price, quantities[0], ask_price, quantities[1])


def mass(engine: Engine, *entries: MassEntry, account: str = "M", **more: Any) -> list[AnyEvent]:
    found = apply(engine, 2, QuoteMass(account, entries, **more))
    validate(engine)
    return found


def order(engine: Engine, side: int, price: int, lots: int, **more: Any) -> list[AnyEvent]:
    number = engine.state.last_order_id
    command = commands.OrderPlace("T", f"t{number}", "X", side, terms.LIMIT, lots * LOT, price, **more)
    return apply(engine, 3, command)


def refusals(found: list[AnyEvent]) -> list[tuple[str | None, str]]:
    return [(event.subject, event.reason) for event in found if isinstance(event, events.CommandRejected)]


def queue(engine: Engine, side: int, price: int) -> list[int]:
    """Return the numbers of the orders at a price, in their order."""
    resting = engine.state.instruments["X"].own(side).levels.get(price)
    found, one = [], None if resting is None else resting.head
    while one is not None:
        found.append(one.order_id)
        one = one.next
    return found


def open_sides(engine: Engine, account: str = "M") -> list[tuple[str, int, int, int, int]]:
    """Return (symbol, level, side, price, lots) of the open sides of an account."""
    orders = [o for o in engine.state.orders.values() if o.account.name == account and o.special is not None]
    found = [(o.instrument.symbol, o.special.level, o.side, o.price, o.remaining // LOT) for o in orders if o.special]
    return sorted(found)


def test_an_identical_resend_keeps_its_place_and_has_no_event() -> None:
    engine = market()
    entries = (level(1, (99, 5), (101, 5)), level(2, (98, 5), (102, 5)), level(1, (99, 5), (101, 5), "Y"))
    mass(engine, *entries)
    order(engine, terms.BUY, 99, 5)
    before = queue(engine, terms.BUY, 99)
    digest = engine.digest()
    assert mass(engine, *entries) == []
    assert queue(engine, terms.BUY, 99) == before
    assert engine.digest() == digest
    assert len(engine.state.orders) == 7


def test_a_lower_quantity_keeps_its_place_a_higher_one_and_another_price_do_not() -> None:
    engine = market()
    mass(engine, level(1, (99, 5), (101, 5)))
    order(engine, terms.BUY, 99, 5)
    (reduced, changed) = mass(engine, level(1, (99, 3)))
    assert isinstance(reduced, events.OrderReplaced)
    assert (reduced.remaining, reduced.kept_priority) == (3 * LOT, True)
    assert isinstance(changed, events.HoldingChanged)
    assert queue(engine, terms.BUY, 99) == [1, 3]
    mass(engine, level(1, (99, 4)))
    assert queue(engine, terms.BUY, 99) == [3, 4]
    mass(engine, level(1, (98, 4)))
    assert queue(engine, terms.BUY, 99) == [3]
    assert queue(engine, terms.BUY, 98) == [5]


def test_what_has_traded_is_filled_up_at_the_end_of_the_queue() -> None:
    """A quantity is what is open from now on: the same one after a trade is more than is open."""
    engine = market()
    mass(engine, level(1, (99, 5)))
    order(engine, terms.SELL, 99, 2)
    order(engine, terms.BUY, 99, 1)
    assert mass(engine, level(1, (99, 3))) == []
    mass(engine, level(1, (99, 5)))
    assert queue(engine, terms.BUY, 99) == [3, 4]
    assert open_sides(engine) == [("X", 1, terms.BUY, 99, 5)]


def test_a_zero_cancels_its_side_and_nothing_else() -> None:
    engine = market()
    mass(engine, level(1, (99, 5), (101, 5)), level(2, (98, 5), (102, 5)))
    found = mass(engine, level(1, 0), level(2, None, 0), level(3, 0, 0))
    assert [(e.order_id, e.reason) for e in found if isinstance(e, events.OrderCancelled)] == [(1, "USER"), (4, "USER")]
    assert open_sides(engine) == [("X", 1, terms.SELL, 101, 5), ("X", 2, terms.BUY, 98, 5)]
    assert all(b.reserved == 5 * LOT for b in [engine.state.accounts["M"].balance("X")])


@pytest.mark.parametrize("phase", [terms.CLOSED, terms.HALTED])
def test_zeros_cancel_in_every_phase_and_for_a_halted_member(phase: int) -> None:
    engine = market()
    mass(engine, level(1, (99, 5), (101, 5)), level(2, (98, 5), (102, 5)))
    apply(engine, 2, commands.MarketSetPhase("X", phase))
    apply(engine, 2, commands.MemberHalt("mM"))
    assert refusals(mass(engine, level(1, (99, 4)))) == [("X/1", "HALTED")]
    assert mass(engine, level(1, (99, 5), (101, 5))) == [], "what is there already is no new quote"
    assert refusals(mass(engine, level(1, 0, 0), level(2, 0, 0))) == []
    assert not engine.state.orders


def test_each_entry_is_refused_or_takes_effect_as_a_whole_by_itself() -> None:
    engine = market(tick=2, lot=2 * LOT, lower_price_limit=50)
    cash = engine.state.accounts["M"].cash.total
    found = mass(
        engine,
        level(1, (98, 4), (102, 4)),
        level(2, (98, 4), (101, 4)),  # the ask is off the tick
        level(3, (48, 4), (102, 4)),  # the bid is beyond the limits
        level(4, (98, 3), (102, 4)),  # the bid is no whole lot
        level(5, (100, 4), (100, 4)),  # they cross
        level(6, (98, 4), (102, 2_000)),  # more gold than there is
        level(7, (98, 20_000), (102, 4)),  # more money than there is
        level(8, (98, 4), symbol="Z"),
        level(11, (98, 4)),
        level(1, (96, 4)),  # for the second time
        MassEntry("X", 9, None, 4 * LOT),  # no price
        level(10, None, (104, 4)),
    )
    assert refusals(found) == [
        ("X/2", "BAD_PRICE"),
        ("X/3", "PRICE_LIMIT"),
        ("X/4", "BAD_QUANTITY"),
        ("X/5", "BAD_PRICE"),
        ("X/6", "INSUFFICIENT_GOLD"),
        ("X/7", "INSUFFICIENT_CASH"),
        ("Z/8", "UNKNOWN_SYMBOL"),
        ("X/11", "BAD_VALUE"),
        ("X/1", "BAD_VALUE"),
        ("X/9", "BAD_PRICE"),
    ]
    expected = [("X", 1, terms.BUY, 98, 4), ("X", 1, terms.SELL, 102, 4), ("X", 10, terms.SELL, 104, 4)]
    assert open_sides(engine) == expected
    account = engine.state.accounts["M"]
    assert (account.cash.total, account.cash.reserved) == (cash, 98 * 4)
    assert account.balance("X").reserved == 8 * LOT


def test_a_refused_entry_leaves_what_was_there() -> None:
    engine = market()
    mass(engine, level(1, (99, 5), (101, 5)))
    before = engine.state.orders.copy()
    assert refusals(mass(engine, level(1, (98, 5), (102, 1_001)))) == [("X/1", "INSUFFICIENT_GOLD")]
    assert refusals(mass(engine, level(1, (101, 5)))) == [("X/1", "BAD_PRICE")], "it crosses the ask that stays"
    assert open_sides(engine) == [("X", 1, terms.BUY, 99, 5), ("X", 1, terms.SELL, 101, 5)]
    assert engine.state.orders == before


def test_a_new_side_may_use_the_money_and_the_gold_of_the_one_that_it_replaces() -> None:
    engine = market()
    mass(engine, level(1, (1_000, 1_000), (1_001, 1_000)))
    account = engine.state.accounts["M"]
    assert [account.cash.available(), account.balance("X").available()] == [0, 0]
    assert refusals(mass(engine, level(1, (999, 1_001), (1_002, 1_000)))) == []
    assert refusals(mass(engine, level(1, (999, 1_002)))) == [("X/1", "INSUFFICIENT_CASH")]
    assert refusals(mass(engine, level(2, None, (1_003, 1)))) == [("X/2", "INSUFFICIENT_GOLD")]


def test_money_that_an_earlier_entry_frees_is_there_for_a_later_one() -> None:
    engine = market()
    mass(engine, level(1, (1_000, 1_000)))
    assert refusals(mass(engine, level(1, 0), level(2, (1_000, 1_000)))) == []
    assert refusals(mass(engine, level(3, (1_000, 1_000)), level(2, 0))) == [("X/3", "INSUFFICIENT_CASH")]


def test_a_maker_that_moves_all_its_levels_meets_none_of_its_old_prices() -> None:
    """Every new bid is at or above an old ask of another level."""
    engine = market()
    mass(engine, *(level(n, (100 - n, 5), (100 + n, 5)) for n in (1, 2, 3)))
    found = mass(engine, *(level(n, (110 - n, 5), (110 + n, 5)) for n in (1, 2, 3)))
    assert not [event for event in found if isinstance(event, events.SelfTradePrevented)]
    assert len(open_sides(engine)) == 6
    assert {reason.reason for reason in found if isinstance(reason, events.OrderCancelled)} == {"REPLACED"}


def test_a_side_that_crosses_trades_as_it_enters() -> None:
    engine = market()
    order(engine, terms.SELL, 100, 3)
    found = mass(engine, level(1, (100, 5), (102, 5)))
    assert [(e.quantity, e.taker_side) for e in found if isinstance(e, events.Trade)] == [(3 * LOT, terms.BUY)]
    assert open_sides(engine)[0] == ("X", 1, terms.BUY, 100, 2)


def test_a_limit_that_the_first_entry_reaches_stops_all_of_the_group() -> None:
    engine = market()
    apply(engine, 1, QuoteSetProtection("M", "g", 1_000, 3 * LOT))
    mass(engine, level(5, (90, 1), (130, 1)), group="g")
    mass(engine, level(6, (90, 1), (130, 1)))
    order(engine, terms.SELL, 100, 3)
    found = mass(engine, level(1, (100, 5), (102, 5)), level(2, (99, 5)), group="g")
    assert sum(isinstance(event, ProtectionTriggered) for event in found) == 1
    assert open_sides(engine) == [("X", 6, terms.BUY, 90, 1), ("X", 6, terms.SELL, 130, 1)]
    assert refusals(mass(engine, level(1, (95, 5)), level(2, 0), group="g")) == [("X/1", "PROTECTION")]


def test_a_sweep_through_five_levels_stops_at_the_limit() -> None:
    engine = market()
    apply(engine, 1, QuoteSetProtection("M", "X", 1_000, 25 * LOT))
    mass(engine, *(level(n, (60 - n, 1), (100 + n, 10)) for n in (1, 2, 3, 4, 5)))
    found = order(engine, terms.BUY, 105, 50)
    assert sum(event.quantity for event in found if isinstance(event, events.Trade)) == 30 * LOT
    assert open_sides(engine) == []


def test_another_group_is_another_quote() -> None:
    engine = market()
    mass(engine, level(1, (99, 5)))
    mass(engine, level(1, (99, 5)), group="g")
    (left,) = engine.state.orders.values()
    assert left.special is not None
    assert (left.order_id, left.special.group) == (2, "g")


def test_a_side_is_cancelled_with_the_session_that_has_asked_for_it_last() -> None:
    engine = market()
    mass(engine, level(1, (99, 5), (101, 5)), session="k/a")
    mass(engine, level(1, (99, 5)), session="k/b")
    mass(engine, level(1, None, (101, 4)), session="k/b")
    mass(engine, level(2, (98, 5)), session="k/a")
    apply(engine, 2, commands.SessionClose("mM", "k/a"))
    assert open_sides(engine) == [("X", 1, terms.BUY, 99, 5), ("X", 1, terms.SELL, 101, 4)]
    apply(engine, 2, commands.SessionClose("mM", "k/b"))
    assert open_sides(engine) == []


def test_quote_cancel_and_quote_set_beside_levels() -> None:
    engine = market()
    mass(engine, level(1, (99, 5)), level(1, (99, 5), symbol="Y"))
    apply(engine, 2, commands.QuoteSet("M", "q1", "X", 97, LOT, 103, LOT))
    apply(engine, 2, commands.QuoteSet("M", "q2", "X", 96, LOT, 104, LOT))
    assert [price for *_, price, _ in open_sides(engine)] == [96, 104, 99, 99], "a quote replaces no level"
    found = apply(engine, 2, commands.QuoteCancel("M", "X"))
    assert [e.order_id for e in found if isinstance(e, events.OrderCancelled)] == [1, 5, 6]
    assert open_sides(engine) == [("Y", 1, terms.BUY, 99, 5)]


def test_levels_end_with_the_day_and_begin_anew() -> None:
    engine = market()
    mass(engine, level(1, (99, 5)))
    apply(engine, 3, commands.MarketEndDay("2027-01-04"))
    assert open_sides(engine) == []
    assert not engine.state.accounts["M"].levels
    mass(engine, level(1, (99, 5)))
    assert open_sides(engine) == [("X", 1, terms.BUY, 99, 5)]


def test_a_restored_core_knows_the_levels() -> None:
    engine = market()
    mass(engine, level(1, (99, 5), (101, 5)), group="g")
    engine = Engine.restore(engine.snapshot())
    assert mass(engine, level(1, (99, 5), (101, 5)), group="g") == []
    mass(engine, level(1, 0, (102, 5)), group="g")
    assert open_sides(engine) == [("X", 1, terms.SELL, 102, 5)]


def test_market_making_takes_a_regime_that_allows_it() -> None:
    engine = market()
    mass(engine, level(1, (99, 5)))
    for by in ("ada", "ben"):
        apply(engine, 2, regime_command(terms.NEGOTIATED, by))
    assert refusals(mass(engine, level(1, (99, 5)), level(2, 0, 0))) == [("X/1", "REGIME")]


def test_an_unknown_account_is_refused_as_a_whole() -> None:
    assert refusals(mass(market(), level(1, (99, 5)), account="nobody")) == [(None, "UNKNOWN_ACCOUNT")]


def test_an_account_without_gold_bids_alone() -> None:
    engine = market()
    apply(engine, 1, commands.AccountOpen("P", "mP"))
    apply(engine, 1, commands.HoldingAdjust("P", "CNY", 10**6, "p"))
    assert refusals(mass(engine, level(1, (99, 1), (101, 1)), account="P")) == [("X/1", "INSUFFICIENT_GOLD")]
    assert refusals(mass(engine, level(1, (99, 1)), account="P")) == []

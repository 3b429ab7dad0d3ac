"""Cases that random sequences seldom reach, among them bugs that were found once."""

from typing import Any

import pytest

from goldx.protocol import commands, events, terms
from matching.core.engine import Engine
from tests.matching.core.driving import apply, command_tuple
from tests.matching.core.validator import validate

LOT = 1_000


def market(**definition: Any) -> Engine:
    """Return a core with X in continuous trading; A and A2 (one owner), B and C have money and gold."""
    engine = Engine()
    apply(engine, 1, commands.InstrumentDefine("X", **definition))
    for account, owner in (("A", "one"), ("A2", "one"), ("B", None), ("C", None)):
        apply(engine, 1, commands.AccountOpen(account, f"m{account}", terms.HOUSE, owner))
        apply(engine, 1, commands.HoldingAdjust(account, "CNY", 10**6, f"{account}-c"))
        apply(engine, 1, commands.HoldingAdjust(account, "X", 100 * LOT, f"{account}-x"))
    apply(engine, 1, commands.MarketSetPhase("X", terms.CONTINUOUS))
    return engine


def place(engine: Engine, name: str, side: int, price: int, lots: int, **more: Any) -> list[events.AnyEvent]:
    """Place a limit order; ``name`` is its client id, which begins with the account and a hyphen."""
    account = name.split("-", maxsplit=1)[0]
    return apply(engine, 2, commands.OrderPlace(account, name, "X", side, terms.LIMIT, lots * LOT, price, **more))


def test_a_kill_cancels_the_orders_of_every_account_of_the_member() -> None:
    engine = market()
    apply(engine, 1, commands.AccountOpen("B2", "mB", terms.CLIENT, "client"))
    apply(engine, 1, commands.HoldingAdjust("B2", "CNY", 10**6, "B2-c"))
    for name in ("B-one", "B2-two", "C-three"):
        place(engine, name, terms.BUY, 100, 1)
    found = apply(engine, 3, commands.MemberKill("mB"))
    assert [(e.account, e.reason) for e in found if isinstance(e, events.OrderCancelled)] == [
        ("B", "KILL"),
        ("B2", "KILL"),
    ]
    assert [order.account.name for order in engine.state.orders.values()] == ["C"]
    validate(engine)


def test_a_decrement_in_an_uncross_leaves_an_iceberg_a_slice() -> None:
    """The taker of an uncross rests too, and only its slice meets the maker; the slice once went below zero."""
    engine = market()
    apply(engine, 2, commands.MarketSetPhase("X", terms.AUCTION))
    place(engine, "A-old", terms.SELL, 100, 3)
    place(engine, "A2-ice", terms.BUY, 100, 5, display_quantity=LOT, stp=terms.DECREMENT)
    found = apply(engine, 3, commands.MarketSetPhase("X", terms.CONTINUOUS))
    prevented = [event.quantity for event in found if isinstance(event, events.SelfTradePrevented)]
    assert prevented == [LOT, LOT, LOT]
    validate(engine)


@pytest.mark.parametrize(
    ("offered", "shown"), [(1, 2), (2, 2), (3, 2), (4, 2), (8, 1)], ids=lambda number: f"{number} lots"
)
def test_an_iceberg_that_takes_on_entry_then_shows_a_whole_slice(offered: int, shown: int) -> None:
    """Nine lots, two shown: a quantity filled on entry does not count against its first slice."""
    engine = market()
    place(engine, "A-offer", terms.SELL, 100, offered)
    place(engine, "B-ice", terms.BUY, 100, 9, display_quantity=2 * LOT)
    (iceberg,) = engine.state.orders.values()
    assert (iceberg.remaining, iceberg.visible()) == ((9 - offered) * LOT, shown * LOT)
    place(engine, "C-behind", terms.BUY, 100, 1)
    found = place(engine, "A-more", terms.SELL, 100, shown)
    assert [(e.maker_order_id, e.quantity) for e in found if isinstance(e, events.Trade)] == [(2, shown * LOT)]
    validate(engine)


@pytest.mark.parametrize("change", [{"price": 99}, {"quantity": 20 * LOT}], ids=["another price", "more"])
def test_an_iceberg_that_comes_to_rest_again_shows_a_whole_slice(change: dict[str, Any]) -> None:
    engine = market()
    place(engine, "B-ice", terms.BUY, 100, 9, display_quantity=2 * LOT)
    place(engine, "A-one", terms.SELL, 100, 1)
    (iceberg,) = engine.state.orders.values()
    assert iceberg.visible() == LOT
    apply(engine, 2, commands.OrderReplace("B", None, "B-ice", **change))
    assert iceberg.visible() == 2 * LOT


@pytest.mark.parametrize(("lots", "shown"), [(7, 3), (4, 3), (3, 3), (2, 2)], ids=lambda number: f"{number} lots")
def test_a_decrease_comes_out_of_what_an_iceberg_hides(lots: int, shown: int) -> None:
    """Nine lots, three shown; the slice gets smaller only where less than it is left."""
    engine = market()
    place(engine, "B-ice", terms.BUY, 100, 9, display_quantity=3 * LOT)
    (iceberg,) = engine.state.orders.values()
    apply(engine, 2, commands.OrderReplace("B", None, "B-ice", quantity=lots * LOT))
    assert (iceberg.remaining, iceberg.visible()) == (lots * LOT, shown * LOT)
    validate(engine)


def test_the_end_of_a_key_ends_all_that_it_placed_and_nothing_of_another_key() -> None:
    engine = market()
    placed = (("B-one", "key-1/a", False), ("B-two", "+key-1/b", True), ("B-other", "+key-10/a", True))
    for name, session, persist in placed:
        place(engine, name, terms.BUY, 100, 1, session=session, persist=persist)
    apply(engine, 3, commands.SessionClose("mB", "key-1/a"))
    assert [order.client_order_id for order in engine.state.orders.values()] == ["B-two", "B-other"]
    apply(engine, 4, commands.SessionClose("mB", "key-1/*"))
    assert [order.client_order_id for order in engine.state.orders.values()] == ["B-other"]


def test_gold_that_comes_back_locked_is_published() -> None:
    """Sold and bought in one command: the total is as before, but now it is under the resale lock."""
    engine = market(resale_lock_days=1)
    place(engine, "C-bid", terms.BUY, 99, 1)
    place(engine, "B-high", terms.BUY, 100, 1)
    apply(
        engine, 2, commands.OrderPlace("A", "A-stop", "X", terms.SELL, terms.MARKET, LOT, stop_price=100, session="s")
    )
    found = place(engine, "C-sell", terms.SELL, 100, 1)
    published = [e for e in found if isinstance(e, events.HoldingChanged) and (e.account, e.asset) == ("C", "X")]
    assert [(e.total, e.reserved, e.locked) for e in published] == [(100 * LOT, 0, LOT)]


def test_a_renamed_plain_order_is_not_found_by_its_old_name() -> None:
    engine = market()
    place(engine, "A-old", terms.BUY, 99, 1)
    apply(engine, 2, commands.OrderReplace("A", None, "A-old", "A-new"))
    refused = apply(engine, 2, commands.OrderCancel("A", None, "A-old"))
    assert [(e.reason if isinstance(e, events.CommandRejected) else e) for e in refused] == ["UNKNOWN_ORDER"]
    found = apply(engine, 2, commands.OrderCancel("A", None, "A-new"))
    assert isinstance(found[0], events.OrderCancelled)
    validate(engine)


def test_a_restored_lock_is_not_published_again() -> None:
    engine = market(resale_lock_days=1)
    place(engine, "C-bid", terms.BUY, 99, 1)
    place(engine, "B-sell", terms.SELL, 99, 1)
    restored = Engine.restore(engine.snapshot())
    for core in (engine, restored):
        place(core, "C-offer", terms.SELL, 120, 1)
    cancel = command_tuple(commands.OrderCancelAll("C"))
    assert restored.apply(3, cancel) == engine.apply(3, cancel)
    assert restored.digest() == engine.digest()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"price": 101, "display_quantity": LOT, "time_in_force": terms.IOC}, "BAD_PRICE"),
        ({"price": 100, "display_quantity": LOT, "time_in_force": terms.IOC}, "BAD_QUANTITY"),
    ],
)
def test_the_price_is_checked_before_the_quantity(more: dict[str, Any], reason: str) -> None:
    engine = market(tick=2)
    order = commands.OrderPlace("A", "a", "X", terms.BUY, terms.LIMIT, 2 * LOT, **more)
    assert [e.reason for e in apply(engine, 2, order) if isinstance(e, events.OrderRejected)] == [reason]


def test_a_new_quote_may_use_all_that_the_old_one_frees() -> None:
    """All of the money and all of the gold; and nothing beyond that."""
    engine = market()
    every_lot = 100 * LOT
    for number, (price, quantity, reason) in enumerate(
        ((10_000, 100, ""), (9_999, 100, ""), (10_001, 100, "INSUFFICIENT_CASH"), (100, 101, "INSUFFICIENT_GOLD"))
    ):
        quote = commands.QuoteSet("B", f"q{number}", "X", price, 100 * LOT, 20_000, quantity * LOT)
        refused = [e.reason for e in apply(engine, 2, quote) if isinstance(e, events.CommandRejected)]
        assert refused == ([reason] if reason else [])
    assert [order.client_order_id for order in engine.state.orders.values()] == ["q1/bid", "q1/ask"]
    assert engine.state.accounts["B"].balances["X"].reserved == every_lot
    validate(engine)


def test_permission_is_checked_before_a_quotes_id() -> None:
    engine = market()
    quote = commands.QuoteSet("B", "q", "X", 99, LOT, 101, LOT)
    apply(engine, 2, quote)
    apply(engine, 2, commands.MemberKill("mB"))
    (refused,) = apply(engine, 2, quote)
    assert isinstance(refused, events.CommandRejected)
    assert refused.reason == "KILLED"


def prices(found: list[events.AnyEvent]) -> list[int]:
    return [event.price for event in found if isinstance(event, events.Trade)]


def test_the_dynamic_band_is_measured_from_before_the_sweep() -> None:
    """From 100, 102 is inside two percent and 104 is not, although it is inside two percent of 102."""
    engine = market(dynamic_band_percent=2, reference_price=100)
    place(engine, "A-1", terms.SELL, 102, 1)
    place(engine, "A-2", terms.SELL, 104, 1)
    found = place(engine, "B-1", terms.BUY, 104, 2)
    assert prices(found) == [102]
    assert [e.phase for e in found if isinstance(e, events.PhaseChanged)] == [terms.AUCTION]


def test_market_protection_ends_at_the_price_limit() -> None:
    """The limits have moved under a resting offer: not even a market order reaches it now."""
    engine = market(price_limit_percent=10, reference_price=100, market_protection=50)
    place(engine, "A-1", terms.SELL, 109, 1)
    apply(engine, 2, commands.MarketSetReference("X", 95))
    found = apply(engine, 2, commands.OrderPlace("B", "B-1", "X", terms.BUY, terms.MARKET, LOT))
    assert prices(found) == []


def test_a_market_fill_or_kill_needs_the_cash_for_all_of_it() -> None:
    engine = market()
    apply(engine, 2, commands.HoldingAdjust("B", "CNY", 199 - 10**6, "out"))
    place(engine, "A-1", terms.SELL, 100, 2)
    order = commands.OrderPlace("B", "B-1", "X", terms.BUY, terms.MARKET, 2 * LOT, time_in_force=terms.FOK)
    (refused,) = apply(engine, 2, order)
    assert isinstance(refused, events.OrderRejected)
    assert refused.reason == "CANNOT_FILL"


def test_a_sweep_reaches_the_stops_of_all_its_prices() -> None:
    """It trades at 100 and ends at 102; a sell stop at 100 has been reached."""
    engine = market()
    place(engine, "A-0", terms.SELL, 105, 1)
    place(engine, "B-0", terms.BUY, 105, 1)
    apply(engine, 2, commands.OrderPlace("C", "C-stop", "X", terms.SELL, terms.MARKET, LOT, stop_price=100))
    place(engine, "A-1", terms.SELL, 100, 1)
    place(engine, "A-2", terms.SELL, 102, 1)
    found = place(engine, "B-1", terms.BUY, 102, 3)
    assert [e.client_order_id for e in found if isinstance(e, events.OrderTriggered)] == ["C-stop"]
    assert prices(found) == [100, 102, 102], "and it finds what is left of the sweep"


@pytest.mark.parametrize(("fee_bp", "cash", "lots"), [(0, 250, 2), (1_000, 219, 1), (1_000, 220, 2), (0, 99, 0)])
def test_a_market_order_buys_what_the_cash_pays_for_with_the_fee(fee_bp: int, cash: int, lots: int) -> None:
    engine = market(taker_fee_bp=fee_bp)
    apply(engine, 2, commands.HoldingAdjust("B", "CNY", cash - 10**6, "out"))
    place(engine, "A-1", terms.SELL, 100, 5)
    found = apply(engine, 2, commands.OrderPlace("B", "B-1", "X", terms.BUY, terms.MARKET, 5 * LOT))
    assert sum(event.quantity for event in found if isinstance(event, events.Trade)) == lots * LOT
    assert [e.remaining for e in found if isinstance(e, events.OrderCancelled)] == [(5 - lots) * LOT]
    validate(engine)


@pytest.mark.parametrize(
    ("ways", "trades"),
    [
        ("auction continuous", True),
        ("auction closed", True),
        ("pre_open continuous", True),
        ("auction halted continuous", True),
        ("auction pre_open continuous", True),
        ("pre_open closed", False),
        ("pre_open auction", False),
        ("auction pre_open", False),
        ("auction halted", False),
        ("auction halted closed", False),
        ("auction halted auction", False),
    ],
)
def test_a_crossed_book_trades_as_it_enters_trading_or_its_auction_ends(ways: str, trades: bool) -> None:
    """The orders come in the first of the phases; nothing trades before the last of them."""
    engine = market()
    first, *between, last = (terms.PHASES.index(name) for name in ways.split())
    apply(engine, 2, commands.MarketSetPhase("X", first))
    place(engine, "A-1", terms.SELL, 100, 1)
    found = place(engine, "B-1", terms.BUY, 101, 1)
    for phase in between:
        found += apply(engine, 3, commands.MarketSetPhase("X", phase))
    assert not [event for event in found if isinstance(event, events.Trade)]
    found = apply(engine, 4, commands.MarketSetPhase("X", last))
    assert [isinstance(event, events.Trade) for event in found].count(True) == trades
    assert len(engine.state.orders) == (0 if trades else 2)
    validate(engine)


def test_a_post_only_order_may_not_be_replaced_into_the_other_side() -> None:
    engine = market()
    place(engine, "A-1", terms.SELL, 101, 1)
    place(engine, "B-1", terms.BUY, 100, 1, post_only=True)
    (refused,) = apply(engine, 2, commands.OrderReplace("B", client_order_id="B-1", price=101))
    assert isinstance(refused, events.CommandRejected)
    assert refused.reason == "WOULD_TAKE"


def interrupted(steps: int) -> Engine:
    """Return a core whose X was interrupted at 2 ms, around 100, by orders that cross at 110; its band is 2 percent."""
    engine = market(dynamic_band_percent=2, reference_price=100, interruption_ms=1_000, reopening_steps=steps)
    place(engine, "A-1", terms.SELL, 110, 1)
    place(engine, "B-1", terms.BUY, 110, 1)
    return engine


def test_a_corridor_widens_with_each_extension_and_survives_a_snapshot() -> None:
    engine = interrupted(9)
    found: list[events.AnyEvent] = []
    for number in range(1, 9):
        engine = Engine.restore(engine.snapshot())
        found += apply(engine, 2 + 1_000 * number, commands.ClockTick())
        validate(engine)
    extended = [event for event in found if isinstance(event, events.AuctionExtended)]
    corridors = [(event.lower_price_limit, event.upper_price_limit) for event in extended]
    assert corridors == [(96, 104), (94, 106), (92, 108), (90, 110)]
    assert [event.until for event in extended] == [2_002, 3_002, 4_002, 5_002]
    assert [event.price for event in found if isinstance(event, events.Trade)] == [110]
    assert engine.state.instruments["X"].phase == terms.CONTINUOUS


def test_after_the_last_extension_any_price_will_do_and_missed_ends_are_made_up_for() -> None:
    engine = interrupted(1)
    found = apply(engine, 60_000, commands.ClockTick())
    names = [event.event for event in found if event.event != "holding.changed"]
    assert names == ["auction.extended", "phase.changed", "trade"]
    (extended, *_) = found
    assert isinstance(extended, events.AuctionExtended)
    assert (extended.until, extended.lower_price_limit, extended.upper_price_limit) == (2_002, None, None)


def test_a_phase_set_by_hand_ends_the_ladder() -> None:
    engine = interrupted(3)
    apply(engine, 1_002, commands.ClockTick())
    apply(engine, 1_003, commands.MarketSetPhase("X", terms.HALTED))
    apply(engine, 9_000, commands.ClockTick())
    assert engine.state.instruments["X"].phase == terms.HALTED
    validate(engine)


def test_a_fill_or_kill_order_counts_what_an_iceberg_hides() -> None:
    engine = market()
    place(engine, "A-ice", terms.SELL, 100, 6, display_quantity=LOT)
    found = place(engine, "B-all", terms.BUY, 100, 6, time_in_force=terms.FOK)
    assert sum(event.quantity for event in found if isinstance(event, events.Trade)) == 6 * LOT
    assert not engine.state.orders
    validate(engine)

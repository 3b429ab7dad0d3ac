"""The limits of members: what each stops at every way of trading, and what it never stops."""

from typing import Any

import msgspec
import pytest

from goldx.protocol import commands, terms
from goldx.protocol.commands import OrderCancel, OrderCancelAll, OrderReplace, QuoteCancel, QuoteSet, TradeBust
from goldx.protocol.deal_commands import DealAccept, DealCancel, DealPropose
from goldx.protocol.events import OrderCancelled, Trade
from goldx.protocol.quote_commands import MassEntry, QuoteMass
from goldx.protocol.rfq_commands import RfqAccept, RfqCreate, RfqQuote
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.limited_market import (
    BUY,
    GRAM,
    NOON,
    SELL,
    YUAN,
    limit,
    limited,
    market,
    order,
    refusal,
    send,
)
from tests.matching.core.trade_terms import terms_of


def used(engine: Engine, *names: str) -> tuple[int, int, int]:
    """Return the open orders, the net purchases (fen) and the net sales (mg) of accounts."""
    usages = [engine.state.accounts[name].usage for name in names]
    counted = [usage for usage in usages if usage is not None]
    assert len(counted) == len(names)
    figures = [(usage.open_orders, usage.net_purchases(), usage.net_sales()) for usage in counted]
    orders, purchases, sales = (sum(column) for column in zip(*figures, strict=True))
    return orders, purchases, sales


def propose(side: int, grams: int, yuan: int, account: str = "a", counter: str = "b") -> DealPropose:
    expire_at = NOON + 60_000
    return DealPropose(account, f"d{account}{grams}", counter, "AU", side, grams * GRAM, yuan * YUAN, expire_at)


@pytest.mark.parametrize(
    ("limits", "name"),
    [({"max_order_value": 60 * YUAN}, "max_order_value"), ({"max_order_quantity": GRAM - 1}, "max_order_quantity")],
)
def test_the_limits_of_one_order_hold_at_every_way_of_trading(limits: Any, name: str) -> None:
    engine = limited(**limits)
    rfq = RfqCreate("b", "r1", "AU", BUY, 5 * GRAM, NOON + 60_000)
    found = [
        refusal(engine, order("o1", BUY, 1, 600)),
        refusal(engine, QuoteSet("a", "q1", "AU", 599 * YUAN, GRAM, 601 * YUAN, GRAM)),
        refusal(engine, QuoteMass("a", (MassEntry("AU", 1, 599 * YUAN, GRAM),))),
        refusal(engine, propose(SELL, 1, 600)),
        refusal(engine, propose(SELL, 1, 600, "b", "a"), DealAccept("a", 1)),
        refusal(engine, rfq, RfqQuote("a", 1, 600 * YUAN, GRAM)),
        refusal(engine, RfqCreate("a", "r2", "AU", BUY, GRAM, NOON + 60_000), RfqQuote("b", 2, 600 * YUAN, GRAM)),
    ]
    found[-1] = refusal(engine, RfqAccept("a", 2, 600 * YUAN), at=NOON + 30_000)
    assert [text.split(":")[0] for text in found] == [name] * len(found)
    assert used(engine, "a", "a2") == (0, 0, 0)


# Open orders


def test_open_orders_of_all_kinds_and_of_all_accounts_count_together() -> None:
    engine = limited(max_open_orders=6)
    send(engine, order("o1", BUY, 1, 500), order("stop", BUY, 1, 700, stop_price=700 * YUAN))
    send(engine, QuoteSet("a2", "q1", "AU", 500 * YUAN, GRAM, 700 * YUAN, GRAM))
    send(engine, propose(BUY, 1, 600, "a2"))
    send(engine, RfqCreate("b", "r1", "AU", BUY, GRAM, NOON + 60_000), RfqQuote("a", 1, 600 * YUAN, GRAM))
    assert used(engine, "a")[0] == used(engine, "a2")[0] == 3
    full = "max_open_orders: member MA is allowed 6, has used 6, and this would add 1"
    assert refusal(engine, order("o2", BUY, 1, 500)) == full
    assert refusal(engine, propose(BUY, 2, 600)) == full
    entries = (MassEntry("AU", 1, 500 * YUAN, GRAM),)
    assert refusal(engine, QuoteMass("a2", entries)) == full
    send(engine, RfqCreate("b", "r2", "AU", BUY, GRAM, NOON + 60_000))
    assert refusal(engine, RfqQuote("a", 2, 600 * YUAN, GRAM)) == full
    assert refusal(engine, QuoteSet("a2", "q2", "AU", 501 * YUAN, GRAM, 700 * YUAN, GRAM)) == "", "in place of two"
    assert refusal(engine, RfqQuote("a", 1, 599 * YUAN, GRAM)) == "", "in place of one"
    assert refusal(engine, QuoteSet("a", "q1", "AU", 501 * YUAN, GRAM, 700 * YUAN, GRAM)).endswith("would add 2")
    send(engine, DealCancel("a2", 1))
    assert refusal(engine, QuoteMass("a2", entries)) == ""
    send(engine, OrderCancelAll("a"), OrderCancelAll("a2"))
    assert used(engine, "a", "a2")[0] == 1, "the quote in the request"


def test_a_level_of_mass_quotes_that_is_cancelled_makes_room_for_its_other_side() -> None:
    engine = limited(max_open_orders=1)
    send(engine, QuoteMass("a", (MassEntry("AU", 1, 500 * YUAN, GRAM),)))
    moved = MassEntry("AU", 1, None, 0, 700 * YUAN, GRAM)
    assert refusal(engine, QuoteMass("a", (moved,))) == ""
    two = (MassEntry("AU", 2, 500 * YUAN, GRAM), MassEntry("AU", 3, 499 * YUAN, GRAM))
    assert refusal(engine, QuoteMass("a", (MassEntry("AU", 1, None, None, None, 0),)), QuoteMass("a", two)) != ""
    assert used(engine, "a")[0] == 1, "the first of the two levels"


def test_an_order_that_trades_at_once_or_never_is_not_one_more() -> None:
    engine = limited(max_open_orders=0)
    send(engine, order("ask", SELL, 3, 600, "b"))
    for name, kind in (("ioc", terms.IOC), ("fok", terms.FOK)):
        assert refusal(engine, order(name, BUY, 1, 600, time_in_force=kind)) == ""
        stop = order(f"{name}-stop", BUY, 1, 600, time_in_force=kind, stop_price=700 * YUAN)
        assert refusal(engine, stop).startswith("max_open_orders"), "it waits"
    assert refusal(engine, order("market", BUY, 1, None)) == ""
    assert used(engine, "a") == (0, 1_800 * YUAN, -3 * GRAM)
    assert refusal(engine, order("rests", BUY, 1, 600)).startswith("max_open_orders")
    assert refusal(engine, order("stop", BUY, 1, None, stop_price=700 * YUAN)).startswith("max_open_orders")


# Net purchases and sales


def test_net_purchases_count_trades_of_the_day_and_what_is_open() -> None:
    engine = limited(max_net_purchases=10_000 * YUAN)
    send(engine, order("ask", SELL, 20, 600, "b"), order("o1", BUY, 8, 600))
    assert used(engine, "a") == (0, 4_800 * YUAN, -8 * GRAM)
    send(engine, order("o2", BUY, 8, 500, "a2"))
    assert used(engine, "a", "a2") == (1, 8_800 * YUAN, -8 * GRAM)
    assert refusal(engine, order("o3", BUY, 2, 601)) == (
        "max_net_purchases: member MA is allowed 10000.00 CNY, has used 8800.00 CNY, and this would add 1202.00 CNY"
    )
    assert refusal(engine, order("o4", BUY, 2, 600)) == ""
    assert used(engine, "a", "a2")[1] == 10_000 * YUAN
    send(engine, order("bid", BUY, 5, 590, "b"))
    assert refusal(engine, order("o5", SELL, 5, 590)) == "", "sales are not stopped, and give room"
    assert used(engine, "a", "a2")[1] == 7_050 * YUAN
    send(engine, OrderCancel("a2", None, "o2"))
    assert used(engine, "a", "a2")[1] == 3_050 * YUAN


def test_fees_are_part_of_net_purchases() -> None:
    engine = limited(engine=market(maker_fee_bp=100, taker_fee_bp=200), max_net_purchases=10_000 * YUAN)
    send(engine, order("ask", SELL, 10, 500, "b"), order("o1", BUY, 10, 500))
    assert used(engine, "a")[1] == 5_100 * YUAN
    send(engine, order("bid", BUY, 10, 500, "c"), order("o2", SELL, 10, 500))
    assert used(engine, "a") == (0, 200 * YUAN, 0)


@pytest.mark.parametrize(
    "way",
    [
        order("o1", BUY, 1, 600),
        order("o1", BUY, 1, None),
        propose(BUY, 1, 600),
        QuoteSet("a", "q1", "AU", 599 * YUAN, GRAM, 601 * YUAN, GRAM),
        QuoteMass("a", (MassEntry("AU", 1, 599 * YUAN, GRAM),)),
        RfqQuote("a", 1, 600 * YUAN, GRAM),
    ],
    ids=lambda command: command.method,
)
def test_net_purchases_are_limited_at_every_way_of_buying(way: Any) -> None:
    engine = limited(engine=market(upper_price_limit=1_000 * YUAN), max_net_purchases=500 * YUAN)
    send(engine, RfqCreate("b", "r1", "AU", SELL, GRAM, NOON + 60_000))
    assert refusal(engine, way).startswith("max_net_purchases")


def test_who_accepts_a_deal_or_quotes_is_limited_too() -> None:
    engine = limited(max_net_purchases=500 * YUAN)
    send(engine, propose(SELL, 1, 600, "b", "a"))
    assert refusal(engine, DealAccept("a", 1)).startswith("max_net_purchases")
    send(engine, RfqCreate("a", "r1", "AU", BUY, GRAM, NOON + 60_000), RfqQuote("b", 1, 600 * YUAN, GRAM))
    assert refusal(engine, RfqAccept("a", 1, 600 * YUAN), at=NOON + 30_000).startswith("max_net_purchases")
    limit(engine, max_net_purchases=600 * YUAN)
    limit(engine, max_net_purchases=600 * YUAN, by="bob")
    assert refusal(engine, RfqAccept("a", 1, 600 * YUAN), at=NOON + 30_000) == ""
    assert used(engine, "a") == (0, 600 * YUAN, -GRAM)
    assert refusal(engine, DealAccept("a", 1), at=NOON + 30_000).endswith(
        "has used 600.00 CNY, and this would add 600.00 CNY"
    )


def test_net_sales_are_limited_over_all_accounts() -> None:
    engine = limited(max_net_sales=10 * GRAM)
    send(engine, order("bid", BUY, 6, 600, "b"), order("o1", SELL, 6, 600), order("o2", SELL, 3, 700, "a2"))
    assert used(engine, "a", "a2") == (1, -3_600 * YUAN, 9 * GRAM)
    assert refusal(engine, order("o3", SELL, 2, 700)) == (
        "max_net_sales: member MA is allowed 10 g, has used 9 g, and this would add 2 g"
    )
    assert refusal(engine, propose(SELL, 2, 600)).startswith("max_net_sales")
    assert refusal(engine, order("o4", BUY, 5, 650, "a2")) == "", "purchases are not stopped"


def test_a_deal_between_two_accounts_of_one_member_nets_to_its_fees() -> None:
    engine = limited(engine=market(taker_fee_bp=100), max_net_purchases=606 * YUAN)
    send(engine, propose(BUY, 1, 600, "a", "a2"), DealAccept("a2", 1))
    assert used(engine, "a", "a2") == (0, 12 * YUAN, 0)


def test_an_annulled_trade_gives_back_what_it_used() -> None:
    engine = limited(max_net_purchases=1_000 * YUAN)
    send(engine, order("ask", SELL, 1, 600, "b"))
    (trade,) = [event for event in send(engine, order("o1", BUY, 1, 600)) if isinstance(event, Trade)]
    given = terms_of(trade, "")
    send(engine, *(TradeBust(1, "a wrong price", by, given) for by in ("ann", "bob")))
    assert used(engine, "a") == (0, 0, 0)


def test_an_annulled_trade_of_before_the_first_limit_gives_nothing_back() -> None:
    engine = market()
    send(engine, order("ask", SELL, 1, 600, "b"))
    (trade,) = [event for event in send(engine, order("o1", BUY, 1, 600)) if isinstance(event, Trade)]
    limit(engine, max_net_purchases=1_000 * YUAN)
    send(engine, *(TradeBust(1, "a wrong price", by, terms_of(trade, "")) for by in ("ann", "bob")))
    assert used(engine, "a") == (0, 0, 0)


def test_each_trading_day_begins_anew_with_what_is_open() -> None:
    engine = limited(max_net_purchases=1_000 * YUAN)
    send(engine, order("ask", SELL, 1, 600, "b"), order("o1", BUY, 1, 600), order("o2", BUY, 1, 400))
    assert used(engine, "a")[1] == 1_000 * YUAN
    send(engine, commands.MarketEndDay("2026-12-01"))
    assert used(engine, "a") == (1, 400 * YUAN, 0)
    assert refusal(engine, order("o3", BUY, 1, 600)) == ""


# What a limit never stops


def test_what_a_lower_limit_finds_open_stays_and_trades_and_can_be_made_smaller() -> None:
    engine = market()
    send(engine, order("o1", BUY, 10, 600), order("o2", BUY, 10, 500))
    limit(engine, max_order_value=0, max_order_quantity=0, max_open_orders=0, max_net_purchases=0, max_net_sales=0)
    assert used(engine, "a") == (2, 11_000 * YUAN, 0)
    send(engine, order("ask", SELL, 4, 600, "b"))
    assert used(engine, "a") == (2, 11_000 * YUAN, -4 * GRAM)
    assert refusal(engine, OrderReplace("a", None, "o2", None, None, 9 * GRAM)) == ""
    assert refusal(engine, OrderReplace("a", None, "o2", None, 499 * YUAN)) == ""
    assert refusal(engine, OrderReplace("a", None, "o2", None, 500 * YUAN)).startswith("max_order_value")
    assert refusal(engine, OrderReplace("a", None, "o2", None, None, 10 * GRAM)).startswith("max_order_value")
    found = send(engine, OrderCancelAll("a"))
    assert sum(isinstance(event, OrderCancelled) for event in found) == 2


def test_a_replacement_that_grows_is_stopped_by_each_limit() -> None:
    cases: tuple[Any, ...] = (
        {"max_order_value": 1_000 * YUAN},
        {"max_order_quantity": 2 * GRAM},
        {"max_net_purchases": 1_000 * YUAN},
    )
    for limits in cases:
        engine = limited(**limits)
        send(engine, order("o1", BUY, 2, 500))
        ((name, _),) = limits.items()
        assert refusal(engine, OrderReplace("a", None, "o1", None, None, 3 * GRAM)).startswith(name)
    engine = limited(max_net_sales=2 * GRAM)
    send(engine, order("o1", SELL, 2, 500))
    assert refusal(engine, OrderReplace("a", None, "o1", None, None, 3 * GRAM)).startswith("max_net_sales")
    assert refusal(engine, OrderReplace("a", None, "o1", None, 400 * YUAN)) == ""


def test_no_cancel_is_ever_refused() -> None:
    engine = market()
    send(engine, order("o1", BUY, 1, 500), QuoteSet("a", "q", "AU", 500 * YUAN, GRAM, 700 * YUAN, GRAM))
    send(engine, QuoteMass("a", (MassEntry("AU", 1, 499 * YUAN, 2 * GRAM),)), propose(BUY, 1, 500))
    limit(engine, max_order_value=0, max_order_quantity=0, max_open_orders=0, max_net_purchases=0)
    for command in (
        OrderCancel("a", None, "o1"),
        QuoteMass("a", (MassEntry("AU", 1, 499 * YUAN, GRAM),)),
        QuoteMass("a", (MassEntry("AU", 1, 499 * YUAN, 0),)),
        QuoteCancel("a", "AU"),
        DealCancel("a", 1),
    ):
        assert refusal(engine, command) == ""
    assert used(engine, "a") == (0, 0, 0)


# Stops


def test_a_stop_is_checked_again_as_it_triggers() -> None:
    engine = limited(max_net_purchases=10_000 * YUAN)
    stop = order("stop", BUY, 5, None, stop_price=600 * YUAN)
    send(engine, stop, order("limit", BUY, 5, 600, stop_price=600 * YUAN))
    limit(engine, max_net_purchases=3_000 * YUAN)
    send(engine, order("ask", SELL, 20, 600, "b"))
    found = send(engine, order("bid", BUY, 1, 600, "c"))
    cancelled = [event for event in found if isinstance(event, OrderCancelled)]
    assert [(event.client_order_id, event.reason) for event in cancelled] == [("stop", "MEMBER_LIMIT")]
    assert (cancelled[0].detail or "").startswith("max_net_purchases: member MA is allowed 3000.00 CNY")
    assert used(engine, "a") == (0, 3_000 * YUAN, -5 * GRAM), "the limit stop was counted before, and trades"


def test_a_stop_that_has_become_too_large_is_cancelled_as_it_triggers() -> None:
    engine = limited(max_order_quantity=9 * GRAM)
    send(engine, order("stop", BUY, 5, 600, stop_price=600 * YUAN))
    limit(engine, max_order_quantity=4 * GRAM)
    send(engine, order("ask", SELL, 20, 600, "b"))
    assert refusal(engine, order("bid", BUY, 1, 600, "c")).startswith("max_order_quantity")


# Whose limits


def test_an_account_has_limits_of_its_own_besides_those_of_its_member() -> None:
    engine = limited("a", max_net_purchases=1_000 * YUAN)
    limit(engine, max_net_purchases=1_500 * YUAN)
    assert refusal(engine, order("o1", BUY, 2, 600)) == (
        "max_net_purchases: account a is allowed 1000.00 CNY, has used 0.00 CNY, and this would add 1200.00 CNY"
    )
    assert refusal(engine, order("o2", BUY, 2, 600, "a2")) == ""
    assert refusal(engine, order("o3", BUY, 1, 600)).startswith("max_net_purchases: member MA")
    assert refusal(engine, order("o4", BUY, 2, 600, "b")) == ""


def test_an_account_that_is_opened_later_counts_for_its_member() -> None:
    engine = limited(max_open_orders=1)
    send(engine, commands.AccountOpen("late", "MA"), commands.HoldingAdjust("late", "CNY", 10**9, "late"))
    assert refusal(engine, order("o1", BUY, 1, 600, "late")) == ""
    assert refusal(engine, order("o2", BUY, 1, 600)).startswith("max_open_orders")


def test_gold_that_an_account_has_for_the_first_time_counts() -> None:
    engine = limited(max_net_sales=GRAM)
    send(engine, commands.InstrumentDefine("NEW"), commands.HoldingAdjust("a", "NEW", 9 * GRAM, "its first"))
    send(engine, commands.MarketSetPhase("NEW", terms.CONTINUOUS))
    sale = order("o1", SELL, 1, 600)
    assert refusal(engine, msgspec.structs.replace(sale, symbol="NEW")) == ""
    assert refusal(engine, order("o2", SELL, 1, 600)).endswith("has used 1 g, and this would add 1 g")


def test_a_refused_order_changes_nothing_and_its_id_may_be_used_again() -> None:
    engine = limited(max_order_quantity=GRAM)
    before = engine.state.accounts["a"].cash.reserved, used(engine, "a"), engine.state.last_order_id
    assert refusal(engine, order("o1", BUY, 2, 600))
    assert (engine.state.accounts["a"].cash.reserved, used(engine, "a"), engine.state.last_order_id) == before
    assert refusal(engine, order("o1", BUY, 1, 600)) == ""


def test_orders_in_an_auction_are_limited_before_they_are_accepted() -> None:
    engine = limited(max_net_purchases=600 * YUAN)
    apply(engine, NOON, commands.MarketSetPhase("AU", terms.AUCTION))
    send(engine, order("ask", SELL, 5, 500, "b"), order("o1", BUY, 1, 600))
    assert refusal(engine, order("o2", BUY, 1, 1)).startswith("max_net_purchases")
    send(engine, commands.MarketSetPhase("AU", terms.CONTINUOUS))
    assert used(engine, "a") == (0, 500 * YUAN, -GRAM), "the uncross was cheaper than the limit price"

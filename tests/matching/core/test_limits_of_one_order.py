"""The limits of one order: its quantity, and its value at the price at which it may be expected to trade."""

import pytest

from goldx.protocol import commands, terms
from goldx.protocol.commands import OrderReplace
from goldx.protocol.events import Trade
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.limited_market import BUY, GRAM, NOON, SELL, YUAN, limited, market, order, refusal, send


def test_the_value_of_an_order_is_limited() -> None:
    engine = limited(max_order_value=6_000 * YUAN)
    assert refusal(engine, order("o1", BUY, 10, 600)) == "", "just as much as is allowed"
    assert refusal(engine, order("o2", BUY, 11, 600)) == (
        "max_order_value: member MA may have 6000.00 CNY in one order, and this one has 6600.00 CNY"
    )
    assert refusal(engine, order("o3", SELL, 10, 601)).startswith("max_order_value")


def test_a_sale_counts_at_the_best_bid_if_that_is_higher_than_its_limit() -> None:
    engine = limited(max_order_value=6_000 * YUAN)
    send(engine, order("bid", BUY, 1, 600, "b"))
    assert refusal(engine, order("o1", SELL, 11, 1)).startswith("max_order_value")
    assert refusal(engine, order("o2", SELL, 11, None, time_in_force=terms.IOC)).startswith("max_order_value")
    assert refusal(engine, order("o3", SELL, 10, 1)) == ""


def test_the_quantity_of_an_order_is_limited() -> None:
    engine = limited(max_order_quantity=10 * GRAM)
    assert refusal(engine, order("o1", SELL, 10, 600)) == ""
    assert refusal(engine, order("o2", SELL, 11, 600)) == (
        "max_order_quantity: member MA may have 10 g in one order, and this one has 11 g"
    )


def test_a_market_order_counts_at_the_worst_price_at_which_it_may_trade() -> None:
    engine = limited(engine=market(market_protection=5 * YUAN), max_order_value=6_050 * YUAN)
    send(engine, order("ask", SELL, 20, 600, "b"))
    assert refusal(engine, order("o1", BUY, 10, None)) == "", "605.00 at worst"
    assert refusal(engine, order("o2", BUY, 11, None)).startswith("max_order_value")


def test_bids_of_the_same_owner_do_not_count_for_a_sale() -> None:
    engine = market()
    for account in ("m", "n"):
        send(engine, commands.AccountOpen(account, "MA", owner="firm"))
        send(engine, commands.HoldingAdjust(account, "CNY", 10**9, f"{account}-cash"))
        send(engine, commands.HoldingAdjust(account, "AU", 10**6, f"{account}-gold"))
    limited("m", engine=engine, max_order_value=5_500 * YUAN)
    send(engine, order("own", BUY, 1, 600, "m"), order("too", BUY, 1, 590, "n"), order("same", BUY, 1, 540, "n"))
    assert refusal(engine, order("o1", SELL, 10, 500, "m", time_in_force=terms.IOC)) == ""
    send(engine, order("own 2", BUY, 1, 600, "m"), order("too 2", BUY, 1, 590, "n"))
    send(engine, order("theirs", BUY, 1, 560, "b"), order("low", BUY, 1, 400, "b"))
    assert refusal(engine, order("o2", SELL, 10, 570, "m")).endswith("this one has 5700.00 CNY")
    assert refusal(engine, order("o3", SELL, 10, 300, "m")).endswith("this one has 5600.00 CNY"), "behind its own"


def at_reference(yuan: int, phase: int = terms.CONTINUOUS, price_rule: int = terms.MAKER_PRICE) -> Engine:
    """Return a market with a reference price in which MA may have orders of 1,000 CNY."""
    engine = market(reference_price=yuan * YUAN, price_rule=price_rule)
    limited(engine=engine, max_order_value=1_000 * YUAN)
    if phase != terms.CONTINUOUS:
        apply(engine, NOON, commands.MarketSetPhase("AU", phase))
    return engine


@pytest.mark.parametrize("phase", [terms.PRE_OPEN, terms.AUCTION])
def test_a_sale_in_an_auction_counts_at_the_reference_price(phase: int) -> None:
    """With a bid to come it trades there, and not at its own limit."""
    engine = at_reference(900, phase)
    assert refusal(engine, order("o1", SELL, 10, 100)).endswith("this one has 9000.00 CNY")
    assert refusal(engine, order("o2", BUY, 10, 100)) == "", "a buy pays no more than its limit"
    assert refusal(engine, order("o3", SELL, 1, 100)) == ""
    assert refusal(engine, OrderReplace("a", None, "o3", None, None, 10 * GRAM)).startswith("max_order_value")
    send(engine, order("bid", BUY, 10, 900, "b"))
    found = send(engine, commands.MarketSetPhase("AU", terms.CONTINUOUS))
    assert [event.amount for event in found if isinstance(event, Trade)] == [900 * YUAN]


def test_a_sale_in_an_auction_counts_at_the_last_price_if_that_is_higher() -> None:
    engine = at_reference(90)
    send(engine, order("ask", SELL, 1, 800, "b"), order("buy", BUY, 1, 800, "c"))
    assert refusal(engine, order("o1", SELL, 10, 100)) == "", "its own price while there is trading"
    apply(engine, NOON, commands.MarketSetPhase("AU", terms.AUCTION))
    assert refusal(engine, order("o2", SELL, 10, 100)).endswith("this one has 8000.00 CNY")


def test_a_sale_by_the_median_rule_counts_at_the_last_price_or_else_the_reference_price() -> None:
    engine = at_reference(900, price_rule=terms.MEDIAN_PRICE)
    assert refusal(engine, order("o1", SELL, 10, 100)).endswith("this one has 9000.00 CNY")
    send(engine, order("ask", SELL, 1, 500, "b"), order("buy", BUY, 1, 500, "c"))
    assert refusal(engine, order("o2", SELL, 10, 100)).endswith("this one has 5000.00 CNY")
    assert refusal(engine, order("o3", SELL, 2, 100)) == ""
    found = send(engine, order("bid", BUY, 2, 900, "b"))
    assert [event.amount for event in found if isinstance(event, Trade)] == [1_000 * YUAN]

"""Net purchases and net sales hold on the next day as well, whatever was traded the other way on this one."""

from typing import Any

import pytest

from goldx.protocol import commands, terms
from goldx.protocol.commands import OrderCancel, OrderReplace, QuoteSet
from goldx.protocol.deal_commands import DealPropose
from goldx.protocol.events import Trade
from tests.matching.core.limited_market import BUY, GRAM, NOON, SELL, YUAN, limit, limited, order, refusal, send
from tests.matching.core.trade_terms import terms_of

TOMORROW = commands.MarketEndDay("2026-12-01")


def sold_today(**limits: Any) -> Any:
    """Return a market in which MA has sold 10 g for 6,000 CNY today."""
    engine = limited(**limits)
    send(engine, order("bid", BUY, 10, 600, "b"), order("sale", SELL, 10, 600))
    return engine


def bought_today(**limits: Any) -> Any:
    """Return a market in which MA has bought 10 g for 6,000 CNY today."""
    engine = limited(**limits)
    send(engine, order("ask", SELL, 10, 600, "b"), order("purchase", BUY, 10, 600))
    return engine


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"time_in_force": terms.GTD, "expire_at": NOON + 10**9},
        {"stop_price": 700 * YUAN},
        {"stop_price": 700 * YUAN, "time_in_force": terms.IOC},
        {"stop_price": 700 * YUAN, "time_in_force": terms.FOK},
    ],
    ids=["GTC", "GTD", "stop", "IOC stop", "FOK stop"],
)
def test_what_can_outlive_the_day_gets_no_room_from_todays_sales(more: Any) -> None:
    engine = sold_today(max_net_purchases=1_000 * YUAN)
    assert refusal(engine, order("o1", BUY, 14, 500, **more)) == (
        "max_net_purchases: member MA is allowed 1000.00 CNY, has used 0.00 CNY, and this would add 7000.00 CNY "
        "(today's sales give no room to an order that can outlive the day)"
    )
    assert refusal(engine, order("o2", BUY, 2, 500, **more)) == ""
    send(engine, TOMORROW)
    assert engine.state.members["MA"].usage.net_purchases() == 1_000 * YUAN


def test_what_ends_with_the_day_has_the_room_of_todays_sales() -> None:
    engine = sold_today(max_net_purchases=1_000 * YUAN)
    day: dict[str, Any] = {"time_in_force": terms.DAY}
    assert refusal(engine, order("o1", BUY, 2, 500, **day)) == ""
    assert refusal(engine, order("o2", BUY, 2, 500, **day, stop_price=700 * YUAN)) == ""
    assert refusal(engine, order("o3", BUY, 2, 500, time_in_force=terms.IOC)) == ""
    assert refusal(engine, QuoteSet("a", "q", "AU", 500 * YUAN, 4 * GRAM, 700 * YUAN, GRAM)) == ""
    deal = DealPropose("a", "d", "b", "AU", BUY, 4 * GRAM, 500 * YUAN, NOON + 60_000)
    assert refusal(engine, deal) == ""
    assert refusal(engine, order("o4", BUY, 3, 400, **day)).endswith(
        "has used 0.00 CNY, and this would add 1200.00 CNY"
    )
    assert refusal(engine, order("o5", BUY, 2, 400, **day)) == ""
    send(engine, TOMORROW)
    assert engine.state.members["MA"].usage.net_purchases() == 0


def test_what_was_bought_today_counts_for_what_outlives_the_day_too() -> None:
    engine = bought_today(max_net_purchases=7_000 * YUAN)
    assert refusal(engine, order("o1", BUY, 3, 500)).endswith("has used 6000.00 CNY, and this would add 1500.00 CNY")
    assert refusal(engine, order("o2", BUY, 2, 500)) == ""


def test_net_sales_get_no_room_from_todays_purchases_either() -> None:
    engine = bought_today(max_net_sales=GRAM)
    assert refusal(engine, order("o1", SELL, 11, 700)) == (
        "max_net_sales: member MA is allowed 1 g, has used 0 g, and this would add 11 g "
        "(today's purchases give no room to an order that can outlive the day)"
    )
    assert refusal(engine, order("o2", SELL, 2, None, stop_price=500 * YUAN)).startswith("max_net_sales")
    assert refusal(engine, order("o3", SELL, 11, 700, time_in_force=terms.DAY)) == ""
    send(engine, OrderCancel("a", None, "o3"))
    assert refusal(engine, order("o4", SELL, 1, 700)) == ""
    send(engine, TOMORROW, order("hit", BUY, 1, 700, "b"))
    assert engine.state.members["MA"].usage.net_sales() == GRAM


def test_a_replacement_of_what_outlives_the_day_gets_no_room_either() -> None:
    engine = sold_today(max_net_purchases=1_000 * YUAN)
    send(engine, order("gtc", BUY, 2, 500), order("day", BUY, 1, 500, time_in_force=terms.DAY))
    assert refusal(engine, OrderReplace("a", None, "gtc", None, None, 3 * GRAM)).startswith("max_net_purchases")
    assert refusal(engine, OrderReplace("a", None, "day", None, None, 3 * GRAM)) == ""
    assert refusal(engine, OrderReplace("a", None, "gtc", None, None, GRAM)) == "", "no limit stops what gets smaller"


def test_an_annulled_sale_takes_back_the_room_that_it_gave_on_its_day() -> None:
    """Orders that were accepted meanwhile stay: nobody knows beforehand which trade will be annulled."""
    engine = limited(max_net_purchases=1_000 * YUAN)
    send(engine, order("bid", BUY, 10, 600, "b"))
    (trade,) = [one for one in send(engine, order("sale", SELL, 10, 600)) if isinstance(one, Trade)]
    send(engine, order("o1", BUY, 14, 500, time_in_force=terms.DAY))
    usage = engine.state.members["MA"].usage
    assert usage is not None
    assert usage.net_purchases() == 1_000 * YUAN
    send(engine, *(commands.TradeBust(1, "a wrong price", by, terms_of(trade, "")) for by in ("ann", "bob")))
    assert usage.net_purchases() == 7_000 * YUAN
    assert refusal(engine, order("o2", BUY, 1, 500, time_in_force=terms.DAY)).startswith("max_net_purchases")


def test_what_an_account_has_sold_gives_its_member_no_room_for_another_one() -> None:
    engine = sold_today(max_net_purchases=1_000 * YUAN)
    limit(engine, account="a2", max_net_purchases=9_000 * YUAN)
    assert refusal(engine, order("o1", BUY, 3, 500, "a2")).startswith("max_net_purchases: member MA")
    assert refusal(engine, order("o2", BUY, 3, 500, "a2", time_in_force=terms.DAY)) == ""

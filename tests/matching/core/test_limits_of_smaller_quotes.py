"""A lower limit lets market makers make their quotes smaller, and cancel one side whatever becomes of the other."""

from goldx.protocol.commands import QuoteSet
from goldx.protocol.events import CommandRejected, OrderCancelled, OrderReplaced
from goldx.protocol.quote_commands import MassEntry, QuoteMass
from goldx.protocol.rfq_commands import RfqCreate, RfqQuote
from tests.matching.core.limited_market import BUY, GRAM, NOON, SELL, YUAN, limit, market, order, refusal, send


def quote(name: str, grams: int, bid: int = 500, ask: int = 700) -> QuoteSet:
    return QuoteSet("a", name, "AU", bid * YUAN, grams * GRAM, ask * YUAN, grams * GRAM)


def bid(grams: int, yuan: int = 500) -> QuoteMass:
    return QuoteMass("a", (MassEntry("AU", 1, yuan * YUAN, grams * GRAM),))


def test_a_quote_in_place_of_a_larger_one_is_not_stopped() -> None:
    engine = market()
    send(engine, quote("q1", 10))
    limit(engine, max_order_quantity=5 * GRAM, max_order_value=1_000 * YUAN, max_net_purchases=0, max_net_sales=0)
    assert refusal(engine, quote("q2", 8)) == ""
    assert refusal(engine, quote("q3", 8, bid=499, ask=650)) == ""
    assert refusal(engine, quote("q4", 9)).startswith("max_order_value")
    assert refusal(engine, quote("q5", 8, ask=651)).startswith("max_order_value")


def test_a_quote_is_compared_with_what_is_open_of_the_old_one() -> None:
    engine = market()
    send(engine, quote("q1", 10), order("hit", SELL, 4, 500, "b"))
    limit(engine, max_order_quantity=5 * GRAM)
    assert refusal(engine, QuoteSet("a", "q2", "AU", 500 * YUAN, 7 * GRAM, 700 * YUAN, GRAM)).startswith("max_order")
    assert refusal(engine, QuoteSet("a", "q3", "AU", 499 * YUAN, 6 * GRAM, 700 * YUAN, GRAM)) == ""


def test_a_level_of_mass_quotes_in_place_of_a_larger_one_is_not_stopped() -> None:
    engine = market()
    send(engine, bid(10))
    limit(engine, max_order_quantity=5 * GRAM, max_order_value=1_000 * YUAN, max_net_purchases=0)
    assert refusal(engine, bid(8, 499)) == "", "at another price"
    assert refusal(engine, bid(7, 499)) == "", "in its place"
    assert refusal(engine, bid(8, 400)).startswith("max_order_quantity")
    assert refusal(engine, bid(7, 500)).startswith("max_order_value")
    send(engine, order("hit", SELL, 2, 499, "b"))
    assert refusal(engine, bid(6, 400)).startswith("max_order_quantity"), "5 g are open"


def test_a_quote_in_a_request_in_place_of_a_larger_one_is_not_stopped() -> None:
    engine = market()
    send(engine, RfqCreate("b", "r", "AU", BUY, 10 * GRAM, NOON + 300_000), RfqQuote("a", 1, 600 * YUAN, 10 * GRAM))
    limit(engine, max_order_quantity=5 * GRAM, max_order_value=1_000 * YUAN, max_net_sales=0)
    assert refusal(engine, RfqQuote("a", 1, 599 * YUAN, 10 * GRAM)) == "", "a better price"
    assert refusal(engine, RfqQuote("a", 1, 600 * YUAN, 8 * GRAM), at=NOON + 200_000) == "", "no longer firm"
    later = NOON + 250_000
    assert refusal(engine, RfqQuote("a", 1, 601 * YUAN, 8 * GRAM), at=later).startswith("max_order_value")
    assert refusal(engine, RfqQuote("a", 1, 500 * YUAN, 9 * GRAM), at=later).startswith("max_order_quantity")


def test_a_side_is_cancelled_or_reduced_even_if_the_other_one_is_refused() -> None:
    engine = market()
    send(engine, bid(10))
    limit(engine, max_order_quantity=5 * GRAM)
    reduced = send(engine, QuoteMass("a", (MassEntry("AU", 1, 500 * YUAN, 9 * GRAM, 700 * YUAN, 6 * GRAM),)))
    assert [type(one) for one in reduced[:2]] == [CommandRejected, OrderReplaced]
    cancelled = send(engine, QuoteMass("a", (MassEntry("AU", 1, None, 0, 700 * YUAN, 6 * GRAM),)))
    assert [type(one) for one in cancelled[:2]] == [CommandRejected, OrderCancelled]
    assert isinstance(cancelled[1], OrderCancelled)
    assert (cancelled[1].reason, cancelled[1].remaining) == ("USER", 9 * GRAM)
    assert engine.state.accounts["a"].cash.reserved == 0


def test_an_entry_that_is_refused_for_anything_else_is_refused_as_a_whole() -> None:
    engine = market()
    send(engine, bid(10))
    limit(engine, max_open_orders=9)
    (refused,) = send(engine, QuoteMass("a", (MassEntry("AU", 1, None, 0, 700 * YUAN, 11_000 * GRAM),)))
    assert isinstance(refused, CommandRejected)
    assert refused.reason == "INSUFFICIENT_GOLD"
    assert len(engine.state.orders) == 1

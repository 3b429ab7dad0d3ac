"""The view of one small market, written down by hand: top, candles, fees, holdings, live orders."""

import json
from typing import Any

import pytest

from api.edge.outcome import Outcome
from api.view.accounts import Account, OrderOwners
from api.view.candles import CHINA_OFFSET_MS, Candles
from api.view.orders import write_trades
from api.view.records import Gap
from api.view.view import View
from goldx.protocol import terms
from goldx.protocol.commands import Leg
from goldx.protocol.events import (
    AccountOpened,
    AnyEvent,
    DayEnded,
    HoldingChanged,
    HoldingSettled,
    IcebergRefreshed,
    InstrumentDefined,
    OrderAccepted,
    OrderCancelled,
    OrderReplaced,
    OrderTriggered,
    SelfTradePrevented,
    Trade,
)
from goldx.streams.frames import EventFrame
from tests.api.view.forms import holdings_of

DAY_MS = 86_400_000


class Market:
    """A view of the class AU and the accounts A.H and B.H, and the messages of its channels."""

    def __init__(self) -> None:
        self.view = View()
        self.sequence = 0
        self.at = 1_000
        rest = (1, 1_000, None, None, None, None, None, 60_000, 0, 0, 0, None, 300_000, 0, 100)
        self.apply(InstrumentDefined(self.next(), self.at, "AU", "AU", "AU", "NONAPPROVED_BAR", 90_000, 100_000, *rest))
        for account in ("A.H", "B.H"):
            self.apply(AccountOpened(self.next(), self.at, account, account[0], 0, account))

    def next(self) -> int:
        self.sequence += 1
        return self.sequence

    def apply(self, *events: AnyEvent) -> None:
        self.view.apply(self.frame(*events), lambda *_: ())

    def frame(self, *events: AnyEvent) -> EventFrame:
        """Return the events of one command, which end with the newest one made."""
        return EventFrame((1, self.sequence), (events,))

    def place(self, order_id: int, account: str, side: int, price: int, quantity: int) -> OrderAccepted:
        """Return the acceptance of a limit order; prices in fen, quantities in mg."""
        about = (account, f"c{order_id}", "AU", side, terms.LIMIT, price, quantity, terms.GTC)
        return OrderAccepted(self.next(), self.at, order_id, *about)

    def trade(
        self, maker: int, taker: int, quantity: int, maker_left: int, taker_left: int, trade_id: int = 1
    ) -> Trade:
        """Return a trade at 600.00 in which A.H buys by ``taker`` from B.H."""
        numbers = (trade_id, "AU", 60_000, quantity, 60 * quantity, maker, taker, "A.H", "B.H", terms.BUY)
        return Trade(self.next(), self.at, *numbers, maker_left, taker_left, 30, 20)


class Reader:
    """A subscriber that keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def send(self, data: bytes) -> None:
        self.messages.append(json.loads(data)["params"])


def subscribed(market: Market, channel: str) -> list[dict[str, Any]]:
    """Return the messages that a new subscriber of a channel gets, and will get."""
    reader = Reader()
    market.view.channels[channel].subscribe(reader, None)
    return reader.messages


def rest_and_trade(market: Market) -> None:
    """B.H offers 30 g, A.H takes 10 g at once and bids for no more."""
    market.apply(market.place(1, "B.H", terms.SELL, 60_000, 30_000))
    market.apply(market.place(2, "A.H", terms.BUY, 60_000, 10_000), market.trade(1, 2, 10_000, 20_000, 0))


def test_an_order_of_each_side_has_its_own_fee_and_rest() -> None:
    market = Market()
    rest_and_trade(market)
    sell, buy = market.view.orders[1], market.view.orders[2]
    assert (sell.fee, sell.remaining, sell.status) == (20, 20_000, "open")
    assert (buy.fee, buy.remaining, buy.status) == (30, 0, "filled")
    assert market.view.markets["AU"].book.levels(terms.SELL) == [(60_000, 20_000)]
    assert market.view.markets["AU"].book.levels(terms.BUY) == []


def test_live_orders_are_those_that_can_trade() -> None:
    market = Market()
    rest_and_trade(market)
    assert [list(market.view.accounts[name].live) for name in ("A.H", "B.H")] == [[], [1]]
    market.apply(market.place(3, "A.H", terms.BUY, 60_000, 20_000), market.trade(1, 3, 20_000, 0, 0))
    assert [list(market.view.accounts[name].live) for name in ("A.H", "B.H")] == [[], []]
    assert market.view.markets["AU"].book.best(terms.SELL) is None


def test_each_party_sees_its_own_side() -> None:
    market = Market()
    buyer, seller = subscribed(market, "account.A.H"), subscribed(market, "account.B.H")
    rest_and_trade(market)
    for messages, expected in ((buyer, ("buy", 2, "0", "taker")), (seller, ("sell", 1, "20", "maker"))):
        (own,) = [message["data"] for message in messages if message["data"]["event"] == "trade"]
        assert (own["side"], own["order_id"], own["remaining"], own["liquidity"]) == expected


def test_the_top_changes_with_price_and_quantity_of_the_best_level() -> None:
    market = Market()
    messages = subscribed(market, "top.AU")
    market.apply(market.place(1, "B.H", terms.SELL, 60_000, 30_000))
    market.apply(market.place(2, "B.H", terms.SELL, 60_100, 5_000))
    market.apply(market.place(3, "B.H", terms.SELL, 60_000, 1_000))
    assert [message["data"]["ask"] for message in messages[1:]] == [["600.00", "30"], ["600.00", "31"]]
    assert [(message["previous"], message["sequence"]) for message in messages[1:]] == [(0, 1), (1, 2)]


def test_the_best_levels_come_first() -> None:
    market = Market()
    for number, (account, side, price) in enumerate(
        [
            ("A.H", terms.BUY, 59_000),
            ("A.H", terms.BUY, 59_200),
            ("A.H", terms.BUY, 59_100),
            ("B.H", terms.SELL, 60_100),
            ("B.H", terms.SELL, 60_000),
        ],
        1,
    ):
        market.apply(market.place(number, account, side, price, 1_000))
    depth = market.view.markets["AU"].depth(2)
    assert [price for price, _ in depth["bids"]] == ["592.00", "591.00"]
    assert [price for price, _ in depth["asks"]] == ["600.00", "601.00"]
    (top,) = subscribed(market, "top.AU")
    assert (top["data"]["bid"], top["data"]["ask"]) == (["592.00", "1"], ["600.00", "1"])


def test_a_refreshed_iceberg_goes_to_the_end_of_its_level() -> None:
    market = Market()
    about = ("B.H", "c1", "AU", terms.SELL, terms.LIMIT, 60_000, 30_000, terms.GTC)
    market.apply(OrderAccepted(market.next(), market.at, 1, *about, display_quantity=10_000))
    market.apply(market.place(2, "B.H", terms.SELL, 60_000, 5_000))
    assert [order[0] for order in market.view.markets["AU"].book.resting()] == [1, 2]
    taken = market.place(3, "A.H", terms.BUY, 60_000, 10_000), market.trade(1, 3, 10_000, 20_000, 0)
    market.apply(*taken, IcebergRefreshed(market.next(), market.at, 1, "AU", 10_000))
    assert [(order[0], order[3]) for order in market.view.markets["AU"].book.resting()] == [(2, 5_000), (1, 10_000)]


def test_a_self_trade_that_is_prevented_reduces_both_orders() -> None:
    market = Market()
    market.apply(market.place(1, "A.H", terms.SELL, 60_000, 30_000))
    own = market.place(2, "A.H", terms.BUY, 60_000, 40_000)
    market.apply(own, SelfTradePrevented(market.next(), market.at, "AU", 1, 2, 30_000, 0, 10_000))
    assert [order.remaining for order in market.view.orders.values()] == [0, 10_000]
    book = market.view.markets["AU"].book
    assert (book.levels(terms.SELL), book.levels(terms.BUY)) == ([], [(60_000, 10_000)])


def test_a_replaced_order_moves_to_its_new_price() -> None:
    market = Market()
    market.apply(market.place(1, "A.H", terms.BUY, 59_000, 30_000))
    about = (1, "A.H", "c1", "c2", "AU", 59_500, 40_000, 40_000, False)
    market.apply(OrderReplaced(market.next(), market.at, *about))
    assert market.view.markets["AU"].book.levels(terms.BUY) == [(59_500, 40_000)]


def test_a_stop_order_rests_when_it_is_triggered() -> None:
    market = Market()
    about = ("A.H", "c1", "AU", terms.BUY, terms.LIMIT, 61_000, 30_000, terms.GTC)
    market.apply(OrderAccepted(market.next(), market.at, 1, *about, stop_price=60_500))
    book = market.view.markets["AU"].book
    assert (market.view.orders[1].status, book.levels(terms.BUY)) == ("pending", [])
    market.apply(OrderTriggered(market.next(), market.at, 1, "A.H", "c1", "AU"))
    assert (market.view.orders[1].status, book.levels(terms.BUY)) == ("open", [(61_000, 30_000)])


def test_an_order_keeps_all_its_trades_on_either_side() -> None:
    """The taker of the second trade was the maker of none; the maker of both has two fills."""
    market = Market()
    rest_and_trade(market)
    taken = market.place(3, "A.H", terms.BUY, 60_000, 5_000), market.trade(1, 3, 5_000, 15_000, 0, trade_id=2)
    market.apply(*taken)
    view = market.view
    trades = [[trade.trade_id for trade in write_trades(view.orders[n], view.fills)] for n in (1, 2, 3)]
    assert trades == [[1, 2], [1], [2]]


def test_an_order_that_has_ended_is_kept_for_one_more_day_and_an_open_one_as_long_as_it_is() -> None:
    """A filled order can be repeated until the next trading day has ended."""
    market = Market()
    rest_and_trade(market)
    filled, left = market.view.orders[2], market.view.orders[1]
    for day, kept in (("2026-11-30", [1, 2]), ("2026-12-01", [1]), ("2026-12-02", [1])):
        market.apply(DayEnded(market.next(), market.at, day))
        assert [order_id for order_id, _ in market.view.orders.items()] == kept
        assert [trade_id for trade_id, _ in market.view.fills.items()] == [1]
        assert market.view.accounts["B.H"].orders.get("c1") is left
        assert market.view.accounts["A.H"].orders.get("c2") is (filled if 2 in kept else None)
    market.apply(OrderCancelled(market.next(), market.at, 1, "B.H", "c1", "AU", left.remaining, "USER"))
    for day, kept in (("2026-12-03", [1]), ("2026-12-04", [])):
        market.apply(DayEnded(market.next(), market.at, day))
        assert [order_id for order_id, _ in market.view.orders.items()] == kept
    assert list(market.view.fills.items()) == []
    assert market.view.accounts["B.H"].orders.get("c1") is None


def test_every_order_has_its_own_account_and_side() -> None:
    owners = OrderOwners()
    for order_id, name, side in ((1, "A.H", terms.BUY), (2, "B.H", terms.SELL), (5, "A.H", terms.SELL)):
        owners.add(order_id, name, side)
    assert [(owners.account(n), owners.side(n)) for n in (1, 2, 5)] == [("A.H", 0), ("B.H", 1), ("A.H", 1)]


def test_a_missing_event_is_not_passed_over() -> None:
    market = Market()
    market.next()
    with pytest.raises(Gap):
        market.apply(market.place(1, "A.H", terms.BUY, 59_000, 1_000))


def test_a_level_that_a_command_leaves_as_it_was_is_not_published() -> None:
    market = Market()
    market.apply(market.place(1, "B.H", terms.SELL, 60_000, 30_000))
    messages = subscribed(market, "book.AU")
    cancelled = OrderCancelled(market.next(), market.at, 1, "B.H", "c1", "AU", 30_000, "USER")
    market.apply(cancelled, market.place(2, "B.H", terms.SELL, 60_000, 30_000))
    market.apply(market.place(3, "B.H", terms.SELL, 60_100, 5_000))
    assert [message["data"]["asks"] for message in messages[1:]] == [[["601.00", "5"]]]


def test_an_answer_comes_when_its_events_are_in_the_view() -> None:
    market = Market()
    seen: list[int] = []

    def answer(_: Outcome) -> None:
        seen.append(market.view.sequence)

    outcomes = tuple((market.place(number, "A.H", terms.BUY, 59_000, 1_000),) for number in (1, 2))
    market.view.apply(EventFrame((1, market.sequence), outcomes), lambda *_: [answer, answer])
    assert seen == [market.sequence - 1, market.sequence]


def account() -> Account:
    return Account(AccountOpened(1, 1, "A.H", "A", 0, "A.H"))


def test_what_is_reserved_or_locked_is_not_available() -> None:
    held = account()
    held.holdings["AU"] = HoldingChanged(2, 1, "A.H", "AU", 10_000, 3_000, 2_000)
    held.holdings["CNY"] = HoldingChanged(3, 1, "A.H", "CNY", 10_000, 3_000, None, 4_000)
    written = holdings_of(held)
    assert written["AU"] == {"total": "10", "reserved": "3", "available": "5", "locked": "2", "withdrawable": "5"}
    assert (written["CNY"]["available"], written["CNY"]["withdrawable"]) == ("70.00", "30.00")


def test_a_settlement_shows_each_account_its_own_legs() -> None:
    opened = account()
    legs = (Leg("A.H", "AU", -1_000), Leg("VENUE", "AU", -20))
    rendered = json.loads(opened.channel.render(1, HoldingSettled(2, 1, "load_out:1", legs)))["params"]
    assert [leg["account"] for leg in rendered["data"]["legs"]] == ["A.H"]


def test_a_candle_has_its_first_and_last_highest_and_lowest_price() -> None:
    candles = Candles("1m")
    for at, price in ((60_000, 600), (60_001, 610), (119_998, 590), (119_999, 605)):
        candles.add(at, price, 1_000)
    candles.add(120_000, 700, 1_000)
    first, second = candles.kept
    assert (first.open, first.high, first.low, first.close, first.volume, first.trades) == (
        600,
        610,
        590,
        605,
        4_000,
        4,
    )
    assert (first.start, second.start, second.low) == (60_000, 120_000, 700)


def test_a_days_candle_is_that_of_the_trading_day_and_not_of_the_calendar() -> None:
    """Two trades of one evening with the end of the trading day between them; and two of one day over midnight."""
    candles = Candles("1d")
    midnight = 20_000 * DAY_MS - CHINA_OFFSET_MS  # of 2024-10-04, a Friday
    evening = midnight + 20 * 3_600_000
    candles.add(evening, 900, 1_000)
    candles.begin_day("2024-10-07")
    for at, price in ((evening + 1, 910), (midnight + DAY_MS + 1, 920), (midnight + 3 * DAY_MS + 1, 905)):
        candles.add(at, price, 1_000)
    candles.begin_day("2024-10-08")
    candles.add(midnight + 3 * DAY_MS + 2, 700, 1_000)
    assert [(candle.start, candle.open, candle.high, candle.close, candle.trades) for candle in candles.kept] == [
        (midnight, 900, 900, 900, 1),
        (midnight + 3 * DAY_MS, 910, 920, 905, 3),
        (midnight + 4 * DAY_MS, 700, 700, 700, 1),
    ]


def test_a_trading_day_that_begins_on_its_own_date_goes_on_with_the_candle_of_that_date() -> None:
    candles = Candles("1d")
    midnight = 20_000 * DAY_MS - CHINA_OFFSET_MS
    candles.add(midnight + 1, 900, 1_000)
    candles.begin_day("2024-10-04")
    candles.add(midnight + 2, 910, 1_000)
    assert [(candle.start, candle.close, candle.trades) for candle in candles.kept] == [(midnight, 910, 2)]


def test_the_end_of_a_day_begins_the_next_ones_candles_of_every_instrument() -> None:
    """Also of one that is defined only then."""
    market = Market()
    rest_and_trade(market)
    market.apply(DayEnded(market.next(), market.at, "2024-10-07"))
    market.apply(market.place(3, "A.H", terms.BUY, 60_000, 5_000), market.trade(1, 3, 5_000, 15_000, 0, trade_id=2))
    day = (20_003 * DAY_MS - CHINA_OFFSET_MS, 1)
    kept = market.view.markets["AU"].candles["1d"].kept
    assert [(candle.start, candle.trades) for candle in kept][1:] == [day]
    rest = (1, 1_000, None, None, None, None, None, 60_000, 0, 0, 0, None, 300_000, 0, 100)
    market.apply(InstrumentDefined(market.next(), market.at, "NEW", "", "", "DORE", 90_000, 100_000, *rest))
    new = market.view.markets["NEW"].candles["1d"]
    new.add(market.at, 500, 1_000)
    assert new.kept[-1].start == day[0]


def test_a_day_begins_at_midnight_in_china() -> None:
    candles = Candles("1d")
    midnight = 20_000 * DAY_MS - CHINA_OFFSET_MS
    for at in (midnight - 1, midnight, midnight + DAY_MS - 1):
        candles.add(at, 600, 1_000)
    assert [candle.start for candle in candles.kept] == [midnight - DAY_MS, midnight]

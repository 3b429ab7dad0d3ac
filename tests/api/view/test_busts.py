"""Annulled trades in the view: candles, last price, channels, and a local book that follows them."""

from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from api.view.candles import INTERVALS
from api.view.orders import write_trades
from api.view.view import View
from goldx.client.local_book import CHANNELS, LocalBook
from goldx.protocol import terms
from goldx.protocol.commands import AnyCommand
from goldx.protocol.events import DayEnded, Trade, TradeBusted
from tests.api.view.forms import newest_trades
from tests.api.view.test_market_data import Market, subscribed
from tests.api.view.test_view import EACH_SEED, frames, none_waiting
from tests.matching.core.flows_of_orders import PlainFlow


class BustFlow(PlainFlow):
    """Plain orders, annulments, and now and then the end of a day."""

    @property
    def _weighted(self) -> Sequence[Callable[[], AnyCommand]]:
        return (*([self.add] * 60), *([self.bust] * 10), self.set_phase, self.reopen, self.reopen, self.end_day)


@pytest.mark.parametrize("seed", EACH_SEED)
def test_candles_and_the_last_price_are_those_of_the_trades_that_stand(seed: int) -> None:
    """Trades of days before the last one are forgotten: the prices of a candle that had any of them are not checked."""
    print(f"SEED={seed}")
    view = View()
    trades: dict[int, Trade] = {}
    busts = checked = 0
    first_of_day, days, dates = 1, [0, 0], ["1970-01-01"]
    for frame, events in frames(seed, 1_500, BustFlow):
        view.apply(frame, none_waiting)
        for event in events:
            if isinstance(event, Trade):
                trades[event.trade_id] = event
            elif isinstance(event, DayEnded):
                days.append(event.at)
                is_date = event.next_trading_day[:1].isdigit()
                dates.append(event.next_trading_day if is_date else dates[-1])
                first_of_day = max(trades, default=0) + 1
            elif isinstance(event, TradeBusted):
                del trades[event.trade_id]
                busts += 1
                market = view.markets[event.symbol]
                mine = [trade for trade in trades.values() if trade.symbol == event.symbol]
                for name, candles in market.candles.items():
                    kept = {candle.start: candle for candle in candles.kept}
                    in_day = [trade for trade in mine if trade.trade_id >= first_of_day]
                    for candle in kept.values() if name != "1d" else list(kept.values())[-1:]:
                        until = candle.start + INTERVALS[name]
                        found = in_day if name == "1d" else [t for t in mine if candle.start <= t.at < until]
                        if name == "1d" and (not in_day or dates.count(dates[-1]) > 1):
                            continue  # a date that comes again, or a text that is none, continues the candle
                        assert (candle.trades, candle.volume) == (len(found), sum(t.quantity for t in found))
                        if name == "1d" or candle.start > days[-2]:
                            prices = [trade.price for trade in found]
                            assert (candle.open, candle.close) == (prices[0], prices[-1]), name
                            assert (candle.high, candle.low) == (max(prices), min(prices)), name
                            checked += 1
                if in_day and dates.count(dates[-1]) == 1:
                    assert market.last == in_day[-1].price
    print(f"{busts} busts, {checked} candles")
    assert busts > 5
    assert checked > 10


def bust(market: Market, trade: Trade) -> TradeBusted:
    """Return the annulment of a trade, as the core publishes it."""
    same = {name: getattr(trade, name) for name in TradeBusted.__struct_fields__ if hasattr(trade, name)}
    same |= {"sequence": market.next(), "at": market.at, "traded_at": trade.at}
    return TradeBusted(**same, proposed_by="ada", by="ben", reason="mistyped")


def two_trades(market: Market) -> list[Trade]:
    """A.H buys 10 g at 600.00 and, a minute later, 5 g at 900.00 from B.H, who still offers 1 g."""
    market.apply(market.place(1, "B.H", terms.SELL, 60_000, 10_000))
    bid = market.place(2, "A.H", terms.BUY, 90_000, 15_000)
    first = market.trade(1, 2, 10_000, 0, 5_000)
    market.apply(bid, first)
    market.at += 60_000
    offer = market.place(3, "B.H", terms.SELL, 90_000, 6_000)
    second = market.trade(2, 3, 5_000, 0, 1_000, trade_id=2)
    dear = replace(second, price=90_000, amount=450_000, taker_side=terms.SELL)
    market.apply(offer, dear)
    return [first, dear]


def test_an_annulled_trade_leaves_candles_last_price_and_the_newest_trades() -> None:
    market = Market()
    _, dear = two_trades(market)
    au = market.view.markets["AU"]
    trades, status, minute, hour = (
        subscribed(market, f"{name}") for name in ("trades.AU", "status.AU", "candles.AU.1m", "candles.AU.1h")
    )
    assert (au.last, [c.trades for c in au.candles["1h"].kept]) == (90_000, [2])
    market.at += 5_000
    market.apply(bust(market, dear))
    assert au.last == 60_000
    assert status[-1]["data"]["last_price"] == "600.00"
    (message,) = trades
    assert message["data"] == {
        "trade_id": 2,
        "at": dear.at,
        "price": "900.00",
        "quantity": "5",
        "amount": "4500.00",
        "taker_side": "sell",
        "busted": True,
        "busted_at": market.at,
        "reason": "mistyped",
    }
    flat = {"open": "600.00", "high": "600.00", "low": "600.00", "close": "600.00"}
    assert minute[-1]["data"] | {"start": 0} == {
        "start": 0,
        **dict.fromkeys(flat, "900.00"),
        "volume": "0",
        "trades": 0,
    }
    assert hour[-1]["data"] | {"start": 0} == {"start": 0, **flat, "volume": "10", "trades": 1}
    assert [candle.close for candle in au.candles["1m"].kept] == [60_000]
    assert [(trade["trade_id"], trade.get("busted")) for trade in newest_trades(au)] == [(2, True), (1, None)]
    assert au.book.levels(terms.SELL) == [(90_000, 1_000)], "the book is as it was"
    assert (market.view.orders[2].filled, market.view.orders[2].status) == (15_000, "filled")
    assert [own.busted for own in write_trades(market.view.orders[2], market.view.fills)] == [False, True]


@pytest.mark.parametrize("extreme", [90_000, 30_000])
def test_the_highest_and_the_lowest_price_are_those_of_trades_that_stand(extreme: int) -> None:
    """The annulled trade was neither the first nor the last of its candle."""
    market = Market()
    _, second = two_trades(market)
    market.apply(market.place(4, "A.H", terms.BUY, 90_000, 2_000))
    middle = replace(market.trade(3, 4, 1_000, 0, 1_000, trade_id=3), price=extreme, amount=extreme)
    market.apply(middle)
    last = replace(market.trade(3, 4, 1_000, 0, 0, trade_id=4), price=61_000, amount=61_000)
    market.apply(last)
    market.apply(bust(market, second))
    (hour,) = market.view.markets["AU"].candles["1h"].kept
    assert (hour.high, hour.low) == (max(extreme, 61_000), min(extreme, 60_000))
    market.apply(bust(market, middle))
    (hour,) = market.view.markets["AU"].candles["1h"].kept
    assert (hour.open, hour.high, hour.low, hour.close) == (60_000, 61_000, 60_000, 61_000)


def test_a_minute_whose_only_trade_was_annulled_begins_again() -> None:
    market = Market()
    first, dear = two_trades(market)
    market.apply(bust(market, dear))
    market.apply(bust(market, first))
    assert market.view.markets["AU"].last is None
    assert all(not candles.kept for candles in market.view.markets["AU"].candles.values())
    bid = market.place(4, "A.H", terms.BUY, 90_000, 1_000)
    market.apply(bid, replace(market.trade(3, 4, 1_000, 0, 0, trade_id=3), price=61_000, amount=61_000))
    for candles in market.view.markets["AU"].candles.values():
        assert [(candle.open, candle.volume, candle.trades) for candle in candles.kept] == [(61_000, 1_000, 1)]


def test_each_party_sees_an_annulment_from_its_own_side() -> None:
    market = Market()
    first, _ = two_trades(market)
    buyer, seller = subscribed(market, "account.A.H"), subscribed(market, "account.B.H")
    market.apply(bust(market, first))
    for messages, side, order_id, fee in ((buyer, "buy", 2, "0.30"), (seller, "sell", 1, "0.20")):
        data = messages[-1]["data"]
        assert (data["event"], data["trade_id"], data["traded_at"]) == ("trade.busted", 1, first.at)
        assert (data["side"], data["order_id"], data["fee"], data["reason"]) == (side, order_id, fee, "mistyped")
        assert data["client_order_id"] == f"c{order_id}"
        assert not {"by", "proposed_by", "buy_account", "sell_account"} & set(data)


def test_a_local_book_takes_an_annulled_trade_off_its_tape() -> None:
    market = Market()
    messages = [subscribed(market, name.format("AU")) for name in CHANNELS]
    book = LocalBook({"symbol": "AU", "name": "", "name_zh": "", "phase": "closed"})

    def follow() -> tuple[list[int], int | None, int, int]:
        for of_channel in messages:
            for message in of_channel:
                book.apply(message)
            of_channel.clear()
        return [trade.trade_id for trade in book.tape], book.last, book.trades, book.traded

    assert follow() == ([], None, 0, 0)
    first, dear = two_trades(market)
    assert follow() == ([2, 1], 90_000, 2, 15_000)
    market.apply(bust(market, dear))
    assert follow() == ([1], 60_000, 1, 10_000)
    assert book.removed == 1
    market.apply(bust(market, first))
    assert follow() == ([], None, 0, 0)
    late = LocalBook({"symbol": "AU", "name": "", "name_zh": "", "phase": "closed"})
    for trade in reversed(newest_trades(market.view.markets["AU"])):
        late.add_trade(trade)
    assert not late.tape, "a follower that comes later does not see it as a trade"

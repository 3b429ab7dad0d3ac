"""Decisions of an operator at a real gateway: the end of a day, terms, references, retirements."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from goldx.client.errors import ExchangeError
from goldx.client.session import connect
from tests.api.conftest import Desk


def china_today() -> date:
    return (datetime.now(UTC) + timedelta(hours=8)).date()


def weekday_after(day: date) -> date:
    day += timedelta(1)
    while day.weekday() >= 5:
        day += timedelta(1)
    return day


class Days:
    """The trading days of a desk, as its operator ends them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.next = weekday_after(china_today())

    async def operate(self, method: str, **params: Any) -> list[dict[str, Any]]:
        return await self._desk.services.operate(self._desk.server, method, **params)

    async def refused(self, method: str, **params: Any) -> tuple[str, str]:
        """Return the reason and the text with which a command of the operator is refused."""
        answer = await self._desk.services.ask_operator(self._desk.server, method, params)
        assert answer.status_code >= 400, answer.text
        problem = answer.json()
        return problem["reason"], problem["detail"]

    async def end(self) -> None:
        """End the trading day; a second person does it, too, where that would run ahead of the calendar."""
        await self.operate("market.set_phase", symbol=self._desk.symbol, phase="closed")
        following = self.next.isoformat()
        if names(await self.operate("market.end_day", next_trading_day=following)) == ["day.end_proposed"]:
            services = self._desk.services
            second = services.keys.get("op-2") or await services.add_operator("op-2")
            async with connect(self._desk.server.url, second) as operator:
                agreed = await operator.call("market.end_day", reason="a test", next_trading_day=following)
            assert names(agreed["events"])[0] == "day.ended"
        await self.operate("market.set_phase", symbol=self._desk.symbol, phase="continuous")
        self.next = weekday_after(self.next)


def names(found: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in found]


async def test_a_day_ends_when_all_is_closed_and_for_a_weekday_ahead(own_desk: Desk) -> None:
    days, symbol = Days(own_desk), own_desk.symbol
    reason, text = await days.refused("market.end_day", next_trading_day=days.next.isoformat())
    assert (reason, symbol in text) == ("PHASE", True)
    await days.operate("market.set_phase", symbol=symbol, phase="closed")
    saturday = days.next + timedelta(5 - days.next.weekday())
    wrong = (saturday, saturday + timedelta(1), china_today() - timedelta(1), china_today() + timedelta(45), date.max)
    for day in wrong:
        reason, text = await days.refused("market.end_day", next_trading_day=day.isoformat())
        assert (reason, "next_trading_day" in text) == ("BAD_VALUE", True), day
    assert names(await days.operate("market.end_day", next_trading_day=days.next.isoformat())) == ["day.ended"]
    reason, _ = await days.refused("market.end_day", next_trading_day=days.next.isoformat())
    assert reason == "BAD_VALUE", "the next day must be later than the present one"
    for field in ("rules", "by", "given"):
        reason, text = await days.refused("market.end_day", next_trading_day="2026-11-30", **{field: 0})
        assert (reason, field in text) == ("BAD_VALUE", True)


async def test_one_changed_term_leaves_the_others(own_desk: Desk) -> None:
    """A patch, with a preview that changes nothing; null sets a term back to its default."""
    days, symbol = Days(own_desk), own_desk.symbol
    await days.operate("market.set_phase", symbol=symbol, phase="closed")
    await days.operate("instrument.define", symbol=symbol, maker_fee_bp=7, price_limit_percent=10, name="Dore")
    shown = await own_desk.services.ask_operator(
        own_desk.server, "instrument.preview", {"symbol": symbol, "tick": "0.05", "maker_fee_bp": 7, "name": None}
    )
    assert shown.json() == {
        "events": [],
        "preview": {
            "symbol": symbol,
            "known": True,
            "changes": {"name": {"from": "Dore", "to": ""}, "tick": {"from": "0.01", "to": "0.05"}},
            "phase": "closed",
            "open_orders": 0,
            "open_deals": 0,
            "open_requests": 0,
            "second_person": [],
        },
    }
    (defined,) = await days.operate("instrument.define", symbol=symbol, tick="0.05", max_quantity=None)
    assert (defined["tick"], defined["maker_fee_bp"], defined["name"]) == ("0.05", 7, "Dore")
    assert defined["reference_price"] == "600.00"
    assert defined["price_limit_percent"] == 10
    reason, text = await days.refused("instrument.define", symbol=symbol, reference_price="60.00")
    assert (reason, "market.set_reference" in text) == ("BAD_VALUE", True)


async def test_a_next_trading_day_that_is_not_the_following_takes_two_persons(own_desk: Desk) -> None:
    days, desk = Days(own_desk), own_desk
    await days.operate("market.set_phase", symbol=desk.symbol, phase="closed")
    later = weekday_after(weekday_after(days.next)).isoformat()
    for _ in range(2):
        (proposed,) = await days.operate("market.end_day", next_trading_day=later)
        assert (proposed["event"], proposed["next_trading_day"], proposed["by"]) == ("day.end_proposed", later, "op")
    assert desk.server.gateway.view.trading_day is None
    second = await desk.services.add_operator("op-2")
    async with connect(desk.server.url, second) as operator:
        agreed = await operator.call("market.end_day", reason="a test", next_trading_day=later)
        assert names(agreed["events"])[0] == "day.ended"


async def test_nobody_ends_days_ahead_of_the_calendar_alone(own_desk: Desk) -> None:
    """A new exchange begins with the next trading day; whoever repeats that for the days after it waits for another."""
    days, desk = Days(own_desk), own_desk
    await days.operate("market.set_phase", symbol=desk.symbol, phase="closed")
    first = days.next.isoformat()
    assert names(await days.operate("market.end_day", next_trading_day=first)) == ["day.ended"]
    following = weekday_after(days.next)
    for _ in range(3):
        asked = await days.operate("market.end_day", next_trading_day=following.isoformat())
        assert names(asked) == ["day.end_proposed"]
    assert desk.server.gateway.view.trading_day == first


async def test_a_reference_far_from_the_last_price_takes_two_persons(own_desk: Desk) -> None:
    days, desk = Days(own_desk), own_desk
    wrong = {"symbol": desk.symbol, "price": "60.00"}
    assert names(await days.operate("market.set_reference", symbol=desk.symbol, price="610.00")) == [
        "reference.changed"
    ]
    for _ in range(2):
        assert names(await days.operate("market.set_reference", **wrong)) == ["reference.proposed"]
    assert desk.server.gateway.view.markets[desk.symbol].reference == 61_000
    second = await desk.services.add_operator("op-2")
    async with connect(desk.server.url, second) as operator:
        assert names((await operator.call("market.set_reference", reason="a test", **wrong))["events"]) == [
            "reference.changed"
        ]


async def test_dangerous_terms_take_two_persons_and_the_preview_says_so(own_desk: Desk) -> None:
    days, desk = Days(own_desk), own_desk
    symbol = desk.symbol
    await days.operate("market.set_phase", symbol=symbol, phase="closed")
    wrong = {"symbol": symbol, "taker_fee_bp": 1_000, "tick": "10.00", "name": "Dore"}
    shown = await desk.services.ask_operator(desk.server, "instrument.preview", wrong)
    assert shown.json()["preview"]["second_person"] == ["tick", "taker_fee_bp"]
    new = {"symbol": "NEW", "reference_price": "60.00"}
    shown = await desk.services.ask_operator(desk.server, "instrument.preview", new)
    assert shown.json()["preview"]["second_person"] == ["reference_price"]
    for _ in range(2):
        (proposed,) = await days.operate("instrument.define", **wrong)
        assert (proposed["event"], proposed["terms"]) == ("instrument.proposed", ["tick", "taker_fee_bp"])
    assert desk.server.gateway.view.markets[symbol].instrument()["taker_fee_bp"] == 0
    second = await desk.services.add_operator("op-2")
    async with connect(desk.server.url, second) as operator:
        (defined,) = (await operator.call("instrument.define", reason="a test", **wrong))["events"]
        assert (defined["event"], defined["taker_fee_bp"], defined["tick"]) == ("instrument.defined", 1_000, "10.00")


async def test_orders_that_stand_in_the_way_are_cancelled_by_the_venue_and_their_owner_sees_why(own_desk: Desk) -> None:
    days, desk = Days(own_desk), own_desk
    async with desk.services.member(desk.server) as member:
        placed = await member.place(desk.a, desk.symbol, "buy", "1", "590.00", persist=True)
        messages = member.subscribe(f"account.{desk.a}", from_sequence=0)
        await days.operate("market.set_phase", symbol=desk.symbol, phase="closed")
        reason, _ = await days.refused("instrument.define", symbol=desk.symbol, tick="0.05")
        assert reason == "PHASE"
        await days.operate("market.cancel_orders", symbol=desk.symbol, reason="a new tick from Monday on")
        async for message in messages:
            if message["data"]["event"] == "order.cancelled":
                break
        await messages.aclose()
        assert (message["data"]["reason"], message["data"]["detail"]) == ("VENUE", "a new tick from Monday on")
        order = (await member.call("order.get", account=desk.a, order_id=placed["order"]["order_id"]))["order"]
        assert (order["status"], order["reason"]) == ("cancelled", "VENUE")
    assert names(await days.operate("instrument.define", symbol=desk.symbol, tick="0.05")) == ["instrument.defined"]


async def test_accounts_and_instruments_are_retired(own_desk: Desk) -> None:
    days, desk = Days(own_desk), own_desk
    assert (await days.refused("account.retire", account=desk.a))[0] == "BAD_VALUE"
    await days.operate("account.open", account="EMPTY", member="FIRM-A")
    await days.operate("account.retire", account="EMPTY")
    await days.operate("instrument.define", symbol="OLD")
    await days.operate("instrument.retire", symbol="OLD")
    assert (await days.refused("market.set_phase", symbol="OLD", phase="pre_open"))[0] == "RETIRED"
    async with desk.services.member(desk.server) as member:
        assert member.identity["accounts"] == [desk.a]
        with pytest.raises(ExchangeError) as refused:
            await member.place("EMPTY", desk.symbol, "buy", "1", "600.00")
        assert refused.value.reason == "RETIRED"
        shown = (await member.call("market.instruments"))["instruments"]
        assert {one["symbol"]: one.get("retired", False) for one in shown} == {desk.symbol: False, "OLD": True}
    await days.operate("instrument.define", symbol="OLD", tick="0.05")
    await days.operate("market.set_phase", symbol="OLD", phase="pre_open")


async def test_an_account_is_opened_for_a_registered_member_alone(own_desk: Desk) -> None:
    """Over REST and over the WebSocket."""
    reason, text = await Days(own_desk).refused("account.open", account="X.H", member="FIRM-X")
    assert (reason, "FIRM-X" in text) == ("UNKNOWN_MEMBER", True)
    async with connect(own_desk.server.url, own_desk.services.keys["op"]) as operator:
        with pytest.raises(ExchangeError) as refused:
            await operator.call("account.open", account="X.H", member="FIRM-X", reason="a test")
        assert refused.value.reason == "UNKNOWN_MEMBER"
        assert names(
            (await operator.call("account.open", account="A.2", member="FIRM-A", reason="a test"))["events"]
        ) == ["account.opened"]
    assert "X.H" not in own_desk.server.gateway.view.accounts


async def test_a_days_candle_has_the_trades_of_the_trading_day(own_desk: Desk) -> None:
    """The trading day ends between two trades of one evening."""
    days, desk = Days(own_desk), own_desk
    async with desk.services.member(desk.server) as seller, desk.services.member(desk.server, "FIRM-B") as buyer:
        for price in ("600.00", "610.00"):
            await seller.place(desk.a, desk.symbol, "sell", "1", price)
            await buyer.place(desk.b, desk.symbol, "buy", "1", price)
            if price == "600.00":
                belongs_to = days.next
                await days.end()
        candles = (await buyer.call("market.candles", symbol=desk.symbol, interval="1d"))["candles"]
    assert [(candle["open"], candle["close"], candle["trades"]) for candle in candles] == [
        ("600.00", "600.00", 1),
        ("610.00", "610.00", 1),
    ]
    start = datetime.fromtimestamp(candles[1]["start"] / 1_000, UTC) + timedelta(hours=8)
    assert start.date() == belongs_to


async def test_an_order_that_is_repeated_after_the_end_of_the_day_is_placed_once(own_desk: Desk) -> None:
    """The first answer was lost. The repetition a day later is refused, with the outcome of the first."""
    days, desk = Days(own_desk), own_desk
    async with desk.services.member(desk.server) as seller, desk.services.member(desk.server, "FIRM-B") as buyer:
        await seller.place(desk.a, desk.symbol, "sell", "30", "600.00")
        order = (desk.b, desk.symbol, "buy", "10", "600.00", "once")
        first = await buyer.place(*order)
        assert first["order"]["status"] == "filled"
        await days.end()
        for _ in range(2):
            with pytest.raises(ExchangeError) as refused:
                await buyer.place(*order)
            assert refused.value.reason == "DUPLICATE_ID"
            assert (refused.value.data["order"], refused.value.data["trades"]) == (first["order"], first["trades"])
        assert await buyer.call("order.get", account=desk.b, client_order_id="once") == first
        await days.end()
        again = await buyer.place(*order)
        assert again["order"]["order_id"] > first["order"]["order_id"]


async def test_a_trade_is_annulled_by_two_persons(own_desk: Desk) -> None:
    """The terms of the trade come from the gateway; trades, orders and holdings show the annulment."""
    days, desk = Days(own_desk), own_desk
    second = await desk.services.add_operator("op-2")
    async with desk.services.member(desk.server) as ann, desk.services.member(desk.server, "FIRM-B") as bob:
        before = [await ann.holdings(desk.a), await bob.holdings(desk.b)]
        await bob.place(desk.b, desk.symbol, "sell", "3", "600.00")
        bought = await ann.place(desk.a, desk.symbol, "buy", "3", "600.00")
        number = bought["trades"][0]["trade_id"]
        for _ in range(2):
            (asked,) = await days.operate("trade.bust", trade_id=number, reason="mistyped")
            assert (asked["event"], asked["trade_id"], asked["by"]) == ("trade.bust_proposed", number, "op")
        async with connect(desk.server.url, second) as operator:
            answer = await operator.call("trade.bust", trade_id=number, reason="agreed")
        busted, *holdings = answer["events"]
        assert (busted["event"], busted["price"], busted["reason"]) == ("trade.busted", "600.00", "agreed")
        assert (busted["proposed_by"], busted["by"]) == ("op", "op-2")
        assert names(holdings) == ["holding.changed"] * 4
        after = [await ann.holdings(desk.a), await bob.holdings(desk.b)]
        assert [one[asset] for one in after for asset in ("CNY", desk.symbol)] == [
            one[asset] for one in before for asset in ("CNY", desk.symbol)
        ]
        found = await ann.call("order.get", account=desk.a, order_id=bought["order"]["order_id"])
        assert [one.get("busted") for one in found["trades"]] == [True]
        assert (found["order"]["filled"], found["order"]["status"]) == ("3", "filled")
        recent = await ann.call("market.trades", symbol=desk.symbol, limit=1)
        assert recent["trades"][0]["busted"] is True
    assert (await days.refused("trade.bust", trade_id=number, reason="x"))[0] == "BUSTED"
    reason, text = await days.refused("trade.bust", trade_id=number + 1, reason="x")
    assert (reason, text.startswith("trade_id: ")) == ("UNKNOWN_TRADE", True)
    reason, text = await days.refused("trade.bust", trade_id=number, reason="x", trade={})
    assert (reason, "the gateway sets it" in text) == ("BAD_VALUE", True)
    await days.end()
    assert (await days.refused("trade.bust", trade_id=number, reason="x"))[0] == "UNKNOWN_TRADE"

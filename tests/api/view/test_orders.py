"""The life of orders through the real WebSocket, with the member client."""

from decimal import Decimal
from typing import Any

import pytest

from goldx.client.errors import ExchangeError
from goldx.client.session import ExchangeClient
from tests.api.conftest import Desk


async def next_of(messages: Any, event: str) -> dict[str, Any]:
    async for message in messages:
        if message["data"]["event"] == event:
            data: dict[str, Any] = message["data"]
            return data
    raise AssertionError(f"no {event}")


async def test_an_order_rests_and_trades_and_both_sides_see_it(desk: Desk) -> None:
    async with desk.services.member(desk.server) as seller, desk.services.member(desk.server, "FIRM-B") as buyer:
        resting = await seller.place(desk.a, desk.symbol, "sell", "30", "600.00", "ask-1")
        assert resting["order"]["status"] == "open"
        assert resting["trades"] == []

        taken = await buyer.place(desk.b, desk.symbol, "buy", "10", "601.00", time_in_force="IOC")
        (trade,) = taken["trades"]
        assert taken["order"]["status"] == "filled"
        assert (trade["price"], trade["quantity"], trade["amount"]) == ("600.00", "10", "6000.00")
        assert trade["liquidity"] == "taker"
        assert (trade["account"], trade["client_order_id"]) == (desk.b, taken["order"]["client_order_id"])
        messages = seller.subscribe(f"account.{desk.a}", from_sequence=0)
        own = await next_of(messages, "trade")
        await messages.aclose()
        assert (own["order_id"], own["price"], own["quantity"]) == (resting["order"]["order_id"], "600.00", "10")
        assert (own["account"], own["client_order_id"]) == (desk.a, "ask-1")
        assert (own["side"], own["liquidity"], own["remaining"]) == ("sell", "maker", "20")

        placed = (await seller.call("order.get", account=desk.a, client_order_id="ask-1"))["order"]
        assert (placed["remaining"], placed["filled"]) == ("20", "10")

        held = await buyer.holdings(desk.b)
        assert Decimal(held["CNY"]["total"]) == Decimal("1000000.00") - Decimal("6000.00")
        assert held[desk.symbol]["total"] == "10010"


async def test_replace_and_cancel(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member:
        order_id = (await member.place(desk.a, desk.symbol, "buy", "10", "590.00"))["order"]["order_id"]
        replaced = await member.replace(desk.a, order_id, price="591.00", quantity="12")
        assert (replaced["order"]["price"], replaced["order"]["remaining"]) == ("591.00", "12")
        assert [order["order_id"] for order in await member.orders(desk.a)] == [order_id]
        cancelled = await member.cancel(desk.a, order_id)
        assert (cancelled["order"]["status"], cancelled["order"]["reason"]) == ("cancelled", "USER")
        with pytest.raises(ExchangeError, match="UNKNOWN_ORDER"):
            await member.cancel(desk.a, order_id)
        assert await member.orders(desk.a) == []


async def test_a_repeated_client_id_gets_the_first_outcome(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member:
        await member.place(desk.a, desk.symbol, "sell", "5", "600.00")
        async with desk.services.member(desk.server, "FIRM-B") as buyer:
            first = await buyer.place(desk.b, desk.symbol, "buy", "7", "600.00", "once")
            with pytest.raises(ExchangeError) as refused:
                await buyer.place(desk.b, desk.symbol, "buy", "7", "600.00", "once")
            assert refused.value.reason == "DUPLICATE_ID"
            assert refused.value.data["order"] == first["order"]
            assert refused.value.data["trades"] == first["trades"]


async def test_quotes_cancel_all_and_refusals(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member:
        quote = {"account": desk.a, "symbol": desk.symbol, "bid_quantity": "5", "ask_quantity": "6"}
        set_ = await member.call("quote.set", quote_id="q1", bid_price="599.00", ask_price="601.00", **quote)
        assert (set_["bid"]["side"], set_["ask"]["side"]) == ("buy", "sell")
        with pytest.raises(ExchangeError) as refused:
            await member.call("quote.set", quote_id="q1", bid_price="599.00", ask_price="601.00", **quote)
        assert refused.value.reason == "DUPLICATE_ID"
        assert refused.value.data["order"]["order_id"] == set_["bid"]["order_id"]
        assert len((await member.call("quote.cancel", account=desk.a, symbol=desk.symbol))["orders"]) == 2
        with pytest.raises(ExchangeError, match="INSUFFICIENT_CASH"):
            await member.place(desk.a, desk.symbol, "buy", "9999", "600.00")
        with pytest.raises(ExchangeError, match="WOULD_TAKE"):
            await _crossing_post_only(member, desk)
        assert len((await member.cancel_all(desk.a))["orders"]) == 1


async def _crossing_post_only(member: ExchangeClient, desk: Desk) -> None:
    await member.place(desk.a, desk.symbol, "sell", "1", "600.00")
    await member.place(desk.a, desk.symbol, "buy", "1", "600.00", post_only=True)

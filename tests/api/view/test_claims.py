"""Claims on accounts as gateways show them: what is owed, what ends for it, and what is refused."""

from random import Random
from typing import Any

import pytest

from api.view import snapshot
from api.view.view import View
from goldx.client.errors import ExchangeError
from goldx.client.session import connect
from goldx.protocol.claim_commands import AccountClaim
from goldx.protocol.commands import HoldingAdjust
from goldx.streams.frames import EventFrame
from matching.core.engine import Engine
from tests.api.conftest import Desk, until
from tests.api.view.forms import holdings_of
from tests.matching.core.dice import SeededDice
from tests.matching.core.driving import apply
from tests.matching.core.flows_of_orders import ClaimFlow


def test_the_view_shows_what_the_core_is_owed() -> None:
    """Also in a view that is restored from a snapshot in the middle."""
    owing = 0
    for seed in range(2):
        engine, view = Engine(), View()
        for number, (at, command) in enumerate(ClaimFlow(SeededDice(Random(seed))).steps(200), 1):
            view.apply(EventFrame((at, number), (tuple(apply(engine, at, command)),)), lambda *_: ())
            if number == 120:
                again = View()
                snapshot.read(snapshot.parse(snapshot.write(view)), again)
                view = again
            for name, account in engine.state.accounts.items():
                assert view.accounts[name].owed == account.owed
                owing += account.owed > 0
    assert owing > 50


async def test_a_member_sees_what_it_owes_and_buys_nothing(desk: Desk) -> None:
    account = desk.server.gateway.view.accounts[desk.a]
    before = holdings_of(account)
    assert "owed" not in before["CNY"]
    async with connect(desk.server.url, desk.services.keys["FIRM-A"]) as client:
        order: dict[str, Any] = {"account": desk.a, "symbol": desk.symbol, "type": "limit", "quantity": "1"}
        bought = {**order, "side": "buy", "price": "590.00"}
        await client.call("order.place", **bought, client_order_id="b1")
        await client.call("order.place", **order, client_order_id="s1", side="sell", price="700.00")
        await desk.services.send(AccountClaim(desk.a, 50_000, "payment_claim:1", "settlement"))
        events = []
        async for message in client.subscribe(f"account.{desk.a}", from_sequence=0):
            events.append(message["data"])
            if message["data"]["event"] == "order.cancelled":
                break
        changed, cancelled = events[-2:]
        assert (changed["event"], cancelled["client_order_id"]) == ("account.claim_changed", "b1")
        assert (changed["owed"], changed["reference"], cancelled["reason"]) == ("500.00", "payment_claim:1", "CLAIM")
        holdings = await client.holdings(desk.a)
        assert holdings["CNY"] == {
            **before["CNY"],
            "available": "0.00",
            "withdrawable": "0.00",
            "owed": "500.00",
        }
        assert holdings[desk.symbol] == {
            **before[desk.symbol],
            "reserved": "1",
            "available": "9999",
            "withdrawable": "0",
        }
        with pytest.raises(ExchangeError) as refused:
            await client.call("order.place", **bought, client_order_id="b2")
        assert refused.value.reason == "CLAIM"
        assert f"account {desk.a} owes 500.00 CNY" in str(refused.value)
        collected = HoldingAdjust(desk.a, "CNY", -50_000, f"collect-{desk.a}", claim="payment_claim:1")
        await desk.services.send(collected)
        await until(lambda: not account.owed)
        holdings = await client.holdings(desk.a)
        assert "owed" not in holdings["CNY"]
        assert holdings[desk.symbol]["withdrawable"] == "9999"
        placed = await client.call("order.place", **bought, client_order_id="b2")
        assert placed["order"]["status"] == "open"

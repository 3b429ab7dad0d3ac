"""Deals of named lots through a gateway, the core and settlement: refused in words, kept, moved, given back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from goldx.client.errors import ExchangeError
from settlement.lots import locks
from tests.settlement.custody.test_custody import ask
from tests.settlement.named_lots.desk import Desk
from tests.settlement.named_lots.test_titles import holders, locked, states
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, find_breaks, refused


@contextlib.asynccontextmanager
async def following(exchange: SmallExchange) -> AsyncIterator[None]:
    """Let the core apply what comes."""
    task = asyncio.create_task(exchange.engine_runner.follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def refusal(call: Awaitable[Any]) -> tuple[str, str | None, Any]:
    with pytest.raises(ExchangeError) as found:
        await call
    assert found.value.reason == "UNAVAILABLE" or found.value.data.get("allowed"), found.value
    return found.value.reason, found.value.data.get("field"), found.value.data.get("value")


async def test_a_member_sells_lots_by_name_and_the_sale_is_annulled(desk: Desk) -> None:
    exchange = desk.exchange
    async with following(exchange):
        assert await refusal(desk.propose("sell", [1, 9], "199.8", "d")) == ("UNKNOWN_LOT", "lots", 9)
        assert await refusal(desk.propose("sell", [1, 2], "200", "d")) == ("BAD_QUANTITY", "quantity", "200")
        await do(exchange, locks.freeze, ONE, [3], "doubt")
        assert await refusal(desk.propose("sell", [1, 3], "199.8", "d")) == ("LOT_BOUND", "lots", 3)
        late = desk.propose("sell", [1, 2], "199.8", "d", expire_at=1)
        assert await refusal(late) == ("TOO_LATE", "expire_at", 1)
        await desk.freed()
        assert await states(exchange) == ["RELEASED"], "only the last of them came so far, and it is over"

        made = await desk.propose("sell", [1, 2], "199.8", "d1")
        assert made["deal"]["lots"] == [1, 2]
        with pytest.raises(ExchangeError) as again:
            await desk.propose("sell", [1, 2], "199.8", "d1")
        assert (again.value.reason, again.value.data["deal"]["deal_id"]) == ("DUPLICATE_ID", 1)
        (seen,) = await desk.buyer.deals("B.H")
        assert seen["lots"] == [1, 2]
        accepted = await desk.buyer.accept_deal("B.H", 1)
        assert accepted["trade"]["lots"] == [1, 2]
        await exchange.post()
        assert await holders(exchange) == ["B.H", "B.H", "A.H"]

        await desk.annul("ada", 1)
        await desk.freed()
        await do(exchange, locks.freeze, ONE, [2], "doubt")
        missing = await desk.annul("ben", 1, 409)
        assert (missing["reason"], missing["field"], missing["value"]) == ("LOT_BOUND", "lots", 2)
        await do(exchange, locks.unfreeze, OTHER, [2], "is genuine")
        done = await desk.annul("ben", 1)
        assert [event["lots"] for event in done["events"] if event["event"] == "trade.busted"] == [[1, 2]]
        await exchange.post()
    assert await holders(exchange) == ["A.H"] * 3
    assert (await states(exchange), await locked(exchange)) == (["RELEASED", "MOVED", "RELEASED", "MOVED"], [])
    assert await find_breaks(exchange) == ()


async def test_a_buyer_names_lots_that_it_was_shown(desk: Desk) -> None:
    """Nothing is bound by the proposal; the seller's acceptance keeps the lots, or says what prevents it.

    A buyer cannot find out by proposals whose a receipt is, what its lot weighs, or what binds it.
    """
    exchange = desk.exchange
    await do(exchange, locks.freeze, ONE, [3], "doubt")
    async with following(exchange):
        for lots, quantity in (([1], "99.8"), ([9], "99.9"), ([1, 3], "199.8")):  # 3 is frozen
            assert await refusal(desk.propose("buy", lots, quantity, "p")) == ("UNKNOWN_LOT", "lots", lots)
        made = await desk.propose("buy", [1], "99.9", "p1")
        assert (made["deal"]["lots"], await locked(exchange)) == ([1], [])
        await do(exchange, locks.freeze, ONE, [1], "doubt")
        assert await refusal(desk.seller.accept_deal("A.H", 1)) == ("LOT_BOUND", "lots", 1)
        assert await refusal(desk.seller.accept_deal("A.H", 7)) == ("UNKNOWN_DEAL", "deal_id", 7)
        await do(exchange, locks.unfreeze, OTHER, [1], "is genuine")
        accepted = await desk.seller.accept_deal("A.H", 1)
        assert accepted["trade"]["lots"] == [1]
        await exchange.post()
    assert await holders(exchange) == ["B.H", "A.H", "A.H"]
    assert await find_breaks(exchange) == ()
    shown = [(row["receipt_no"], row["account"], row["fine"], row["free"]) for row in await desk.receipts("A")]
    assert shown == [(2, "A.H", "99.9", True), (3, "A.H", "99.9", False)]
    assert [(row["receipt_no"], row["account"], row["free"]) for row in await desk.receipts("B")] == [(1, "B.H", True)]


async def test_what_comes_between_the_gateways_check_and_the_engine_finds_the_lots_kept(desk: Desk) -> None:
    exchange = desk.exchange
    proposing = asyncio.create_task(desk.propose("sell", [1, 2, 3], "299.7", "d1"))
    async with asyncio.timeout(30):
        while await locked(exchange) != [1, 2, 3]:
            await asyncio.sleep(0.02)
    await refused(exchange, "NO_FITTING_LOTS", ask, ONE, "A.H", 99_900)
    assert await refusal(desk.propose("sell", [3], "99.9", "d2")) == ("LOT_BOUND", "lots", 3)
    async with following(exchange):
        await proposing
        await desk.buyer.accept_deal("B.H", 1)
        await exchange.post()
    assert await holders(exchange) == ["B.H"] * 3
    assert await find_breaks(exchange) == ()


async def test_a_member_that_is_refused_tries_again_at_once_and_does_not_meet_its_own_lots(desk: Desk) -> None:
    async with following(desk.exchange):
        for number in range(12):
            late = desk.propose("sell", [1], "99.9", f"d{number}", expire_at=1)
            assert await refusal(late) == ("TOO_LATE", "expire_at", 1)


async def test_a_command_that_is_not_placed_frees_its_lots(desk: Desk) -> None:
    """The journal takes no command: the gateway says so, and the lots are as free as before."""
    desk.server.gateway.sequencer.available = False
    assert (await refusal(desk.propose("sell", [1], "99.9", "d1")))[0] == "UNAVAILABLE"
    desk.server.gateway.sequencer.available = True
    await desk.freed()
    assert await states(desk.exchange) == ["RELEASED"]

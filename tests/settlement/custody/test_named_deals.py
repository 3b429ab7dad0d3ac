"""Deals of named lots through a gateway, the core and settlement: refused in words, kept, moved, given back."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from api.app import GatewayServer
from goldx.client.errors import ExchangeError
from goldx.client.keys import Key
from goldx.client.session import ExchangeClient, connect
from goldx.hosting.settings import Settings
from settlement.base import registry
from settlement.lots import locks
from tests.http_client import http_client
from tests.settlement.custody.named_lots import dealing
from tests.settlement.custody.test_custody import ask
from tests.settlement.custody.test_titles import holders, locked, states
from tests.settlement.rest import running
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, find_breaks, refused
from tests.settlement.stages import Preparation

HOUR_MS = 3_600_000


@pytest.fixture
def preparation() -> Preparation:
    return dealing


class Desk(NamedTuple):
    """A gateway beside an exchange, with a member's client for A.H and one for B.H; ``engine`` applies commands."""

    exchange: SmallExchange
    server: GatewayServer
    seller: ExchangeClient
    buyer: ExchangeClient
    operators: dict[str, Key]

    async def propose(self, side: str, lots: list[int], quantity: str, name: str, **more: Any) -> Any:
        client, parties = (self.seller, ("A.H", "B.H")) if side == "sell" else (self.buyer, ("B.H", "A.H"))
        until = int(time.time() * 1_000) + HOUR_MS
        terms = {"quantity": quantity, "price": "600.00", "expire_at": until, "lots": lots, **more}
        return await client.propose_deal(*parties, "AU", side, client_deal_id=name, **terms)

    async def annul(self, who: str, trade_id: int, status: int = 200) -> Any:
        """Ask for the annulment of a trade as one of two operators."""
        headers = {"Authorization": f"Bearer {self.operators[who].bearer_token()}"}
        body = {"method": "trade.bust", "params": {"trade_id": trade_id, "reason": "wrong lots"}}
        async with http_client(self.server.url, timeout=60) as http:
            answer = await http.post("/v1/operator/commands", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def freed(self) -> None:
        """Wait until no lot is kept for a deal."""
        async with asyncio.timeout(30):
            while await locked(self.exchange):
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def following(exchange: SmallExchange) -> AsyncIterator[None]:
    """Let the core apply what comes."""
    task = asyncio.create_task(exchange.engine_runner.follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest_asyncio.fixture
async def desk(exchange: SmallExchange, migrated_url: str, valkey_url: str, shard: str) -> AsyncIterator[Desk]:
    keys = {name: Key.generate(name) for name in ("A", "B", "ada", "ben")}
    async with exchange.engine.begin() as connection:
        await registry.add_member(connection, "test", "B", "B")
        for name in ("A", "B"):
            await registry.add_key(connection, "test", name, keys[name].public_bytes, member_code=name)
        for name in ("ada", "ben"):
            await registry.add_staff(connection, "test", name, name, ["operate"])
            public = keys[name].public_bytes
            await registry.add_key(connection, "test", name, public, staff_code=name, permissions=["operate"])
    settings = Settings(gateway_port=0, shard=shard, staff_process=False, allow_weak_durability=True)
    async with (
        running(settings, valkey_url, migrated_url) as server,
        connect(server.url, keys["A"]) as seller,
        connect(server.url, keys["B"]) as buyer,
    ):
        yield Desk(exchange, server, seller, buyer, keys)


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
        assert await refusal(desk.propose("buy", [1, 3], "199.8", "d")) == ("LOT_BOUND", "lots", 3)
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
    """Nothing is bound by the proposal; the seller's acceptance keeps the lots, or says what prevents it."""
    exchange = desk.exchange
    async with following(exchange):
        assert await refusal(desk.propose("buy", [1], "99.8", "p")) == ("BAD_QUANTITY", "quantity", "99.8")
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


async def test_a_command_that_is_not_placed_frees_its_lots(desk: Desk) -> None:
    """The journal takes no command: the gateway says so, and the lots are as free as before."""
    desk.server.gateway.sequencer.available = False
    assert (await refusal(desk.propose("sell", [1], "99.9", "d1")))[0] == "UNAVAILABLE"
    desk.server.gateway.sequencer.available = True
    await desk.freed()
    assert await states(desk.exchange) == ["RELEASED"]

"""Keys without the database: the market can be stopped, keys log on and are revoked, and their age is shown."""

import asyncio

import httpx
import pytest

from goldx.client.errors import ConnectionLost, ExchangeError
from goldx.client.keys import Key
from goldx.client.session import ExchangeClient, connect
from goldx.streams import redis_client
from goldx.streams.keys import Keys
from settlement.base import database, registry, standings
from tests.api.conftest import until
from tests.api.edge.frozen import Venue, frozen
from tests.registered import find_principal


async def ask_on(member: ExchangeClient, account: str) -> None:
    """Ask until the connection ends."""
    while True:
        await member.holdings(account)
        await asyncio.sleep(0.01)


async def test_the_market_is_stopped_while_the_database_is_frozen(venue: Venue) -> None:
    services, desk = venue.services, venue.desk
    register = desk.server.gateway.register
    with frozen(venue.postgres):
        await until(lambda: register.away)
        async with services.member(desk.server) as member, asyncio.timeout(30):
            placed = await member.place(desk.a, desk.symbol, "buy", price="600.00", quantity="1")
            assert placed["order"]["status"] == "open"
            assert member.identity["keys_age_ms"] > 0
            await services.operate(desk.server, "member.halt", member="FIRM-A")
            (killed, *_) = await services.operate(desk.server, "member.kill", member="FIRM-A")
            assert killed["event"] == "member.killed"
            (halted, *_) = await services.operate(desk.server, "market.set_phase", symbol=desk.symbol, phase="halted")
            assert halted["phase"] == "halted"
        async with httpx.AsyncClient(trust_env=False) as http:
            status = (await http.get(f"{desk.server.url}/v1/status")).json()
            metrics = (await http.get(f"{desk.server.url}/metrics")).text
        assert status["keys_age_ms"] > 0
        assert "goldx_keys_age_seconds" in metrics
    await until(lambda: not register.away)


async def test_a_gateway_that_starts_without_the_database_knows_the_keys_of_the_copy(venue: Venue) -> None:
    services, desk = venue.services, venue.desk
    await until(lambda: desk.server.gateway.register._copied_at > 0)
    with frozen(venue.postgres):
        await venue.revoke_over_streams("FIRM-B.key")
        other = await services.start_gateway("gateway-2")
        assert other.gateway.register.away
        assert other.gateway.register.age_ms is not None
        async with asyncio.timeout(30):
            (halted, *_) = await services.operate(other, "market.set_phase", symbol=desk.symbol, phase="halted")
            assert halted["phase"] == "halted"
            with pytest.raises(ExchangeError, match="NOT_PERMITTED"):
                await services.member(other, "FIRM-B").__aenter__()
            stranger = connect(other.url, Key.generate("unknown.key"))
            with pytest.raises(ExchangeError, match="UNAVAILABLE"):
                await stranger.__aenter__()


async def test_a_copy_that_cannot_be_read_is_not_used_and_ends_no_gateway(venue: Venue) -> None:
    services, desk = venue.services, venue.desk
    await until(lambda: desk.server.gateway.register._copied_at > 0)
    with frozen(venue.postgres):
        redis = redis_client.connect(services.valkey_url)
        await redis.hset(Keys(services.shard).known_keys, "principals", b'[{"of": "another version"}]')
        await redis.aclose()
        other = await services.start_gateway("gateway-2")
        assert other.gateway.register.age_ms is None
        with pytest.raises(ExchangeError, match="UNAVAILABLE"):
            await services.member(other).__aenter__()


async def test_a_key_is_revoked_while_the_database_is_frozen_and_the_register_learns_it(venue: Venue) -> None:
    services, desk = venue.services, venue.desk
    async with services.member(desk.server, "FIRM-B") as watcher, asyncio.timeout(60):
        member = services.member(desk.server)
        await member.__aenter__()
        await member.call("session.cancel_on_disconnect", enabled=True, grace_ms=60_000)
        await member.place(desk.a, desk.symbol, "buy", price="500.00", quantity="1", client_order_id="resting")
        gone = services.member(desk.server)
        async with gone:
            await gone.call("session.cancel_on_disconnect", enabled=True, grace_ms=60_000)
            await gone.place(desk.a, desk.symbol, "buy", price="501.00", quantity="1", client_order_id="in-grace")
        live = desk.server.gateway.view.accounts[desk.a].live
        assert len(live) == 2
        with frozen(venue.postgres):
            await until(lambda: desk.server.gateway.register.away)
            assert "at the gateways" in await venue.type("key", "revoke", "FIRM-A.key", "--reason", "lost")
            await until(lambda: not live)
            with pytest.raises(ConnectionLost):
                await ask_on(member, desk.a)
            with pytest.raises(ExchangeError, match="NOT_PERMITTED"):
                await services.member(desk.server).__aenter__()
            await watcher.holdings(desk.b)
        await member.__aexit__(None, None, None)
        engine = database.connect(services.database_url)
        while await find_principal(engine, "FIRM-A.key") is not None:
            await asyncio.sleep(0.05)
        await engine.dispose()


async def test_a_key_that_was_just_registered_logs_on_and_one_revoked_in_sql_is_ended(venue: Venue) -> None:
    services, desk = venue.services, venue.desk
    engine = database.connect(services.database_url)
    key = Key.generate("FIRM-A.second")
    async with engine.begin() as connection:
        await registry.add_key(connection, "test", key.key_id, key.public_bytes, member_code="FIRM-A")
    async with connect(desk.server.url, key) as member:
        assert member.identity["member"] == "FIRM-A"
        async with engine.begin() as connection:
            await standings.write(connection, standings.new_notice("revoke", "key", key.key_id, "test", "lost"))
        with pytest.raises(ConnectionLost):
            await ask_on(member, desk.a)
    await engine.dispose()

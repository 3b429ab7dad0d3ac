"""Keys without the database: the market can be stopped, keys log on and are revoked, and their age is shown."""

import asyncio
import json
from pathlib import Path

import pytest
from websockets.asyncio.client import connect as open_socket

from goldx.client.errors import ConnectionLost, ExchangeError
from goldx.client.keys import Key
from goldx.client.session import ExchangeClient, connect
from goldx.streams import redis_client
from goldx.streams.keys import Keys
from settlement.base import database, registry, standings
from tests.api.conftest import until
from tests.api.edge.frozen import Venue, frozen
from tests.api.gateway_process import OtherGateway
from tests.api.sessions.test_log_ons import pair
from tests.http_client import http_client
from tests.registered import find_principal

FLOODS = 8
"""Connections that do nothing but log on with a wrong signature, each from an address of its own."""
MOST_MB = 40
""" 160,000 log-ons that waited for the database once took 1,200 MB."""


def resident_mb(pid: int) -> int:
    """Return the memory that a process uses."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1_024


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
        async with http_client(timeout=60) as http:
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


@pytest.mark.campaign
async def test_a_revocation_takes_effect_while_a_flood_of_log_ons_waits_for_the_database(venue: Venue) -> None:
    """Nor does the flood fill the memory, or keep another member from logging on."""
    services, desk = venue.services, venue.desk
    flooded = OtherGateway(services, "gateway-flooded")
    url = await flooded.start()
    refused: list[int] = [0] * FLOODS
    sent = 0

    async def flood(number: int) -> None:
        nonlocal sent
        address = f"{url}/ws".replace("http", "ws")
        async with open_socket(address, proxy=None, local_addr=(f"127.0.1.{number}", 0), max_queue=None) as attacker:

            async def read() -> None:
                async for message in attacker:
                    error = json.loads(message).get("error")
                    refused[number] += error is not None and error["data"]["reason"] == "RATE_LIMITED"

            reading = asyncio.create_task(read())
            try:
                while True:
                    for request in pair(sent):
                        await attacker.send(request)
                    sent += 1
                    await asyncio.sleep(0)
            finally:
                reading.cancel()

    member = connect(url, services.keys["FIRM-A"])
    await member.__aenter__()
    await member.call("session.cancel_on_disconnect", enabled=True, grace_ms=60_000)
    await member.place(desk.a, desk.symbol, "buy", price="500.00", quantity="1", client_order_id="resting")
    live = desk.server.gateway.view.accounts[desk.a].live
    await until(lambda: bool(live))
    before = resident_mb(flooded.process.pid)
    floods = [asyncio.create_task(flood(number)) for number in range(FLOODS)]
    with frozen(venue.postgres):
        async with asyncio.timeout(60):
            await until(lambda: min(refused) > 0)
            await venue.revoke_over_streams("FIRM-A.key")
            await until(lambda: not live)
            with pytest.raises(ConnectionLost):
                await ask_on(member, desk.a)
            async with connect(url, services.keys["FIRM-B"]) as honest:
                assert honest.identity["member"] == "FIRM-B"
        assert not any(task.done() for task in floods)
        grown = resident_mb(flooded.process.pid) - before
    for task in floods:
        task.cancel()
    await asyncio.gather(*floods, return_exceptions=True)
    await flooded.kill()
    print(f"{sent} requests, {sum(refused)} refused, {grown} MB")
    assert grown < MOST_MB
    await member.__aexit__(None, None, None)

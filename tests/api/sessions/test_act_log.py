"""Log-ons, failed ones, ends of sessions and operators' commands with their reasons are in the audit log, each once."""

import asyncio
import json
import time
from typing import Any

import pytest

from api.sessions.act_log import FAILURES_AT_ONCE, ActLog
from goldx.client.errors import ExchangeError
from goldx.client.keys import Key
from goldx.client.session import connect
from goldx.streams import redis_client
from goldx.streams.keys import Keys
from settlement.base import audit, database
from settlement.service.recorded_acts import write_acts
from tests.api.conftest import Desk, ShardServices, until
from tests.api.sessions.in_process import InProcessGateway


async def audited(services: ShardServices) -> list[Any]:
    """Write the acts recorded by gateways, check the audit log's chain, and return the whole log."""
    engine, redis = database.connect(services.database_url), redis_client.connect(services.valkey_url)
    while await write_acts(engine, redis, Keys(services.shard)):
        pass
    assert await redis.xlen(Keys(services.shard).acts) == 0
    async with engine.connect() as connection:
        await audit.verify(connection)
        rows = list(await audit.listing(connection))
    await redis.aclose()
    await engine.dispose()
    return rows


async def test_log_ons_failed_ones_and_ends_are_audited_once(own_desk: Desk) -> None:
    services, server = own_desk.services, own_desk.server
    async with services.member(server):
        pass
    stranger = connect(server.url, Key.generate("nobody.key"))
    with pytest.raises(ExchangeError):
        await stranger.__aenter__()
    acts = server.gateway._acts
    await until(lambda: not acts._waiting and not len(server.gateway.sessions))
    found = [row for row in await audited(services) if row.action.startswith("session.")]
    assert [(row.actor, row.action, row.subject) for row in found] == [
        ("FIRM-A", "session.log_on", "FIRM-A.key"),
        ("FIRM-A", "session.end", "FIRM-A.key"),
        ("unknown", "session.refused", "nobody.key"),
    ]
    details = [json.loads(row.detail) for row in found]
    assert all(detail["gateway"] == "gateway-1" and detail["address"] == "127.0.0.1" for detail in details)
    assert details[1]["reason"] == "the connection ended"
    assert len([row for row in await audited(services) if row.action.startswith("session.")]) == 3


async def test_every_command_of_an_operator_is_audited_with_its_reason(own_desk: Desk) -> None:
    services, server, symbol = own_desk.services, own_desk.server, own_desk.symbol
    acts = [
        ("member.halt", {"member": "FIRM-B"}, "FIRM-B"),
        ("member.kill", {"member": "FIRM-B"}, "FIRM-B"),
        ("market.set_reference", {"symbol": symbol, "price": "601.00"}, symbol),
        ("market.set_phase", {"symbol": symbol, "phase": "closed"}, symbol),
    ]
    for number, (method, params, _) in enumerate(acts):
        await services.operate(server, method, reason=f"case {number}", **params)
    async with connect(server.url, services.keys["op"]) as operator:
        await operator.call("market.set_phase", symbol=symbol, phase="pre_open", reason="over the WebSocket")
        await operator.call("market.set_phase", symbol=symbol, phase="closed", reason="and again")
    found = [row for row in await audited(services) if json.loads(row.detail or "null")]
    recorded = {json.loads(row.detail).get("reason"): row for row in found if row.actor == "op"}
    for number, (method, params, subject) in enumerate(acts):
        row = recorded[f"case {number}"]
        assert (row.action, row.subject) == (method, subject)
        assert params.items() <= json.loads(row.detail)["params"].items()
        assert json.loads(row.detail)["key_id"] == "op.key"
    assert recorded["over the WebSocket"].number < recorded["and again"].number


@pytest.mark.parametrize("reason", [None, "", "  ", "x" * 201, 7, "two\nlines"])
async def test_a_command_without_a_reason_is_not_placed(own_desk: Desk, reason: Any) -> None:
    services, server = own_desk.services, own_desk.server
    refused = await services.ask_operator(server, "member.kill", {"member": "FIRM-A", "reason": reason})
    assert refused.status_code == 422
    assert refused.json()["field"] == "reason"
    async with connect(server.url, services.keys["op"]) as operator:
        with pytest.raises(ExchangeError, match="reason"):
            await operator.call("member.kill", member="FIRM-A", reason=reason)
    async with services.member(server) as member:
        placed = await member.place(own_desk.a, own_desk.symbol, "buy", price="500.00", quantity="1")
        assert placed["order"]["status"] == "open"
    assert "member.kill" not in [row.action for row in await audited(services)]


async def test_what_waits_is_recorded_once_though_the_gateway_stops_meanwhile(valkey_url: str, shard: str) -> None:
    redis, keys = redis_client.connect(valkey_url), Keys(shard)
    acts = ActLog(redis, keys, "gateway-1")
    for number in range(50):
        acts._add("FIRM-A", "session.end", f"key-{number}", {})
    working = asyncio.create_task(acts.run())
    await until(lambda: len(acts._waiting) < 50)
    await acts.drain()
    assert not acts._waiting
    await asyncio.sleep(0)
    assert not working.done()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    written: Any = await redis.xrange(keys.acts)
    entries = [b"".join(fields.values()) for _, fields in written]
    assert [sum(f'key-{number}"'.encode() in entry for entry in entries) for number in range(50)] == [1] * 50
    await redis.aclose()


async def test_of_a_flood_of_failed_log_ons_the_rest_is_counted(valkey_url: str, shard: str) -> None:
    redis = redis_client.connect(valkey_url)
    acts = ActLog(redis, Keys(shard), "gateway-1")
    session = InProcessGateway(fast=True).session
    for _ in range(FAILURES_AT_ONCE + 50):
        acts.failed(session, "guessed.key", "no")
    assert FAILURES_AT_ONCE <= len(acts._waiting) <= FAILURES_AT_ONCE + 2
    left = acts._unrecorded
    assert left >= 48
    acts._failures.spend(time.monotonic(), -1)
    acts.failed(session, "guessed.key", "no")
    assert acts._waiting[-1].detail["unrecorded_before"] == left
    await redis.aclose()

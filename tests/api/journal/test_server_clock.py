"""The clock of the journal's server is set forward and back under a real gateway and a real engine."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from goldx.client.errors import ExchangeError
from goldx.hosting.servers import Server
from tests.api.conftest import Desk, build, until
from tests.http_client import http_client
from tests.moved_clock import MovedClock

HOUR = 3_600
LIMIT_MS = 10_000


@contextlib.asynccontextmanager
async def desk_on(valkey_url: str, postgres_url: str) -> AsyncIterator[Desk]:
    async with contextlib.AsyncExitStack() as cleanup:
        services = await build(cleanup, valkey_url, postgres_url)
        desk = Desk(services, await services.start_gateway(clock_offset_limit_ms=LIMIT_MS), 1)
        await desk.open()
        yield desk


async def metrics(desk: Desk) -> dict[str, float]:
    async with http_client(desk.server.url, timeout=60) as http:
        text = (await http.get("/metrics")).text
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


async def offset_of_metrics(desk: Desk, seconds: int) -> dict[str, float]:
    """Return the metrics once they show a new measurement of the clock."""
    while abs((found := await metrics(desk))["goldx_clock_offset_seconds"] - seconds) > LIMIT_MS / 1_000:
        await asyncio.sleep(0.2)
    return found


@pytest.mark.parametrize("moved", [HOUR, -HOUR], ids=["forward", "back"])
async def test_commands_are_refused_rather_than_dated_wrongly(
    moved_valkey: Server,
    moved_redis: Redis,
    moved_clock: MovedClock,
    servers: tuple[Server, Server],
    capfd: pytest.CaptureFixture[str],
    moved: int,
) -> None:
    """An order that is good for another half an hour does not expire, whatever commands and ticks come."""
    async with desk_on(moved_valkey.url, servers[1].url) as desk, desk.services.member(desk.server) as member:
        expire_at = int(time.time() * 1_000) + 1_800_000
        good_till: dict[str, Any] = {"time_in_force": "GTD", "expire_at": expire_at}
        placed = await member.place(desk.a, desk.symbol, "buy", "1", "590.00", "lasting", **good_till)
        await moved_clock.set(moved_redis, moved)
        for attempt in ("at-once", "measured"):
            with pytest.raises(ExchangeError) as refused:
                await member.place(desk.a, desk.symbol, "buy", "1", "590.00", attempt)
            assert refused.value.reason == "UNAVAILABLE"
            assert "clock" in str(refused.value), refused.value
            shown = await offset_of_metrics(desk, moved)
        assert shown["goldx_taking_orders"] == 0
        assert (await member.call("order.get", account=desk.a, client_order_id="lasting"))["order"]["status"] == "open"
        assert "would get a wrong date" in capfd.readouterr().out

        await moved_clock.set(moved_redis, 0)
        assert (await offset_of_metrics(desk, 0))["goldx_clock_offset_seconds"] < 5
        await until(lambda: desk.server.gateway.sequencer.refusing is None)
        again = await member.place(desk.a, desk.symbol, "buy", "1", "590.00", "at-once")
        assert again["order"]["status"] == "open"
        assert abs(again["order"]["at"] - time.time() * 1_000) < LIMIT_MS
        still = (await member.call("order.get", account=desk.a, client_order_id="lasting"))["order"]
        assert (still["order_id"], still["status"]) == (placed["order"]["order_id"], "open")

"""The journal's disk runs full: orders are refused with the reason, nothing is lost, and space ends it."""

import asyncio
import re
import shutil
from functools import partial
from pathlib import Path

import pytest

from goldx.hosting.servers import Server
from goldx.hosting.service import RestartedServer
from goldx.hosting.valkey import start_valkey
from goldx.streams import redis_client
from tests.api.conftest import until
from tests.api.journal.proxied import OrderOutcomes, proxied_gateway


def fill(folder: Path, leave: int) -> Path:
    """Write a file that leaves the given number of bytes of a file system free; return its path."""
    ballast = folder / "ballast"
    free = shutil.disk_usage(folder).free
    ballast.write_bytes(bytes(max(0, free - leave)))
    return ballast


async def test_orders_are_refused_on_a_nearly_full_disk_and_cancels_are_not(
    small_disk: Path, servers: tuple[Server, Server]
) -> None:
    valkey = await start_valkey(small_disk / "valkey")
    async with proxied_gateway(valkey, servers[1], disk_reserve_mb=8) as proxied, proxied.member() as member:
        outcomes, desk = OrderOutcomes(proxied), proxied.desk
        await outcomes.order(member, "before")
        ballast = fill(small_disk, 4 << 20)
        await until(lambda: proxied.server.gateway.sequencer._pressure.disk_full is not None)
        await outcomes.order(member, "full")
        assert re.search(r"disk is nearly full \([34] MB left, 8 MB are kept free\)", str(outcomes.refused["full"]))
        assert outcomes.refused["full"].data["retry_after_ms"] == 1_000, "waiting does not make room"
        assert (await member.cancel(desk.a, client_order_id="before"))["order"]["status"] == "cancelled"
        ballast.unlink()
        await until(lambda: proxied.server.gateway.sequencer._pressure.disk_full is None)
        await outcomes.order(member, "after")
        assert set(outcomes.accepted) == {"before", "after"}
    await valkey.stop()


@pytest.mark.faults
async def test_no_order_is_lost_when_the_disk_is_full_and_then_has_space_again(
    small_disk: Path, servers: tuple[Server, Server]
) -> None:
    """With fsync always, the server ends at the first write that does not fit, and is started again."""
    restarted = RestartedServer("valkey", partial(start_valkey, small_disk / "valkey"), print)
    await restarted.start()
    first = restarted.server.process
    async with proxied_gateway(restarted.server, servers[1], disk_reserve_mb=0) as proxied, proxied.member() as member:
        outcomes = OrderOutcomes(proxied)
        await outcomes.order(member, "before")
        ballast = fill(small_disk, 16 << 10)
        orders: list[asyncio.Task[None]] = []
        while not outcomes.refused:
            orders.append(asyncio.create_task(outcomes.order(member, f"n{len(orders)}")))
            await asyncio.sleep(0.05)
        assert "the journal is not reachable" in outcomes.first_refusal
        assert await first.wait() == 1
        ballast.unlink()
        await asyncio.gather(*orders)
        while "after" not in outcomes.accepted:
            await asyncio.sleep(0.1)
            await outcomes.order(member, "after")
        outcomes.refused.pop("after", None)
        await outcomes.check(member)
    await restarted.stop()


@pytest.mark.faults
async def test_the_error_of_a_server_that_refuses_to_write_is_in_the_refusal(
    small_disk: Path, servers: tuple[Server, Server]
) -> None:
    """With fsync every second, the server answers a write on a full disk with an error (MISCONF)."""
    valkey = await start_valkey(small_disk / "valkey")
    redis = redis_client.connect(valkey.url)
    await redis.config_set("appendfsync", "everysec")
    async with proxied_gateway(valkey, servers[1], disk_reserve_mb=0) as proxied, proxied.member() as member:
        outcomes = OrderOutcomes(proxied)
        await outcomes.order(member, "before")
        ballast = fill(small_disk, 0)
        # An order that the server still took waits for the engine, which cannot write either.
        orders: list[asyncio.Task[None]] = []
        while not outcomes.refused:
            orders.append(asyncio.create_task(outcomes.order(member, f"n{len(orders)}")))
            await asyncio.sleep(0.05)
        assert "the journal's server does not write" in outcomes.first_refusal
        ballast.unlink()
        await asyncio.gather(*orders)
        while "after" not in outcomes.accepted:
            await asyncio.sleep(0.1)
            await outcomes.order(member, "after")
        outcomes.refused.pop("after", None)
        await outcomes.check(member)
    await redis.aclose()
    await valkey.stop()

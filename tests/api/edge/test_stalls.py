"""Stalls of the event loop are counted, remembered for a minute, and shown."""

import asyncio
import time

import pytest

from api.app import GatewayServer
from api.edge import stalls
from api.edge.stalls import STALL_SECONDS, Stalls
from tests.api.conftest import until


async def test_a_stall_is_counted_and_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Stalls()
    assert (found.count, found.longest()) == (0, 0.0)
    watching = asyncio.create_task(found.watch())
    await asyncio.sleep(0)
    time.sleep(3 * STALL_SECONDS)  # noqa: ASYNC251 : the loop is held
    await until(lambda: found.count > 0)
    watching.cancel()
    assert found.longest() > STALL_SECONDS
    assert found.held >= found.longest()
    monkeypatch.setattr(stalls, "REMEMBERED_SECONDS", 0.0)
    assert found.longest() == 0.0
    assert found.count > 0


async def test_the_gateway_shows_its_stalls(gateway: GatewayServer) -> None:
    before = (await gateway.gateway.status())["stalls"]
    gateway.gateway.stalls.record(0.25)
    status = await gateway.gateway.status()
    assert status["stalls"] > before  # a busy machine may add stalls of its own
    assert status["longest_stall_ms"] >= 250

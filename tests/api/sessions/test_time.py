"""The gateway's time, and which version of the protocol it speaks."""

import time
from importlib.metadata import version
from typing import Any

import pytest

from api.sessions import exchange_time, sessions
from goldx.client.errors import ExchangeError
from goldx.client.session import connect
from goldx.protocol.version import PROTOCOL
from tests.api.conftest import Desk, until
from tests.http_client import http_client


def now() -> int:
    return time.time_ns() // 1_000_000


async def test_the_time_comes_with_the_newest_event_before_a_log_on_and_over_rest(desk: Desk) -> None:
    view = desk.server.gateway.view
    async with connect(desk.server.url) as visitor, desk.services.member(desk.server) as member:
        placed = await member.place(desk.a, desk.symbol, "buy", "1", "590.00")
        before = now()
        found = await visitor.time()
        async with http_client(desk.server.url) as http:
            over_rest = (await http.get("/v1/time")).json()
        after = now()
        for answer in (found, over_rest):
            assert set(answer) == {"time", "event_at", "sequence", "trouble"}
            assert before <= answer["time"] <= after
            assert answer["event_at"] >= placed["order"]["at"]
            assert answer["trouble"] is None
        assert found["sequence"] <= over_rest["sequence"] <= view.sequence
        with pytest.raises(ExchangeError, match="zone"):
            await visitor.call("exchange.time", zone="Asia/Shanghai")
        await member.place(desk.a, desk.symbol, "buy", "1", "590.00")
        assert (await visitor.time())["sequence"] > found["sequence"]


async def test_the_clock_is_the_gateways_and_not_the_journals(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_time, "now_ms", lambda: 5)
    monkeypatch.setattr(desk.server.gateway.view, "trouble", "no engine")
    async with connect(desk.server.url) as visitor:
        found = await visitor.time()
    assert (found["time"], found["trouble"]) == (5, "no engine")
    assert found["event_at"] == desk.server.gateway.view.at
    monkeypatch.undo()
    await until(lambda: desk.server.gateway.view.trouble is None)


async def test_a_log_on_says_the_versions_and_refuses_who_needs_a_newer_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for oldest in (None, 1, PROTOCOL):
        async with desk.services.member(desk.server, oldest_protocol=oldest) as member:
            assert (member.identity["protocol"], member.identity["version"]) == (PROTOCOL, version("goldx"))
    monkeypatch.setattr(sessions, "PROTOCOL", 7)
    async with desk.services.member(desk.server, oldest_protocol=7) as member:
        assert member.identity["protocol"] == 7
    refused = await refused_log_on(desk, 8)
    assert (refused.reason, refused.data["protocol"], refused.data["version"]) == ("PROTOCOL", 7, version("goldx"))
    assert "needs version 8" in str(refused)
    bad: Any
    for bad in (0, -1, "1", 1.5, True, 10**9):
        refused = await refused_log_on(desk, bad)
        assert (refused.reason, refused.data["field"]) == ("-32602", "protocol")


async def refused_log_on(desk: Desk, oldest: Any) -> ExchangeError:
    with pytest.raises(ExchangeError) as refused:
        await desk.services.member(desk.server, oldest_protocol=oldest).__aenter__()
    return refused.value

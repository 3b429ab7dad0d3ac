"""The status of the gateway and of the engines, and the same as Prometheus metrics."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from api.app import GatewayServer
from goldx.timetable import calendar
from goldx.timetable.venue_time import today
from tests.api.conftest import Desk, ShardServices
from tests.http_client import http_client


async def get(url: str) -> httpx.Response:
    async with http_client(timeout=60) as http:
        answer = await http.get(url)
    assert answer.status_code == 200, answer.text
    return answer


def samples_of(answer: httpx.Response) -> dict[str, Sample]:
    return {sample.name: sample for family in text_string_to_metric_families(answer.text) for sample in family.samples}


async def test_status_and_metrics_agree(services: ShardServices, gateway: GatewayServer, desk: Desk) -> None:
    await services.operate(gateway, "market.set_reference", symbol=desk.symbol, price="601.00")

    async def status() -> dict[str, Any]:
        found: dict[str, Any] = (await get(f"{gateway.url}/v1/status")).json()
        return found

    # The engine publishes its status twice a second.
    while not (shown := await status())["engines"] or shown["engines"][0]["sequence"] != shown["sequence"]:
        await asyncio.sleep(0.05)
    (engine,) = shown["engines"]
    assert (engine["role"], engine["epoch"], engine["chain_breaks"]) == ("leader", 1, 0)
    assert engine["durability"] == shown["durability"] == "appendonly=yes,appendfsync=always"
    assert shown["durable"] is True

    async with services.member(gateway):
        answer = await get(f"{gateway.url}/metrics")
        now = await status()
    assert answer.headers["content-type"].startswith("text/plain")
    samples = samples_of(answer)
    where = {"shard": services.shard, "gateway": "gateway-1"}
    assert samples["goldx_sequence"].labels == where
    assert samples["goldx_sequence"].value == now["sequence"]
    assert samples["goldx_sessions"].value == now["sessions"] > 0
    assert samples["goldx_commands_waiting"].value == 0
    assert samples["goldx_durability_full"].value == 1
    assert samples["goldx_taking_orders"].value == 1
    assert shown["stalls"] <= samples["goldx_loop_stalls_total"].value <= now["stalls"]
    assert samples["goldx_longest_stall_seconds"].value >= 0
    assert shown["refusing"] is None
    assert samples["goldx_lag_seconds"].value >= 0
    assert samples["goldx_engine_epoch"].value == 1
    assert samples["goldx_engine_epoch"].labels["role"] == "leader"
    assert samples["goldx_engine_sequence"].value == shown["sequence"]
    assert samples["goldx_engine_commands_total"].value >= engine["commands"]
    assert samples["goldx_engine_chain_breaks_total"].value == 0
    assert samples["goldx_engine_info"].labels["durability"] == engine["durability"]


async def test_status_metrics_and_log_show_refused_orders(
    gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.gateway.sequencer._pressure, "_free_bytes", lambda: 1 << 20)
    with structlog.testing.capture_logs() as logged:
        async with asyncio.timeout(20):
            while (reason := (await get(f"{gateway.url}/v1/status")).json()["refusing"]) is None:
                await asyncio.sleep(0.05)
        assert samples_of(await get(f"{gateway.url}/metrics"))["goldx_taking_orders"].value == 0
        monkeypatch.undo()
        while (await get(f"{gateway.url}/v1/status")).json()["refusing"] is not None:
            await asyncio.sleep(0.05)
    assert reason == "the journal's disk is nearly full (1 MB left, 64 MB are kept free)"
    events = [line["event"] for line in logged if line["event"].startswith("orders are")]
    assert events == ["orders are refused", "orders are taken again"]


async def test_status_and_metrics_say_how_long_the_calendar_lasts(services: ShardServices, tmp_path: Path) -> None:
    file = tmp_path / "calendar.csv"
    file.write_text(calendar.write(calendar.draft(today() - timedelta(days=9), today() + timedelta(days=60), "N")))
    gateway = await services.start_gateway("calendar", calendar_file=file)
    shown = (await get(f"{gateway.url}/v1/status")).json()["calendar"]
    assert shown["problem"] is None
    assert shown["days_left"] in (59, 60)
    assert samples_of(await get(f"{gateway.url}/metrics"))["goldx_calendar_days_left"].value in (59, 60)
    file.write_text("damaged")
    again = (await get(f"{gateway.url}/v1/status")).json()["calendar"]
    assert again["problem"] == "calendar.csv:1:1: the first line must be day,kind,notice"
    assert again["last"] == shown["last"]

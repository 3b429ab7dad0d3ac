"""How the gateway and the engines stand, for people and for Prometheus."""

import asyncio
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from api.app import GatewayServer
from tests.api.conftest import Desk, House


async def get(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(url)
    assert answer.status_code == 200, answer.text
    return answer


async def test_status_and_metrics_tell_the_same(house: House, gateway: GatewayServer, desk: Desk) -> None:
    await house.operate(gateway, "market.set_reference", symbol=desk.symbol, price="601.00")

    async def status() -> dict[str, Any]:
        found: dict[str, Any] = (await get(f"{gateway.url}/v1/status")).json()
        return found

    # The engine says how it stands twice a second; the gateway follows it at once.
    while not (told := await status())["engines"] or told["engines"][0]["sequence"] != told["sequence"]:
        await asyncio.sleep(0.05)
    (engine,) = told["engines"]
    assert (engine["role"], engine["epoch"], engine["chain_breaks"]) == ("leader", 1, 0)
    assert engine["durability"] == told["durability"] == "appendonly=yes,appendfsync=always"
    assert told["durable"] is True

    async with house.member(gateway):
        answer = await get(f"{gateway.url}/metrics")
        now = await status()
    assert answer.headers["content-type"].startswith("text/plain")
    samples = {
        sample.name: sample for family in text_string_to_metric_families(answer.text) for sample in family.samples
    }
    where = {"shard": house.shard, "gateway": "gateway-1"}
    assert samples["goldx_sequence"].labels == where
    assert samples["goldx_sequence"].value == now["sequence"]
    assert samples["goldx_sessions"].value == now["sessions"] > 0
    assert samples["goldx_commands_waiting"].value == 0
    assert samples["goldx_durability_full"].value == 1
    assert samples["goldx_lag_seconds"].value >= 0
    assert samples["goldx_engine_epoch"].value == 1
    assert samples["goldx_engine_epoch"].labels["role"] == "leader"
    assert samples["goldx_engine_sequence"].value == told["sequence"]
    assert samples["goldx_engine_commands_total"].value >= engine["commands"]
    assert samples["goldx_engine_chain_breaks_total"].value == 0
    assert samples["goldx_engine_info"].labels["durability"] == engine["durability"]

"""Settlement over REST, through a real gateway, with tokens that staff sign themselves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from api.app import GatewayServer
from goldx.client.keys import Key
from goldx.hosting.settings import Settings
from settlement.base import registry
from tests.settlement.engine_runner import EngineRunner
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, bars

CSV = {"Content-Type": "text/csv"}


class Desk:
    """REST calls in the name of a key."""

    def __init__(self, http: httpx.AsyncClient, keys: dict[str, Key]) -> None:
        self._http = http
        self._keys = keys

    async def __call__(self, who: str, method: str, path: str, status: int = 200, **more: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._keys[who].bearer_token()}", **more.pop("headers", {})}
        answer = await self._http.request(method, "/v1/settlement" + path, headers=headers, **more)
        assert answer.status_code == status, answer.text
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = answer.json()
        return found

    async def anybody(self, method: str, path: str, status: int = 200) -> dict[str, Any]:
        """Without a token; the whole path."""
        answer = await self._http.request(method, path)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def raw(self, who: str, path: str) -> bytes:
        """The bytes of an answer that is not JSON."""
        headers = {"Authorization": f"Bearer {self._keys[who].bearer_token()}"}
        answer = await self._http.get("/v1/settlement" + path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def content(self, who: str, path: str, **params: str) -> bytes:
        """The bytes of a file."""
        headers = {"Authorization": f"Bearer {self._keys[who].bearer_token()}"}
        answer = await self._http.get("/v1/settlement" + path, headers=headers, params=params)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"].startswith("attachment; filename")
        return answer.content


@pytest_asyncio.fixture
async def exchange(engine: AsyncEngine, engine_runner: EngineRunner, shard: str) -> SmallExchange:
    made = SmallExchange(engine, engine_runner, shard)
    await made.build()
    return made


@pytest_asyncio.fixture
async def desk(exchange: SmallExchange, settled_url: str, valkey_url: str, shard: str) -> AsyncIterator[Desk]:
    keys = {name: Key.generate(name) for name in (ONE, OTHER, "operator", "auditor", "M1")}
    async with exchange.engine.begin() as connection:
        await registry.add_staff(connection, "test", "operator", "Operator", ["operate"])
        await registry.add_staff(connection, "test", "auditor", "Auditor", ["supervise"])
        await registry.add_member(connection, "test", "M1", "Member one")
        for name, may in ((ONE, "settle"), (OTHER, "settle"), ("operator", "operate"), ("auditor", "supervise")):
            public = keys[name].public_bytes
            await registry.add_key(connection, "test", name, public, staff_code=name, permissions=[may])
        await registry.add_key(connection, "test", "M1", keys["M1"].public_bytes, member_code="M1")
    server = GatewayServer(Settings(gateway_port=0, shard=shard), valkey_url, settled_url)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.02)
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        yield Desk(http, keys)
    server.should_exit = True
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def test_a_working_day_over_rest(exchange: SmallExchange, desk: Desk) -> None:
    transfer = {"account": "B.H", "amount": "1000000.00", "bank_reference": "bank-1"}
    number = (await desk(ONE, "POST", "/cash", json=transfer))["proposal"]
    refused = await desk(ONE, "POST", f"/proposals/{number}/approve", 409)
    assert refused["reason"] == "SAME_PERSON"
    assert (await desk(OTHER, "POST", f"/proposals/{number}/approve"))["status"] == "APPROVED"
    assert (await desk("operator", "GET", "/status"))["outbox"] == 1
    await exchange.round_trip()
    status = await desk("operator", "GET", "/status")
    assert status == {
        "sequence": status["last_sequence"],
        "last_sequence": status["sequence"],
        "trades": 0,
        "outbox": 0,
    }

    wrong = await desk(*(ONE, "POST", "/bar-lists/declared", 422), content=bars([{"gross_g": "x"}]), headers=CSV)
    assert [(row["line"], row["column"]) for row in wrong["errors"]] == [(2, "gross_g")]
    data = bars([{"serial": f"A{n}"} for n in range(4)])
    taken = (await desk(ONE, "POST", "/bar-lists/declared", content=data, headers=CSV))["lots"]
    assert (await desk(ONE, "POST", "/bar-lists/measured", content=data, headers=CSV))["lots"] == taken
    number = (await desk(ONE, "POST", "/receipts", json={}))["proposal"]
    (waiting,) = (await desk("auditor", "GET", "/proposals"))["proposals"]
    assert waiting["summary"] == {"lots": 4, "fine_g": {"AU": "399.6"}}
    await desk(OTHER, "POST", f"/proposals/{number}/approve")
    await exchange.round_trip()
    found = (await desk("auditor", "GET", "/lots", params={"state": "RECEIPTED"}))["lots"]
    assert [row["fine"] for row in found] == ["99.9"] * 4

    await exchange.trade("B.H", "A.H", 60_000, 100)
    wish = {"account": "A.H", "symbol": "AU", "warehouse": "XM1", "weight": "199.8", "collector": "Carrier"}
    code = {"collector_id": "AB-1234567", "pickup_code": "271828"}
    number = (await desk(ONE, "POST", "/load-outs", json={**wish, **code, "code_again": "271828"}))["proposal"]
    await desk(OTHER, "POST", f"/proposals/{number}/approve")
    await exchange.round_trip()
    assert (await desk("auditor", "GET", "/load-outs/1"))["status"] == "SUCCESS"
    wrong = await desk(OTHER, "POST", "/load-outs/1/sign", 409, json={**code, "pickup_code": "1"})
    assert wrong["reason"] == "WRONG_CODE"
    assert (await desk("auditor", "GET", "/load-outs/1"))["wrong_codes"] == 1
    assert (await desk(OTHER, "POST", "/load-outs/1/sign", json=code))["status"] == "SIGNED"
    assert (await desk(ONE, "POST", "/load-outs/1/release"))["lots"] == taken[:2]
    assert (await desk("auditor", "GET", f"/lots/{taken[0]}"))["history"][-1]["step"] == "release"

    assert (await desk("auditor", "POST", "/reconciliations"))["breaks"] == []
    held = (await desk("auditor", "GET", "/balances", params={"account": "B.H"}))["balances"]
    assert {row["asset"]: row["balance"] for row in held} == {"CNY": "939994.00", "AU": "100"}
    assert (await desk("auditor", "GET", "/audit"))["entries"][-1]["action"] == "reconcile"


async def test_who_may_do_what(desk: Desk) -> None:
    transfer = {"account": "B.H", "amount": "1.00", "bank_reference": "bank-1"}
    for who in ("auditor", "operator", "M1"):
        assert (await desk(who, "POST", "/cash", 403, json=transfer))["reason"] == "NOT_PERMITTED"
    for who in ("operator", "M1"):
        await desk(who, "GET", "/lots", 403)
    await desk("M1", "GET", "/status", 403)
    bad = await desk(ONE, "POST", "/cash", 422, json={**transfer, "amount": "1.005"})
    assert bad["reason"] == "BAD_VALUE"
    assert "amount" in bad["detail"]
    await desk(ONE, "POST", "/cash", 422, json={**transfer, "account": "X.H"})
    await desk(ONE, "GET", "/lots/99", 422)
    assert (await desk(ONE, "GET", "/proposals"))["proposals"] == []

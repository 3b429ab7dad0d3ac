"""How a test calls the REST of settlement."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx

from api.app import GatewayServer
from goldx.client.keys import Key
from goldx.hosting.settings import Settings
from settlement.base import registry
from tests.http_client import http_client
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange

JSON = dict[str, Any]


class Rest:
    """REST calls in the name of a key."""

    def __init__(self, http: httpx.AsyncClient, keys: dict[str, Key]) -> None:
        self._http = http
        self._keys = keys

    async def __call__(self, who: str, method: str, path: str, status: int = 200, **more: Any) -> JSON:
        """Call a path under ``/v1/settlement``; the answer must have that status, a problem unless it is 200."""
        headers = {**self._authorization(who), **more.pop("headers", {})}
        answer = await self._http.request(method, "/v1/settlement" + path, headers=headers, **more)
        assert answer.status_code == status, answer.text
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"
        found: JSON = answer.json()
        return found

    async def own(self, who: str, method: str, path: str, status: int = 200, **more: Any) -> JSON:
        """Call a whole path in the name of a key."""
        headers = {**self._authorization(who), **more.pop("headers", {})}
        answer = await self._http.request(method, path, headers=headers, **more)
        assert answer.status_code == status, answer.text
        found: JSON = answer.json()
        return found

    async def anybody(self, method: str, path: str, status: int = 200) -> JSON:
        """Call a whole path without a token."""
        answer = await self._http.request(method, path)
        assert answer.status_code == status, answer.text
        found: JSON = answer.json()
        return found

    async def public_file(self, path: str) -> bytes:
        """Return the bytes of a file that anybody reads, given its whole path."""
        answer = await self._http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def raw(self, who: str, path: str) -> bytes:
        """Return the bytes of an answer that is not JSON."""
        answer = await self._http.get("/v1/settlement" + path, headers=self._authorization(who))
        assert answer.status_code == 200, answer.text
        return answer.content

    async def content(self, who: str, path: str, **params: str) -> bytes:
        """Return the bytes of a file."""
        answer = await self._http.get("/v1/settlement" + path, headers=self._authorization(who), params=params)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"].startswith("attachment; filename")
        return answer.content

    def _authorization(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._keys[who].bearer_token()}"}


@contextlib.asynccontextmanager
async def serving(
    exchange: SmallExchange, settings: Settings, valkey_url: str, database_url: str
) -> AsyncIterator[tuple[Rest, GatewayServer]]:
    """Start a gateway beside an exchange; there are keys of two clerks, an operator, an auditor and a member."""
    keys = {name: Key.generate(name) for name in (ONE, OTHER, "operator", "auditor", "M1")}
    async with exchange.engine.begin() as connection:
        await registry.add_staff(connection, "test", "operator", "Operator", ["operate"])
        await registry.add_staff(connection, "test", "auditor", "Auditor", ["supervise"])
        await registry.add_member(connection, "test", "M1", "Member one")
        for name, may in (
            (ONE, "settle"),
            (OTHER, "settle warehouse"),
            ("operator", "operate"),
            ("auditor", "supervise"),
        ):
            public = keys[name].public_bytes
            await registry.add_key(connection, "test", name, public, staff_code=name, permissions=may.split())
        await registry.add_key(connection, "test", "M1", keys["M1"].public_bytes, member_code="M1")
    async with (
        running(settings, valkey_url, database_url) as server,
        http_client(server.url, timeout=60) as http,
    ):
        yield Rest(http, keys), server


@contextlib.asynccontextmanager
async def running(settings: Settings, valkey_url: str, database_url: str) -> AsyncIterator[GatewayServer]:
    """Run a gateway in this process."""
    server = GatewayServer(settings, valkey_url, database_url)
    serve = asyncio.create_task(server.serve())
    while not server.started:
        assert not serve.done()
        await asyncio.sleep(0.02)
    try:
        yield server
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await serve

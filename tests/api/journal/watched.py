"""A gateway as a monitor asks it."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from redis.asyncio import Redis

from goldx.hosting.servers import Server
from goldx.protocol.commands import ClockTick
from goldx.streams import redis_client
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from tests.api.journal.proxied import ProxiedGateway, proxied_gateway
from tests.http_client import http_client


class Watched:
    """A gateway as a monitor asks it; between it and the journal's server there is a proxy."""

    def __init__(self, behind: ProxiedGateway, http: httpx.AsyncClient, redis: Redis) -> None:
        self.behind = behind
        self.redis = redis
        self._http = http
        self._ticks = 0

    async def health(self) -> tuple[int, dict[str, Any]]:
        answer = await self._http.get("/health")
        return answer.status_code, answer.json()

    async def status(self) -> dict[str, Any]:
        answer = await self._http.get("/v1/status")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def metrics(self) -> list[Sample]:
        answer = await self._http.get("/metrics")
        assert answer.status_code == 200, answer.text
        return [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]

    async def value(self, name: str) -> float:
        (found,) = (sample.value for sample in await self.metrics() if sample.name == name)
        return found

    async def tick(self) -> str:
        """Append what has no events, as an idle leader does; return its position."""
        self._ticks += 1
        journal = Journal(self.redis, Keys(self.behind.services.shard))
        return str(await journal.append(CommandFrame("engine.test", self._ticks, (ClockTick(),))))


@contextlib.asynccontextmanager
async def watched_gateway(servers: tuple[Server, Server]) -> AsyncIterator[Watched]:
    """Start a gateway behind a proxy, and ask it."""
    redis = redis_client.connect(servers[0].url)
    async with (
        proxied_gateway(*servers) as behind,
        http_client(behind.server.url, timeout=30) as http,
    ):
        yield Watched(behind, http, redis)
        behind.proxy.release()
    await redis.aclose()

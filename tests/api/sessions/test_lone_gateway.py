"""The engine closes the sessions of gateways that die, where no gateway is left and where several notice it."""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from api.view.view import View
from goldx.client.session import ExchangeClient, connect
from goldx.hosting.servers import Server
from goldx.protocol.commands import SessionClose
from goldx.streams import redis_client
from goldx.streams.entries import BEGINNING
from goldx.streams.frames import decode_commands
from goldx.streams.history import WholeEvents
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.registrations import Registrations
from tests.api.conftest import Desk, build
from tests.api.gateway_process import OtherGateway
from tests.api.sessions.test_ends import place, until_gone

LOST = "gateway-mortal"
IMPATIENT = """
from goldx.streams import gateway_entries
from matching.run import left_sessions
gateway_entries.LOST_READS, left_sessions.PATIENCE = 6, 0
from goldx.cli import main
main()
"""
"""The program ``goldx`` that notices a lost gateway sooner than usual, with an engine that waits for no other."""


class Venue:
    """An exchange on which no gateway runs, and what its streams say."""

    def __init__(self, desk: Desk, redis: Redis) -> None:
        self.desk = desk
        self.redis = redis
        self.keys = Keys(desk.services.shard)
        self.registrations = Registrations(redis, self.keys, "test")
        self._view = View()
        self._events = WholeEvents(redis, self.keys, None)

    async def until_open(self, *names: str) -> None:
        """Wait until these orders of the first member are open, and no others."""
        while set(names) != await self._open():
            await asyncio.sleep(0.02)

    async def _open(self) -> set[str]:
        while frames := await self._events.read(self._view.sequence, 500):
            for frame in frames:
                self._view.apply(frame, lambda *_: ())
        return {order.client_order_id for order in self._view.accounts[self.desk.a].live.values()}

    async def closes(self) -> Counter[str]:
        """Return how often each session was closed."""
        entries = await Journal(self.redis, self.keys).read(BEGINNING, 100_000)
        commands = [command for _, data in entries for command in decode_commands(data).commands]
        return Counter(command.session for command in commands if isinstance(command, SessionClose))

    async def member(self, url: str, **settings: Any) -> ExchangeClient:
        client = connect(url, self.desk.services.keys["FIRM-A"])
        await client.__aenter__()
        if settings:
            await client.call("session.cancel_on_disconnect", **settings)
        return client


def name_of(client: ExchangeClient) -> str:
    return f"FIRM-A.key/{client.identity['session']}"


@contextlib.asynccontextmanager
async def opened(servers: tuple[Server, Server], template: str) -> AsyncIterator[Venue]:
    """Open a venue, and stop all of it."""
    async with contextlib.AsyncExitStack() as cleanup:
        services = await build(cleanup, servers[0].url, servers[1].url, template, IMPATIENT)
        server = await services.start_gateway()
        desk = Desk(services, server, 1)
        await desk.open()
        await services.stop_gateway(server)
        redis = redis_client.connect(services.valkey_url)
        cleanup.push_async_callback(redis.aclose)
        yield Venue(desk, redis)


async def test_the_sessions_of_the_only_gateway_are_closed_though_none_comes_back(
    servers: tuple[Server, Server], template: str
) -> None:
    """After their grace; what was to outlive its session stays, and a session in its grace goes on elsewhere."""
    async with opened(servers, template) as venue:
        lone = OtherGateway(venue.desk.services, LOST)
        url = await lone.start()
        plain = await venue.member(url)
        await place(plain, venue.desk, "plain")
        await plain.place(venue.desk.a, venue.desk.symbol, "buy", "1", "1.00", client_order_id="outlives", persist=True)
        lasting = await venue.member(url, enabled=False)
        await place(lasting, venue.desk, "lasting")
        brief, patient = [await venue.member(url, enabled=True, grace_ms=60_000) for _ in range(2)]
        await place(brief, venue.desk, "brief")
        await place(patient, venue.desk, "patient")
        await lone.kill()
        await venue.until_open("outlives", "lasting", "brief", "patient")

        sessions = venue.keys.sessions(LOST)
        while {name_of(brief), name_of(patient)} != (found := await venue.registrations.of(LOST)).keys() or any(
            one.registration.ended_at is None for one in found.values()
        ):
            await asyncio.sleep(0.02)
        known, long_ago = found[name_of(brief)].registration, time.time_ns() // 1_000_000 - 60_000
        assert await venue.registrations.change(name_of(brief), known, LOST, ended_at=long_ago)
        await venue.until_open("outlives", "lasting", "patient")

        other = OtherGateway(venue.desk.services, "gateway-new")
        again = connect(await other.start(), venue.desk.services.keys["FIRM-A"])
        again._connection._session = patient._connection._session
        async with again:
            assert (name_of(again), again.identity["grace_ms"]) == (name_of(patient), 60_000)
            await venue.until_open("outlives", "lasting", "patient")
            await again.call("session.cancel_on_disconnect", enabled=True, grace_ms=0)
        await venue.until_open("outlives", "lasting")
        await until_gone(venue.redis, sessions)
        assert await venue.closes() == {name_of(plain): 1, name_of(brief): 1, name_of(patient): 1}
        await other.kill()
        for client in (plain, lasting, brief, patient):
            await client.__aexit__(None, None, None)


@pytest.mark.campaign
async def test_a_session_is_closed_once_though_two_gateways_and_the_engine_notice_the_loss(
    servers: tuple[Server, Server], template: str
) -> None:
    async with opened(servers, template) as venue:
        names = (LOST, "gateway-2", "gateway-3")
        mortal, *others = gateways = [OtherGateway(venue.desk.services, name, IMPATIENT) for name in names]
        url, *_ = await asyncio.gather(*(gateway.start() for gateway in gateways))
        clients = [await venue.member(url) for _ in range(12)]
        for number, client in enumerate(clients):
            await place(client, venue.desk, f"of-{number}")
        await mortal.kill()
        await venue.until_open()
        await until_gone(venue.redis, venue.keys.sessions(LOST))
        assert await venue.closes() == dict.fromkeys(map(name_of, clients), 1)
        for gateway in others:
            await gateway.kill()
        for client in clients:
            await client.__aexit__(None, None, None)


@pytest.mark.campaign
async def test_a_frozen_gateway_appends_nothing_once_its_sessions_are_closed(
    servers: tuple[Server, Server], template: str
) -> None:
    """It refuses what waited in its sockets when it goes on, and leaves no order of a session that has ended."""
    async with opened(servers, template) as venue:
        lone = OtherGateway(venue.desk.services, LOST)
        member = await venue.member(await lone.start())
        await place(member, venue.desk, "before")
        assert lone.process is not None
        lone.process.send_signal(signal.SIGSTOP)
        late = [asyncio.create_task(place(member, venue.desk, f"late-{number}")) for number in range(5)]
        await venue.until_open()
        await until_gone(venue.redis, venue.keys.sessions(LOST))
        lone.process.send_signal(signal.SIGCONT)
        assert await lone.process.wait() == 1
        answers = await asyncio.gather(*late, return_exceptions=True)
        assert all(isinstance(answer, Exception) for answer in answers)
        await asyncio.sleep(0.2)
        await venue.until_open()
        assert await venue.closes() == {name_of(member): 1}
        await member.__aexit__(None, None, None)


@pytest.mark.campaign
async def test_a_session_is_closed_though_its_closer_died_and_runs_again(
    servers: tuple[Server, Server], template: str
) -> None:
    """The later run of the closer, or the engine, closes a session that the former run has marked."""
    async with opened(servers, template) as venue:
        lone, closer = (OtherGateway(venue.desk.services, name) for name in (LOST, "gateway-2"))
        url, _ = await asyncio.gather(lone.start(), closer.start())
        member = await venue.member(url)
        await place(member, venue.desk, "of-the-lost")
        await asyncio.gather(lone.kill(), closer.kill())
        run = int(await venue.redis.hget(venue.keys.runs, "gateway-2") or 0)
        name, holder = name_of(member), f"gateway-2.{run}"
        known = (await venue.registrations.of(LOST))[name].registration
        assert await venue.registrations.change(name, known, LOST, closing=True, holder=holder)
        await venue.redis.hdel(venue.keys.gateways, LOST)
        await closer.start()
        await venue.until_open()
        await until_gone(venue.redis, venue.keys.sessions(LOST))
        assert await venue.closes() == {name: 1}
        await closer.kill()
        await member.__aexit__(None, None, None)

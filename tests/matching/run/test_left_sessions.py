"""Sessions that gateways have left are closed by the leading engine, once, and not while a gateway does it."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from goldx.protocol.commands import SessionClose
from goldx.streams import redis_client
from goldx.streams.entries import BEGINNING
from goldx.streams.frames import decode_commands
from goldx.streams.gateway_entries import STOPPED
from goldx.streams.journal import Journal, begin_run
from goldx.streams.keys import Keys
from goldx.streams.registrations import Registration, Registrations
from matching.run.lease import Deposed
from matching.run.left_sessions import PATIENCE, LeftSessions
from tests.matching.shards import leadership

LOST, RUNNING = "gateway-lost", "gateway-2"


class Left:
    """A shard with a lost gateway and a running one, and the sessions that were closed."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys
        self.registrations = Registrations(redis, keys, LOST)

    async def put(self, name: str, registration: Registration) -> None:
        assert await self.registrations.put(f"key/{name}", registration)

    async def names(self) -> set[str]:
        """Return the registered sessions."""
        return {name.removeprefix("key/") for name in await self.registrations.of(LOST)}

    async def closed(self) -> Counter[str]:
        """Return how often each session was closed."""
        entries = await Journal(self.redis, self.keys).read(BEGINNING, 100_000)
        commands = [command for _, data in entries for command in decode_commands(data).commands]
        closes = [command for command in commands if isinstance(command, SessionClose)]
        assert {command.member for command in closes} <= {"M1"}
        return Counter(command.session.removeprefix("key/") for command in closes)


async def prepare(redis: Redis, shard: str) -> Left:
    keys = Keys(shard)
    for gateway in (LOST, RUNNING):
        await begin_run(redis, keys, gateway)
    await redis.hset(keys.gateways, RUNNING, "token:1")
    return Left(redis, keys)


@asynccontextmanager
async def leading(left: Left) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Lead; yield a function that looks as often as the leader does before it closes what gateways leave."""
    async with leadership(left.redis, left.keys) as (_, publisher):
        sessions = LeftSessions(left.redis, left.keys, publisher.epoch, publisher.append)

        async def look() -> None:
            for _ in range(PATIENCE + 1):
                await sessions.look()

        yield look


async def test_each_session_ends_as_it_asked_for(redis: Redis, shard: str) -> None:
    left = await prepare(redis, shard)
    now = time.time_ns() // 1_000_000
    await left.put("connected", Registration("M1", "key", "h.1"))
    await left.put("kept", Registration("M1", "key", "h.2", cancel=False))
    await left.put("in-grace", Registration("M1", "key", "h.3", grace_ms=60_000))
    await left.put("past-grace", Registration("M1", "key", "h.4", grace_ms=1_000, ended_at=now - 2_000))
    timed = Registration("M1", "key", "h.5", cancel=False, cancel_after_ms=60_000)
    await left.put("timer-runs", timed)
    await left.put("timer-is-over", timed._replace(ended_at=now - 2_000, cancel_at=now - 1_000))
    async with leading(left) as look:
        await look()
        for found in (await left.registrations.of(LOST)).values():
            assert found.registration.ended_at is not None
            assert found.registration.ended_at >= now
        assert await left.names() == {"in-grace", "timer-runs"}
        assert await left.closed() == {"connected": 1, "past-grace": 1, "timer-is-over": 1}


async def test_a_gateway_that_stopped_with_sessions_in_their_grace_is_waited_for_no_longer(
    redis: Redis, shard: str
) -> None:
    left = await prepare(redis, shard)
    await left.put("left", Registration("M1", "key", "h.1"))
    await left.redis.hset(left.keys.gateways, LOST, STOPPED.decode())
    async with leading(left) as look:
        await look()
        assert await left.names() == {"left"}, "the other gateways may close it now"
        await look()
        assert await left.names() == set()
        assert await left.redis.hkeys(left.keys.gateways) == [RUNNING.encode()]
        assert await left.closed() == {"left": 1}


async def test_what_others_began_to_close_is_closed_once(redis: Redis, shard: str) -> None:
    """An engine of an earlier epoch is gone, and so is a gateway without an entry; a running one goes on itself."""
    left = await prepare(redis, shard)
    begun = Registration("M1", "key", "", closing=True)
    await left.put("by-former-leader", begun._replace(holder="engine:0"))
    await left.put("by-lost-gateway", begun._replace(holder="gateway-3.7"))
    await left.put("by-running-gateway", begun._replace(holder=f"{RUNNING}.1"))
    async with leading(left) as look:
        for _ in range(3):
            await look()
        assert await left.names() == {"by-running-gateway"}
        await left.redis.hdel(left.keys.gateways, RUNNING)
        await look()
        assert await left.names() == set()
        assert await left.closed() == dict.fromkeys(("by-former-leader", "by-lost-gateway", "by-running-gateway"), 1)


async def test_a_session_that_logs_on_elsewhere_is_not_closed(redis: Redis, shard: str, valkey_url: str) -> None:
    """The gateway takes it between the engine's look and its mark."""
    left = await prepare(redis, shard)
    await left.put("resumed", Registration("M1", "key", "h.1"))
    others = redis_client.connect(valkey_url)
    running = Registrations(others, left.keys, RUNNING)
    async with leadership(left.redis, left.keys) as (_, publisher):
        closing = LeftSessions(left.redis, left.keys, publisher.epoch, publisher.append)
        ((name, found),) = await closing._registrations.left()
        assert await running.take(name, found, found.registration._replace(holder=f"{RUNNING}.1.1"))
        await closing._close([(name, found)])
        assert await left.closed() == {}
        assert (await running.of(RUNNING)).keys() == {"key/resumed"}
    await others.aclose()


async def test_a_deposed_leader_closes_nothing(redis: Redis, shard: str) -> None:
    left = await prepare(redis, shard)
    await left.put("left", Registration("M1", "key", "h.1"))
    async with leading(left) as look:
        await left.redis.incr(left.keys.epoch)
        with pytest.raises(Deposed):
            await look()
        assert await left.closed() == {}
        assert await left.names() == {"left"}, "the next leader closes it"
        await left.redis.decr(left.keys.epoch)

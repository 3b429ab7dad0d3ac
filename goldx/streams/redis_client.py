"""The client of redis-py as GoldX uses it: it never repeats a command, and sending can be cancelled."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError as RedisTimeoutError

from goldx.streams.sentinel import SCHEME, SentinelPool


def connect(url: str, *, timeout: float | None = 5.0, single_connection: bool = False) -> Redis:
    """Return a client that never repeats a command by itself: a repeated append would be a second order.

    ``timeout`` in seconds bounds every answer; blocking readers pass None. ``url`` is ``redis://``, ``rediss://``,
    ``unix://`` or ``redis+sentinel://`` (``goldx.streams.sentinel``). ``single_connection``: all commands go one
    after the other over one connection.
    """
    options: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": timeout,
        "socket_connect_timeout": 5.0,
        "health_check_interval": 0,
        "legacy_responses": False,
        "decode_responses": False,
    }
    pool: ConnectionPool
    if url.startswith(SCHEME):
        pool = SentinelPool(url, _Cancellable, options)
    else:
        pool = ConnectionPool.from_url(url, **options)
        pool.connection_class = type("Connection", (_Cancellable, pool.connection_class), {})
    client = Redis(connection_pool=pool, single_connection_client=single_connection)
    client.auto_close_connection_pool = True
    return client


class _Cancellable(AbstractConnection):
    """A connection whose sending can be cancelled.

    redis-py sends with ``asyncio.wait_for``, which in Python 3.11 swallows a cancellation that comes when the sending
    is just done: the task would then go on for ever although it was cancelled. And redis-py connects a connection that
    it finds broken while sending again to the same server, without asking the Sentinels whether that is still the
    primary; here it fails.
    """

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        limit, self.socket_timeout = self.socket_timeout, None
        try:
            async with asyncio.timeout(limit):
                if not self.is_connected:
                    connecting: Awaitable[None] = self.connect()  # type: ignore[no-untyped-call]
                    await connecting
                await super().send_packed_command(command, check_health)
        except TimeoutError:
            raise RedisTimeoutError("Timeout writing to socket") from None
        finally:
            self.socket_timeout = limit

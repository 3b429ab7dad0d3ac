"""A connection to Redis for the path of every order: a command costs two system calls and little Python.

A call through a client of redis-py costs more: a connection is taken from a pool and given back,
checked, timed twice, and the answer passes through four coroutines. Here a command is packed and
written, and the answer wakes the caller. redis-py still makes the connection (URL, TLS, user, database, the Sentinels'
primary), and its errors are raised.

    redis = connect(url, timeout=5.0)
    connection = RedisConnection(redis)
    await connection.call("XADD", key, "*", "f", data)    # answers as RESP3 gives them, texts as bytes
    journal = Journal(redis, keys, replicas, connection)  # append, wait and end use it (EventStream: wait)
    publish = Script(connection, SOURCE)
    await publish([key], [epoch, data])
    connection.close()

Nothing is ever sent twice: a call that ends without an answer (a lost connection, a timeout, a cancellation) has an
unknown outcome, and ends the connection and all calls under way on it. The next call makes a new connection. Calls need
not wait for each other: what is sent together is answered in its order.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from hashlib import sha1
from typing import Any, Final, TypeAlias

from hiredis import PushNotification, Reader, pack_command
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from goldx.streams.outages import error_code

Part: TypeAlias = bytes | str | int
"""A part of a command."""
Entry: TypeAlias = tuple[bytes, dict[bytes, bytes]]
"""An entry of a stream: its id and its fields."""

_INCOMPLETE: Final = object()
"""Returned by the reader while an answer is not complete."""
_NOT_PRIMARY: Final = frozenset(("READONLY", "UNBLOCKED"))
"""Error codes of a server that has ceased to be the primary: the next call asks again which one is."""


class _Protocol(asyncio.Protocol):
    """One connection. ``timeout`` in seconds bounds every answer."""

    def __init__(self, writer: asyncio.StreamWriter, reader: Reader, timeout: float | None) -> None:
        self.ended = False
        self._writer = writer
        self._write = writer.transport.write
        self._reader = reader
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        """The futures of the next answers in their order, each with the time of its call."""
        writer.transport.set_protocol(self)

    def send(self, data: bytes) -> asyncio.Future[Any]:
        """Send a packed command and return the future of its answer or error."""
        loop = self._loop
        future = loop.create_future()
        self._waiting.append((future, loop.time()))
        self._write(data)
        if self._timer is None and self._timeout is not None:
            self._timer = loop.call_later(self._timeout, self._check_timeout)
        return future

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        try:
            reader.feed(data)
            while (answer := reader.gets()) is not _INCOMPLETE:
                if isinstance(answer, PushNotification):
                    continue
                future, _ = self._waiting.popleft()
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    if isinstance(answer, ResponseError) and error_code(answer) in _NOT_PRIMARY:
                        self.end(RedisConnectionError(f"the server is not the primary any more: {answer}"))
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        except (InvalidResponse, IndexError) as error:
            self.end(RedisConnectionError(f"the server's answers cannot be read: {error!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(RedisConnectionError(f"the server has closed the connection ({exc})"))

    def end(self, error: Exception) -> None:
        """Close the connection; every call that still waits raises ``error``."""
        if self.ended:
            return
        self.ended = True
        self._writer.transport.abort()
        if self._timer is not None:
            self._timer.cancel()
        for future, _ in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    def _check_timeout(self) -> None:
        """End the connection if the oldest call has waited too long; one timer serves all calls."""
        self._timer = None
        if self._waiting and self._timeout is not None:
            due = self._waiting[0][1] + self._timeout
            if due <= self._loop.time():
                self.end(RedisTimeoutError(f"the server has not answered for {self._timeout:g} s"))
            else:
                self._timer = self._loop.call_at(due, self._check_timeout)


class RedisConnection:
    """A connection to the server of the client ``redis``, with that client's timeout; the first call makes it.

    ``xadd``, ``xread`` and ``xrevrange`` answer as the client's own do.
    """

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        """For what is not on every order's path."""
        self._connection: _Protocol | None = None
        self._connecting = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether the next call will use the same connection as the last one, as far as is known."""
        return self._connection is not None and not self._connection.ended

    async def call(self, *command: Part) -> Any:
        """Return the server's answer to a command. Raises redis' errors, and OSError where it cannot connect."""
        connection = self._connection
        if connection is None or connection.ended:
            connection = await self._connect()
        answer = connection.send(pack_command(command))  # type: ignore[arg-type]
        try:
            return await answer
        except asyncio.CancelledError:
            connection.end(RedisConnectionError("another call over this connection was cancelled"))
            raise

    async def xadd(self, name: str, fields: Mapping[bytes, bytes]) -> Any:
        """Append an entry to a stream and return its id."""
        return await self.call("XADD", name, "*", *(part for field in fields.items() for part in field))

    async def xread(self, streams: Mapping[str, str], count: int, block: int) -> dict[bytes, list[Entry]]:
        """Return by stream the entries after an id, or nothing after waiting for ``block`` milliseconds."""
        found = await self.call("XREAD", "COUNT", count, "BLOCK", block, "STREAMS", *streams, *streams.values())
        return {name: [_entry(*entry) for entry in entries] for name, entries in found.items()} if found else {}

    async def xrevrange(self, name: str, count: int) -> list[Entry]:
        """Return the newest entries, the last one first."""
        return [_entry(*entry) for entry in await self.call("XREVRANGE", name, "+", "-", "COUNT", count)]

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.end(RedisConnectionError("the connection was closed here"))

    async def _connect(self) -> _Protocol:
        async with self._connecting:
            if self._connection is not None and not self._connection.ended:
                return self._connection
            made: Any = self.redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await made.connect()
            except BaseException:
                await made.disconnect(nowait=True)
                raise
            reader = Reader(InvalidResponse, made._parser.parse_error, notEnoughData=_INCOMPLETE)
            # The connection changes hands: redis-py must forget it.
            writer, made._reader, made._writer = made._writer, None, None
            self._connection = _Protocol(writer, reader, made.socket_timeout)
            return self._connection


def _entry(entry_id: bytes, fields: list[bytes]) -> Entry:
    return entry_id, dict(zip(fields[::2], fields[1::2], strict=True))


class Script:
    """A Lua script, sent to the server once and then called by its hash."""

    def __init__(self, connection: RedisConnection, source: str) -> None:
        self._connection = connection
        self._source = source
        self._sha = sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, keys: Sequence[str], args: Sequence[Part]) -> Any:
        """Run the script and return its result. Raises as ``RedisConnection.call``."""
        rest = (len(keys), *keys, *args)
        try:
            return await self._connection.call("EVALSHA", self._sha, *rest)
        except NoScriptError:
            return await self._connection.call("EVAL", self._source, *rest)

"""RedisConnection against real servers."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from goldx.hosting.valkey import start_valkey
from goldx.streams.connection import RedisConnection, Script
from goldx.streams.entries import Position
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import CommandFrame, encode
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect

LARGE = 3 << 20
"""Bytes: more than a socket takes or gives at once."""


async def test_answers_are_those_of_the_client(redis: Redis, connection: RedisConnection, shard: str) -> None:
    name = f"connection-{shard}"
    assert await connection.xread({name: "0"}, count=5, block=1) == {}
    assert await connection.xrevrange(name, count=1) == []
    ids = [await connection.xadd(name, {b"f": bytes((number,)), b"g": b"\r\n" * number}) for number in range(3)]
    newest: Any = await redis.xrevrange(name, count=2)
    assert [tuple(entry) for entry in newest] == await connection.xrevrange(name, count=2)
    assert [entry_id for entry_id, _ in newest] == ids[:0:-1]
    assert await connection.xread({name: ids[0]}, count=5, block=1_000) == {name.encode(): newest[::-1]}
    assert len((await connection.xread({name: "0"}, count=2, block=1_000))[name.encode()]) == 2


async def test_a_reader_that_waits_is_woken(redis: Redis, connection: RedisConnection, shard: str) -> None:
    journal = Journal(redis, Keys(shard), connection=connection)
    waiting = asyncio.create_task(journal.wait(Position(0, 0), block_ms=20_000))
    await asyncio.sleep(0.05)
    frame = CommandFrame("gateway-1.1", 1, ())
    position = await Journal(redis, Keys(shard)).append(frame)
    assert await waiting == [(position, encode(frame))]
    assert await journal.end() == position
    assert await EventStream(redis, Keys(shard), connection).wait(0, block_ms=1) == []


async def test_calls_sent_together_are_answered_in_their_order(connection: RedisConnection) -> None:
    """The answers include an error, a null and more bytes than a socket takes at once."""
    large = Random(3).randbytes(LARGE)
    commands: list[tuple[str | bytes, ...]] = [("ECHO", str(number)) for number in range(200)]
    commands[20:23] = [("NONSENSE",), ("GET", "connection-none"), ("ECHO", large)]
    answers = await asyncio.gather(*(connection.call(*command) for command in commands), return_exceptions=True)
    assert isinstance(answers[20], ResponseError)
    assert answers[21:23] == [None, large]
    assert answers[:20] + answers[23:] == [str(number).encode() for number in range(200) if not 20 <= number < 23]


async def test_a_lost_connection_raises_in_every_waiting_call_and_the_next_call_makes_another(
    redis: Redis, connection: RedisConnection
) -> None:
    number = await connection.call("CLIENT", "ID")
    waiting = [asyncio.create_task(connection.call("BLPOP", "connection-nothing", 0)) for _ in range(3)]
    await asyncio.sleep(0.05)
    await redis.client_kill_filter(_id=str(number))
    for error in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(error, RedisConnectionError)
    assert await connection.call("CLIENT", "ID") > number
    assert connection.connected


async def test_a_connection_that_ends_while_no_call_waits_is_noticed(redis: Redis, connection: RedisConnection) -> None:
    await redis.client_kill_filter(_id=str(await connection.call("CLIENT", "ID")))
    async with asyncio.timeout(5):
        while connection.connected:
            await asyncio.sleep(0.01)
    assert await connection.call("PING") == b"PONG"


async def test_a_server_that_does_not_answer_is_a_timeout_and_nothing_is_repeated(
    redis: Redis, valkey_url: str, shard: str
) -> None:
    name = f"connection-{shard}"
    hasty = RedisConnection(connect(valkey_url, timeout=0.1))
    for _ in range(3):
        await hasty.call("INCR", name)
        await asyncio.sleep(0.06)  # an answered call does not count against a later one
    await redis.client_pause(500, all=True)
    with pytest.raises(RedisTimeoutError, match=r"not answered for 0\.1 s"):
        await hasty.call("INCR", name)
    await asyncio.sleep(0.6)
    assert await redis.get(name) in (b"3", b"4")
    assert await hasty.call("PING") == b"PONG"
    hasty.close()


async def test_a_cancelled_call_never_takes_the_answer_of_another(valkey_url: str) -> None:
    connection = RedisConnection(connect(valkey_url))

    async def count() -> None:
        number = 0
        while True:
            number += 1
            assert await connection.call("ECHO", str(number)) == str(number).encode()

    random = Random(1)
    for _ in range(100):
        task = asyncio.create_task(count())
        for _ in range(random.randint(0, 20)):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait((task,), timeout=5)
        assert done, "the cancellation was swallowed"
        assert task.cancelled()
    connection.close()


async def test_many_first_calls_make_one_connection(connection: RedisConnection) -> None:
    numbers = await asyncio.gather(*(connection.call("CLIENT", "ID") for _ in range(10)))
    assert len(set(numbers)) == 1


async def test_a_script_that_the_server_has_forgotten_is_sent_again(
    redis: Redis, connection: RedisConnection, shard: str
) -> None:
    script = Script(connection, "return {KEYS[1], ARGV[1], ARGV[2]}")
    for _ in range(2):
        await redis.script_flush()
        for _ in range(2):
            assert await script([shard], [7, b"\x00"]) == [shard.encode(), b"7", b"\x00"]
    with pytest.raises(NoScriptError):
        await connection.call("EVALSHA", "0" * 40, 0)


async def test_a_server_that_is_not_there_is_an_error_at_once_and_found_when_it_comes() -> None:
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    connection = RedisConnection(connect(f"unix://{folder}/valkey.sock"))
    try:
        with pytest.raises((RedisConnectionError, OSError)):
            await connection.call("PING")
        server = await start_valkey(folder)
        try:
            (folder / "valkey.sock").symlink_to(server.url.removeprefix("unix://"))
            assert await connection.call("PING") == b"PONG"
        finally:
            await server.stop()
    finally:
        connection.close()
        shutil.rmtree(folder, ignore_errors=True)


async def test_user_and_database_of_the_url_are_used(connection: RedisConnection, valkey_url: str) -> None:
    await connection.call("ACL", "SETUSER", "connection", "on", ">secret", "~*", "+@all", "-flushall")
    theirs = RedisConnection(connect(valkey_url.replace("unix://", "unix://connection:secret@", 1) + "?db=3"))
    assert await theirs.call("ACL", "WHOAMI") == b"connection"
    assert b" db=3 " in await theirs.call("CLIENT", "INFO")
    with pytest.raises(ResponseError, match="no permissions"):
        await theirs.call("FLUSHALL")
    await connection.call("ACL", "DELUSER", "connection")
    theirs.close()


async def test_a_connection_to_a_server_that_is_no_longer_the_primary_ends() -> None:
    """Waiting calls raise, and the next call asks again which server is the primary."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    server = await start_valkey(folder)
    demoted, blocked = (RedisConnection(connect(server.url)) for _ in range(2))
    try:
        await demoted.call("SET", "k", "v")
        waiting = asyncio.create_task(blocked.xread({"s": "$"}, count=1, block=0))
        await asyncio.sleep(0.05)
        await demoted.call("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(ResponseError, match="UNBLOCKED"):
            await waiting
        with pytest.raises(ReadOnlyError):
            await demoted.call("SET", "k", "v")
        assert not blocked.connected
        assert not demoted.connected
    finally:
        demoted.close()
        blocked.close()
        await server.stop()
        shutil.rmtree(folder, ignore_errors=True)

"""Shards on a real server: traffic for the journal, a recovery to its end, and the engine as a real process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from random import Random
from signal import Signals

from redis.asyncio import Redis

from goldx.protocol.commands import AnyCommand
from goldx.protocol.units import BadValue
from goldx.streams.archive import Archive
from goldx.streams.chains import FrameWriter, extract_body
from goldx.streams.connection import RedisConnection
from goldx.streams.entries import Position
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import CommandFrame, decode_commands
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from matching.archive.replay import read_line, write_line
from matching.run.fold import Fold
from matching.run.lease import Lease
from matching.run.publisher import Publisher
from matching.run.recovery import Recovery
from tests.matching.core.dice import SeededDice
from tests.matching.core.flows import Flow


def traffic(seed: int, count: int) -> Iterator[CommandFrame]:
    """Yield frames of one to twenty commands, about ``count`` in all, as a gateway appends them."""
    random = Random(seed)
    commands = [command for _, command in Flow(SeededDice(random)).steps(count) if _readable(command)]
    run = FrameWriter(f"gateway-1.{seed}")
    while commands:
        size = random.randint(1, 20)
        yield decode_commands(run.make(tuple(commands[:size])))
        run.arrived()
        commands = commands[size:]


def _readable(command: AnyCommand) -> bool:
    """Return whether a command can be exported: it reads back from its line."""
    try:
        return read_line(write_line(0, command), 0).command == command
    except BadValue:
        return False


async def fill(redis: Redis, keys: Keys, seed: int, count: int = 400) -> list[Position]:
    """Append traffic; return the positions of its frames."""
    return [await Journal(redis, keys).append(frame) for frame in traffic(seed, count)]


@asynccontextmanager
async def leadership(redis: Redis, keys: Keys, archive: Archive | None = None) -> AsyncIterator[tuple[Fold, Publisher]]:
    """Recover under a new epoch to the journal's end; at the end of the block everything is published."""
    await redis.delete(keys.leader)
    lease = Lease(redis, keys, 60_000)
    assert await lease.try_acquire()
    recovery = Recovery(redis, keys, archive)
    await recovery.start()
    line = RedisConnection(redis)
    publisher = Publisher(line, keys, lease.epoch, recovery.published, recovery.previous)
    running = asyncio.create_task(publisher.run())
    fold = recovery.fold
    try:
        await recovery.catch_up(publisher)
        yield fold, publisher
        confirmed = asyncio.create_task(publisher.wait_confirmed(fold.engine.sequence))
        await asyncio.wait((confirmed, running), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        await confirmed
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        line.close()


async def lead_once(redis: Redis, keys: Keys, archive: Archive | None = None) -> Fold:
    """Recover to the journal's end, publish everything, and return the state."""
    async with leadership(redis, keys, archive) as (fold, _):
        return fold


async def published(redis: Redis, keys: Keys) -> list[tuple[Position, bytes]]:
    """Return the whole event stream."""
    return await EventStream(redis, keys).read_raw(0, 1_000_000)


async def determined(redis: Redis, keys: Keys) -> list[tuple[Position, bytes]]:
    """Return the part of the event stream that follows from the journal, whichever engine publishes it."""
    return [(entry_id, extract_body(frame)) for entry_id, frame in await published(redis, keys)]


LONG_LEASE = {"GOLDX_LEASE_MS": "20000"}
"""Settings of tests with several engines: no machine is so slow that a leader loses it. ``end_lease`` ends it."""


async def end_lease(redis: Redis, keys: Keys) -> None:
    """End the lease of an engine that was killed or stopped, as if its time were over."""
    await redis.delete(keys.leader)


RUN = "from goldx.cli import main; main()"
"""The program ``goldx``, as an argument of ``python -c``."""


class EngineRun:
    """``goldx engine`` as a process of its own, whose log lines are kept."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.log: list[str] = []
        self._reading = asyncio.create_task(self._read_log())

    @classmethod
    async def start(
        cls, url: str, shard: str, settings: Mapping[str, str] | None = None, *arguments: str, program: str = RUN
    ) -> "EngineRun":
        environment = {
            "GOLDX_REDIS_URL": url,
            "GOLDX_SHARD": shard,
            # An engine that is killed holds up the next one for as long. One that is alone may renew it too late.
            "GOLDX_LEASE_MS": "1000",
            "PYTHONFAULTHANDLER": "1",
            **(settings or {}),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            "engine",
            *arguments,
            env=os.environ | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def _read_log(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.log.append(line.decode())

    async def ready(self) -> str:
        """Return its READY line; fail with its log if it ends without one."""
        assert self._process.stdout is not None
        line = "PROGRESS"
        while line.startswith("PROGRESS"):
            line = (await asyncio.wait_for(self._process.stdout.readline(), 30)).decode()
        assert line.startswith("READY engine "), await self.ended()
        return line

    async def ended(self) -> tuple[int, str]:
        """Wait for its end and return exit code and log; fail with the place where it hangs if it does not end."""
        _, hanging = await asyncio.wait((self._reading,), timeout=30)
        if hanging:
            self._process.send_signal(signal.SIGABRT)
            await self._reading
            raise AssertionError("the engine does not end:\n" + "".join(self.log))
        return await self._process.wait(), "".join(self.log)

    @property
    def runs(self) -> bool:
        return not self._reading.done()

    async def says(self, words: str) -> None:
        """Wait until its log has a line with these words; fail with its log if it ends without one."""
        while not any(words in line for line in self.log):
            assert self.runs, "".join(self.log)
            await asyncio.sleep(0.01)

    def signal(self, number: Signals) -> None:
        self._process.send_signal(number)

    async def kill(self) -> None:
        """Kill it; fail with its log if it has ended by itself."""
        await self._send(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> None:
        """Stop it cleanly; fail with its log if it has ended by itself."""
        await self._send(signal.SIGTERM)
        code, log = await self.ended()
        assert code == 0, log

    async def _send(self, number: Signals) -> None:
        if self._process.returncode is not None:
            code, log = await self.ended()
            raise AssertionError(f"the engine has ended by itself with exit code {code}:\n{log}")
        self._process.send_signal(number)

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self.ended()


@asynccontextmanager
async def engine_process(
    url: str, shard: str, settings: Mapping[str, str] | None = None, *arguments: str, program: str = RUN
) -> AsyncIterator[EngineRun]:
    """Run an engine that is gone at the end of the block."""
    run = await EngineRun.start(url, shard, settings, *arguments, program=program)
    try:
        yield run
    finally:
        await run.close()

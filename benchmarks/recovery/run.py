"""The speed of recovery: replay, start from a snapshot, the market's pauses, takeover and hand-over.

The servers and engines are real processes on this machine, fsync always, at the default lease. Where other work runs
beside it, the figures in processor time are those to read.
"""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from benchmarks.chain.stack import cpu_seconds
from benchmarks.matching import engines as adapters
from benchmarks.matching import flows
from goldx.hosting import collector
from goldx.hosting.servers import Server
from goldx.hosting.valkey import start_valkey
from goldx.protocol import terms
from goldx.protocol.commands import (
    AccountOpen,
    AnyCommand,
    HoldingAdjust,
    InstrumentDefine,
    MarketSetPhase,
    OrderCancel,
    OrderPlace,
)
from goldx.protocol.units import CASH
from goldx.streams.chains import NO_FRAME, FrameWriter, event_body, event_frame, frame_hash
from goldx.streams.engines import LEADER, STANDBY, read_statuses
from goldx.streams.entries import FIELD, Position
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import decode_events, encode
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from matching.core.engine import Engine
from matching.run import snapshots
from matching.run.fold import Fold
from matching.run.forked_snapshot import ForkedSnapshot
from matching.run.snapshot_store import SnapshotStore

COMMANDS_PER_FRAME: Final = 64
LOAD_PAUSE: Final = 0.001
"""Seconds between two frames of one command: the load under which a leader is killed or hands over."""


def replay(messages: int, rounds: int, seed: int) -> dict[str, Any]:
    """Measure commands a second of processor time: the bare core's, and those of recovery's fold.

    The core applies as many commands at once as the fold gives it; the fold reads journal entries whose events are
    published.
    """
    flow = flows.make("near-touch", messages, seed)
    core, fold = [], []
    for _ in range(rounds):
        core.append(_core(*adapters.prepare(flow)))
        fold.append(_fold(*adapters.prepare(flow)))
    return {
        "core_per_s": round(median(core)),
        "replay_per_s": round(median(fold)),
        "ratio": round(median(b / a for a, b in zip(core, fold, strict=True)), 2),
    }


def _fold(engine: Engine, before: list[tuple[Any, ...]], timed: list[tuple[Any, ...]]) -> float:
    for command in before:
        engine.apply(1, command)
    entries, fold = frames(timed), Fold(engine, Position(2, 0))
    fold.published = 1 << 62
    start = process_time()
    for position, data in entries:
        fold.apply(position, data)
    return len(timed) / (process_time() - start)


def _core(engine: Engine, before: list[tuple[Any, ...]], timed: list[tuple[Any, ...]]) -> float:
    engine.apply_all(1, before, [])
    return len(timed) / adapters.clocked(timed, partial(adapters.apply_some, engine))


def frames(commands: list[tuple[Any, ...]]) -> list[tuple[Position, bytes]]:
    """Return commands as entries of a journal."""
    entries, previous = [], b""
    for number, start in enumerate(range(0, len(commands), COMMANDS_PER_FRAME), 1):
        data = encode(("bench.1", number, commands[start : start + COMMANDS_PER_FRAME], previous))
        previous = frame_hash(data)
        entries.append((Position(2, number), data))
    return entries


def venue(accounts: int, orders: int) -> Fold:
    """Return a state of so many accounts, each with money, and so many resting orders."""
    engine = Engine()
    commands: list[AnyCommand] = [InstrumentDefine("AU"), MarketSetPhase("AU", terms.CONTINUOUS)]
    for number in range(accounts):
        commands.append(AccountOpen(f"A{number}", f"M{number % 500}", terms.HOUSE))
        commands.append(HoldingAdjust(f"A{number}", CASH, 10**12, f"r{number}"))
    for number in range(orders):
        account, price = f"A{number % accounts}", 50_000 + number % 5_000
        commands.append(OrderPlace(account, f"c{number}", "AU", terms.BUY, terms.LIMIT, 1_000, price))
    for command in commands:
        engine.apply(1, tuple(msgspec.to_builtins(command)))
    assert len(engine.state.orders) == orders
    return Fold(engine, Position(1, 0), 1, accounts * 2 + orders + 2)


def snapshot_costs(fold: Fold, rounds: int) -> dict[str, Any]:
    """Measure snapshots of a state: the market's pause, the child's work, and the restoring."""
    forks, busy, written = [], [], []

    async def take() -> None:
        for _ in range(rounds):
            start, used = perf_counter(), process_time()
            forked = ForkedSnapshot(fold)
            forks.append(perf_counter() - start)
            busy.append(process_time() - used)
            forked.stop_pacing()
            await forked.result()
            written.append(perf_counter() - start)

    asyncio.run(take())
    data = encode(snapshots.take(fold))
    start = perf_counter()
    snapshots.restore(data)
    return {
        "pause_ms": round(median(forks) * 1e3, 1),
        "pause_cpu_ms": round(median(busy) * 1e3, 1),
        "snapshot_s": round(median(written), 2),
        "restore_s": round(perf_counter() - start, 2),
        "bytes": len(data),
    }


class EngineBench:
    """A server, fsync always, and engines on it as processes."""

    def __init__(self, server: Server, settings: Path) -> None:
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("GOLDX_")}
        self._environment |= {name: os.environ[name] for name in ("GOLDX_CORE",) if name in os.environ}
        self._environment |= {"GOLDX_REDIS_URL": server.url, "GOLDX_CONFIG": str(settings)}
        self._running: list[asyncio.subprocess.Process] = []
        self.redis: Redis = connect(server.url)
        self.keys = Keys()

    async def engine(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start an engine and return it when it is ready."""
        command = (sys.executable, "-m", "goldx.cli", "engine", *arguments)
        process = await asyncio.create_subprocess_exec(*command, env=self._environment, stdout=PIPE, stderr=DEVNULL)
        self._running.append(process)
        assert process.stdout is not None
        while not (line := await process.stdout.readline()).startswith(b"READY "):
            assert line, "the engine ended"
        return process

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        """Kill a process and wait for its end."""
        process.kill()
        await process.wait()

    async def close(self) -> None:
        """Kill what still runs."""
        for process in self._running:
            if process.returncode is None:
                await self.kill(process)
        await self.redis.aclose()

    async def newest_epoch(self) -> int:
        """Return the epoch of the newest event."""
        newest = await EventStream(self.redis, self.keys).newest()
        return decode_events(newest[1]).epoch if newest else 0

    async def wait_for_standby(self) -> None:
        """Wait until one engine leads and another stands by."""
        while [status.role for status in await read_statuses(self.redis, self.keys)] != [LEADER, STANDBY]:
            await asyncio.sleep(0.01)

    async def hand_over(self) -> None:
        """Let the leader hand over, and wait until another engine leads."""
        command = (sys.executable, "-m", "goldx.cli", "engine", "--hand-over")
        process = await asyncio.create_subprocess_exec(*command, env=self._environment, stdout=DEVNULL)
        assert await process.wait() == 0


@contextlib.asynccontextmanager
async def engine_bench() -> AsyncIterator[EngineBench]:
    """Start a server in a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    server = await start_valkey(folder / "valkey")
    settings = folder / "goldx.toml"
    settings.touch()
    bench = EngineBench(server, settings)
    try:
        yield bench
    finally:
        await bench.close()
        await server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def start(fold: Fold, rounds: int) -> dict[str, Any]:
    """Measure the seconds from the start of an engine's process until it leads, with a snapshot of a state."""
    times, used = [], []
    async with engine_bench() as bench:
        keys, sequence = bench.keys, fold.engine.sequence
        await bench.redis.xadd(keys.journal, {FIELD: encode(("bench.1", 1, (), b""))}, id=str(fold.position))
        body = event_body(fold.position, 0, ())
        await bench.redis.xadd(keys.events, {FIELD: event_frame(body, 0, NO_FRAME)}, id=f"{sequence}-0")
        await SnapshotStore(bench.redis, keys).save(snapshots.take(fold))
        for _ in range(rounds):
            began = perf_counter()
            engine = await bench.engine()
            times.append(perf_counter() - began)
            used.append(cpu_seconds(engine.pid))
            await bench.kill(engine)
            await bench.redis.delete(keys.leader)
    return {"start_s": round(median(times), 2), "start_cpu_s": round(median(used), 2)}


async def changes(rounds: int) -> dict[str, Any]:
    """Measure for how long there were no events, under a load of single commands, at the default lease.

    After a kill of the leader: until the next leader's first event. During a hand-over: the longest time without a new
    event.
    """
    killed, handed = [], []
    async with engine_bench() as bench:
        load = asyncio.create_task(_load(bench))
        running = [await bench.engine(), await bench.engine("--standby")]
        for _ in range(rounds):
            await bench.wait_for_standby()
            measuring = asyncio.create_task(_longest_silence(bench))
            await bench.hand_over()
            await asyncio.sleep(0.2)
            measuring.cancel()
            handed.append(await measuring)
            running.reverse()
            await bench.wait_for_standby()
            leader = running.pop(0)
            epoch, began = await bench.newest_epoch(), perf_counter()
            await bench.kill(leader)
            while await bench.newest_epoch() == epoch:
                await asyncio.sleep(0.002)
            killed.append(perf_counter() - began)
            running.append(await bench.engine("--standby"))
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
    return {
        "takeover_ms": [round(seconds * 1e3) for seconds in killed],
        "hand_over_ms": [round(seconds * 1e3) for seconds in handed],
    }


async def _load(bench: EngineBench) -> None:
    run = FrameWriter("bench.1")
    journal = Journal(bench.redis, bench.keys)
    while True:
        # It names no account, so it is refused: one event a command.
        await journal.append_raw(run.make((OrderCancel("-"),)))
        run.arrived()
        await asyncio.sleep(LOAD_PAUSE)


async def _longest_silence(bench: EngineBench) -> float:
    """Return the longest time without a new event, in seconds, until it is cancelled."""
    stream, newest, since, longest = EventStream(bench.redis, bench.keys), 0, perf_counter(), 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            if (sequence := await stream.last_sequence()) != newest:
                newest, since = sequence, perf_counter()
            longest = max(longest, perf_counter() - since)
            await asyncio.sleep(0.001)
    return longest


def measure(messages: int, accounts: int, orders: int, rounds: int, seed: int, report: Callable[[str], None]) -> Any:
    """Measure everything, and report what is being measured."""
    collector.tune_for_engine()
    report(f"a state of {accounts:,} accounts and {orders:,} resting orders")
    fold = venue(accounts, orders)
    found = {"snapshot": snapshot_costs(fold, rounds) | asyncio.run(start(fold, rounds))}
    report("replay")
    found["replay"] = replay(messages, rounds, seed)
    report("takeover and hand-over")
    found["change"] = asyncio.run(changes(rounds))
    return found

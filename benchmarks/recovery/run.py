"""How quickly the exchange is back: replay, start from a snapshot, the market's pauses, takeover and hand-over.

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

from redis.asyncio import Redis

from benchmarks.chain.stack import cpu_seconds
from benchmarks.matching import engines as adapters
from benchmarks.matching import flows
from goldx.hosting import collector
from goldx.hosting.servers import Server
from goldx.hosting.valkey import start_valkey
from goldx.protocol import terms
from goldx.protocol.commands import OrderCancel
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
    """Commands a second of processor time: the bare core's ``apply_all`` with as many commands at once as the fold
    gives it, and recovery's fold of journal entries whose events are published."""
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
    frames, fold = _frames(timed), Fold(engine, Position(2, 0))
    fold.published = 1 << 62
    start = process_time()
    for position, data in frames:
        fold.apply(position, data)
    return len(timed) / (process_time() - start)


def _core(engine: Engine, before: list[tuple[Any, ...]], timed: list[tuple[Any, ...]]) -> float:
    engine.apply_all(1, before, [])
    return len(timed) / adapters.clocked(timed, partial(adapters.apply_some, engine))


def _frames(commands: list[tuple[Any, ...]]) -> list[tuple[Position, bytes]]:
    frames, previous = [], b""
    for number, start in enumerate(range(0, len(commands), COMMANDS_PER_FRAME), 1):
        data = encode(("bench.1", number, commands[start : start + COMMANDS_PER_FRAME], previous))
        previous = frame_hash(data)
        frames.append((Position(2, number), data))
    return frames


def venue(accounts: int, orders: int) -> Fold:
    """A state of so many accounts, each with money, and so many resting orders."""
    engine = Engine()
    engine.apply(1, (8, "AU"))
    engine.apply(1, (12, "AU", terms.CONTINUOUS, ""))
    for number in range(accounts):
        engine.apply(1, (9, f"A{number}", f"M{number % 500}", terms.HOUSE, None, ""))
        engine.apply(1, (10, f"A{number}", CASH, 10**12, f"r{number}", ""))
    for number in range(orders):
        order = (1, f"A{number % accounts}", f"c{number}", "AU", terms.BUY, terms.LIMIT, 1_000, 50_000 + number % 5_000)
        engine.apply(1, order)
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


class Bench:
    """A server of its own, fsync always, and engines on it as processes."""

    def __init__(self, server: Server, settings: Path) -> None:
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("GOLDX_")}
        self._environment |= {name: os.environ[name] for name in ("GOLDX_CORE",) if name in os.environ}
        self._environment |= {"GOLDX_REDIS_URL": server.url, "GOLDX_CONFIG": str(settings)}
        self._running: list[asyncio.subprocess.Process] = []
        self.redis: Redis = connect(server.url)
        self.keys = Keys()

    async def engine(self, *arguments: str) -> asyncio.subprocess.Process:
        """Starts an engine and waits until it is ready."""
        command = (sys.executable, "-m", "goldx.cli", "engine", *arguments)
        process = await asyncio.create_subprocess_exec(*command, env=self._environment, stdout=PIPE, stderr=DEVNULL)
        self._running.append(process)
        assert process.stdout is not None
        while not (line := await process.stdout.readline()).startswith(b"READY "):
            assert line, "the engine ended"
        return process

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        process.kill()
        await process.wait()

    async def close(self) -> None:
        for process in self._running:
            if process.returncode is None:
                await self.kill(process)
        await self.redis.aclose()

    async def leads(self) -> int:
        """The epoch of the newest event."""
        newest = await EventStream(self.redis, self.keys).newest()
        return decode_events(newest[1]).epoch if newest else 0

    async def has_standby(self) -> None:
        """Until one leads and another stands by."""
        while [status.role for status in await read_statuses(self.redis, self.keys)] != [LEADER, STANDBY]:
            await asyncio.sleep(0.01)

    async def hand_over(self) -> None:
        command = (sys.executable, "-m", "goldx.cli", "engine", "--hand-over")
        process = await asyncio.create_subprocess_exec(*command, env=self._environment, stdout=DEVNULL)
        assert await process.wait() == 0


@contextlib.asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    server = await start_valkey(folder / "valkey")
    settings = folder / "goldx.toml"
    settings.touch()
    made = Bench(server, settings)
    try:
        yield made
    finally:
        await made.close()
        await server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def start(fold: Fold, rounds: int) -> dict[str, Any]:
    """Seconds from the start of an engine's process until it leads, with the snapshot of such a state."""
    times, used = [], []
    async with bench() as house:
        keys, sequence = house.keys, fold.engine.sequence
        await house.redis.xadd(keys.journal, {FIELD: encode(("bench.1", 1, (), b""))}, id=str(fold.position))
        body = event_body(fold.position, 0, ())
        await house.redis.xadd(keys.events, {FIELD: event_frame(body, 0, NO_FRAME)}, id=f"{sequence}-0")
        await SnapshotStore(house.redis, keys).save(snapshots.take(fold))
        for _ in range(rounds):
            began = perf_counter()
            engine = await house.engine()
            times.append(perf_counter() - began)
            used.append(cpu_seconds(engine.pid))
            await house.kill(engine)
            await house.redis.delete(keys.leader)
    return {"start_s": round(median(times), 2), "start_cpu_s": round(median(used), 2)}


async def changes(rounds: int) -> dict[str, Any]:
    """For how long the market stood: when the leader was killed, until the next one's first event; and the longest time
    without a new event while the leader handed over. Under a load of single commands, at the default lease."""
    killed, handed = [], []
    async with bench() as house:
        load = asyncio.create_task(_load(house))
        running = [await house.engine(), await house.engine("--standby")]
        for _ in range(rounds):
            await house.has_standby()
            watching = asyncio.create_task(_longest_silence(house))
            await house.hand_over()
            await asyncio.sleep(0.2)
            watching.cancel()
            handed.append(await watching)
            running.reverse()
            await house.has_standby()
            leader = running.pop(0)
            epoch, began = await house.leads(), perf_counter()
            await house.kill(leader)
            while await house.leads() == epoch:
                await asyncio.sleep(0.002)
            killed.append(perf_counter() - began)
            running.append(await house.engine("--standby"))
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
    return {
        "takeover_ms": [round(seconds * 1e3) for seconds in killed],
        "hand_over_ms": [round(seconds * 1e3) for seconds in handed],
    }


async def _load(house: Bench) -> None:
    run = FrameWriter("bench.1")
    journal = Journal(house.redis, house.keys)
    while True:
        # Names no account, so it is refused: one event a command.
        await journal.append_raw(run.make((OrderCancel("-"),)))
        run.arrived()
        await asyncio.sleep(LOAD_PAUSE)


async def _longest_silence(house: Bench) -> float:
    """Until it is cancelled."""
    stream, newest, since, longest = EventStream(house.redis, house.keys), 0, perf_counter(), 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            if (sequence := await stream.last_sequence()) != newest:
                newest, since = sequence, perf_counter()
            longest = max(longest, perf_counter() - since)
            await asyncio.sleep(0.001)
    return longest


def measure(messages: int, accounts: int, orders: int, rounds: int, seed: int, tell: Callable[[str], None]) -> Any:
    """Everything."""
    collector.tune_for_engine()
    tell(f"a state of {accounts:,} accounts and {orders:,} resting orders")
    fold = venue(accounts, orders)
    found = {"snapshot": snapshot_costs(fold, rounds) | asyncio.run(start(fold, rounds))}
    tell("replay")
    found["replay"] = replay(messages, rounds, seed)
    tell("takeover and hand-over")
    found["change"] = asyncio.run(changes(rounds))
    return found

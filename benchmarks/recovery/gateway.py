"""The time from the start of a gateway's process until it is ready, after a history of a million orders.

All orders are of one trading day, so that the view holds each of them, and nearly all events that may come between two
snapshots of the view have come since the last one: the longest start that this history can have. The servers and the
gateway are real processes on this machine.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from statistics import median
from time import perf_counter
from typing import Any, Final

from redis.asyncio import Redis

from benchmarks.chain.stack import cpu_seconds
from benchmarks.matching import engines, flows
from benchmarks.recovery.run import frames
from goldx.hosting.embedded import temporary_servers
from goldx.hosting.servers import Server
from goldx.hosting.settings import Settings
from goldx.streams.chains import NO_FRAME, event_frame, frame_hash
from goldx.streams.entries import FIELD
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from matching.core.engine import Engine
from matching.run.fold import EntryEvents, Fold
from settlement.base import database

FLOW: Final = "near-touch"
ADDS: Final = 0.54
"""The share of this flow's messages that are orders; the others cancel and replace."""
SINCE_SNAPSHOT: Final = 0.95
"""How much of the events between two snapshots has come since the last one."""
FRAMES_AT_ONCE: Final = 500


def history(orders: int, seed: int) -> Iterator[EntryEvents]:
    """Yield what follows from a journal with so many orders, entry by entry."""
    _, before, timed = engines.prepare(flows.make(FLOW, round(orders / ADDS), seed))
    fold = Fold(Engine())
    for position, data in frames([*engines.opening(), *before, *timed]):
        found = fold.apply(position, data)
        if found is not None:
            yield found


class GatewayBench:
    """A gateway on servers of its own, whose event stream the bench writes."""

    def __init__(self, valkey: Server, database_url: str, folder: Path) -> None:
        settings = folder / "goldx.toml"
        settings.touch()
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("GOLDX_")}
        self._environment |= {name: os.environ[name] for name in ("GOLDX_CORE",) if name in os.environ}
        self._environment |= {"GOLDX_REDIS_URL": valkey.url, "GOLDX_DATABASE_URL": database_url}
        self._environment |= {"GOLDX_CONFIG": str(settings), "GOLDX_DATA_DIR": str(folder / "data")}
        self._environment |= {"GOLDX_GATEWAY_PORT": "0"}
        self.redis: Redis = connect(valkey.url, timeout=60.0)
        self.keys = Keys()
        self._previous = NO_FRAME

    def snapshot_every(self, events: int) -> int:
        """Return how many events come between two snapshots: as by default, if there are that many."""
        every = min(int(Settings.model_fields["view_snapshot_every"].default), events // 4)
        self._environment["GOLDX_VIEW_SNAPSHOT_EVERY"] = str(every)
        return every

    async def publish(self, entries: list[EntryEvents]) -> None:
        """Append the events of journal entries to the stream, and the last entry's position to the journal."""
        for start in range(0, len(entries), FRAMES_AT_ONCE):
            async with self.redis.pipeline(transaction=False) as pipe:
                for entry in entries[start : start + FRAMES_AT_ONCE]:
                    frame = event_frame(entry.body, 1, self._previous)
                    self._previous = frame_hash(frame)
                    pipe.xadd(self.keys.events, {FIELD: frame}, id=f"{entry.last}-0")
                await pipe.execute()
        await self.redis.xadd(self.keys.journal, {FIELD: b""}, id=str(entries[-1].position))

    async def run(self, end_with: Signals) -> tuple[float, float]:
        """Start the gateway, end it once it is ready, and return the seconds and processor seconds that it took."""
        began = perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "goldx.cli", "gateway", env=self._environment, stdout=PIPE, stderr=DEVNULL
        )
        try:
            assert process.stdout is not None
            while not (line := await process.stdout.readline()).startswith(b"READY "):
                assert line, "the gateway ended"
            seconds, used = perf_counter() - began, cpu_seconds(process.pid)
            process.send_signal(end_with)
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
        return seconds, used

    async def forget_the_run(self) -> None:
        """Remove the entry of a killed gateway, as if another had noticed that it is lost."""
        await self.redis.delete(self.keys.gateways)


async def measure(orders: int, rounds: int, seed: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Measure the start with the whole history to fold, and then with a snapshot that is as old as it can be."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    try:
        async with temporary_servers(durable=False) as (valkey, postgres):
            await database.migrate(postgres.url)
            bench = GatewayBench(valkey, postgres.url, folder)
            report(f"a history of {orders:,} orders")
            entries = list(history(orders, seed))
            last = entries[-1].last
            every = bench.snapshot_every(last)
            kept = [entry for entry in entries if entry.last <= last - SINCE_SNAPSHOT * every]
            await bench.publish(kept)
            report(f"a start that folds {kept[-1].last:,} events")
            whole_s, _ = await bench.run(SIGTERM)
            (view,) = (folder / "data" / "views").iterdir()
            snapshot_bytes = view.stat().st_size
            await bench.publish(entries[len(kept) :])
            report(f"starts from the snapshot and {last - kept[-1].last:,} events")
            starts = []
            for _ in range(rounds):
                starts.append(await bench.run(SIGKILL))
                await bench.forget_the_run()
            await bench.run(SIGKILL)
            after_kill_s, _ = await bench.run(SIGKILL)
            await bench.redis.aclose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "orders": orders,
        "events": last,
        "snapshot_bytes": snapshot_bytes,
        "folded_events": last - kept[-1].last,
        "start_s": round(median(seconds for seconds, _ in starts), 2),
        "start_cpu_s": round(median(used for _, used in starts), 2),
        "start_after_kill_s": round(after_kill_s, 2),
        "start_without_snapshot_s": round(whole_s, 1),
    }

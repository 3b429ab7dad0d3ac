"""The measured processes: the echo server, the relay, and the exchange with its servers, with fsync always."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.chain import flow
from goldx.client.keys import Key
from goldx.hosting.embedded import temporary_servers
from goldx.hosting.placement import placement_prefix
from goldx.hosting.servers import Server
from goldx.hosting.service import start_service
from goldx.protocol.commands import AccountOpen, AnyCommand, HoldingAdjust, InstrumentDefine, MarketSetPhase
from goldx.protocol.terms import CONTINUOUS
from goldx.protocol.units import CASH
from goldx.streams import redis_client
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from settlement.base import database, registry

MEMBER = "BENCH"
CASH_FEN = 10**15
GOLD_MG = 10**11
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SETTINGS: Final = "session_rate = 1000000\nsession_burst = 1000000\nsession_idle_seconds = 3600\n"
"""Settings of the measured exchange: no rate limit is reached, and sessions may wait minutes for their window."""


class RunningExchange(NamedTuple):
    """A running exchange. ``pids`` are by the names of the processes; ``key_file`` is the key of a member."""

    redis_url: str
    gateway_url: str
    key_file: str
    pids: dict[str, int]


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


@contextlib.contextmanager
def echo_server() -> Iterator[tuple[str, int]]:
    """Run the echo server; yield its URL and process id."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.chain.echo"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1], process.pid
        finally:
            process.terminate()


@contextlib.contextmanager
def relay(redis_url: str) -> Iterator[tuple[str, int]]:
    """Run the relay on the exchange's own Valkey; yield its URL and the id of its front process."""
    program = (sys.executable, "-m", "benchmarks.chain.relay")
    with (
        subprocess.Popen([*placement_prefix("engine"), *program, "middle", redis_url]) as behind,
        subprocess.Popen(
            [*placement_prefix("gateway"), *program, "front", redis_url], stdout=subprocess.PIPE, text=True
        ) as before,
    ):
        try:
            assert before.stdout is not None
            yield before.stdout.readline().split()[-1], before.pid
        finally:
            behind.terminate()
            before.terminate()


@contextlib.asynccontextmanager
async def exchange(sessions: int) -> AsyncIterator[RunningExchange]:
    """Run an exchange in continuous trading, with accounts for ``sessions`` sessions, in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    try:
        async with contextlib.AsyncExitStack() as stack:
            valkey, postgres = await stack.enter_async_context(
                temporary_servers(durable=False, prefix=placement_prefix("valkey"))
            )
            key = Key.generate(f"{MEMBER}.key")
            key.save(folder / "key.pem")
            await _register(postgres.url, key)
            environment = {name: value for name, value in os.environ.items() if not name.startswith("GOLDX_")}
            environment |= {name: os.environ[name] for name in ("GOLDX_CORE",) if name in os.environ}
            environment |= {"GOLDX_REDIS_URL": valkey.url, "GOLDX_DATABASE_URL": postgres.url}
            environment |= {"GOLDX_GATEWAY_PORT": "0", "GOLDX_CONFIG": str(folder / "goldx.toml")}
            (folder / "goldx.toml").write_text(SETTINGS)
            services: dict[str, Server] = {}
            with (folder / "lock").open("wb") as lock:
                for name in ("engine", "gateway"):
                    log = folder / f"{name}.jsonl"
                    services[name] = await start_service(
                        name, environment, log, lock.fileno(), prefix=placement_prefix(name)
                    )
                    stack.push_async_callback(services[name].stop)
            await _open_market(valkey.url, sessions)
            pids = {"valkey": valkey.pid, **{name: service.pid for name, service in services.items()}}
            yield RunningExchange(valkey.url, services["gateway"].url, str(folder / "key.pem"), pids)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _register(database_url: str, key: Key) -> None:
    await database.migrate(database_url)
    engine = database.connect(database_url)
    async with engine.begin() as connection:
        await registry.add_member(connection, "bench", MEMBER, MEMBER)
        await registry.add_key(connection, "bench", key.key_id, key.public_bytes, member_code=MEMBER)
    await engine.dispose()


async def _open_market(redis_url: str, sessions: int) -> None:
    """Append all commands that trading needs to the journal, and wait until the engine has applied them."""
    commands: list[AnyCommand] = [InstrumentDefine(flow.SYMBOL, maker_fee_bp=1, taker_fee_bp=3)]
    commands.append(MarketSetPhase(flow.SYMBOL, CONTINUOUS))
    for session in range(sessions):
        for account in flow.accounts(session):
            commands.append(AccountOpen(account, MEMBER))
            commands.append(HoldingAdjust(account, CASH, CASH_FEN, f"cash-{account}"))
            commands.append(HoldingAdjust(account, flow.SYMBOL, GOLD_MG, f"gold-{account}"))
    redis = redis_client.connect(redis_url)
    keys = Keys()
    await Journal(redis, keys).append(CommandFrame("bench", 1, tuple(commands)))
    while await EventStream(redis, keys).last_sequence() < len(commands):
        await asyncio.sleep(0.02)
    await redis.aclose()

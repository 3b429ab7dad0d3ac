"""``goldx serve`` and its library: what it starts stays up, keeps its data, and goes when it goes."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from goldx.hosting.embedded import ServerFailed
from goldx.hosting.service import rotate
from goldx.hosting.settings import Settings, resolve_database_url, resolve_redis_url
from goldx.hosting.supervisor import AlreadyRunning, Supervisor
from goldx.streams import engines, redis_client
from goldx.streams.keys import Keys

SERVE = (sys.executable, "-m", "goldx.cli", "serve")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, as unix sockets need."""
    path = Path(tempfile.mkdtemp(prefix="gx"))
    yield path
    shutil.rmtree(path)


def environment(folder: Path) -> dict[str, str]:
    ports = {"GOLDX_GATEWAY_PORT": "0", "GOLDX_CONSOLE_PORT": "0"}
    return os.environ | ports | {"GOLDX_DATA_DIR": str(folder / "data")}


def settings_of(folder: Path) -> Settings:
    return Settings(data_dir=folder / "data", gateway_port=0, console_port=0)


async def start_serve(folder: Path, *options: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(*SERVE, *options, env=environment(folder), stdout=-1, stderr=-1)
    assert process.stdout is not None
    while not (line := await process.stdout.readline()).startswith(b"READY serve"):
        assert line, "serve ended before it was ready"
    return process


def children_of(pid: int) -> set[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in found}


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_for_a_repair_the_servers_run_alone(folder: Path) -> None:
    process = await start_serve(folder, "--servers")
    assert len(children_of(process.pid)) == 2
    settings = settings_of(folder)
    client = redis_client.connect(resolve_redis_url(settings))
    assert await client.ping()
    await client.aclose()
    assert resolve_database_url(settings).startswith("postgresql+asyncpg://")
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0


async def test_serve_keeps_its_data_and_leaves_nothing_running(folder: Path) -> None:
    process = await start_serve(folder)
    settings = settings_of(folder)
    client = redis_client.connect(resolve_redis_url(settings))
    await client.set("kept", "1")
    await client.aclose()
    assert resolve_database_url(settings).startswith("postgresql+asyncpg://")
    services = json.loads((folder / "data/run/services.json").read_text())
    async with httpx.AsyncClient() as browser:
        assert (await browser.get(services["gateway_url"] + "/health")).status_code == 200
        assert (await browser.get(services["console_url"])).status_code == 200
    started = children_of(process.pid)
    assert len(started) == 6

    second = await asyncio.create_subprocess_exec(*SERVE, env=environment(folder), stdout=-1, stderr=-1)
    _, complained = await second.communicate()
    assert second.returncode == 1
    assert f"process {process.pid} runs an exchange on".encode() in complained

    process.send_signal(signal.SIGINT)
    printed, _ = await process.communicate()
    assert process.returncode == 0
    ends = [line.split()[0] for line in printed.decode().splitlines() if line.endswith("has stopped")]
    assert ends[:2] == ["console", "gateway"]
    assert set(ends[2:4]) == {"engine", "settlement"}
    assert set(ends[4:]) == {"valkey", "postgres"}
    assert not any(lives(pid) for pid in started)

    # Killed this time: what it started goes with it, and the next one takes over at once.
    killed = await start_serve(folder)
    client = redis_client.connect(resolve_redis_url(settings))
    assert await client.get("kept") == b"1"
    await client.aclose()
    started = children_of(killed.pid)
    killed.kill()
    await killed.communicate()
    async with Supervisor(settings, services=("engine",)) as exchange:
        assert not any(lives(pid) for pid in started)
        client = redis_client.connect(exchange.redis_url)
        assert await client.get("kept") == b"1"
        await client.aclose()


async def test_what_dies_is_started_again_where_it_was(folder: Path) -> None:
    told: list[str] = []
    services = ("engine", "settlement", "gateway")
    async with Supervisor(settings_of(folder), services=services, tell=told.append) as exchange:
        url = exchange.gateway_url
        for name in ("gateway", "engine", "settlement", "valkey", "postgres"):
            before = exchange.services[name].pid
            await exchange.kill(name)
            await exchange.ready(name)
            assert exchange.services[name].pid != before
            assert any(line.startswith(f"{name} ended with code -9") for line in told)
        await exchange.kill("gateway", signal.SIGTERM)
        await exchange.ready("gateway")
        assert exchange.gateway_url == url
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()} runs an exchange on"):
            async with Supervisor(settings_of(folder), services=()):
                pass
        async with httpx.AsyncClient() as member, asyncio.timeout(60):
            while (await member.get(url + "/health")).status_code != 200:
                await asyncio.sleep(0.1)
    assert not (folder / "data/run/services.json").exists()


async def leader_of_two(client: Redis, epoch: int) -> str:
    """The process id of the engine that leads under an epoch, once another one stands by for it."""
    while True:
        found = await engines.read_statuses(client, Keys())
        if [(status.role, status.epoch) for status in found] == [("leader", epoch), ("standby", 0)]:
            return found[0].engine.rpartition("-")[2]
        await asyncio.sleep(0.02)


async def test_with_a_standby_the_market_outlives_its_engine(folder: Path) -> None:
    """What leads is killed: the other one leads, or the one that is started again, whichever takes the lease first."""
    settings = Settings(data_dir=folder / "data", standby=True)
    async with Supervisor(settings, services=("engine", "standby")) as exchange:
        client = redis_client.connect(exchange.redis_url)
        for epoch in (1, 2):
            leader = await leader_of_two(client, epoch)
            await exchange.ready()
            (name,) = [name for name, server in exchange.services.items() if str(server.pid) == leader]
            await exchange.kill(name)
        await leader_of_two(client, 3)
        await client.aclose()


async def test_a_service_that_cannot_start_is_named_with_its_reason_and_the_rest_is_stopped(folder: Path) -> None:
    told: list[str] = []
    settings = Settings(data_dir=folder / "data", database_url="postgresql+asyncpg://x@/x?port=not-a-number")
    with pytest.raises(ServerFailed, match="settlement ended before it was ready"):
        async with Supervisor(settings, services=("settlement",), tell=told.append):
            pass
    assert told[-1] == "valkey has stopped"


async def test_what_does_not_start_again_is_told_of_until_it_does(folder: Path) -> None:
    told: list[str] = []
    async with Supervisor(settings_of(folder), services=(), tell=told.append) as exchange:
        file = folder / "data/valkey/appendonlydir/appendonly.aof.1.incr.aof"
        whole = file.read_bytes()
        file.write_bytes(b"nonsense" + whole)
        await exchange.kill("valkey")
        async with asyncio.timeout(30):
            while not told[-1].startswith("valkey did not start and is tried again in"):
                await asyncio.sleep(0.05)
        file.write_bytes(whole)
        await exchange.ready("valkey")
        assert [line for line in told if line.startswith("valkey ended")] == [
            "valkey ended with code -9 and is started again"
        ]


async def test_logs_stay_small(folder: Path) -> None:
    file = folder / "engine.jsonl"
    with file.open("ab") as service:
        service.write(b"first\n" * 100)
        service.flush()
        rotation = asyncio.create_task(rotate(folder, 500))
        async with asyncio.timeout(10):
            while not file.with_name("engine.jsonl.1").exists() or file.stat().st_size:
                await asyncio.sleep(0.01)
        service.write(b"second\n")
    rotation.cancel()
    assert file.read_bytes() == b"second\n"
    assert file.with_name("engine.jsonl.1").read_bytes() == b"first\n" * 100

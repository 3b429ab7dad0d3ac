"""``goldx serve`` and the supervisor: services stay up, keep their data, and end with their supervisor."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from goldx.hosting.running import resolve_database_url, resolve_redis_url
from goldx.hosting.servers import ServerFailed, last_line, tail
from goldx.hosting.service import rotate_logs
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import AlreadyRunning, Supervisor
from goldx.protocol import terms
from goldx.protocol.regime_commands import VenueSetRegime
from goldx.streams import engines, redis_client
from goldx.streams.entries import BEGINNING
from goldx.streams.frames import decode_commands
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from tests.http_client import http_client

SERVE = (sys.executable, "-m", "goldx.cli", "serve")


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


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_the_servers_alone_run_for_a_repair(folder: Path) -> None:
    process = await start_serve(folder, "--servers")
    assert len(children_of(process.pid)) == 2
    settings = settings_of(folder)
    client = redis_client.connect(resolve_redis_url(settings))
    assert await client.ping()
    await client.aclose()
    assert resolve_database_url(settings).startswith("postgresql+asyncpg://")
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0


async def declared(client: Redis) -> list[tuple[int, VenueSetRegime]]:
    """Return the regimes in the journal, each with the number of its entry."""
    entries = await Journal(client, Keys()).read(BEGINNING)
    frames = [decode_commands(data) for _, data in entries]
    return [
        (number, command)
        for number, frame in enumerate(frames, 1)
        for command in frame.commands
        if isinstance(command, VenueSetRegime)
    ]


@pytest.mark.campaign
async def test_serve_keeps_its_data_and_leaves_nothing_running(folder: Path) -> None:
    process = await start_serve(folder)
    settings = settings_of(folder)
    client = redis_client.connect(resolve_redis_url(settings))
    await client.set("kept", "1")
    assert await declared(client) == [(1, VenueSetRegime(terms.NEGOTIATED, by="goldx serve"))]
    await client.aclose()
    assert resolve_database_url(settings).startswith("postgresql+asyncpg://")
    services = json.loads((folder / "data/run/services.json").read_text())
    async with http_client(timeout=60) as browser:
        assert (await browser.get(services["gateway_url"] + "/health")).status_code == 200
        assert (await browser.get(services["console_url"])).status_code == 200
        regime = (await browser.get(services["gateway_url"] + "/v1/venue/regime")).json()
        assert (regime["regime"], len(regime["history"]), regime["proposed"]) == ("NEGOTIATED", 1, None)
    started = children_of(process.pid)
    assert len(started) == 6

    second = await asyncio.create_subprocess_exec(*SERVE, env=environment(folder), stdout=-1, stderr=-1)
    _, errors = await second.communicate()
    assert second.returncode == 1
    assert f"process {process.pid} runs an exchange on".encode() in errors

    process.send_signal(signal.SIGINT)
    printed, _ = await process.communicate()
    assert process.returncode == 0
    ends = [line.split()[0] for line in printed.decode().splitlines() if line.endswith("has stopped")]
    assert ends[:2] == ["console", "gateway"]
    assert set(ends[2:4]) == {"engine", "settlement"}
    assert set(ends[4:]) == {"valkey", "postgres"}
    assert not any(is_running(pid) for pid in started)

    # Killed this time: its children end with it, and the next one starts at once.
    killed = await start_serve(folder)
    client = redis_client.connect(resolve_redis_url(settings))
    assert await client.get("kept") == b"1"
    assert len(await declared(client)) == 1, "once"
    await client.aclose()
    started = children_of(killed.pid)
    killed.kill()
    await killed.communicate()
    async with Supervisor(settings, services=("engine",)) as supervisor:
        assert not any(is_running(pid) for pid in started)
        client = redis_client.connect(supervisor.redis_url)
        assert await client.get("kept") == b"1"
        await client.aclose()


@pytest.mark.campaign
async def test_a_service_that_ends_is_started_again_at_the_same_address(folder: Path) -> None:
    lines: list[str] = []
    services = ("engine", "settlement", "gateway")
    async with Supervisor(settings_of(folder), services=services, report=lines.append) as supervisor:
        url = supervisor.gateway_url
        for name in ("gateway", "engine", "settlement", "valkey", "postgres"):
            before = supervisor.services[name].pid
            await supervisor.kill(name)
            await supervisor.ready(name)
            assert supervisor.services[name].pid != before
            assert any(line.startswith(f"{name} ended with code -9") for line in lines)
        await supervisor.kill("gateway", signal.SIGTERM)
        await supervisor.ready("gateway")
        assert supervisor.gateway_url == url
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()} runs an exchange on"):
            async with Supervisor(settings_of(folder), services=()):
                pass
        async with http_client() as member, asyncio.timeout(60):
            while (await member.get(url + "/health")).status_code != 200:
                await asyncio.sleep(0.1)
    assert not (folder / "data/run/services.json").exists()


async def leader_of_two(client: Redis, epoch: int) -> str:
    """Wait until an engine leads under an epoch and another stands by; return the leader's process id."""
    while True:
        found = await engines.read_statuses(client, Keys())
        if [(status.role, status.epoch) for status in found] == [("leader", epoch), ("standby", 0)]:
            return found[0].engine.rpartition("-")[2]
        await asyncio.sleep(0.02)


async def test_a_standby_leads_when_its_leader_is_killed(folder: Path) -> None:
    """The leader is killed: then the other engine leads, or the restarted one, whichever takes the lease first."""
    settings = Settings(data_dir=folder / "data", standby=True)
    async with Supervisor(settings, services=("engine", "standby")) as supervisor:
        client = redis_client.connect(supervisor.redis_url)
        for epoch in (1, 2):
            leader = await leader_of_two(client, epoch)
            await supervisor.ready()
            (name,) = [name for name, server in supervisor.services.items() if str(server.pid) == leader]
            await supervisor.kill(name)
        await leader_of_two(client, 3)
        await client.aclose()


async def test_a_service_that_cannot_start_is_named_and_the_others_are_stopped(folder: Path) -> None:
    lines: list[str] = []
    settings = Settings(data_dir=folder / "data", database_url="postgresql+asyncpg://x@/x?port=not-a-number")
    with pytest.raises(ServerFailed, match="settlement ended before it was ready"):
        async with Supervisor(settings, services=("settlement",), report=lines.append):
            pass
    assert lines[-1] == "valkey has stopped"


async def test_failed_restarts_are_reported_until_one_succeeds(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each failed attempt is one line with the reason; nothing else is printed."""
    lines: list[str] = []
    async with Supervisor(settings_of(folder), services=(), report=lines.append) as supervisor:
        file = folder / "data/valkey/appendonlydir/appendonly.aof.1.incr.aof"
        whole = file.read_bytes()
        file.write_bytes(b"nonsense" + whole)
        await supervisor.kill("valkey")
        async with asyncio.timeout(30):
            while not lines[-1].startswith("valkey did not start and is tried again in"):
                await asyncio.sleep(0.05)
        file.write_bytes(whole)
        await supervisor.ready("valkey")
        failed = [line for line in lines if "is tried again in" in line]
        assert all(re.search(r" in [0-9.]+ s: .*Bad file format reading the append only file", line) for line in failed)
        assert not any("\n" in line or len(line) > 400 for line in failed)
        assert capsys.readouterr() == ("", "")
        assert [line for line in lines if line.startswith("valkey ended")] == [
            "valkey ended with code -9 and is started again"
        ]


async def test_the_end_of_a_log_is_short_whatever_the_log_holds(folder: Path) -> None:
    """A service that does not start logs a traceback of many kB at each attempt, in one line of JSON."""
    entry = {
        "event": "settlement stops",
        "kind": "OSError",
        "reason": "no route\nto the host",
        "exception": "x" * 17_000,
    }
    log = folder / "settlement.jsonl"
    log.write_text(f"{json.dumps(entry)}\n" * 20 + "y" * 17_000 + "\n")
    shown = tail(log).splitlines()
    assert shown[:-1] == ["settlement stops: OSError: no route to the host"] * 14
    assert shown[-1] == "y" * 299 + "…"
    assert last_line(f"first\n{tail(log, 1)}\n \n") == shown[-1]


async def test_logs_stay_small(folder: Path) -> None:
    file = folder / "engine.jsonl"
    with file.open("ab") as service:
        service.write(b"first\n" * 100)
        service.flush()
        rotation = asyncio.create_task(rotate_logs(folder, 500))
        async with asyncio.timeout(10):
            while not file.with_name("engine.jsonl.1").exists() or file.stat().st_size:
                await asyncio.sleep(0.01)
        service.write(b"second\n")
    rotation.cancel()
    assert file.read_bytes() == b"second\n"
    assert file.with_name("engine.jsonl.1").read_bytes() == b"first\n" * 100

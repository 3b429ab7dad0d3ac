"""The start of a service or a server may take any time while it makes progress, and fails without progress."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from redis.exceptions import BusyLoadingError

from goldx.hosting import progress, servers, service
from goldx.hosting.progress import Progress
from goldx.hosting.servers import ServerFailed, start_server
from goldx.hosting.service import start_service

PATIENCE = 1.0


async def start(folder: Path, script: str) -> str:
    """Start a service whose process is a shell script, and return the URL that it gives."""
    lock = os.open(folder / "lock", os.O_CREAT)
    try:
        prefix = ("sh", "-c", script)
        server = await start_service("gateway", os.environ, folder / "log.jsonl", lock, prefix=prefix)
        await server.stop()
        return server.url
    finally:
        os.close(lock)


async def test_a_service_that_makes_progress_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PATIENCE", PATIENCE)
    steps = "for n in 1 2 3 4 5 6 7 8; do echo PROGRESS gateway $n; sleep 0.4; done"
    url = await start(folder, f"{steps}; echo READY gateway http://127.0.0.1:1; exec sleep 60")
    assert url == "http://127.0.0.1:1"


@pytest.mark.parametrize("line", ["PROGRESS gateway 1", "waiting for Redis"])
async def test_a_service_that_repeats_itself_is_not(folder: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(service, "PATIENCE", PATIENCE)
    with pytest.raises(ServerFailed, match="no progress for 1 s"):
        await start(folder, f"while true; do echo {line}; sleep 0.2; done")


async def test_a_server_that_reads_its_data_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a large file, Valkey needs longer than the time in which it must answer."""
    monkeypatch.setattr(servers, "START_TIMEOUT", PATIENCE)
    clock = asyncio.get_running_loop().time
    loaded = clock() + 3 * PATIENCE

    async def check() -> None:
        if clock() < loaded:
            raise BusyLoadingError("LOADING the dataset in memory")

    log = folder / "valkey.log"
    server = await start_server("Valkey", "unix://x", ["sleep", "60"], log, check, signal.SIGTERM)
    await server.stop()

    async def never() -> None:
        raise ConnectionRefusedError

    with pytest.raises(ServerFailed):
        await start_server("Valkey", "unix://x", ["sleep", "60"], log, never, signal.SIGTERM)


def test_progress_is_printed_where_there_is_any(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    said = Progress("gateway")
    for reached in (1, 1, 2, 2, 5):
        said.report(reached)
    monkeypatch.setattr(progress, "EVERY_SECONDS", 60.0)
    said.report(6)
    said.report(7)
    assert capsys.readouterr().out.splitlines() == [f"PROGRESS gateway {reached}" for reached in (1, 2, 5, 6)]

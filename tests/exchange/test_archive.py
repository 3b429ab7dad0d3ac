"""The whole exchange with an archive: streams trimmed, services restarted, the server lost and restored."""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path
from random import Random

import pytest

from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor
from goldx.streams import redis_client
from goldx.streams.archive import Archive
from goldx.streams.keys import Keys
from tests.exchange.test_restart import Member, check, goldx, prepare, until_posted

SEED = int(os.environ.get("SEED", "0")) or int.from_bytes(os.urandom(4))
SERVICES = ("engine", "settlement", "archiver", "gateway")


async def trade(supervisor: Supervisor, members: list[Member], more: int) -> None:
    """Let the members trade until each has ``more`` more answers; every request has then been handled."""
    before = [len(member.answers) for member in members]
    trading = [
        asyncio.create_task(member.trade(supervisor.gateway_url, Random(f"{SEED} {member.firm} {member.number}")))
        for member in members
    ]
    async with asyncio.timeout(100):
        while any(len(member.answers) < count + more for member, count in zip(members, before, strict=True)):
            await asyncio.sleep(0.05)
    for task in trading:
        task.cancel()
    await asyncio.gather(*trading, return_exceptions=True)
    await supervisor.kill("gateway", signal.SIGTERM)
    await supervisor.ready("gateway")


async def trimmed(supervisor: Supervisor) -> tuple[int, int]:
    """Return how many entries of the journal and of the event stream are in the archive alone."""
    redis = redis_client.connect(supervisor.redis_url)
    found = []
    for key in (Keys().journal, Keys().events):
        stream = await redis.xinfo_stream(key)
        found.append(stream["entries-added"] - stream["length"])
    await redis.aclose()
    return found[0], found[1]


@pytest.mark.campaign
@pytest.mark.timeout(600)
async def test_restarts_on_trimmed_streams_and_after_the_loss_of_the_server(folder: Path) -> None:
    print(f"SEED={SEED}")
    settings = Settings(
        data_dir=folder / "data",
        gateway_port=0,
        snapshot_every=25,
        archive_dir=folder / "archive",
        archive_every_seconds=1,
        archive_after_hours=0,
    )
    async with Supervisor(settings, services=SERVICES) as supervisor:
        members = await prepare(supervisor)
        await trade(supervisor, members, 30)
        async with asyncio.timeout(120):
            # The journal is trimmed up to the oldest snapshot that is kept, and only orders bring new ones.
            while min(await trimmed(supervisor)) == 0:
                await trade(supervisor, members, 5)
        # The server no longer has the beginning of the streams: every service starts from the archive.
        await asyncio.gather(*(supervisor.kill(name) for name in ("engine", "gateway", "settlement", "archiver")))
        await supervisor.ready()
        await trade(supervisor, members, 15)
        await until_posted(supervisor)
        printed = (await goldx(supervisor, "journal", "archive", "--retain", "0s")).decode()
        anchor = printed.split("anchor ")[1].strip()

    # Every copy of the server's disk is lost.
    shutil.rmtree(folder / "data" / "valkey")
    environment = {name: value for name, value in supervisor.environment.items() if name != "GOLDX_REDIS_URL"}
    del environment["GOLDX_DATABASE_URL"]
    command = (sys.executable, "-m", "goldx.cli", "journal", "restore", "--archive", str(folder / "archive"))
    restoring = await asyncio.create_subprocess_exec(*command, env=environment, stdout=-1, stderr=-1)
    out, errors = await restoring.communicate()
    assert restoring.returncode == 0, errors.decode()
    assert out.startswith(b"put back "), out

    async with Supervisor(settings, services=SERVICES) as supervisor:
        await trade(supervisor, members, 15)
        await until_posted(supervisor)
        await check(supervisor, folder, members)
        Archive(folder / "archive").prove([anchor])

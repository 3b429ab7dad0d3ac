"""Resuming a private channel from its beginning, when the events are in the archive alone."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import msgspec

from goldx.hosting.servers import Server
from goldx.streams import redis_client
from goldx.streams.archive import Archive
from goldx.streams.event_stream import EventStream
from goldx.streams.keys import Keys
from matching.archive.archiver import Archiver, Retention
from tests.api.conftest import Desk, build, until


async def test_a_private_channel_resumes_from_the_archive(
    servers: tuple[Server, Server], template: str, tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    async with contextlib.AsyncExitStack() as cleanup:
        services = await build(cleanup, servers[0].url, servers[1].url, template)
        keys = Keys(services.shard)
        redis = redis_client.connect(servers[0].url)
        cleanup.push_async_callback(redis.aclose)
        archiver = Archiver(redis, keys, Archive(folder), Retention())
        server = await services.start_gateway(archive_dir=folder)
        desk = Desk(services, server, 1)
        await desk.open()
        for _ in range(2):
            async with services.member(server) as member:
                for _ in range(160):
                    placed = await member.place(desk.a, desk.symbol, "buy", "1", "590.00")
                    await member.cancel(desk.a, placed["order"]["order_id"])
            # A clean stop leaves a snapshot; settlement would have posted all events by now.
            await services.stop_engine()
            await redis.set(keys.posted, await EventStream(redis, keys).last_sequence())
            done = await archiver.run()
            await services.start_engine()
            # Commands that came while the engine was stopped are answered before there are more.
            await until(lambda: server.gateway.sequencer.waiting == 0)
        assert done.trimmed["events"] > 0

        fresh = await services.start_gateway("gateway-2", archive_dir=folder)
        for gateway in (server, fresh):
            channel = gateway.gateway.view.accounts[desk.a].channel
            assert channel.oldest > 1, "the channel does not keep all messages"
            async with services.member(gateway) as member:
                found = []
                async with asyncio.timeout(60):
                    async for message in member.subscribe(channel.name, from_sequence=0):
                        found.append(message["sequence"])
                        if message["sequence"] == channel.sequence:
                            break
                assert found == list(range(1, channel.sequence + 1))

        # Without the archive the gateway cannot start, and says so in one line.
        environment = {"SHARD": services.shard, "REDIS_URL": servers[0].url, "DATABASE_URL": servers[1].url}
        ending = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "goldx.cli",
            "gateway",
            env=os.environ
            | {f"GOLDX_{name}": value for name, value in environment.items()}
            | {"GOLDX_GATEWAY_PORT": "0", "GOLDX_GATEWAY_ID": "gateway-3"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await ending.communicate()
        assert (ending.returncode, out) == (1, b""), errors
        logged = msgspec.json.decode(errors.splitlines()[-1])
        assert (logged["event"], logged["kind"]) == ("the gateway stops", "EventsMissing")
        assert "no archive_dir is set" in logged["reason"]
        assert b"Traceback" not in errors

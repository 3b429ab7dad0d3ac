"""Each service checks how durable the server is, and refuses less than full durability unless that is allowed."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from goldx.hosting.valkey import start_valkey
from goldx.streams import redis_client

WEAK = "appendonly=yes,appendfsync=everysec"


async def run(service: str, settings: dict[str, str]) -> tuple[str, str]:
    """Start a service and stop it when it is ready; return its READY line, or "", and its standard error."""
    command = (sys.executable, "-m", "goldx.cli", service)
    process = await asyncio.create_subprocess_exec(*command, env=os.environ | settings, stdout=-1, stderr=-1)
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    if line:
        process.terminate()
    _, errors = await process.communicate()
    assert (process.returncode == 0) == bool(line), errors.decode()
    return line, errors.decode()


@pytest.mark.campaign
async def test_settlement_and_gateway_refuse_a_server_that_acknowledges_too_early(
    folder: Path, database_url: str
) -> None:
    server = await start_valkey(folder)
    settings = {"GOLDX_REDIS_URL": server.url, "GOLDX_DATABASE_URL": database_url, "GOLDX_GATEWAY_PORT": "0"}
    try:
        redis = redis_client.connect(server.url)
        line, _ = await run("settlement", settings)
        assert line.endswith("durability=appendonly=yes,appendfsync=always\n")
        await redis.config_set("appendfsync", "everysec")
        for service in ("settlement", "gateway"):
            line, errors = await run(service, settings)
            assert line == ""
            assert f"the server's durability is {WEAK}" in errors
            line, errors = await run(service, settings | {"GOLDX_ALLOW_WEAK_DURABILITY": "true"})
            assert line.endswith(f"durability={WEAK}\n"), errors
        await redis.aclose()
    finally:
        await server.stop()

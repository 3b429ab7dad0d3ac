"""Gateways as processes of their own."""

import asyncio
import os
import sys

from tests.api.conftest import ShardServices
from tests.matching.shards import RUN


class OtherGateway:
    """A gateway in a separate process, which can be killed. The services stop it with their own gateways."""

    def __init__(self, services: ShardServices, name: str, program: str = RUN) -> None:
        self._services = services
        self._program = program
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("GOLDX_")} | {
            "GOLDX_REDIS_URL": services.valkey_url,
            "GOLDX_DATABASE_URL": services.database_url,
            "GOLDX_SHARD": services.shard,
            "GOLDX_ALLOW_WEAK_DURABILITY": "true",
            "GOLDX_GATEWAY_ID": name,
            "GOLDX_GATEWAY_PORT": "0",
        }

    async def start(self) -> str:
        pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        command = (sys.executable, "-c", self._program, "gateway")
        self.process = await asyncio.create_subprocess_exec(*command, env=self._environment, stdout=pipe, stderr=none)
        self._services.other_gateways.append(self.process)
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 60)
        assert line.startswith(b"READY gateway"), line
        return next(word for word in line.decode().split() if word.startswith("http"))

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

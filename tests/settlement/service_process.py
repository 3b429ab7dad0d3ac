"""``goldx settlement`` as a real process."""

import asyncio
import os
import signal
import sys
from pathlib import Path

GOLDX = Path(sys.executable).parent / "goldx"


class Service:
    """Starts ``goldx settlement`` and reads its output."""

    def __init__(self, database_url: str, redis_url: str, shard: str) -> None:
        settings = {"GOLDX_DATABASE_URL": database_url, "GOLDX_REDIS_URL": redis_url, "GOLDX_SHARD": shard}
        self._environment = {**os.environ, **settings}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, wait: bool = True) -> None:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            GOLDX, "settlement", env=self._environment, stdout=pipe, stderr=pipe
        )
        if wait:
            assert self._process.stdout is not None
            line = await asyncio.wait_for(self._process.stdout.readline(), 60)
            assert line.startswith(b"READY settlement"), (line, await self.errors())

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process

    async def errors(self) -> str:
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()

    async def kill(self) -> None:
        """End it at once, if it was ever started."""
        if self._process is not None:
            await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 30)

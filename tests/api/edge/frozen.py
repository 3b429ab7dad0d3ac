"""An exchange whose database can be frozen: its processes are stopped, so that connections stay without answers."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from goldx.hosting.servers import Server
from goldx.streams import redis_client
from goldx.streams.keys import Keys
from goldx.streams.revocations import publish_revocation
from tests.api.conftest import Desk, ShardServices


def _tree(pid: int) -> list[int]:
    """Return a process and its children."""
    found = [pid]
    for number in found:
        for task in Path(f"/proc/{number}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


@contextlib.contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Stop a server's processes without ending them: connections stay, without answers."""
    stopped = _tree(server.pid)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Venue:
    def __init__(self, services: ShardServices, desk: Desk, postgres: Server) -> None:
        self.services = services
        self.desk = desk
        self.postgres = postgres

    async def revoke_over_streams(self, key_id: str) -> None:
        redis = redis_client.connect(self.services.valkey_url)
        await publish_revocation(redis, Keys(self.services.shard), key_id, "op")
        await redis.aclose()

    async def revoke(self, key_id: str) -> str:
        """Run ``goldx key revoke`` and return its output."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GOLDX_")}
        environment |= {
            "GOLDX_REDIS_URL": self.services.valkey_url,
            "GOLDX_DATABASE_URL": self.services.database_url,
            "GOLDX_SHARD": self.services.shard,
        }
        command = (sys.executable, "-m", "goldx.cli", "key", "revoke", key_id)
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
        printed, _ = await process.communicate()
        assert process.returncode == 0, printed
        return printed.decode()

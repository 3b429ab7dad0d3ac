"""An exchange whose database can be frozen: its processes are stopped, so that connections stay without answers."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner

from goldx.cli import main
from goldx.hosting.servers import Server
from goldx.streams import redis_client
from goldx.streams.keys import Keys
from goldx.streams.standings import publish_notice
from settlement.base import standings
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
        notice = standings.new_notice("revoke", "key", key_id, "op", "lost")
        await publish_notice(redis, Keys(self.services.shard), notice)
        await redis.aclose()

    async def type(self, *words: str, code: int = 0) -> str:
        """Run a command of ``goldx``, check its exit code, and return its output."""
        environment: dict[str, str | None] = {name: None for name in os.environ if name.startswith("GOLDX_")}
        environment |= {
            "GOLDX_REDIS_URL": self.services.valkey_url,
            "GOLDX_DATABASE_URL": self.services.database_url,
            "GOLDX_SHARD": self.services.shard,
        }
        result = await asyncio.to_thread(CliRunner(env=environment).invoke, main, words)
        assert result.exit_code == code, result.output
        return result.output

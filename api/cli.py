"""``goldx gateway``: the service as a process."""

import asyncio
import signal
import socket
import sys

import click
import uvloop

from api.app import GatewayServer
from goldx.hosting import collector, logging
from goldx.hosting.running import resolve_database_url, resolve_redis_url
from goldx.hosting.settings import Settings


class _AnnouncingServer(GatewayServer):
    """Prints a line that begins with READY once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            self.exit_code = 1
            return
        collector.tune_for_service()
        gateway = self.gateway
        shard, sequence = gateway.settings.shard, gateway.view.sequence
        state = f"shard={shard} run={gateway.run} sequence={sequence} durability={gateway.durability}"
        print(f"READY gateway {self.url} {state}", flush=True)


async def _serve(server: GatewayServer) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    await server.serve()


@click.command()
def gateway() -> None:
    """Run a gateway: members' sessions, market data, REST. Settings come from the environment and goldx.toml."""
    settings = Settings()
    logging.configure("gateway")
    server = _AnnouncingServer(settings, resolve_redis_url(settings), resolve_database_url(settings))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(server))
    sys.exit(server.exit_code)

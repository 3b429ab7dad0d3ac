"""The process that answers staff beside a gateway (``api.staff``).

It gets the gateway's settings and servers on its standard input, and ends when that is closed: whenever the gateway
ends. It may use every processor, but with lower priority than the processes that handle orders.
"""

import asyncio
import contextlib
import os
import sys
from typing import Any, Final

import msgspec
import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import create_app
from api.edge.admission import PRINCIPAL
from api.edge.auth import NotAuthentic, Principal
from api.staff import KEPT_SECONDS, PRINCIPAL_FIELD, read_principal
from goldx.hosting import collector, logging
from goldx.hosting.settings import Settings
from goldx.streams.history import WholeEvents, archive_in
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from settlement.base import database
from settlement.service.standings import Standings

NICENESS: Final = 5


class StaffServices:
    """The parts of a gateway that routes of staff use: database, standings, and the end of the event stream."""

    def __init__(self, settings: Settings, redis_url: str, database_url: str) -> None:
        self.settings = settings
        self.database = database.connect(database_url)
        self._redis = connect(redis_url)
        keys = Keys(settings.shard)
        self.events = WholeEvents(self._redis, keys, archive_in(settings.archive_dir))
        self.standings = Standings(database_url, self.database, self._redis, keys)

    @property
    def authenticator(self) -> "StaffServices":
        """The authenticator: the gateway has already authenticated requests with a token."""
        return self

    async def bearer(self, _: str | None) -> Principal:
        """Raise NotAuthentic, because the gateway has passed no principal on."""
        raise NotAuthentic("a header 'Authorization: Bearer TOKEN' is needed, the token signed by a registered key")

    async def stop(self) -> None:
        await self._redis.aclose()
        await self.database.dispose()


class WithPrincipal:
    """ASGI middleware: takes the principal from the header field in which the gateway has written it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope.get("headers", ()):
            if name == PRINCIPAL_FIELD:
                scope[PRINCIPAL] = read_principal(value)
        await self._app(scope, receive, send)


async def _serve(path: str, instructions: list[Any]) -> None:
    values, redis_url, database_url = instructions
    app = create_app(admission=False)
    app.state.gateway = StaffServices(Settings(**values), redis_url, database_url)
    config = uvicorn.Config(
        WithPrincipal(app),
        uds=path,
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEPT_SECONDS,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)

    def read() -> None:
        if not os.read(0, 1):
            server.should_exit = True
            asyncio.get_running_loop().remove_reader(0)

    asyncio.get_running_loop().add_reader(0, read)
    collector.tune_for_service()
    await server.serve()


def main() -> None:
    """Serve until standard input ends."""
    with open(0, "rb", buffering=0, closefd=False) as given:
        instructions = msgspec.json.decode(given.readline())
    logging.configure("staff")
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sys.argv[1], instructions))


if __name__ == "__main__":
    main()

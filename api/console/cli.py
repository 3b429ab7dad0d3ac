"""``goldx console``: serves the operators' pages."""

import asyncio
import signal
import socket
from contextlib import suppress

import click
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from nicegui import ui

from api.console.feed import PRESENT, Feed
from api.console.origin import SameOrigin
from api.console.page import build
from api.console.words import WORDS
from api.edge.connections import Connections, raise_file_limit
from api.edge.http import LimitedHttp
from api.edge.problems import problem
from goldx.hosting import logging
from goldx.hosting.settings import Settings


@click.command()
def console() -> None:
    """Serve the operators' pages, until SIGTERM."""
    logging.configure("console")
    settings = Settings()
    try:
        listening = socket.create_server((settings.console_host, settings.console_port))
    except OSError as error:
        where = f"{settings.console_host}:{settings.console_port}"
        raise click.ClickException(f"cannot listen on {where}: {error.strerror}") from error
    with listening:
        asyncio.run(_serve(settings, listening))


async def _serve(settings: Settings, listening: socket.socket) -> None:
    site = FastAPI(title="GoldX console", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    site.add_middleware(SameOrigin)
    feed = Feed(settings)

    @site.get("/health")
    async def health() -> Response:
        """Return 200 if the page shows the present market, otherwise 503."""
        if feed.state in PRESENT:
            return JSONResponse({"status": "ok"})
        return problem(503, WORDS["en"][feed.state], "UNAVAILABLE")

    ui.page("/", title="GoldX", favicon="🟡")(build(feed))
    ui.run_with(site, title="GoldX", dark=True, tailwind=False, show_welcome_message=False)
    connections = Connections(raise_file_limit(settings.connections), settings.connections_per_address)
    config = uvicorn.Config(
        site,
        http=LimitedHttp.with_connections(connections),
        ws="websockets-sansio",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    # At its end uvicorn raises again the signal that stopped it; a clean stop must not look like an error.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    following = asyncio.create_task(feed.run())
    host, port = listening.getsockname()[:2]
    print(f"READY console http://{host}:{port}", flush=True)
    try:
        await server.serve(sockets=[listening])
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following

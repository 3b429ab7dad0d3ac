"""The FastAPI application of a gateway, and the uvicorn server under it."""

import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from functools import partial
from importlib.metadata import version
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI, WebSocket

from api import documentation, rest
from api.edge import errors
from api.edge.admission import Admission
from api.edge.connections import Connections, raise_file_limit
from api.edge.http import LimitedHttp
from api.gateway import Gateway
from api.sessions.gateway_lease import GatewayIdTaken
from api.sessions.link import Link, link_of
from goldx.hosting.settings import Settings
from goldx.streams.durability import WeakDurability
from goldx.streams.history import EventsMissing
from goldx.streams.replicas import NoReplicas
from goldx.streams.segments import BadArchive

MAX_MESSAGE_BYTES: Final = 64 * 1_024
IDLE_SECONDS: Final = 75
"""How long a connection for REST stays open without a request.

Clients keep theirs for less (httpx 5 s, a proxy 60 s), so that they do not send a request on one that is being closed.
"""

DESCRIPTION: Final = """GoldX: spot exchange for non-standard gold.

Members trade over the WebSocket `/ws` (JSON-RPC 2.0, see docs/protocol.md). Prices are CNY per fine gram, weights fine
grams, money CNY, all as decimal strings. Staff authenticate with `Authorization: Bearer` and a token that they sign
with their own Ed25519 key. Errors are problem details (RFC 9457)."""


START_ERRORS: Final = (WeakDurability, NoReplicas, EventsMissing, BadArchive, GatewayIdTaken)
"""Errors that end the start of a gateway with a message for the operator: waiting would not help."""

log = structlog.get_logger()


def create_app(*, admission: bool = True, staff: bool = True) -> FastAPI:
    """Return the application of the gateway in its ``state.gateway``, which it stops when it shuts down.

    With ``admission`` the application itself admits requests (``api.edge.admission``). Without ``staff`` it has only
    the routes that a gateway answers itself, because a process beside it answers the others (``api.staff``).
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await app.state.gateway.stop()

    app = documentation.DocumentedApp(
        title="GoldX",
        version=version("goldx"),
        description=DESCRIPTION,
        docs_url=None,  # FastAPI's own page loads scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,  # a redirect would go to the host that the request's Host names
        lifespan=lifespan,
    )
    if admission:
        app.add_middleware(Admission)
    errors.install(app)
    # FastAPI's include_router would build each route a second time for each application, most of a second in all.
    app.routes.extend(rest.router.routes)
    if staff:
        # Loading settlement's routes takes as long as all else that a gateway loads.
        from api import settlement_routes

        app.routes.extend(settlement_routes.ROUTES)
        settlement_routes.install(app)
        documentation.install(app)

    @app.websocket("/ws")
    async def members(websocket: WebSocket) -> None:
        await websocket.accept()
        await app.state.gateway.serve_session(link_of(websocket), websocket.client.host if websocket.client else "")

    return app


class GatewayServer(uvicorn.Server):
    """The uvicorn server of one gateway. It leaves signals alone. ``exit_code`` is 1 if the gateway has failed."""

    def __init__(self, settings: Settings, redis_url: str, database_url: str) -> None:
        proxies = (settings.trusted_proxies or "").split(",")
        most = raise_file_limit(settings.connections)
        connections = Connections(most, settings.connections_per_address, [text for text in proxies if text])

        class SizedLink(Link):
            queue_limit = settings.session_queue_kb * 1_024
            allowed = connections

        self.exit_code = 0
        self.app = create_app(staff=not settings.staff_process)
        self._make_gateway = partial(Gateway, settings, redis_url, database_url, self._fail)
        config = uvicorn.Config(
            self.app,
            host=settings.gateway_host,
            port=settings.gateway_port,
            http=LimitedHttp.with_connections(connections),
            ws=SizedLink,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            proxy_headers=settings.trusted_proxies is not None,
            forwarded_allow_ips=settings.trusted_proxies,
            access_log=False,
            log_config=None,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=5,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the gateway, then the server. A gateway that cannot start ends the server with one line in the log."""
        gateway = self._make_gateway()
        try:
            await gateway.start()
        except START_ERRORS as error:
            log.critical("the gateway stops", kind=type(error).__name__, reason=str(error))
            await gateway.disconnect()
            self._fail()
            return
        self.app.state.gateway = gateway
        await super().startup(sockets)

    @property
    def gateway(self) -> Gateway:
        """The gateway, once the server has started."""
        gateway: Gateway = self.app.state.gateway
        return gateway

    @property
    def url(self) -> str:
        """The URL at which the server listens, once it has started. The system may have chosen the port."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def _fail(self) -> None:
        self.exit_code = 1
        self.should_exit = True

"""The FastAPI application of a gateway, and the uvicorn server under it."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI, WebSocket

from api import problems, rest, settlement_routes
from api.gateway import Gateway
from api.link import Link, link_of
from goldx.settings import Settings

MAX_MESSAGE_BYTES = 64 * 1_024

DESCRIPTION = """GoldX: spot exchange for non-standard gold.

Members trade over the WebSocket `/ws` (JSON-RPC 2.0, see docs/protocol.md). Prices are CNY per fine gram, weights fine
grams, money CNY, all as decimal strings. Staff authenticate with `Authorization: Bearer` and a token that they sign
with their own Ed25519 key. Errors are problem details (RFC 9457)."""


def create_app(settings: Settings, redis_url: str, database_url: str, failed: Callable[[], None]) -> FastAPI:
    """``failed`` is called when the gateway cannot go on."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        gateway = Gateway(settings, redis_url, database_url, failed)
        await gateway.start()
        app.state.gateway = gateway
        yield
        await gateway.stop()

    app = FastAPI(title="GoldX", version=version("goldx"), description=DESCRIPTION, lifespan=lifespan)
    problems.install(app)
    app.include_router(rest.router)
    settlement_routes.install(app)

    @app.websocket("/ws")
    async def members(websocket: WebSocket) -> None:
        await websocket.accept()
        await app.state.gateway.serve_session(link_of(websocket))

    return app


class GatewayServer(uvicorn.Server):
    """Serves one gateway; whoever runs it decides about signals. ``exit_code`` is 1 when the gateway failed."""

    def __init__(self, settings: Settings, redis_url: str, database_url: str) -> None:
        class SizedLink(Link):
            queue_limit = settings.session_queue_kb * 1_024

        self.exit_code = 0
        self.app = create_app(settings, redis_url, database_url, self._fail)
        config = uvicorn.Config(
            self.app,
            host=settings.gateway_host,
            port=settings.gateway_port,
            http="httptools",
            ws=SizedLink,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=5,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    @property
    def gateway(self) -> Gateway:
        """The gateway, once the server has started."""
        gateway: Gateway = self.app.state.gateway
        return gateway

    @property
    def url(self) -> str:
        """Where it listens, once it has started: its port may have been left to the system."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def _fail(self) -> None:
        self.exit_code = 1
        self.should_exit = True

"""Requests of other sites' pages, which a browser sends to the console with its user's network, are refused."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class SameOrigin:
    """The ASGI middleware. A request with an ``Origin`` must come from a page of the host that it is sent to.

    A browser names the origin in every request that opens a WebSocket; a proxy has to pass the ``Host`` on.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not _is_same(Headers(scope=scope)):
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            else:
                await PlainTextResponse("this page belongs to another site", 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_same(headers: Headers) -> bool:
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()

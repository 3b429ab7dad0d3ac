"""A logged-on connection without the member's client, whose requests and messages a test handles itself."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from api.app import GatewayServer
from tests.api.conftest import ShardServices


@contextlib.asynccontextmanager
async def logged_on(services: ShardServices, server: GatewayServer, **session: str) -> AsyncIterator[ClientConnection]:
    """A connection of the first member, without the client, which would drop messages received twice.

    ``session`` may give the session a name.
    """
    key = services.keys["FIRM-A"]
    async with connect(server.url.replace("http", "ws") + "/ws", proxy=None, max_size=None) as connection:
        nonce = (await ask(connection, "session.challenge", key_id=key.key_id))["nonce"]
        await ask(connection, "session.logon", key_id=key.key_id, signature=key.sign(nonce.encode()).hex(), **session)
        yield connection


def request(method: str, **params: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


async def ask(connection: ClientConnection, method: str, **params: Any) -> Any:
    await connection.send(request(method, **params))
    return json.loads(await connection.recv())["result"]

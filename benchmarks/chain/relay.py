"""A relay that does with an order only what any durable exchange of this design must, as a lower bound of its cost.

A message comes over the gateway's WebSocket and is appended with fsync; a second process reads it and appends it again;
the first process reads that and answers. No order is decoded and nothing is kept: any further latency of the chain is
the work of the exchange.
"""

import asyncio
import socket
import sys
from collections import deque
from typing import Any, Final

import msgspec
import uvicorn
import uvloop
from fastapi import FastAPI, WebSocket

from api.sessions.link import Link, link_of
from goldx.hosting import collector
from goldx.streams.connection import RedisConnection
from goldx.streams.entries import FIELD
from goldx.streams.redis_client import connect

TO, FROM = "bench:relay:journal", "bench:relay:events"
BLOCK_MS: Final = 1_000
TIMEOUT: Final = 10.0

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[int, list[bytes]]).decode


class Outbox:
    """Appends messages to a stream; all that come during one append go together with the next."""

    def __init__(self, connection: RedisConnection, key: str) -> None:
        self._connection = connection
        self._key = key
        self._waiting: list[bytes] = []
        self._filled = asyncio.Event()

    def put(self, data: bytes) -> None:
        self._waiting.append(data)
        self._filled.set()

    async def run(self) -> None:
        number = 0
        while True:
            await self._filled.wait()
            self._filled.clear()
            taken, self._waiting = self._waiting, []
            number += 1
            await self._connection.xadd(self._key, {FIELD: _pack((number, taken))})


async def follow(connection: RedisConnection, key: str, take: Any) -> None:
    """Hand all messages of a stream to ``take``, those that it has and those that come."""
    last = "0-0"
    while True:
        for entries in (await connection.xread({key: last}, 500, BLOCK_MS)).values():
            for entry_id, fields in entries:
                last = entry_id.decode()
                for data in _unpack(fields[FIELD])[1]:
                    take(data)


class Front:
    """Stands in for the gateway. Answers come in the order of the requests."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._requests: deque[tuple[Link, bytes]] = deque()
        self.app = FastAPI()
        self.app.websocket("/ws")(self._serve)

    async def _serve(self, websocket: WebSocket) -> None:
        await websocket.accept()
        link, over = link_of(websocket), asyncio.Event()

        def receive(messages: list[bytes]) -> None:
            for data in messages:
                self._requests.append((link, data))
                self._outbox.put(data)

        link.attach(receive, over.set)
        await over.wait()

    def answer(self, data: bytes) -> None:
        """Answer the oldest request, which must be the message that came back."""
        link, request = self._requests.popleft()
        if request != data:
            raise RuntimeError(f"{data!r} came back where {request!r} was sent")
        message = _decode(data)
        link.push(_encode({"jsonrpc": "2.0", "id": message["id"], "result": message["params"]}))


async def front(redis_url: str) -> None:
    """Serve until the process is ended; the first line of standard output has the URL."""
    outbox = Outbox(RedisConnection(connect(redis_url)), TO)
    served = Front(outbox)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    print(f"READY relay http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        served.app, ws=Link, http="httptools", ws_per_message_deflate=False, access_log=False, log_config=None
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(outbox.run())
        tasks.create_task(follow(RedisConnection(connect(redis_url, timeout=TIMEOUT)), FROM, served.answer))
        tasks.create_task(uvicorn.Server(config).serve(sockets=[listening]))


async def middle(redis_url: str) -> None:
    """Stand in for the engine: append each message of one stream to the other."""
    outbox = Outbox(RedisConnection(connect(redis_url)), FROM)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(outbox.run())
        tasks.create_task(follow(RedisConnection(connect(redis_url, timeout=TIMEOUT)), TO, outbox.put))


if __name__ == "__main__":
    collector.tune_for_service()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run({"front": front, "middle": middle}[sys.argv[1]](sys.argv[2]))

"""The exchange without the exchange: what every order's way costs whatever is done on it.

The gateway's WebSocket, one append with fsync, a second process that appends what it read, and back to the client. No
order is looked at, nothing is kept: the rest of a latency is the exchange's own.
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
    """Appends what was put, all that has come during one append with the next."""

    def __init__(self, line: RedisConnection, key: str) -> None:
        self._line = line
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
            await self._line.xadd(self._key, {FIELD: _pack((number, taken))})


async def follow(line: RedisConnection, key: str, take: Any) -> None:
    """Hands over what a stream holds, and what comes."""
    last = "0-0"
    while True:
        for entries in (await line.xread({key: last}, 500, BLOCK_MS)).values():
            for entry_id, fields in entries:
                last = entry_id.decode()
                for data in _unpack(fields[FIELD])[1]:
                    take(data)


class Front:
    """In the gateway's place. Answers come in the order of the requests."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._asked: deque[tuple[Link, bytes]] = deque()
        self.app = FastAPI()
        self.app.websocket("/ws")(self._serve)

    async def _serve(self, websocket: WebSocket) -> None:
        await websocket.accept()
        link, over = link_of(websocket), asyncio.Event()

        def receive(messages: list[bytes]) -> None:
            for data in messages:
                self._asked.append((link, data))
                self._outbox.put(data)

        link.attach(receive, over.set)
        await over.wait()

    def answer(self, data: bytes) -> None:
        """What comes back is what was sent."""
        link, asked = self._asked.popleft()
        if asked != data:
            raise RuntimeError(f"{data!r} came back where {asked!r} was sent")
        message = _decode(data)
        link.push(_encode({"jsonrpc": "2.0", "id": message["id"], "result": message["params"]}))


async def front(redis_url: str) -> None:
    """Serves until it is ended; says where on its first line."""
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
    """In the engine's place: reads what is appended, and appends it again."""
    outbox = Outbox(RedisConnection(connect(redis_url)), FROM)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(outbox.run())
        tasks.create_task(follow(RedisConnection(connect(redis_url, timeout=TIMEOUT)), TO, outbox.put))


if __name__ == "__main__":
    collector.tune_for_service()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run({"front": front, "middle": middle}[sys.argv[1]](sys.argv[2]))

"""The WebSocket under a session: it reads whole chunks of messages, and joins the answers into few writes.

uvicorn's protocol class does the handshake, the pings and the closing, and FastAPI accepts the connection. From then on
all messages of a chunk are handed to the session by one plain call, and all answers of one turn of the event loop leave
in one socket write. A coroutine and a write for each message would cost ten times as much.

The names of uvicorn's and websockets' classes that are used here are not documented:
``tests/repository/test_private_names.py`` lists them.
"""

import time
from asyncio import BaseTransport
from collections.abc import Callable
from typing import Any, Final, cast

from fastapi import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from api.edge.connections import Connections
from api.edge.http import address_of
from api.sessions import framing
from api.sessions.close_codes import SLOW_CONSUMER

EXTENSION: Final = "goldx.link"
"""The key of the link in the ``extensions`` of its ASGI scope."""
LIMITS_IN_A_TURN: Final = 16
"""The multiple of ``queue_limit`` that may be queued in one turn of the event loop for a client that is not behind."""


class Link(WebSocketsSansIOProtocol):
    """The protocol class, given to uvicorn as ``ws=``."""

    queue_limit = 4 << 20
    """Bytes that may wait for longer than a turn; a client that leaves more unread is cut off."""
    allowed: Connections | None = None
    """Counts the connection, if it is set."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._receive: Callable[[list[bytes]], None] | None = None
        self._lost: Callable[[], None] | None = None
        self._attached = False
        self._partial = b""
        """The beginning of a frame whose end has not come yet."""
        self._out: list[bytes] = []
        self._queued = 0
        self._behind = 0
        """The bytes that could not be written at the end of the last turn in which any were queued."""
        self._scheduled = False
        self._written_at = time.monotonic()
        self._address: str | None = None
        """The address for which the connection is counted."""
        self.unfinished_since: float | None = None
        """The time, by the clock of the loop, at which an incomplete message began; None if there is none."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        if self.allowed is not None:
            address = address_of(self.transport)
            if self.allowed.enter(address) is None:
                self._address = address

    def attach(self, receive: Callable[[list[bytes]], None], lost: Callable[[], None]) -> None:
        """Hand all messages from now on to ``receive``, those of a chunk together.

        ``lost`` is called once, when the connection ends.
        """
        self._receive = receive
        self._lost = lost
        self._attached = True
        if self.disconnected:
            lost()

    @property
    def queued(self) -> int:
        """The bytes that are not sent yet, without those in the system's buffers."""
        return self._queued

    @property
    def sent_at(self) -> float:
        """When messages were last written, by the monotonic clock; now, while the client has left some unread."""
        return time.monotonic() if self._queued else self._written_at

    def push(self, data: bytes) -> None:
        """Send one message, in this turn of the event loop or as soon as the client reads.

        A client that has left more than ``queue_limit`` bytes unread is cut off (SLOW_CONSUMER). Only bytes from
        earlier turns count: a client is not slow because one request or event gives it much to read.
        """
        if self.close_sent or self.disconnected:
            return
        if self._behind > self.queue_limit or self._queued > self.queue_limit * LIMITS_IN_A_TURN:
            self._flush()
            if self._queued:
                self.end(SLOW_CONSUMER, "slow consumer: too much was left unread")
                return
        self._out.append(data)
        self._queued += len(data)
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._flush)

    def end(self, code: int, reason: str) -> None:
        """End the session, and close the connection after what has been written.

        Messages that a slow client has left unread are dropped, so that it finds the close as soon as it reads again. A
        client that does not read the close either is cut off after a while.
        """
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self._flush()
        self._drop_queued()
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)
        self._end_session()

    def keepalive_timeout(self) -> None:
        """Close the connection of a client that does not answer a ping, and so does not read (SLOW_CONSUMER)."""
        self.pong_timer = None
        self.pending_ping_payload = None
        self.end(SLOW_CONSUMER, "slow consumer: a ping was not answered")

    def hold(self, held: bool) -> None:
        """Stop reading, or go on."""
        if not self.transport.is_closing():
            if held:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def _flush(self) -> None:
        self._scheduled = False
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        if not self.writable.is_set():
            self._behind = self._queued
            return
        parts: list[bytes] = []
        for data in self._out:
            parts.append(framing.header(len(data)))
            parts.append(data)
        self._drop_queued()
        self._written_at = time.monotonic()
        self.transport.write(b"".join(parts))

    def _drop_queued(self) -> None:
        self._out.clear()
        self._queued = self._behind = 0

    def _end_session(self) -> None:
        lost, self._lost, self._receive = self._lost, None, None
        if lost is not None:
            lost()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._out:
            self._flush()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if scope := getattr(self, "scope", None):
            scope["extensions"][EXTENSION] = self

    def data_received(self, data: bytes) -> None:
        if not self._attached:
            super().data_received(data)
            return
        if self._partial:
            data = self._partial + data
        largest = self.config.ws_max_size
        ended = False
        while data and not self.transport.is_closing():
            if self.conn.current_size is None:  # not between the fragments of a message
                messages, taken = framing.take(data, largest)
                ended = ended or taken > 0
                if messages and not self.close_sent and self._receive is not None:
                    self._receive(messages)
                data = data[taken:]
            size = framing.length(data)
            if size == 0 or len(data) < size <= largest + framing.MAX_HEADER:
                break
            # The library gets one whole frame, or the beginning of one that it will refuse for its size.
            super().data_received(data[:size])
            data = data[size:]
        self._partial = data
        if not data and self.conn.current_size is None:
            self.unfinished_since = None
        elif ended or self.unfinished_since is None:
            self.unfinished_since = self.loop.time()

    def send_receive_event_to_app(self) -> None:
        if self._receive is None:
            super().send_receive_event_to_app()
            return
        data = b"".join(self.frames)
        self.frames = []
        if not self.close_sent:
            self._receive([data])

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.allowed is not None and self._address is not None:
            self.allowed.leave(self._address)
            self._address = None
        self._drop_queued()
        self._partial = b""
        self._end_session()


def link_of(websocket: WebSocket) -> Link:
    """Return the link under an accepted WebSocket."""
    return cast(Link, websocket.scope["extensions"][EXTENSION])

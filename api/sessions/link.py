"""The WebSocket under a session: whole chunks in, joined writes out.

uvicorn's own protocol class does the handshake, the pings and the closing, and FastAPI accepts the connection. From
then on the messages of a chunk are taken out of it at once and handed to the session by a plain call, and all answers
of one turn of the loop leave in one socket write. A coroutine and a write for each message would cost ten times as
much.
"""

from collections.abc import Callable
from typing import Any, Final, cast

from fastapi import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from api.sessions import framing

EXTENSION: Final = "goldx.link"
SLOW_CONSUMER: Final = 4001


class Link(WebSocketsSansIOProtocol):
    """Given to uvicorn as ``ws=``. ``queue_limit`` bounds in bytes what a client has not taken yet."""

    queue_limit = 4 << 20

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._receive: Callable[[list[bytes]], None] | None = None
        self._lost: Callable[[], None] | None = None
        self._rest = b""
        """The beginning of a frame that is not all there."""
        self._out: list[bytes] = []
        self._queued = 0
        self._scheduled = False

    def attach(self, receive: Callable[[list[bytes]], None], lost: Callable[[], None]) -> None:
        """From now on messages go to ``receive``, those of a chunk together; ``lost`` is called once, at the end."""
        self._receive = receive
        self._lost = lost
        if self.disconnected:
            lost()

    @property
    def queued(self) -> int:
        """Bytes that the client has not taken yet, but for what the system's buffers hold."""
        return self._queued

    def push(self, data: bytes) -> None:
        """Sends one message, in this turn of the loop or when the client takes it.

        A client that leaves too much untaken is cut off (4001).
        """
        if self.close_sent or self.disconnected:
            return
        self._out.append(data)
        self._queued += len(data)
        if self._queued > self.queue_limit:
            self.end(SLOW_CONSUMER, "slow consumer")
            self.transport.abort()
        elif not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._flush)

    def end(self, code: int, reason: str) -> None:
        """Closes the connection after what has been sent."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self._flush()
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)

    def _flush(self) -> None:
        self._scheduled = False
        if not self.writable.is_set() or self.close_sent or self.disconnected or self.transport.is_closing():
            return
        parts: list[bytes] = []
        for data in self._out:
            parts.append(framing.head(len(data)))
            parts.append(data)
        self._out.clear()
        self._queued = 0
        self.transport.write(b"".join(parts))

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._out:
            self._flush()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if scope := getattr(self, "scope", None):
            scope["extensions"][EXTENSION] = self

    def data_received(self, data: bytes) -> None:
        if self._receive is None:
            super().data_received(data)
            return
        if self._rest:
            data = self._rest + data
        largest = self.config.ws_max_size
        while data and not self.transport.is_closing():
            if self.conn.current_size is None:  # not amid the fragments of a message
                messages, taken = framing.take(data, largest)
                if messages and not self.close_sent and self._receive is not None:
                    self._receive(messages)
                data = data[taken:]
            size = framing.length(data)
            if size == 0 or len(data) < size <= largest + framing.LONGEST_HEAD:
                break
            # The library learns of one whole frame, or of one that it will refuse for its size.
            super().data_received(data[:size])
            data = data[size:]
        self._rest = data

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
        self._out.clear()
        self._rest = b""
        lost, self._lost, self._receive = self._lost, None, None
        if lost is not None:
            lost()


def link_of(websocket: WebSocket) -> Link:
    """The protocol object under an accepted WebSocket."""
    return cast(Link, websocket.scope["extensions"][EXTENSION])

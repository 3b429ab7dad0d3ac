"""HTTP as a gateway and the console read it, with limits on the size and time of requests and on connections.

uvicorn's protocol class parses and answers. The checks here come before anything is kept: the size of the head, the
number of its fields and of waiting requests, and the time for a head, a body and an answer. A connection that breaks a
limit is answered with the reason and closed.

The names of uvicorn's class that are used here are not documented: ``tests/repository/test_private_names.py`` lists
them.
"""

from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.edge.connections import Connections
from api.edge.problems import problem

HEAD_BYTES: Final = 32 * 1_024
"""The request line and the fields of one request."""
HEAD_FIELDS: Final = 100
HEAD_SECONDS: Final = 10.0
BODY_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 180.0
"""The time from the end of a head to the end of the answer."""
WAITING_REQUESTS: Final = 8
"""Requests that a client may send on one connection before the answer to the first."""
LINGER_SECONDS: Final = 2.0
"""The time in which a client may read its refusal; anything that it still sends is dropped."""


class TooMuch(Exception):
    """Raised within the parser when a request breaks a limit."""


class LimitedHttp(HttpToolsProtocol):
    """The protocol class, given to uvicorn as ``http=``; ``with_connections`` makes a server's own."""

    allowed: Connections

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._address: str | None = None
        """The address for which the connection is counted, None while it is not counted."""
        self._in_head = True
        self._in_body = False
        self._head_bytes = 0
        """Bytes received since the end of the last request, while the next head is not complete."""
        self._field_bytes = 0
        self._refusal: bytes | None = None
        self._ending = False
        self._read_limit: TimerHandle | None = None
        self._answer_limit: TimerHandle | None = None

    @classmethod
    def with_connections(cls, allowed: Connections) -> "type[LimitedHttp]":
        """Return a protocol class whose connections ``allowed`` counts."""
        return type("CountedHttp", (cls,), {"allowed": allowed})

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = address_of(transport)
        refused = self.allowed.enter(address)
        if refused is not None:
            self._ending = True
            transport.write(_response(HTTPStatus.TOO_MANY_REQUESTS, refused))
            transport.close()
            return
        self._address = address
        self._begin_head()

    def _begin_head(self) -> None:
        self._read_limit = self.loop.call_later(HEAD_SECONDS, self._too_slow, "head of a request", HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def _leave(self) -> None:
        """Stop counting the connection, and its time limits."""
        self._stop_timers()
        if self._address is not None:
            self.allowed.leave(self._address)
            self._address = None

    def _stop_timers(self) -> None:
        for timer in (self._read_limit, self._answer_limit):
            if timer is not None:
                timer.cancel()
        self._read_limit = self._answer_limit = None

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._read_limit is None:
                self._read_limit = self.loop.call_later(HEAD_SECONDS, self._too_slow, "head of a request", HEAD_SECONDS)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a head of more than {HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._field_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count_field(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_field(name + value)
        if len(self.headers) >= HEAD_FIELDS:
            self._note(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {HEAD_FIELDS} header fields")
        super().on_header(name, value)

    def _count_field(self, field: bytes) -> None:
        self._field_bytes += len(field)
        if self._field_bytes > HEAD_BYTES:
            self._note(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a head of more than {HEAD_BYTES} bytes")

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= WAITING_REQUESTS:
            self._note(HTTPStatus.TOO_MANY_REQUESTS, f"more than {WAITING_REQUESTS} requests wait for their answers")
        self._in_head, self._in_body = False, True
        if self._read_limit is not None:
            self._read_limit.cancel()
        self._read_limit = self.loop.call_later(BODY_SECONDS, self._too_slow, "body of the request", BODY_SECONDS)
        if self._answer_limit is None:
            self._answer_limit = self.loop.call_later(ANSWER_SECONDS, self._abort)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._in_body = True, False
        self._head_bytes = 0
        if self._read_limit is not None:
            self._read_limit.cancel()
            self._read_limit = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._answer_limit is not None:
            self._answer_limit.cancel()
            self._answer_limit = None
        if self._in_body:
            self._linger()

    def handle_websocket_upgrade(self) -> None:
        self._leave()
        super().handle_websocket_upgrade()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.is_closing():
            return
        super().timeout_keep_alive_handler()
        self._answer_limit = self.loop.call_later(ANSWER_SECONDS, self._abort)

    def send_400_response(self, msg: str) -> None:
        """Answer a request that the parser has refused: it broke a limit, or is not HTTP."""
        if self._refusal is None:
            self._refusal = _response(HTTPStatus.BAD_REQUEST, msg)
        self._end()

    def _note(self, status: HTTPStatus, why: str) -> None:
        """Stop the parser. Raises TooMuch, upon which uvicorn calls ``send_400_response``."""
        self._refusal = _response(status, why)
        raise TooMuch(why)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._refusal = _response(status, why)
        self._end()

    def _too_slow(self, part: str, seconds: float) -> None:
        """End a connection whose request was not complete in time."""
        self._read_limit = None
        if self.transport.is_closing():
            return
        answered = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if answered or (not self._head_bytes and self._in_head):
            self._abort()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"the {part} has not come within {seconds:.0f} s")

    def _end(self) -> None:
        """Send the refusal, and end the connection."""
        if self._ending or self.transport.is_closing():
            return
        if self._refusal is not None and (self.cycle is None or self.cycle.response_complete or self._in_body):
            self.transport.write(self._refusal)
        self._linger()

    def _linger(self) -> None:
        """Stop writing, drop further input, and close a little later: an immediate reset could destroy the answer."""
        self._ending = True
        self._stop_timers()
        self.flow.resume_reading()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()
        self._answer_limit = self.loop.call_later(LINGER_SECONDS, self._abort)

    def _abort(self) -> None:
        self._answer_limit = None
        self.transport.abort()


def _response(status: HTTPStatus, why: str) -> bytes:
    """Return a whole response with a problem."""
    answer = problem(status, why, headers={"Connection": "close"})
    head = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    head += [b"%s: %s" % field for field in answer.raw_headers]
    return b"\r\n".join([*head, b"", bytes(answer.body)])


def address_of(transport: Transport) -> str:
    """Return the address of the other side of a connection; an empty text over a unix socket."""
    peer = transport.get_extra_info("peername")
    return cast(str, peer[0]) if isinstance(peer, tuple) else ""

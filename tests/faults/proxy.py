"""Proxies: every connection between two processes of the campaign goes through one, and can be cut and held there."""

import asyncio
from collections.abc import Callable
from pathlib import Path

Address = Path | tuple[str, int]
"""A unix socket, or host and port."""


class Proxy:
    """Listens at the address ``near`` and passes everything on to ``far``, until it is cut or held."""

    def __init__(self, name: str, near: Address, far: Address) -> None:
        self.name = name
        self._near = near
        self.far = far
        self._pieces_left: int | None = None
        self._text: bytes | None = None
        self._action: Callable[[], None] = self.cut
        self._server: asyncio.Server | None = None
        self._ends: set[_End] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self._calls: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to listen."""
        loop = asyncio.get_running_loop()
        if isinstance(self._near, Path):
            self._near.parent.mkdir(parents=True, exist_ok=True)
            self._server = await loop.create_unix_server(self._accept, str(self._near))
        else:
            self._server = await loop.create_server(self._accept, *self._near)

    @property
    def folder(self) -> Path:
        """The folder of the socket that it listens on, if that is a unix socket."""
        assert isinstance(self._near, Path)
        return self._near.parent

    @property
    def port(self) -> int:
        """The port that it listens on, if it has one."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Break every connection that goes through it; bytes under way on them are lost."""
        for end in tuple(self._ends):
            end.break_off()

    def hold(self) -> None:
        """Pass on nothing more in either direction, not even the end of a connection; neither side can notice."""
        self._passing.clear()

    def release(self) -> None:
        """Pass on everything that was held."""
        self._passing.set()
        for end in tuple(self._ends):
            end.pass_on()

    def call_after(self, pieces: int, action: Callable[[], None]) -> None:
        """Call ``action`` after ``pieces`` more pieces of traffic."""
        self._pieces_left = pieces
        self._action = action

    def hold_before(self, text: bytes) -> None:
        """Hold once a piece of traffic contains ``text``; that piece is not passed on before ``release``."""
        self._text = text

    @property
    def action_is_due(self) -> bool:
        """Whether the action of ``call_after`` is still to be called."""
        return self._pieces_left is not None

    @property
    def passing(self) -> bool:
        """Whether nothing is held."""
        return self._passing.is_set()

    async def close(self) -> None:
        """Cut all connections and stop listening."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for call in tuple(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _accept(self) -> "_End":
        near = _End(self, None)
        call = asyncio.ensure_future(self._call(near))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return near

    async def _call(self, near: "_End") -> None:
        """Make the far half of a connection that was accepted."""
        await self._passing.wait()
        loop = asyncio.get_running_loop()
        try:
            if isinstance(self.far, Path):
                await loop.create_unix_connection(lambda: _End(self, near), str(self.far))
            else:
                await loop.create_connection(lambda: _End(self, near), *self.far)
        except OSError:
            near.break_off()

    def opened(self, end: "_End") -> None:
        """Record an end that is open now."""
        self._ends.add(end)

    def closed(self, end: "_End") -> None:
        """Record that an end is closed."""
        self._ends.discard(end)

    def see(self, piece: bytes) -> None:
        """Look at a piece of traffic before it is passed on: it may be the one at which something is to be done."""
        if self._text is not None and self._text in piece:
            self._text = None
            self.hold()
        if self._pieces_left is not None:
            self._pieces_left -= 1
            if self._pieces_left < 0:
                self._pieces_left = None
                self._action()


class _End(asyncio.Protocol):
    """One of the two ends of a connection through a proxy: the bytes that it receives are sent by its peer."""

    def __init__(self, proxy: Proxy, peer: "_End | None") -> None:
        self._proxy = proxy
        self._peer = peer
        self._transport: asyncio.Transport | None = None
        self._kept: list[bytes] = []
        """Bytes that wait to be passed on: the proxy holds them, or there is no other end yet."""
        self._ended = False
        """Whether this side of the connection has ended."""
        self._broken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._proxy.opened(self)
        if self._broken:
            transport.abort()
        elif self._peer is not None:
            self._peer.join(self)

    def data_received(self, data: bytes) -> None:
        self._kept.append(data)
        self._proxy.see(data)
        self.pass_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._ended = True
        self.pass_on()

    def join(self, peer: "_End") -> None:
        """Take the other end, which has just been connected."""
        self._peer = peer
        if self._broken:
            peer.break_off()
        self.pass_on()

    def pass_on(self) -> None:
        """Send the kept bytes at the other end, in one piece, and then the end of the connection, if it has ended."""
        if self._peer is None or not self._proxy.passing:
            return
        if self._kept:
            self._peer.send(b"".join(self._kept))
            self._kept.clear()
        if self._ended:
            self._proxy.closed(self)
            self._peer.finish()

    def send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def finish(self) -> None:
        """Close after everything has been sent."""
        if self._transport is not None:
            self._transport.close()

    def break_off(self) -> None:
        """End at once; kept bytes are lost."""
        self._kept.clear()
        self._broken = True
        self._proxy.closed(self)
        if self._transport is not None:
            self._transport.abort()

"""Connections that can be cut and held: every connection between two processes of the campaign goes through a Proxy."""

import asyncio
from collections.abc import Callable
from pathlib import Path

Address = Path | tuple[str, int]
"""A unix socket, or host and port."""


class Proxy:
    """Listens at one address and passes on to another, byte by byte, until it is cut or held."""

    def __init__(self, name: str, here: Address, there: Address) -> None:
        self.name = name
        self._here = here
        self.there = there
        self._fuse: int | None = None
        self._blown: Callable[[], None] = self.cut
        self._server: asyncio.Server | None = None
        self._ends: set[_End] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self._calls: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(self._here, Path):
            self._here.parent.mkdir(parents=True, exist_ok=True)
            self._server = await loop.create_unix_server(self._accept, str(self._here))
        else:
            self._server = await loop.create_server(self._accept, *self._here)

    @property
    def folder(self) -> Path:
        """Where its socket lies, if that is a unix socket."""
        assert isinstance(self._here, Path)
        return self._here.parent

    @property
    def port(self) -> int:
        """Where it listens, if that is a port."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Breaks every connection that goes through it; what is under way on them is lost."""
        for end in tuple(self._ends):
            end.break_off()

    def hold(self) -> None:
        """Nothing passes any more, in either direction, not even the end of a connection, and nobody is told."""
        self._passing.clear()

    def release(self) -> None:
        """What was held arrives."""
        self._passing.set()
        for end in tuple(self._ends):
            end.pass_on()

    def light(self, pieces: int, blown: Callable[[], None]) -> None:
        """Calls ``blown`` after so many more pieces of traffic."""
        self._fuse = pieces
        self._blown = blown

    @property
    def burning(self) -> bool:
        """Whether ``blown`` is still to be called."""
        return self._fuse is not None

    @property
    def passing(self) -> bool:
        return self._passing.is_set()

    async def close(self) -> None:
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
        """Makes the far half of a connection that was accepted."""
        await self._passing.wait()
        loop = asyncio.get_running_loop()
        try:
            if isinstance(self.there, Path):
                await loop.create_unix_connection(lambda: _End(self, near), str(self.there))
            else:
                await loop.create_connection(lambda: _End(self, near), *self.there)
        except OSError:
            near.break_off()

    def opened(self, end: "_End") -> None:
        self._ends.add(end)

    def closed(self, end: "_End") -> None:
        self._ends.discard(end)

    def burn(self) -> None:
        """A piece came."""
        if self._fuse is not None:
            self._fuse -= 1
            if self._fuse < 0:
                self._fuse = None
                self._blown()


class _End(asyncio.Protocol):
    """One of the two ends of a connection through a line: what it receives goes out at its peer."""

    def __init__(self, line: Proxy, peer: "_End | None") -> None:
        self._line = line
        self._peer = peer
        self._transport: asyncio.Transport | None = None
        self._kept: list[bytes] = []
        """What has not been passed on: the line is held, or the other end is not there yet."""
        self._over = False
        """Nothing more will come from this side."""
        self._broken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._line.opened(self)
        if self._broken:
            transport.abort()
        elif self._peer is not None:
            self._peer.join(self)

    def data_received(self, data: bytes) -> None:
        self._kept.append(data)
        self._line.burn()
        self.pass_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._over = True
        self.pass_on()

    def join(self, peer: "_End") -> None:
        """The other end is there."""
        self._peer = peer
        if self._broken:
            peer.break_off()
        self.pass_on()

    def pass_on(self) -> None:
        """Sends out at the other end what has been kept, in one piece, and then the end, if it has come."""
        if self._peer is None or not self._line.passing:
            return
        if self._kept:
            self._peer.send(b"".join(self._kept))
            self._kept.clear()
        if self._over:
            self._line.closed(self)
            self._peer.finish()

    def send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def finish(self) -> None:
        """Closes after what has been sent."""
        if self._transport is not None:
            self._transport.close()

    def break_off(self) -> None:
        """Ends at once; what was kept is lost."""
        self._kept.clear()
        self._broken = True
        self._line.closed(self)
        if self._transport is not None:
            self._transport.abort()

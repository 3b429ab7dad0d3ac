"""WebSocket frames cut into chunks in any way: every message arrives once, in order, and the protocol's rules hold."""

import asyncio
import json
from random import Random, SystemRandom
from typing import Any

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from api.app import MAX_MESSAGE_BYTES, GatewayServer
from api.sessions import framing

SIZES = (0, 1, 125, 126, 127, 2_047, 2_048, 65_535, 65_536)
SEED = SystemRandom().randrange(1 << 32)


def masked(data: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def test_text_messages_are_read_and_other_frames_are_measured() -> None:
    for size in SIZES:
        frame = masked(b"x" * size)
        assert framing.length(frame) == framing.length(frame + b"more") == len(frame)
        taken = framing.take(frame + b"\x89\x80", 65_535)
        assert taken == (([b"x" * size], len(frame)) if size < 65_536 else ([], 0))
        assert framing.take(frame[:-1], 65_535) == ([], 0)
        assert framing.take(frame, size - 1) == ([], 0)
        assert framing.header(size) + b"x" * size == Frame(Opcode.TEXT, b"x" * size).serialize(mask=False)
    two = masked(b"one") + masked(b"two")
    assert framing.take(two, 10) == ([b"one", b"two"], len(two))
    for other in (masked(b"a", Opcode.PING), masked(b"a", fin=False), Frame(Opcode.TEXT, b"a").serialize(mask=False)):
        assert framing.take(other, 10) == ([], 0)
    for short in (b"", b"\x81", b"\x81\xfe", b"\x81\xfe\x00", b"\x81\xff" + bytes(7)):
        assert framing.length(short) == 0


class Raw:
    """A client that controls every byte that it sends. The WebSocket library reads the answers."""

    def __init__(self, protocol: ClientProtocol, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._protocol = protocol
        self._reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, server: GatewayServer) -> "Raw":
        protocol = ClientProtocol(parse_uri(server.url.replace("http", "ws") + "/ws"))
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        protocol.send_request(protocol.connect())
        writer.write(b"".join(protocol.data_to_send()))
        raw = cls(protocol, reader, writer)
        while not any(isinstance(event, Response) for event in await raw.events()):
            pass
        return raw

    async def events(self) -> list[Any]:
        """Return the next events; the last one is a Frame with the opcode CLOSE."""
        data = await self._reader.read(1 << 16)
        self._protocol.receive_data(data) if data else self._protocol.receive_eof()
        return self._protocol.events_received()


def heartbeat(number: int, size: int) -> bytes:
    text = f'{{"jsonrpc":"2.0","id":{number},"method":"session.heartbeat"}}'
    return text.encode().ljust(size)


async def test_messages_arrive_however_the_frames_are_cut(gateway: GatewayServer) -> None:
    print(f"SEED={SEED}")
    random = Random(SEED)
    raw = await Raw.open(gateway)
    stream = bytearray()
    for number in range(1, 301):
        message = heartbeat(number, random.choice((0, 0, 0, 124, 125, 126, 130, 3_000)))
        kind = random.randrange(5)
        if kind == 0:
            cut = random.randrange(len(message))
            stream += masked(message[:cut], fin=False)
            stream += masked(b"between", Opcode.PING)
            stream += masked(message[cut:], Opcode.CONT)
        elif kind == 1:
            stream += masked(message, Opcode.BINARY)
        else:
            stream += masked(message)
        if kind == 2:
            stream += masked(b"", Opcode.PONG)
    largest = heartbeat(301, MAX_MESSAGE_BYTES)
    stream += masked(largest)
    answered: list[int] = []
    at = 0
    while at < len(stream):
        step = random.choice((1, 2, 3, 7, 50, 400, 5_000, 70_000))
        raw.writer.write(stream[at : at + step])
        at += step
        await asyncio.sleep(0)
    while len(answered) < 301:
        frames = [event for event in await raw.events() if event.opcode is Opcode.TEXT]
        answered += [json.loads(bytes(frame.data))["id"] for frame in frames]
    assert answered == list(range(1, 302))
    raw.writer.close()


FORBIDDEN = {
    "a message between the fragments of another": (masked(b"{", fin=False) + masked(heartbeat(1, 0)), 1002),
    "a fragment without a beginning": (masked(b"}", Opcode.CONT), 1002),
    "a frame that is not masked": (Frame(Opcode.TEXT, heartbeat(1, 0)).serialize(mask=False), 1002),
    "a frame of an unknown kind": (b"\x83\x80\x00\x00\x00\x00", 1002),
    "the beginning of a frame that is too large": (b"\x81\xff" + (MAX_MESSAGE_BYTES + 1).to_bytes(8, "big"), 1009),
    "too large with all its fragments": (masked(bytes(40_000), fin=False) + masked(bytes(40_000), Opcode.CONT), 1009),
}


@pytest.mark.parametrize("what", FORBIDDEN)
async def test_a_forbidden_frame_closes_the_connection(gateway: GatewayServer, what: str) -> None:
    data, code = FORBIDDEN[what]
    raw = await Raw.open(gateway)
    raw.writer.write(data + masked(heartbeat(2, 0)))
    frames: list[Frame] = []
    while not any(frame.opcode is Opcode.CLOSE for frame in frames):
        frames += await raw.events()
    assert [frame.opcode for frame in frames] == [Opcode.CLOSE]
    assert int.from_bytes(frames[0].data[:2], "big") == code
    raw.writer.close()


async def test_messages_after_a_close_are_not_answered(gateway: GatewayServer) -> None:
    raw = await Raw.open(gateway)
    raw.writer.write(masked(heartbeat(1, 0)) + masked(b"\x03\xe8", Opcode.CLOSE) + masked(heartbeat(2, 0)))
    frames: list[Frame] = []
    while not any(frame.opcode is Opcode.CLOSE for frame in frames):
        frames += await raw.events()
    assert all(frame.opcode is Opcode.CLOSE or json.loads(bytes(frame.data))["id"] == 1 for frame in frames)
    raw.writer.close()

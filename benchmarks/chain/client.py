"""The load generator: many sessions in one process, at the least cost that Python allows.

All messages are made before the clock runs. A session is an asyncio Protocol that counts the frames of a chunk and
sends the next messages with one write. Standard input has a request on each line, one JSON object, and standard output
gets one with the measurements.
"""

import asyncio
import gc
import json
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Sequence
from os import urandom
from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec
import uvloop

from benchmarks.chain import flow
from goldx.client.keys import Key

TICK: Final = 0.001
"""Seconds between the times at which orders fall due at a fixed rate."""
PERCENTILES: Final = {"p50_us": 50.0, "p99_us": 99.0, "p999_us": 99.9}


class Refused(RuntimeError):
    """Raised when a message was not answered with a result: the measurement would mean nothing."""


class Overrun(Refused):
    """Raised when the server answered a message with UNAVAILABLE because it could not keep up with the offered rate."""


class Session(asyncio.Protocol):
    """One connection. Answers come in the order of the requests."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.latencies: list[float] = []
        self.left = 0
        """Answers that are still missing; ``finished`` is set when there are none."""
        self.finished = asyncio.Event()
        self.failed: Refused | None = None
        self._opened = asyncio.Event()
        self._transport: asyncio.Transport
        self._rest = b""
        self._id = 0
        """The id of the newest request."""
        self._answered = 0
        """The id of the newest answer."""
        self._blob = b""
        self._ends: list[int] = []
        self._sent = 0
        self._due: list[float] = []
        self._closed_loop = False
        self.answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        key = b64encode(urandom(16)).decode()
        upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        self._transport.write(f"GET /ws HTTP/1.1\r\nHost: x\r\n{upgrade}Sec-WebSocket-Version: 13\r\n\r\n".encode())

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(Refused(f"session {self.number}: the connection ended ({exc})"))

    def fail(self, why: Refused) -> None:
        self.failed = self.failed or why
        self.finished.set()

    def close(self) -> None:
        """End the connection."""
        self._transport.abort()

    async def open(self, host: str, port: int) -> None:
        """Connect."""
        await asyncio.get_running_loop().create_connection(lambda: self, host, port)
        await asyncio.wait_for(self._opened.wait(), 20)

    async def log_on(self, key: Key) -> None:
        """Log on as a member of the exchange."""
        nonce = (await self._ask("session.challenge", key_id=key.key_id))["nonce"]
        await self._ask("session.logon", key_id=key.key_id, signature=key.sign(nonce.encode()).hex())

    async def _ask(self, method: str, **params: str) -> Any:
        self._id += 1
        self.answer = asyncio.get_running_loop().create_future()
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self._transport.write(flow.frame(msgspec.json.encode(message)))
        body = msgspec.json.decode(await asyncio.wait_for(self.answer, 20))
        self.answer = None
        self._answered = self._id
        if "result" not in body:
            raise Refused(f"{method}: {body}")
        return body["result"]

    def load(self, run: int, count: int) -> None:
        """Make the messages of the next run."""
        frames = [flow.frame(message) for message in flow.messages(run, self.number, self._id + 1, count)]
        self._blob = b"".join(frames)
        self._ends = [0]
        for one in frames:
            self._ends.append(self._ends[-1] + len(one))
        self._sent = 0
        self._due = []
        self.latencies = []
        self.left = count
        self.finished.clear()

    def start(self, window: int) -> None:
        """Keep ``window`` requests under way until all are answered."""
        self._closed_loop = True
        self._send(min(window, self.left), time.perf_counter())

    def send_due(self, count: int, due: float) -> None:
        """Send the next requests, which were due at ``due``; latency counts from then."""
        self._closed_loop = False
        self._send(count, due)

    def _send(self, count: int, due: float) -> None:
        first = self._sent
        self._sent += count
        self._id += count
        self._due += [due] * count
        self._transport.write(self._blob[self._ends[first] : self._ends[self._sent]])

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        if not self._opened.is_set():
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._rest = head
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.fail(Refused(head.decode()))
            self._opened.set()
        count = at = last = 0
        end = len(data)
        while at + 2 <= end:
            size = data[at + 1]
            start = at + 2
            if size == 126:
                start = at + 4
                if start > end:
                    break
                size = data[at + 2] << 8 | data[at + 3]
            elif size == 127:
                start = at + 10
                size = int.from_bytes(data[at + 2 : start], "big")
            if start + size > end:
                break
            if data[at] == 0x81:
                count += 1
                last = start
            elif data[at] == 0x89:
                self._pong(data[start : start + size])
            at = start + size
        self._rest = data[at:]
        if count:
            self._take(data, count, last)

    def _take(self, data: bytes, count: int, last: int) -> None:
        if self.answer is not None:
            self.answer.set_result(data[last : len(data) - len(self._rest)])
            return
        now = time.perf_counter()
        self._answered += count
        if not data.startswith(b'{"jsonrpc":"2.0","id":%d,"result":' % self._answered, last) or b'"error":' in data:
            kind = Overrun if b'"reason":"UNAVAILABLE"' in data else Refused
            self.fail(kind(f"session {self.number}, answer {self._answered}: {data[last:]!r}"))
            return
        done = len(self.latencies)
        self.latencies += [now - due for due in self._due[done : done + count]]
        self.left -= count
        if not self.left:
            self.finished.set()
        elif self._closed_loop and (more := min(count, len(self._ends) - 1 - self._sent)):
            self._send(more, now)

    def _pong(self, data: bytes) -> None:
        mask = urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        self._transport.write(bytes((0x8A, 0x80 | len(data))) + mask + masked)


class Load:
    """The sessions with one server."""

    def __init__(self) -> None:
        self._sessions: list[Session] = []

    async def connect(self, url: str, key_file: str | None, sessions: int) -> None:
        """Open sessions until there are ``sessions``, and log each on if there is a key."""
        where = urlsplit(url)
        key = Key.load(key_file) if key_file else None
        while len(self._sessions) < sessions:
            session = Session(len(self._sessions))
            await session.open(str(where.hostname), where.port or 80)
            if key is not None:
                await session.log_on(key)
            self._sessions.append(session)

    def close(self) -> None:
        """End all connections, since after a failure it is not known which answers are still to come."""
        for session in self._sessions:
            session.close()
        self._sessions.clear()

    async def closed(self, run: int, sessions: int, window: int, count: int) -> dict[str, Any]:
        """Measure ``count`` requests in a closed loop: each session keeps ``window`` requests under way."""
        chosen = self._load(run, sessions, count)
        before, began = time.process_time(), time.perf_counter()
        for session in chosen:
            session.start(window)
        await self._wait(chosen)
        seconds = time.perf_counter() - began
        return self._figures(chosen, seconds, time.process_time() - before)

    async def open_loop(self, run: int, sessions: int, rate: int, count: int) -> dict[str, Any]:
        """Measure ``count`` requests in an open loop: ``rate`` a second fall due, whether answers come or not."""
        chosen = self._load(run, sessions, count)
        count = count // sessions * sessions
        before, began = time.process_time(), time.perf_counter() + 0.01
        sent = next_session = ticks = 0

        def send() -> None:
            nonlocal sent, next_session, ticks
            now = time.perf_counter()
            while (due := began + ticks * TICK) <= now and sent < count:
                ticks += 1
                until = min(count, int(rate * TICK * ticks))
                shares: dict[Session, int] = {}
                while sent < until:
                    session = chosen[next_session]
                    shares[session] = shares.get(session, 0) + 1
                    next_session = (next_session + 1) % len(chosen)
                    sent += 1
                for session, share in shares.items():
                    session.send_due(share, due)

        loop = asyncio.get_running_loop()
        over = threading.Event()

        def tick() -> None:
            # The timers of the event loop are too coarse.
            moment = began
            while not over.is_set():
                time.sleep(max(0.0, moment - time.perf_counter()))
                moment += TICK
                loop.call_soon_threadsafe(send)

        ticker = threading.Thread(target=tick, daemon=True)
        ticker.start()
        try:
            await self._wait(chosen)
        finally:
            over.set()
            ticker.join()
        seconds = time.perf_counter() - began
        return self._figures(chosen, seconds, time.process_time() - before)

    def _load(self, run: int, sessions: int, count: int) -> list[Session]:
        chosen = self._sessions[:sessions]
        for session in chosen:
            session.load(run, count // sessions)
        gc.collect()
        gc.freeze()
        return chosen

    @staticmethod
    async def _wait(chosen: Sequence[Session]) -> None:
        for session in chosen:
            await asyncio.wait_for(session.finished.wait(), 120)
            if session.failed:
                raise session.failed

    @staticmethod
    def _figures(chosen: Sequence[Session], seconds: float, processor: float) -> dict[str, Any]:
        latencies = sorted(latency for session in chosen for latency in session.latencies)
        count = len(latencies)
        shown = {
            name: round(latencies[min(count - 1, int(count * percent / 100))] * 1e6)
            for name, percent in PERCENTILES.items()
        }
        return {"count": count, "seconds": seconds, "per_s": count / seconds, "client_cpu_s": processor, **shown}


async def _serve() -> None:
    loads: dict[str, Load] = {}
    loop = asyncio.get_running_loop()
    gc.disable()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        url, sessions = request["url"], request["sessions"]
        load = loads.setdefault(url, Load())
        try:
            await load.connect(url, request["key_file"], sessions)
            if "window" in request:
                answer = await load.closed(request["run"], sessions, request["window"], request["count"])
            else:
                answer = await load.open_loop(request["run"], sessions, request["rate"], request["count"])
        except (Refused, TimeoutError, OSError) as error:
            load.close()
            answer = {"error": f"{type(error).__name__}: {error}", "overrun": isinstance(error, Overrun)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())

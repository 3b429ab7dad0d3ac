"""The connection below the client: JSON-RPC over a WebSocket, log-on, heartbeats, subscriptions, reconnection."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncGenerator, Iterable
from contextvars import ContextVar
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, WebSocketException

from goldx.client.errors import ConnectionLost, ExchangeError, when_allowed
from goldx.client.keys import Key
from goldx.client.results import Message
from goldx.retry import growing, retry

HEARTBEAT_SECONDS: Final = 10.0
"""How often a heartbeat is sent, and the time in which it must be answered."""
READ_SECONDS: Final = 0.1
LOG_ON_SECONDS: Final = 20.0
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds between two attempts to connect again."""
NONCE_LENGTH: Final = 64
AT_DISCONNECT: Final = "session.cancel_on_disconnect"
HEARTBEAT: Final = "session.heartbeat"
TAKEN_OVER: Final = 4004
"""The close code when another connection has taken over the session: the client does not reconnect."""

TRACE: Final[ContextVar[str | None]] = ContextVar("TRACE", default=None)
"""The trace of the requests that the present context sends."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


SessionMessage = tuple[str, dict[str, Any]]
"""The method and the params of a notification about the session itself."""


class _Subscription:
    """One ``subscribe``: its channels, the newest sequence received from each, and the messages not read yet.

    ``epochs`` has the known epochs of the sequences in ``reached``.
    """

    def __init__(
        self,
        channels: tuple[str, ...],
        from_sequence: int | dict[str, int] | None,
        epoch: str | dict[str, str] | None,
    ) -> None:
        self.channels = channels
        self.messages: asyncio.Queue[Message | Exception] = asyncio.Queue()
        self.reached: dict[str, int] = {}
        self.epochs: dict[str, str] = {}
        if from_sequence is not None:
            self.reached |= from_sequence if isinstance(from_sequence, dict) else dict.fromkeys(channels, from_sequence)
        if epoch is not None:
            self.epochs |= epoch if isinstance(epoch, dict) else dict.fromkeys(channels, epoch)

    def deliver(self, message: Message) -> None:
        """Queue a message, unless it was already received before a reconnection. A notice is not numbered."""
        channel, sequence = message["channel"], message["sequence"]
        if message["type"] == "notice":
            self.messages.put_nowait(message)
            return
        if message["type"] != "snapshot" and sequence <= self.reached.get(channel, -1):
            return
        self.reached[channel] = sequence
        if "epoch" in message:
            self.epochs[channel] = message["epoch"]
        self.messages.put_nowait(message)

    def start(self, others: Iterable["_Subscription"]) -> tuple[dict[str, int], dict[str, str]]:
        """Return the sequences after which the channels begin, and their epochs where known.

        ``others`` are the other subscriptions of the connection. A channel that several follow begins after the oldest
        sequence among them.
        """
        sequences = {channel: sequence for channel, sequence in self.reached.items() if sequence >= 0}
        epochs = {channel: epoch for channel, epoch in self.epochs.items() if channel in sequences}
        for other in others:
            for channel in other.reached.keys() & sequences.keys():
                if 0 <= other.reached[channel] < sequences[channel]:
                    sequences[channel] = other.reached[channel]
                    epochs.pop(channel, None)
                    if channel in other.epochs:
                        epochs[channel] = other.epochs[channel]
        return sequences, epochs

    def begin(self, channel: str, sequence: int, epoch: str | None) -> None:
        """Set a channel's present sequence as its beginning, unless it has a beginning."""
        if channel not in self.reached:
            counted = channel == "notice" or channel.startswith(("account.", "trades."))
            self.reached[channel] = sequence if counted else -1
            if counted and epoch is not None:
                self.epochs[channel] = epoch


class Connection:
    """A connection to the gateway at ``url``; with ``reconnect`` it is made again whenever it is lost."""

    def __init__(
        self,
        url: str,
        key: Key | None,
        reconnect: bool,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        oldest_protocol: int | None = None,
    ) -> None:
        self._url = _socket_url(url)
        self._heartbeat_seconds = heartbeat_seconds
        self._key = key
        self._oldest_protocol = oldest_protocol
        self._reconnect = reconnect
        self._socket: ClientConnection | None = None
        self._connected = asyncio.Event()
        self._failure: Exception | None = None
        self._heard = 0
        """The number of messages from the gateway."""
        self._ids = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._subscriptions: list[_Subscription] = []
        self._listening: list[asyncio.Queue[SessionMessage | Exception]] = []
        """A queue for each reader of what the gateway says to the session."""
        self._followed: set[str] = set()
        """The channels to which the present session is subscribed."""
        self._tasks: list[asyncio.Task[None]] = []
        self._session = uuid.uuid4().hex
        """The session name of every log-on, so that a new connection resumes the session with its orders."""
        self._asked_for: dict[str, dict[str, Any]] = {}
        """By method: the last AT_DISCONNECT, and HEARTBEAT with a time. A new connection asks for the same."""
        self.identity: dict[str, Any] = {}
        """The answer to the log-on: member, accounts, permissions, session, protocol, version."""

    async def open(self) -> None:
        """Connect and log on. Raises OSError, websockets' exceptions, ExchangeError."""
        await self._open_socket()
        self._tasks = [asyncio.create_task(self._keep_open()), asyncio.create_task(self._send_heartbeats())]

    async def close(self) -> None:
        """Close the connection; calls and subscriptions raise ConnectionLost."""
        self._reconnect = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()
        self._fail(ConnectionLost("the connection was closed"))

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """Return the result of a method; while the connection is being made again, wait for it.

        Raises ExchangeError, or ConnectionLost when the connection ends before the answer.
        """
        while not self._connected.is_set():
            if self._failure is not None:
                raise ConnectionLost(str(self._failure)) from self._failure
            await self._connected.wait()
        result = await self._request(method, params)
        if method == AT_DISCONNECT or (method == HEARTBEAT and params):
            self._asked_for[method] = params
        return result

    async def subscribe(
        self,
        channels: tuple[str, ...],
        from_sequence: int | dict[str, int] | None,
        epoch: str | dict[str, str] | None = None,
    ) -> AsyncGenerator[Message, None]:
        """Yield the messages of channels; see ``ExchangeClient.subscribe``."""
        subscription = _Subscription(channels, from_sequence, epoch)
        self._subscriptions.append(subscription)
        try:
            await self._begin(subscription)
            while True:
                message = await subscription.messages.get()
                if isinstance(message, Exception):
                    raise message
                yield message
        finally:
            self._subscriptions.remove(subscription)

    async def session_messages(self) -> AsyncGenerator[SessionMessage, None]:
        """Yield the notifications about the session; see ``ExchangeClient.session_messages``."""
        messages: asyncio.Queue[SessionMessage | Exception] = asyncio.Queue()
        self._listening.append(messages)
        try:
            while True:
                message = await messages.get()
                if isinstance(message, Exception):
                    raise message
                yield message
        finally:
            self._listening.remove(messages)

    async def _begin(self, subscription: _Subscription) -> None:
        """Begin a subscription, or begin it again in a new session. Raises ExchangeError, and ConnectionLost."""
        sequences, epochs = subscription.start(other for other in self._subscriptions if other is not subscription)
        if again := [channel for channel in sequences if channel in self._followed]:
            # The gateway sends no message twice, but this subscription lacks some that another one has received.
            await when_allowed(lambda: self.call("channel.unsubscribe", {"channels": again}))
        params: dict[str, Any] = {"channels": list(subscription.channels)}
        if sequences:
            params |= {"from_sequence": sequences, "epoch": epochs}
        answer = await when_allowed(lambda: self.call("channel.subscribe", params))
        self._followed.update(subscription.channels)
        for channel, sequence in answer["channels"].items():
            if sequences.get(channel, 0) > sequence:
                # A gateway of an older version does not refuse this, and would skip messages.
                text = f"{channel} ends with sequence {sequence}, and {sequences[channel]} comes after that"
                raise ExchangeError("CANNOT_RESUME", text, {"channel": channel, "sequence": sequence})
            subscription.begin(channel, sequence, answer.get("epochs", {}).get(channel))

    async def _request(self, method: str, params: dict[str, Any]) -> Any:
        socket = self._socket
        if socket is None:
            raise ConnectionLost("not connected")
        number = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[number] = answer
        try:
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            if (trace := TRACE.get()) is not None:
                message["trace"] = trace
            await socket.send(_encode(message).decode())
            return await answer
        except ConnectionClosed as closed:
            raise ConnectionLost(f"{method}: {closed}") from closed
        finally:
            self._calls.pop(number, None)

    async def _open_socket(self) -> None:
        self._socket = await open_socket(self._url, proxy=None, compression=None, max_size=None, max_queue=None)
        reading = asyncio.create_task(self._read(self._socket))
        try:
            async with asyncio.timeout(LOG_ON_SECONDS):
                if self._key is not None:
                    await self._log_on(self._key)
                for method, params in self._asked_for.items():
                    await self._request(method, params)
        except BaseException:
            reading.cancel()
            await self._socket.close()
            raise
        self._reading = reading
        self._connected.set()

    async def _log_on(self, key: Key) -> None:
        nonce = (await self._request("session.challenge", {"key_id": key.key_id}))["nonce"]
        if len(nonce) != NONCE_LENGTH or not all(character in "0123456789abcdef" for character in nonce):
            raise ExchangeError("-32603", "the gateway's nonce is not one; nothing was signed", {})
        signature = key.sign(nonce.encode()).hex()
        log_on: dict[str, Any] = {"key_id": key.key_id, "signature": signature, "session": self._session}
        if self._oldest_protocol is not None:
            log_on["protocol"] = self._oldest_protocol
        self.identity = await self._request("session.logon", log_on)

    async def _read(self, socket: ClientConnection) -> None:
        """Handle messages until the connection ends; then every call that waits for an answer fails."""
        lost = ConnectionLost("the connection ended")
        try:
            async for data in socket:
                self._handle(_decode(data))
        except (WebSocketException, msgspec.DecodeError, KeyError, TypeError) as error:
            lost = ConnectionLost(f"the connection ended: {error}")
        finally:
            self._connected.clear()
            for answer in self._calls.values():
                if not answer.done():
                    answer.set_exception(lost)
            await socket.close()

    def _handle(self, message: Message) -> None:
        self._heard += 1
        if (method := message.get("method")) == "channel.message":
            self._deliver(message["params"])
        elif method is not None:
            for listening in self._listening:
                listening.put_nowait((method, message["params"]))
        elif (answer := self._calls.get(message["id"])) is not None and not answer.done():
            if "error" in message:
                answer.set_exception(_error(message["error"], message.get("trace")))
            else:
                answer.set_result(message["result"])

    def _deliver(self, message: Message) -> None:
        for subscription in self._subscriptions:
            if message["channel"] in subscription.channels:
                subscription.deliver(message)

    async def _keep_open(self) -> None:
        """Wait until the connection ends; then fail, or connect again and go on with the subscriptions."""
        while True:
            await asyncio.gather(self._reading, return_exceptions=True)
            taken_over = self._socket is not None and self._socket.close_code == TAKEN_OVER
            if taken_over or not self._reconnect:
                text = "the session goes on over another connection" if taken_over else "the connection ended"
                self._fail(ConnectionLost(text))
                return
            try:
                await retry(self._reopen, _passes, growing(FIRST_PAUSE, LONGEST_PAUSE))
            except ExchangeError as error:
                self._fail(error)
                return

    async def _reopen(self) -> None:
        await self._open_socket()
        self._followed.clear()
        for subscription in tuple(self._subscriptions):
            try:
                await self._begin(subscription)
            except ExchangeError as error:
                if _passes(error):
                    raise
                subscription.messages.put_nowait(error)

    def _fail(self, error: Exception) -> None:
        """Let every call and subscription, present and future, raise."""
        self._failure = error
        self._connected.set()
        self._connected.clear()
        for subscription in self._subscriptions:
            subscription.messages.put_nowait(error)
        for listening in self._listening:
            listening.put_nowait(error)

    async def _send_heartbeats(self) -> None:
        """Send heartbeats, and abort a connection whose heartbeat is not answered before the next one is due.

        The gateway has then stopped or is cut off, which need not end the connection.
        """
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            socket = self._socket
            if socket is None or not self._connected.is_set():
                continue
            heard = self._heard
            try:
                async with asyncio.timeout(self._heartbeat_seconds):
                    await self._request(HEARTBEAT, {})
            except TimeoutError:
                # If this program itself was paused, the answer may have arrived without being read yet.
                await asyncio.sleep(READ_SECONDS)
                if self._heard == heard:
                    socket.transport.abort()
            except (ConnectionLost, ExchangeError):
                continue


def _passes(error: Exception) -> bool:
    """Return whether a later attempt to connect may succeed."""
    if isinstance(error, ExchangeError):
        return error.reason in ("UNAVAILABLE", "RATE_LIMITED")
    return isinstance(error, OSError | WebSocketException)


def _socket_url(url: str) -> str:
    base = url.rstrip("/")
    if base.startswith("http"):
        base = "ws" + base.removeprefix("http")
    return base if base.endswith("/ws") else f"{base}/ws"


def _error(error: dict[str, Any], trace: str | None) -> ExchangeError:
    data = error.get("data") or {}
    return ExchangeError(data.get("reason") or str(error["code"]), error["message"], data, trace)

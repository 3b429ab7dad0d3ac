"""A member's program speaks to the exchange::

    async with connect("http://127.0.0.1:8600", Key.load("member.pem")) as exchange:
        placed = await exchange.place("FIRM.H", "AU-SCRAP", "buy", price="925.00", quantity="10")
        async for message in exchange.subscribe("account.FIRM.H"):
            print(message["data"])

Prices (CNY per fine gram), quantities (fine grams) and money (CNY) are decimal strings throughout, as in the protocol.
"""

import asyncio
import itertools
import uuid
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, WebSocketException

from goldx.client.keys import Key
from goldx.retry import growing, retry

__all__ = ["ConnectionLost", "ExchangeClient", "ExchangeError", "Key", "connect"]

HEARTBEAT_SECONDS: Final = 10.0
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
NONCE_LENGTH: Final = 64

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

Message = dict[str, Any]


class ExchangeError(Exception):
    """The exchange refused, or the request was malformed.

    ``reason`` is the protocol's word (``INSUFFICIENT_CASH``), or the JSON-RPC code as text (``-32602``); ``data`` what
    stands beside it.
    """

    def __init__(self, reason: str, message: str, data: dict[str, Any]) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.data = data


class ConnectionLost(ConnectionError):
    """The connection ended before the answer: the outcome is not known.

    Repeating an order under the same ``client_order_id`` is safe: if the first one arrived, the second is refused
    (DUPLICATE_ID) and its ``data`` holds what came of the first.
    """


class _Subscription:
    """One ``subscribe``: its channels, how far each has got, and what waits to be read."""

    def __init__(self, channels: tuple[str, ...], from_sequence: int | dict[str, int] | None) -> None:
        self.channels = channels
        self.messages: asyncio.Queue[Message | Exception] = asyncio.Queue()
        self.reached: dict[str, int] = {}
        if isinstance(from_sequence, dict):
            self.reached |= from_sequence
        elif from_sequence is not None:
            self.reached |= dict.fromkeys(channels, from_sequence)

    def deliver(self, message: Message) -> None:
        """Takes over a message, unless it was had before a reconnection already."""
        channel, sequence = message["channel"], message["sequence"]
        if message["type"] != "snapshot" and sequence <= self.reached.get(channel, -1):
            return
        self.reached[channel] = sequence
        self.messages.put_nowait(message)


class ExchangeClient:
    """A connection to a gateway. Made by ``connect``; not to be shared between threads."""

    def __init__(self, url: str, key: Key | None, reconnect: bool) -> None:
        self._url = _socket_url(url)
        self._key = key
        self._reconnect = reconnect
        self._socket: ClientConnection | None = None
        self._connected = asyncio.Event()
        self._failure: Exception | None = None
        self._ids = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._subscriptions: list[_Subscription] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.identity: dict[str, Any] = {}
        """What log-on answered: member, accounts, permissions, session."""

    async def __aenter__(self) -> Self:
        await self._open()
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._beat())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reconnect = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()
        self._lose(ConnectionLost("the connection was closed"))

    async def call(self, method: str, **params: Any) -> Any:
        """Calls a method of the protocol; parameters that are None are left out.

        Raises ExchangeError, or ConnectionLost when the connection ends before the answer.
        """
        while not self._connected.is_set():
            if self._failure is not None:
                raise ConnectionLost(str(self._failure)) from self._failure
            await self._connected.wait()
        return await self._ask(method, {name: value for name, value in params.items() if value is not None})

    async def place(
        self,
        account: str,
        symbol: str,
        side: str,
        quantity: str,
        price: str | None = None,
        client_order_id: str | None = None,
        *,
        type: str | None = None,
        time_in_force: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Places an order: ``{"order": ..., "trades": [...]}``. Without a price it is a market order.

        ``client_order_id`` is made up when it is not given; give your own where you want to repeat after a
        ConnectionLost. ``more``: expire_at, post_only, display_quantity, stop_price, stp, persist.
        """
        answer: dict[str, Any] = await self.call(
            "order.place",
            account=account,
            symbol=symbol,
            side=side,
            type=type or ("market" if price is None else "limit"),
            price=price,
            quantity=quantity,
            client_order_id=client_order_id or uuid.uuid4().hex,
            time_in_force=time_in_force,
            **more,
        )
        return answer

    async def cancel(
        self, account: str, order_id: int | None = None, client_order_id: str | None = None
    ) -> dict[str, Any]:
        """Cancels an open order: ``{"order": ...}``."""
        params = {"account": account, "order_id": order_id, "client_order_id": client_order_id}
        answer: dict[str, Any] = await self.call("order.cancel", **params)
        return answer

    async def cancel_all(self, account: str, symbol: str | None = None, side: str | None = None) -> dict[str, Any]:
        """Cancels the account's open orders: ``{"orders": [...]}``."""
        answer: dict[str, Any] = await self.call("order.cancel_all", account=account, symbol=symbol, side=side)
        return answer

    async def replace(self, account: str, order_id: int | None = None, **change: Any) -> dict[str, Any]:
        """Changes an open order: ``{"order": ..., "trades": [...]}``.

        ``change``: client_order_id instead of order_id; new_client_order_id, price, quantity (the new total).
        """
        answer: dict[str, Any] = await self.call("order.replace", account=account, order_id=order_id, **change)
        return answer

    async def holdings(self, account: str) -> dict[str, dict[str, str]]:
        """Asset -> total, reserved, available, locked, withdrawable."""
        answer = await self.call("account.holdings", account=account)
        holdings: dict[str, dict[str, str]] = answer["holdings"]
        return holdings

    async def orders(self, account: str, symbol: str | None = None) -> list[dict[str, Any]]:
        """The account's open orders."""
        answer = await self.call("order.list", account=account, symbol=symbol)
        orders: list[dict[str, Any]] = answer["orders"]
        return orders

    async def subscribe(
        self, *channels: str, from_sequence: int | dict[str, int] | None = None
    ) -> AsyncGenerator[Message, None]:
        """Messages of channels: ``{"channel", "type", "sequence", "previous", "at", "data", "checksum"?}``.

        ``from_sequence`` is the last sequence already had, for all channels or by channel. With ``reconnect=True`` the
        messages go on after a lost connection where they were; else ConnectionLost ends them.
        """
        subscription = _Subscription(channels, from_sequence)
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

    async def _begin(self, subscription: _Subscription) -> None:
        start = {"from_sequence": dict(subscription.reached)} if subscription.reached else {}
        answer = await self.call("channel.subscribe", channels=list(subscription.channels), **start)
        for channel, sequence in answer["channels"].items():
            subscription.reached.setdefault(channel, sequence if channel.startswith(("account.", "trades.")) else -1)

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        socket = self._socket
        if socket is None:
            raise ConnectionLost("not connected")
        number = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[number] = answer
        try:
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            await socket.send(_encode(message).decode())
            return await answer
        except ConnectionClosed as closed:
            raise ConnectionLost(f"{method}: {closed}") from closed
        finally:
            self._calls.pop(number, None)

    async def _open(self) -> None:
        """Connects and logs on. Raises OSError, WebSocketException or ExchangeError."""
        self._socket = await open_socket(self._url, proxy=None, compression=None, max_size=None, max_queue=None)
        reading = asyncio.create_task(self._read(self._socket))
        try:
            if self._key is not None:
                await self._log_on(self._key)
        except BaseException:
            reading.cancel()
            await self._socket.close()
            raise
        self._reading = reading
        self._connected.set()

    async def _log_on(self, key: Key) -> None:
        nonce = (await self._ask("session.challenge", {"key_id": key.key_id}))["nonce"]
        if len(nonce) != NONCE_LENGTH or not all(character in "0123456789abcdef" for character in nonce):
            raise ExchangeError("-32603", "the gateway's nonce is not one; nothing was signed", {})
        signature = key.sign(nonce.encode()).hex()
        self.identity = await self._ask("session.logon", {"key_id": key.key_id, "signature": signature})

    async def _read(self, socket: ClientConnection) -> None:
        """Takes messages until the connection ends; then whoever waits for an answer is told."""
        lost = ConnectionLost("the connection ended")
        try:
            async for data in socket:
                self._take(_decode(data))
        except (WebSocketException, msgspec.DecodeError, KeyError, TypeError) as error:
            lost = ConnectionLost(f"the connection ended: {error}")
        finally:
            self._connected.clear()
            for answer in self._calls.values():
                if not answer.done():
                    answer.set_exception(lost)
            await socket.close()

    def _take(self, message: Message) -> None:
        if "method" in message:
            self._deliver(message["params"])
        elif (answer := self._calls.get(message["id"])) is not None and not answer.done():
            if "error" in message:
                answer.set_exception(_error(message["error"]))
            else:
                answer.set_result(message["result"])

    def _deliver(self, message: Message) -> None:
        for subscription in self._subscriptions:
            if message["channel"] in subscription.channels:
                subscription.deliver(message)

    async def _run(self) -> None:
        """Waits for the connection to end; then gives up, or connects again and goes on where it was."""
        while True:
            await asyncio.gather(self._reading, return_exceptions=True)
            if not self._reconnect:
                self._lose(ConnectionLost("the connection ended"))
                return
            try:
                await retry(self._reopen, _passes, growing(FIRST_PAUSE, LONGEST_PAUSE))
            except ExchangeError as error:
                self._lose(error)
                return

    async def _reopen(self) -> None:
        await self._open()
        for subscription in tuple(self._subscriptions):
            await self._begin(subscription)

    def _lose(self, error: Exception) -> None:
        """The end: whoever waits for anything is told."""
        self._failure = error
        self._connected.set()
        self._connected.clear()
        for subscription in self._subscriptions:
            subscription.messages.put_nowait(error)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if self._connected.is_set():
                try:
                    await self.call("session.heartbeat")
                except (ConnectionLost, ExchangeError):
                    continue


def connect(url: str, key: Key | None = None, *, reconnect: bool = False) -> ExchangeClient:
    """A connection to the gateway at ``http(s)://`` or ``ws(s)://``, to be used as ``async with``.

    With a key it logs on; without one it may only read the public market. ``reconnect``: a lost connection is made
    again, and subscriptions go on where they were; calls in flight at the loss still raise ConnectionLost.
    Raises on entering: OSError, websockets' exceptions, ExchangeError.
    """
    return ExchangeClient(url, key, reconnect)


def _passes(error: Exception) -> bool:
    """Whether a later attempt to connect may succeed."""
    if isinstance(error, ExchangeError):
        return error.reason in ("UNAVAILABLE", "RATE_LIMITED")
    return isinstance(error, OSError | WebSocketException)


def _socket_url(url: str) -> str:
    base = url.rstrip("/")
    if base.startswith("http"):
        base = "ws" + base.removeprefix("http")
    return base if base.endswith("/ws") else f"{base}/ws"


def _error(error: dict[str, Any]) -> ExchangeError:
    data = error.get("data") or {}
    return ExchangeError(data.get("reason") or str(error["code"]), error["message"], data)

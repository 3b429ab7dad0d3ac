"""The errors that the member's client raises."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class ExchangeError(Exception):
    """The exchange refused a request, or the request was malformed.

    ``reason`` is the protocol's word (``INSUFFICIENT_CASH``), or the JSON-RPC code as text (``-32602``). ``data`` holds
    the other fields of the error, ``trace`` the trace of the request if it had one (``ExchangeClient.traced``).
    """

    def __init__(self, reason: str, message: str, data: dict[str, Any], trace: str | None = None) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.data = data
        self.trace = trace


class ConnectionLost(ConnectionError):
    """The connection ended before the answer: the outcome is not known.

    Repeating an order under the same ``client_order_id`` is safe: if the first one arrived, the second is refused
    (DUPLICATE_ID), and the ``data`` of that ExchangeError holds the outcome of the first.
    """


async def when_allowed(call: Callable[[], Awaitable[T]]) -> T:
    """Return what ``call()`` returns, and call again, after the time that the gateway asks for, while it is refused.

    Only a refusal for too many requests (RATE_LIMITED) is waited for: nothing was done then. Raises what ``call`` does.
    ``goldx.retry`` is for what fails: it has pauses of its own, and here the gateway says how long to wait.
    """
    while True:
        try:
            return await call()
        except ExchangeError as error:
            if error.reason != "RATE_LIMITED":
                raise
            await asyncio.sleep(error.data["retry_after_ms"] / 1_000)

"""The errors that the member's client raises."""

from typing import Any


class ExchangeError(Exception):
    """The exchange refused a request, or the request was malformed.

    ``reason`` is the protocol's word (``INSUFFICIENT_CASH``), or the JSON-RPC code as text (``-32602``). ``data`` holds
    the other fields of the error.
    """

    def __init__(self, reason: str, message: str, data: dict[str, Any]) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.data = data


class ConnectionLost(ConnectionError):
    """The connection ended before the answer: the outcome is not known.

    Repeating an order under the same ``client_order_id`` is safe: if the first one arrived, the second is refused
    (DUPLICATE_ID), and the ``data`` of that ExchangeError holds the outcome of the first.
    """

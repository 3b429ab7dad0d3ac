"""The member's Python client::

    from goldx.client import Key, connect

It needs msgspec, websockets, cryptography and sortedcontainers, and nothing of the exchange but ``goldx.protocol``.
"""

from goldx.client.errors import ConnectionLost, ExchangeError
from goldx.client.keys import Key
from goldx.client.session import ExchangeClient, connect

__all__ = ["ConnectionLost", "ExchangeClient", "ExchangeError", "Key", "connect"]

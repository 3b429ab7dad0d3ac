"""The member's Python client::

    from goldx.client import Key, connect

It needs msgspec, websockets, cryptography and sortedcontainers, and of the exchange nothing but ``goldx.protocol`` and
``goldx.retry``.
"""

from goldx.client.errors import ConnectionLost, ExchangeError
from goldx.client.keys import Key
from goldx.client.session import ExchangeClient, connect

__all__ = ["ConnectionLost", "ExchangeClient", "ExchangeError", "Key", "connect"]

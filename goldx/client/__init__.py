"""The member's client::

from goldx.client import Key, connect
"""

from goldx.client.keys import Key
from goldx.client.session import ConnectionLost, ExchangeClient, ExchangeError, connect

__all__ = ["ConnectionLost", "ExchangeClient", "ExchangeError", "Key", "connect"]

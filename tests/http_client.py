"""HTTP clients for servers on this machine.

A client of httpx reads the certificates of all authorities, for 60 ms of processor time, though it is to call
``http://``. Those of the tests share a context without any.
"""

import ssl
from typing import Any, Final

import httpx

NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def http_client(base_url: str = "", **more: Any) -> httpx.AsyncClient:
    """Return a client for one server, or for whole URLs; it takes no proxy from the environment."""
    return httpx.AsyncClient(base_url=base_url, trust_env=False, verify=NO_AUTHORITIES, **more)

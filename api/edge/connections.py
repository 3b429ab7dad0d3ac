"""The limits on the connections of a server, in all and from each address."""

import resource
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

RESERVED_FILES: Final = 128
"""File descriptors that a gateway needs besides its clients' connections."""
IPV6_PREFIX: Final = 64
"""The length of the prefix that one subscriber of IPv6 has to itself (RFC 6177, section 2; RFC 4291, 2.5.4)."""


@lru_cache(4_096)
def client_of(address: str) -> str:
    """Return what limits per address count by: an IPv4 address, or the network of an IPv6 address.

    A text that is no address, such as the empty one of a unix socket, is returned unchanged.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), IPV6_PREFIX), strict=False))


class Connections:
    """Counts connections: at most ``most`` at the same time, of which ``most_of_address`` from one address.

    ``proxies`` are addresses or networks that ``most_of_address`` does not limit.
    """

    def __init__(self, most: int, most_of_address: int, proxies: Sequence[str] = ()) -> None:
        self.open = 0
        self._most = most
        self._most_of_address = most_of_address
        self._proxies = [ip_network(text, strict=False) for text in proxies]
        self._by_address: Counter[str] = Counter()

    def enter(self, address: str) -> str | None:
        """Count a connection, or return why it is refused."""
        if self.open >= self._most:
            return f"{self._most} connections are open already"
        client = client_of(address)
        if self._by_address[client] >= self._most_of_address and not self._is_proxy(address):
            return f"{self._most_of_address} connections of this address are open already"
        self.open += 1
        self._by_address[client] += 1
        return None

    def leave(self, address: str) -> None:
        """Count a connection as ended."""
        client = client_of(address)
        self.open -= 1
        self._by_address[client] -= 1
        if not self._by_address[client]:
            del self._by_address[client]

    def _is_proxy(self, address: str) -> bool:
        return bool(self._proxies) and any(ip_address(address) in network for network in self._proxies)


def raise_file_limit(wanted: int) -> int:
    """Allow this process ``wanted`` connections, if the system does; return how many it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED_FILES
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, soft - RESERVED_FILES))

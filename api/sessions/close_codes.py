"""The codes with which a gateway closes a WebSocket (RFC 6455, section 7.4). docs/protocol.md shows them all.

Two more are sent by the libraries: 1009 for a message over 64 KiB, and 1012 when the gateway stops.
"""

from typing import Final

CANNOT_RESUME: Final = 1011
"""The missed messages of a private channel cannot be read again at this gateway."""
IDLE: Final = 4000
SLOW_CONSUMER: Final = 4001
REVOKED: Final = 4003
TAKEN_OVER: Final = 4004

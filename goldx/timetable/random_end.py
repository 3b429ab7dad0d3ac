"""The random end of an auction: drawn beforehand with a secret key, so that anybody can recompute it afterwards.

Each trading day has a key of 256 random bits. The draw is the HMAC-SHA-256 with that key of the day, the instrument and
the planned time, reduced to the width of the window. Before the day's first draw the key's hash, the commitment, is
published, and after the day's end the key. So nobody can predict an end from public data, or choose another one
afterwards: another key has another commitment.
"""

import hashlib
import hmac
from datetime import date

KEY_BYTES = 32


def commitment(key: bytes) -> str:
    """Return the SHA-256 of a key, which commits to the key without revealing it."""
    return hashlib.sha256(key).hexdigest()


def draw(key: bytes, day: date, symbol: str, planned_at: int, window_ms: int) -> int:
    """Return the ms from a step's planned time to its beginning: from 0 up to the window, each equally likely.

    The digest has 256 bits and a window has at most 1,800,001 values, so the remainder favours none noticeably.
    """
    if not window_ms:
        return 0
    message = f"{day}/{symbol}/{planned_at}".encode()
    return int.from_bytes(hmac.digest(key, message, "sha256"), "big") % (window_ms + 1)

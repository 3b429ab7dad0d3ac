"""The random end of an auction: drawn beforehand with a secret key, and anybody can compute it again afterwards.

Each trading day has a key of 256 random bits. What is drawn is HMAC-SHA-256 with that key over the day, the instrument
and the planned time, reduced to the width of the window. Before the day's first draw the key's hash, the commitment, is
published, and after the day's end the key. So an end follows from nothing that is public beforehand, and nobody can
choose another one afterwards: another key has another commitment.
"""

import hashlib
import hmac
from datetime import date

KEY_BYTES = 32


def commitment(key: bytes) -> str:
    """Return the SHA-256 of a key, which says nothing about it and fixes it."""
    return hashlib.sha256(key).hexdigest()


def draw(key: bytes, day: date, symbol: str, planned_at: int, window_ms: int) -> int:
    """Return how many ms after its planned time a step begins: from 0 up to the window, each equally likely.

    The digest has 256 bits and a window has at most 1,800,001 values, so the remainder favours none noticeably.
    """
    if not window_ms:
        return 0
    message = f"{day}/{symbol}/{planned_at}".encode()
    return int.from_bytes(hmac.digest(key, message, "sha256"), "big") % (window_ms + 1)

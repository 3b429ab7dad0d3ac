"""The canonical form of a step's output: the same values give the same bytes, on any machine and at any time."""

import json
from hashlib import sha256


def canonical(value: object) -> bytes:
    """Return JSON in UTF-8 with sorted keys and without blanks. ``value`` holds no floats."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal digits."""
    return sha256(data).hexdigest()

"""WebSocket frames (RFC 6455, section 5) of whole text messages, many at a time.

Nearly every frame holds one text message; reading it here costs a tenth of what a general parser takes. Of any other
frame (pings, closes, fragments, errors) only the length is read here; the WebSocket library does the rest.
"""

from typing import Final

from websockets.speedups import apply_mask

WHOLE_TEXT: Final = 0x81
"""The first byte of a text message in one frame."""
MASKED: Final = 0x80
"""The bit of the second byte that says that a frame is masked, as those of clients must be."""
MAX_HEADER: Final = 14

_HEADERS: Final = [bytes((WHOLE_TEXT, size)) for size in range(126)] + [
    bytes((WHOLE_TEXT, 126)) + size.to_bytes(2, "big") for size in range(126, 2_048)
]


def take(data: bytes, largest: int) -> tuple[list[bytes], int]:
    """Return the text messages at the beginning of a chunk, unmasked, and the number of bytes that they took.

    Stops before a frame that is incomplete, of another kind, or with more than ``largest`` bytes of payload.
    """
    messages: list[bytes] = []
    at, end = 0, len(data)
    while at + 6 <= end and data[at] == WHOLE_TEXT:
        size = data[at + 1] - MASKED
        start = at + 6
        if size == 126 and at + 8 <= end:
            start = at + 8
            size = data[at + 2] << 8 | data[at + 3]
        elif not 0 <= size < 126:
            break
        if start + size > end or size > largest:
            break
        at = start + size
        messages.append(apply_mask(data[start:at], data[start - 4 : start]))
    return messages, at


def length(data: bytes) -> int:
    """Return the length in bytes of the frame that begins here, by its header; 0 if the header is incomplete."""
    if len(data) < 2:
        return 0
    size = data[1] & 0x7F
    fixed = 6 if data[1] & MASKED else 2
    if size < 126:
        return fixed + size
    wide = 2 if size == 126 else 8
    if len(data) < 2 + wide:
        return 0
    return fixed + wide + int.from_bytes(data[2 : 2 + wide], "big")


def header(size: int) -> bytes:
    """Return the header of an unmasked frame for a text message of ``size`` bytes."""
    if size < len(_HEADERS):
        return _HEADERS[size]
    if size < 1 << 16:
        return bytes((WHOLE_TEXT, 126)) + size.to_bytes(2, "big")
    return bytes((WHOLE_TEXT, 127)) + size.to_bytes(8, "big")

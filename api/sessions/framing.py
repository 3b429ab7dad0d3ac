"""WebSocket frames (RFC 6455, section 5) of whole text messages, many at a time.

Nearly every frame is one: taken out of a chunk here, at a tenth of what a general parser costs. Whatever else there may
be (pings, closes, fragments, errors) is measured here and left to the library that knows all rules.
"""

from typing import Final

from websockets.speedups import apply_mask

WHOLE_TEXT: Final = 0x81
"""First byte: the final fragment of a message, and its first, of text."""
MASKED: Final = 0x80
LONGEST_HEAD: Final = 14

_HEADS: Final = [bytes((WHOLE_TEXT, size)) for size in range(126)] + [
    bytes((WHOLE_TEXT, 126)) + size.to_bytes(2, "big") for size in range(126, 2_048)
]


def take(data: bytes, largest: int) -> tuple[list[bytes], int]:
    """The text messages at the beginning of a chunk, unmasked, and how many bytes they took.

    Stops before a frame that is not all there, that is something else, or that is larger than ``largest``.
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
    """How long the frame is that begins here, by its header; 0 when that is not all there."""
    if len(data) < 2:
        return 0
    size = data[1] & 0x7F
    head = 6 if data[1] & MASKED else 2
    if size < 126:
        return head + size
    wide = 2 if size == 126 else 8
    if len(data) < 2 + wide:
        return 0
    return head + wide + int.from_bytes(data[2 : 2 + wide], "big")


def head(size: int) -> bytes:
    """What a server sends before a text message of so many bytes."""
    if size < len(_HEADS):
        return _HEADS[size]
    if size < 1 << 16:
        return bytes((WHOLE_TEXT, 126)) + size.to_bytes(2, "big")
    return bytes((WHOLE_TEXT, 127)) + size.to_bytes(8, "big")

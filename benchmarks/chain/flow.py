"""The messages of a session: a resting order, a sale at the touch, a purchase that takes it, a cancel.

Two of three orders trade, every fourth message cancels, and the book stays small however long the flow is. Each session
trades two accounts of different owners, so that self-trade prevention never applies.
"""

from os import urandom
from typing import Final

from websockets.speedups import apply_mask

SYMBOL: Final = "AU-BENCH"
TOUCH: Final = "612.35"
CYCLE: Final = 4
"""Messages after which the flow repeats."""


def accounts(session: int) -> tuple[str, str]:
    """Return the two accounts that a session trades."""
    return f"BUYER.{session}", f"SELLER.{session}"


def messages(run: int, session: int, first_id: int, count: int) -> list[bytes]:
    """Return ``count`` requests with ids from ``first_id``. Client ids contain the run, so that none repeats."""
    buyer, seller = accounts(session)
    return [
        _message(f"{run}.{number}", number % CYCLE, first_id + number, buyer, seller).encode()
        for number in range(count)
    ]


def _message(name: str, step: int, request: int, buyer: str, seller: str) -> str:
    head = f'{{"jsonrpc":"2.0","id":{request},"method":"order.'
    if step == 3:
        before = f"{name.partition('.')[0]}.{int(name.partition('.')[2]) - 3}"
        return f'{head}cancel","params":{{"account":"{buyer}","client_order_id":"{before}"}}}}'
    account, side = (seller, "sell") if step == 1 else (buyer, "buy")
    price = f"{610 - request % 50}.00" if step == 0 else TOUCH
    return (
        f'{head}place","params":{{"account":"{account}","client_order_id":"{name}","symbol":"{SYMBOL}",'
        f'"side":"{side}","type":"limit","price":"{price}","quantity":"1"}}}}'
    )


def frame(message: bytes) -> bytes:
    """Return a masked WebSocket text frame, as clients must send them."""
    mask = urandom(4)
    size = len(message)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + mask + apply_mask(message, mask)

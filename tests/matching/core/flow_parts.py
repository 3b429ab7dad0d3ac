"""Parts of generated command sequences."""

from typing import Any

import msgspec

from goldx.protocol import commands

LOT = 1_000
MIDDLE = 100
"""The price in fen around which all prices are drawn."""


def owner_of(account: str) -> str | None:
    """Return the owner that an account is opened with."""
    return "owner" if account in ("A", "A2") else None


def changed(command: commands.OrderPlace, **fields: Any) -> commands.OrderPlace:
    """Return the order with some fields changed."""
    copied: commands.OrderPlace = msgspec.structs.replace(command, **fields)
    return copied

"""What members, accounts and their prepaid holdings are.

A ``Balance`` is one asset of one account: fen for CNY, fine milligrams for a gold class. Always

    0 <= reserved, 0 <= locked, reserved + locked <= total

where ``reserved`` is exactly what the account's open orders could still use.
"""

from __future__ import annotations

from typing import Final

from goldx.protocol.units import CASH
from matching.core.ids import ClientIds

UNPUBLISHED: Final = -1
"""No balance has this total."""


class Balance:
    """``published_*`` is what the last holding.changed said: what differs from it at the end of a command is news."""

    __slots__ = (
        "account",
        "asset",
        "locked",
        "locks",
        "published_reserved",
        "published_total",
        "reserved",
        "total",
        "unwithdrawable",
    )

    def __init__(self, account: str, asset: str) -> None:
        self.account: str = account
        self.asset: str = asset
        self.total: int = 0
        self.reserved: int = 0
        self.locked: int = 0
        """Bought gold that may not be sold yet; the sum of ``locks``."""
        self.locks: dict[int, int] | None = None
        """Number of the trading day from which it may be sold -> how much."""
        self.unwithdrawable: int = 0
        """Sale proceeds of today that may be traded with but not withdrawn."""
        self.published_total: int = 0
        """UNPUBLISHED when something else has changed that holding.changed has to tell."""
        self.published_reserved: int = 0

    def available(self) -> int:
        """What a new order may use."""
        return self.total - self.locked - self.reserved

    def withdrawable(self) -> int:
        """What may be taken out now."""
        free = self.total - self.locked - self.reserved - self.unwithdrawable
        return free if free > 0 else 0

    def lock(self, quantity: int, until_day: int) -> None:
        """Keeps a bought quantity from being sold before the trading day of that number."""
        if self.locks is None:
            self.locks = {}
        self.locks[until_day] = self.locks.get(until_day, 0) + quantity
        self.locked += quantity
        self.published_total = UNPUBLISHED

    def hold_back(self, amount: int) -> None:
        """Keeps a part of what a sale earned from being withdrawn today."""
        if amount:
            self.unwithdrawable += amount
            self.published_total = UNPUBLISHED

    def roll(self, day: int) -> bool:
        """The trading day of that number begins. Says whether anything became free."""
        changed = self.unwithdrawable > 0
        self.unwithdrawable = 0
        if self.locks is not None:
            for until_day in [d for d in self.locks if d <= day]:
                self.locked -= self.locks.pop(until_day)
                changed = True
            if not self.locks:
                self.locks = None
        if changed:
            self.published_total = UNPUBLISHED
        return changed


class Member:
    """``refusal`` is why new orders of the member are refused: KILLED, HALTED, or empty."""

    __slots__ = ("accounts", "name", "refusal")

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.refusal: str = ""
        self.accounts: list[Account] = []


class Account:
    """``ids``: every client id of the trading day."""

    __slots__ = ("balances", "cash", "ids", "kind", "member", "name", "owner", "quotes")

    def __init__(self, name: str, member: Member, kind: int, owner: str) -> None:
        self.name: str = name
        self.member: Member = member
        self.kind: int = kind
        self.owner: str = owner
        self.cash: Balance = Balance(name, CASH)
        self.balances: dict[str, Balance] = {CASH: self.cash}
        self.ids: ClientIds = ClientIds()
        self.quotes: dict[str, str] = {}
        """Symbol -> id of the newest quote."""

    def balance(self, asset: str) -> Balance:
        """The balance of an asset, which begins at nothing."""
        found = self.balances.get(asset)
        if found is None:
            found = self.balances[asset] = Balance(self.name, asset)
        return found

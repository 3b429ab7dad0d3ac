"""Members, their accounts, and the prepaid balances of these.

A ``Balance`` is one asset of one account: fen for CNY, fine milligrams for a gold class. At all times

    0 <= reserved, 0 <= locked, reserved + locked <= total

where ``reserved`` is exactly what the account's open orders, deals and quotes could still use.
"""

from __future__ import annotations

from typing import Final

from goldx.protocol.units import CASH
from matching.core.ids import ClientIds
from matching.core.member_limits import LimitUsage, MemberLimits
from matching.core.protection_limits import Protection

UNPUBLISHED: Final = -1
"""A value of ``Balance.published_total`` that no total has, so that the balance is published again."""


class Balance:
    """One asset of one account.

    ``published_total`` and ``published_reserved`` are the values of the newest ``holding.changed``. A balance that
    differs from them at the end of a command is published.
    """

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
        "usage",
    )

    def __init__(self, account: str, asset: str) -> None:
        self.account: str = account
        self.asset: str = asset
        self.usage: LimitUsage | None = None
        """Set with ``usage`` of its account: what is reserved counts towards limits."""
        self.total: int = 0
        self.reserved: int = 0
        self.locked: int = 0
        """Bought gold that may not be sold yet: the sum of ``locks``."""
        self.locks: dict[int, int] | None = None
        """Quantity by the number of the trading day from which it may be sold."""
        self.unwithdrawable: int = 0
        """Sale proceeds of today that may be traded with but not withdrawn."""
        self.published_total: int = 0
        """UNPUBLISHED if something has changed that is neither the total nor the reservation."""
        self.published_reserved: int = 0

    def reserve(self, amount: int) -> None:
        """Reserve an amount, or free one if it is negative, and count that towards limits.

        The fast path writes ``reserved`` itself: it serves no account that has a ``usage``.
        """
        self.reserved += amount
        if self.usage is not None:
            if self.asset == CASH:
                self.usage.reserve(amount, 0)
            else:
                self.usage.reserve(0, amount)

    def available(self) -> int:
        """Return what a new order may use."""
        return self.total - self.locked - self.reserved

    def withdrawable(self) -> int:
        """Return what may be taken out of the account now."""
        free = self.total - self.locked - self.reserved - self.unwithdrawable
        return free if free > 0 else 0

    def lock(self, quantity: int, until_day: int) -> None:
        """Forbid the sale of a bought quantity before the trading day of a number."""
        if self.locks is None:
            self.locks = {}
        self.locks[until_day] = self.locks.get(until_day, 0) + quantity
        self.locked += quantity
        self.published_total = UNPUBLISHED

    def unlock(self, quantity: int, until_day: int) -> None:
        """Free a quantity, at most ``locked_until`` it, that was locked until the trading day of a number."""
        if quantity and self.locks is not None:
            left = self.locks[until_day] - quantity
            if left:
                self.locks[until_day] = left
            else:
                del self.locks[until_day]
                if not self.locks:
                    self.locks = None
            self.locked -= quantity
            self.published_total = UNPUBLISHED

    def locked_until(self, until_day: int) -> int:
        """Return the quantity that is locked until the trading day of a number."""
        return 0 if self.locks is None else self.locks.get(until_day, 0)

    def hold_back(self, amount: int) -> None:
        """Forbid the withdrawal of a part of today's sale proceeds before the end of the day."""
        if amount:
            self.unwithdrawable += amount
            self.published_total = UNPUBLISHED

    def release(self, amount: int) -> None:
        """Take back ``hold_back`` of an amount, or of what is left of it."""
        if amount and self.unwithdrawable:
            self.unwithdrawable = max(0, self.unwithdrawable - amount)
            self.published_total = UNPUBLISHED

    def start_day(self, day: int) -> bool:
        """Free what was locked or held back until the trading day of a number; return whether that was anything."""
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
    """A member firm. ``refusal`` is the reason why its new orders are refused, KILLED or HALTED, or empty.

    ``refuse`` changes it. ``protections``: the limits of groups of its quotes, by the names of the groups.
    ``open_requests`` and ``open_rfq_quotes``: how many requests for quotes, and quotes in those of others, its accounts
    have. ``limits``: those that operators have set for all its accounts together. ``counted_after``: the trade
    after which its trades count towards limits, and ``usage`` what counts of all its accounts; both None while neither
    it nor an account has any.
    """

    __slots__ = (
        "accounts",
        "counted_after",
        "limits",
        "name",
        "open_requests",
        "open_rfq_quotes",
        "protections",
        "refusal",
        "usage",
    )

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.refusal: str = ""
        self.accounts: list[Account] = []
        self.protections: dict[str, Protection] = {}
        self.open_requests: int = 0
        self.open_rfq_quotes: int = 0
        self.limits: MemberLimits | None = None
        self.counted_after: int | None = None
        self.usage: LimitUsage | None = None

    def refuse(self, reason: str) -> None:
        """Refuse new orders of all its accounts for a reason, or accept them again if the reason is empty."""
        self.refusal = reason
        for account in self.accounts:
            account.find_refusal()


class Account:
    """An account of a member. Accounts with the same ``owner`` never trade with each other.

    ``ids`` holds every client id that is taken, ``older_ids`` those of them that were used before this trading day,
    ``quotes`` the id of the newest quote in each symbol. ``refusal`` is the reason why its new orders are refused (its
    member's, or RETIRED), or empty. ``limits`` are its own; ``usage`` is what counts towards them and its member's,
    None while nothing does. ``claims`` are those of the venue on it, in fen by their references, and ``owed`` is their
    sum. ``general``: its orders take the general path, as something refuses or counts them.
    """

    __slots__ = (
        "balances",
        "cash",
        "claims",
        "general",
        "ids",
        "kind",
        "levels",
        "limits",
        "member",
        "name",
        "older_ids",
        "owed",
        "owner",
        "quotes",
        "refusal",
        "retired",
        "usage",
    )

    def __init__(self, name: str, member: Member, kind: int, owner: str) -> None:
        self.name: str = name
        self.member: Member = member
        self.kind: int = kind
        self.owner: str = owner
        self.cash: Balance = Balance(name, CASH)
        self.balances: dict[str, Balance] = {CASH: self.cash}
        self.ids: ClientIds = ClientIds()
        self.older_ids: set[str] = set()
        self.quotes: dict[str, str] = {}
        self.levels: dict[str, dict[int, int]] = {}
        """By symbol and ``open_quotes.slot``: the number of the newest order there, which may be over."""
        self.retired: bool = False
        self.claims: dict[str, int] = {}
        self.owed: int = 0
        self.limits: MemberLimits | None = None
        self.usage: LimitUsage | None = None
        self.refusal: str = ""
        self.general: bool = False
        self.count_limits()

    def count_limits(self) -> None:
        """Begin to count from nothing what it trades and has reserved, or end that, as its member has a ``usage``."""
        whole = self.member.usage
        self.usage = usage = None if whole is None else LimitUsage(whole)
        for balance in self.balances.values():
            balance.usage = usage
            if usage is not None:
                cash = balance.asset == CASH
                usage.reserve(balance.reserved if cash else 0, 0 if cash else balance.reserved)
        self.find_refusal()

    def find_refusal(self) -> None:
        """Set ``refusal`` and ``general`` after what they follow from has changed."""
        self.refusal = self.member.refusal or ("RETIRED" if self.retired else "")
        self.general = self.refusal != "" or self.usage is not None or self.owed > 0

    def balance(self, asset: str) -> Balance:
        """Return the balance of an asset; a new one is empty."""
        found = self.balances.get(asset)
        if found is None:
            found = self.balances[asset] = Balance(self.name, asset)
            found.usage = self.usage
        return found

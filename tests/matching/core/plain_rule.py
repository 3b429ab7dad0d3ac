"""The base of the rules of ``tests.matching.core.plain_rules``: an instrument, four accounts, and plain orders."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from goldx.protocol import commands, terms, units
from goldx.protocol.commands import AnyCommand
from tests.matching.core.dice import Dice

LOT = 1_000
MIDDLE = 100
MEMBERS = {"A": "m1", "A2": "m1", "B": "m2", "C": "m3"}
"""account -> member; A and A2 have one owner."""


class Rule:
    """Base of the rules: plain orders near one price, and their cancelling."""

    happens: ClassVar[frozenset[str]] = frozenset(("fast", "order.accepted", "order.cancelled"))
    cash: ClassVar[tuple[int, ...]] = (10**9,)
    gold: ClassVar[tuple[int, ...]] = (10**9,)

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.at = 1_000
        self.placed: list[tuple[str, str]] = []
        """(account, client id)"""

    def definition(self) -> dict[str, Any]:
        """Return the terms of the instrument that differ from the default."""
        return {}

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        """Return the functions of which each step calls one."""
        return self.order, self.order, self.cancel

    def opening(self) -> Iterator[AnyCommand]:
        yield commands.InstrumentDefine("X", **self.definition())
        for account, member in MEMBERS.items():
            yield commands.AccountOpen(account, member, owner="one" if member == "m1" else None)
            yield commands.HoldingAdjust(account, units.CASH, self.dice.choose(self.cash), f"{account}-cash")
            if account != "C":  # which has never had gold
                yield commands.HoldingAdjust(account, "X", self.dice.choose(self.gold), f"{account}-gold")
        yield commands.MarketSetPhase("X", terms.CONTINUOUS)

    def steps(self, count: int) -> Iterator[tuple[int, AnyCommand]]:
        for command in self.opening():
            yield self.at, command
        for _ in range(count):
            self.at += self.dice.choose((0, 1, 50))
            make: Callable[[], AnyCommand] = self.dice.choose(self.choices())
            yield self.at, make()

    def order(self, **fields: Any) -> AnyCommand:
        account = fields.pop("account", None) or self.dice.choose(tuple(MEMBERS))
        client_order_id = fields.pop("client_order_id", None) or f"o{len(self.placed)}"
        self.placed.append((account, client_order_id))
        plain: dict[str, Any] = {
            "symbol": "X",
            "side": self.dice.choose((terms.BUY, terms.SELL)),
            "type": terms.LIMIT,
            "quantity": self.dice.choose((1, 2, 5)) * LOT,
            "price": MIDDLE + self.dice.number(-2, 2),
            "time_in_force": self.dice.choose((terms.GTC, terms.DAY)),
            "session": "s",
        }
        return commands.OrderPlace(account, client_order_id, **(plain | fields))

    def cancel(self) -> AnyCommand:
        """Cancel an order by client id or by number, mostly one that may be open."""
        if self.placed and self.dice.number(1, 3) > 1:
            account, client_order_id = self.dice.choose(self.placed)
            return commands.OrderCancel(account, None, client_order_id)
        return commands.OrderCancel(self.dice.choose(tuple(MEMBERS)), self.dice.number(0, len(self.placed) + 1))

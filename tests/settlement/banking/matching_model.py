"""The rules by which payments are matched with recorded money, slowly and plainly: the model of generated tests."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple


class Item(NamedTuple):
    """A payment in a statement."""

    number: int
    fen: int
    day: date
    bank_number: str
    reference: str
    account: str
    name: str
    reversal: bool


class Money(NamedTuple):
    """Recorded money; an order has a payee, and if it was sent a file with its day."""

    number: int
    fen: int
    owner: str
    reference: str
    payee: tuple[str, str] | None
    file: str
    sent_on: date | None


Tie = tuple[tuple[int, ...], tuple[int, ...]]
"""The numbers of payments, and of the money that they are."""


class Matcher:
    """Matches all payments with all money; ``orders`` are the references of payment orders, in any state."""

    def __init__(self, items: Sequence[Item], money: Sequence[Money], orders: set[str]) -> None:
        self.items, self.money, self.orders = list(items), list(money), orders

    def ties(self) -> list[Tie]:
        """Return all ties."""
        made = list(self._pairs())
        found = made
        while True:
            items = {number for tie in made for number in tie[0]}
            money = {number for tie in made for number in tie[1]}
            self.items = [one for one in self.items if one.number not in items]
            self.money = [one for one in self.money if one.number not in money]
            made = list(self._round())
            if not made:
                return sorted(found)
            found = found + made

    def _round(self) -> Iterator[Tie]:
        """Yield the groups that go before every other one with a payment or money of theirs."""
        items: set[int] = set()
        money: set[int] = set()
        for _, tie in sorted(self._groups()):
            if not items & set(tie[0]) and not money & set(tie[1]):
                yield tie
            items |= set(tie[0])
            money |= set(tie[1])

    def _unnamed(self, item: Item) -> bool:
        named = item.reference in self.orders
        return item.fen < 0 and not item.reversal and bool(item.account) and not named

    def _due(self, item: Item, money: Money) -> bool:
        """Return whether the payment went to the payee of an order that was sent by its day."""
        payee = (item.account, item.name) == money.payee
        return self._unnamed(item) and payee and money.sent_on is not None and money.sent_on <= item.day

    def _grade(self, item: Item, money: Money) -> int:
        if item.fen != money.fen:
            return 0
        if money.reference == item.bank_number:
            return 3
        if money.reference == item.reference:
            return 2
        return int(self._due(item, money))

    def _pairs(self) -> Iterator[Tie]:
        grades = {(i, m): self._grade(i, m) for i in self.items for m in self.money}

        def best_of(money: Money) -> int:
            return max(grades[i, money] for i in self.items)

        def choices(item: Item) -> list[Money]:
            best = max((grades[item, m] for m in self.money), default=0)
            return [m for m in self.money if best and grades[item, m] == best == best_of(m)]

        for item in self.items:
            mine = choices(item)
            for place, money in enumerate(mine):
                rivals = sorted((i for i in self.items if money in choices(i)), key=lambda i: (i.day, i.number))
                turn = rivals.index(item)
                if grades[item, money] > 1:
                    decided = place == turn == 0
                else:
                    owners = {m.owner for m in mine}
                    decided = len(owners) == 1 and len(mine) == len(rivals) and place == turn
                if decided:
                    yield (item.number,), (money.number,)

    def _groups(self) -> Iterator[tuple[tuple[object, ...], Tie]]:
        """Yield groups, each with its rank: the strongest evidence and the smallest group first."""
        keys = {key for i in self.items for key in (i.bank_number, i.reference) if key}
        for key in keys:
            for sign in (1, -1):
                of_key = [i for i in self.items if i.fen * sign > 0 and key in (i.bank_number, i.reference)]
                wanted = [m for m in self.money if m.fen * sign > 0 and key in (m.reference, m.file)]
                for items in (*([i] for i in of_key), of_key):
                    grade = max((3 if i.bank_number == key else 2 for i in items), default=0)
                    yield from self._group(items, wanted, grade)
        parties = {(i.account, i.name) for i in self.items if self._unnamed(i)}
        for party in parties:
            to_party = [i for i in self.items if self._unnamed(i) and (i.account, i.name) == party]
            for items in (*([i] for i in to_party), to_party):
                first = min(items, key=lambda i: i.day)
                wanted = [m for m in self.money if self._due(first, m)]
                if min(len(items), len(wanted)) == 1 and len({m.owner for m in wanted}) == 1:
                    yield from self._group(items, wanted, 1)

    def _group(
        self, items: Sequence[Item], money: Sequence[Money], grade: int
    ) -> Iterator[tuple[tuple[object, ...], Tie]]:
        if len(items) + len(money) > 2 and items and money and sum(i.fen for i in items) == sum(m.fen for m in money):
            tie = (tuple(sorted(i.number for i in items)), tuple(sorted(m.number for m in money)))
            yield (-grade, len(items), len(money), min(i.day for i in items), *tie), tie

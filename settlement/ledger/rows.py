"""The rows that the ledger gets of a batch: entries with their hashes, and postings with the numbers of accounts.

A backlog consists of trades, so the rows of a trade are made at once, without a loop over its lines. What the lines
are, ``settlement.ledger.posting.lines_of`` says.
"""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from operator import attrgetter
from typing import Final, TypeAlias

from goldx.protocol.events import Trade
from goldx.protocol.units import CASH
from settlement.documents.kinds import TRADE
from settlement.ledger.chain import link
from settlement.ledger.posting import FEES, MEMBER, AccountKey, Batch, lines_of

Entry: TypeAlias = tuple[int, str, int, str | None, bytes]
"""Sequence, kind, time, reference, hash."""
Posting: TypeAlias = tuple[int, int, int, int]
"""Sequence, line, number of the account, amount."""
TRADES_AT_ONCE: Final = 128
"""The number of trades after which other tasks of the process have a turn, such as the one that feeds COPY."""

_sequence_of = attrgetter("sequence")


class Numbers:
    """The numbers of the ledger's accounts, as far as they are known."""

    def __init__(self) -> None:
        self._of: dict[AccountKey, int] = {}
        self.members: dict[tuple[str, str], int] = {}
        """Those of trading accounts by name and asset."""

    def __getitem__(self, key: AccountKey) -> int:
        return self._of[key]

    def add(self, numbers: Mapping[AccountKey, int]) -> None:
        """Take note of numbers."""
        self._of.update(numbers)
        self.members.update({(key.name, key.asset): number for key, number in numbers.items() if key.kind == MEMBER})

    def clear(self) -> None:
        """Forget all numbers, after a transaction that opened accounts and failed."""
        self._of.clear()
        self.members.clear()

    def missing(self, batch: Batch) -> set[AccountKey]:
        """Return the accounts of a batch of which the number is not known."""
        keys = {line[2] for line in batch.lines}
        if any(event.buy_fee or event.sell_fee for event in batch.trades):
            keys.add(FEES)
        deals = {(event.buy_account, event.sell_account, event.symbol) for event in batch.trades}
        pairs = {pair for buyer, seller, symbol in deals for pair in ((buyer, CASH), (buyer, symbol), (seller, symbol))}
        pairs |= {(event.sell_account, CASH) for event in batch.trades if event.amount != event.sell_fee}
        keys |= {AccountKey(MEMBER, *pair) for pair in pairs - self.members.keys()}
        return keys - self._of.keys()


class Rows:
    """The rows of one batch, and the hash of the last entry."""

    def __init__(self, numbers: Numbers, previous: bytes) -> None:
        self.entries: list[Entry] = []
        self.postings: list[Posting] = []
        self.hash = previous
        self._numbers = numbers

    async def make(self, batch: Batch) -> None:
        """Make the rows of a batch in the order of its events, giving other tasks their turns."""
        lines: defaultdict[int, list[tuple[int, AccountKey, int]]] = defaultdict(list)
        for sequence, line, account, amount in batch.lines:
            lines[sequence].append((line, account, amount))
        begin = 0
        for sequence, kind, at, reference in batch.entries:
            end = bisect_left(batch.trades, sequence, key=_sequence_of)
            await self._add_all(batch.trades[begin:end])
            self._add(sequence, kind, at, reference, lines.get(sequence, ()))
            begin = end
        await self._add_all(batch.trades[begin:])

    async def _add_all(self, trades: Sequence[Trade]) -> None:
        for begin in range(0, len(trades), TRADES_AT_ONCE):
            self._add_trades(trades[begin : begin + TRADES_AT_ONCE])
            await asyncio.sleep(0)

    def _add(
        self,
        sequence: int,
        kind: str,
        at: int,
        reference: str | None,
        lines: Sequence[tuple[int, AccountKey, int]],
    ) -> None:
        numbered = [(line, self._numbers[account], amount) for line, account, amount in lines]
        text = ",".join(f"{line}:{account}:{amount}" for line, account, amount in numbered)
        self.hash = link(self.hash, sequence, kind, at, reference, text)
        self.entries.append((sequence, kind, at, reference, self.hash))
        self.postings += [(sequence, *line) for line in numbered]

    def _add_trades(self, trades: Sequence[Trade]) -> None:
        """Add trades, each as ``_add`` would with ``lines_of``."""
        of, previous = self._numbers.members, self.hash
        add_entry, add_postings = self.entries.append, self.postings.extend
        for event in trades:
            amount, buy_fee, sell_fee = event.amount, event.buy_fee, event.sell_fee
            got, fees = amount - sell_fee, buy_fee + sell_fee
            if not got or not fees:
                self.hash = previous
                self._add(event.sequence, TRADE, event.at, None, lines_of(event))
                previous = self.hash
                continue
            sequence, at, symbol, quantity = event.sequence, event.at, event.symbol, event.quantity
            buyer, seller, paid = event.buy_account, event.sell_account, -amount - buy_fee
            buyer_cash, buyer_gold = of[buyer, CASH], of[buyer, symbol]
            seller_cash, seller_gold, income = of[seller, CASH], of[seller, symbol], self._numbers[FEES]
            written = (
                f"{sequence}|{TRADE}|{at}||1:{buyer_cash}:{paid},2:{seller_cash}:{got},3:{income}:{fees},"
                f"4:{seller_gold}:{-quantity},5:{buyer_gold}:{quantity}"
            )
            previous = sha256(previous + written.encode()).digest()
            add_entry((sequence, TRADE, at, None, previous))
            add_postings(
                (
                    (sequence, 1, buyer_cash, paid),
                    (sequence, 2, seller_cash, got),
                    (sequence, 3, income, fees),
                    (sequence, 4, seller_gold, -quantity),
                    (sequence, 5, buyer_gold, quantity),
                )
            )
        self.hash = previous

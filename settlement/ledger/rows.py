"""The rows that the ledger gets of a batch: entries with their hashes, and postings with the numbers of accounts.

A backlog consists of trades, so the rows of a trade are made at once, without a loop over its lines. What the lines
are, ``settlement.ledger.posting.lines_of`` says.
"""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from operator import attrgetter
from typing import Final, TypeAlias

from goldx.protocol.events import Trade
from goldx.protocol.units import CASH
from settlement.documents.kinds import TRADE
from settlement.ledger.chain import link
from settlement.ledger.posting import FEES, MEMBER, AccountKey, PostedBatch, lines_of
from settlement.tables.ledger import trade

Entry: TypeAlias = tuple[int, str, int, str | None, bytes]
"""Sequence, kind, time, reference, hash."""
Posting: TypeAlias = tuple[int, int, int, int]
"""Sequence, line, number of the account, amount."""
TRADES_AT_ONCE: Final = 128
"""The number of trades after which other tasks of the process have a turn, such as the one that feeds COPY."""

_sequence_of = attrgetter("sequence")


Side: TypeAlias = tuple[str, str]
"""A side of a trade: the trading account, and the instrument."""
TradeRow: TypeAlias = tuple[int, int, int, str, int, int, int, str, str, int, int, int | None, int | None]
"""The columns of ``trade``."""
_trade_row: Callable[[Trade], TradeRow] = attrgetter(*(column.name for column in trade.c))


class Numbers:
    """The numbers of the ledger's accounts, as far as they are known."""

    def __init__(self) -> None:
        self._of: dict[AccountKey, int] = {}
        self.sides: dict[Side, tuple[int, int]] = {}
        """Those of a side's accounts in money and in metal, where both are known."""

    def __getitem__(self, key: AccountKey) -> int:
        return self._of[key]

    def add(self, numbers: Mapping[AccountKey, int]) -> None:
        """Take note of numbers."""
        self._of.update(numbers)

    def clear(self) -> None:
        """Forget all numbers, after a transaction that opened accounts and failed."""
        self._of.clear()
        self.sides.clear()

    def missing(self, batch: PostedBatch) -> set[AccountKey]:
        """Return the accounts of a batch of which the number is not known."""
        keys = {line[2] for line in batch.lines}
        if batch.trades and FEES not in self._of and any(event.buy_fee or event.sell_fee for event in batch.trades):
            keys.add(FEES)
        half_known = {side for side in batch.sides - self.sides.keys() if self.learn(side) is None}
        if half_known:
            keys |= {AccountKey(MEMBER, account, symbol) for account, symbol in half_known}
            for event in batch.trades:
                if (event.buy_account, event.symbol) in half_known:
                    keys.add(AccountKey(MEMBER, event.buy_account, CASH))
                if (event.sell_account, event.symbol) in half_known and event.amount != event.sell_fee:
                    keys.add(AccountKey(MEMBER, event.sell_account, CASH))
        return keys - self._of.keys()

    def learn(self, side: Side) -> tuple[int, int] | None:
        """Take note of a side's numbers and return them; None if not both are known."""
        account, symbol = side
        money, metal = (
            self._of.get(AccountKey(MEMBER, account, CASH)),
            self._of.get(AccountKey(MEMBER, account, symbol)),
        )
        if money is None or metal is None:
            return None
        return self.sides.setdefault(side, (money, metal))


class Rows:
    """The rows of one batch, and the hash of the last entry."""

    def __init__(self, numbers: Numbers, previous: bytes) -> None:
        self.entries: list[Entry] = []
        self.postings: list[Posting] = []
        self.trades: list[TradeRow] = []
        self.hash = previous
        self._numbers = numbers

    async def make(self, batch: PostedBatch) -> None:
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
        numbers, sides, previous = self._numbers, self._numbers.sides, self.hash
        add_entry, add_postings = self.entries.append, self.postings.extend
        rows = [*map(_trade_row, trades)]
        self.trades += rows
        for event, row in zip(trades, rows, strict=True):
            _, sequence, at, symbol, _, quantity, amount, buyer, seller, buy_fee, sell_fee, _, _ = row
            got, fees, paid = amount - sell_fee, buy_fee + sell_fee, -amount - buy_fee
            buying, selling = (buyer, symbol), (seller, symbol)
            bought, sold = sides.get(buying) or numbers.learn(buying), sides.get(selling) or numbers.learn(selling)
            if not got or not fees or bought is None or sold is None:
                self.hash = previous
                self._add(sequence, TRADE, at, None, lines_of(event))
                previous = self.hash
                continue
            buyer_cash, buyer_gold = bought
            seller_cash, seller_gold = sold
            income = numbers[FEES]
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

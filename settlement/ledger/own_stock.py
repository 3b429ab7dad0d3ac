"""The part of a holding that is own stock, which its owner deposited; the rest is bought title.

The two cost different storage and leave in different ways (domain sheet 2.1, 2.6). A holding is one figure in engine
and ledger; how much of it is own stock is kept beside it, by the same events and in the same transaction:

- a receipt adds to own stock, a receipt taken back takes from it;
- a sale takes bought title first (domain sheet 12.3 leaves the order open) and own stock only as far as it must; a sale
  of named lots takes own stock for those that their holder has deposited itself, as far as it has some; if the trade is
  annulled, its seller has that part back as own stock, and the rest as bought title;
- a load-out takes the part of either that its sheet says; a cancelled one brings the same part back;
- pledging and holding change nothing: gold in a sub-account is its owner's as before.

Always 0 <= own stock <= the holding, sub-accounts included.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from operator import attrgetter
from typing import Final, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.events import Trade, TradeBusted
from goldx.protocol.units import CASH
from settlement.base import bulk
from settlement.base.database import among
from settlement.base.sub_accounts import SUFFIXES, owner_of
from settlement.documents.kinds import MOVEMENTS, TRADE, TRADE_BUST, StockEffect
from settlement.ledger.outbox import OutboxItem
from settlement.ledger.posting import MEMBER, PostedBatch
from settlement.tables.custody import lot_reservation, receipt
from settlement.tables.ledger import ledger_account, ledger_entry, own_sale, posting, stock, trade, trade_bust
from settlement.tables.load_outs import load_out

Key = tuple[str, str]
"""Trading account and class."""
_sequence_of = attrgetter("sequence")
_EFFECTS: Final = {name: kind.own_stock for name, kind in MOVEMENTS.items() if kind.own_stock is not StockEffect.STAYS}
_BY_PART: Final = {
    name for name, effect in _EFFECTS.items() if effect in (StockEffect.GIVES_PART, StockEffect.REGAINS_PART)
}
"""The kinds whose documents say which part of them is own stock."""


class AccountStock:
    """One account's gold of one class in mg; ``own_sold`` counts all that was ever sold out of own stock.

    ``stored`` is the row that the table has, None where it has none.
    """

    __slots__ = ("own", "own_sold", "stored", "total")

    def __init__(self, own: int, own_sold: int, total: int, stored: tuple[int, int] | None = None) -> None:
        self.own = own
        self.own_sold = own_sold
        self.total = total
        self.stored = stored

    def sell_own(self, deposited: int = 0) -> int:
        """Follow a sale, by which ``total`` is lower already, as ``move`` does; return how much of it was own stock.

        ``deposited``: how much of it is in named lots that the seller has deposited.
        """
        sold = max(self.own - max(self.total, 0), min(self.own, deposited))
        if sold <= 0:
            return 0
        self.own -= sold
        self.own_sold += sold
        return sold

    def move(self, kind: str, amount: int, part: int) -> int:
        """Follow one entry: the net change of the holding, and the part of it that is own stock.

        The part is given for a load-out, for a bust, and for a sale of named lots.
        Return how much of a sale was own stock.
        """
        self.total += amount
        before = self.own
        effect = _EFFECTS.get(kind)
        if effect is StockEffect.FOLLOWS:
            self.own = max(self.own + amount, 0)
        elif effect is StockEffect.GIVES_PART:
            self.own = max(self.own - part, 0)
        elif kind == TRADE and amount < 0:
            self.own -= min(self.own, part)
        elif effect is StockEffect.REGAINS_PART or (kind == TRADE_BUST and amount > 0):
            self.own += part
        self.own = max(min(self.own, self.total), 0)
        if kind == TRADE_BUST and amount > 0:
            self.own_sold -= part
        elif kind in (TRADE, TRADE_BUST):
            self.own_sold += before - self.own
        return before - self.own if kind == TRADE else 0


class Followed(NamedTuple):
    """The rows that follow from a batch: how much of each sale was own stock, by sequence, and the stocks changed."""

    sales: Mapping[int, int]
    rows: Sequence[tuple[str, str, int, int]]


class _Touched(NamedTuple):
    """The stocks that a batch is about.

    ``sides`` has the stock of each side of a trade, ``moved`` by sequence what else moves which stock by how much.
    """

    sides: Mapping[Key, Key]
    moved: Mapping[int, Mapping[Key, int]]
    keys: Set[Key]


class OwnStocks:
    """The one writer of the table; rows that it has read stay in memory."""

    def __init__(self) -> None:
        self._known: dict[Key, AccountStock] = {}

    def forget(self) -> None:
        """Drop what is in memory, after a rollback or another writer's transaction."""
        self._known.clear()

    async def follow(self, connection: AsyncConnection, batch: PostedBatch) -> Followed:
        """Move stocks by a batch that the ledger has not yet written, in the ledger's transaction."""
        touched = _touched(batch)
        await self._read(connection, touched.keys)
        parts = await _parts(connection, batch.done) | await _parts_of_busts(connection, batch.busts)
        return self._move(batch, touched, parts, await _deposited(connection, batch.trades))

    def follow_trades(self, batch: PostedBatch) -> Followed | None:
        """Move stocks by a batch that moves gold by trades alone; None if some stock of it is not in memory."""
        touched = _touched(batch)
        return self._move(batch, touched, {}) if touched.keys <= self._known.keys() else None

    def _move(
        self,
        batch: PostedBatch,
        touched: _Touched,
        parts: Mapping[tuple[int, str], int],
        deposited: Mapping[int, int] | None = None,
    ) -> Followed:
        annulled = {bust.sequence: bust.trade_id for bust in batch.busts}
        of_side = {side: self._known[key] for side, key in touched.sides.items()}
        sales: dict[int, int] = {}
        sold_by = {event.trade_id: event.sequence for event in batch.trades} if annulled else {}
        begin = 0
        for sequence, kind, _, _ in batch.entries:
            end = bisect_left(batch.trades, sequence, key=_sequence_of)
            _follow_trades(batch.trades[begin:end], of_side, sales, deposited or {})
            begin = end
            for key, amount in touched.moved.get(sequence, {}).items():
                part = parts.get((sequence, key[0]), 0)
                if sequence in annulled and amount > 0:
                    part += sales.get(sold_by.get(annulled[sequence], 0), 0)
                if amount or part:
                    self._known[key].move(kind, amount, part)
        _follow_trades(batch.trades[begin:], of_side, sales, deposited or {})
        rows = []
        for key in sorted(touched.keys):
            held = self._known[key]
            if held.stored != (held.own, held.own_sold):
                held.stored = (held.own, held.own_sold)
                rows.append((*key, *held.stored))
        return Followed(sales, rows)

    async def _read(self, connection: AsyncConnection, wanted: Set[Key]) -> None:
        missing = wanted - self._known.keys()
        if not missing:
            return
        accounts = sorted({account for account, _ in missing})
        symbols = sorted({symbol for _, symbol in missing})
        names = [account + suffix for account in accounts for suffix in ("", *SUFFIXES)]
        columns = ledger_account.c
        held = select(columns.name, columns.asset, columns.balance)
        held = held.where(columns.kind == "member", among(columns.name, names), among(columns.asset, symbols))
        totals: defaultdict[Key, int] = defaultdict(int)
        for name, asset, balance in await connection.execute(held):
            totals[owner_of(name), asset] += balance
        query = select(stock).where(among(stock.c.account, accounts), among(stock.c.symbol, symbols))
        rows = {(row.account, row.symbol): row for row in await connection.execute(query)}
        for key in missing:
            row = rows.get(key)
            stored = (row.own_mg, row.own_sold_mg) if row else None
            own, own_sold = stored or (0, 0)
            self._known[key] = AccountStock(own, own_sold, totals[key], stored)


async def write(connection: AsyncConnection, followed: Followed) -> None:
    """Write what follows from a batch, in the transaction that writes its entries."""
    if followed.sales:
        await bulk.copy(connection, own_sale, followed.sales.items())
    await bulk.upsert(connection, stock, followed.rows)


def _touched(batch: PostedBatch) -> _Touched:
    moved: defaultdict[int, defaultdict[Key, int]] = defaultdict(lambda: defaultdict(int))
    for sequence, _, account, amount in batch.lines:
        if account.kind == MEMBER and account.asset != CASH:
            moved[sequence][owner_of(account.name), account.asset] += amount
    keys = {side: (owner_of(side[0]), side[1]) for side in batch.sides}
    return _Touched(keys, moved, {*keys.values(), *(key for amounts in moved.values() for key in amounts)})


def _follow_trades(
    trades: Iterable[Trade],
    of_side: Mapping[Key, AccountStock],
    sales: dict[int, int],
    deposited: Mapping[int, int],
) -> None:
    """Follow trades; add to ``sales``, by sequence, how much of each was own stock. ``deposited`` as ``_deposited``."""
    for event in trades:
        symbol, quantity = event.symbol, event.quantity
        seller, buyer = of_side[event.sell_account, symbol], of_side[event.buy_account, symbol]
        if seller is not buyer:
            seller.total -= quantity
            buyer.total += quantity
            if seller.own > seller.total or event.lots:
                sold = seller.sell_own(deposited.get(event.sequence, 0))
                if sold:
                    sales[event.sequence] = sold


async def _deposited(connection: AsyncConnection, trades: Iterable[Trade]) -> dict[int, int]:
    """Return by sequence of a trade of named lots how much gold is in lots that the seller has deposited itself."""
    found = {}
    for event in trades:
        if event.lots:
            query = select(func.coalesce(func.sum(receipt.c.fine_mg), 0))
            query = query.where(among(receipt.c.receipt_no, event.lots), receipt.c.trade_id.is_(None))
            found[event.sequence] = int(await connection.scalar(query) or 0)
    return found


async def _parts_of_busts(connection: AsyncConnection, busts: Sequence[TradeBusted]) -> dict[tuple[int, str], int]:
    """Return by (sequence, seller) how much of an annulled sale that is posted already was own stock."""
    if not busts:
        return {}
    query = select(trade.c.trade_id, own_sale.c.own_mg).join(own_sale, own_sale.c.sequence == trade.c.sequence)
    rows = await connection.execute(query.where(among(trade.c.trade_id, [bust.trade_id for bust in busts])))
    sold = {row.trade_id: row.own_mg for row in rows}
    return {(bust.sequence, bust.sell_account): sold[bust.trade_id] for bust in busts if bust.trade_id in sold}


async def _parts(connection: AsyncConnection, done: Sequence[tuple[OutboxItem, int]]) -> dict[tuple[int, str], int]:
    """Return by (sequence, account) how much of a load-out, or of its return, is own stock."""
    sheets = {item.subject: sequence for item, sequence in done if item.kind in _BY_PART}
    if not sheets:
        return {}
    query = select(load_out.c.load_out_no, load_out.c.account, load_out.c.own_mg)
    rows = await connection.execute(query.where(among(load_out.c.load_out_no, sheets)))
    return {(sheets[row.load_out_no], row.account): row.own_mg for row in rows}


async def amount(connection: AsyncConnection, account: str, symbol: str) -> int:
    """Return the own stock of an account in a class, in mg."""
    query = select(func.coalesce(func.max(stock.c.own_mg), 0))
    return int(await connection.scalar(query.where(stock.c.account == account, stock.c.symbol == symbol)) or 0)


async def recompute(connection: AsyncConnection) -> dict[Key, tuple[int, int]]:
    """Return own stock and the amount sold of it, in mg, computed from the whole ledger."""
    sheets = select(load_out.c.load_out_no, load_out.c.account, load_out.c.own_mg)
    parts = {row.load_out_no: (row.account, row.own_mg) for row in await connection.execute(sheets)}
    columns = (posting.c.sequence, ledger_entry.c.kind, ledger_entry.c.reference)
    query = select(*columns, ledger_account.c.name, ledger_account.c.asset, posting.c.amount)
    query = query.join(ledger_account, ledger_account.c.account_id == posting.c.account_id)
    query = query.join(ledger_entry, ledger_entry.c.sequence == posting.c.sequence)
    query = query.where(ledger_account.c.kind == "member", ledger_account.c.asset != CASH)
    found: defaultdict[Key, AccountStock] = defaultdict(lambda: AccountStock(0, 0, 0))
    moved: defaultdict[Key, int] = defaultdict(int)
    entry: tuple[int, str, str | None] | None = None
    annulled = select(trade.c.sequence, trade.c.trade_id, trade.c.sell_account)
    annulled = annulled.join(trade_bust, trade_bust.c.trade_id == trade.c.trade_id)
    busted = {row.sequence: (row.trade_id, row.sell_account) for row in await connection.execute(annulled)}
    of_lots = select(trade.c.sequence, trade.c.sell_account, lot_reservation.c.deposited_mg)
    of_lots = of_lots.join(lot_reservation, lot_reservation.c.trade_id == trade.c.trade_id)
    of_lots = of_lots.where(lot_reservation.c.purpose == "DEAL", lot_reservation.c.status == "MOVED")
    named = {row.sequence: (row.sell_account, row.deposited_mg) for row in await connection.execute(of_lots)}
    sold_of: dict[int, tuple[str, int]] = {}
    """By the id of an annulled trade: its seller, and how much of the sale was own stock."""

    def follow() -> None:
        if entry is None:
            return
        sequence, kind, reference = entry
        account, part = "", 0
        if kind in _BY_PART:
            account, part = parts[int(str(reference).split(":")[1])]
        elif kind == TRADE:
            account, part = named.get(sequence, ("", 0))
        elif kind == TRADE_BUST:
            account, part = sold_of[int(str(reference).split(":")[1])]
        for key, amount in moved.items():
            share = part if key[0] == account else 0
            if amount or share:
                sold = found[key].move(kind, amount, share)
                if kind == TRADE and sequence in busted and amount < 0:
                    trade_id, seller = busted[sequence]
                    sold_of[trade_id] = (seller, sold)
        moved.clear()

    async for row in await connection.stream(query.order_by(posting.c.sequence, posting.c.line)):
        if entry is None or row.sequence != entry[0]:
            follow()
            entry = (row.sequence, row.kind, row.reference)
        moved[owner_of(row.name), row.asset] += row.amount
    follow()
    return {key: (held.own, held.own_sold) for key, held in found.items()}


async def differences(connection: AsyncConnection) -> list[str]:
    """Return sentences on where the stored own stock differs from that computed from the whole ledger."""
    right = await recompute(connection)
    kept = {(row.account, row.symbol): (row.own_mg, row.own_sold_mg) for row in await connection.execute(select(stock))}
    return [
        f"own stock of {account} in {symbol}: {there} mg and sold {sold} stored, {own} and {own_sold} by the ledger"
        for account, symbol in sorted(right.keys() | kept.keys())
        for (there, sold), (own, own_sold) in [
            (kept.get((account, symbol), (0, 0)), right.get((account, symbol), (0, 0)))
        ]
        if (there, sold) != (own, own_sold)
    ]

"""Writing to the ledger: one transaction per batch of events, with the sequence reached.

Since the sequence is written in the same transaction as the postings, a batch is posted whole and once, whatever is
killed at whatever moment. Most rows go in by COPY; triggers check that entries balance and move the balances.
"""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.protocol.events import AnyEvent, DayEnded
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import EventFrame
from settlement.base import trading_days
from settlement.ledger import busts, chain, day_ends, outbox
from settlement.ledger.own_stock import OwnStocks
from settlement.ledger.posting import AccountKey, Batch, fold, references_in
from settlement.service import movements
from settlement.tables.ledger import (
    engine_holding,
    fee_rate,
    instrument,
    ledger_account,
    progress,
    trade,
    trading_account,
)

_TRADE_COLUMNS = tuple(column.name for column in trade.c)
_trade_row = attrgetter(*_TRADE_COLUMNS)


class SequenceGap(Exception):
    """The event stream lacks events: settlement must stop."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"the event stream continues with sequence {found}; {expected} was expected")


class WrongStream(Exception):
    """The event stream is not the one that this database has posted from: settlement must stop."""


class StreamBehind(WrongStream):
    """The event stream ends before an event that is posted already."""


class WrongShard(Exception):
    """The database belongs to another shard."""


class Ledger:
    """The one writer of the ledger's tables, for one shard."""

    def __init__(self, engine: AsyncEngine, shard: str) -> None:
        self._engine = engine
        self._shard = shard
        self._ids: dict[AccountKey, int] = {}
        self._stocks = OwnStocks()
        self._chained: bytes | None = None
        """The hash of the last entry, or None if this writer has not read it."""
        self._posted = -1
        """The sequence that this writer has reached; a different one means that another writer has written since."""

    async def open(self) -> int:
        """Return the sequence reached. Raises WrongShard if the database has settled another shard's events."""
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(progress).values(shard=self._shard, sequence=0, at=0).on_conflict_do_nothing()
            )
            rows = (await connection.execute(select(progress.c.shard, progress.c.sequence))).all()
            if len(rows) > 1:
                other = next(row.shard for row in rows if row.shard != self._shard)
                raise WrongShard(f"the database settles shard {other!r}; shard {self._shard!r} needs one of its own")
            return int(rows[0].sequence)

    async def check(self, stream: EventStream) -> None:
        """Compare the last event posted with the stream, by its time.

        Raises WrongStream if they differ, StreamBehind if the stream ends before it, as after the loss of the stream's
        server: the sequence alone would let other events pass for those that are posted.
        """
        mine = progress.c.shard == self._shard
        async with self._engine.connect() as connection:
            sequence, at = (await connection.execute(select(progress.c.sequence, progress.c.at).where(mine))).one()
        if not sequence:
            return
        frames = await stream.read(sequence - 1, 1)
        if not frames:
            raise StreamBehind(f"the event stream ends before sequence {sequence}, which is posted already")
        for event in (event for outcome in frames[0].outcomes for event in outcome):
            if event.sequence == sequence and event.at != at:
                raise WrongStream(f"event {sequence} of the stream is of {event.at}; the one that is posted, of {at}")

    async def post(self, frames: Sequence[EventFrame]) -> int:
        """Post the events of these frames that are not yet posted; return the sequence reached.

        Raises SequenceGap, and asyncpg's CheckViolationError if an entry does not balance or an account would go
        below zero: repeating would not mend either.
        """
        try:
            async with self._engine.begin() as connection:
                return await self._post(connection, frames)
        except BaseException:
            self._ids.clear()
            self._stocks.forget()
            self._chained = None
            raise

    async def _post(self, connection: AsyncConnection, frames: Sequence[EventFrame]) -> int:
        mine = progress.c.shard == self._shard
        reached = int(
            (await connection.execute(select(progress.c.sequence).where(mine).with_for_update())).scalar_one()
        )
        events = [e for frame in frames for outcome in frame.outcomes for e in outcome if e.sequence > reached]
        if not events:
            return reached
        for expected, event in enumerate(events, reached + 1):
            if event.sequence != expected:
                raise SequenceGap(expected, event.sequence)
        if reached != self._posted:
            self._stocks.forget()
            self._chained = None
        for part in _until_days_end(events):
            await self._write_part(connection, part)
        last: AnyEvent = events[-1]
        await connection.execute(update(progress).where(mine).values(sequence=last.sequence, at=last.at))
        self._posted = last.sequence
        return last.sequence

    async def _write_part(self, connection: AsyncConnection, events: Sequence[AnyEvent]) -> None:
        """Post events of which at most the last one ends a trading day."""
        ours = await outbox.find(connection, references_in(events))
        batch = fold(events, ours)
        await self._write_facts(connection, batch)
        await self._stocks.follow(connection, batch)
        await self._write_entries(connection, batch)
        await trading_days.record(connection, batch.days)
        await day_ends.record_phases(connection, batch.phases)
        for ended in batch.days:
            await day_ends.keep(connection, ended.sequence)
        await movements.close(connection, batch.done, batch.refused)

    async def _write_entries(self, connection: AsyncConnection, batch: Batch) -> None:
        await self._find_accounts(connection, {line[2] for line in batch.lines})
        ids = self._ids
        lines = [(sequence, number, ids[account], amount) for sequence, number, account, amount in batch.lines]
        if batch.entries:
            previous = self._chained or (await chain.head(connection)).hash
            entries = chain.linked(previous, batch.entries, lines)
            self._chained = entries[-1][-1]
            await _copy(connection, "ledger_entry", ("sequence", "kind", "at", "reference", "hash"), entries)
        await _copy(connection, "posting", ("sequence", "line", "account_id", "amount"), lines)
        await _copy(connection, "trade", _TRADE_COLUMNS, [_trade_row(event) for event in batch.trades])
        await busts.record(connection, batch.busts)

    async def _find_accounts(self, connection: AsyncConnection, wanted: set[AccountKey]) -> None:
        """Read the ids of ledger accounts; open those that have no posting yet."""
        missing = sorted(wanted - self._ids.keys())
        if not missing:
            return
        await connection.execute(insert(ledger_account).on_conflict_do_nothing(), [key._asdict() for key in missing])
        columns = ledger_account.c
        query = select(columns.kind, columns.name, columns.asset, columns.account_id)
        rows = await connection.execute(query.where(tuple_(columns.kind, columns.name, columns.asset).in_(missing)))
        self._ids.update({AccountKey(row[0], row[1], row[2]): row[3] for row in rows})

    async def _write_facts(self, connection: AsyncConnection, batch: Batch) -> None:
        """Write the accounts, classes, prices and holdings that the engine has published."""
        if batch.accounts:
            rows = [{c.name: getattr(event, c.name) for c in trading_account.c} for event in batch.accounts]
            await connection.execute(insert(trading_account).on_conflict_do_nothing(), rows)
        for event in batch.instruments:
            values = {c.name: getattr(event, c.name) for c in instrument.c if c.name != "last_price"}
            # The key is not among the updated columns, as a row whose key might change is locked against documents that
            # name it.
            terms = {name: value for name, value in values.items() if name != "symbol"}
            defined = insert(instrument).values(values)
            await connection.execute(defined.on_conflict_do_update(index_elements=["symbol"], set_=terms))
        if batch.instruments:
            rates = [{c.name: getattr(event, c.name) for c in fee_rate.c} for event in batch.instruments]
            await connection.execute(insert(fee_rate), rates)
        for prices, column in ((batch.references, "reference_price"), (batch.last_prices, "last_price")):
            for symbol, price in prices.items():
                await connection.execute(
                    update(instrument).where(instrument.c.symbol == symbol).values({column: price})
                )
        if batch.holdings:
            rows = [
                {
                    "account": h.account,
                    "asset": h.asset,
                    "total": h.total,
                    "reserved": h.reserved,
                    "locked": h.locked or 0,
                    "unwithdrawable": h.unwithdrawable or 0,
                    "sequence": h.sequence,
                }
                for h in batch.holdings.values()
            ]
            statement = insert(engine_holding)
            news = {c.name: c for c in statement.excluded if not engine_holding.c[c.name].primary_key}
            upsert = statement.on_conflict_do_update(index_elements=["account", "asset"], set_=news)
            await connection.execute(upsert, rows)


def _until_days_end(events: Sequence[AnyEvent]) -> Iterator[Sequence[AnyEvent]]:
    """Split events after each one that ends a trading day, so that what there was at that event can be kept."""
    begin = 0
    for number, event in enumerate(events, 1):
        if type(event) is DayEnded:
            yield events[begin:number]
            begin = number
    if begin < len(events):
        yield events[begin:]


async def _copy(
    connection: AsyncConnection, table: str, columns: Sequence[str], records: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows by COPY inside SQLAlchemy's transaction: about twice as fast as any INSERT."""
    if records:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.copy_records_to_table(table, records=records, columns=columns)

"""Writing to the ledger: one transaction per batch of events, with the sequence reached.

Since the sequence is written in the same transaction as the postings, a batch is posted whole and once, whatever is
killed at whatever moment. Most rows go in by COPY; triggers check that entries balance and move the balances.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.streams.event_stream import EventStream
from goldx.streams.frames import EventFrame
from settlement.base import bulk, trading_days
from settlement.custody import titles
from settlement.ledger import busts, chain, day_ends, market_proposals, outbox, own_stock, payment_claims
from settlement.ledger.own_stock import OwnStocks
from settlement.ledger.posting import AccountKey, PostedBatch, Sifted, post_movements, references_in, sift
from settlement.ledger.rows import Numbers, Rows
from settlement.service import movements
from settlement.tables.ledger import (
    engine_holding,
    fee_rate,
    instrument,
    ledger_account,
    ledger_entry,
    posting,
    progress,
    trade,
    trading_account,
)

_PRICES = text("""
UPDATE instrument i SET reference_price = coalesce(given.reference, i.reference_price),
                        last_price = coalesce(given.last, i.last_price)
FROM unnest(CAST(:symbols AS text[]), CAST(:reference AS bigint[]), CAST(:last AS bigint[]))
    AS given (symbol, reference, last)
WHERE i.symbol = given.symbol
""")

_NUMBERS = text("""
SELECT kind, name, asset, account_id
FROM unnest(CAST(:kinds AS text[]), CAST(:names AS text[]), CAST(:assets AS text[])) AS given (kind, name, asset)
JOIN ledger_account USING (kind, name, asset)
""")


class WrongStream(Exception):
    """The event stream is not the one that this database has posted from: settlement must stop."""


class StreamBehind(WrongStream):
    """The event stream ends before an event that is posted already."""


class WrongShard(Exception):
    """The database belongs to another shard."""


class Made(NamedTuple):
    """A batch with its rows in the ledger, and those of its own stocks."""

    batch: PostedBatch
    rows: Rows
    stocks: own_stock.Followed


class Ready(NamedTuple):
    """Events that were read ahead; ``made`` is None where their rows could not be made without the database."""

    sifted: Sifted
    made: Made | None


class Ledger:
    """The one writer of the ledger's tables, for one shard.

    While PostgreSQL writes one batch, the rows of the next one are made (``make_ready``), from accounts, own stocks and
    the end of the chain in memory. A batch that fails leaves nothing of that behind.
    """

    def __init__(self, engine: AsyncEngine, shard: str) -> None:
        self._engine = engine
        self._shard = shard
        self._numbers = Numbers()
        self._stocks = OwnStocks()
        self._chained: bytes | None = None
        """The hash of the last entry that was made, or None if this writer has not read it."""
        self._made = -1
        """The sequence up to which rows were made, by which accounts, own stocks and chain are in memory."""
        self._moved_on = asyncio.Event()
        self._posted = -1
        """The sequence that this writer has reached; a different one means that another writer has written since."""
        self._sending = asyncio.Event()
        """Not set while the rows of a batch are made and its postings are not sent yet; set at all other times."""
        self._sending.set()

    async def open(self) -> int:
        """Return the sequence reached. Raises WrongShard if the database has posted another shard's events."""
        self._forget()
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

    def _forget(self) -> None:
        self._numbers.clear()
        self._stocks.forget()
        self._chained = None
        self._made = self._posted = -1

    async def until_postings_go(self) -> None:
        """Wait until the batch that is being posted needs this process least, or is posted.

        PostgreSQL works longest on the postings, which have most indexes and the triggers. Before them it would wait
        for rows while this process does something else.
        """
        await self._sending.wait()

    async def make_ready(self, frames: Sequence[EventFrame], after: int) -> Ready:
        """Sift events that come after those that are about to be posted, and make their rows if that can be done.

        It can if they move money and metal by trades alone, between accounts that are known. Waits until the rows of
        the events before are made; so it must be cancelled where posting those fails. Raises SequenceGap.
        """
        sifted = await sift(frames, after)
        while self._made < after:
            self._moved_on.clear()
            await self._moved_on.wait()
        batch, chained = sifted.batches[0], self._chained
        seldom = len(sifted.batches) > 1 or batch.moving or batch.days or batch.of_lots or self._made != after
        if chained is None or sifted.last is None or seldom or self._numbers.missing(batch):
            return Ready(sifted, None)
        stocks = self._stocks.follow_trades(batch)
        if stocks is None:
            return Ready(sifted, None)
        rows = Rows(self._numbers, chained)
        await rows.make(batch)
        self._move_on(sifted.last.sequence, rows.hash)
        return Ready(sifted, Made(batch, rows, stocks))

    def _move_on(self, made: int, chained: bytes | None) -> None:
        self._made, self._chained = made, chained
        self._moved_on.set()

    async def post(self, frames: Sequence[EventFrame], ready: Ready | None = None) -> int:
        """Post the events of these frames that are not yet posted; return the sequence reached.

        ``ready``: what ``make_ready`` made of these frames. Raises SequenceGap, and asyncpg's CheckViolationError if
        an entry does not balance or an account would go below zero: repeating would not mend either.
        """
        if ready is not None and ready.made is not None:
            self._sending.clear()
        try:
            async with self._engine.begin() as connection:
                return await self._post(connection, frames, ready)
        except BaseException:
            self._forget()
            raise
        finally:
            self._sending.set()

    async def _post(self, connection: AsyncConnection, frames: Sequence[EventFrame], ready: Ready | None) -> int:
        mine = progress.c.shard == self._shard
        reached = int(
            (await connection.execute(select(progress.c.sequence).where(mine).with_for_update())).scalar_one()
        )
        if reached != self._posted or (ready is not None and ready.sifted.after != reached):
            self._forget()
            ready = None
        sifted = await sift(frames, reached) if ready is None else ready.sifted
        if sifted.last is None:
            self._posted = reached
            self._move_on(reached, self._chained)
            return reached
        if ready is not None and ready.made is not None:
            await self._write_facts(connection, ready.made.batch)
            await self._write(connection, ready.made)
        else:
            for batch in sifted.batches:
                last = sifted.last.sequence
                if batch is not sifted.batches[-1]:
                    last = batch.end or last  # events that nothing is written of may follow the end of the last batch
                await self._make_and_write(connection, batch, last)
        values = {"sequence": sifted.last.sequence, "at": sifted.last.at}
        await connection.execute(update(progress).where(mine).values(values))
        self._posted = sifted.last.sequence
        return self._posted

    async def _make_and_write(self, connection: AsyncConnection, batch: PostedBatch, last: int) -> None:
        """Make the rows of a batch with what the database knows, and write them; ``last``: its last event."""
        post_movements(batch, await outbox.find(connection, references_in(batch.moving)))
        stocks = await self._stocks.follow(connection, batch)
        await self._find_accounts(connection, batch)
        rows = Rows(self._numbers, self._chained or (await chain.head(connection)).hash)
        # PostgreSQL writes the facts meanwhile.
        making = asyncio.create_task(rows.make(batch))
        try:
            await self._write_facts(connection, batch)
            await making
        finally:
            making.cancel()
        self._move_on(last, rows.hash)
        await self._write(connection, Made(batch, rows, stocks))

    async def _write(self, connection: AsyncConnection, made: Made) -> None:
        batch = made.batch
        await bulk.copy(connection, trade, made.rows.trades)
        await own_stock.write(connection, made.stocks)
        await bulk.copy(connection, ledger_entry, made.rows.entries)
        self._sending.set()
        await bulk.copy(connection, posting, made.rows.postings)
        await busts.record(connection, batch.busts)
        await titles.follow(connection, batch.of_lots)
        await trading_days.record(connection, batch.days)
        await day_ends.record_phases(connection, batch.phases)
        await market_proposals.record(connection, batch.proposals, day_ended=bool(batch.days))
        for ended in batch.days:
            await day_ends.keep(connection, ended.sequence)
        await movements.close(connection, batch.done, batch.refused)
        await payment_claims.follow(connection, batch.claims)

    async def _find_accounts(self, connection: AsyncConnection, batch: PostedBatch) -> None:
        """Read the numbers of a batch's ledger accounts; open those that have no posting yet."""
        missing = sorted(self._numbers.missing(batch))
        if not missing:
            return
        await bulk.insert_new(connection, ledger_account, [key._asdict() for key in missing])
        kinds, names, assets = zip(*missing, strict=True)
        rows = await connection.execute(_NUMBERS, {"kinds": kinds, "names": names, "assets": assets})
        self._numbers.add({AccountKey(row.kind, row.name, row.asset): row.account_id for row in rows})

    async def _write_facts(self, connection: AsyncConnection, batch: PostedBatch) -> None:
        """Write the accounts, classes, prices and holdings that the engine has published."""
        rows = [{c.name: getattr(event, c.name) for c in trading_account.c} for event in batch.accounts]
        await bulk.insert_new(connection, trading_account, rows)
        # The newest definition counts. A row whose key were updated would be locked against documents that name it.
        terms = [column for column in instrument.c if column is not instrument.c.last_price]
        defined = {event.symbol: [getattr(event, column.name) for column in terms] for event in batch.instruments}
        await bulk.upsert(connection, instrument, list(defined.values()), terms)
        if batch.instruments:
            rates = [{c.name: getattr(event, c.name) for c in fee_rate.c} for event in batch.instruments]
            await connection.execute(insert(fee_rate), rates)
        last = batch.last_prices
        if symbols := sorted(batch.references.keys() | last.keys()):
            references = [batch.references.get(symbol) for symbol in symbols]
            prices = [last.get(symbol) for symbol in symbols]
            await connection.execute(_PRICES, {"symbols": symbols, "reference": references, "last": prices})
        held = [
            (h.account, h.asset, h.total, h.reserved, h.locked or 0, h.unwithdrawable or 0, h.sequence)
            for h in batch.holdings.values()
        ]
        await bulk.upsert(connection, engine_holding, held)

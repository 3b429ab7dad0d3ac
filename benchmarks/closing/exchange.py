"""An exchange to be measured: the real core and journal on one side, settlement with its documents on the other."""

import asyncio
import csv
import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from random import Random
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.closing import copies
from benchmarks.closing.copies import Copier
from goldx.protocol import terms
from goldx.protocol.commands import (
    AccountOpen,
    AnyCommand,
    InstrumentDefine,
    MarketEndDay,
    MarketSetPhase,
    OrderPlace,
)
from goldx.streams.chains import NO_FRAME, FrameWriter, event_frame, frame_hash
from goldx.streams.entries import BEGINNING, FIELD, Position
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import EventFrame
from goldx.streams.history import last_event
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from matching.core.engine import Engine
from matching.run.fold import Fold
from settlement.assays import laboratories
from settlement.base import registry
from settlement.closing import signing
from settlement.custody import receipts
from settlement.intake import imports
from settlement.intake.bar_rows import Reading
from settlement.ledger import cash
from settlement.ledger.sender import Sender
from settlement.lots import scales, warehouses
from settlement.service import movements
from settlement.service.writer import Ledger, Ready

Report = Callable[[str], None]
SYMBOL: Final = "AU"
ONE: Final = "clerk-1"
OTHER: Final = "clerk-2"
RISK: Final = "risk-1"
PAST: Final = date(2020, 1, 1)
FAR: Final = date(2099, 12, 31)
COMMANDS_PER_FRAME: Final = 20
FRAMES_AT_ONCE: Final = 200
FRAMES_POSTED: Final = 600
"""Frames of one transaction of the ledger: some 60,000 events while there is trading."""
LOTS_AT_ONCE: Final = 1_000
TRADES_BETWEEN_REPORTS: Final = 100_000
CASH_FEN: Final = 10**13
"""The money that each account pays in."""
BAR: Final = {
    "refiner": "HX",
    "year": "2024",
    "symbol": SYMBOL,
    "form": "NONAPPROVED_BAR",
    "warehouse": "XM1",
    "gross_g": "1000.00",
    "fineness_permille": "999.00",
    "origin": "BANK",
    "origin_document": "INV-1",
    "country": "CN",
    "seller_check": "KYB-1",
    "weighed_g": "1000.00",
    "scale": "SCALE-1",
    "xrf_permille": "999",
    "sample_g": "5.00",
    "laboratory": "LAB-A",
    "replicate_1": "999.000",
    "replicate_2": "999.000",
}


def bar_list(serials: Iterable[int], accounts: Sequence[str]) -> bytes:
    """Return a bar list in CSV: bars of a kilogram, of one account after the other from the first on."""
    out = io.StringIO(newline="")
    own = ("serial", "account", "seal", "sample_seal")
    writer = csv.DictWriter(out, fieldnames=[*BAR, *own])
    writer.writeheader()
    for position, number in enumerate(serials):
        account = accounts[position % len(accounts)]
        writer.writerow({**BAR, **dict(zip(own, (f"A{number}", account, f"S-{number}", f"P-{number}"), strict=True))})
    return out.getvalue().encode()


class Exchange:
    """Accounts, money and bars come by documents; the core's events are published as an engine publishes them.

    One that was made before by another object can be posted, closed and read, and no more.
    """

    def __init__(self, engine: AsyncEngine, redis: Redis, shard: str, accounts: int, seed: int) -> None:
        self.engine = engine
        self.accounts = [f"M{number}.H" for number in range(accounts)]
        self._redis = redis
        self._keys = Keys(shard)
        self._journal = Journal(redis, self._keys)
        self._events = EventStream(redis, self._keys)
        self._fold = Fold(Engine())
        self._writer = FrameWriter("bench.1")
        self._previous = NO_FRAME
        self._random = Random(seed)
        self._serials = 0
        self._read = BEGINNING
        self._flow = self._orders_of_all()
        self._ledger = Ledger(engine, shard)
        self._sender = Sender(engine, self._journal, 1)

    @property
    def trades(self) -> int:
        """The number of trades that the core has made."""
        return self._fold.engine.state.last_trade_id

    async def build(self) -> None:
        """Open the market: a class, the accounts with their money, the staff, a warehouse."""
        await self._ledger.open()
        instrument = InstrumentDefine(
            SYMBOL, min_fineness=90_000, reference_price=60_000, maker_fee_bp=1, taker_fee_bp=3
        )
        await self.run([instrument, MarketSetPhase(SYMBOL, terms.CONTINUOUS)])
        await self.run([AccountOpen(name, name.partition(".")[0], owner=name) for name in (*self.accounts, "VENUE.H")])
        await self.post()
        async with self.engine.begin() as connection:
            for name, granted in ((ONE, "settle"), (OTHER, "settle warehouse"), (RISK, "operate")):
                await registry.add_staff(connection, "bench", name, name, granted.split())
            await warehouses.add(connection, ONE, "XM1", "Warehouse one", "Xiamen")
            await scales.add(connection, ONE, "SCALE-1", "XM1", 1, 3_000_000, "CAL-1", FAR)
            await laboratories.add(connection, ONE, "LAB-A", "Laboratory A", ["CNAS"], "L-A", (PAST, FAR))
        for account in self.accounts:
            async with self.engine.begin() as connection:
                proposal = await cash.propose(connection, ONE, account, CASH_FEN, f"bank-{account}")
                await movements.approve(connection, OTHER, proposal)
        await self.round_trip()

    async def run(self, commands: Iterable[AnyCommand]) -> None:
        """Take commands in and publish their events, frame by frame."""
        flow = iter(commands)
        more = True
        while more:
            async with self._redis.pipeline(transaction=False) as pipe:
                for _ in range(FRAMES_AT_ONCE):
                    taken = tuple(islice(flow, COMMANDS_PER_FRAME))
                    more = bool(taken)
                    if not more:
                        break
                    data = self._writer.make(taken)
                    self._writer.arrived()
                    self._publish(pipe, Position(self._fold.position.ms + 1, 0), data)
                await pipe.execute()

    def _publish(self, pipe: Pipeline, position: Position, data: bytes) -> None:
        made = self._fold.apply(position, data)
        if made is not None:
            frame = event_frame(made.body, 1, self._previous)
            self._previous = frame_hash(frame)
            pipe.xadd(self._keys.events, {FIELD: frame}, id=f"{made.last}-0")

    async def post(self) -> float:
        """Post all events that are published, as the service does; return the seconds that it took."""
        began = time.perf_counter()
        reached = await self._ledger.open()
        frames = await self._events.read(reached, FRAMES_POSTED)
        ready: Ready | None = None
        while frames:
            after = last_event(frames[-1])
            ahead = asyncio.create_task(self._ahead(after))
            try:
                await self._ledger.post(frames, ready)
                frames, ready = await ahead
            finally:
                ahead.cancel()
        return time.perf_counter() - began

    async def _ahead(self, after: int) -> tuple[list[EventFrame], Ready | None]:
        frames = await self._events.read(after, FRAMES_POSTED)
        return frames, await self._ledger.make_ready(frames, after) if frames else None

    async def round_trip(self) -> None:
        """Send what waits for the engine, let it answer, and post the answers."""
        while await self._sender.flush():
            async with self._redis.pipeline(transaction=False) as pipe:
                for position, data in await self._journal.read(self._read):
                    self._read = position
                    at = max(position.ms, self._fold.position.ms + 1)
                    self._publish(pipe, Position(at, 0), data)
                await pipe.execute()
            await self.post()

    async def take_in(self, count: int, report: Report, at_once: int = LOTS_AT_ONCE, *, copied: bool = True) -> None:
        """Take so many bars in, from the advice of their arrival to a receipt, and let the engine know of them.

        The product takes in one list of ``at_once`` bars, and what is left over at the end; of the lists between them
        what reaches the register is ``copied`` (``benchmarks.closing.copies``), or taken in as well.
        """
        copier = None
        for begin in range(self._serials, self._serials + count, at_once):
            numbers = range(begin, min(begin + at_once, self._serials + count))
            data = bar_list(numbers, self.accounts)
            if copier is not None and len(numbers) == at_once:
                async with self.engine.begin() as connection:
                    lots = await copier.copy(connection, ONE, begin, f"bars-{begin}.csv", data)
            elif copied and len(numbers) == at_once:
                async with self.engine.begin() as connection:
                    after = await copies.watch(connection)
                lots = await self._take_in(begin, data)
                async with self.engine.begin() as connection:
                    copier = Copier(await copies.seen(connection, after), begin, at_once)
            else:
                lots = await self._take_in(begin, data)
            await self._issue(lots)
            report(f"{numbers[-1] + 1 - self._serials:,} of {count:,} bars are taken in")
        self._serials += count

    async def _take_in(self, begin: int, data: bytes) -> list[int]:
        """Let the product take in a bar list: first the advice, then what was measured."""
        for kind in imports.KINDS:
            async with self.engine.begin() as connection:
                taken = await imports.take_in(connection, ONE, kind, f"bars-{begin}.csv", data, Reading())
        return taken.lots

    async def _issue(self, lots: Sequence[int]) -> None:
        """Issue the receipts of registered lots, which the engine learns of and the ledger posts."""
        async with self.engine.begin() as connection:
            proposal = await receipts.propose_issue(connection, ONE, lots)
        async with self.engine.begin() as connection:
            await movements.approve(connection, OTHER, proposal)
        await self.round_trip()

    async def trade(self, count: int, report: Report | None = None) -> None:
        """Let the accounts trade with each other until there are so many trades more."""
        before, reported = self.trades, 0
        wanted = before + count
        while self.trades < wanted:
            if report is not None and (done := (self.trades - before) // TRADES_BETWEEN_REPORTS) > reported:
                reported = done
                report(f"{self.trades - before:,} of {count:,} trades are made")
            await self.run(islice(self._flow, min(COMMANDS_PER_FRAME * FRAMES_AT_ONCE, 2 * (wanted - self.trades))))

    def _orders_of_all(self) -> Iterator[AnyCommand]:
        number = 0
        while True:
            number += 1
            price = 60_000 + self._random.randint(-5, 5)
            name, side = self._random.choice(self.accounts), self._random.choice((terms.BUY, terms.SELL))
            quantity = self._random.randint(1, 9) * 1_000
            yield OrderPlace(name, f"o{number}", SYMBOL, side, terms.LIMIT, quantity, price)

    async def sign(self, day: date) -> None:
        """Sign a closed day by three people: the next close compares what comes after it."""
        for name, capacity in ((ONE, "settlement"), (OTHER, "warehouse"), (RISK, "risk")):
            async with self.engine.begin() as connection:
                await signing.sign(connection, name, day, capacity)

    async def end_day(self, following: date) -> None:
        """End the trading day, so that the next begins, and open its market."""
        await self.run([MarketSetPhase(SYMBOL, terms.CLOSED), MarketEndDay(following.isoformat())])
        await self.run([MarketSetPhase(SYMBOL, terms.CONTINUOUS)])

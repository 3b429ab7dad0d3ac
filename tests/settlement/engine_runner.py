"""The real matching engine beside settlement: reads the journal, applies it, and publishes the events."""

import asyncio
from collections import defaultdict

import msgspec
from redis.asyncio import Redis

from goldx.protocol import terms
from goldx.protocol.commands import AccountOpen, AnyCommand, InstrumentDefine, MarketSetPhase, OrderPlace
from goldx.protocol.events import HoldingChanged
from goldx.streams.entries import BEGINNING, FIELD
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import CommandFrame, EventFrame, decode_events, decode_raw_commands
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from matching.core.engine import Engine

WRITER = "test"
FEE_BP = 1
"""Fee of either side of a trade in the classes that ``define`` makes."""


class EngineRunner:
    """Runs the engine when a test asks for it; ``held`` is the total that every account has of every asset."""

    def __init__(self, redis: Redis, shard: str) -> None:
        self._redis = redis
        self._keys = Keys(shard)
        self.journal = Journal(redis, self._keys)
        self.events = EventStream(redis, self._keys)
        self.engine = Engine()
        self.held: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._frames = 0
        self._position = BEGINNING
        self._turn = asyncio.Lock()

    async def run(self, *commands: AnyCommand) -> None:
        """Append commands as another writer would, and apply them."""
        self._frames += 1
        await self.journal.append(CommandFrame(WRITER, self._frames, commands))
        await self.advance()

    async def advance(self) -> int:
        """Apply the new commands of the journal and publish their events; return the number of commands."""
        async with self._turn:
            count = 0
            for position, data in await self.journal.read(self._position):
                frame = decode_raw_commands(data)
                raw = [self.engine.apply(position.ms, tuple(command)) for command in frame.commands]
                if any(raw):
                    encoded = msgspec.msgpack.encode(((position.ms, position.counter), raw))
                    await self._redis.xadd(self._keys.events, {FIELD: encoded}, id=f"{self.engine.sequence}-0")
                    self._note(decode_events(encoded))
                self._position = position
                count += len(frame.commands)
        return count

    async def resume(self) -> None:
        """Take over the journal and the events of another runner, from their beginning."""
        for published in await self.events.read(0):
            self._note(published)
        while entries := await self.journal.read(self._position):
            for position, data in entries:
                frame = decode_raw_commands(data)
                for command in frame.commands:
                    self.engine.apply(position.ms, tuple(command))
                self._frames += frame.writer == WRITER
                self._position = position

    async def follow(self) -> None:
        """Apply commands as they come, until cancelled."""
        while True:
            await self.advance()
            await asyncio.sleep(0.01)

    def _note(self, frame: EventFrame) -> None:
        for outcome in frame.outcomes:
            for event in outcome:
                if isinstance(event, HoldingChanged):
                    self.held[event.account, event.asset] = event.total

    async def define(self, symbol: str, form: str = "NONAPPROVED_BAR", min_fineness: int = 90_000) -> None:
        """Define a class from 900 per mille on, in continuous trading, with a reference price of 600.00."""
        await self.run(
            InstrumentDefine(
                symbol,
                form=form,
                min_fineness=min_fineness,
                reference_price=60_000,
                maker_fee_bp=FEE_BP,
                taker_fee_bp=FEE_BP,
            ),
            MarketSetPhase(symbol, terms.CONTINUOUS),
        )

    async def open(self, *accounts: str) -> None:
        await self.run(*(AccountOpen(account, account.partition(".")[0]) for account in accounts))

    async def order(self, account: str, side: int, price: int, grams: int) -> None:
        name = f"o{self._frames}"
        await self.run(OrderPlace(account, name, "AU", side, terms.LIMIT, grams * 1_000, price))

    async def trade(self, buyer: str, seller: str, price: int, grams: int) -> None:
        await self.order(seller, terms.SELL, price, grams)
        await self.order(buyer, terms.BUY, price, grams)

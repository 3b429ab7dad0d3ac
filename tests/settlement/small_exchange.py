"""A small exchange for settlement's tests: three clerks, a warehouse, accounts, a class, and bar lists for it."""

import csv
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Executable, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.client.keys import Key
from goldx.protocol import terms
from goldx.protocol.commands import MarketEndDay, MarketSetPhase
from goldx.protocol.units import CASH
from settlement.assays import laboratories
from settlement.base import audit, registry
from settlement.base.refusal import Refused
from settlement.custody import receipts
from settlement.intake import fabrication, pre_advice
from settlement.ledger import cash
from settlement.ledger.sender import Sender
from settlement.load_outs import application
from settlement.lots import scales, warehouses
from settlement.reconciliation import three_way
from settlement.reconciliation.breaks import Break
from settlement.service import movements
from settlement.service.writer import Ledger
from settlement.tables.base import trading_day
from settlement.tables.ledger import progress
from tests.settlement import bar_lists
from tests.settlement.engine_runner import EngineRunner

T = TypeVar("T")
PAST, FAR = date(2020, 1, 1), date(2099, 12, 31)
ONE, OTHER, THIRD = "clerk-1", "clerk-2", "clerk-3"
CODE, COLLECTOR_ID = "314159", "AB-1234567"
ROW = {
    "refiner": "HX",
    "serial": "A1",
    "year": "2024",
    "symbol": "AU",
    "form": "NONAPPROVED_BAR",
    "account": "A.H",
    "warehouse": "XM1",
    "gross_g": "100.00",
    "fineness_permille": "999.00",
    "origin": "BANK",
    "origin_document": "INV-1",
    "country": "CN",
    "seller_check": "KYB-1",
    "seal": "S-1",
    "weighed_g": "100.00",
    "scale": "SCALE-1",
    "xrf_permille": "999",
    "melt_g": "",
    "sample_seal": "",
    "sample_g": "5.00",
    "laboratory": "LAB-A",
    "replicate_1": "999.000",
    "replicate_2": "999.000",
}


def bars(rows: Sequence[Mapping[str, str]]) -> bytes:
    """Return a bar list: each row is ROW with the given differences, and a sample's seal of its own."""
    whole = [{**ROW, **row} for row in rows]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, fieldnames=list(ROW))
    writer.writeheader()
    writer.writerows([{**row, "sample_seal": row["sample_seal"] or f"P-{row['serial']}"} for row in whole])
    return out.getvalue().encode()


def public_pem(key: Key) -> str:
    """Return the public half of a key in PEM, as a warehouse sends it."""
    return key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def load_out_application(account: str, ask_mg: int, **more: Any) -> application.Application:
    """Return an application for gold of AU in XM1 with the given differences."""
    usual = {"collector": "Collector", "collector_id": COLLECTOR_ID, "pickup_code": CODE, "code_again": CODE}
    return application.Application(account, "AU", "XM1", ask_mg, **{**usual, **more})


class SmallExchange:
    """Settlement on one side, the matching engine on the other, Valkey between them."""

    def __init__(self, engine: AsyncEngine, engine_runner: EngineRunner, shard: str = "t", run: int = 1) -> None:
        self.engine = engine
        self.engine_runner = engine_runner
        self.shard = shard
        self.ledger = Ledger(engine, shard)
        self.sender = Sender(engine, engine_runner.journal, run)

    async def build(self) -> None:
        await self.ledger.open()
        await self.engine_runner.define("AU")
        await self.engine_runner.open("A.H", "B.H", "VENUE")
        await self.post()
        async with self.engine.begin() as connection:
            for name, more in ((ONE, ()), (OTHER, ("warehouse",)), (THIRD, ())):
                await registry.add_staff(connection, "test", name, name, ["settle", *more])
            await warehouses.add(connection, ONE, "XM1", "Warehouse one", "Xiamen")
            await scales.add(connection, ONE, "SCALE-1", "XM1", 1, 3_000_000, "CAL-1", FAR)
            for code in ("LAB-A", "LAB-B", "LAB-U"):
                await laboratories.add(connection, ONE, code, f"Laboratory {code}", ["CNAS"], f"L-{code}", (PAST, FAR))

    async def resume(self) -> None:
        """Go on with the copy of an exchange of another shard, whose streams this one has."""
        async with self.engine.begin() as connection:
            await connection.execute(update(progress).values(shard=self.shard))
        await self.ledger.open()
        await self.engine_runner.resume()

    async def post(self) -> None:
        """Post all published events."""
        reached = await self.ledger.open()
        if frames := await self.engine_runner.events.read(reached):
            await self.ledger.post(frames)

    async def round_trip(self) -> None:
        """Send the waiting items, let the engine answer, and post the answers."""
        await self.sender.flush()
        await self.engine_runner.advance()
        await self.post()

    async def approve(self, number: int) -> None:
        async with self.engine.begin() as connection:
            await movements.approve(connection, OTHER, number)

    async def pay_in(self, account: str, fen: int, bank_reference: str) -> None:
        async with self.engine.begin() as connection:
            number = await cash.propose(connection, ONE, account, fen, bank_reference)
        await self.approve(number)
        await self.round_trip()

    async def register(self, rows: Sequence[Mapping[str, str]]) -> list[int]:
        """Take lots from arrival to the register."""
        data = bars(rows)
        async with self.engine.begin() as connection:
            await pre_advice.pre_advise(connection, ONE, bar_lists.declared(data))
            done = await fabrication.process(connection, ONE, bar_lists.measured(data))
        assert not done.waiting
        return done.registered

    async def issue(self, rows: Sequence[Mapping[str, str]]) -> list[int]:
        """Take lots from arrival to a live receipt."""
        numbers = await self.register(rows)
        async with self.engine.begin() as connection:
            proposal = await receipts.propose_issue(connection, ONE, numbers)
        await self.approve(proposal)
        await self.round_trip()
        return numbers

    async def trade(self, buyer: str, seller: str, price: int, grams: int) -> None:
        await self.engine_runner.trade(buyer, seller, price, grams)
        await self.post()

    def held(self, account: str, asset: str = CASH) -> int:
        return self.engine_runner.held[account, asset]


async def do(exchange: SmallExchange, act: Callable[..., Awaitable[T]], *values: Any, **more: Any) -> T:
    """Do one act in a transaction of its own."""
    async with exchange.engine.begin() as connection:
        return await act(connection, *values, **more)


async def rewrite(exchange: SmallExchange, statement: str | Executable) -> Any:
    """Change the database as an act would, so that it is no damage: for what a test cannot wait for."""
    async with exchange.engine.begin() as connection:
        done = await connection.execute(text(statement) if isinstance(statement, str) else statement)
        await audit.record(connection, audit.Act("test", "test.rewrite", "database"))
        return done


async def refused(
    exchange: SmallExchange, reason: str, act: Callable[..., Awaitable[T]], *values: Any, **more: Any
) -> str:
    """Do an act that must be refused for that reason; return the text of the refusal."""
    with pytest.raises(Refused) as found:
        await do(exchange, act, *values, **more)
    assert found.value.reason == reason, found.value
    return str(found.value)


async def find_breaks(exchange: SmallExchange) -> tuple[Break, ...]:
    """Return the breaks that a reconciliation finds now."""
    return (await three_way.reconcile(exchange.engine, ONE)).breaks


async def begin_day(exchange: SmallExchange, day: str) -> int:
    """End the engine's day, so that another begins, and return when that was in ms."""
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CLOSED), MarketEndDay(day))
    await exchange.post()
    async with exchange.engine.connect() as connection:
        found = await connection.scalar(select(trading_day.c.begun_at).order_by(trading_day.c.sequence.desc()))
    assert found is not None
    return int(found)

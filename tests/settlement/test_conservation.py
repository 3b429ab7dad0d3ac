"""Any operations in any order, with trading and restarts of settlement in between: nothing is gained or lost."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from sqlalchemy import func, select

from goldx.protocol import terms
from goldx.protocol.units import BadValue
from settlement.base import database, proposals, registry, working_days
from settlement.base.refusal import Refused
from settlement.base.sub_accounts import owner_of
from settlement.charges import accruals, bills
from settlement.custody import encumbrances, legal_holds, pledges, receipt_cancels, receipts, transfers
from settlement.documents.ledger import OUTBOX_OPEN
from settlement.documents.lots import IN_POOL
from settlement.ledger import cash
from settlement.ledger.sender import Sender
from settlement.load_outs import application, cancels, handing_over
from settlement.lots import locks, lots, scales, warehouses
from settlement.lots.scales import GrossWeight, Weight
from settlement.reconciliation import three_way
from settlement.service import movements
from settlement.service.writer import Ledger
from settlement.tables.custody import receipt
from settlement.tables.ledger import outbox, progress, stock
from settlement.tables.lots import lot
from tests.settlement.engine_runner import EngineRunner
from tests.settlement.named_lots.dealers import NAMED_LOTS, LotDealers
from tests.settlement.service_process import Service
from tests.settlement.small_exchange import (
    CODE,
    COLLECTOR_ID,
    FAR,
    ONE,
    OTHER,
    THIRD,
    SmallExchange,
    load_out_application,
)

T = TypeVar("T")
ACCOUNTS = st.sampled_from(("A.H", "B.H", "VENUE"))
OF_CLERKS = (
    st.tuples(st.just("pay"), ACCOUNTS, st.integers(-50_000_000, 80_000_000).filter(bool)),
    st.tuples(st.just("bars"), ACCOUNTS, st.lists(st.integers(1_000, 20_000), min_size=1, max_size=4)),
    st.tuples(st.just("issue")),
    st.tuples(st.just("approve"), st.integers(0, 9)),
    st.tuples(st.just("decline"), st.integers(0, 9)),
    st.tuples(st.just("order"), ACCOUNTS, st.booleans(), st.integers(59_990, 60_010), st.integers(1, 150)),
    st.tuples(st.just("load_out"), ACCOUNTS, st.integers(5_000, 300_000)),
    st.tuples(st.just("release"), st.integers(1, 4)),
    st.tuples(st.just("cancel_load_out"), st.integers(1, 4)),
    st.tuples(st.just("expire"), st.integers(0, 20)),
    st.tuples(st.just("freeze"), st.integers(1, 10)),
    st.tuples(st.just("unfreeze"), st.integers(1, 10)),
    st.tuples(st.just("pledge"), ACCOUNTS, st.integers(1, 150_000)),
    st.tuples(st.just("pledge_lot"), ACCOUNTS, st.integers(1, 10)),
    st.tuples(st.just("release_pledge"), st.integers(1, 6)),
    st.tuples(st.just("hold"), ACCOUNTS, st.integers(0, 150_000), st.integers(1, 10)),
    st.tuples(st.just("lift"), st.integers(1, 6)),
    st.tuples(st.just("cancel_receipt"), st.integers(1, 10)),
    st.tuples(st.just("transfer"), st.integers(1, 10), st.sampled_from(("XM1", "XM2"))),
    st.tuples(st.just("ship"), st.integers(1, 4)),
    st.tuples(st.just("receive"), st.integers(1, 4), st.booleans()),
    st.tuples(
        st.just("sell_lot"), ACCOUNTS, st.integers(1, 10), st.sampled_from(("ACCEPT", "DECLINE", "STAND", "LOSE"))
    ),
    st.tuples(st.just("buy_lot"), ACCOUNTS, st.integers(1, 10)),
    st.tuples(st.just("give_back"), st.integers(1, 4)),
    st.tuples(st.just("accrue"), st.integers(1, 5)),
    st.tuples(st.just("bill")),
)
OF_PARTS = tuple(st.tuples(st.just(name)) for name in ("send", "advance", "post", "restart"))
"""One step of settlement or of the engine, where the test itself is the process."""
KILLS = st.tuples(st.just("kill"), st.integers(0, 1_500))
"""``kill -9`` of the process after a number of ms, and a new start."""
_shards = itertools.count(1)


class Clerks(LotDealers):
    """Does one operation after the other. A refusal is no failure."""

    async def do(self, operation: tuple[object, ...]) -> None:
        name, *values = operation
        try:
            await getattr(self, f"_{name}")(*values)
        except (Refused, BadValue):
            return

    async def _pay(self, account: str, fen: int) -> None:
        async with self._exchange.engine.begin() as connection:
            await cash.propose(connection, ONE, account, fen, f"bank-{next(self._count)}")

    async def _bars(self, account: str, weights_cg: list[int]) -> None:
        grams = [f"{cg // 100}.{cg % 100:02d}" for cg in weights_cg]
        rows = [{"serial": f"S{next(self._count)}", "account": account, "gross_g": g, "weighed_g": g} for g in grams]
        await self._exchange.register(rows)

    async def _issue(self) -> None:
        async with self._exchange.engine.begin() as connection:
            await receipts.propose_issue(connection, ONE, await receipts.issuable(connection))

    async def _waiting(self, index: int) -> int:
        async with self._exchange.engine.connect() as connection:
            found = await proposals.waiting(connection)
        return found[index % len(found)].proposal_id if found else 0

    async def _approve(self, index: int) -> None:
        number = await self._waiting(index)
        async with self._exchange.engine.begin() as connection:
            await movements.approve(connection, THIRD, number)

    async def _decline(self, index: int) -> None:
        number = await self._waiting(index)
        async with self._exchange.engine.begin() as connection:
            await movements.decline(connection, ONE, number)

    async def _order(self, account: str, buys: bool, price: int, grams: int) -> None:
        await self._exchange.engine_runner.order(account, terms.BUY if buys else terms.SELL, price, grams)

    async def _load_out(self, account: str, ask_mg: int) -> None:
        async with self._exchange.engine.begin() as connection:
            await application.apply(connection, ONE, load_out_application(account, ask_mg))

    async def _release(self, number: int) -> None:
        async with self._exchange.engine.begin() as connection:
            await handing_over.sign(connection, OTHER, number, CODE, COLLECTOR_ID)
        async with self._exchange.engine.begin() as connection:
            await handing_over.release(connection, ONE, number)

    async def _cancel_load_out(self, number: int) -> None:
        await self._act(cancels.propose, ONE, number)

    async def _expire(self, days: int) -> None:
        await self._act(cancels.expire, working_days.today() + timedelta(days=days))

    async def _freeze(self, lot_id: int) -> None:
        await self._act(locks.freeze, ONE, [lot_id], "doubt")

    async def _unfreeze(self, lot_id: int) -> None:
        await self._act(locks.unfreeze, OTHER, [lot_id], "no doubt")

    async def _pledge(self, account: str, fine_mg: int) -> None:
        entry = (account, "BANK", "AU", fine_mg, f"P-{next(self._count)}")
        number = await self._act(pledges.enter, OTHER, *entry)
        await self._act(pledges.pair, ONE, number, "BANK", "AU", fine_mg, f"B-{number}")

    async def _pledge_lot(self, account: str, lot_id: int) -> None:
        entry = (account, "BANK", "AU", 0, f"P-{next(self._count)}", [lot_id])
        number = await self._act(pledges.enter, OTHER, *entry)
        row = await self._act(encumbrances.one, encumbrances.PLEDGE, number)
        await self._act(pledges.pair, ONE, number, "BANK", "AU", row.fine_mg, f"B-{number}")

    async def _release_pledge(self, number: int) -> None:
        await self._act(pledges.enter_release, OTHER, number, f"BR-{number}")
        await self._act(pledges.pair_release, ONE, number, f"AR-{number}")

    async def _hold(self, account: str, fine_mg: int, lot_id: int) -> None:
        order = (account, "AU", fine_mg, "Court", f"C-{next(self._count)}", [lot_id] if fine_mg % 2 == 0 else [])
        await self._act(legal_holds.propose, ONE, *order)

    async def _lift(self, number: int) -> None:
        await self._act(legal_holds.propose_lifting, ONE, number, f"L-{next(self._count)}")

    async def _cancel_receipt(self, lot_id: int) -> None:
        await self._act(receipt_cancels.propose, ONE, [lot_id], "taken back")

    async def _transfer(self, lot_id: int, to_warehouse: str) -> None:
        await self._act(transfers.propose, ONE, [lot_id], to_warehouse, "shortage")

    async def _ship(self, number: int) -> None:
        await self._act(transfers.ship, ONE, number, "S-1", "Carrier")

    async def _receive(self, number: int, whole: bool) -> None:
        async with self._exchange.engine.connect() as connection:
            held = await lots.find(connection, await transfers.lots_of(connection, number))
        scale = {"XM1": "SCALE-2", "XM2": "SCALE-1"}
        weighed = {n: GrossWeight(scale[row.warehouse], Weight(row.gross_cg, 2)) for n, row in held.items()}
        await self._act(transfers.receive, OTHER, number, "S-1" if whole else "S-2", weighed)

    async def _accrue(self, days_ago: int) -> None:
        await self._act(accruals.accrue, working_days.today() - timedelta(days=days_ago))

    async def _bill(self) -> None:
        await self._act(bills.propose, ONE)

    async def _send(self) -> None:
        await self._exchange.sender.flush()

    async def _advance(self) -> None:
        await self._exchange.engine_runner.advance()

    async def _post(self) -> None:
        await self._exchange.post()

    async def _restart(self) -> None:
        exchange = self._exchange
        exchange.ledger = Ledger(exchange.engine, exchange.shard)
        exchange.sender = Sender(exchange.engine, exchange.engine_runner.journal, next(self._count))


async def build_exchange(database_url: str, redis: Redis, shard: str) -> SmallExchange:
    """Two warehouses, a bank, and three accounts with 2,000,000 CNY and two bars each."""
    exchange = SmallExchange(database.connect(database_url), EngineRunner(redis, shard), shard)
    await exchange.build()
    async with exchange.engine.begin() as connection:
        await registry.add_member(connection, "test", "BANK", "Bank")
        await warehouses.add(connection, ONE, "XM2", "Warehouse two", "Xiamen")
        await scales.add(connection, ONE, "SCALE-2", "XM2", 1, 3_000_000, "CAL-2", FAR)
    for account in ("A.H", "B.H", "VENUE"):
        await exchange.pay_in(account, 200_000_000, f"start-{account}")
        await exchange.issue([{"serial": f"start-{account}-{n}", "account": account} for n in range(2)])
    return exchange


async def check_pool(exchange: SmallExchange) -> None:
    """Check that holdings, pool and live receipts agree, and that nothing differs anywhere."""
    assert (await three_way.reconcile(exchange.engine, ONE)).breaks == ()
    async with exchange.engine.connect() as connection:
        pool = select(func.coalesce(func.sum(lot.c.fine_mg), 0)).where(lot.c.state.in_(IN_POOL))
        held = sum(amount for (_, asset), amount in exchange.engine_runner.held.items() if asset == "AU")
        assert int(await connection.scalar(pool) or 0) == held, "the pool is what accounts hold"
        live = select(func.count()).where(receipt.c.status == "LIVE")
        there = select(func.count()).where(lot.c.state.in_(IN_POOL))
        assert await connection.scalar(live) == await connection.scalar(there), "one live receipt per lot of the pool"
        for row in await connection.execute(select(stock)):
            mine = [
                amount
                for (name, asset), amount in exchange.engine_runner.held.items()
                if asset == row.symbol and owner_of(name) == row.account
            ]
            assert 0 <= row.own_mg <= sum(mine), row


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(operations=st.lists(st.one_of(*OF_CLERKS, *OF_PARTS), min_size=8, max_size=12))
@example(operations=NAMED_LOTS)
async def test_gold_and_money_are_conserved(
    operations: list[tuple[object, ...]], new_database: Callable[[], Awaitable[str]], redis: Redis
) -> None:
    await conserved(operations, await new_database(), redis)


@pytest.mark.campaign
@pytest.mark.timeout(900)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(operations=st.lists(st.one_of(*OF_CLERKS, *OF_PARTS), min_size=20, max_size=50))
async def test_gold_and_money_are_conserved_by_many_operations(
    operations: list[tuple[object, ...]], new_database: Callable[[], Awaitable[str]], redis: Redis
) -> None:
    await conserved(operations, await new_database(), redis)


async def conserved(operations: list[tuple[object, ...]], database_url: str, redis: Redis) -> None:
    """Let clerks and members do operations; after each the books agree."""
    exchange = await build_exchange(database_url, redis, f"conserve{next(_shards)}")
    clerks = Clerks(exchange)
    try:
        for operation in operations:
            await clerks.do(operation)
            assert (await three_way.reconcile(exchange.engine, ONE)).breaks == (), operation
        await exchange.round_trip()
        await exchange.round_trip()
        await check_pool(exchange)
    finally:
        await exchange.engine.dispose()


async def killed_and_conserved(operations: list[tuple[object, ...]], database_url: str, redis: Redis, url: str) -> None:
    """Clerks and members work while ``goldx settlement`` is killed again and again."""
    shard = f"conserve{next(_shards)}"
    exchange = await build_exchange(database_url, redis, shard)
    clerks, service = Clerks(exchange), Service(database_url, url, shard)
    await service.start()
    engine_at_work = asyncio.create_task(exchange.engine_runner.follow())
    try:
        for name, *values in operations:
            if name == "kill":
                (delay_ms,) = values
                await asyncio.sleep(int(str(delay_ms)) / 1_000)
                await service.kill()
                await service.start(wait=False)
            else:
                await clerks.do((name, *values))
            assert (await three_way.reconcile(exchange.engine, ONE)).breaks == (), name
        await until_posted(exchange)
        await check_pool(exchange)
    finally:
        engine_at_work.cancel()
        await service.kill()
        await exchange.engine.dispose()


async def until_posted(exchange: SmallExchange) -> None:
    """Wait until nothing waits for the engine and all its events are posted."""
    waits = select(func.count()).where(outbox.c.status.in_(OUTBOX_OPEN))
    while True:
        async with exchange.engine.connect() as connection:
            posted = await connection.scalar(select(progress.c.sequence))
            if not await connection.scalar(waits) and posted == await exchange.engine_runner.events.last_sequence():
                return
        await asyncio.sleep(0.05)


@pytest.mark.campaign
@pytest.mark.timeout(900)
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(operations=st.lists(st.one_of(*OF_CLERKS, KILLS, KILLS), min_size=30, max_size=60))
async def test_a_process_that_is_killed_at_random_loses_nothing(
    operations: list[tuple[object, ...]], new_database: Callable[[], Awaitable[str]], redis: Redis, valkey_url: str
) -> None:
    await killed_and_conserved(operations, await new_database(), redis, valkey_url)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(operations=st.lists(st.one_of(*OF_CLERKS, KILLS, KILLS), min_size=60, max_size=150))
async def test_a_long_campaign_of_kills_loses_nothing(
    operations: list[tuple[object, ...]], new_database: Callable[[], Awaitable[str]], redis: Redis, valkey_url: str
) -> None:
    await killed_and_conserved(operations, await new_database(), redis, valkey_url)

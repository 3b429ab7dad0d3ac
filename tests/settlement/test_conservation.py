"""Any operations in any order, with trading in between and settlement starting anew: nothing is gained or lost."""

import itertools
from collections.abc import Awaitable, Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from sqlalchemy import func, select

from goldx import terms
from goldx.units import BadValue
from settlement import cash, database, load_out, load_out_counter, movements, proposals, receipts, recon
from settlement.ledger import Ledger
from settlement.outbox import Sender
from settlement.refusal import Refused
from settlement.schema import lot, receipt
from tests.settlement.exchange import Exchange
from tests.settlement.house import CODE, COLLECTOR_ID, ONE, OTHER, House, wish

ACCOUNTS = st.sampled_from(("A.H", "B.H", "VENUE"))
OPERATIONS = st.one_of(
    st.tuples(st.just("pay"), ACCOUNTS, st.integers(-50_000_000, 80_000_000).filter(bool)),
    st.tuples(st.just("bars"), ACCOUNTS, st.lists(st.integers(1_000, 20_000), min_size=1, max_size=4)),
    st.tuples(st.just("issue")),
    st.tuples(st.just("approve"), st.integers(0, 9)),
    st.tuples(st.just("decline"), st.integers(0, 9)),
    st.tuples(st.just("order"), ACCOUNTS, st.booleans(), st.integers(59_990, 60_010), st.integers(1, 150)),
    st.tuples(st.just("load_out"), ACCOUNTS, st.integers(5_000, 300_000)),
    st.tuples(st.just("release"), st.integers(1, 4)),
    st.tuples(st.just("send")),
    st.tuples(st.just("advance")),
    st.tuples(st.just("post")),
    st.tuples(st.just("restart")),
)
_shards = itertools.count(1)


class Clerks:
    """Does one operation; what settlement refuses is no failure, what it loses is."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._count = itertools.count(1)

    async def do(self, operation: tuple[object, ...]) -> None:
        name, *values = operation
        try:
            await getattr(self, f"_{name}")(*values)
        except (Refused, BadValue):
            return

    async def _pay(self, account: str, fen: int) -> None:
        async with self._house.engine.begin() as connection:
            await cash.propose(connection, ONE, account, fen, f"bank-{next(self._count)}")

    async def _bars(self, account: str, weights_cg: list[int]) -> None:
        grams = [f"{cg // 100}.{cg % 100:02d}" for cg in weights_cg]
        rows = [{"serial": f"S{next(self._count)}", "account": account, "gross_g": g, "weighed_g": g} for g in grams]
        await self._house.register(rows)

    async def _issue(self) -> None:
        async with self._house.engine.begin() as connection:
            await receipts.propose_issue(connection, ONE, await receipts.issuable(connection))

    async def _waiting(self, index: int) -> int:
        async with self._house.engine.connect() as connection:
            found = await proposals.waiting(connection)
        return found[index % len(found)].proposal_id if found else 0

    async def _approve(self, index: int) -> None:
        number = await self._waiting(index)
        async with self._house.engine.begin() as connection:
            await movements.approve(connection, OTHER, number)

    async def _decline(self, index: int) -> None:
        number = await self._waiting(index)
        async with self._house.engine.begin() as connection:
            await movements.decline(connection, ONE, number)

    async def _order(self, account: str, buys: bool, price: int, grams: int) -> None:
        await self._house.exchange.order(account, terms.BUY if buys else terms.SELL, price, grams)

    async def _load_out(self, account: str, ask_mg: int) -> None:
        async with self._house.engine.begin() as connection:
            await load_out.apply(connection, ONE, wish(account, ask_mg))

    async def _release(self, number: int) -> None:
        async with self._house.engine.begin() as connection:
            await load_out_counter.sign(connection, OTHER, number, CODE, COLLECTOR_ID)
        async with self._house.engine.begin() as connection:
            await load_out_counter.release(connection, ONE, number)

    async def _send(self) -> None:
        await self._house.sender.flush()

    async def _advance(self) -> None:
        await self._house.exchange.advance()

    async def _post(self) -> None:
        await self._house.post()

    async def _restart(self) -> None:
        house = self._house
        house.ledger = Ledger(house.engine, "t")
        house.sender = Sender(house.engine, house.exchange.journal, next(self._count))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(operations=st.lists(OPERATIONS, min_size=20, max_size=50))
async def test_gold_and_money_are_conserved(
    operations: list[tuple[object, ...]], new_database: Callable[[], Awaitable[str]], redis: Redis
) -> None:
    engine = database.connect(await new_database())
    house = House(engine, Exchange(redis, f"conserve{next(_shards)}"))
    await house.build()
    for account in ("A.H", "B.H", "VENUE"):
        await house.pay_in(account, 200_000_000, f"start-{account}")
        await house.issue([{"serial": f"start-{account}-{n}", "account": account} for n in range(2)])
    clerks = Clerks(house)
    for operation in operations:
        await clerks.do(operation)
        assert (await recon.reconcile(engine, ONE)).breaks == (), operation
    await house.settle()
    await house.settle()
    assert (await recon.reconcile(engine, ONE)).breaks == ()
    async with engine.connect() as connection:
        fine = func.coalesce(func.sum(receipt.c.fine_mg), 0)
        issued = await connection.scalar(select(fine).where(receipt.c.status.in_(("LIVE", "CANCELLED"))))
        gone = select(func.coalesce(func.sum(lot.c.fine_mg), 0)).where(lot.c.state.in_(("WITHDRAWN", "RELEASED")))
        held = sum(amount for (_, asset), amount in house.exchange.held.items() if asset == "AU")
        assert issued == held + int(await connection.scalar(gone) or 0), "what came in is held or has left"
    await engine.dispose()

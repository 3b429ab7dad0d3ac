"""The exchanges of the tests of reconciliation: lots in two warehouses, and one with money and a trade as well."""

from datetime import timedelta

import pytest

from goldx.client.keys import Key
from settlement.base import registry, working_days
from settlement.charges import accruals
from settlement.custody import legal_holds, transfers
from settlement.ledger import cash
from settlement.load_outs import application, cancels
from settlement.lots import locks, scales, warehouses
from settlement.reconciliation import warehouse_keys
from settlement.recycling import counters, tickets
from tests.settlement.small_exchange import FAR, ONE, SmallExchange, do, load_out_application, public_pem
from tests.settlement.stages import Preparation, nothing

LOT_MG = 99_900


def opened_before(days: int) -> int:
    """Return the beginning of the last day that is ``days`` Mondays to Fridays back, in ms since the epoch."""
    day = working_days.today()
    while days:
        days -= day.weekday() < 5
        day -= timedelta(days=1)
    return working_days.midnight(day)


async def traded(exchange: SmallExchange) -> None:
    """Two lots under receipt, money, and a trade with fees."""
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.issue([{"serial": "A"}, {"serial": "B"}])
    await exchange.trade("B.H", "A.H", 60_000, 20)


async def stocked(exchange: SmallExchange) -> None:
    """Lots 1 and 2 under receipt in XM1, lot 3 in XM2."""
    async with exchange.engine.begin() as connection:
        await warehouses.add(connection, ONE, "XM2", "Warehouse two", "Xiamen")
        await scales.add(connection, ONE, "SCALE-2", "XM2", 1, 3_000_000, "CAL-2", FAR)
    elsewhere = {"serial": "B1", "warehouse": "XM2", "scale": "SCALE-2"}
    await exchange.issue([{"serial": "A1"}, {"serial": "A2"}, elsewhere])


async def busy(exchange: SmallExchange) -> None:
    """Documents of many kinds, in several states."""
    for account in ("A.H", "B.H", "VENUE"):
        await exchange.pay_in(account, 100_000_000, f"bank-{account}")
    await exchange.issue([{"serial": f"A{n}"} for n in range(6)])
    await exchange.trade("B.H", "A.H", 60_000, 150)
    async with exchange.engine.begin() as connection:
        await warehouses.add(connection, ONE, "XM2", "Warehouse two", "Xiamen")
        await scales.add(connection, ONE, "SCALE-2", "XM2", 1, 3_000_000, "CAL-2", FAR)
        await registry.add_member(connection, "test", "A", "Member A")
        await registry.add_key(connection, "test", "A.key", Key.generate("A.key").public_bytes, member_code="A")
        await counters.add(connection, ONE, "C1", "A", "A.H", "XM1", "Counter")
        await tickets.turn_away(connection, ONE, "C1", "would not show a document")
        await locks.freeze(connection, ONE, [6], "stamp looks forged")
        await accruals.accrue(connection, working_days.today() - timedelta(days=1))
    for account in ("B.H", "A.H"):
        await exchange.approve(await do(exchange, application.apply, ONE, load_out_application(account, LOT_MG)))
        await exchange.round_trip()
    await exchange.approve(await do(exchange, cancels.propose, ONE, 1))
    await exchange.approve(await do(exchange, legal_holds.propose, ONE, "A.H", "AU", 1_000, "Court", "C-1", [5]))
    await exchange.approve(await do(exchange, transfers.propose, ONE, [4], "XM2", "shortage"))
    await exchange.pay_in("A.H", -5_000, "bank-out")
    await do(exchange, cash.propose, ONE, "A.H", 700, "bank-later")
    public = public_pem(Key.generate("XM1"))
    await exchange.approve(await do(exchange, warehouse_keys.propose, ONE, "XM1", public, "compared by telephone"))
    await exchange.round_trip()


@pytest.fixture
def preparation(request: pytest.FixtureRequest) -> Preparation:
    """Return the preparation of the exchange that the test names."""
    named = {"traded_exchange": traded, "stocked_exchange": stocked, "busy_exchange": busy}
    return next((named[name] for name in request.fixturenames if name in named), nothing)


@pytest.fixture
def traded_exchange(exchange: SmallExchange) -> SmallExchange:
    """Two lots under receipt, money, and a trade with fees."""
    return exchange


@pytest.fixture
def stocked_exchange(exchange: SmallExchange) -> SmallExchange:
    """Lots 1 and 2 under receipt in XM1, lot 3 in XM2."""
    return exchange


@pytest.fixture
def busy_exchange(exchange: SmallExchange) -> SmallExchange:
    """Documents of many kinds, in several states."""
    return exchange

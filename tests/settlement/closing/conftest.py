"""The exchanges of the tests of the close: three days that are over, and the same days closed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.client.keys import Key
from goldx.protocol import terms
from goldx.protocol.commands import MarketSetPhase
from settlement.base import registry
from settlement.charges import bills
from settlement.closing import day as days
from settlement.closing import progress, statement_trades, statements, tax_profiles
from settlement.lots import locks
from settlement.reconciliation import warehouse_keys
from tests.settlement.closing import time_stamp_service
from tests.settlement.closing.days import (
    DAYS,
    FIRST,
    RISK,
    SECOND,
    THIRD,
    close,
    close_and_sign,
    end_day,
    pass_equal_days,
)
from tests.settlement.closing.test_invoices import DAILY, fees
from tests.settlement.conftest import NewDatabase
from tests.settlement.small_exchange import ONE, SmallExchange, begin_day, do, public_pem
from tests.settlement.stages import Preparation, Stages


async def three_days(exchange: SmallExchange) -> None:
    """A day with money and metal, one with a trade, one without any; the next is not over."""
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.issue([{"serial": "A"}, {"serial": "B"}])
    await begin_day(exchange, FIRST)
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await exchange.trade("B.H", "A.H", 60_000, 20)
    await begin_day(exchange, SECOND)
    await exchange.pay_in("A.H", 500, "bank-2")
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await begin_day(exchange, THIRD)
    await do(exchange, registry.add_staff, "test", RISK, "Risk", ["operate", "settle", "warehouse"])


async def equal_days(exchange: SmallExchange) -> None:
    """A day with money and metal, then equal ones with a trade each, three in all, closed and signed."""
    await do(exchange, registry.add_staff, "test", RISK, "Risk", ["operate", "settle", "warehouse"])
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.issue([{"serial": "A"}, {"serial": "B"}])
    await begin_day(exchange, DAYS[0])
    await close_and_sign(exchange)
    await pass_equal_days(exchange, DAYS[1:3])


async def papers(exchange: SmallExchange) -> None:
    """The same, and a day more, on which a lot was frozen, fees were billed and a warehouse's key was proposed."""
    await equal_days(exchange)
    await do(exchange, locks.freeze, ONE, [1], "stamp looks forged")
    await do(exchange, bills.propose, ONE)
    await do(exchange, warehouse_keys.propose, ONE, "XM1", public_pem(Key.generate("XM1")), "by telephone")
    await pass_equal_days(exchange, DAYS[3:4])


async def invoices_of_a_day(exchange: SmallExchange) -> None:
    """Fees of two members, each with an invoice of a day that is closed: 1 of A and 2 of B."""
    await fees(exchange)
    for code in ("A", "B"):
        await do(exchange, tax_profiles.add, ONE, code, DAILY)
    await end_day(exchange, DAYS[0])


async def closed(exchange: SmallExchange) -> None:
    """The same three days, closed."""
    await three_days(exchange)
    await close(exchange)


@pytest.fixture
def preparation(request: pytest.FixtureRequest, preparation: Preparation) -> Preparation:
    """Return the preparation of the exchange that the test names, else that of its mark."""
    named = {
        "three_days_over": three_days,
        "three_days_closed": closed,
        "equal_days_closed": equal_days,
        "papers_closed": papers,
        "invoiced": invoices_of_a_day,
    }
    return next((named[name] for name in request.fixturenames if name in named), preparation)


@pytest.fixture
def three_days_over(exchange: SmallExchange) -> SmallExchange:
    """Three days are over."""
    return exchange


@pytest.fixture
def three_days_closed(exchange: SmallExchange) -> SmallExchange:
    """Three days are over and closed."""
    return exchange


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """The file of the root certificate of a service for time stamps, beside its own certificate and key."""
    return time_stamp_service.make_certificates(tmp_path)


@pytest_asyncio.fixture
async def service_url(roots: Path) -> AsyncIterator[str]:
    """The URL of a service for time stamps that runs."""
    async with time_stamp_service.running(roots.parent) as url:
        yield url


@pytest.fixture
def copied(new_database: NewDatabase, stages: Stages, preparation: Preparation) -> Callable[[], Awaitable[str]]:
    """Return a function that makes another database with the same days."""

    async def copy() -> str:
        return await new_database((await stages.reach(preparation)).database)

    return copy


@pytest.fixture
def equal_days_closed(exchange: SmallExchange) -> SmallExchange:
    """Three equal days, closed and signed."""
    return exchange


@pytest.fixture
def papers_closed(exchange: SmallExchange) -> SmallExchange:
    """Four equal days, closed and signed, with a lock, a bill and a key."""
    return exchange


@pytest.fixture
def invoiced(exchange: SmallExchange) -> SmallExchange:
    """A day is closed with an invoice of A and one of B."""
    return exchange


@pytest.fixture
def reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report after each account and comparison, however quick it is."""
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(statements, "ACCOUNTS_AT_ONCE", 1)


@pytest.fixture
def before_each_account(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Return a function that takes what is to be done before the statement of each account is made."""

    def patch(act: Any) -> None:
        read = statement_trades.listed

        async def first(connection: AsyncConnection, day: days.Day, accounts: Any) -> dict[str, str]:
            await act(day.day)
            return await read(connection, day, accounts)

        monkeypatch.setattr(statement_trades, "listed", first)

    return patch

"""Trading days of a small exchange that are ended and closed."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from goldx.protocol import terms
from goldx.protocol.commands import MarketSetPhase
from settlement.base import working_days
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing import signing, statements
from settlement.tables.papers import account_statement
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, begin_day, do

RISK = "risk-1"
TODAY = working_days.today()
FIRST, SECOND, THIRD = (str(TODAY + timedelta(days=number)) for number in (1, 2, 5))
DAYS = [str(TODAY + timedelta(days=number)) for number in range(1, 13)]
"""Trading days that a test ends one after the other; what comes before the first is a day, too."""


async def close(exchange: SmallExchange) -> list[str]:
    """Close all days that are over and return them."""
    return [day.isoformat() for day in await closing.close(exchange.engine, ONE, lambda _: None)]


async def pass_equal_days(exchange: SmallExchange, following: Sequence[str]) -> None:
    """Let equal days pass with a trade each, closed and signed; each is followed by one of these."""
    for each in following:
        await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
        await exchange.trade("B.H", "A.H", 60_000, 2)
        await begin_day(exchange, each)
        await close_and_sign(exchange)


async def close_and_sign(exchange: SmallExchange) -> None:
    """Close the one day that is over, and sign it."""
    (name,) = await close(exchange)
    async with exchange.engine.connect() as connection:
        day = await days.find(connection, date.fromisoformat(name))
    await sign_all(exchange, day)


async def sign_all(exchange: SmallExchange, day: days.Day) -> bytes:
    """Sign a closed day in the three capacities and return the hash of its record."""
    assert (await do(exchange, signing.sign, ONE, day.day, "settlement")).missing == ("warehouse", "risk")
    await do(exchange, signing.sign, OTHER, day.day, "warehouse")
    missing, record = await do(exchange, signing.sign, RISK, day.day, "risk")
    assert missing == ()
    assert record is not None
    return record


async def end_day(exchange: SmallExchange, next_day: str) -> None:
    """End the trading day, close it, and open the next one."""
    await begin_day(exchange, next_day)
    await closing.close(exchange.engine, ONE, lambda _: None)
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await exchange.post()


async def statement_of(exchange: SmallExchange, account: str, day: str | None = None) -> statements.AccountStatement:
    """Return the statement of an account, or of a member, of a day, by default its newest."""
    columns = account_statement.c
    query = select(columns.statement_no).where((columns.account == account) | (columns.member == account))
    query = query.where((columns.account == account) | columns.account.is_(None))
    if day is not None:
        query = query.where(columns.day == date.fromisoformat(day))
    async with exchange.engine.connect() as connection:
        number = await connection.scalar(query.order_by(columns.day.desc()).limit(1))
    assert number is not None
    return await do(exchange, statements.find, number)


async def content_of(exchange: SmallExchange, account: str, day: str | None = None) -> dict[str, Any]:
    """Return the content of a statement."""
    return (await statement_of(exchange, account, day)).content

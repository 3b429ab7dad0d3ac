"""Steps of a load-out, as the tests of load-outs take them."""

from typing import Any

from sqlalchemy import select, update

from settlement.load_outs import application, handing_over, load_outs
from settlement.tables.load_outs import load_out
from tests.settlement.small_exchange import (
    CODE,
    COLLECTOR_ID,
    ONE,
    OTHER,
    SmallExchange,
    do,
    load_out_application,
    rewrite,
)

LOT_MG = 99_900
"""Fine gold of each lot of these tests."""


async def sheet(exchange: SmallExchange, number: int) -> Any:
    """Return a load-out sheet."""
    return await do(exchange, load_outs.find, number)


async def completed(exchange: SmallExchange, account: str, ask_mg: int, **more: Any) -> int:
    """Take a load-out to SUCCESS and return its number."""
    proposal = await do(exchange, application.apply, ONE, load_out_application(account, ask_mg, **more))
    await exchange.approve(proposal)
    await exchange.round_trip()
    async with exchange.engine.connect() as connection:
        return int(await connection.scalar(select(load_out.c.load_out_no).order_by(load_out.c.load_out_no.desc())) or 0)


async def signed(exchange: SmallExchange, number: int) -> None:
    """Give the first signature of a load-out, against its code and paper."""
    assert await do(exchange, handing_over.sign, ONE, number, CODE, COLLECTOR_ID) is None


async def released(exchange: SmallExchange, account: str, ask_mg: int) -> int:
    """Take a load-out to RELEASED and return its number."""
    number = await completed(exchange, account, ask_mg)
    await signed(exchange, number)
    await do(exchange, handing_over.release, OTHER, number)
    return number


async def push_back(exchange: SmallExchange, number: int, days: int) -> None:
    """Move the days of a sheet back."""
    values = {
        "from_day": load_out.c.from_day - days,
        "until_day": load_out.c.until_day - days,
        "applied_at": load_out.c.applied_at - days * 86_400_000,
        "released_at": load_out.c.released_at - days * 86_400_000,
    }
    await rewrite(exchange, update(load_out).where(load_out.c.load_out_no == number).values(values))

"""Nothing that happens after a day was closed changes what the day computes to, and computing it stops nobody."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol import terms
from goldx.protocol.commands import InstrumentDefine, MarketSetPhase
from goldx.protocol.units import BadValue
from settlement.base import audit, registry, working_days
from settlement.charges import tariff
from settlement.closing import bulletin, invoices, records, statement_trades, statements, tax_profiles
from settlement.closing import day as days
from settlement.intake import weight_corrections
from settlement.lots import scales
from settlement.reconciliation import resolutions
from settlement.service import movements
from settlement.tables.base import CHAIN_LOCK
from tests.settlement.closing.days import DAYS, FIRST, SECOND, close
from tests.settlement.closing.test_invoices import DAILY, fees
from tests.settlement.intake.lot_steps import screened
from tests.settlement.reconciliation.recorded import LIGHT, XM1, record
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, begin_day, do, refused

_PATIENCE_SECONDS = 60


async def differing(exchange: SmallExchange, number: int) -> list[str]:
    """Return the steps of a closed day that compute to other bytes now."""
    day = (await do(exchange, days.over))[number]
    return [one.step for one in await do(exchange, records.recompute, day.day) if not one.same]


async def test_an_instrument_gets_another_name(three_days_closed: SmallExchange) -> None:
    exchange = three_days_closed
    defined = InstrumentDefine(
        "AU",
        name="Other name",
        name_zh="另一个名字",
        form="NONAPPROVED_BAR",
        min_fineness=90_000,
        reference_price=60_000,
        maker_fee_bp=1,
        taker_fee_bp=1,
    )
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CLOSED), defined)
    await exchange.post()
    assert await differing(exchange, 1) == []
    (day, *_) = await do(exchange, days.over)
    (shown,) = (await do(exchange, bulletin.find, day.day)).content["instruments"]
    assert shown["name"] != "Other name"


async def test_a_weight_is_corrected(exchange: SmallExchange) -> None:
    number = await screened(exchange, "100.05", gross_g="1000.05")
    await begin_day(exchange, FIRST)
    await close(exchange)
    weight = scales.GrossWeight("SCALE-1", scales.parse_shown_weight("grams", "1000.05"))
    await exchange.approve(await do(exchange, weight_corrections.propose, ONE, number, weight, "mistyped"))
    assert await differing(exchange, 0) == []


async def test_a_break_that_was_written_off_opens_again(exchange: SmallExchange) -> None:
    await exchange.issue([{"serial": "A"}, {"serial": "B"}])
    await record(exchange, XM1, LIGHT)
    await exchange.approve(await do(exchange, resolutions.propose_write_off, ONE, 1, "dust"))
    await begin_day(exchange, FIRST)
    await close(exchange)
    await record(exchange, XM1, LIGHT._replace(found=LIGHT.found - 500))
    assert await differing(exchange, 0) == []


async def test_no_figure_of_the_tariff_begins_on_a_day_that_is_closed(three_days_closed: SmallExchange) -> None:
    exchange = three_days_closed
    last = date.fromisoformat(SECOND)
    with pytest.raises(BadValue, match=f"later than {SECOND}"):
        await do(exchange, tariff.propose, ONE, "STATEMENT_DAYS", 9, last)
    proposal = await do(exchange, tariff.propose, ONE, "STATEMENT_DAYS", 9, last + timedelta(days=1))
    await begin_day(exchange, DAYS[5])
    await close(exchange)
    await refused(exchange, "TOO_LATE", movements.approve, OTHER, proposal)


@pytest.mark.prepared(by=fees)
async def test_the_invoices_take_no_lock_before_that_of_all_acts(exchange: SmallExchange) -> None:
    """So the close and two people who correct an invoice cannot wait for each other."""
    for code in ("A", "B"):
        await do(exchange, tax_profiles.add, ONE, code, DAILY)
    await begin_day(exchange, DAYS[0])
    (day,) = await do(exchange, days.over)
    async with exchange.engine.begin() as clerk:
        await audit.lock(clerk)
        making = asyncio.create_task(do(exchange, invoices.work, day))
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(locks := await _advisory(clerk)) < 2:
                await asyncio.sleep(0.01)
        assert sorted(locks) == [False, True], "one is held, and the other waits for it"
    assert b'"invoices":[[1,"A"' in await making


async def _advisory(connection: AsyncConnection) -> Sequence[bool]:
    """Return for each advisory lock of this database whether it is held, or else waited for."""
    here = "SELECT granted FROM pg_locks JOIN pg_database d ON d.oid = database "
    found = await connection.scalars(text(here + "WHERE locktype = 'advisory' AND datname = current_database()"))
    return found.all()


async def test_a_day_is_computed_anew_while_somebody_else_acts(three_days_closed: SmallExchange) -> None:
    async with three_days_closed.engine.begin() as clerk:
        await audit.lock(clerk)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            assert await differing(three_days_closed, 1) == []


async def test_others_act_while_the_statements_are_made(
    three_days_over: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange, read, free = three_days_over, statement_trades.listed, []

    async def look(connection: AsyncConnection, *about: Any) -> Any:
        async with exchange.engine.begin() as other:
            number = {"number": CHAIN_LOCK}
            free.append(await other.scalar(text("SELECT pg_try_advisory_xact_lock(:number)"), number))
        return await read(connection, *about)

    monkeypatch.setattr(statement_trades, "listed", look)
    monkeypatch.setattr(statements, "ACCOUNTS_AT_ONCE", 1)
    await close(exchange)
    assert len(free) > 3
    assert all(free)


async def test_a_statement_that_is_made_late_can_be_objected_to(exchange: SmallExchange) -> None:
    await do(exchange, registry.add_member, "test", "A", "Member A")
    await exchange.pay_in("A.H", 100_000, "bank-1")
    today = working_days.today()
    for back in (14, 13):
        await begin_day(exchange, str(today - timedelta(days=back)))
    await close(exchange)
    rows = await do(exchange, statements.listing, member="A")
    assert {row.day for row in rows} == {today - timedelta(days=15), today - timedelta(days=14)}
    assert {row.due_day for row in rows} == {await do(exchange, statements.due_day, today)}
    assert await do(exchange, statements.accept_due, today) == 0
    await do(exchange, statements.object_to, "A", "A-1", rows[-1].statement_no, "wrong")

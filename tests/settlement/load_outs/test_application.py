"""Load-outs from choice of lots to the counter and back, and the claims afterwards."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.protocol.units import BadValue
from settlement.base import working_days
from settlement.charges import tariff
from settlement.intake.bar_rows import Reading
from settlement.ledger import stock
from settlement.load_outs import application, cancels, claims, handing_over
from settlement.lots import locks, lots, warehouses
from settlement.reconciliation import breaks, vault_freeze, warehouse_statement
from settlement.reports import bar_export
from settlement.service import movements
from settlement.tables.custody import receipt
from settlement.tables.load_outs import load_out as sheets
from settlement.workbooks import sheets as sheet_files
from tests.settlement.engine_runner import EngineRunner
from tests.settlement.small_exchange import (
    CODE,
    COLLECTOR_ID,
    FAR,
    ONE,
    OTHER,
    SmallExchange,
    do,
    find_breaks,
    load_out_application,
    refused,
)

LOT_MG = 99_900


@pytest_asyncio.fixture
async def exchange(engine: AsyncEngine, engine_runner: EngineRunner) -> AsyncIterator[SmallExchange]:
    """Four lots of A.H, then two of B.H and one of the venue; everybody has money."""
    made = SmallExchange(engine, engine_runner)
    await made.build()
    for account in ("A.H", "B.H", "VENUE"):
        await made.pay_in(account, 100_000_000, f"bank-{account}")
    await made.issue([{"serial": f"A{n}"} for n in range(4)])
    await made.issue([{"serial": f"B{n}", "account": "B.H"} for n in range(2)])
    await made.issue([{"serial": "V", "account": "VENUE"}])
    yield made


async def row(exchange: SmallExchange, number: int) -> Any:
    return await do(exchange, application.sheet, number)


async def settled(exchange: SmallExchange, account: str, ask_mg: int, **more: Any) -> int:
    """A sheet in SUCCESS."""
    proposal = await do(exchange, application.apply, ONE, load_out_application(account, ask_mg, **more))
    await exchange.approve(proposal)
    await exchange.round_trip()
    async with exchange.engine.connect() as connection:
        return int(await connection.scalar(select(sheets.c.load_out_no).order_by(sheets.c.load_out_no.desc())) or 0)


async def released(exchange: SmallExchange, account: str, ask_mg: int) -> int:
    number = await settled(exchange, account, ask_mg)
    assert await do(exchange, handing_over.sign, ONE, number, CODE, COLLECTOR_ID) is None
    await do(exchange, handing_over.release, OTHER, number)
    return number


async def push_back(exchange: SmallExchange, number: int, days: int) -> None:
    """Makes a sheet older than it is."""
    values = {
        "from_day": sheets.c.from_day - days,
        "until_day": sheets.c.until_day - days,
        "applied_at": sheets.c.applied_at - days * 86_400_000,
        "released_at": sheets.c.released_at - days * 86_400_000,
    }
    async with exchange.engine.begin() as connection:
        await connection.execute(update(sheets).where(sheets.c.load_out_no == number).values(values))


@pytest.mark.parametrize(
    ("lots_by", "lots_chosen", "kind", "own_mg"),
    [("AGE", [1, 2, 3], "PARTIAL", 99_800), ("OWN_FIRST", [1, 5, 6], "PARTIAL", 199_800)],
)
async def test_the_owner_chooses_lots_and_stock(
    exchange: SmallExchange, lots_by: str, lots_chosen: list[int], kind: str, own_mg: int
) -> None:
    """B.H has deposited 199.8 g and bought 200 g; by age the sheet takes the bought title and the oldest lots first."""
    await exchange.trade("B.H", "A.H", 60_000, 200)
    number = await settled(exchange, "B.H", 3 * LOT_MG + 100, lots_by=lots_by)
    found = await row(exchange, number)
    assert (found.type, found.own_mg) == (kind, own_mg)
    assert await do(exchange, application.lots_of, [number]) == lots_chosen
    assert await do(exchange, stock.own, "B.H", "AU") == 199_800 - own_mg
    assert await find_breaks(exchange) == ()


@pytest.mark.parametrize(("lots_by", "kind", "left"), [("AGE", "TRADE", 199_800), ("OWN_FIRST", "SELF", 99_900)])
async def test_own_stock_and_bought_title(exchange: SmallExchange, lots_by: str, kind: str, left: int) -> None:
    await exchange.trade("B.H", "A.H", 60_000, 200)
    number = await settled(exchange, "B.H", LOT_MG, lots_by=lots_by)
    assert (await row(exchange, number)).type == kind
    assert await do(exchange, stock.own, "B.H", "AU") == left


async def test_a_sale_takes_bought_title_first(exchange: SmallExchange) -> None:
    await exchange.trade("B.H", "A.H", 60_000, 100)
    await exchange.trade("A.H", "B.H", 60_000, 150)
    assert await do(exchange, stock.own, "B.H", "AU") == 149_800
    assert await do(exchange, stock.own, "A.H", "AU") == 299_600


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"ask_mg": 9_999}, "weight"),
        ({"code_again": "314158"}, "code_again"),
        ({"pickup_code": "31415", "code_again": "31415"}, "pickup_code"),
        ({"collector_id": "12"}, "collector_id"),
        ({"collector_id": "350200 20000230 0013"}, "collector_id"),
        ({"lots_by": "LUCK"}, "lots_by"),
        ({"declared_use": ""}, "declared_use"),
        ({"from_day": date(2020, 1, 1)}, "from_day"),
        ({"until_day": date(2099, 1, 1)}, "until_day"),
        ({"account": "A.H.PLEDGE"}, "account"),
    ],
)
async def test_an_application_that_is_malformed(exchange: SmallExchange, more: dict[str, Any], field: str) -> None:
    with pytest.raises(BadValue) as bad:
        await do(
            exchange,
            application.apply,
            ONE,
            load_out_application(more.pop("account", "A.H"), more.pop("ask_mg", LOT_MG), **more),
        )
    assert bad.value.field == field
    assert "31415" not in str(bad.value), "a code is never shown"


async def test_the_register_keeps_no_code_and_no_identity(exchange: SmallExchange) -> None:
    number = await settled(exchange, "A.H", LOT_MG)
    async with exchange.engine.connect() as connection:
        everything = str((await connection.execute(text("SELECT load_out::text FROM load_out"))).all())
        everything += str((await connection.execute(text("SELECT detail FROM audit_log"))).all())
    for secret in (CODE, COLLECTOR_ID, "AB1234567", "Collector"):
        assert secret not in everything
    found = await row(exchange, number)
    assert (found.collector, found.collector_id) == ("C********", "******4567")


async def test_two_people_and_the_right_code_at_the_counter(exchange: SmallExchange) -> None:
    number = await settled(exchange, "A.H", LOT_MG)
    await refused(exchange, "ILLEGAL_STEP", handing_over.release, ONE, number)
    wrong = await do(exchange, handing_over.sign, ONE, number, CODE, "AB-7654321")
    assert wrong is not None
    assert wrong.reason == "WRONG_COLLECTOR"
    assert await do(exchange, handing_over.sign, ONE, number, CODE, "ab-1234567") is None
    await refused(exchange, "SAME_PERSON", handing_over.release, ONE, number)
    await do(exchange, handing_over.withdraw_signature, ONE, number)
    await refused(exchange, "ILLEGAL_STEP", handing_over.release, OTHER, number)
    assert await do(exchange, handing_over.sign, ONE, number, CODE, COLLECTOR_ID) is None
    assert await do(exchange, handing_over.release, OTHER, number) == [1]
    found = await row(exchange, number)
    assert (found.status, found.signed_by, found.released_by) == ("RELEASED", ONE, OTHER)
    for change, why in (
        ("UPDATE load_out SET released_by = signed_by", "two_signatures"),
        ("UPDATE load_out SET signed_by = NULL", "released_by_two"),
    ):
        with pytest.raises(IntegrityError, match=why):
            async with exchange.engine.begin() as connection:
                await connection.execute(text(change))


async def test_an_old_break_of_the_vault_freezes_it(exchange: SmallExchange) -> None:
    """Three days after its statement lacked a bar nothing leaves, until a statement has it again (domain sheet 8.4)."""
    number = await settled(exchange, "A.H", LOT_MG)
    waiting = await do(exchange, application.apply, ONE, load_out_application("B.H", LOT_MG))
    assert await do(exchange, handing_over.sign, ONE, number, CODE, COLLECTOR_ID) is None
    await do(exchange, warehouses.add, ONE, "XM2", "Warehouse two", "Xiamen")
    count = (await do(exchange, bar_export.count_list, "XM1", "csv")).splitlines(keepends=True)

    async def state(data: bytes) -> int:
        lines = warehouse_statement.read(sheet_files.read(data), Reading())
        return len((await do(exchange, warehouse_statement.take_in, ONE, "XM1", FAR, "count.csv", data, lines)).breaks)

    async def pass_hours(hours: int) -> None:
        earlier = text(f"UPDATE recon_break SET opened_at = opened_at - {hours * 3_600_000}")
        await do(exchange, AsyncConnection.execute, earlier)

    assert await state(b"".join(count[:-1])) == 1
    await pass_hours(71)
    await do(exchange, vault_freeze.check, "XM1")
    await pass_hours(1)
    await do(exchange, vault_freeze.check, "XM2")
    why = await refused(exchange, "VAULT_FROZEN", handing_over.release, OTHER, number)
    assert why == "break 1 (MISSING_AT_WAREHOUSE, XM1 HX V 2024) is 3 days old: nothing leaves XM1 until it is gone"
    await refused(exchange, "VAULT_FROZEN", application.apply, ONE, load_out_application("A.H", LOT_MG))
    await refused(exchange, "VAULT_FROZEN", movements.approve, OTHER, waiting)
    await do(exchange, handing_over.withdraw_signature, ONE, number)
    await refused(exchange, "VAULT_FROZEN", handing_over.sign, ONE, number, CODE, COLLECTOR_ID)
    await do(exchange, breaks.explain, ONE, 1, OTHER, "is looked for")
    await refused(exchange, "VAULT_FROZEN", application.apply, ONE, load_out_application("A.H", LOT_MG))
    assert await state(b"".join(count)) == 0
    assert await do(exchange, handing_over.sign, ONE, number, CODE, COLLECTOR_ID) is None
    assert await do(exchange, handing_over.release, OTHER, number) == [1]

    async with exchange.engine.begin() as connection:
        found = [breaks.Break("HOLDING", "A.H", "AU", 1, 2), breaks.Break("RECEIPT", "lot:7", "AU", 1, 2, lot_id=7)]
        await breaks.record_run(connection, ONE, breaks.BOOKS, 2, found[:1])
    await pass_hours(100)
    await do(exchange, vault_freeze.check, "XM1")
    await do(exchange, breaks.record_run, ONE, breaks.BOOKS, 2, found)
    await pass_hours(100)
    assert "RECEIPT, lot:7" in await refused(exchange, "VAULT_FROZEN", vault_freeze.check, "XM1")
    await do(exchange, vault_freeze.check, "XM2")


async def test_wrong_codes_block_the_sheet_until_two_people_give_a_new_one(exchange: SmallExchange) -> None:
    number = await settled(exchange, "A.H", LOT_MG)
    for left in (4, 3, 2, 1, 0):
        wrong = await do(exchange, handing_over.sign, ONE, number, "000000", COLLECTOR_ID)
        assert f"{left} tries are left" in str(wrong)
    await refused(exchange, "CODE_BLOCKED", handing_over.sign, ONE, number, CODE, COLLECTOR_ID)
    proposal = await do(exchange, handing_over.propose_code, ONE, number, "271828", "271828")
    await refused(exchange, "CODE_BLOCKED", handing_over.sign, ONE, number, "271828", COLLECTOR_ID)
    await exchange.approve(proposal)
    wrong = await do(exchange, handing_over.sign, ONE, number, CODE, COLLECTOR_ID)
    assert wrong is not None, "the old code is no longer one"
    assert await do(exchange, handing_over.sign, ONE, number, "271828", COLLECTOR_ID) is None


async def test_the_window(exchange: SmallExchange) -> None:
    """Before it opens nobody gets anything; after it nothing is approved any more."""
    later = working_days.today() + timedelta(days=2)
    number = await settled(exchange, "A.H", LOT_MG, from_day=later)
    assert (await row(exchange, number)).until_day == later + timedelta(days=5)
    await refused(exchange, "TOO_EARLY", handing_over.sign, ONE, number, CODE, COLLECTOR_ID)
    proposal = await do(exchange, application.apply, ONE, load_out_application("A.H", LOT_MG))
    await push_back(exchange, number + 1, 6)
    await refused(exchange, "TOO_LATE", movements.approve, OTHER, proposal)
    await do(exchange, movements.decline, OTHER, proposal)
    assert await find_breaks(exchange) == ()


@pytest.mark.parametrize("ask_mg", [LOT_MG, LOT_MG + 500])
async def test_a_cancelled_load_out_gives_its_gold_back(exchange: SmallExchange, ask_mg: int) -> None:
    before = exchange.held("A.H", "AU")
    own = await do(exchange, stock.own, "A.H", "AU")
    number = await settled(exchange, "A.H", ask_mg)
    proposal = await do(exchange, cancels.propose, ONE, number)
    await refused(exchange, "ILLEGAL_STEP", handing_over.sign, ONE, number, CODE, COLLECTOR_ID)
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    await do(exchange, movements.decline, OTHER, proposal)
    proposal = await do(exchange, cancels.propose, ONE, number)
    await exchange.approve(proposal)
    await exchange.round_trip()
    assert (await row(exchange, number)).status == "CANCELLED"
    assert exchange.held("A.H", "AU") == before - (ask_mg - LOT_MG), "the short weight stays sold"
    assert await do(exchange, stock.own, "A.H", "AU") == own - (ask_mg - LOT_MG)
    assert await find_breaks(exchange) == ()
    async with exchange.engine.connect() as connection:
        live = select(receipt.c.account).where(receipt.c.lot_id == 1, receipt.c.status == "LIVE")
        assert list((await connection.execute(live)).scalars()) == ["A.H"]
        assert (await lots.find(connection, [1]))[1].state == "RECEIPTED"
    assert await settled(exchange, "A.H", LOT_MG) == number + 1, "the lot may be withdrawn again"


async def test_a_load_out_that_nobody_collects_expires(exchange: SmallExchange) -> None:
    number = await settled(exchange, "A.H", LOT_MG)
    today = working_days.today()
    assert await do(exchange, cancels.expire, today + timedelta(days=10)) == []
    assert await do(exchange, cancels.expire, today + timedelta(days=11)) == [number]
    assert await do(exchange, cancels.expire, today + timedelta(days=12)) == []
    assert await find_breaks(exchange) == ()
    await exchange.round_trip()
    assert (await row(exchange, number)).status == "EXPIRED"
    assert exchange.held("A.H", "AU") == 4 * LOT_MG
    assert await find_breaks(exchange) == ()


async def entered_calendar(exchange: SmallExchange) -> None:

    this = working_days.today().year
    for year in (this - 1, this, this + 1):
        await do(exchange, working_days.set_day, ONE, date(year, 1, 1), False, "New Year")


async def test_a_quality_claim_and_who_pays(exchange: SmallExchange) -> None:
    await entered_calendar(exchange)
    number = await released(exchange, "A.H", LOT_MG)
    opening = (claims.open_claim, ONE, number, [1], "assay of the buyer is lower")
    await refused(exchange, "SEAL_BROKEN", *opening, seal_whole=False)
    with pytest.raises(BadValue, match="the lots of the load-out"):
        await do(exchange, claims.open_claim, ONE, number, [2], "another lot", seal_whole=True)
    assert await do(exchange, *opening, seal_whole=True) == 1
    await refused(exchange, "LOCKED", *opening, seal_whole=True)
    with pytest.raises(Exception, match="under a quality claim: lot 1"):
        await exchange.register([{"serial": "A0"}])
    await refused(exchange, "ILLEGAL_STEP", claims.propose, ONE, 1, 99_860, 30_000, upheld=True)
    await do(exchange, claims.send, ONE, 1, "UMPIRE-LAB")
    proposal = await do(exchange, claims.propose, ONE, 1, 99_860, 30_000, upheld=True)
    await do(exchange, movements.decline, OTHER, proposal)
    proposal = await do(exchange, claims.propose, ONE, 1, 99_860, 30_000, upheld=False)
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    await exchange.approve(proposal)
    found = await do(exchange, claims.one, 1)
    assert (found.status, found.payer, found.umpire_e5) == ("DECIDED", "MEMBER", 99_860)
    assert await do(exchange, locks.listing) == []
    assert await exchange.register([{"serial": "A0", "sample_seal": "P-again"}]) == [8]
    with pytest.raises(IntegrityError, match="loser_pays"):
        async with exchange.engine.begin() as connection:
            await connection.execute(text("UPDATE claim SET payer = 'VENUE'"))


async def test_a_claim_comes_too_late(exchange: SmallExchange) -> None:
    await entered_calendar(exchange)
    number = await settled(exchange, "A.H", LOT_MG)
    await refused(exchange, "ILLEGAL_STEP", claims.open_claim, ONE, number, [1], "not yet", seal_whole=True)
    await do(exchange, handing_over.sign, ONE, number, CODE, COLLECTOR_ID)
    await do(exchange, handing_over.release, OTHER, number)
    await push_back(exchange, number, 10)
    await refused(exchange, "TOO_LATE", claims.open_claim, ONE, number, [1], "too late", seal_whole=True)


async def test_a_figure_of_the_tariff_is_changed_by_two_people(exchange: SmallExchange) -> None:
    tomorrow = working_days.today() + timedelta(days=1)
    proposal = await do(exchange, tariff.propose, ONE, "CODE_TRIES", 3, tomorrow)
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    assert (await do(exchange, tariff.on, tomorrow))["CODE_TRIES"] == 5
    await exchange.approve(proposal)
    assert (await do(exchange, tariff.on, working_days.today()))["CODE_TRIES"] == 5
    assert (await do(exchange, tariff.on, tomorrow))["CODE_TRIES"] == 3
    for name, value, day, field in (
        ("SOMETHING", 1, tomorrow, "name"),
        ("CODE_TRIES", -1, tomorrow, "value"),
        ("CODE_TRIES", 1, working_days.today(), "from_day"),
        ("CODE_TRIES", 1, tomorrow, "from_day"),
    ):
        with pytest.raises(BadValue) as bad:
            await do(exchange, tariff.propose, ONE, name, value, day)
        assert bad.value.field == field

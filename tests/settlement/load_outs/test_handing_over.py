"""Handing over: two people, the right code and paper, blocked sheets and frozen vaults."""

import itertools
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from goldx.protocol.units import BadValue
from settlement.base import proposals, working_days
from settlement.custody import legal_holds
from settlement.intake import intake
from settlement.intake.bar_rows import Reading
from settlement.load_outs import application, cancels, handing_over
from settlement.lots import locks, warehouses
from settlement.reconciliation import break_work, breaks, statement_file, vault_freeze, warehouse_statement
from settlement.reconciliation.break_areas import BOOKS
from settlement.reports import bar_export
from settlement.service import movements
from settlement.workbooks import sheets
from tests.settlement.load_outs.load_out_steps import LOT_MG, completed, sheet, signed
from tests.settlement.reconciliation.conftest import opened_before
from tests.settlement.small_exchange import (
    CODE,
    COLLECTOR_ID,
    ONE,
    OTHER,
    SmallExchange,
    do,
    find_breaks,
    load_out_application,
    refused,
    rewrite,
)


async def test_two_people_and_the_right_code_at_the_counter(exchange: SmallExchange) -> None:
    number = await completed(exchange, "A.H", LOT_MG)
    await refused(exchange, "ILLEGAL_STEP", handing_over.release, ONE, number)
    wrong = await do(exchange, handing_over.sign, ONE, number, CODE, "AB-7654321")
    assert wrong is not None
    assert wrong.reason == "WRONG_COLLECTOR"
    assert await do(exchange, handing_over.sign, ONE, number, CODE, "ab-1234567") is None
    await refused(exchange, "SAME_PERSON", handing_over.release, ONE, number)
    await do(exchange, handing_over.withdraw_signature, ONE, number)
    await refused(exchange, "ILLEGAL_STEP", handing_over.release, OTHER, number)
    await signed(exchange, number)
    assert await do(exchange, handing_over.release, OTHER, number) == [1]
    found = await sheet(exchange, number)
    assert (found.status, found.signed_by, found.released_by) == ("RELEASED", ONE, OTHER)
    for change, why in (
        ("UPDATE load_out SET released_by = signed_by", "two_signatures"),
        ("UPDATE load_out SET signed_by = NULL", "released_by_two"),
    ):
        with pytest.raises(IntegrityError, match=why):
            async with exchange.engine.begin() as connection:
                await connection.execute(text(change))


@pytest.mark.parametrize("hold", ["freeze", "order", "quarantine"])
async def test_metal_is_stopped_at_every_step(exchange: SmallExchange, hold: str) -> None:
    """A hold stops the load-out at each step (applied, approved, settled, signed) until another person ends it."""

    async def stop(lot_id: int) -> None:
        if hold == "freeze":
            await do(exchange, locks.freeze, ONE, [lot_id], "stamp looks forged")
        elif hold == "quarantine":
            assert await do(exchange, intake.quarantine, ONE, lot_id, "stolen", "police 7") == "FREEZE"
        else:
            await do(exchange, legal_holds.propose, ONE, "A.H", "AU", 0, "Court", f"C-{next(papers)}", [lot_id])

    async def free(lot_id: int) -> None:
        if hold != "order":
            await do(exchange, locks.unfreeze, OTHER, [lot_id], "is genuine")
            return
        (waiting,) = await do(exchange, proposals.waiting)
        await do(exchange, movements.decline, OTHER, waiting.proposal_id)

    papers = itertools.count(1)
    proposal = await do(exchange, application.apply, ONE, load_out_application("A.H", LOT_MG))
    await stop(1)
    await refused(exchange, "LOCKED", movements.approve, OTHER, proposal)
    assert await find_breaks(exchange) == ()
    await do(exchange, movements.decline, OTHER, proposal)
    proposal = await do(exchange, application.apply, ONE, load_out_application("A.H", LOT_MG))
    await do(exchange, movements.approve, OTHER, proposal)
    await stop(2)
    await exchange.round_trip()
    assert (await sheet(exchange, 2)).status == "SUCCESS", "the engine had settled, so the ledger continues"
    signing = (handing_over.sign, ONE, 2, CODE, COLLECTOR_ID)
    await refused(exchange, "LOCKED", *signing)
    await refused(exchange, "LOCKED", cancels.propose, ONE, 2)
    assert await do(exchange, cancels.expire, working_days.today() + timedelta(days=99)) == []
    if hold != "order":
        await free(2)
        assert await do(exchange, *signing) is None
        await stop(2)
        await refused(exchange, "LOCKED", handing_over.release, OTHER, 2)
        with pytest.raises(DBAPIError, match="lot 2 is locked and cannot become RELEASED"):
            async with exchange.engine.begin() as connection:
                await connection.execute(text("UPDATE lot SET state = 'RELEASED' WHERE lot_id = 2"))
        await free(2)
        await do(exchange, handing_over.release, OTHER, 2)
    assert await find_breaks(exchange) == ()


async def test_an_order_stops_everything_of_an_account_at_once(exchange: SmallExchange) -> None:
    """It holds the account's free grams, application and uncollected load-outs, and nothing of other accounts."""
    settled = await completed(exchange, "A.H", LOT_MG)
    await signed(exchange, settled)
    waiting = await do(exchange, application.apply, ONE, load_out_application("A.H", LOT_MG))
    others = await completed(exchange, "B.H", LOT_MG)
    order = ("A.H", "AU", "Court of Xiamen")
    hold = await do(exchange, legal_holds.propose_everything, ONE, *order, "C-1")
    await refused(exchange, "LOCKED", handing_over.release, OTHER, settled)
    await refused(exchange, "LOCKED", movements.approve, OTHER, waiting)
    await do(exchange, movements.approve, OTHER, hold)
    await exchange.round_trip()
    assert (exchange.held("A.H", "AU"), exchange.held("A.H.HOLD", "AU")) == (0, 3 * LOT_MG)
    assert sorted(row.lot_id for row in await do(exchange, locks.listing, kind="LEGAL_HOLD")) == [1, 2]
    with pytest.raises(BadValue, match="weight"):
        await do(exchange, legal_holds.propose_everything, ONE, *order, "C-2")
    await signed(exchange, others)
    assert await find_breaks(exchange) == ()


async def test_a_cancel_waits_for_the_end_of_a_hold(exchange: SmallExchange) -> None:
    number = await completed(exchange, "A.H", LOT_MG)
    proposal = await do(exchange, cancels.propose, ONE, number)
    await do(exchange, locks.freeze, ONE, [1], "stamp looks forged")
    await refused(exchange, "LOCKED", movements.approve, OTHER, proposal)
    await do(exchange, locks.unfreeze, OTHER, [1], "is genuine")
    await do(exchange, movements.approve, OTHER, proposal)
    await do(exchange, locks.freeze, ONE, [1], "stamp looks forged after all")
    await exchange.round_trip()
    assert (await sheet(exchange, number)).status == "CANCELLED"
    assert await find_breaks(exchange) == ()


async def test_wrong_codes_block_the_sheet_until_two_people_give_a_new_one(exchange: SmallExchange) -> None:
    number = await completed(exchange, "A.H", LOT_MG)
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


async def test_nobody_approves_a_code_that_replaced_another_persons(exchange: SmallExchange) -> None:
    """One person would replace a colleague's code, approve the colleague's proposal, and know the code."""
    number = await completed(exchange, "A.H", LOT_MG)
    proposal = await do(exchange, handing_over.propose_code, ONE, number, "271828", "271828")
    await refused(exchange, "CODE_WAITS", handing_over.propose_code, OTHER, number, "999999", "999999")
    await do(exchange, movements.decline, ONE, proposal)
    again = await do(exchange, handing_over.propose_code, OTHER, number, "999999", "999999")
    await signed(exchange, number)
    await refused(exchange, "ILLEGAL_STEP", movements.approve, ONE, again)
    await do(exchange, movements.decline, ONE, again)


async def test_an_old_break_of_the_vault_freezes_it(exchange: SmallExchange) -> None:
    """Three days after its statement lacked a bar nothing leaves, until a statement has it again (domain sheet 8.4)."""
    number = await completed(exchange, "A.H", LOT_MG)
    waiting = await do(exchange, application.apply, ONE, load_out_application("B.H", LOT_MG))
    await signed(exchange, number)
    await do(exchange, warehouses.add, ONE, "XM2", "Warehouse two", "Xiamen")
    count = (await do(exchange, bar_export.count_list, "XM1", "csv")).splitlines(keepends=True)

    async def state(data: bytes) -> int:
        lines = statement_file.read(sheets.read(data), Reading())
        day = working_days.today()
        for by in (ONE, OTHER):
            done = await do(exchange, warehouse_statement.take_in, by, "XM1", day, "count.csv", data, lines)
        return len(done.breaks)

    async def pass_days(days: int) -> None:
        await rewrite(exchange, f"UPDATE recon_break SET opened_at = {opened_before(days)}")

    assert await state(b"".join(count[:-1])) == 1
    await pass_days(2)
    await do(exchange, vault_freeze.check, "XM1")
    await pass_days(3)
    await do(exchange, vault_freeze.check, "XM2")
    why = await refused(exchange, "VAULT_FROZEN", handing_over.release, OTHER, number)
    assert (
        why
        == "break 1 (MISSING_AT_WAREHOUSE, XM1 HX V 2024) is 3 working days old: nothing leaves XM1 until it is gone"
    )
    await refused(exchange, "VAULT_FROZEN", application.apply, ONE, load_out_application("A.H", LOT_MG))
    await refused(exchange, "VAULT_FROZEN", movements.approve, OTHER, waiting)
    await do(exchange, handing_over.withdraw_signature, ONE, number)
    await refused(exchange, "VAULT_FROZEN", handing_over.sign, ONE, number, CODE, COLLECTOR_ID)
    await do(exchange, break_work.explain, ONE, 1, OTHER, "is looked for")
    await refused(exchange, "VAULT_FROZEN", application.apply, ONE, load_out_application("A.H", LOT_MG))
    assert await state(b"".join(count)) == 0
    await signed(exchange, number)
    assert await do(exchange, handing_over.release, OTHER, number) == [1]

    async with exchange.engine.begin() as connection:
        found = [breaks.Break("HOLDING", "A.H", "AU", 1, 2), breaks.Break("RECEIPT", "lot:7", "AU", 1, 2, lot_id=7)]
        await breaks.record_run(connection, ONE, BOOKS, 2, found[:1])
    await pass_days(4)
    await do(exchange, vault_freeze.check, "XM1")
    await do(exchange, breaks.record_run, ONE, BOOKS, 2, found)
    await pass_days(4)
    assert "RECEIPT, lot:7" in await refused(exchange, "VAULT_FROZEN", vault_freeze.check, "XM1")
    await do(exchange, vault_freeze.check, "XM2")

"""Handing over: two people, the right code and paper, blocked sheets and frozen vaults."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.intake.bar_rows import Reading
from settlement.load_outs import application, handing_over
from settlement.lots import warehouses
from settlement.reconciliation import breaks, vault_freeze, warehouse_statement
from settlement.reports import bar_export
from settlement.service import movements
from settlement.workbooks import sheets
from tests.settlement.load_outs.load_out_steps import LOT_MG, completed, sheet
from tests.settlement.small_exchange import (
    CODE,
    COLLECTOR_ID,
    FAR,
    ONE,
    OTHER,
    SmallExchange,
    do,
    load_out_application,
    refused,
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
    assert await do(exchange, handing_over.sign, ONE, number, CODE, COLLECTOR_ID) is None
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


async def test_an_old_break_of_the_vault_freezes_it(exchange: SmallExchange) -> None:
    """Three days after its statement lacked a bar nothing leaves, until a statement has it again (domain sheet 8.4)."""
    number = await completed(exchange, "A.H", LOT_MG)
    waiting = await do(exchange, application.apply, ONE, load_out_application("B.H", LOT_MG))
    assert await do(exchange, handing_over.sign, ONE, number, CODE, COLLECTOR_ID) is None
    await do(exchange, warehouses.add, ONE, "XM2", "Warehouse two", "Xiamen")
    count = (await do(exchange, bar_export.count_list, "XM1", "csv")).splitlines(keepends=True)

    async def state(data: bytes) -> int:
        lines = warehouse_statement.read(sheets.read(data), Reading())
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
